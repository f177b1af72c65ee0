"""GAN: Goodfellow et al. 2014, "Generative Adversarial Nets", https://arxiv.org/abs/1406.2661.

Algorithm 1, with k = 1 step of the discriminator for each of the generator. G maps noise z to
images, D says how likely it is that an image is real; they play the game (eq. 1)

    min over G, max over D of   E log D(x) + E log(1 - D(G(z))).

Deviations from the paper, by preset:
- all: images are in [-1, 1] instead of [0, 1]; one batch of noise serves both updates of a step;
  batches of 256 unless you choose otherwise (the authors': 100).
- `mlp`, `seed`: normal noise, Adam, LeakyReLU and tanh, as became usual after DCGAN; `mlp` adds
  batch norm in G, dropout in D and a moving average of G's weights, which draws the samples.
- `paper`: the authors' published settings for MNIST. G's sigmoid is stretched to [-1, 1]; the slow
  decay of their learning rate, the rise of their momentum and their stopping rule are left out.
"""

from __future__ import annotations

import dataclasses
import math

from minigan import losses
from minigan.engine import Tensor, grad
from minigan.models.model import Model, Networks
from minigan.models.settings import setting
from minigan.models.sizes import Shape
from minigan.nn import (BatchNorm, Dense, Dropout, Flatten, LeakyReLU, Maxout, Module, ReLU,
                        Reshape, Sequential, Sigmoid, Tanh, ToImages, init)
from minigan.optim import EMA, SGD, Adam, Optimizer
from minigan.streams import Stream, Streams


@dataclasses.dataclass(frozen=True)
class Settings:
    """The hyper-parameters; each is an option of `minigan train gan`."""

    networks: str = setting("mlp", "which networks", ("mlp", "seed", "paper"))
    latent_size: int = setting(100, "numbers in a latent vector z")
    loss: str = setting("non-saturating", "G's loss", ("non-saturating", "minimax"))
    learning_rate: float = setting(8e-4, "learning rate of both optimizers", positive=True)
    beta1: float = setting(0.5, "Adam's decay of the mean (paper: momentum of SGD)")
    beta2: float = setting(0.999, "Adam's decay of the square")
    ema: float = setting(0.999, "decay of the moving average of G's weights; 0 for none")


class GAN(Model):
    """The original GAN, on dense networks."""

    name = "gan"
    paper = "Goodfellow et al. 2014, Generative Adversarial Nets"
    normal_curve = ("normal: both losses settle and keep wobbling, D's a little under "
                    "2 log 2 = 1.39, G's around 1; neither should go to 0")
    default_steps = 8_000
    default_batch_size = 256
    Settings = Settings
    presets = {
        "mlp": Settings(),
        "seed": Settings(networks="seed", learning_rate=2e-4, ema=0.0),
        "paper": Settings(networks="paper", learning_rate=0.1, ema=0.0),
    }

    def build(self) -> None:
        s = self.settings
        networks = NETWORKS[s.networks]
        self.generator, self.discriminator = networks(s, self.shape, self.streams)
        self.g_optimizer = self._optimizer(self.generator)
        self.d_optimizer = self._optimizer(self.discriminator)
        self.optimizers = {"g_optimizer": self.g_optimizer, "d_optimizer": self.d_optimizer}
        self.ema = EMA(self.generator, s.ema) if s.ema else None
        self.generator_loss = GENERATOR_LOSSES[s.loss]

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
        """Algorithm 1, one pass through its loop. x: real images (m, H, W, C)."""
        G = self.generator
        D = self.discriminator

        # Sample a minibatch of m noise vectors, and of m examples (x).
        fake = G(self.latent(len(x)))

        # Update D by ascending the gradient of  mean [log D(x) + log(1 - D(G(z)))].
        d_loss = losses.discriminator(D(x), D(fake.detach()))
        self.d_optimizer.step(grad(d_loss, D.parameters()))
        d_loss = d_loss.detach()  # D's graph is freed here, before G's is built

        # Update G by descending the gradient of  mean log(1 - D(G(z)))  or its alternative.
        g_loss = self.generator_loss(D(fake))
        self.g_optimizer.step(grad(g_loss, G.parameters()))
        if self.ema:
            self.ema.update()
        return {"d_loss": d_loss, "g_loss": g_loss.detach()}


