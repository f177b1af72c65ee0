"""An emulated GPU: our CUDA kernels, compiled by g++ and run by the processor.

    from emulated import emulated          # a backend, "emulated", like the stand-in
    with minigan.use("emulated"): ...

Everything of the GPU's backend runs here but CuPy, cuBLAS and the CUDA runtime: kernels from the
very same sources, matrix products through our calls of cuBLAS into a library that NumPy plays,
captured steps as a list of calls that are made again. A kernel's threads run one after another, or
with `threads_of(n)` as real ones that wait for each other in __syncthreads.
"""
from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
import stand_in
from stand_in import StandInArray, StandInModule, compute, note, taped

from minigan.backend import get_backend, register
from minigan.backend.gpu import kernels
from minigan.backend.gpu.cublas import Cublas, Factor
from minigan.backend.gpu.steps import StepKernels

PRELUDE = """
#include <barrier>
#include <cmath>
#include <cstddef>
#include <thread>
#include <vector>
using std::cos; using std::log; using std::pow; using std::sin; using std::sqrt;
#define __global__
#define __device__
#define __shared__ static
struct Dim { unsigned x, y, z; };
static thread_local Dim threadIdx;
static Dim blockIdx, blockDim, gridDim;
static std::barrier<> *together;
static void __syncthreads() { if (together) together->arrive_and_wait(); }
"""
DRIVER = """
template <class Body> static void emulate(const unsigned *grid, unsigned threads, Body body)
{
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {threads, 1, 1};
    for (unsigned z = 0; z < grid[2]; z++)
        for (unsigned y = 0; y < grid[1]; y++)
            for (unsigned x = 0; x < grid[0]; x++) {
                blockIdx = {x, y, z};
                if (threads == 1) {
                    threadIdx = {0, 0, 0};
                    body();
                    continue;
                }
                std::barrier<> all(threads);
                together = &all;
                std::vector<std::thread> workers;
                for (unsigned t = 0; t < threads; t++)
                    workers.emplace_back([=] { threadIdx = {t, 0, 0}; body(); });
                for (auto &worker : workers) worker.join();
                together = nullptr;
            }
}
"""
EXTRA = """
extern "C" void cipher(word *counter, word key0, word key1) { philox(counter, key0, key1); }
"""
C_TYPES = {"int": ctypes.c_int, "word": ctypes.c_uint64, "double": ctypes.c_double}
POINTEES = {"word": "uint64", "double": "float64", "float": "float32", "long long": "int64",
            "unsigned char": "uint8"}
_libraries: dict[str, Any] = {}


def library(dtype: str) -> Any:
    """All kernels for a float type as a library; without g++ the test is skipped."""
    if dtype not in _libraries:
        compiler = shutil.which("g++")
        if compiler is None:
            pytest.skip("no g++ to run the kernels with")
        drivers = []
        for name, kinds in kernels.signatures().items():
            parameters = ", ".join(f"{kind} a{i}" for i, kind in enumerate(kinds))
            given = ", ".join(f"a{i}" for i in range(len(kinds)))
            drivers.append(f'extern "C" void emulate_{name}(const unsigned *grid, unsigned threads,'
                           f' {parameters})\n{{ emulate(grid, threads, [=] {{ {name}({given}); }});'
                           f' }}')
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "kernels.cpp"), Path(folder, "kernels.so")
            source.write_text("\n".join([PRELUDE, kernels.source(), DRIVER, *drivers, EXTRA]))
            subprocess.run(
                [compiler, "-std=c++20", "-O1", "-ffp-contract=off", "-shared", "-fPIC",
                 "-Wl,-Bsymbolic", "-pthread", f"-DREAL={kernels.REALS[dtype]}", "-o", target,
                 source], check=True)
            _libraries[dtype] = ctypes.CDLL(str(target))
    return _libraries[dtype]


