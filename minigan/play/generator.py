"""A generator as the page takes it: its calls as JSON, and its constants as bytes.

The page draws one picture at a time, so the number of images, "N", is 1 in all shapes. Weights are
`rounded` to halves, as `minigan export` rounds them; what follows from them (the scale and the
shift of a batch norm) is computed from the rounded ones, and kept in single precision.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from minigan.models.model import Model
from minigan.portable.calls import BATCH, Call, Sizes, Traced
from minigan.portable.simplify import simplified
from minigan.portable.trace import traced
from minigan.runs.exporting import rounded

ELEMENTWISE = {"add", "subtract", "multiply", "divide", "maximum", "minimum", "bias_leaky_relu",
               "leaky_relu", "tanh", "sigmoid", "softplus", "negative", "square", "sqrt", "exp",
               "abs", "clip"}
VIEWS = {"broadcast_to", "transpose", "slice"}        # written down as "view", see `_as_view`
WEIGHTED = {"matmul", "affine", "conv2d", "conv_transpose2d"}
OPS = ELEMENTWISE | VIEWS | WEIGHTED | {"reshape", "concatenate", "gather"}  # of browser/ops.js


def described(model: Model) -> tuple[dict[str, Any], bytes]:
    """The network that draws a model's samples, for browser/generator.js.

    Returns a description for JSON: inputs (shapes by name), constants (name, shape, and whether it
    is in halves), calls (op, inputs, settings, output, shape), output; and the constants' bytes,
    one after the other, little-endian.

    Raises:
        ValueError: the model starts from images; or its generator has an op that the page does not
            know, or uses one in another way.
    """
    check_latents(model)
    generator = with_rounded_weights(traced(model), model)
    names = generator.constants
    calls = [_described(call, generator) for call in generator.calls]
    encoded = [_encoded(array) for array in names.values()]
    constants = [{"name": name, "shape": array.shape, "half": array.dtype == np.float16}
                 for name, array in zip(names, encoded)]
    inputs = {name: _sizes(shape) for name, shape in generator.inputs.items()}
    description = {"inputs": inputs, "constants": constants, "calls": calls,
                   "output": generator.output}
    return description, b"".join([array.tobytes() for array in encoded])


def check_latents(model: Model) -> None:
    """Make sure that a model has latents to play with.

    Raises:
        ValueError: it starts from images.
    """
    if model.starts_from_images():
        raise ValueError(f"play: {model.name} starts from images, so there is no latent vector to "
                         f"play with; models that start from latents have a page")


def with_rounded_weights(generator: Traced, model: Model) -> Traced:
    """The same calls, simplified, with the weights that `export` writes."""
    constants = dict(generator.constants)
    for name in model.drawing_network().state_dict():
        constants[name] = rounded(constants[name]).astype(constants[name].dtype)
    return simplified(replace(generator, constants=constants))


def _described(call: Call, generator: Traced) -> dict[str, Any]:
    """A call for JSON."""
    _check(call, generator)
    op = "view" if call.op in VIEWS else call.op
    settings = _as_view(call, generator) if call.op in VIEWS else call.settings
    return {"op": op, "inputs": call.inputs, "settings": _plain(settings), "output": call.output,
            "shape": _sizes(call.shape)}


def _check(call: Call, generator: Traced) -> None:
    """Refuse what browser/ops.js cannot do."""
    where = f"{call.op} in {call.layer}"
    if call.op not in OPS:
        raise ValueError(f"play: {where} is an op that the page does not know; it knows "
                         f"{', '.join(sorted(OPS))}")
    if call.op in WEIGHTED and not all(name in generator.constants for name in call.names[1:]):
        raise ValueError(f"play: {where} multiplies by numbers that depend on the latent; the page "
                         f"can multiply by weights only")
    if call.op == "matmul" and (call.settings["ta"] or call.settings["tb"]):
        raise ValueError(f"play: {where} transposes a factor, which the page does not know")
    if call.op in ("matmul", "affine") and len(call.shape) != 2:
        raise ValueError(f"play: {where} makes {len(call.shape)} axes; the page multiplies rows, "
                         f"which have 2")


def _as_view(call: Call, generator: Traced) -> dict[str, Any]:
    """Where the result's elements are in the input: the first, and the step along each axis."""
    base = np.empty(_sizes(generator.shape_of(call.names[0])), np.int8)  # a step is a byte
    if call.op == "broadcast_to":
        view = np.broadcast_to(base, _sizes(call.shape))
    elif call.op == "transpose":
        view = base.transpose(call.settings["axes"])
    else:
        view = base[call.settings["index"]]
    return {"start": view.ctypes.data - base.ctypes.data, "apart": view.strides}


def _encoded(array: np.ndarray) -> np.ndarray:
    """An array as little-endian halves where they hold its numbers exactly, else as singles."""
    halves = array.astype("<f2")
    if np.array_equal(halves.astype(np.float64), array.astype(np.float64)):
        return halves
    return array.astype("<f4")


def _sizes(shape: Sizes) -> tuple[int, ...]:
    """A shape for one image."""
    return tuple([1 if size == BATCH else int(size) for size in shape])


def _plain(value: Any) -> Any:
    """Settings with 1 in place of "N"."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return 1 if isinstance(value, str) and value == BATCH else value
