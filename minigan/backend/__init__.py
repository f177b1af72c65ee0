"""Devices: NumPy and CuPy behind one small object, random streams, threads, memory.

Read in this order: `base` (what a device offers), `registry` (the switch), `random` (streams),
`geometry` (sizes of convolutions); `cpu` and `gpu` hold what each device does better, `cpu_tape`
(then `cpu_calls`, `cpu_lanes`) and `counting` how each replays a step, `reading` who tells it what
was read from Python.
"""

from minigan.backend.base import Array, Backend, BackendError
from minigan.backend.cpu import NumpyBackend
from minigan.backend.gpu import CupyBackend
from minigan.backend.random import Stream, Streams, seed, stream
from minigan.backend.registry import BY_TYPE, check_array, default, get, known, of, offer, use

offer("numpy", NumpyBackend)
offer("cupy", CupyBackend)
get("numpy")

__all__ = ["Array", "BY_TYPE", "Backend", "BackendError", "Stream", "Streams", "check_array",
           "default", "get", "known", "of", "offer", "seed", "stream", "use"]
