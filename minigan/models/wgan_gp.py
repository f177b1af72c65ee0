"""WGAN-GP: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs",
https://arxiv.org/abs/1704.00028.

WGAN with the critic held 1-Lipschitz by a penalty on its gradient instead of clipped weights
(eq. 3):

    L = E f(x_tilde) - E f(x) + lambda E (||grad of f at x_hat||_2 - 1)^2,

x_hat on straight lines between pairs of real and generated samples. Algorithm 1: n_critic = 5,
Adam with rate 0.0001, beta1 = 0, beta2 = 0.9, lambda = 10. No batch norm in the critic (section 4):
it would make the gradient at one sample depend on the others.

Deviations from the paper, by preset:
- all: a `step` is one critic update, and G's update follows every n_critic-th, so that one batch of
  images serves one step; a moving average of G draws the samples (`ema`).
- `conv28`: three strided layers each way on 28x28 images, as in the authors' MNIST code, with its
  beta1 = 0.5 and no norm in the critic, but with 4x4 kernels (the authors: 5x5, and a cut from 8 to
  7 pixels) and a quarter as wide. n_critic = 2 and ten times the learning rate, for a few minutes
  on a processor.
- `wide28`: two wide layers, layer norm in the critic, for measuring speed.
- `toy`: the authors' networks for two-dimensional data, with their lambda = 0.1.
- `seed`: the smallest dense networks of the GAN's file, for measuring the engine.
- `paper64`: the DCGAN of section 5.1 at 64x64 with layer norm in the critic.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from minigan import losses
from minigan.engine import Tensor, grad, no_grad
from minigan.models.model import Model, Networks, Panel
from minigan.models.settings import setting
from minigan.models.sizes import Shape, halved, halving
from minigan.nn import (BatchNorm, Conv2d, ConvTranspose2d, Dense, Flatten, LayerNorm, LeakyReLU,
                        Module, ReLU, Reshape, Sequential, Tanh, init)
from minigan.ops import negative
from minigan.optim import EMA, Adam
from minigan.penalties import gradient_penalty
from minigan.streams import Streams


@dataclasses.dataclass(frozen=True)
class Settings:
    """The hyper-parameters; each is an option of `minigan train wgan-gp`."""

    networks: str = setting("conv", "which networks", ("conv", "toy", "seed"))
    width: int = setting(16, "channels of the critic's first layer, or width of `toy`")
    layers: int = setting(3, "strided layers of each convolutional network")
    layer_norm: bool = setting(False, "layer norm in the convolutional critic")
    latent_size: int = setting(100, "numbers in a latent vector z")
    penalty: float = setting(10.0, "weight of the gradient penalty (lambda)")
    one_sided: bool = setting(False, "punish slopes above 1 only")
    n_critic: int = setting(5, "critic updates for each update of G")
    learning_rate: float = setting(1e-4, "learning rate of both optimizers (alpha)",
                                   positive=True)
    beta1: float = setting(0.5, "Adam's decay of the mean")
    beta2: float = setting(0.9, "Adam's decay of the square")
    ema: float = setting(0.999, "decay of the moving average of G's weights; 0 for none")


class WGANGP(Model):
    """Wasserstein GAN with gradient penalty."""

    name = "wgan-gp"
    paper = "Gulrajani et al. 2017, Improved Training of Wasserstein GANs"
    normal_curve = ("normal: the estimate of W rises in the first steps, then falls slowly for the "
                    "whole run; the penalty stays small beside it; G's loss may have any sign")
    panels = (Panel("estimate of W", ("w_estimate",)), Panel("penalty", ("penalty",)),
              Panel("G's loss", ("g_loss",)))
    default_steps = 9_000
    Settings = Settings
    presets = {
        "conv28": Settings(n_critic=2, learning_rate=1e-3),
        "wide28": Settings(width=64, layers=2, layer_norm=True),
        "toy": Settings(networks="toy", width=512, latent_size=2, penalty=0.1),
        "seed": Settings(networks="seed", ema=0.0),
        "paper64": Settings(width=64, layers=4, layer_norm=True, beta1=0.0),
    }
    shapes = {"paper64": (64, 64, 3)}

    def build(self) -> None:
        s = self.settings
        networks = NETWORKS[s.networks]
        self.generator, self.discriminator = networks(s, self.shape, self.streams)
        betas = (s.beta1, s.beta2)
        self.g_optimizer = Adam(self.generator.parameters(), s.learning_rate, betas)
        self.c_optimizer = Adam(self.discriminator.parameters(), s.learning_rate, betas)
        self.optimizers = {"g_optimizer": self.g_optimizer, "c_optimizer": self.c_optimizer}
        self.ema = EMA(self.generator, s.ema) if s.ema else None

    def phase(self) -> str:
        """"both" in the last of the critic's n_critic updates for one of G."""
        c_updates = self.c_optimizer.t + 1  # including the next one
        return "both" if c_updates % self.settings.n_critic == 0 else "critic"

    def critic_step(self, x: Tensor) -> dict[str, Tensor]:
        """Algorithm 1, lines 4 to 9, for a whole batch x at once."""
        G = self.generator
        f = self.discriminator
        with no_grad():
            fake = G(self.latent(len(x)))                                     # lines 4 and 5
        distance = losses.wasserstein_critic(f(x), f(fake))
        penalty = gradient_penalty(f, x, fake, self.streams["penalty"],       # lines 6 and 7
                                   self.settings.one_sided)
        loss = distance + self.settings.penalty * penalty
        self.c_optimizer.step(grad(loss, f.parameters()))                     # line 9
        return {"w_estimate": negative(distance.detach()), "penalty": penalty.detach()}

    def generator_step(self, n: int) -> dict[str, Tensor]:
        """Algorithm 1, lines 11 and 12, with n latent vectors."""
        G = self.generator
        f = self.discriminator
        loss = losses.wasserstein_generator(f(G(self.latent(n))))
        self.g_optimizer.step(grad(loss, G.parameters()))
        if self.ema:
            self.ema.update()
        return {"g_loss": loss.detach()}

    def step(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """One update of the critic, and one of G when n_critic of them are done."""
        phase = self.phase()
        result = self.critic_step(x)
        if phase == "both":
            result.update(self.generator_step(len(x)))
        return result


# ---------------------------------------------------------------- networks

def conv(s: Settings, shape: Shape, streams: Streams) -> Networks:
    """Strided layers, as in DCGAN; batch norm in G, layer norm or nothing in the critic."""
    return conv_generator(s, shape, streams), conv_critic(s, shape, streams)


def conv_generator(s: Settings, shape: Shape, streams: Streams) -> Module:
    """G: a dense layer, then transposed convolutions of stride 2, each with half the channels.

    `conv28`:

        z            100
        dense         4 x  4 x 64     batch norm, ReLU
        transposed    7 x  7 x 32     batch norm, ReLU
        transposed   14 x 14 x 16     batch norm, ReLU
        transposed   28 x 28 x  1     tanh
    """
    sizes = halved(shape, s.layers, odd=True)                    # (28, 28), ..., (4, 4)
    widths = [s.width * 2 ** i for i in range(s.layers)]         # 16, 32, 64
    height, width = sizes[-1]
    rng = streams["init"]
    he: dict[str, Any] = {"weight_init": init.he_uniform, "rng": rng}

    layers: list[Module] = [
        Dense(s.latent_size, height * width * widths[-1], rng=rng),
        Reshape(height, width, widths[-1])]
    for i in reversed(range(s.layers)):
        n_out = widths[i - 1] if i > 0 else shape[2]
        layers += [BatchNorm(widths[i]), ReLU()]
        layers += [ConvTranspose2d(widths[i], n_out, **halving(sizes[i]), **he)]
    return Sequential(*layers, Tanh())


def conv_critic(s: Settings, shape: Shape, streams: Streams) -> Module:
    """f: convolutions of stride 2, each with twice the channels of the last, and one number.

    `conv28`, where there is no layer norm:

        x            28 x 28 x  1
        convolution  14 x 14 x 16     LeakyReLU
        convolution   7 x  7 x 32     layer norm, LeakyReLU
        convolution   4 x  4 x 64     layer norm, LeakyReLU
        dense         1
    """
    sizes = halved(shape, s.layers, odd=True)                    # (28, 28), ..., (4, 4)
    height, width = sizes[-1]
    rng = streams["init"]
    he: dict[str, Any] = {"weight_init": init.he_uniform, "rng": rng}

    layers: list[Module] = []
    n_in = shape[2]
    for i in range(s.layers):
        n_out = s.width * 2 ** i                                 # 16, 32, 64
        layers += [Conv2d(n_in, n_out, **halving(sizes[i]), **he)]
        if s.layer_norm and i > 0:  # none on the critic's input, as in DCGAN
            layers += [LayerNorm(n_out, axes=(1, 2, 3))]
        layers += [LeakyReLU(0.2)]
        n_in = n_out
    return Sequential(*layers, Flatten(), Dense(height * width * n_in, 1, rng=rng))


def toy(s: Settings, shape: Shape, streams: Streams) -> Networks:
    """Three hidden ReLU layers each, for points (shape (1, 1, 2)) or anything flat."""
    size = math.prod(shape)
    w = s.width
    rng = streams["init"]
    he: dict[str, Any] = {"weight_init": init.he_uniform, "rng": rng}
    generator = Sequential(                                      # z: (N, 2)
        Dense(s.latent_size, w, **he), ReLU(),                   # (N, 512)
        Dense(w, w, **he), ReLU(),                               # (N, 512)
        Dense(w, w, **he), ReLU(),                               # (N, 512)
        Dense(w, size, rng=rng), Reshape(*shape))                # (N, 1, 1, 2)
    critic = Sequential(                                         # x: (N, 1, 1, 2)
        Flatten(),                                               # (N, 2)
        Dense(size, w, **he), ReLU(),                            # (N, 512)
        Dense(w, w, **he), ReLU(),                               # (N, 512)
        Dense(w, w, **he), ReLU(),                               # (N, 512)
        Dense(w, 1, rng=rng))                                    # (N, 1)
    return generator, critic


def seed(s: Settings, shape: Shape, streams: Streams) -> Networks:
    """The smallest: one hidden layer each."""
    pixels = math.prod(shape)
    rng = streams["init"]
    generator = Sequential(                                      # z: (N, 100)
        Dense(s.latent_size, 128, rng=rng), LeakyReLU(0.01),     # (N, 128)
        Dense(128, pixels, rng=rng), Tanh(),                     # (N, 784)
        Reshape(*shape))                                         # (N, 28, 28, 1)
    critic = Sequential(                                         # x: (N, 28, 28, 1)
        Flatten(),                                               # (N, 784)
        Dense(pixels, 128, rng=rng), LeakyReLU(0.01),            # (N, 128)
        Dense(128, 1, rng=rng))                                  # (N, 1)
    return generator, critic


NETWORKS = {"conv": conv, "toy": toy, "seed": seed}
