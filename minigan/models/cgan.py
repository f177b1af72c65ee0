"""Conditional GAN: Mirza and Osindero 2014, "Conditional Generative Adversarial Nets",
https://arxiv.org/abs/1411.1784.

Both networks are told a label y; the game (eq. 2) is

    min over G, max over D of   E log D(x | y) + E log(1 - D(G(z | y))).

D has to see the label: otherwise it could not tell a 3 that was asked for from a 3 drawn in place
of an 8, and G would learn to ignore y. How y enters a network is in nn/conditional.py.

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
from typing import Any

from minigan import losses
from minigan.engine import Tensor, grad
from minigan.models.model import Model, Networks
from minigan.models.settings import setting
from minigan.models.sizes import Shape, halved, halving
from minigan.nn import (BatchNorm, Branches, Conv2d, ConvTranspose2d, Dense, Dropout, Flatten,
                        Joined, LeakyReLU, Maxout, Module, Projection, ReLU, Reshape, Sequential,
                        Sigmoid, Tanh, ToImages, init)
from minigan.optim import EMA, SGD, Adam, Optimizer
from minigan.streams import Stream, Streams


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
        networks = NETWORKS[s.networks]
        self.generator, self.discriminator = networks(s, self.shape, self.n_classes, self.streams)
        self.g_optimizer = self._optimizer(self.generator)
        self.d_optimizer = self._optimizer(self.discriminator)
        self.optimizers = {"g_optimizer": self.g_optimizer, "d_optimizer": self.d_optimizer}
        self.ema = EMA(self.generator, s.ema) if s.ema else None

    def _optimizer(self, network: Module) -> Optimizer:
        s = self.settings
        if s.networks == "paper":
            return SGD(network.parameters(), s.learning_rate, s.beta1)
        return Adam(network.parameters(), s.learning_rate, (s.beta1, s.beta2))

    def latent_from(self, stream: Stream, n: int) -> Tensor:
        """z (n, latent_size): standard normal; uniform in [-1, 1] for the paper's networks."""
        size = (n, self.settings.latent_size)
        if self.settings.networks == "paper":
            return Tensor(stream.uniform(size, -1.0, 1.0))
        return Tensor(stream.normal(size))

    def step(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The GAN's algorithm 1 under eq. 2. x: real images (m, H, W, C); labels: (m,).

        Raises:
            ValueError: labels are missing, or not one for each image.
        """
        given = None if labels is None else labels.shape
        if given != (len(x),):
            raise ValueError(f"labels: a conditional GAN needs one for each of {len(x)} images, "
                             f"got {given}")
        G = self.generator
        D = self.discriminator
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

def conv(s: Settings, shape: Shape, n_classes: int, streams: Streams) -> Networks:
    """Three strided layers each way, as in DCGAN; y joins z, and every layer of D or its end.

    Sizes at line ends are those for digits, w being the width and k the number of classes.
    """
    k = n_classes
    w = s.width
    channels = shape[2]
    whole, half, quarter, (height, width) = halved(shape, 3, odd=True)    # 28, 14, 7, (4, 4)
    pixels = height * width
    normal: dict[str, Any] = {"weight_init": init.normal(0.02), "rng": streams["init"]}
    outer = {**halving(whole), **normal}                                  # between 28 and 14 pixels
    middle = {**halving(half), **normal}                                  # between 14 and 7
    inner = {**halving(quarter), **normal}                                # between 7 and 4

    generator = Joined(k, Sequential(                                     # z and y: (N, 64 + k)
        Dense(s.latent_size + k, pixels * 8 * w, bias=False, **normal),   # (N, 128 w)
        BatchNorm(pixels * 8 * w), ReLU(),
        Reshape(height, width, 8 * w),                                    # (N, 4, 4, 8 w)
        ConvTranspose2d(8 * w, 4 * w, bias=False, **inner),               # (N, 7, 7, 4 w)
        BatchNorm(4 * w), ReLU(),
        ConvTranspose2d(4 * w, 2 * w, bias=False, **middle),              # (N, 14, 14, 2 w)
        BatchNorm(2 * w), ReLU(),
        ConvTranspose2d(2 * w, channels, **outer), Tanh()))               # (N, 28, 28, 1)

    projects = s.networks == "projection"
    maps = 0 if projects else k          # y as constant maps, beside each layer's other inputs
    stages = [
        Sequential(
            Conv2d(channels + maps, w, **outer), LeakyReLU(0.2)),         # (N, 14, 14, w)
        Sequential(
            Conv2d(w + maps, 2 * w, bias=False, **middle),                # (N, 7, 7, 2 w)
            BatchNorm(2 * w), LeakyReLU(0.2)),
        Sequential(
            Conv2d(2 * w + maps, 4 * w, bias=False, **inner),             # (N, 4, 4, 4 w)
            BatchNorm(4 * w), LeakyReLU(0.2), Flatten()),                 # (N, 64 w)
        Dense(pixels * 4 * w + maps, 1, **normal)]                        # (N, 1)
    if projects:
        return generator, Projection(Sequential(*stages), k, **normal)
    return generator, Joined(k, *stages)


def mlp(s: Settings, shape: Shape, n_classes: int, streams: Streams) -> Networks:
    """The GAN's `mlp` networks with the one-hot label joined to z and to the image."""
    k = n_classes
    pixels = math.prod(shape)
    rng = streams["init"]
    generator = Joined(k, Sequential(                                     # z and y: (N, 100 + k)
        Dense(s.latent_size + k, 256, rng=rng),                           # (N, 256)
        BatchNorm(256), LeakyReLU(0.2),
        Dense(256, 512, rng=rng),                                         # (N, 512)
        BatchNorm(512), LeakyReLU(0.2),
        Dense(512, pixels, rng=rng),                                      # (N, 784)
        Tanh(), Reshape(*shape)))                                         # (N, 28, 28, 1)

    dropout = streams["dropout"]
    as_it_is = Sequential()
    together = Sequential(                                                # x and y: (N, 784 + k)
        Dense(pixels + k, 512, rng=rng),                                  # (N, 512)
        LeakyReLU(0.2), Dropout(0.3, dropout),
        Dense(512, 256, rng=rng),                                         # (N, 256)
        LeakyReLU(0.2), Dropout(0.3, dropout),
        Dense(256, 1, rng=rng))                                           # (N, 1)
    discriminator = Branches(k, of_x=Flatten(), of_y=as_it_is, joint=together)
    return generator, discriminator


def paper(s: Settings, shape: Shape, n_classes: int, streams: Streams) -> Networks:
    """The networks of section 4.1: z, x and y through layers of their own, then together."""
    k = n_classes
    pixels = math.prod(shape)
    drop = Dropout(0.5, streams["dropout"])
    rng = streams["init"]
    wide = init.uniform(0.05)
    narrow = init.uniform(0.005)
    generator = Branches(
        k,
        of_x=Sequential(                                                  # z: (N, 100)
            Dense(s.latent_size, 200, weight_init=wide, rng=rng),         # (N, 200)
            ReLU()),
        of_y=Sequential(                                                  # y: (N, k)
            Dense(k, 1000, weight_init=wide, rng=rng),                    # (N, 1000)
            ReLU()),
        joint=Sequential(                                                 # both: (N, 1200)
            Dense(1200, 1200, weight_init=wide, rng=rng), ReLU(),         # (N, 1200)
            Dense(1200, pixels, weight_init=wide, rng=rng), Sigmoid(),    # (N, 784)
            ToImages(), Reshape(*shape)))                                 # (N, 28, 28, 1)
    discriminator = Branches(
        k,
        of_x=Sequential(                                                  # x: (N, 28, 28, 1)
            Flatten(),                                                    # (N, 784)
            Maxout(pixels, 240, 5, weight_init=narrow, rng=rng), drop),   # (N, 240)
        of_y=Sequential(                                                  # y: (N, k)
            Maxout(k, 50, 5, weight_init=narrow, rng=rng), drop),         # (N, 50)
        joint=Sequential(                                                 # both: (N, 290)
            Maxout(290, 240, 4, weight_init=narrow, rng=rng), drop,       # (N, 240)
            Dense(240, 1, weight_init=narrow, rng=rng)))                  # (N, 1)
    return generator, discriminator


NETWORKS = {"conv": conv, "projection": conv, "mlp": mlp, "paper": paper}
