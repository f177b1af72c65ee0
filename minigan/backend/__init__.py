"""Devices: NumPy and CuPy behind one small object.

Read in this order: `base` (the contract of a device), `recording` (that of a recorded step),
`registry` (the switch), `cpu` (NumPy), `gpu` (CuPy). `long_sums` keeps sums exact on all of them.
The stranger things are in `cpu/capture`: a recorded step, and what makes it fast.
"""

from minigan.backend.base import (NO_OUT, NOT_OVER_INPUTS, OVER_EITHER, OVER_FIRST, Array, Backend,
                                  BackendError, Out)
from minigan.backend.cpu.device import NumpyBackend
from minigan.backend.registry import (BY_TYPE, available, backend_of, check_array, default,
                                      get_backend, register, use)
from minigan.system.first_use import made_by

register("numpy", NumpyBackend)
register("cupy", made_by("minigan.backend.gpu.device:CupyBackend"))
get_backend("numpy")

__all__ = ["Array", "BY_TYPE", "Backend", "BackendError", "NOT_OVER_INPUTS", "NO_OUT",
           "OVER_EITHER", "OVER_FIRST", "Out", "available", "backend_of", "check_array", "default",
           "get_backend", "register", "use"]
