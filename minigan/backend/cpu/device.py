"""NumPy: the reference device."""

from __future__ import annotations

import numpy as np

from minigan.backend.base import Array, Shape
from minigan.backend.cpu.capture.tracing import Tracing
from minigan.backend.cpu.convolution import Convolutions
from minigan.system import blas
from minigan.system.threads import LARGE_PRODUCT, parallel

MANY_ROWS = 128        # from which a product is cut into rows, which are contiguous
LONG_SIDE = 1024       # a product has two blocks for every so many rows or columns


class NumpyBackend(Convolutions, Tracing):
    """NumPy arrays, computed by the processor."""

    def __init__(self) -> None:
        super().__init__("numpy", np, np.ndarray)

    def describe(self) -> str:
        return f"NumPy {np.__version__}"

    def notice(self) -> str:
        return blas.trouble()

    def product(self, a: Array, b: Array, out: Array | None = None) -> Array:
        """Large products in blocks of the result, on all threads; outer ones without BLAS."""
        if a.shape[-1] == b.shape[-2] == 1:
            return np.multiply(a, b, out=out)
        if a.ndim != 2 or b.ndim != 2 or a.size * b.shape[1] < LARGE_PRODUCT:
            return np.matmul(a, b, out=out)

        m, n = a.shape[0], b.shape[1]
        result = np.empty((m, n), np.result_type(a, b)) if out is None else out
        parts = 2 * -(-max(m, n) // LONG_SIDE)

        def rows(i: int) -> None:
            some = slice(m * i // parts, m * (i + 1) // parts)
            np.matmul(a[some], b, out=result[some])

        def columns(i: int) -> None:
            some = slice(n * i // parts, n * (i + 1) // parts)
            np.matmul(a, b[:, some], out=result[:, some])

        parallel(rows if m > MANY_ROWS else columns, parts)
        return result

    def broadcast_to(self, x: Array, shape: Shape) -> Array:
        """One element repeated is a view with strides of 0, made without NumPy's checks."""
        if x.size == 1 and x.ndim <= len(shape) and x.flags.c_contiguous:
            return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
        return np.broadcast_to(x, shape)
