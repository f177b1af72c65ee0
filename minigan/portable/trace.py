"""From a model to the calls that its generator makes.

The generator draws twice, in evaluation mode and without a graph, once two images and once three; a
hook of the engine notes each op. What is 2 in one list and 3 in the other is the number of images,
"N". What else differs was computed outside of ops, and cannot be written down.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, Callable

import numpy as np

from minigan.backend import backend_of
from minigan.engine import Op, Tensor, no_grad, op_hook
from minigan.models.model import Model
from minigan.nn import Module, evaluation_mode
from minigan.portable.calls import BATCH, Call, Sizes, Traced, plain_index, plain_settings
from minigan.streams import Stream

COUNTS = (2, 3)  # of the images that are drawn


def traced(model: Model) -> Traced:
    """The network that draws a model's samples, as a list of calls.

    Its weights are the moving average's, where the model keeps one.

    Raises:
        ValueError: the network computes something outside of ops, or does not compute the same for
            every number of images; names the op and the layer.
    """
    first, second = [_drawn(model, n) for n in COUNTS]
    if len(first.calls) != len(second.calls):
        raise ValueError(f"trace: {model.name}'s generator makes {len(first.calls)} calls for 2 "
                         f"images and {len(second.calls)} for 3, so it has no fixed list of them")
    calls = [_same(*pair) for pair in zip(first.calls, second.calls)]
    for name, array in first.constants.items():
        if not np.array_equal(array, second.constants[name]):
            raise ValueError(f"trace: {name} changes from call to call: {model.name}'s generator "
                             f"computes it outside of ops")
    inputs = {name: _sizes(array.shape, second.inputs[name].shape, name)
              for name, array in first.inputs.items()}
    return Traced(inputs, first.constants, calls, first.output)


# ---------------------------------------------------------------- one list of calls

@dataclass
class Recording:
    """What one drawing did; its methods are the hook.

    names: of tensors, by id. kept: all that was seen, so that no id is given twice. layers: of
    modules, by id.
    """

    layers: dict[int, str]
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    output: str = ""
    names: dict[int, str] = field(default_factory=dict)
    kept: list[Tensor] = field(default_factory=list)

    def name(self, tensor: Tensor, name: str) -> None:
        """Give a tensor a name."""
        self.names[id(tensor)] = name
        self.kept.append(tensor)

    def watch(self, op: Op, within: Op | None, run: Callable[[], Tensor]) -> Tensor:
        """The hook: runs one op, and notes it."""
        inputs, settings = run.args  # type: ignore[attr-defined]
        y = run()
        if id(y) in self.names:  # an op of mixed dtypes, which has converted them and called itself
            return y

        layer = self._layer()
        named = [self._named(x) for x in inputs]
        settings = plain_settings(settings)
        if op.name == "gather":
            named.append(self._rows(settings.pop("index"), layer))
        if op.name == "reshape":
            settings["shape"] = y.shape  # in which no size is -1
        if op.name in ("slice", "scatter_add"):
            whole = y.shape if op.name == "scatter_add" else inputs[0].shape
            settings["index"] = plain_index(settings["index"], whole)
        output = f"y{len(self.calls) + 1}"
        self.calls.append(Call(op.name, tuple(named), settings, output, y.shape, layer))
        self.name(y, output)
        return y

    def _named(self, x: Any) -> str | float:
        """An input's name, or the number; a tensor that nobody knows is a constant."""
        if not isinstance(x, Tensor):
            return x
        if id(x) not in self.names:
            self.name(x, self._constant(_on_host(x.data)))
        return self.names[id(x)]

    def _constant(self, array: np.ndarray) -> str:
        name = f"constant{len(self.constants) + 1}"
        self.constants[name] = array.copy()
        return name

    def _rows(self, index: Any, layer: str) -> str:
        """The name of the rows that an index picks: the labels, or a constant."""
        if len(index) != 1 or index[0].ndim != 1 or index[0].dtype.kind not in "iu":
            raise ValueError(f"trace: getitem in {layer} picks elements by arrays of integers or "
                             f"booleans; only rows of a table, by one array, can be written down")
        labels = self.inputs.get("labels")
        rows = _on_host(index[0])
        if labels is not None and np.array_equal(rows, labels):
            return "labels"
        return self._constant(rows.astype(np.int64))

    def _layer(self) -> str:
        """The innermost layer that is computing now, as the stack of calls shows."""
        frame = sys._getframe(1)
        while frame is not None:
            owner = id(frame.f_locals.get("self"))
            if owner in self.layers:
                return self.layers[owner]
            frame = frame.f_back  # type: ignore[assignment]
        return "the generator"


def _drawn(model: Model, n: int) -> Recording:
    """What drawing n images did."""
    network = model.drawing_network()
    modules = network.named_modules()
    recording = Recording({id(module): _label(path, module) for path, module in modules})
    for name, tensor in network.named_tensors():
        recording.constants[name] = _on_host(tensor.data).copy()
        recording.name(tensor, name)

    start, _ = model.inputs_from(Stream(0, "trace"), n, _some_images(model))
    inputs = {"images" if model.starts_from_images() else "z": start}
    if model.conditional:
        backwards = (model.n_classes - 1 - np.arange(n)) % model.n_classes  # no index is like them
        inputs["labels"] = model.checked_labels(backwards, n)
    for name, tensor in inputs.items():
        recording.inputs[name] = _on_host(tensor.data)
        recording.name(tensor, name)

    with model.turn, no_grad(), evaluation_mode(), op_hook(recording.watch):
        images = network(*inputs.values())
    recording.output = recording.names.get(id(images), "")
    if not recording.output:
        raise ValueError(f"trace: {model.name}'s generator computes its images outside of ops")
    return recording


def _some_images(model: Model) -> Callable[[Stream, int], Tensor]:
    def draw(stream: Stream, n: int) -> Tensor:
        return Tensor(stream.uniform((n, *model.shape), -1.0, 1.0))
    return draw


def _label(path: str, module: Module) -> str:
    """A layer in a message: "layer 0 (Dense)"."""
    name = type(module).__name__
    return f"layer {path} ({name})" if path else f"the generator ({name})"


def _on_host(array: Any) -> np.ndarray:
    return backend_of(array).to_host(array)


# ---------------------------------------------------------------- two lists as one

def _same(first: Call, second: Call) -> Call:
    """A call for any number of images, from the calls for two and for three."""
    where = f"{first.op} in {first.layer}"
    if (first.op, first.inputs) != (second.op, second.inputs):
        raise ValueError(f"trace: {where} depends on the number of images: its inputs are "
                         f"{first.inputs} for 2 and {second.inputs} for 3")
    settings = {name: _value(value, second.settings[name], f"{name} of {where}")
                for name, value in first.settings.items()}
    shape = _sizes(first.shape, second.shape, where)
    return Call(first.op, first.inputs, settings, first.output, shape, first.layer)


def _sizes(first: Sizes, second: Sizes, where: str) -> Sizes:
    """A shape for any number of images."""
    return tuple([_value(*pair, where) for pair in zip(first, second, strict=True)])


def _value(first: Any, second: Any, where: str) -> Any:
    """A setting or a size for any number of images."""
    if isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
        return tuple([_value(*pair, where) for pair in zip(first, second)])
    if (first, second) == COUNTS:
        return BATCH
    if type(first) is not type(second) or first != second:
        raise ValueError(f"trace: {where} depends on the number of images: {first} for 2, {second} "
                         f"for 3")
    return first
