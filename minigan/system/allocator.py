"""Keep freed memory: the largest single gain in speed on Linux, in three calls of the C library.

glibc gives arrays of 128 kB and more back to the system when they are freed, and the next array of
that size faults its pages in again, thousands of times a training step. Raising two thresholds
keeps that memory in the process. What one thread freed, another may then use: by default each has
memory of its own.
"""

from __future__ import annotations

import ctypes
import os
import sys

# Names and numbers of glibc's malloc.h, and what they are set to.
SETTINGS = {"M_MMAP_THRESHOLD": (-3, 1 << 30), "M_TRIM_THRESHOLD": (-1, 2**31 - 1),
            "M_ARENA_MAX": (-8, 1)}


def keep_freed_memory() -> bool:
    """Ask glibc to reuse freed memory; False where that is not possible or not wanted.

    Called by Trainer and bench, never on import. MINIGAN_ALLOCATOR=system in the environment turns
    it off.
    """
    if os.environ.get("MINIGAN_ALLOCATOR") == "system" or not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return False
    return all([bool(mallopt(number, value)) for number, value in SETTINGS.values()])
