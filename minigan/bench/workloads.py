"""What is measured: a model's training step, described so that a rival needs nothing of ours.

A workload is `model:preset`. Its load is a dictionary of plain values and NumPy arrays: layers with
their weights, images, and the random numbers of the first steps, in the order in which our model
draws them. So every rival starts from the same weights, and its first losses must be ours.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from minigan import nn
from minigan.backend import default
from minigan.engine import Tensor, no_grad
from minigan.geometry import conv_geometry, transpose_geometry
from minigan.models.catalog import find, names
from minigan.models.model import Model
from minigan.streams import Stream

WORKLOADS = ("gan:seed", "wgan-gp:seed", "dcgan:wide28", "wgan-gp:wide28", "dcgan:keras28",
             "dcgan:torch64")
UNLISTED = "unlisted:width48"  # a network that no speed code was written for: 3x3, stride 1
PLAIN = "+plain"               # a critic's update without the penalty: "wgan-gp:wide28+plain"
CHECKED = 5                    # first steps, whose losses are compared
BATCHES = 4                    # batches of images, used in turn
SEED = 0


def split(name: str) -> tuple[str, str, bool]:
    """A workload's model, preset, and whether its penalty is left out.

    Raises:
        ValueError: there is no such model or preset, or it has no penalty to leave out.
    """
    model, colon, preset = name.removesuffix(PLAIN).partition(":")
    known = [*names(), UNLISTED.partition(":")[0]]
    if not colon or model not in known or preset not in _model(model).presets:
        raise ValueError(f"workload {name!r} is unknown; a workload is model:preset, such as "
                         f"{', '.join(WORKLOADS)}")
    if _model(model).conditional or model == "pix2pix" or model == "wgan":
        raise ValueError(f"workload {name!r}: {model} is not measured; models are gan, dcgan, "
                         f"wgan-gp and {UNLISTED}")
    if name.endswith(PLAIN) and model != "wgan-gp":
        raise ValueError(f"workload {name!r}: {model} has no penalty to leave out")
    return model, preset, name.endswith(PLAIN)


def _model(name: str) -> type[Model]:
    if name == UNLISTED.partition(":")[0]:
        found: type[Model] = importlib.import_module("minigan.bench.unlisted").Unlisted
        return found
    return find(name)


def build(name: str) -> Model:
    """The model of a workload, with its first weights; no moving average, which is no update."""
    model, preset, _ = split(name)
    made = _model(model)
    return made(preset, made.natural_shape(preset), SEED, ema=0.0)


def images(*shape: int) -> np.ndarray:
    """Images of noise in [-1, 1], (..., H, W, C): what they show costs no time."""
    random = np.random.Generator(np.random.Philox(2014))
    return random.uniform(-1, 1, shape).astype("float32")


def prepare(name: str, batch: int) -> dict[str, Any]:
    """The load of a workload: all that a rival needs.

    unknown: why there is nothing for a rival, or None; our own side needs the name and the images.
    """
    model, (_, _, plain) = build(name), split(name)
    critic = model.name == "wgan-gp"
    s = model.settings
    latent, penalty = Stream(SEED, "latent"), Stream(SEED, "penalty")
    generator: list[dict[str, Any]] = []
    discriminator: list[dict[str, Any]] = []
    unknown = None
    try:
        with no_grad():
            start = Tensor(default().zeros((2, s.latent_size), "float32"))
            generator = describe(model.generator, start)
            discriminator = describe(model.discriminator, model.generator.eval()(start))
    except ValueError as error:
        unknown = str(error)
    return {
        "unknown": unknown,
        "name": name, "task": "critic" if critic else "gan", "batch": batch, "shape": model.shape,
        "latent": s.latent_size, "learning_rate": s.learning_rate, "betas": (s.beta1, s.beta2),
        "eps": 1e-8, "penalty": 0.0 if plain or not critic else s.penalty,
        "generator": generator, "discriminator": discriminator,
        "images": images(BATCHES, batch, *model.shape),
        "noise": [latent.normal((batch, s.latent_size)) for _ in range(CHECKED)],
        "epsilon": [penalty.uniform((batch, 1, 1, 1)) for _ in range(CHECKED)] * critic,
        "kept": _masks(discriminator, batch, 0 if critic else 3 * CHECKED)}


def _masks(layers: list[dict[str, Any]], batch: int, passes: int) -> list[np.ndarray]:
    """What dropout keeps in so many passes through D, call by call."""
    stream = Stream(SEED, "dropout")
    return [stream.uniform((batch, *layer["shape"])) >= layer["rate"] for _ in range(passes)
            for layer in layers if layer["kind"] == "Dropout"]


def describe(network: nn.Module, x: Tensor) -> list[dict[str, Any]]:
    """A Sequential, layer by layer: kind, weights and settings. x: an input, for the shapes.

    Raises:
        ValueError: it has a layer of a kind that rivals do not know.
    """
    layers = []
    with nn.evaluation_mode():
        for _, layer in network.children():
            layers.append({"kind": type(layer).__name__, "shape": x.shape[1:],
                           **_settings(layer, x)})
            x = layer(x)
    return layers


def _settings(layer: Any, x: Tensor) -> dict[str, Any]:
    """What a rival has to know of a layer that is given x."""
    arrays = {name: np.array(value.numpy()) if value is not None else None for name, value
              in vars(layer).items() if name in ("weight", "bias", "gamma", "beta")}
    kind = type(layer).__name__
    if kind == "Conv2d":
        g = conv_geometry(kind, x.shape[1:3], layer.weight.shape[:2], layer.stride, layer.padding,
                          layer.dilation)
        return {**arrays, "stride": g.stride, "pads": g.pads}
    if kind == "ConvTranspose2d":
        g = transpose_geometry(kind, x.shape[1:3], layer.weight.shape[:2], layer.stride,
                               layer.padding, layer.output_padding, layer.dilation)
        return {**arrays, "stride": g.stride, "pads": g.pads, "size": g.in_size}
    if kind in ("BatchNorm", "LayerNorm"):
        return {**arrays, "eps": layer.eps, "momentum": getattr(layer, "momentum", None)}
    plain = {"LeakyReLU": ("slope",), "Dropout": ("rate",), "Upsample": ("scale",),
             "AvgPool2d": ("size",), "Reshape": (), "Dense": (), "ReLU": (), "Tanh": (),
             "Flatten": ()}
    if kind not in plain:
        raise ValueError(f"a rival does not know the layer {kind}")
    values = {name: getattr(layer, name) for name in plain[kind]}
    return {**arrays, **values, **({"to": layer.shape} if kind == "Reshape" else {})}
