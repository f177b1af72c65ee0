"""What has to hold of a gradient penalty and of the training step around it.

A property is a function that asserts something of a `Method`, the way in which a program does it.
`test_mutations.py` shows that each accepts minigan's way, and which known mistakes it rejects.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Callable, Mapping

import numpy as np

from minigan import losses, op_hook
from minigan.engine import Tensor, grad, tensor
from minigan.models import cgan
from minigan.models.wgan_gp import WGANGP
from minigan.nn import Conv2d, Dense, Flatten, LayerNorm, LeakyReLU, Module, Sequential, Tanh
from minigan.ops import reshape
from minigan.penalties import gradient_penalty
from minigan.streams import Stream, Streams

LAYOUTS = {"points": (6,), "NHWC": (4, 4, 2), "NCHW": (2, 3, 3)}  # the shape of one sample


def dense(shape: tuple[int, ...], activation: Callable[[], Module] = Tanh) -> Sequential:
    """Two dense layers around a smooth activation, for samples of any shape."""
    rng = Streams(1)["init"]
    return Sequential(Flatten(), Dense(int(np.prod(shape)), 3, rng=rng), activation(),
                      Dense(3, 1, rng=rng)).astype("float64")


def convolutional(*between: Module, conv: type = Conv2d) -> Sequential:
    """Two strided convolutions for 4x4 images with two channels; `between` them what is given."""
    rng = Streams(2)["init"]
    return Sequential(conv(2, 3, 3, 2, 1, rng=rng), *between, conv(3, 1, 2, rng=rng),
                      Flatten()).astype("float64")


CRITICS = {  # name -> (how to build it, the shape of its samples)
    "dense": (lambda: dense(LAYOUTS["points"]), LAYOUTS["points"]),
    "dense, on NCHW images": (lambda: dense(LAYOUTS["NCHW"]), LAYOUTS["NCHW"]),
    "convolutions": (lambda: convolutional(LeakyReLU(0.2)), LAYOUTS["NHWC"]),
    "convolutions and layer norm": (lambda: convolutional(LayerNorm(3, (1, 2, 3)), Tanh()),
                                    LAYOUTS["NHWC"]),
}


@dataclass(frozen=True)
class Method:
    """How a program does it: minigan's way, unless a mutation replaces a part."""

    penalty: Callable[..., Tensor] = gradient_penalty  # (critic, real, fake, rng)
    critics: Mapping[str, Any] = field(default_factory=lambda: CRITICS)
    networks: Mapping[str, Any] = field(default_factory=lambda: cgan.NETWORKS)  # conditional ones
    model: type = WGANGP  # whose steps are looked at

    def pays(self, critic: Module, real: np.ndarray, fake: np.ndarray | None = None) -> Tensor:
        """The penalty. Without fake samples they are the real ones, so that no epsilon matters."""
        return self.penalty(critic, tensor(real), tensor(real if fake is None else fake), epsilon())


PROPERTIES: dict[str, Callable[[Method], None]] = {}


def must(name: str) -> Callable[[Callable[[Method], None]], Callable[[Method], None]]:
    """Register a property under the words that complete "a penalty must ..."."""
    return lambda function: PROPERTIES.setdefault(name, function)


def epsilon() -> Stream:
    """The penalty's random stream, always at its start."""
    return Streams(0)["penalty"]


