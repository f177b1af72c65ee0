"""Devices: NumPy and CuPy behind one small object.

Read in this order: `base` (what a device offers), `recording` (the contract of a recorded step),
`registry` (the switch), `cpu` (NumPy), `gpu` (CuPy). The stranger things are in `cpu/capture`: a
recorded step, and what makes it fast.
"""

from minigan.backend.base import Array, Backend, BackendError
from minigan.backend.cpu.device import NumpyBackend
from minigan.backend.gpu.device import CupyBackend
from minigan.backend.registry import (BY_TYPE, available, backend_of, check_array, default,
                                      get_backend, register, use)

register("numpy", NumpyBackend)
register("cupy", CupyBackend)
get_backend("numpy")

__all__ = ["Array", "BY_TYPE", "Backend", "BackendError", "available", "backend_of", "check_array",
           "default", "get_backend", "register", "use"]
