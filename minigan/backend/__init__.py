"""Devices: NumPy and CuPy behind one small object.

Read in this order: `base` (the contract of a device), `recording` (the contract of a recorded
step), `registry` (the switch), `long_sums` (sums whose error does not grow, on every device), `cpu`
(NumPy), `gpu` (CuPy). `cpu/capture` comes last: a small compiler for recorded steps.
"""

from minigan.backend.base import (NO_OUT, NOT_OVER_INPUTS, OVER_EITHER, OVER_FIRST, Array, Backend,
                                  BackendError, Out, Shape)
from minigan.backend.cpu.device import NumpyBackend
from minigan.backend.registry import (BY_TYPE, available, backend_of, check_array, default,
                                      get_backend, register, use)
from minigan.system.first_use import made_by

register("numpy", NumpyBackend)
register("cupy", made_by("minigan.backend.gpu.device:CupyBackend"))
get_backend("numpy")

__all__ = ["Array", "BY_TYPE", "Backend", "BackendError", "NOT_OVER_INPUTS", "NO_OUT",
           "OVER_EITHER", "OVER_FIRST", "Out", "Shape", "available", "backend_of", "check_array",
           "get_backend", "register", "use"]
