"""What is measured: a model's training step, described so that a rival needs nothing of ours.

A workload is `model:preset`. Its description holds layers with their weights, images, and the
random numbers of the first steps, in the order in which our model draws them. So every rival starts
from the same weights, and the losses of its first steps must be ours.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from minigan import nn
from minigan.backend import default
from minigan.bench.records import Layer, Workload
from minigan.engine import Tensor, no_grad
from minigan.geometry import conv_geometry, transpose_geometry
from minigan.models.catalog import find, names
from minigan.models.model import Model
from minigan.streams import Stream

WORKLOADS = ("gan:seed", "wgan-gp:seed", "dcgan:wide28", "wgan-gp:wide28", "dcgan:keras28",
             "dcgan:torch64")
UNLISTED = "unlisted:width48"  # a network that no speed code was written for: 3x3, stride 1
PLAIN = "+plain"               # a critic's update without the penalty: "wgan-gp:wide28+plain"
NOT_MEASURED = ("cgan", "pix2pix", "wgan")
CHECKED = 5                    # first steps, whose losses are compared
BATCHES = 4                    # batches of images, used in turn
SEED = 0


def split(name: str) -> tuple[str, str, bool]:
    """A workload's model, preset, and whether its penalty is left out.

    Raises:
        ValueError: there is no such model or preset, or it has no penalty to leave out.
    """
    model, colon, preset = name.removesuffix(PLAIN).partition(":")
    plain = name.endswith(PLAIN)
    known = [*names(), UNLISTED.partition(":")[0]]
    if not colon or model not in known or preset not in _class_of(model).presets:
        raise ValueError(f"workload {name!r} is unknown; a workload is model:preset, such as "
                         f"{', '.join(WORKLOADS)}")
    if model in NOT_MEASURED:
        raise ValueError(f"workload {name!r}: {model} is not measured; models are gan, dcgan, "
                         f"wgan-gp and {UNLISTED}")
    if plain and model != "wgan-gp":
        raise ValueError(f"workload {name!r}: {model} has no penalty to leave out")
    return model, preset, plain


def _class_of(model: str) -> type[Model]:
    if model == UNLISTED.partition(":")[0]:
        unlisted: type[Model] = importlib.import_module("minigan.bench.unlisted").Unlisted
        return unlisted
    return find(model)


def build(name: str) -> Model:
    """The model of a workload with its first weights, and without a moving average of them."""
    model, preset, _ = split(name)
    model_class = _class_of(model)
    return model_class(preset, model_class.natural_shape(preset), SEED, ema=0.0)


def images(*shape: int) -> np.ndarray:
    """Images of noise in [-1, 1], float32 (..., H, W, C); no time depends on what they show."""
    random = np.random.Generator(np.random.Philox(2014))
    return random.uniform(-1, 1, shape).astype("float32")


def prepare(name: str, batch: int) -> Workload:
    """The description of a workload. batch: images a step.

    If rivals do not know one of its layers, its `unknown` says which, and it holds no layers.

    Raises:
        ValueError: there is no such workload.
    """
    _, _, plain = split(name)
    model = build(name)
    settings = model.settings
    critic = model.name == "wgan-gp"

    generator: list[Layer] = []
    discriminator: list[Layer] = []
    unknown = None
    try:
        with no_grad():
            z = Tensor(default().zeros((2, settings.latent_size), "float32"))
            generator = describe(model.generator, z)
            discriminator = describe(model.discriminator, model.generator.eval()(z))
    except ValueError as error:
        unknown = str(error)

    latent = Stream(SEED, "latent")
    penalty = Stream(SEED, "penalty")
    passes = 0 if critic else 3 * CHECKED  # of D with dropout: real, fake, and for G
    return Workload(
        name=name,
        task="critic" if critic else "gan",
        batch=batch,
        images=images(BATCHES, batch, *model.shape),
        latent=settings.latent_size,
        learning_rate=settings.learning_rate,
        betas=(settings.beta1, settings.beta2),
        eps=1e-8,
        penalty=settings.penalty if critic and not plain else 0.0,
        generator=generator,
        discriminator=discriminator,
        noise=[latent.normal((batch, settings.latent_size)) for _ in range(CHECKED)],
        epsilon=[penalty.uniform((batch, 1, 1, 1)) for _ in range(CHECKED)] if critic else [],
        kept=_masks(discriminator, batch, passes),
        unknown=unknown)


def _masks(layers: list[Layer], batch: int, passes: int) -> list[np.ndarray]:
    """The masks of dropout in so many passes through D, call by call; bool, True where kept."""
    stream = Stream(SEED, "dropout")
    dropouts = [layer for layer in layers if layer.kind == "Dropout"]
    return [stream.uniform((batch, *layer.shape)) >= layer.rate
            for _ in range(passes) for layer in dropouts]


def describe(network: nn.Module, x: Tensor) -> list[Layer]:
    """A Sequential, layer by layer. x: an input, for the shapes.

    Raises:
        ValueError: rivals do not know one of its layers.
    """
    layers = []
    with nn.evaluation_mode():
        for _, layer in network.children():
            layers.append(Layer(type(layer).__name__, x.shape[1:], **_arrays(layer),
                                **_settings(layer, x)))
            x = layer(x)
    return layers


def _arrays(layer: nn.Module) -> dict[str, Any]:
    """A layer's weights, by name."""
    weights = {}
    for name in ("weight", "bias", "gamma", "beta"):
        tensor = getattr(layer, name, None)
        if tensor is not None:
            weights[name] = np.array(tensor.numpy())
    return weights


def _settings(layer: Any, x: Tensor) -> dict[str, Any]:
    """What a rival has to know of a layer that is given x, besides its weights."""
    kind = type(layer).__name__
    if kind == "Conv2d":
        g = conv_geometry(kind, x.shape[1:3], layer.weight.shape[:2], layer.stride, layer.padding,
                          layer.dilation)
        return {"stride": g.stride, "pads": g.pads}
    if kind == "ConvTranspose2d":
        g = transpose_geometry(kind, x.shape[1:3], layer.weight.shape[:2], layer.stride,
                               layer.padding, layer.output_padding, layer.dilation)
        return {"stride": g.stride, "pads": g.pads, "out_size": g.in_size}
    if kind == "BatchNorm":
        return {"eps": layer.eps, "momentum": layer.momentum}
    if kind == "LayerNorm":
        return {"eps": layer.eps}
    if kind == "LeakyReLU":
        return {"slope": layer.slope}
    if kind == "Dropout":
        return {"rate": layer.rate}
    if kind == "Upsample":
        return {"scale": layer.scale}
    if kind == "AvgPool2d":
        return {"size": layer.size}
    if kind == "Reshape":
        return {"to": layer.shape}
    if kind in ("Dense", "Flatten", "ReLU", "Tanh"):
        return {}
    raise ValueError(f"a rival does not know the layer {kind}")
