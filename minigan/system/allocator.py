"""Keep freed memory: the largest single gain in speed on Linux, from three calls of the C library.

glibc gives arrays of 128 kB and more back to the system when they are freed, and the next array of
that size faults its pages in again, thousands of times in a training step. Raising two thresholds
keeps that memory in the process. With a third setting a thread may use what another one freed; by
default each thread has memory of its own.
"""

from __future__ import annotations

import ctypes
import os
import sys

# Names and numbers of parameters in glibc's malloc.h, and their new values.
SETTINGS = {
    "M_MMAP_THRESHOLD": (-3, 1 << 30),
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),
    "M_ARENA_MAX": (-8, 1),
}


def keep_freed_memory() -> bool:
    """Ask glibc to reuse freed memory; returns False where that is not possible or not wanted.

    Called by Trainer and bench, never on import. MINIGAN_ALLOCATOR=system in the environment turns
    it off.
    """
    if os.environ.get("MINIGAN_ALLOCATOR") == "system":
        return False
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return False

    accepted = [mallopt(number, value) for number, value in SETTINGS.values()]
    return all(answer != 0 for answer in accepted)
