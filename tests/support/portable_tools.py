"""What the tests of generators for other programs share: models with lively weights, inputs."""
from __future__ import annotations

from functools import cache
from typing import Any, Callable

import numpy as np
from model_tools import PRESETS, build, small

import minigan as mg
from minigan.models.model import Model
from minigan.nn import Dense, Module
from minigan.portable import Traced, traced
from minigan.streams import Stream

# At any size of images.
WIDE = {("dcgan", "keras28"), ("dcgan", "paper64"), ("gan", "paper"), ("cgan", "paper")}
NARROW = [row for row in PRESETS if row not in WIDE]


def stirred(model: Model) -> Model:
    """The model with weights and running statistics that no initializer gives."""
    rng = np.random.default_rng(5)
    for name, tensor in model.drawing_network().named_tensors():
        into = tensor.size / tensor.shape[-2] if tensor.ndim == 4 else len(tensor)
        values = rng.normal(0, 1, tensor.shape) / (into if tensor.ndim > 1 else 9) ** 0.5
        if name.endswith(("running_var", "gamma")):
            values = 0.5 + np.abs(values)
        tensor.assign(mg.tensor(values, dtype="float32"))
    return model


@cache
def lively(name: str, preset: str, natural: bool = False) -> tuple[Model, Traced]:
    """A small model of a preset, or one for the images it is made for, and its calls."""
    model = stirred(build(name, preset) if natural else small(name, preset))
    return model, traced(model)


def starts(model: Model, n: int, seed: int = 1) -> tuple[mg.Tensor, np.ndarray | None]:
    """n inputs of the generator, and labels or None."""
    def draw(stream: Stream, count: int) -> mg.Tensor:
        return mg.Tensor(stream.uniform((count, *model.shape), -1.0, 1.0))
    start, _ = model.inputs_from(Stream(seed, "test"), n, draw)
    return start, np.arange(n) * 3 % 10 if model.conditional else None


class Own(Model):
    """A model whose generator is its class's `network`."""

    network: Module

    def build(self) -> None:
        self.generator = self.network
        self.discriminator = Dense(1, 1)
        self.optimizers = {}


def own(forward: Callable[..., Any], *parts: Module, conditional: bool = False) -> Model:
    """A model whose generator computes forward(module, z) with these parts."""
    network: Any = type("Odd", (Module,), {"forward": forward})()
    network.parts = parts
    kind = type("OwnModel", (Own,), {"network": network, "conditional": conditional})
    return kind(shape=(1, 1, 100))
