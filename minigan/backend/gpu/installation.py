"""What can be wrong with CuPy on a machine: one sentence for each, with what to do about it."""

from __future__ import annotations

import re
import sys
from typing import Any

from minigan.backend.base import BackendError

OLDEST = 14  # CuPy's version
INSTALL = ('python -m pip install "cupy-cuda12x[ctk]" (CUDA 12) or '
           'python -m pip install "cupy-cuda13x[ctk]" (CUDA 13)')
WAY_OUT = 'or stay on the processor with the backend "numpy"'
OLDEST_DRIVERS = {11: 450, 12: 525, 13: 580}  # CUDA Toolkit release notes, "minor version compat."


def problem(sentence: str) -> BackendError:
    """An error with this sentence, and with how to do without a GPU."""
    return BackendError(f'backend "cupy": {" ".join(sentence.split())}, {WAY_OUT}')


def cannot_import(error: ImportError) -> BackendError:
    """The error of a CuPy that is not installed, or not completely."""
    return problem(f"the package cupy cannot be imported ({error}); install it with {INSTALL}")


def missing_library(name: str, error: BaseException) -> BackendError:
    """The error of a missing part of the CUDA toolkit: CuPy's bare wheels contain none of it."""
    text = " ".join(str(error).split())[:200]
    return problem(f"{name}, a library of the CUDA toolkit, cannot be used ({text}); {INSTALL} "
                   f"brings the libraries along (note the [ctk])")


def installed() -> list[str]:
    """Names of the installed packages that contain CuPy."""
    from importlib.metadata import distributions  # takes a tenth of minigan's own import

    names = {str(package.metadata["Name"]).lower() for package in distributions()}
    return sorted(name for name in names if re.fullmatch(r"cupy(-(cuda|rocm)[\dx-]+)?", name))


def check_packages() -> None:
    """Check what can be checked before cupy is imported.

    Raises:
        BackendError: the system is one that CuPy does not run on, or two packages of it are
            installed in one place; says which.
    """
    if sys.platform == "darwin":
        raise problem("macOS has no CUDA, so CuPy does not run there; use a machine with an NVIDIA "
                      "GPU")
    names = installed()
    if len(names) > 1:
        raise problem(f"the packages {' and '.join(names)} are both installed and overwrite one "
                      f"another's files; remove all of them with python -m pip uninstall "
                      f"{' '.join(names)}, then install one")


def check(cupy: Any) -> None:
    """Check the imported cupy: its version, the GPU's maker, driver, devices and toolkit.

    Raises:
        BackendError: something is missing or too old; says what.
    """
    if int(cupy.__version__.split(".")[0]) < OLDEST:
        raise problem(f"CuPy {cupy.__version__} is too old, {OLDEST} or newer is needed; upgrade "
                      f"with {INSTALL}")
    runtime = cupy.cuda.runtime
    if runtime.is_hip:
        raise problem("this CuPy is built for AMD GPUs (ROCm), and minigan's kernels are for "
                      "NVIDIA GPUs; use a machine with an NVIDIA GPU")
    _check_driver(cupy, runtime)
    try:
        count = runtime.getDeviceCount()
    except Exception as error:  # CuPy's own error types differ from version to version
        raise problem(f"CuPy {cupy.__version__} is installed but finds no working NVIDIA driver "
                      f"({error}); install a driver") from None
    if not count:
        raise problem("the driver shows no NVIDIA GPU; make one visible (CUDA_VISIBLE_DEVICES)")
    try:
        compiler = cupy.cuda.nvrtc.getVersion()[0]
    except Exception as error:
        raise missing_library("NVRTC", error) from None
    built = runtime.runtimeGetVersion() // 1000
    if compiler != built:
        raise problem(f"CuPy is built for CUDA {built} and finds the libraries of CUDA {compiler}; "
                      f"install the package that matches them: {INSTALL}")


def _check_driver(cupy: Any, runtime: Any) -> None:
    try:
        driver = runtime.driverGetVersion()
    except Exception as error:
        raise problem(f"CuPy {cupy.__version__} is installed but finds no working NVIDIA driver "
                      f"({error}); install a driver") from None
    if not driver:
        raise problem(f"CuPy {cupy.__version__} is installed but there is no NVIDIA driver; "
                      f"install a driver")
    built = runtime.runtimeGetVersion() // 1000
    if driver // 1000 < built:
        newer = f", {OLDEST_DRIVERS[built]} or newer," if built in OLDEST_DRIVERS else ""
        raise problem(f"the NVIDIA driver is too old: it can do CUDA {driver // 1000}."
                      f"{driver % 1000 // 10}, and this CuPy is built for CUDA {built}; install a "
                      f"newer driver{newer} or the CuPy package of CUDA {driver // 1000}")
