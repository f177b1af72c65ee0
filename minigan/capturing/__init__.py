"""Recorded steps: `capture` a function once, and replay what it asked of its device.

Read `captured` first; `exploring` finds out what a step reads from Python, `noted` keeps it, and
`compared` says whether it is still the same.
"""

from minigan.capturing.captured import Captured, CaptureError, ChangedError, Results, capture

__all__ = ["CaptureError", "Captured", "ChangedError", "Results", "capture"]