GENERATOR_LOSSES = {"non-saturating": losses.generator, "minimax": losses.generator_minimax}


# ---------------------------------------------------------------- networks

def mlp(s: Settings, shape: Shape, streams: Streams) -> Networks:
    """Dense networks, with batch norm in G and dropout in D. Sizes are those for digits."""
    pixels = math.prod(shape)
    rng = streams["init"]
    dropout = streams["dropout"]
    generator = Sequential(                                         # z: (N, 100)
        Dense(s.latent_size, 256, rng=rng),                         # (N, 256)
        BatchNorm(256), LeakyReLU(0.2),
        Dense(256, 512, rng=rng),                                   # (N, 512)
        BatchNorm(512), LeakyReLU(0.2),
        Dense(512, pixels, rng=rng),                                # (N, 784)
        Tanh(), Reshape(*shape))                                    # (N, 28, 28, 1)
    discriminator = Sequential(                                     # x: (N, 28, 28, 1)
        Flatten(),                                                  # (N, 784)
        Dense(pixels, 512, rng=rng),                                # (N, 512)
        LeakyReLU(0.2), Dropout(0.3, dropout),
        Dense(512, 256, rng=rng),                                   # (N, 256)
        LeakyReLU(0.2), Dropout(0.3, dropout),
        Dense(256, 1, rng=rng))                                     # (N, 1)
    return generator, discriminator


def seed(s: Settings, shape: Shape, streams: Streams) -> Networks:
    """The smallest: one hidden layer each."""
    pixels = math.prod(shape)
    rng = streams["init"]
    generator = Sequential(                                         # z: (N, 100)
        Dense(s.latent_size, 128, rng=rng), LeakyReLU(0.01),        # (N, 128)
        Dense(128, pixels, rng=rng), Tanh(),                        # (N, 784)
        Reshape(*shape))                                            # (N, 28, 28, 1)
    discriminator = Sequential(                                     # x: (N, 28, 28, 1)
        Flatten(),                                                  # (N, 784)
        Dense(pixels, 128, rng=rng), LeakyReLU(0.01),               # (N, 128)
        Dense(128, 1, rng=rng))                                     # (N, 1)
    return generator, discriminator


def paper(s: Settings, shape: Shape, streams: Streams) -> Networks:
    """ReLU layers and a sigmoid in G, from U(-0.05, 0.05); maxout in D, from U(-0.005, 0.005)."""
    pixels = math.prod(shape)
    rng = streams["init"]
    dropout = streams["dropout"]
    wide = init.uniform(0.05)
    narrow = init.uniform(0.005)
    generator = Sequential(                                         # z: (N, 100)
        Dense(s.latent_size, 1200, weight_init=wide, rng=rng),      # (N, 1200)
        ReLU(),
        Dense(1200, 1200, weight_init=wide, rng=rng),               # (N, 1200)
        ReLU(),
        Dense(1200, pixels, weight_init=wide, rng=rng),             # (N, 784)
        Sigmoid(), ToImages(), Reshape(*shape))                     # (N, 28, 28, 1)
    discriminator = Sequential(                                     # x: (N, 28, 28, 1)
        Flatten(), Dropout(0.2, dropout),                           # (N, 784)
        Maxout(pixels, 240, 5, weight_init=narrow, rng=rng),        # (N, 240)
        Dropout(0.5, dropout),
        Maxout(240, 240, 5, weight_init=narrow, rng=rng),           # (N, 240)
        Dropout(0.5, dropout),
        Dense(240, 1, weight_init=narrow, rng=rng))                 # (N, 1)
    return generator, discriminator


NETWORKS = {"mlp": mlp, "seed": seed, "paper": paper}
