"""What the tests of models share: building any preset, batches for it, and its float64 twin."""
from __future__ import annotations

import copy
from typing import Any

import numpy as np

import minigan as mg
from minigan.backend import Stream, default
from minigan.models.catalog import find, names
from minigan.models.model import Model
from minigan.optim import Optimizer

PRESETS = [(name, preset) for name in names() for preset in find(name).presets]
LARGE = {row for row in PRESETS if row[1].startswith("paper") or row[1].endswith("64")}
LIGHT = [row for row in PRESETS if row not in LARGE]  # 3 million parameters at most


def build(name: str, preset: str, seed: int = 0, every_step: bool = False,
          **settings: Any) -> Model:
    """A preset for images of its own size: 64x64x3 where its name ends in 64, else 28x28x1.

    every_step: update G in every step, also where it would wait for several of the critic.
    """
    if every_step and hasattr(find(name).Settings, "n_critic"):
        settings["n_critic"] = 1
    return find(name)(preset, (64, 64, 3) if preset.endswith("64") else (28, 28, 1), seed,
                      **settings)


def count(model: Model) -> int:
    """Parameters of both networks."""
    return sum(mg.nn.count_parameters(net) for net in (model.generator, model.discriminator))


def batch(model: Model, n: int, seed: int = 0, dtype: str = "float32") -> Any:
    """Images (n, H, W, C) in [-1, 1] and labels from 0 to 9, on the default device."""
    random = np.random.Generator(np.random.Philox(seed))
    images = random.uniform(-1, 1, (n, *model.shape)).astype(dtype)
    labels = random.integers(0, 10, n)
    return [mg.Tensor(default().from_host(values)) for values in (images, labels)]


def train(model: Model, steps: int, n: int = 8, dtype: str = "float32") -> list[dict[str, Any]]:
    """Train on fresh random batches; the losses of each step."""
    return [model.step(*batch(model, n, seed, dtype)) for seed in range(steps)]


def inputs(model: Model, n: int, seed: int = 1) -> mg.Tensor:
    """n inputs of G; a model that makes them from images gets random ones."""
    return model.inputs_from(Stream(seed, "sample"), n, lambda stream, count: mg.Tensor(
        stream.uniform((count, *model.shape), -1, 1)))[0]


def sample(model: Model, n: int, seed: int = 1, raw: bool = False) -> np.ndarray:
    """n generated images (n, H, W, C) as floats on the host; all labels in turn."""
    labels = np.arange(n) % model.n_classes if model.conditional else None
    return model.sample(inputs(model, n, seed), labels, raw).numpy()


def in_float64(model: Model) -> Model:
    """The same model in float64: networks converted, optimizers made anew, noise cast."""
    for network in (model.generator, model.discriminator, *([model.ema.network] if model.ema
                                                            else [])):
        network.astype("float64")
    for name, old in model.optimizers.items():
        new = copy.copy(old)  # with its settings
        for p in old.parameters:
            p.owner = None
        Optimizer.__init__(new, old.parameters, old.lr)
        for attribute, value in list(vars(model).items()):
            if value is old:
                setattr(model, attribute, new)
        model.optimizers[name] = new
    draw = model.latent_from
    model.latent_from = lambda stream, n: draw(stream, n).astype("float64")  # type: ignore
    return model


def no_samples(self: Any, step: int, keep: bool = True) -> Any:
    """In place of `Pictures.draw_samples`: nothing is drawn, and noise is no collapse."""
    return np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), "uint8")


def no_summary(self: Any, numbers: Any) -> None:
    """In place of `Pictures.draw_summary`."""
