"""Conditional GAN: Mirza and Osindero 2014, "Conditional Generative Adversarial Nets",
https://arxiv.org/abs/1411.1784.

Both networks are told a label y; the game (eq. 2) is

    min over G, max over D of   E log D(x | y) + E log(1 - D(G(z | y))).

D has to see the label: a D that does not could not tell a well drawn 3 from a 3 drawn when an 8 was
asked for, and G would learn to ignore y. How y enters a network is in nn/conditional.py.

Deviations from the paper, by preset:
- all: images are in [-1, 1] instead of [0, 1]; one batch of noise serves both updates of a step;
  fake images get the labels of the real batch.
- `conv`: convolutional networks with the label joined to z and, as maps, to every layer of D, after
  the DCGAN authors' own conditional code; normal noise, Adam, moving average of G.
- `projection`: the same without y in D's layers; its output is psi(h) + <V[y], h> instead, h being
  its last layer (Miyato and Koyama 2018, "cGANs with projection discriminator").
- `mlp`: one-hot labels joined to the inputs of dense networks; normal noise, Adam, moving average.
- `paper`: section 4.1: z (100, uniform) and y to 200 and 1000 ReLUs, 1200 jointly, sigmoid; x and y
  to maxout layers 240x5 and 50x5, 240x4 jointly; SGD with momentum. The slow decay of the learning
  rate and the rise of the momentum are left out.
"""

from __future__ import annotations

import dataclasses
import math

from minigan import losses
from minigan.engine import Tensor, grad
from minigan.models.model import Model
from minigan.models.settings import setting
from minigan.models.sizes import Shape, halved, halving
from minigan.nn import (BatchNorm, Branches, Conv2d, ConvTranspose2d, Dense, Dropout, Flatten,
                        Joined, LeakyReLU, Maxout, Module, Projection, ReLU, Reshape, Sequential,
                        Sigmoid, Tanh, ToImages, init)
from minigan.optim import EMA, SGD, Adam, Optimizer


@dataclasses.dataclass(frozen=True)
class Settings:
    """The hyper-parameters; each is an option of `minigan train cgan`."""

    networks: str = setting("conv", "which networks", ("conv", "projection", "mlp", "paper"))
    width: int = setting(16, "channels of D's first convolution")
    latent_size: int = setting(64, "numbers in a latent vector z")
    learning_rate: float = setting(1e-3, "learning rate of both optimizers", positive=True)
    beta1: float = setting(0.5, "Adam's decay of the mean (paper: momentum of SGD)")
    beta2: float = setting(0.999, "Adam's decay of the square")
    ema: float = setting(0.999, "decay of the moving average of G's weights; 0 for none")