def samples(n: int, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.Generator(np.random.Philox(seed)).standard_normal((n, *shape))


# ---------------------------------------------------------------- of the penalty

@must("punish a linear critic by its slope")
def linear(method: Method) -> None:
    """f(x) = <w, x>: (||w|| - 1)^2 exactly, with gradient 2 (||w|| - 1) w / ||w||, always."""
    for shape in LAYOUTS.values():
        for n, length in ((1, 0.3), (4, 3.0)):
            critic = Sequential(Flatten(), Dense(int(np.prod(shape)), 1, bias=False))
            w = critic.astype("float64").parameters()[0]
            w.assign(samples(1, w.shape, seed=3)[0])
            w.assign(w.data * (length / np.linalg.norm(w.data)))
            penalty = method.pays(critic, samples(n, shape), samples(n, shape, seed=1))
            np.testing.assert_allclose(penalty.item(), (length - 1) ** 2, rtol=1e-12)
            np.testing.assert_allclose(grad(penalty, w, unreached="zeros").numpy(),
                                       2 * (length - 1) * w.data / length, rtol=1e-10)


class Shuffled(Module):
    """A critic that puts the numbers of each sample back in order before it looks."""

    def __init__(self, critic: Module, order: np.ndarray) -> None:
        self.critic, self.back = critic, np.argsort(order)

    def forward(self, x: Tensor) -> Tensor:
        return self.critic(reshape(reshape(x, (len(x), -1))[:, self.back], x.shape))


@must("not depend on the order of samples and pixels")
def order(method: Method) -> None:
    """Shuffled samples, or shuffled pixels and a critic that expects them so, pay the same."""
    random = np.random.Generator(np.random.Philox(7))
    for build, shape in method.critics.values():
        critic, x = build(), samples(4, shape)
        due = method.pays(critic, x).item()
        np.testing.assert_allclose(method.pays(critic, x[[2, 0, 3, 1]]).item(), due, rtol=1e-10)
        pixels = random.permutation(x[0].size)
        moved = x.reshape(4, -1)[:, pixels].reshape(x.shape)
        np.testing.assert_allclose(method.pays(Shuffled(critic, pixels), moved).item(), due,
                                   rtol=1e-10)


@must("not depend on the size of the batch")
def size(method: Method) -> None:
    """A batch given twice, or three times over, pays what it pays once."""
    for build, shape in method.critics.values():
        critic, x = build(), samples(3, shape)
        due = method.pays(critic, x).item()
        for times in (2, 3):
            many = method.pays(critic, np.concatenate([x] * times)).item()
            np.testing.assert_allclose(many, due, rtol=1e-10)


@must("be additive over samples")
def additive(method: Method) -> None:
    """Exchanging one sample changes the penalty by the same amount, whatever the others are."""
    for build, shape in method.critics.values():
        critic, one, other = build(), samples(1, shape, seed=1), samples(1, shape, seed=2)
        changes = []
        for seed in (3, 4):
            rest = samples(3, shape, seed)
            before, after = (method.pays(critic, np.concatenate([x, rest])).item()
                             for x in (one, other))
            changes.append(after - before)
        assert changes[0] != 0
        np.testing.assert_allclose(*changes, rtol=1e-8)


def critic_loss(method: Method, name: str) -> tuple[Module, Callable[[], Tensor]]:
    """A critic, and its whole loss on a fixed batch: the distance and 10 times the penalty."""
    build, shape = method.critics[name]
    critic, x, y = build(), samples(3, shape), samples(3, shape, seed=1)
    return critic, lambda: losses.wasserstein_critic(critic(tensor(x)), critic(tensor(y))) + (
        10 * method.pays(critic, x, y))


def slope_along(loss: Callable[[], Tensor], p: Tensor, direction: np.ndarray) -> float:
    """The derivative of the loss for a movement of p, by a central difference."""
    middle, ends, h = p.data.copy(), [], 1e-5
    for step in (h, -h, 0):
        p.assign(middle + step * direction)
        ends.append(loss().item() if step else 0)
    return (ends[0] - ends[1]) / (2 * h)


@must("have the gradient that differences find")
def numeric(method: Method) -> None:
    """The gradient of the whole critic loss, along one direction of each weight and bias.

    The direction is halfway between a random one and the gradient's own, as in gradcheck.
    """
    for name in method.critics:
        critic, loss = critic_loss(method, name)
        parameters = critic.parameters()
        for p, g in zip(parameters, grad(loss(), parameters, unreached="zeros")):
            length = np.linalg.norm(g.numpy())
            along = samples(1, p.shape)[0]
            along = along / np.linalg.norm(along) + g.numpy() / max(length, 1e-9)
            found = slope_along(loss, p, along)
            np.testing.assert_allclose((g.numpy() * along).sum(), found, atol=1e-6 * (1 + length),
                                       rtol=0, err_msg=f"{name}: {p.name}")


@must("be finite where the critic is flat")
def finite(method: Method) -> None:
    """Weights of 0 everywhere, or a ReLU that is off for some of the samples: no NaN."""
    shape = LAYOUTS["points"]
    flat, partly = dense(shape), Sequential(Dense(6, 1), LeakyReLU(0.0)).astype("float64")
    for p in flat.parameters():
        p.assign(p.data * 0)
    x = samples(8, shape)
    off = partly(tensor(x)).numpy() == 0
    assert 0 < off.sum() < 8
    for critic in (flat, partly):
        with np.errstate(all="ignore"):
            penalty = method.pays(critic, x)
            gradients = grad(penalty, critic.parameters(), unreached="zeros")
        assert np.isfinite(penalty.item())
        assert all(np.isfinite(g.numpy()).all() for g in gradients)


class Watched(Module):
    """A critic that keeps what it was shown."""

    def __init__(self, critic: Module) -> None:
        self.critic, self.seen = critic, list[np.ndarray]()

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.numpy().copy())
        return self.critic(x)


