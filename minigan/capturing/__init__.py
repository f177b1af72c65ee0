"""Recorded steps: `capture` a function once, and replay what it asked of its device.

A replay does not run the step's Python code. Whatever that code read when it was recorded (a
network's mode, a layer's slope, a number in one of its variables) must still be the same, or the
replay would not compute what the step would. So recording finds out what the step reads, and each
reading becomes a guard: a condition that is checked before every replay.

Read in this order:

    snapshots   copies of dicts, lists and sets, and what has changed since, in words
    guards      all that a step has read, whether it is the same, and what the step leaves behind
    code        what a function's code names: globals, attributes, variables of enclosing functions
    explorer    finds out what a step reads: told by networks and optimizers, else from its code
    captured    a recorded step, which checks its guards and replays
    record      `capture`, which runs a step once and puts all of this together

There are two ways to learn what is read. Objects of minigan report it themselves, through
`minigan.reading`: a network when it is called, an optimizer when it steps, a stream when it is
asked for. The step's own function cannot, so its bytecode is searched for names. What they stand
for is guarded; of an object among them, the attributes that any code of the step names.

Known limits: the following changes stay unseen, and the replay goes on as before. Numbers in a
file, in a NumPy array or behind a function of another module; what an iterator yields next;
attributes that are looked up by a string (`getattr`); a method that is replaced on its class; lists
and dicts of more than 256 entries; attributes that are set without `__setattr__`. In doubt a guard
is too strict: a name that the code mentions but does not use is guarded, too, which at worst costs
a new recording.
"""

from minigan.capturing.captured import Captured, CaptureError, ChangedError, Results
from minigan.capturing.record import capture

__all__ = ["CaptureError", "Captured", "ChangedError", "Results", "capture"]
