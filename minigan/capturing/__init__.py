"""Recorded steps: `capture` a function once, and replay what it asked of its device.

A replay does not run the step's Python code. Whatever that code had read when it was recorded, a
network's mode, a layer's slope, a number under one of its own names, must still be the same, or the
replay would compute something else than the step. So while a step is recorded, what it reads is
found out, and each reading becomes a guard: a condition that is looked at before every replay.

Read in this order:

    snapshots   dicts, lists and sets beside copies, and how they differ in words
    guards      all that a step has read, whether it is the same, and what the step leaves behind
    code        what the code of a function names: globals, attributes, names of functions around it
    explorer    finds out what a step reads: told by networks and optimizers, else from its code
    captured    a recorded step, which looks at its guards and replays
    record      `capture`, which runs a step once and puts all of this together

There are two ways to learn what is read. Objects of minigan say it themselves, through
`minigan.reading`: a network that is called, an optimizer that steps, a stream that is asked for.
The step's own function cannot, so its bytecode is searched for names; what they stand for is
guarded, and of objects among them those attributes that some code of the step names.

Known limits, where a change stays unseen and the replay goes on as before: numbers in a file, in a
NumPy array or behind a function of another module; what an iterator gives next; attributes that are
found by a text (`getattr`); a method that is replaced on its class; lists and dicts of more than
256 entries; attributes that are written past `__setattr__`. In doubt a guard is too strict: a name
that the code mentions but does not use is guarded, too, and costs a new recording at worst.
"""

from minigan.capturing.captured import Captured, CaptureError, ChangedError, Results
from minigan.capturing.record import capture

__all__ = ["CaptureError", "Captured", "ChangedError", "Results", "capture"]