@must("look between real and fake, a share a sample")
def points(method: Method) -> None:
    """x_hat = epsilon x + (1 - epsilon) x_tilde with epsilon from U[0, 1], one for each sample."""
    for shape in LAYOUTS.values():
        real = samples(64, shape)
        fake = real + 1 + samples(64, shape, seed=1) ** 2
        critic = Watched(dense(shape))
        method.pays(critic, real, fake)
        share = ((critic.seen[-1] - fake) / (real - fake)).reshape(64, -1)
        assert np.ptp(share, axis=1).max() < 1e-9                    # one number for all pixels
        assert len(np.unique(share[:, 0].round(9))) == 64            # another for each sample
        assert 0 <= share.min() < 0.2 and 0.8 < share.max() <= 1


@must("make no matrix product that nobody needs")
def products(method: Method) -> None:
    """One a layer forward, one a layer back to the samples; none for a gradient of weights."""
    for critic, shape, layers in ((dense(LAYOUTS["points"]), LAYOUTS["points"], 2),
                                  (convolutional(Tanh()), LAYOUTS["NHWC"], 2)):
        made = []

        def watch(op, within, run):
            made.extend({op.name} & {"affine", "matmul", "conv2d", "conv_transpose2d",
                                     "conv2d_weight"})
            return run()

        with op_hook(watch):
            method.pays(critic, samples(3, shape))
        assert len(made) <= 2 * layers, made


# ---------------------------------------------------------------- of the step around it

@must("let the label change what D says")
def labels(method: Method) -> None:
    """D's logit of each image changes when the image's label does."""
    images, asked = tensor(samples(10, (8, 8, 1)).astype("float32")), np.arange(10)
    for name, build in method.networks.items():
        said = [discriminator(name, build)(images, tensor(y)).numpy()
                for y in (asked, np.roll(asked, 1))]
        assert (said[0] != said[1]).all(), name


@cache
def discriminator(name: str, build: Callable[..., Any]) -> Module:
    """A conditional D for 8x8 images and ten labels, in evaluation mode."""
    return build(cgan.Settings(networks=name, width=4), (8, 8, 1), 10, Streams(0))[1].eval()


@must("train one network at a time")
def steps(method: Method) -> None:
    """The critic's step changes all its weights and nothing of G, G's step all of G's and no other.

    Biases may stand still: what shifts every score alike moves neither loss.
    """
    model = method.model("toy", (1, 1, 2), width=8)

    def changed(step: Callable[..., Any], argument: Any) -> list[set[str]]:
        networks = (model.generator, model.discriminator)
        before = [network.state_dict() for network in networks]
        step(argument)
        return [{name for name, value in network.state_dict().items()
                 if not np.array_equal(value, old[name])} for network, old in zip(networks, before)]

    weights = [{name for name, p in network.named_parameters() if p.role == "weight"}
               for network in (model.generator, model.discriminator)]
    of_g, of_critic = changed(model.critic_step, tensor(samples(6, (1, 1, 2)).astype("float32")))
    assert not of_g and weights[1] <= of_critic
    of_g, of_critic = changed(model.generator_step, 6)
    assert weights[0] <= of_g and not of_critic
