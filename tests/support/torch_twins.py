"""What PyTorch needs to walk beside a model: our weights, noise, masks, labels and data.

Networks are written in PyTorch by the test that uses them, images as (N, C, H, W). Where vectors
become images and back, `Images` and `Flat` keep our order of elements (height, width, channel), so
dense weights need no sorting. Importing this file skips where PyTorch is not installed.
"""
from __future__ import annotations

import copy
import math
from typing import Any, Callable, Iterator

import numpy as np
import pytest
from model_tools import build, in_float64

import minigan as mg
from minigan import data
from minigan.models.model import Model
from minigan.streams import Stream

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # small products on several threads wait longer than they compute
nn = torch.nn

SEED, BATCH, STEPS, TOLERANCE = 3, 16, 10, 1e-9
NAMES = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias",
         "running_mean": "running_mean", "running_var": "running_var"}  # ours: theirs


# Layers.

class Flat(nn.Module):
    """(N, C, H, W) -> (N, H * W * C)."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).reshape(len(x), -1)


class Images(nn.Module):
    """(N, H * W * C) -> (N, C, H, W)."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x):
        return x.reshape(len(x), self.height, self.width, -1).permute(0, 3, 1, 2)


class Mask(nn.Module):
    """Dropout whose masks come from a minigan stream, read a second time."""

    def __init__(self, rate: float, stream: Stream) -> None:
        super().__init__()
        self.rate, self.stream = rate, stream

    def forward(self, x):
        if not self.training:
            return x
        images = x.ndim == 4
        shape = x.permute(0, 2, 3, 1).shape if images else x.shape
        kept = uniform(self.stream, *shape) >= self.rate
        return x * (kept.permute(0, 3, 1, 2) if images else kept) / (1 - self.rate)


def uniform(stream: Stream, *shape: int) -> Any:
    """Numbers in [0, 1) from a minigan stream."""
    return torch.from_numpy(stream.uniform(shape, dtype="float64"))


# Weights.

def tensors(network: mg.nn.Module) -> list[list[tuple[str, Any]]]:
    """Layer by layer, the weights and running statistics of those that have any."""
    found = [[(name, value) for name, value in vars(module).items() if isinstance(value, mg.Tensor)]
             for _, module in network.named_modules()]
    return [layer for layer in found if layer]


def pairs(ours: mg.nn.Module, theirs: Any) -> Iterator[tuple[str, np.ndarray, Any]]:
    """Each of our tensors in PyTorch's layout and its twin, in the order of the layers.

    (KH, KW, a, b) becomes (b, a, KH, KW): of a convolution a is "in", of a transposed one "out".
    """
    layers = [module for module in theirs.modules() if list(module.parameters(recurse=False))]
    for layer, twin in zip(tensors(ours), layers, strict=True):
        assert {NAMES[name] for name, _ in layer} == set(twin.state_dict()) - {
            "num_batches_tracked"}
        for name, value in layer:
            array = value.data.transpose(3, 2, 0, 1) if value.ndim == 4 else value.data
            array = array.T if isinstance(twin, nn.Linear) else array
            yield name, np.ascontiguousarray(array), getattr(twin, NAMES[name])


def give_weights(ours: mg.nn.Module, theirs: Any) -> Any:
    """The PyTorch network in float64, with copies of our weights."""
    with torch.no_grad():
        for name, array, twin in pairs(ours, theirs.double()):
            assert array.shape == twin.shape, name
            twin.copy_(torch.from_numpy(array))
    return theirs


def same(ours: mg.nn.Module, theirs: Any) -> None:
    """All weights and running statistics agree."""
    compared = 0
    for name, array, twin in pairs(ours, theirs):
        np.testing.assert_allclose(array, twin.detach().numpy(), rtol=TOLERANCE, atol=TOLERANCE,
                                   err_msg=name)
        compared += 1
    assert compared == len(ours.state_dict()) >= 4


class Average:
    """Moving averages of all of a network's numbers; the first ones forget faster."""

    def __init__(self, network: Any, decay: float) -> None:
        self.source, self.decay, self.t = network, decay, 0
        self.network = copy.deepcopy(network)

    def update(self) -> None:
        decay = min(self.decay, (1 + self.t) / (10 + self.t))
        self.t += 1
        for mean, value in zip(self.network.state_dict().values(),
                               self.source.state_dict().values(), strict=True):
            mean.copy_(decay * mean + (1 - decay) * value)


# A model and its twin.

def to_torch(images: np.ndarray) -> Any:
    """(N, H, W, C) -> (N, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


class Twin:
    """One model in minigan and in PyTorch: the same weights, and then the same data and noise.

    Noise is read from streams of the same seed and name a second time, so the twin also says which
    numbers a step draws, and in which order. points: data other than digits, (many, H, W, C).
    """

    def __init__(self, name: str, preset: str, G: Any, D: Any, batch: int = BATCH,
                 points: np.ndarray | None = None, **settings: Any) -> None:
        digits = data.load("digits")
        order = np.random.Generator(np.random.Philox(7)).permutation(len(digits))
        self.images, self.labels, self.batch = digits.images[order], digits.labels[order], batch
        self.points = points
        shape = digits.shape if points is None else points.shape[1:]
        self.model: Model = in_float64(build(name, preset, SEED, shape=shape, **settings))
        self.settings = self.model.settings
        self.G = give_weights(self.model.generator, G)
        self.D = give_weights(self.model.discriminator, D)
        self.average = Average(self.G, self.settings.ema) if self.model.ema else None
        self.latent, self.penalty = Stream(SEED, "latent"), Stream(SEED, "penalty")

    def noise(self, n: int) -> Any:
        """The next n latent vectors: normal, and uniform where the paper has them so."""
        size = (n, self.settings.latent_size)
        z = (self.latent.uniform(size, -1.0, 1.0) if self.settings.networks == "paper"
             else self.latent.normal(size))
        return torch.from_numpy(z.astype("float64"))

    def batches(self, steps: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Images (batch, H, W, C) and their labels."""
        for i in range(steps):
            rows = slice(i * self.batch, (i + 1) * self.batch)
            x = data.to_model(self.images[rows]) if self.points is None else self.points[rows]
            yield x.astype("float64"), self.labels[rows]

    def run(self, step: Callable[..., dict[str, Any]], steps: int = STEPS) -> None:
        """Some steps on both sides; all losses are compared, and everything else at the end.

        step(x), or step(x, labels) of a conditional model: one step in PyTorch; its losses.
        """
        for x, labels in self.batches(steps):
            ours = self.model.step(mg.tensor(x), mg.tensor(labels))
            given = [torch.from_numpy(labels)] if self.model.conditional else []
            theirs = step(to_torch(x), *given)
            assert list(ours) == list(theirs)
            for key, value in theirs.items():
                assert math.isclose(ours[key].item(), value.item(), rel_tol=TOLERANCE,
                                    abs_tol=TOLERANCE), key
        same(self.model.generator, self.G)
        same(self.model.discriminator, self.D)
        self.same_samples(self.G, raw=True)
        if self.average:
            same(self.model.ema.network, self.average.network)
            self.same_samples(self.average.network, raw=False)

    def same_samples(self, G: Any, raw: bool) -> None:
        """In evaluation mode, where batch norm uses its running statistics."""
        z, labels = self.noise(self.batch), self.labels[:self.batch]
        given = [torch.from_numpy(labels)] if self.model.conditional else []
        ours = self.model.sample(mg.tensor(z.numpy()), labels, raw).numpy()
        with torch.no_grad():
            theirs = G.eval()(z, *given).permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)
