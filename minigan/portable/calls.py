"""A generator as a list of calls: what is computed, from what, in which order.

    z                                        ("N", 64)
    y1 = matmul(z, layers.0.weight)          ("N", 2048)
    y2 = reshape(y1, shape=("N", 4, 4, 128)) ("N", 4, 4, 128)
    ...

The ops are those of `minigan.ops`, by name. "N" stands for the number of images.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Mapping, Sequence

import numpy as np

from minigan.backend import default
from minigan.engine import OPS, Tensor, no_grad
from minigan.geometry import Geometry
from minigan.ops import getitem

BATCH = "N"  # in shapes and settings: the number of images
Sizes = tuple[int | str, ...]


@dataclass(frozen=True)
class Call:
    """One op.

    op: its name in `engine.OPS`. inputs: names of inputs, of constants and of earlier results, or
    numbers. settings: by name; those of a convolution are the fields of its `Geometry`, and the
    `index` of "slice" and "scatter_add" has an entry for each axis, slice(None) for a whole one.
    The second input of "gather" are the rows to pick from the first, and it has no settings.
    output: the result's name. shape: of the result. layer: who computes it, for messages.
    """

    op: str
    inputs: tuple[str | float, ...]
    settings: dict[str, Any]
    output: str
    shape: Sizes
    layer: str = ""

    @property
    def names(self) -> list[str]:
        """The inputs that are not numbers."""
        return [x for x in self.inputs if isinstance(x, str)]

    def __str__(self) -> str:
        settings = [f"{name}={value!r}" for name, value in self.settings.items()]
        inputs = [str(x) for x in self.inputs]
        return f"{self.output} = {self.op}({', '.join([*inputs, *settings])})"


@dataclass
class Traced:
    """A generator as calls.

    inputs: shapes by name: "z" or, where a model starts from images, "images", float32; and
    "labels", int64, of a conditional model. constants: arrays by name; parameters and buffers have
    the names of the network's `state_dict`. calls: in an order in which they can be computed.
    output: the name of the images, float32 (N, H, W, C) in [-1, 1].
    """

    inputs: dict[str, Sizes]
    constants: dict[str, np.ndarray]
    calls: list[Call] = field(default_factory=list)
    output: str = ""

    def __str__(self) -> str:
        lines = [f"{name}  {shape}" for name, shape in self.inputs.items()]
        lines += [f"{call}  {call.shape}" for call in self.calls]
        return "\n".join(lines)

    def shape_of(self, name: str) -> Sizes:
        """The shape of an input, a constant or a result."""
        shapes = {call.output: call.shape for call in self.calls}
        shapes.update(self.inputs)
        if name in self.constants:
            return self.constants[name].shape
        return shapes[name]


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """An op's settings as a call has them: a `Geometry` as its fields."""
    plain: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Geometry):
            plain.update(asdict(value))
        else:
            plain[name] = value
    return plain


def plain_index(index: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[Any, ...]:
    """An index of slices, ints, None and Ellipsis with an entry for each axis of that shape.

    A slice of a whole axis becomes slice(None), which is the same for every size.
    """
    counted = [entry for entry in index if entry is not None and entry is not ...]
    rest = [slice(None)] * (len(shape) - len(counted))
    entries: list[Any] = []
    for entry in index if ... in index else (*index, ...):
        entries += rest if entry is ... else [entry]

    sizes = iter(shape)
    plain = []
    for entry in entries:
        size = None if entry is None else next(sizes)
        whole = isinstance(entry, slice) and size is not None and (
            entry.indices(size) == (0, size, 1))
        plain.append(slice(None) if whole else entry)
    return tuple(plain)


def run(traced: Traced, z: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """The images (N, H, W, C) that the calls make, on the default backend.

    z: latents (N, d), or the images that a model starts from. labels: integers (N,), for a
    conditional model.

    Raises:
        ValueError: z has another shape, or labels are missing, too many, or not n integers.
    """
    start, *rest = traced.inputs
    given = {start: z}
    if rest:
        given["labels"] = _checked_labels(labels, len(z))
    elif labels is not None:
        raise ValueError("run: labels are given, and this generator takes none")
    if z.shape[1:] != traced.inputs[start][1:]:
        wanted = ", ".join(map(str, traced.inputs[start]))
        raise ValueError(f"run: {start} must be ({wanted}), got {z.shape}")

    xp = default()
    values = {name: Tensor(xp.from_host(array)) for name, array in traced.constants.items()}
    values.update({name: Tensor(xp.from_host(array)) for name, array in given.items()})
    for call in traced.calls:
        values[call.output] = computed(call, values, len(z))
    return values[traced.output].numpy()


def computed(call: Call, values: Mapping[str, Tensor], n: int) -> Tensor:
    """The result of one call. values: tensors by name. n: how many images there are."""
    inputs = [values[x] if isinstance(x, str) else x for x in call.inputs]
    settings = {name: _sized(value, n) for name, value in call.settings.items()}
    if "in_size" in settings:
        settings = {"g": Geometry(**settings)}
    with no_grad():
        if call.op == "gather":
            rows, picked = inputs
            return getitem(rows, picked)  # type: ignore[arg-type]
        return OPS[call.op](*inputs, **settings)


def _sized(value: Any, n: int) -> Any:
    """A setting with n in place of "N"."""
    if isinstance(value, tuple):
        return tuple([_sized(each, n) for each in value])
    return n if isinstance(value, str) and value == BATCH else value


def _checked_labels(labels: Any, n: int) -> np.ndarray:
    array = np.asarray(labels)
    if array.shape != (n,) or array.dtype.kind not in "iu":
        raise ValueError(f"run: labels must be {n} integers, got {array.dtype} {array.shape}")
    return array.astype(np.int64)


def users(calls: Sequence[Call], output: str) -> dict[str, int]:
    """How often each name is used: by a call, or as the output."""
    counts = {output: 1}
    for call in calls:
        for name in call.names:
            counts[name] = counts.get(name, 0) + 1
    return counts
