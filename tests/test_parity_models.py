"""Training steps against PyTorch: the same weights, noise and data, float64, plainly written there.

Each test writes its model's step as a PyTorch user would and compares losses, all weights and all
running statistics. A new model gets a function like `gan_in_torch` and a test of its own; `Twin`
has what they share. Skipped where PyTorch is not installed.
"""
from __future__ import annotations

import math
from typing import Any, Callable

import numpy as np
import pytest
from model_tools import build, in_float64

import minigan as mg
from minigan import data
from minigan.backend import Stream
from minigan.models.model import Model

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.parity

STEPS, BATCH, TOLERANCE = 10, 16, 1e-9


@pytest.fixture(autouse=True)
def one_thread():
    """Small products on several threads wait longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def layout(array: np.ndarray) -> np.ndarray:
    """PyTorch's layout of a weight: (in, out) -> (out, in), (KH, KW, a, b) -> (b, a, KH, KW).

    The second is right for Conv2d, whose a is in, and for ConvTranspose2d, whose a is out.
    """
    return np.ascontiguousarray(array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T)


class Mask(torch.nn.Module):
    """Dropout whose masks come from a minigan stream, read a second time."""

    def __init__(self, rate: float, rng: Stream) -> None:
        super().__init__()
        self.rate, self.rng = rate, rng

    def forward(self, x):
        if not self.training:
            return x
        kept = self.rng.uniform(tuple(x.shape), dtype="float64") >= self.rate
        return x * torch.from_numpy(kept) / (1 - self.rate)


class Nhwc(torch.nn.Module):
    """A vector as an image, in minigan's order of axes: data and losses need no transposing."""

    def forward(self, x):
        return x.reshape(len(x), 28, 28, 1)


def in_torch(network: mg.nn.Module, dropout: Stream | None = None) -> Any:
    """A Sequential of dense layers in PyTorch, with copies of the weights, in its own layout."""
    nn, layers = torch.nn, []
    for layer in network.layers:
        kind = type(layer).__name__
        made = {
            "Dense": lambda: nn.Linear(*layer.weight.shape),
            "BatchNorm": lambda: nn.BatchNorm1d(layer.gamma.size),
            "LeakyReLU": lambda: nn.LeakyReLU(layer.slope), "Tanh": nn.Tanh, "Flatten": nn.Flatten,
            "Dropout": lambda: Mask(layer.rate, dropout), "Reshape": Nhwc}[kind]().double()
        with torch.no_grad():
            if kind == "Dense":
                made.weight.copy_(torch.from_numpy(layout(layer.weight.data)))
                made.bias.copy_(torch.from_numpy(layer.bias.data))
        layers.append(made)
    return nn.Sequential(*layers)


class Twin:
    """One model in minigan and in PyTorch, with the data and the noise for both."""

    def __init__(self, name: str, preset: str, **settings: Any) -> None:
        self.model: Model = in_float64(build(name, preset, seed=3, **settings))
        dropout = Stream(3, "dropout")
        self.G = in_torch(self.model.generator, dropout)
        self.D = in_torch(self.model.discriminator, dropout)
        random = np.random.Generator(np.random.Philox(7))
        size = self.model.settings.latent_size
        self.noise = [random.standard_normal((BATCH, size)) for _ in range(2 * STEPS)]
        images = data.load("digits")
        chosen = random.permutation(len(images))[:STEPS * BATCH].reshape(STEPS, BATCH)
        self.x = [data.to_model(images.images[rows]).astype("float64") for rows in chosen]
        drawn = iter(self.noise)
        self.model.latent = lambda n: mg.tensor(next(drawn))  # type: ignore[method-assign]

    def run(self, step: Callable[[Any, Callable[[], Any]], dict[str, Any]]) -> None:
        """Ten steps on both sides, then everything is compared.

        step(x, draw): one step in PyTorch; draw() gives the next noise. Returns the losses.
        """
        drawn = iter(self.noise)
        for x in self.x:
            ours = self.model.step(mg.tensor(x))
            theirs = step(torch.from_numpy(x), lambda: torch.from_numpy(next(drawn)))
            assert list(ours) == list(theirs)
            for key, value in theirs.items():
                assert math.isclose(ours[key].item(), value.item(), rel_tol=TOLERANCE,
                                    abs_tol=TOLERANCE), key
        self.same(self.model.generator, self.G)
        self.same(self.model.discriminator, self.D)

    def same(self, ours: mg.nn.Module, theirs: Any) -> None:
        """Weights and running statistics, layer by layer."""
        names = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias",
                 "running_mean": "running_mean", "running_var": "running_var"}
        compared = 0
        for layer, twin in zip(ours.layers, theirs, strict=True):
            for name, value in layer.named_tensors():
                array = layout(value.data) if name == "weight" else value.data
                due = getattr(twin, names[name]).detach().numpy()
                np.testing.assert_allclose(array, due, rtol=TOLERANCE, atol=TOLERANCE)
                compared += 1
        assert compared == len(list(ours.named_tensors())) >= 4


