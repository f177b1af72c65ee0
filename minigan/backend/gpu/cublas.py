"""Matrix products by cuBLAS, through ctypes on a handle of our own.

CuPy refuses to call cuBLAS while a stream is being captured, and sets its handle's stream with
every call, which takes a workspace away again (cublasSetStream, in the cuBLAS manual). cuBLAS
itself can be captured; given a workspace it allocates nothing, and on one stream it gives the same
bits every time (cuBLAS manual, "Results reproducibility" and "CUDA Graphs Support").
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

WORKSPACE = 32 << 20  # bytes; what the cuBLAS manual recommends for Hopper (cublasSetWorkspace)

# Numbers of cublas_api.h and library_types.h.
AS_IT_IS, TRANSPOSED = 0, 1
TYPES = {"float32": 0, "float64": 1}                                # CUDA_R_32F, CUDA_R_64F
COMPUTE = {("float32", "fp32"): 68, ("float32", "tf32"): 77,        # CUBLAS_COMPUTE_32F, _FAST_TF32
           ("float64", "fp32"): 70, ("float64", "tf32"): 70}        # CUBLAS_COMPUTE_64F
DEFAULT_ALGORITHM = -1
STATUS = {1: "not initialized", 3: "out of device memory", 7: "invalid value",
          8: "not supported on this GPU", 11: "memory mapping failed", 13: "execution failed",
          14: "internal error", 15: "not supported"}

_POINTER, _INT, _STRIDE = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
ARGUMENTS = {
    "cublasCreate_v2": [_POINTER],
    "cublasDestroy_v2": [_POINTER],
    "cublasSetStream_v2": [_POINTER, _POINTER],
    "cublasSetWorkspace_v2": [_POINTER, _POINTER, ctypes.c_size_t],
    "cublasGemmEx": [_POINTER, _INT, _INT, _INT, _INT, _INT, _POINTER, _POINTER, _INT, _INT,
                     _POINTER, _INT, _INT, _POINTER, _POINTER, _INT, _INT, _INT, _INT],
    "cublasGemmStridedBatchedEx": [_POINTER, _INT, _INT, _INT, _INT, _INT, _POINTER,
                                   _POINTER, _INT, _INT, _STRIDE, _POINTER, _INT, _INT, _STRIDE,
                                   _POINTER, _POINTER, _INT, _INT, _STRIDE, _INT, _INT, _INT],
}


def load() -> Any:
    """The cuBLAS that CuPy would load too.

    Raises:
        OSError, RuntimeError: it is not found.
    """
    from cuda.pathfinder import load_nvidia_dynamic_lib
    return ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)


class Cublas:
    """One handle on one stream, with a workspace (address and size in bytes)."""

    def __init__(self, lib: Any, stream: int, workspace: tuple[int, int]) -> None:
        self.lib = lib
        for name, arguments in ARGUMENTS.items():
            getattr(lib, name).argtypes = arguments  # else ctypes cuts pointers to 32 bits
        self.handle = ctypes.c_void_p()
        self._call("cublasCreate_v2", ctypes.byref(self.handle))
        self._call("cublasSetStream_v2", self.handle, stream)
        self._call("cublasSetWorkspace_v2", self.handle, *workspace)  # after the stream: see above

    def _call(self, name: str, *arguments: Any) -> None:
        status = getattr(self.lib, name)(*arguments)
        if status:
            raise RuntimeError(f"{name}: {STATUS.get(status, 'failed')} (cuBLAS status {status})")

    def gemm(self, dtype: str, precision: str, sizes: tuple[int, int, int], a: int, ta: bool,
             b: int, tb: bool, c: int, batch: int = 1, steps: tuple[int, int] = (0, 0)) -> None:
        """c = op(a) op(b), row by row in memory; op transposes where its flag is set.

        sizes: (m, n, k) of (m, k) times (k, n). a, b, c: addresses of contiguous matrices, a of
        shape (k, m) if ta, b of shape (n, k) if tb. batch: so many products; steps: elements from
        one a, one b, to the next, 0 to use one for all.

        cuBLAS goes column by column, and what is (m, k) by rows is (k, m) by columns: so it is
        asked for op(b)^T op(a)^T = c^T, which is b first, and no transpose that was not wanted.
        """
        (m, n, k), kind = sizes, TYPES[dtype]
        number = ctypes.c_double if dtype == "float64" else ctypes.c_float
        one, zero = ctypes.byref(number(1)), ctypes.byref(number(0))
        flags = [TRANSPOSED if t else AS_IT_IS for t in (tb, ta)]
        start = [self.handle, *flags, n, m, k, one]
        end = [COMPUTE[dtype, precision], DEFAULT_ALGORITHM]
        wide_a, wide_b = (m if ta else k), (k if tb else n)
        if batch == 1:
            self._call("cublasGemmEx", *start, b, kind, wide_b, a, kind, wide_a, zero, c, kind, n,
                       *end)
        else:
            self._call("cublasGemmStridedBatchedEx", *start, b, kind, wide_b, steps[1], a, kind,
                       wide_a, steps[0], zero, c, kind, n, m * n, batch, *end)


def layout(matrix: Any) -> tuple[Any, bool]:
    """A matrix, or stack of them, as (contiguous array, whether it is to be transposed).

    A transposed view costs no copy.
    """
    if matrix.flags.c_contiguous:
        return matrix, False
    swapped = matrix.swapaxes(-1, -2)
    if swapped.flags.c_contiguous:
        return swapped, True
    return matrix.copy(order="C"), False


def stacked(matrix: Any, batch: tuple[int, ...], broadcast: Any) -> tuple[Any, bool, int]:
    """A stack of matrices as `layout` gives it, and elements from one matrix to the next.

    batch: the stack's due shape; a single matrix serves all with steps of 0.
    """
    lead = matrix.shape[:-2]
    if lead != batch and math.prod(lead) != 1:
        matrix = broadcast(matrix, batch + matrix.shape[-2:])
    array, transposed = layout(matrix)
    return array, transposed, 0 if math.prod(lead) == 1 else array.shape[-1] * array.shape[-2]
