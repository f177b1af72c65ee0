"""Runs a program: as one generated Python function, or as a schedule on several threads.

    def replay():
        v10 = f0(v9, v0)
        v11 = f1(v10, v1)
        del v10
        r0[...] = v11

The function saves what a loop over the calls would take, 3 % of a small network's step. Which of
the two is faster is measured once, in the first replay.
"""

from __future__ import annotations

import functools
import time
from typing import Any, Callable, Sequence

from minigan.backend.cpu.capture.lanes import Lanes
from minigan.backend.cpu.capture.program import Program
from minigan.backend.cpu.capture.schedule import Schedule, schedule


class Replay:
    """A program that can be run again and again, by one thread at a time.

    checks: called before anything else; one that raises stops the replay before it has begun.
    """

    def __init__(self, program: Program, checks: Sequence[Callable[[], None]] = ()) -> None:
        self.program = program
        self.schedule: Schedule | None = None  # until the calls have been timed
        self._checks = checks
        self._values = program.values()

    def __call__(self) -> None:
        """Run the program; an array is freed after the last call that reads it."""
        for check in self._checks:
            check()
        if self.schedule is None:
            self.schedule = schedule(self.program, self._timed())
        elif self.schedule.pays():
            Lanes(self.schedule, self._values).run()
        else:
            return self._in_turn()
        for slot, array in self.program.outputs:
            array[...] = self._values[slot]

    def describe(self) -> str:
        """How it runs, in words."""
        if self.schedule is None:
            return "not replayed yet"
        if self.schedule.pays():
            return f"replayed as {len(self.schedule.groups)} groups on several threads"
        return "replayed as one Python function"

    def _timed(self) -> list[float]:
        """Make the calls one after another; returns how many seconds each takes."""
        values = self._values
        seconds = []
        for call in self.program.calls:
            began = time.perf_counter()
            made = call.run(*[values[slot] for slot in call.inputs])
            seconds.append(time.perf_counter() - began)
            if call.output is not None:
                values[call.output] = made
            for slot in call.frees:
                values[slot] = None
        return seconds

    @functools.cached_property
    def _in_turn(self) -> Callable[[], None]:
        """The program as a Python function."""
        program = self.program
        names: dict[str, Any] = {f"f{i}": call.run for i, call in enumerate(program.calls)}
        names.update((f"v{slot}", array) for slot, array in program.inputs.items())
        names.update((f"v{slot}", value) for slot, value in program.constants.items())
        names.update((f"r{i}", output.array) for i, output in enumerate(program.outputs))
        exec(compile(source(program), "<a recorded step>", "exec"), names)
        return names["replay"]


def source(program: Program) -> str:
    """The program as a Python function: f are functions, v values, r the arrays of the results."""
    lines = ["def replay():"]
    for i, call in enumerate(program.calls):
        arguments = ", ".join(f"v{slot}" for slot in call.inputs)
        result = "" if call.output is None else f"v{call.output} = "
        lines.append(f"{result}f{i}({arguments})")
        lines += [f"del v{slot}" for slot in call.frees]
    for i, output in enumerate(program.outputs):
        lines.append(f"r{i}[...] = v{output.slot}")
    if len(lines) == 1:
        lines.append("pass")
    return "\n    ".join(lines)