class FakeCublas:
    """What cuBLAS does with our calls: column by column, as its manual says."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def cublasCreate_v2(self, handle: Any) -> int:  # noqa: N802
        handle._obj.value = 1
        return 0

    def _status(self, *arguments: Any) -> int:
        self.calls.append(arguments)
        return 0

    cublasDestroy_v2 = cublasSetStream_v2 = cublasSetWorkspace_v2 = _status  # type: ignore # noqa

    def __getattribute__(self, name: str) -> Any:
        found = object.__getattribute__(self, name)
        if name.startswith("cublas"):
            return _Callable(found)
        return found

    def cublasGemmEx(self, handle: Any, ta: int, tb: int, m: int, n: int, k: int,  # noqa: N802
                     alpha: Any, a: int, a_type: int, lda: int, b: int, b_type: int, ldb: int,
                     beta: Any, c: int, c_type: int, ldc: int, compute_type: int, algorithm: int
                     ) -> int:
        """One product."""
        return self.cublasGemmStridedBatchedEx(
            handle, ta, tb, m, n, k, alpha, a, a_type, lda, 0, b, b_type, ldb, 0, beta, c, c_type,
            ldc, 0, 1, compute_type, algorithm)

    def cublasGemmStridedBatchedEx(self, handle, ta, tb, m, n, k, alpha, a, a_type,  # noqa: N802
                                   lda, step_a, b, b_type, ldb, step_b, beta, c, c_type, ldc,
                                   step_c, batch, compute_type, algorithm) -> int:
        """A stack of products."""
        self.calls.append((ta, tb, m, n, k, compute_type, algorithm, batch))
        assert (alpha._obj.value, beta._obj.value) == (1, 0)
        for i in range(batch):
            x = columns(a, a_type, *((k, m) if ta else (m, k)), lda, i * step_a)
            y = columns(b, b_type, *((n, k) if tb else (k, n)), ldb, i * step_b)
            columns(c, c_type, m, n, ldc, i * step_c)[...] = (x.T if ta else x) @ (
                y.T if tb else y)
        return 0


class _Callable:
    """A function that takes `argtypes`, as ctypes' do."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, *arguments: Any) -> int:
        return int(self.function(*arguments))


def columns(address: int, kind: int, rows: int, n: int, ld: int, start: int) -> np.ndarray:
    """A matrix that is stored column by column, ld elements from one to the next."""
    number = (ctypes.c_float, ctypes.c_double)[kind]
    size = ctypes.sizeof(number)
    flat = (number * (ld * (n - 1) + rows)).from_address(address + start * size)
    array = np.frombuffer(flat, f"f{size}")
    return np.lib.stride_tricks.as_strided(array, (rows, n), (size, ld * size))


class EmulatedArray(StandInArray):
    """An array that lives on the emulated device."""

    __slots__ = ()


class Emulated(StepKernels):
    """The emulated device."""

    threads = tile = 1

    def __init__(self) -> None:
        super().__init__("emulated", StandInModule(np, stand_in.cupy, EmulatedArray), EmulatedArray)
        self.lib = FakeCublas()
        self.cublas = Cublas(self.lib, 2, (3, 4))
        self.launched: list[str] = []

    def from_host(self, array: np.ndarray) -> EmulatedArray:
        if not isinstance(array, (np.ndarray, np.generic)):
            raise TypeError(f"from_host needs a NumPy array, got {type(array)}")
        note("from_host")
        return EmulatedArray(np.array(array))

    def to_host(self, array: EmulatedArray) -> np.ndarray:
        note("to_host")
        return array._array.copy()

    def synchronize(self) -> None:
        note("synchronize")

    def launch(self, kernel: str, dtype: Any, grid: Any, threads: int, arguments: Any) -> None:
        dtype = str(np.dtype(dtype))
        real = ctypes.c_float if dtype == "float32" else ctypes.c_double
        values, writes = [], []
        for kind, value in zip(kernels.signatures()[kernel], arguments, strict=True):
            pointee = re.sub(r"^const |\s*\*$", "", kind)
            if "*" not in kind:
                values.append(C_TYPES.get(kind, real)(value))
            elif value is None:
                values.append(ctypes.c_void_p(0))
            else:
                array = value._array
                assert array.dtype == POINTEES.get(pointee, dtype), (kernel, kind, array.dtype)
                assert array.flags.c_contiguous, (kernel, kind)
                values.append(ctypes.c_void_p(array.ctypes.data))
                writes += [] if kind.startswith("const") else [array]
        self.launched.append(kernel)
        function = getattr(library(dtype), f"emulate_{kernel}")
        blocks = (ctypes.c_uint * 3)(*grid)

        def run(_: Any = arguments) -> None:  # arrays live as long as it can be made again
            function(blocks, ctypes.c_uint(threads), *values)
        compute(run, writes)

    def gemm(self, dtype: str, sizes: Any, a: Factor, b: Factor, c: Any, batch: int = 1) -> None:
        left, right = (f._replace(matrix=f.matrix._array.ctypes.data) for f in (a, b))
        result = c._array.ctypes.data

        def run(_: Any = (a, b, c)) -> None:  # arrays live as long as it can be made again
            self.cublas.gemm(dtype, self.precision, sizes, left, right, result, batch)
        compute(run, writes=[c._array])

    @contextmanager
    def captured(self) -> Iterator[Any]:
        with taped() as tape:
            yield tape


@contextmanager
def threads_of(n: int, tile: int) -> Iterator[None]:
    """Let a kernel's blocks have n threads that run at once, in rows of `tile`."""
    Emulated.threads, Emulated.tile = n, tile
    try:
        yield
    finally:
        Emulated.threads = Emulated.tile = 1


register("emulated", Emulated)


def emulated() -> Emulated:
    """The backend, or a skipped test where nothing can compile its kernels."""
    library("float32"), library("float64")
    return get_backend("emulated")  # type: ignore[return-value]