def gan_in_torch(twin: Twin, g_loss: Callable[[Any], Any], lr: float,
                 betas: tuple[float, float]) -> Callable[[Any, Any], dict[str, Any]]:
    """Goodfellow et al. 2014, algorithm 1; one batch of noise serves both updates."""
    G, D = twin.G, twin.D
    g_optimizer = torch.optim.Adam(G.parameters(), lr, betas)
    d_optimizer = torch.optim.Adam(D.parameters(), lr, betas)
    bce = torch.nn.BCEWithLogitsLoss()

    def step(x, draw):
        real, fake = torch.ones(BATCH, 1).double(), torch.zeros(BATCH, 1).double()
        images = G(draw())
        d_optimizer.zero_grad()
        d_loss = bce(D(x), real) + bce(D(images.detach()), fake)
        d_loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        loss = g_loss(D(images))
        loss.backward()
        g_optimizer.step()
        return {"d_loss": d_loss, "g_loss": loss}

    return step


def non_saturating(logits):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def minimax(logits):
    return torch.nn.functional.logsigmoid(-logits).mean()


@pytest.mark.parametrize("loss, formula", [("non-saturating", non_saturating),
                                           ("minimax", minimax)])
def test_ten_steps_of_the_seed_gan(loss, formula):
    twin = Twin("gan", "seed", loss=loss, learning_rate=2e-4)
    twin.run(gan_in_torch(twin, formula, 2e-4, (0.5, 0.999)))


def test_ten_steps_of_the_mlp_gan_with_batch_norm_dropout_and_average():
    twin = Twin("gan", "mlp", learning_rate=2e-4)
    averages = {name: value.copy() for name, value in twin.model.generator.state_dict().items()}
    plain, t = gan_in_torch(twin, non_saturating, 2e-4, (0.5, 0.999)), 0

    def step(x, draw):
        nonlocal t
        losses = plain(x, draw)
        decay, t = min(0.999, (1 + t) / (10 + t)), t + 1
        for (name, _), value in zip(twin.model.generator.named_tensors(), tensors(twin.G)):
            averages[name] = decay * averages[name] + (1 - decay) * value
        return losses

    twin.run(step)
    assert twin.model.streams["dropout"].counter > 0
    for name, value in twin.model.ema.network.state_dict().items():
        np.testing.assert_allclose(value, averages[name], rtol=TOLERANCE, atol=TOLERANCE)
    x = mg.tensor(twin.noise[0])  # and evaluation mode, from the running statistics
    np.testing.assert_allclose(twin.model.generator.eval()(x).data,
                               twin.G.eval()(torch.from_numpy(twin.noise[0])).detach().numpy(),
                               rtol=TOLERANCE, atol=TOLERANCE)


def tensors(network: Any) -> list[np.ndarray]:
    """Weights and running statistics in minigan's order and layout."""
    found = []
    for layer in network:
        state = {name: value.detach().numpy() for name, value in layer.state_dict().items()}
        if state and "running_mean" not in state:
            state["weight"] = layout(state["weight"])
        found += [state[name] for name in ("weight", "bias", "running_mean", "running_var")
                  if name in state]
    return found
