"""A DCGAN that is not a preset: 3x3 kernels of stride 1, width 48.

Speed code is written with the listed workloads in view; this one shows what other networks get.
"""

from __future__ import annotations

import math
from typing import Any

from minigan.models.dcgan import DCGAN, Settings
from minigan.nn import (AvgPool2d, BatchNorm, Conv2d, Dense, Flatten, LeakyReLU, ReLU, Reshape,
                        Sequential, Tanh, Upsample)
from minigan.optim import Adam


class Unlisted(DCGAN):
    """Two convolutions each way, changes of size without strides."""

    name = "unlisted"
    presets = {"width48": Settings(width=48, latent_size=100, learning_rate=2e-4)}

    def build(self) -> None:
        s = self.settings
        height, width, channels = self.shape
        half = (height // 2, width // 2, s.width)
        rng = self.streams["init"]
        conv: dict[str, Any] = {"kernel_size": 3, "padding": 1, "rng": rng}
        self.generator = Sequential(
            Dense(s.latent_size, math.prod(half), rng=rng),
            Reshape(*half),
            BatchNorm(s.width),
            ReLU(),
            Conv2d(s.width, s.width, **conv),
            BatchNorm(s.width),
            ReLU(),
            Upsample(2),
            Conv2d(s.width, channels, **conv),
            Tanh())
        self.discriminator = Sequential(
            Conv2d(channels, s.width, **conv),
            LeakyReLU(0.2),
            Conv2d(s.width, s.width, **conv),
            BatchNorm(s.width),
            LeakyReLU(0.2),
            AvgPool2d(2),
            Flatten(),
            Dense(math.prod(half), 1, rng=rng))
        betas = (s.beta1, s.beta2)
        self.g_optimizer = Adam(self.generator.parameters(), s.learning_rate, betas)
        self.d_optimizer = Adam(self.discriminator.parameters(), s.learning_rate, betas)
        self.optimizers = {"g_optimizer": self.g_optimizer, "d_optimizer": self.d_optimizer}
        self.ema = None
