"""pix2pix: Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks",
https://arxiv.org/abs/1611.07004.

A conditional GAN whose condition c is a picture: G makes another picture from it, and D judges the
two together. The objective (eq. 4; the paper's x and y are c and x here) is

    min over G, max over D of   E log D(c, x) + E log(1 - D(c, G(c))) + lambda E ||x - G(c)||_1.

L1 gets the large shapes right, but blurs what is uncertain; D, which sees patches only, is there
for the sharpness (section 3.2.2). G is a U-Net: skip connections bring the condition's details past
its narrow middle (section 3.2.1). The only noise is dropout in G.

Deviations from the paper:
- Pairs are made from the data itself: `edges` gives outlines, `halves` the left half of an image.
- Sizes for 28x28 images, half of the paper's width: G has two strided layers each way, and between
  them one layer down to a single pixel and one up again; the paper's eight layers for 256x256 end
  at a single pixel, too. D judges 6x6 overlapping patches of 22x22 pixels (the paper: 70x70).
- Batches of 64 (the paper: 1 to 10), no random crops and no mirroring.
- Samples are drawn in evaluation mode, without dropout and with the running statistics. The paper
  keeps both as in training, and found that its noise changes little (section 3.1).
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Callable

from minigan import losses
from minigan.backend.base import Array
from minigan.engine import Tensor, grad, op
from minigan.models.model import Model, Panel
from minigan.models.settings import setting
from minigan.models.sizes import Shape
from minigan.nn import (BatchNorm, Conv2d, ConvTranspose2d, Dropout, LeakyReLU, Module, ReLU,
                        Sequential, Tanh, init)
from minigan.ops import abs, concatenate, mean
from minigan.optim import Adam
from minigan.streams import Stream, Streams


@dataclasses.dataclass(frozen=True)
class Settings:
    """The hyper-parameters; each is an option of `minigan train pix2pix`."""

    condition: str = setting("edges", "what G sees of an image", ("edges", "halves"))
    width: int = setting(32, "channels of the first layer of G and of D")
    dropout: float = setting(0.5, "share of G's inner channels that is dropped: its noise")
    l1: float = setting(100.0, "weight of the L1 loss (lambda)")
    learning_rate: float = setting(2e-4, "learning rate of both optimizers", positive=True)
    beta1: float = setting(0.5, "Adam's decay of the mean")
    beta2: float = setting(0.999, "Adam's decay of the square")


class Pix2Pix(Model):
    """Image-to-image translation."""

    name = "pix2pix"
    paper = ("Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial "
             "Networks")
    normal_curve = ("normal: L1 falls fast, then slowly for the whole run; D's loss, which is "
                    "halved, dips and comes back up towards log 2 = 0.69, G's settles around 1")
    panels = (Panel("L1", ("l1",)),
              Panel("losses", ("d_loss", "g_loss"), {"log 2": math.log(2)}))
    default_steps = 2_000
    Settings = Settings
    presets = {"edges": Settings(), "halves": Settings(condition="halves")}

    def build(self) -> None:
        s = self.settings
        self.condition = CONDITIONS[s.condition]
        self.generator = UNet(s, self.shape, self.streams)
        self.discriminator = PatchDiscriminator(s, self.shape, self.streams)
        betas = (s.beta1, s.beta2)
        self.g_optimizer = Adam(self.generator.parameters(), s.learning_rate, betas)
        self.d_optimizer = Adam(self.discriminator.parameters(), s.learning_rate, betas)
        self.optimizers = {"g_optimizer": self.g_optimizer, "d_optimizer": self.d_optimizer}

    def inputs_from(self, stream: Stream, n: int, images: Callable[[Stream, int], Tensor]
                    ) -> tuple[Tensor, Tensor]:
        """n conditions, made from images of the data set, and these images."""
        x = images(stream, n)
        return self.condition(x), x

    def step(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """One step on D, then one on G (section 3.3). x: real images (m, H, W, C)."""
        G = self.generator
        D = self.discriminator
        c = self.condition(x)
        fake = G(c)

        # Update D; its objective is divided by 2, which slows it down relative to G.
        d_loss = losses.discriminator(D(c, x), D(c, fake.detach())) / 2
        self.d_optimizer.step(grad(d_loss, D.parameters()))
        d_loss = d_loss.detach()  # D's graph is freed here, before G's is built

        # Update G: maximise log D(c, G(c)), and stay near the truth.
        g_loss = losses.generator(D(c, fake))
        l1 = mean(abs(x - fake))
        self.g_optimizer.step(grad(g_loss + self.settings.l1 * l1, G.parameters()))
        return {"d_loss": d_loss, "g_loss": g_loss.detach(), "l1": l1.detach()}


# ---------------------------------------------------------------- conditions

@op(None)
def edges(xp: Any, x: Array) -> Array:
    """The outline of what is bright: 1 on dark pixels with a bright neighbour, else -1.

    A pixel is bright if the mean of its channels is above 0. x and the result: (N, H, W, C).
    """
    height, width, channels = x.shape[1:]
    bright = xp.mean(x, axis=3, keepdims=True) > 0                # (N, H, W, 1)
    padded = xp.pad(bright, ((0, 0), (1, 1), (1, 1), (0, 0)))     # (N, H + 2, W + 2, 1)
    near = bright
    for top, left in ((0, 1), (2, 1), (1, 0), (1, 2)):            # above, below, left, right
        near = near | padded[:, top:top + height, left:left + width]
    outline = (near & ~bright).astype(x.dtype) * 2 - 1            # (N, H, W, 1)
    return outline.repeat(channels, axis=3)


@op(None)
def halves(xp: Any, x: Array) -> Array:
    """The left half of x (N, H, W, C), and black, which is -1, in the right half."""
    width = x.shape[2]
    is_left = xp.arange(width) < width // 2
    left = is_left.astype(x.dtype)[:, None]                       # (W, 1)
    return x * left + (left - 1)


CONDITIONS: dict[str, Callable[[Tensor], Tensor]] = {"edges": edges, "halves": halves}


# ---------------------------------------------------------------- networks

class UNet(Module):
    """G(c): down to a single pixel and up again, with skips between layers of the same size.

    On digits, w being the width:

        c        28 x 28 x 1
        down1    14 x 14 x w      ------------------- skip to up1
        down2     7 x  7 x 2 w    ------ skip to up2
        middle    1 x  1 x 4 w
                  7 x  7 x 2 w
        up2      14 x 14 x w      from middle and down2
        up1      28 x 28 x 1      from up2 and down1

    Raises:
        ValueError: the networks cannot make images of this shape.
    """

    def __init__(self, s: Settings, shape: Shape, streams: Streams) -> None:
        height, width, channels = shape
        if height % 4 or width % 4 or min(height, width) < 8 or channels not in (1, 3):
            raise ValueError(f"shape: pix2pix makes images of 1 or 3 channels whose height and "
                             f"width are multiples of 4, 8 or more, not "
                             f"{height}x{width}x{channels}")
        self.shape = shape
        w = s.width
        quarter = (height // 4, width // 4)                       # (7, 7)
        normal: dict[str, Any] = {"weight_init": init.normal(0.02), "rng": streams["init"]}
        strided = {"kernel_size": 4, "stride": 2, "padding": 1, **normal}
        self.down1 = Sequential(
            Conv2d(channels, w, **strided), LeakyReLU(0.2))
        self.down2 = Sequential(
            Conv2d(w, 2 * w, bias=False, **strided), BatchNorm(2 * w), LeakyReLU(0.2))
        self.middle = Sequential(
            Conv2d(2 * w, 4 * w, quarter, **normal), LeakyReLU(0.2),
            ConvTranspose2d(4 * w, 2 * w, quarter, bias=False, **normal), BatchNorm(2 * w),
            Dropout(s.dropout, streams["dropout"]), ReLU())
        self.up2 = Sequential(
            ConvTranspose2d(4 * w, w, bias=False, **strided), BatchNorm(w),
            Dropout(s.dropout, streams["dropout"]), ReLU())
        self.up1 = Sequential(
            ConvTranspose2d(2 * w, channels, **strided), Tanh())

    def forward(self, c: Tensor) -> Tensor:
        """G(c). c and the result: (N, H, W, C).

        Raises:
            ValueError: c has another shape.
        """
        if c.shape[1:] != self.shape:
            raise ValueError(f"condition: must be (N, {', '.join(map(str, self.shape))}), got "
                             f"{c.shape}")
        first = self.down1(c)                                      # (N, 14, 14, w)
        second = self.down2(first)                                 # (N, 7, 7, 2 w)
        y = self.middle(second)                                    # (N, 7, 7, 2 w)
        y = self.up2(concatenate([y, second], axis=3))             # (N, 14, 14, w)
        return self.up1(concatenate([y, first], axis=3))           # (N, 28, 28, C)


class PatchDiscriminator(Module):
    """D(c, x): a logit for each patch of 22x22 pixels, one every four pixels.

    c, x: (N, H, W, C); the result: (N, H / 4 - 1, W / 4 - 1, 1).
    """

    def __init__(self, s: Settings, shape: Shape, streams: Streams) -> None:
        w = s.width
        conv: dict[str, Any] = {"kernel_size": 4, "padding": 1, "weight_init": init.normal(0.02),
                                "rng": streams["init"]}
        self.layers = Sequential(                                           # (N, 28, 28, 2 C)
            Conv2d(2 * shape[2], w, stride=2, **conv), LeakyReLU(0.2),      # (N, 14, 14, w)
            Conv2d(w, 2 * w, stride=2, bias=False, **conv),                 # (N, 7, 7, 2 w)
            BatchNorm(2 * w), LeakyReLU(0.2),
            Conv2d(2 * w, 1, **conv))                                       # (N, 6, 6, 1)

    def forward(self, c: Tensor, x: Tensor) -> Tensor:
        return self.layers(concatenate([c, x], axis=3))
