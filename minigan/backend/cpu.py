"""NumPy: the reference device."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigan.backend.base import Array, Backend
from minigan.backend.threads import parallel

LARGE_PRODUCT = 20_000_000  # multiplications from which a product is split: about 0.3 ms


class NumpyBackend(Backend):
    """NumPy arrays, computed by the processor."""

    def __init__(self) -> None:
        super().__init__("numpy", np, np.ndarray)
        self._ones: dict[tuple[int, Any], np.ndarray] = {}

    def describe(self) -> str:
        return f"NumPy {np.__version__}"

    def total(self, x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
        """Sums over all axes but the last are a product with ones, about six times as fast."""
        if len(axis) == x.ndim:
            return np.add.reduce(x, None, x.dtype, None, keepdims)  # type: ignore[call-overload]
        if axis == tuple(range(x.ndim - 1)) and x.flags.c_contiguous and (
                x.dtype.kind == "f" and x.size):
            columns = x.shape[-1]
            sums = self._row_of_ones(x.size // columns, x.dtype) @ x.reshape(-1, columns)
            return sums.reshape((1,) * (x.ndim - 1) + (columns,)) if keepdims else sums
        return np.add.reduce(x, axis, x.dtype, None, keepdims)  # type: ignore[call-overload]

    def product(self, a: Array, b: Array) -> Array:
        """Large products in blocks of the result, on all threads; outer ones without BLAS."""
        if a.shape[-1] == b.shape[-2] == 1:
            return a * b
        if a.ndim != 2 or b.ndim != 2 or a.size * b.shape[1] < LARGE_PRODUCT:
            return np.matmul(a, b)
        (m, _), (_, n) = a.shape, b.shape
        result = np.empty((m, n), np.result_type(a, b))
        parts = 2 * -(-max(m, n) // 1024)

        def block(i: int) -> None:
            if m > 128:  # rows: each block writes contiguous memory
                rows = slice(m * i // parts, m * (i + 1) // parts)
                np.matmul(a[rows], b, out=result[rows])
            else:
                columns = slice(n * i // parts, n * (i + 1) // parts)
                np.matmul(a, b[:, columns], out=result[:, columns])

        parallel(block, parts)
        return result

    def broadcast_to(self, x: Array, shape: tuple[int, ...]) -> Array:
        """One element repeated is a view with strides of 0, made without NumPy's checks."""
        if x.size == 1 and x.ndim <= len(shape) and x.flags.c_contiguous:
            return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
        return np.broadcast_to(x, shape)

    def _row_of_ones(self, n: int, dtype: np.dtype) -> np.ndarray:
        if (n, dtype) not in self._ones:
            self._ones[n, dtype] = np.ones(n, dtype)
        return self._ones[n, dtype]
