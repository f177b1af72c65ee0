"""Fewer calls that compute the same: each pass takes a `Traced` and returns one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from minigan.backend import default
from minigan.engine import Tensor
from minigan.portable.calls import BATCH, Call, Traced, computed, users


def simplified(traced: Traced) -> Traced:
    """The same generator with constants computed, no call that changes nothing, none unused.

    A batch norm becomes a product and a sum, which rounds differently in the last digits. A label's
    one-hot vector stays a row that is picked from the unit matrix.
    """
    for simplify in PASSES:
        traced = simplify(traced)
    return traced


def folded(traced: Traced) -> Traced:
    """Compute what depends on constants only."""
    xp = default()
    constants = dict(traced.constants)
    calls = []
    for call in traced.calls:
        if BATCH in call.shape or not all(name in constants for name in call.names):
            calls.append(call)
            continue
        values = {name: Tensor(xp.from_host(constants[name])) for name in call.names}
        constants[call.output] = computed(call, values, 0).numpy()
    return replace(traced, constants=constants, calls=calls)


def scaled(traced: Traced) -> Traced:
    """(x - mean) * scale + beta as x * scale + shift, with shift = beta - mean * scale.

    It is what a batch norm in evaluation mode computes.
    """
    made = {call.output: call for call in traced.calls}
    counts = users(traced.calls, traced.output)
    constants = dict(traced.constants)
    changed: dict[str, Call] = {}
    for last in traced.calls:
        middle = _before(last, "add", made, counts, constants)
        first = middle and _before(middle, "multiply", made, counts, constants)
        if first is None or middle is None:
            continue
        if first.op != "subtract" or not _takes(first, constants):
            continue
        x, mean = first.names
        scale = middle.names[1]
        beta = last.names[1]
        shift = f"{last.output}.shift"
        exact = constants[beta] - constants[mean] * constants[scale].astype(np.float64)
        constants[shift] = exact.astype(constants[beta].dtype)
        changed[middle.output] = replace(middle, inputs=(x, scale))
        changed[last.output] = replace(last, inputs=(middle.output, shift))
    calls = [changed.get(call.output, call) for call in traced.calls]
    return replace(traced, constants=constants, calls=calls)


def _before(call: Call, op: str, made: dict[str, Call], counts: dict[str, int],
            constants: dict[str, np.ndarray]) -> Call | None:
    """The call whose result this one, of that op, combines with a constant, if no other uses it."""
    if call.op != op or not _takes(call, constants):
        return None
    name = call.names[0]
    return made[name] if name in made and counts[name] == 1 else None


def _takes(call: Call, constants: dict[str, np.ndarray]) -> bool:
    """Whether a call combines a result with a constant array, in this order."""
    names = call.names
    return len(call.inputs) == len(names) == 2 and names[0] not in constants and (
        names[1] in constants)


def without_views(traced: Traced) -> Traced:
    """Leave out what changes nothing: a shape to itself, and all but the last of several shapes."""
    shapes = {call.output: call.shape for call in traced.calls}
    shapes.update(traced.inputs)
    shapes.update({name: array.shape for name, array in traced.constants.items()})
    same: dict[str, str] = {}        # what a left out result was made from
    reshaped: dict[str, str] = {}    # what a reshaped result was made from
    calls = []
    for call in traced.calls:
        inputs = tuple([same.get(x, x) if isinstance(x, str) else x for x in call.inputs])
        if call.op == "reshape":
            inputs = (reshaped.get(str(inputs[0]), inputs[0]),)
            reshaped[call.output] = str(inputs[0])
        if call.op in VIEWS and shapes[str(inputs[0])] == call.shape and _in_order(call):
            same[call.output] = str(inputs[0])
        else:
            calls.append(replace(call, inputs=inputs))
    return replace(traced, calls=calls, output=same.get(traced.output, traced.output))


def _in_order(call: Call) -> bool:
    """Whether the axes stay where they are."""
    axes = call.settings.get("axes", ())
    return axes == tuple(range(len(axes)))


def without_unused(traced: Traced) -> Traced:
    """Leave out what the output does not depend on."""
    needed = {traced.output}
    calls = []
    for call in reversed(traced.calls):
        if call.output in needed:
            calls.append(call)
            needed.update(call.names)
    constants = {name: array for name, array in traced.constants.items() if name in needed}
    return replace(traced, constants=constants, calls=calls[::-1])


VIEWS = {"reshape", "broadcast_to", "transpose", "to"}
PASSES = (folded, scaled, without_views, without_unused)
