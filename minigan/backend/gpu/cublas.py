"""Matrix products by cuBLAS, through ctypes on a handle of our own.

CuPy refuses to call cuBLAS while a stream is being captured, and sets its handle's stream with
every call, which takes a workspace away again (cublasSetStream, in the cuBLAS manual). cuBLAS
itself can be captured; given a workspace it allocates nothing, and on one stream it gives the same
bits every time (cuBLAS manual, "Results reproducibility" and "CUDA Graphs Support").
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, Callable, NamedTuple

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
_MATRIX = [_POINTER, _INT, _INT]                    # address, type, rows in memory
_MATRICES = [_POINTER, _INT, _INT, _STRIDE]         # and elements from one matrix to the next
_HEAD = [_POINTER, _INT, _INT, _INT, _INT, _INT]    # handle, both flags, sizes
ARGUMENTS = {
    "cublasCreate_v2": [_POINTER],
    "cublasDestroy_v2": [_POINTER],
    "cublasSetStream_v2": [_POINTER, _POINTER],
    "cublasSetWorkspace_v2": [_POINTER, _POINTER, ctypes.c_size_t],
    "cublasGemmEx": [*_HEAD, _POINTER, *_MATRIX, *_MATRIX, _POINTER, *_MATRIX, _INT, _INT],
    "cublasGemmStridedBatchedEx": [*_HEAD, _POINTER, *_MATRICES, *_MATRICES, _POINTER, *_MATRICES,
                                   _INT, _INT, _INT],
}


class Factor(NamedTuple):
    """A matrix of a product, or a stack of them, contiguous in memory.

    matrix: the array, or its address. transposed: whether it is to be transposed. step: elements
    from one matrix of the stack to the next, 0 to use one for all.
    """

    matrix: Any
    transposed: bool
    step: int = 0


def load() -> Any:
    """The same cuBLAS that CuPy would load.

    Raises:
        OSError, RuntimeError: it is not found.
    """
    from cuda.pathfinder import load_nvidia_dynamic_lib
    return ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)


class Cublas:
    """One handle on one stream, with a workspace (address and size in bytes).

    Raises:
        RuntimeError: cuBLAS refuses; says its status.
    """

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

    def gemm(self, dtype: str, precision: str, sizes: tuple[int, int, int], a: Factor, b: Factor,
             c: int, batch: int = 1) -> None:
        """c = op(a) op(b), row by row in memory; op transposes where a factor says so.

        dtype: "float32" or "float64". precision: of float32, "fp32" or "tf32".
        sizes: (m, n, k) of (m, k) times (k, n). a, b: with addresses, a of shape (k, m) and b of
        shape (n, k) where transposed. c: the result's address. batch: how many products.

        cuBLAS goes column by column, and what is (m, k) by rows is (k, m) by columns. So it is
        asked for op(b)^T op(a)^T = c^T, which is b first, and no transpose that was not wanted.

        Raises:
            RuntimeError: cuBLAS refuses; says its status.
        """
        m, n, k = sizes
        of_type = TYPES[dtype]
        number = ctypes.c_double if dtype == "float64" else ctypes.c_float
        one = ctypes.byref(number(1))
        zero = ctypes.byref(number(0))
        head = [self.handle, _flag(b), _flag(a), n, m, k, one]
        tail = [COMPUTE[dtype, precision], DEFAULT_ALGORITHM]
        first = [b.matrix, of_type, k if b.transposed else n]
        second = [a.matrix, of_type, m if a.transposed else k]
        result = [c, of_type, n]
        if batch == 1:
            self._call("cublasGemmEx", *head, *first, *second, zero, *result, *tail)
        else:
            self._call("cublasGemmStridedBatchedEx", *head, *first, b.step, *second, a.step,
                       zero, *result, m * n, batch, *tail)


def _flag(factor: Factor) -> int:
    return TRANSPOSED if factor.transposed else AS_IT_IS


def stacked(matrix: Any, batch: tuple[int, ...], broadcast: Callable[..., Any]) -> Factor:
    """A matrix, or a stack of them, as a factor; a transposed view costs no copy.

    batch: the shape that the stack should have; a single matrix serves all with a step of 0.
    broadcast: the array module's `broadcast_to`.
    """
    lead = matrix.shape[:-2]
    single = math.prod(lead) == 1
    if lead != batch and not single:
        matrix = broadcast(matrix, batch + matrix.shape[-2:])
    array, transposed = _contiguous(matrix)
    step = 0 if single else array.shape[-1] * array.shape[-2]
    return Factor(array, transposed, step)


def _contiguous(matrix: Any) -> tuple[Any, bool]:
    """(the matrix as a contiguous array, whether that is its transpose)."""
    if matrix.flags.c_contiguous:
        return matrix, False
    swapped = matrix.swapaxes(-1, -2)
    if swapped.flags.c_contiguous:
        return swapped, True
    return matrix.copy(order="C"), False
