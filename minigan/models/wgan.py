"""WGAN: Arjovsky et al. 2017, "Wasserstein GAN", https://arxiv.org/abs/1701.07875.

The critic f estimates the Wasserstein-1 distance between data and samples (eq. 2 and 3),

    W = max over f, ||f||_L <= 1, of   E f(x) - E f(G(z)),

and G descends it. Algorithm 1 holds f Lipschitz, up to a constant, by clipping its weights to
[-c, c] after every update, with n_critic = 5 critic updates for each of G, by RMSprop with rate
0.00005.

Deviations from the paper, by preset:
- all: a `step` is one critic update, and G's update follows every n_critic-th, so that one batch of
  images serves one step; gains of batch norm are not clipped (the authors' code clips them too,
  before the update).
- `mlp`: the authors' 4-layer ReLU networks, 512 wide, on 28x28 images, with tanh at the end of G
  and batch norm in G (figure 6 is without); ten times the paper's learning rate, and c = 0.2
  instead of 0.01, because He's initial weights are larger than 0.01.
- `conv`: DCGAN networks of three strided layers, batch norm in G only; twenty times the rate, and
  c = 0.05. Its digits are far worse: after 9,000 steps of 64 images 0.45 of them are recognised.
- both: n_critic = 2 and batches of 256 instead of 64, for a few minutes on a processor. The paper's
  own settings are the defaults of `Settings`.
The authors' code runs 100 critic updates before each of G's first 25: `warm_up` is the number of
these updates of G, 0 by default.
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
from minigan.nn import (BatchNorm, Conv2d, ConvTranspose2d, Dense, Flatten, LeakyReLU, ReLU,
                        Reshape, Sequential, Tanh, init)
from minigan.ops import negative
from minigan.optim import EMA, RMSprop, clip_weights
from minigan.streams import Streams


@dataclasses.dataclass(frozen=True)
class Settings:
    """The hyper-parameters; each is an option of `minigan train wgan`."""

    networks: str = setting("mlp", "which networks", ("mlp", "conv"))
    width: int = setting(512, "width of the dense layers, or channels of the critic's first one")
    latent_size: int = setting(100, "numbers in a latent vector z")
    learning_rate: float = setting(5e-5, "learning rate of both optimizers (alpha)",
                                   positive=True)
    clip: float = setting(0.01, "bound of the critic's weights (c)", positive=True)
    n_critic: int = setting(5, "critic updates for each update of G")
    warm_up: int = setting(0, "how many of G's first updates wait for 100 critic updates each")
    ema: float = setting(0.999, "decay of the moving average of G's weights; 0 for none")


class WGAN(Model):
    """Wasserstein GAN with clipped weights."""

    name = "wgan"
    paper = "Arjovsky et al. 2017, Wasserstein GAN"
    normal_curve = ("normal: the estimate of W jumps up, then falls slowly and smoothly while the "
                    "samples improve; its scale means nothing, and G's loss may have any sign")
    panels = (Panel("estimate of W", ("w_estimate",)), Panel("G's loss", ("g_loss",)))
    default_steps = 12_000
    default_batch_size = 256
    Settings = Settings
    presets = {
        "mlp": Settings(learning_rate=5e-4, clip=0.2, n_critic=2),
        "conv": Settings("conv", 16, learning_rate=1e-3, clip=0.05, n_critic=2),
    }

    def build(self) -> None:
        s = self.settings
        networks = NETWORKS[s.networks]
        self.generator, self.discriminator = networks(s, self.shape, self.streams)
        self.g_optimizer = RMSprop(self.generator.parameters(), s.learning_rate)
        self.c_optimizer = RMSprop(self.discriminator.parameters(), s.learning_rate)
        self.optimizers = {"g_optimizer": self.g_optimizer, "c_optimizer": self.c_optimizer}
        self.ema = EMA(self.generator, s.ema) if s.ema else None

    def phase(self) -> str:
        """"both" in the last of the critic's updates for one of G: n_critic, or 100 in warm-up."""
        s = self.settings
        g_updates = self.g_optimizer.t + 1         # including the next one
        slow = min(g_updates, s.warm_up)           # those that wait for 100
        due = 100 * slow + s.n_critic * (g_updates - slow)
        return "both" if self.c_optimizer.t + 1 >= due else "critic"

    def step(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """Algorithm 1: lines 3 to 7 once, and lines 9 to 11 when it is G's turn."""
        G = self.generator
        f = self.discriminator
        phase = self.phase()

        # Lines 3 to 6: a batch of real data, one of noise, and an ascent step of the critic.
        with no_grad():
            fake = G(self.latent(len(x)))
        loss = losses.wasserstein_critic(f(x), f(fake))
        self.c_optimizer.step(grad(loss, f.parameters()))
        # Line 7: w <- clip(w, -c, c).
        clip_weights(f.parameters(), self.settings.clip)
        result = {"w_estimate": negative(loss.detach())}

        if phase == "both":
            # Lines 9 to 11: a batch of noise, and a descent step of G.
            g_loss = losses.wasserstein_generator(f(G(self.latent(len(x)))))
            self.g_optimizer.step(grad(g_loss, G.parameters()))
            if self.ema:
                self.ema.update()
            result["g_loss"] = g_loss.detach()
        return result


# ---------------------------------------------------------------- networks

def mlp(s: Settings, shape: Shape, streams: Streams) -> Networks:
    """Three hidden ReLU layers in both networks, with batch norm in G. Sizes: `mlp`, for digits."""
    pixels = math.prod(shape)
    w = s.width
    rng = streams["init"]
    he: dict[str, Any] = {"weight_init": init.he_uniform, "rng": rng}
    generator = Sequential(                                        # z: (N, 100)
        Dense(s.latent_size, w, **he), BatchNorm(w), ReLU(),       # (N, 512)
        Dense(w, w, **he), BatchNorm(w), ReLU(),                   # (N, 512)
        Dense(w, w, **he), BatchNorm(w), ReLU(),                   # (N, 512)
        Dense(w, pixels, rng=rng), Tanh(),                         # (N, 784)
        Reshape(*shape))                                           # (N, 28, 28, 1)
    critic = Sequential(                                           # x: (N, 28, 28, 1)
        Flatten(),                                                 # (N, 784)
        Dense(pixels, w, **he), ReLU(),                            # (N, 512)
        Dense(w, w, **he), ReLU(),                                 # (N, 512)
        Dense(w, w, **he), ReLU(),                                 # (N, 512)
        Dense(w, 1, rng=rng))                                      # (N, 1)
    return generator, critic


def conv(s: Settings, shape: Shape, streams: Streams) -> Networks:
    """Three strided layers each way; batch norm in G, none in the critic. Sizes: for digits."""
    channels = shape[2]
    w = s.width
    whole, half, quarter, (height, width) = halved(shape, 3, odd=True)   # 28, 14, 7, (4, 4)
    features = height * width * 4 * w
    rng = streams["init"]
    he: dict[str, Any] = {"weight_init": init.he_uniform, "rng": rng}
    outer = {**halving(whole), **he}                               # between 28 and 14 pixels
    middle = {**halving(half), **he}                               # between 14 and 7
    inner = {**halving(quarter), **he}                             # between 7 and 4
    generator = Sequential(                                        # z: (N, 100)
        Dense(s.latent_size, features, rng=rng),                   # (N, 64 w)
        Reshape(height, width, 4 * w),                             # (N, 4, 4, 4 w)
        BatchNorm(4 * w), ReLU(),
        ConvTranspose2d(4 * w, 2 * w, **inner),                    # (N, 7, 7, 2 w)
        BatchNorm(2 * w), ReLU(),
        ConvTranspose2d(2 * w, w, **middle),                       # (N, 14, 14, w)
        BatchNorm(w), ReLU(),
        ConvTranspose2d(w, channels, **outer), Tanh())             # (N, 28, 28, 1)
    critic = Sequential(                                           # x: (N, 28, 28, 1)
        Conv2d(channels, w, **outer), LeakyReLU(0.2),              # (N, 14, 14, w)
        Conv2d(w, 2 * w, **middle), LeakyReLU(0.2),                # (N, 7, 7, 2 w)
        Conv2d(2 * w, 4 * w, **inner), LeakyReLU(0.2),             # (N, 4, 4, 4 w)
        Flatten(), Dense(features, 1, rng=rng))                    # (N, 1)
    return generator, critic


NETWORKS = {"mlp": mlp, "conv": conv}
