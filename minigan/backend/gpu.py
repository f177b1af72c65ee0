"""CuPy: the only module of minigan that imports cupy, and only when somebody asks for the GPU."""

from __future__ import annotations

import numpy as np

from minigan.backend.base import Array, Backend, BackendError

INSTALL = ('install it with python -m pip install "cupy-cuda12x[ctk]" (CUDA 12) or '
           'python -m pip install "cupy-cuda13x[ctk]" (CUDA 13)')
WAY_OUT = 'or stay on the processor with the backend "numpy"'


class CupyBackend(Backend):
    """CuPy arrays, computed by an NVIDIA GPU.

    Raises:
        BackendError: cupy is not installed, or finds no driver or no device; one sentence that says
            what is missing, what to install, and how to do without.
    """

    def __init__(self) -> None:
        try:
            import cupy
        except ImportError as error:
            raise BackendError(f'backend "cupy": the package cupy cannot be imported ({error}); '
                               f'{INSTALL}, {WAY_OUT}') from None
        try:
            devices = cupy.cuda.runtime.getDeviceCount()
        except Exception as error:  # CuPy's own error types differ from version to version
            raise BackendError(f'backend "cupy": CuPy {cupy.__version__} is installed but finds no '
                               f'working NVIDIA driver ({error}); install a driver, {WAY_OUT}'
                               ) from None
        if not devices:
            raise BackendError(f'backend "cupy": the driver shows no NVIDIA GPU; make one '
                               f'visible (CUDA_VISIBLE_DEVICES), {WAY_OUT}')
        super().__init__("cupy", cupy, cupy.ndarray)

    def describe(self) -> str:
        runtime = self.module.cuda.runtime
        name = runtime.getDeviceProperties(0)["name"].decode()
        return f"CuPy {self.module.__version__} on {name}, driver {runtime.driverGetVersion()}"

    def to_host(self, array: Array) -> np.ndarray:
        return self.module.asnumpy(array)

    def synchronize(self) -> None:
        self.module.cuda.get_current_stream().synchronize()
