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
- `conv28`: three strided layers each way on 28x28 images, as in the authors' MNIST code, but of 4x4
  (the authors: 5x5 and a cut from 8 to 7 pixels) and a quarter as wide, no norm in the critic, and
  beta1 = 0.5 as theirs. n_critic = 2 and ten times the learning rate, for a few minutes on a
  processor.
- `wide28`: two wide layers, layer norm in the critic, for measuring speed.
- `toy`: the authors' networks for two-dimensional data, with their lambda = 0.1.
- `seed`: the smallest dense networks of the GAN's file, for measuring the engine.
- `paper64`: the DCGAN of section 5.1 at 64x64 with layer norm in the critic.
"""

from __future__ import annotations

import dataclasses
import math

from minigan import losses
from minigan.engine import Tensor, grad, no_grad
from minigan.models.model import Model, Panel
from minigan.models.settings import setting
from minigan.models.sizes import Shape, halved, halving
from minigan.nn import (BatchNorm, Conv2d, ConvTranspose2d, Dense, Flatten, LayerNorm, LeakyReLU,
                        Module, ReLU, Reshape, Sequential, Tanh, init)
from minigan.ops import negative
from minigan.optim import EMA, Adam
from minigan.penalties import gradient_penalty


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
        self.generator, self.discriminator = NETWORKS[s.networks](s, self.shape, self.streams)
        betas = (s.beta1, s.beta2)
        self.g_optimizer = Adam(self.generator.parameters(), s.learning_rate, betas)
        self.c_optimizer = Adam(self.discriminator.parameters(), s.learning_rate, betas)
        self.optimizers = {"g_optimizer": self.g_optimizer, "c_optimizer": self.c_optimizer}
        self.ema = EMA(self.generator, s.ema) if s.ema else None

    def phase(self) -> str:
        """"both" when the critic will have had n_critic updates since G's last, else "critic"."""
        done = self.c_optimizer.t + 1
        return "critic" if done % self.settings.n_critic else "both"

    def critic_step(self, x: Tensor) -> dict[str, Tensor]:
        """Algorithm 1, lines 4 to 9, for a whole batch x at once."""
        G, f = self.generator, self.discriminator
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
        G, f = self.generator, self.discriminator
        loss = losses.wasserstein_generator(f(G(self.latent(n))))
        self.g_optimizer.step(grad(loss, G.parameters()))
        if self.ema:
            self.ema.update()
        return {"g_loss": loss.detach()}

    def step(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """One update of the critic, and one of G when n_critic of them are done."""
        phase, result = self.phase(), self.critic_step(x)
        if phase == "both":
            result.update(self.generator_step(len(x)))
        return result


# ---------------------------------------------------------------- networks

def conv(s: Settings, shape: Shape, streams) -> tuple[Module, Module]:
    """Strided layers; batch norm in G, layer norm or nothing in the critic."""
    sizes, channels = halved(shape, s.layers, odd=True), shape[2]   # (28, 28), (14, 14), ...
    wide = [s.width << i for i in range(s.layers)]                  # 16, 32, ...
    he = {"weight_init": init.he_uniform, "rng": streams["init"]}
    layers = [{**halving(size), **he} for size in sizes[:-1]]
    first = sizes[-1][0] * sizes[-1][1] * wide[-1]
    generator: list[Module] = [Dense(s.latent_size, first, rng=streams["init"]),
                               Reshape(*sizes[-1], wide[-1])]
    critic: list[Module] = []
    for layer, n_in, n_out in zip(layers[::-1], wide[::-1], wide[-2::-1] + [channels]):
        generator += [BatchNorm(n_in), ReLU(), ConvTranspose2d(n_in, n_out, **layer)]
    for layer, n_in, n_out in zip(layers, [channels] + wide, wide):
        critic += [Conv2d(n_in, n_out, **layer)]
        critic += [LayerNorm(n_out, axes=(1, 2, 3))] if s.layer_norm and critic[1:] else []
        critic += [LeakyReLU(0.2)]
    return (Sequential(*generator, Tanh()),
            Sequential(*critic, Flatten(), Dense(first, 1, rng=streams["init"])))


def toy(s: Settings, shape: Shape, streams) -> tuple[Module, Module]:
    """Three hidden ReLU layers each, for points (shape (1, 1, 2)) or anything flat."""
    size, rng = math.prod(shape), streams["init"]

    def hidden(n_in: int) -> list[Module]:
        sizes = [n_in, s.width, s.width, s.width]
        return [layer for n, m in zip(sizes, sizes[1:])
                for layer in (Dense(n, m, weight_init=init.he_uniform, rng=rng), ReLU())]

    return (Sequential(*hidden(s.latent_size), Dense(s.width, size, rng=rng), Reshape(*shape)),
            Sequential(Flatten(), *hidden(size), Dense(s.width, 1, rng=rng)))


def seed(s: Settings, shape: Shape, streams) -> tuple[Module, Module]:
    """100 -> 128 -> 784 and 784 -> 128 -> 1."""
    pixels, rng = math.prod(shape), streams["init"]
    return (Sequential(Dense(s.latent_size, 128, rng=rng), LeakyReLU(0.01),
                       Dense(128, pixels, rng=rng), Tanh(), Reshape(*shape)),
            Sequential(Flatten(), Dense(pixels, 128, rng=rng), LeakyReLU(0.01),
                       Dense(128, 1, rng=rng)))


NETWORKS = {"conv": conv, "toy": toy, "seed": seed}
