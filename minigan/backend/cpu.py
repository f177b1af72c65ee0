"""NumPy: the reference device."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigan.backend.base import Array, Backend


class NumpyBackend(Backend):
    """NumPy arrays, computed by the processor."""

    def __init__(self) -> None:
        super().__init__("numpy", np, np.ndarray)
        self._ones: dict[tuple[int, Any], np.ndarray] = {}

    def describe(self) -> str:
        return f"NumPy {np.__version__}"

    def total(self, x: Array, axis: tuple[int, ...] | None, keepdims: bool) -> Array:
        """Sums over all axes but the last are a product with ones, about six times as fast."""
        if axis is not None and x.ndim > 1 and axis == tuple(range(x.ndim - 1)) and (
                x.flags.c_contiguous and x.dtype.kind == "f" and x.size):
            columns = x.shape[-1]
            sums = self._row_of_ones(x.size // columns, x.dtype) @ x.reshape(-1, columns)
            return sums.reshape((1,) * (x.ndim - 1) + (columns,)) if keepdims else sums
        return np.add.reduce(x, axis, x.dtype, None, keepdims)

    def _row_of_ones(self, n: int, dtype: np.dtype) -> np.ndarray:
        if (n, dtype) not in self._ones:
            self._ones[n, dtype] = np.ones(n, dtype)
        return self._ones[n, dtype]
