"""CuPy: the only module of minigan that imports cupy, and only when somebody asks for the GPU."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Sequence

import numpy as np

from minigan.backend.base import Array
from minigan.backend.gpu import cublas, installation, kernels
from minigan.backend.gpu.cublas import Factor
from minigan.backend.gpu.steps import StepKernels

SCALARS = {"int": np.int32, "word": np.uint64, "double": np.float64}


class CupyBackend(StepKernels):
    """CuPy arrays, computed by an NVIDIA GPU, all on one stream.

    precision: of float32 matrix products, convolutions included: "fp32" (the default) or "tf32",
    which rounds their factors to 10 bits and lets tensor cores multiply.

    Raises:
        BackendError: cupy is not installed, or something that it needs is missing; the sentence
            says what, what to do about it, and how to do without.
    """

    def __init__(self) -> None:
        installation.check_packages()
        try:
            import cupy
        except ImportError as error:
            raise installation.cannot_import(error) from None
        installation.check(cupy)
        self.cupy: Any = cupy
        self.stream = cupy.cuda.Stream(non_blocking=True)  # the default one cannot be captured
        self.stream.use()
        self._threads = threading.local()
        self._threads.entered = True
        super().__init__("cupy", cupy, cupy.ndarray)
        self.compiled: dict[str, Any] = {}
        self.workspace = cupy.empty(cublas.WORKSPACE, "uint8")
        try:
            self.cublas = cublas.Cublas(cublas.load(), self.stream.ptr,
                                        (self.workspace.data.ptr, cublas.WORKSPACE))
        except (ImportError, OSError, RuntimeError) as error:
            raise installation.missing_library("cuBLAS", error) from None

    def enter(self) -> None:
        """Call this before CuPy is asked for anything: it makes our stream current in this thread.

        CuPy has a current stream for each thread, and streams do not wait for one another.

        Raises:
            RuntimeError: another thread is recording a step.
        """
        super().enter()
        if not hasattr(self._threads, "entered"):
            self.stream.use()
            self._threads.entered = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        self.enter()
        return getattr(self.module, name)  # not kept on the object: every thread must enter

    def describe(self) -> str:
        runtime = self.cupy.cuda.runtime
        device = runtime.getDeviceProperties(runtime.getDevice())
        return (f"CuPy {self.cupy.__version__} on {device['name'].decode()}, driver "
                f"{runtime.driverGetVersion()}, {self.precision} products")

    def notice(self) -> str:
        folder = Path(os.environ.get("CUPY_CACHE_DIR") or "~/.cupy/kernel_cache").expanduser()
        if folder.is_dir() and any(folder.iterdir()):
            return ""
        return ("compiling kernels for this GPU during the first steps, which takes some seconds; "
                "they are kept for the next time")

    # CuPy may copy on the default stream, which does not wait for ours, so every copy names ours.

    def from_host(self, array: np.ndarray) -> Array:
        self.enter()
        there = self.cupy.empty(array.shape, array.dtype)
        self.write(there, np.ascontiguousarray(array).reshape(array.shape))
        return there

    def write(self, array: Array, values: np.ndarray) -> None:
        self.enter()
        array.set(values, stream=self.stream)

    def to_host(self, array: Array) -> np.ndarray:
        self.enter()
        host: np.ndarray = self.cupy.asnumpy(array, stream=self.stream)
        return host

    def synchronize(self) -> None:
        self.stream.synchronize()

    def launch(self, kernel: str, dtype: Any, grid: tuple[int, int, int], threads: int,
               arguments: Sequence[Any]) -> None:
        """Launch a kernel; arguments are contiguous arrays, numbers, and None for no array.

        Raises:
            TypeError: the kernel takes a different number of arguments.
        """
        self.enter()
        types = kernels.signatures()[kernel]
        if len(types) != len(arguments):
            raise TypeError(f"kernel {kernel} takes {len(types)} arguments, got {len(arguments)}")
        real = np.dtype(dtype).type
        values = tuple(_as_type(value, of_type, real) for of_type, value in zip(types, arguments))
        function = self._module(str(np.dtype(dtype))).get_function(kernel)
        function(grid, (threads, 1, 1), values)

    def _module(self, dtype: str) -> Any:
        """All kernels for one float type; compiled once, and kept by CuPy on disk."""
        if dtype not in self.compiled:
            self.compiled[dtype] = self.cupy.RawModule(
                code=kernels.source(), options=(*kernels.OPTIONS, f"-DREAL={kernels.REALS[dtype]}"))
        return self.compiled[dtype]

    def gemm(self, dtype: str, sizes: tuple[int, int, int], a: Factor, b: Factor, c: Array,
             batch: int = 1) -> None:
        self.enter()
        left, right = _addressed(a), _addressed(b)
        self.cublas.gemm(dtype, self.precision, sizes, left, right, c.data.ptr, batch)

    @contextmanager
    def captured(self) -> Iterator[Graph]:
        """Record what is launched inside; its memory comes from a pool that nothing else uses.

        CuPy's common pool would hand out again what was freed during the capture, and each replay
        would write over it.
        """
        graph = Graph(self.cupy.cuda.MemoryPool())
        with self.stream, self.cupy.cuda.using_allocator(graph.pool.malloc):
            self.stream.begin_capture()
            try:
                yield graph
            except BaseException:
                self._abandon()
                raise
            graph.recorded = self.stream.end_capture()
        graph.stream = self.stream

    def _abandon(self) -> None:
        """Leave the capturing mode; what CUDA says about it does not matter."""
        try:
            self.stream.end_capture()
        except Exception:
            pass


class Graph:
    """A CUDA graph and the memory that it computes in."""

    recorded: Any = None
    stream: Any = None

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    def launch(self) -> None:
        """Ask the device to run it; does not wait."""
        self.recorded.launch(self.stream)


def _as_type(value: Any, of_type: str, real: type) -> Any:
    """An argument as a kernel's signature names it; None is a null pointer."""
    if value is None:
        return np.uint64(0)
    if "*" in of_type:
        return value
    return SCALARS.get(of_type, real)(value)


def _addressed(factor: Factor) -> Factor:
    """The same factor with its array's address."""
    return factor._replace(matrix=factor.matrix.data.ptr)
