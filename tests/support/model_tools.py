"""What the tests of models share: building any preset, batches for it, and its float64 twin."""
from __future__ import annotations

import copy
import math
from typing import Any, Callable, Sequence

import numpy as np
import pytest

import minigan as mg
from minigan.backend import default
from minigan.models.catalog import find, names
from minigan.models.model import Model
from minigan.models.sizes import Shape
from minigan.optim import Optimizer
from minigan.streams import Stream

PRESETS = [(name, preset) for name in names() for preset in find(name).presets]
SLOW = {row for row in PRESETS if find(row[0]).natural_shape(row[1])[0] > 28}
LARGE = SLOW | {row for row in PRESETS if row[1].startswith("paper")}
LIGHT = [row for row in PRESETS if row not in LARGE]  # 3 million parameters at most


def build(name: str, preset: str, seed: int = 0, every_step: bool = False,
          shape: Shape | None = None, **settings: Any) -> Model:
    """A preset for the images that it is made for.

    every_step: update G in every step, also where it would wait for several of the critic.
    """
    if every_step and hasattr(find(name).Settings, "n_critic"):
        settings["n_critic"] = 1
    shape = shape or find(name).natural_shape(preset)
    return find(name)(preset, shape, seed, **settings)


def small(name: str, preset: str, shape: Shape | None = None, **settings: Any) -> Model:
    """A preset at small width and for small images: 8x8x1, 16x16x3 with four strided layers."""
    preset_settings = find(name).presets[preset]
    if hasattr(preset_settings, "width"):
        dense = name.startswith("wgan") and preset_settings.networks != "conv"
        settings = {"width": 16 if dense else 3, **settings}
    own = (16, 16, 3) if getattr(preset_settings, "layers", 2) == 4 else (8, 8, 1)
    return build(name, preset, shape=shape or own, **settings)


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


LOSSES = {"float32": 2e-3, "float64": 1e-9}  # how far a few steps carry another rounding


def check_losses(ours: dict[str, float], theirs: dict[str, float], dtype: str = "float32") -> None:
    """Compare the losses of two trainings that differ in rounding alone, such as two devices'.

    On the scale of what a loss is made of, D's outputs, which are of order one: W's estimate is a
    difference of two means that are nearly equal, so a bound relative to *it* holds on some
    processors only. And loosely in float32: the first steps of Adam and RMSprop have the length of
    the learning rate whatever the gradient's, so where that is zero but for rounding, its sign
    decides. In float64 such gradients are below the optimizers' eps.
    """
    assert ours == pytest.approx(theirs, rel=LOSSES[dtype], abs=LOSSES[dtype])


def check_gradients(value: Callable[[], float], parameters: list[mg.Tensor],
                    gradients: Sequence[mg.Tensor], together: bool = False, eps: float = 3e-8,
                    smallest: float = 1e-2) -> None:
    """Compare gradients of value() with its central differences, to 1e-6 of their norms.

    value: computes it anew from the parameters' present values. Each parameter is moved in a
    direction halfway between its gradient's and a random one, or all `together`. eps is small, as
    kinks are near; then value's rounding shows, and is allowed for. A gradient that is shorter than
    `smallest` of the longest counts as that long.
    """
    random = np.random.Generator(np.random.Philox(1))
    pairs = list(zip(parameters, [g.data for g in gradients], strict=True))
    longest = max(float(np.linalg.norm(g)) for _, g in pairs)
    for group in [pairs] if together else [[pair] for pair in pairs]:
        ds = [_along(g, random) / math.sqrt(len(group)) for _, g in group]
        starts, values = [p.data.copy() for p, _ in group], []
        for step in (eps, -eps, 0.0):
            for (p, _), start, d in zip(group, starts, ds):
                p.assign(start + step * d)
            values.append(value() if step else 0.0)
        numeric = (values[0] - values[1]) / (2 * eps)
        exact = sum(float(np.sum(g * d)) for (_, g), d in zip(group, ds))
        norm = math.sqrt(sum(float(np.sum(g ** 2)) for _, g in group))
        rounding = 1e-15 * abs(values[0]) / eps
        assert abs(numeric - exact) <= 1e-6 * max(norm, smallest * longest) + rounding, (
            f"{group[0][0].name}: {exact} is {numeric}")


def _along(g: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A unit direction that has a part along g."""
    d = random.standard_normal(g.shape)
    d = g / max(float(np.linalg.norm(g)), 1e-12) + 0.7 * d / np.linalg.norm(d)
    return d / np.linalg.norm(d)


def no_samples(self: Any, step: int, keep: bool = True) -> Any:
    """In place of `Pictures.draw_samples`: nothing is drawn, and noise is no collapse."""
    return np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), "uint8")


def no_summary(self: Any, numbers: Any) -> None:
    """In place of `Pictures.draw_summary`."""