class CGAN(Model):
    """Conditional GAN: digits on request."""

    name = "cgan"
    paper = "Mirza and Osindero 2014, Conditional Generative Adversarial Nets"
    normal_curve = ("normal: D's loss settles under 1.39 and G's above 0.7, both wobbling; each "
                    "column of the samples becomes one class within the first thousand steps")
    default_steps = 4_000
    conditional = True
    Settings = Settings
    presets = {
        "conv": Settings(),
        "projection": Settings(networks="projection"),
        "mlp": Settings(networks="mlp", latent_size=100, learning_rate=8e-4),
        "paper": Settings(networks="paper", latent_size=100, learning_rate=0.1, ema=0.0),
    }

    def build(self) -> None:
        s = self.settings
        self.generator, self.discriminator = NETWORKS[s.networks](s, self.shape, self.n_classes,
                                                                  self.streams)
        self.g_optimizer = self._optimizer(self.generator)
        self.d_optimizer = self._optimizer(self.discriminator)
        self.optimizers = {"g_optimizer": self.g_optimizer, "d_optimizer": self.d_optimizer}
        self.ema = EMA(self.generator, s.ema) if s.ema else None

    def _optimizer(self, network: Module) -> Optimizer:
        s = self.settings
        if s.networks == "paper":
            return SGD(network.parameters(), s.learning_rate, s.beta1)
        return Adam(network.parameters(), s.learning_rate, (s.beta1, s.beta2))

    def latent_from(self, stream, n: int) -> Tensor:
        """z (n, latent_size): standard normal; uniform in [-1, 1] for the paper's networks."""
        size = (n, self.settings.latent_size)
        return Tensor(stream.uniform(size, -1.0, 1.0) if self.settings.networks == "paper"
                      else stream.normal(size))

    def step(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The GAN's algorithm 1 under eq. 2. x: real images (m, H, W, C); labels: (m,)."""
        if labels is None or labels.shape != (len(x),):
            raise ValueError(f"labels: a conditional GAN needs one for each of {len(x)} images, "
                             f"got {labels if labels is None else labels.shape}")
        G, D = self.generator, self.discriminator
        fake = G(self.latent(len(x)), labels)

        d_loss = losses.discriminator(D(x, labels), D(fake.detach(), labels))
        self.d_optimizer.step(grad(d_loss, D.parameters()))
        d_loss = d_loss.detach()  # D's graph is freed here, before G's is built

        g_loss = losses.generator(D(fake, labels))
        self.g_optimizer.step(grad(g_loss, G.parameters()))
        if self.ema:
            self.ema.update()
        return {"d_loss": d_loss, "g_loss": g_loss.detach()}


# ---------------------------------------------------------------- networks

def conv(s: Settings, shape: Shape, n_classes: int, streams) -> tuple[Module, Module]:
    """Three strided layers each way, as in DCGAN; y joins z, and every layer of D or its end."""
    channels, w, k = shape[2], s.width, n_classes
    *sizes, (height, width) = halved(shape, 3, odd=True)        # (28, 28), (14, 14), (7, 7); (4, 4)
    pixels, normal = height * width, {"weight_init": init.normal(0.02), "rng": streams["init"]}
    whole, half, quarter = ({**halving(size), **normal} for size in sizes)
    generator = Joined(k, Sequential(
        Dense(s.latent_size + k, pixels * 8 * w, bias=False, **normal),
        BatchNorm(pixels * 8 * w), ReLU(), Reshape(height, width, 8 * w),
        ConvTranspose2d(8 * w, 4 * w, bias=False, **quarter), BatchNorm(4 * w), ReLU(),
        ConvTranspose2d(4 * w, 2 * w, bias=False, **half), BatchNorm(2 * w), ReLU(),
        ConvTranspose2d(2 * w, channels, **whole), Tanh()))
    given = 0 if s.networks == "projection" else k     # how many more inputs each layer of D has
    stages = [
        Sequential(Conv2d(channels + given, w, **whole), LeakyReLU(0.2)),
        Sequential(Conv2d(w + given, 2 * w, bias=False, **half), BatchNorm(2 * w), LeakyReLU(0.2)),
        Sequential(Conv2d(2 * w + given, 4 * w, bias=False, **quarter), BatchNorm(4 * w),
                   LeakyReLU(0.2), Flatten()),
        Dense(pixels * 4 * w + given, 1, **normal)]
    return generator, Joined(k, *stages) if given else Projection(Sequential(*stages), k, **normal)


def mlp(s: Settings, shape: Shape, n_classes: int, streams) -> tuple[Module, Module]:
    """The GAN's `mlp` networks with the one-hot label joined to z and to the image."""
    pixels, rng, k = math.prod(shape), streams["init"], n_classes
    generator = Joined(k, Sequential(
        Dense(s.latent_size + k, 256, rng=rng), BatchNorm(256), LeakyReLU(0.2),
        Dense(256, 512, rng=rng), BatchNorm(512), LeakyReLU(0.2),
        Dense(512, pixels, rng=rng), Tanh(), Reshape(*shape)))
    discriminator = Branches(k, Flatten(), Sequential(), Sequential(        # y as it is
        Dense(pixels + k, 512, rng=rng), LeakyReLU(0.2), Dropout(0.3, streams["dropout"]),
        Dense(512, 256, rng=rng), LeakyReLU(0.2), Dropout(0.3, streams["dropout"]),
        Dense(256, 1, rng=rng)))
    return generator, discriminator


def paper(s: Settings, shape: Shape, n_classes: int, streams) -> tuple[Module, Module]:
    """The networks of section 4.1: z, x and y through layers of their own, then together."""
    pixels, k, drop = math.prod(shape), n_classes, Dropout(0.5, streams["dropout"])
    wide = {"weight_init": init.uniform(0.05), "rng": streams["init"]}
    narrow = {"weight_init": init.uniform(0.005), "rng": streams["init"]}
    generator = Branches(
        k, Sequential(Dense(s.latent_size, 200, **wide), ReLU()),
        Sequential(Dense(k, 1000, **wide), ReLU()),
        Sequential(Dense(1200, 1200, **wide), ReLU(), Dense(1200, pixels, **wide), Sigmoid(),
                   ToImages(), Reshape(*shape)))
    discriminator = Branches(
        k, Sequential(Flatten(), Maxout(pixels, 240, 5, **narrow), drop),
        Sequential(Maxout(k, 50, 5, **narrow), drop),
        Sequential(Maxout(290, 240, 4, **narrow), drop, Dense(240, 1, **narrow)))
    return generator, discriminator


NETWORKS = {"conv": conv, "projection": conv, "mlp": mlp, "paper": paper}
