"""DCGAN: Radford et al. 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", https://arxiv.org/abs/1511.06434.

The game of the original GAN, played by convolutional networks under the paper's guidelines (section
3): strides instead of pooling, batch norm in both networks except on G's output and D's input, ReLU
in G and tanh at its end, LeakyReLU in D, no hidden dense layers; weights from N(0, 0.02^2), Adam
with rate 0.0002 and beta1 = 0.5.

Deviations from the paper, by preset:
- all: normal noise (the authors drew uniform noise); one batch of noise serves both updates of a
  step; a moving average of G's weights draws the samples (`ema`), which the paper does not have.
- `small`: 28x28 images (28, 14, 7, 4), 4x4 kernels (3x3 from 7 to 4), three narrow layers, not four
  wide ones; a latent vector of 64, and five times the paper's learning rate, for 5,000 images and a
  few minutes on a processor. D needs the third layer: with two, no unit sees more than ten pixels
  across, and G draws clean strokes that do not add up to digits.
- `wide28`: two wide layers, 4x4 kernels, for measuring speed.
- `keras28`: the networks of the widely read Keras and TensorFlow tutorial, with its LeakyReLU in G,
  dropout in place of batch norm in D, Glorot's weights, and Adam at 0.0001 with beta1 = 0.9. The
  slope is 0.01 (the tutorial: Keras's 0.3), batch norm's eps 1e-5 and momentum 0.1 (0.001, 0.01).
- `torch64`: the networks of the PyTorch example, 4x4 kernels, half of the paper's width.
- `paper64`: figure 1 of the paper, 5x5 kernels, widths 1024 to 128.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from minigan import losses
from minigan.engine import Tensor, grad
from minigan.models.model import Model, Networks
from minigan.models.settings import setting
from minigan.models.sizes import Shape, Size, halved, halving
from minigan.nn import (BatchNorm, Conv2d, ConvTranspose2d, Dense, Dropout, Flatten, LeakyReLU,
                        Module, ReLU, Reshape, Sequential, Tanh, init)
from minigan.optim import EMA, Adam
from minigan.streams import Streams


@dataclasses.dataclass(frozen=True)
class Settings:
    """The hyper-parameters; each is an option of `minigan train dcgan`."""

    networks: str = setting("strided", "which networks", ("strided", "keras"))
    width: int = setting(32, "channels of G's last layer but one")
    d_width: int = setting(16, "channels of D's first layer")
    layers: int = setting(3, "strided layers of each network; each halves or doubles the size")
    kernel: int = setting(4, "size of the kernels")
    latent_size: int = setting(64, "numbers in a latent vector z")
    learning_rate: float = setting(1e-3, "learning rate of both optimizers", positive=True)
    beta1: float = setting(0.5, "Adam's decay of the mean")
    beta2: float = setting(0.999, "Adam's decay of the square")
    ema: float = setting(0.999, "decay of the moving average of G's weights; 0 for none")


class DCGAN(Model):
    """Deep convolutional GAN."""

    name = "dcgan"
    paper = ("Radford et al. 2015, Unsupervised Representation Learning with Deep Convolutional "
             "GANs")
    normal_curve = ("normal: D's loss falls below 1 and G's climbs to 1 to 3, both wobbling; "
                    "pictures keep improving while the curves look flat")
    default_steps = 6_000
    Settings = Settings
    presets = {
        "small": Settings(),
        "wide28": Settings(width=64, d_width=64, layers=2, latent_size=100, learning_rate=2e-4),
        "keras28": Settings(networks="keras", latent_size=100, learning_rate=1e-4, beta1=0.9),
        "torch64": Settings(width=64, d_width=64, layers=4, latent_size=100, learning_rate=2e-4),
        "paper64": Settings(width=128, d_width=128, layers=4, kernel=5, latent_size=100,
                            learning_rate=2e-4),
    }
    shapes = {"torch64": (64, 64, 3), "paper64": (64, 64, 3)}

    def build(self) -> None:
        s = self.settings
        networks = NETWORKS[s.networks]
        self.generator, self.discriminator = networks(s, self.shape, self.streams)
        betas = (s.beta1, s.beta2)
        self.g_optimizer = Adam(self.generator.parameters(), s.learning_rate, betas)
        self.d_optimizer = Adam(self.discriminator.parameters(), s.learning_rate, betas)
        self.optimizers = {"g_optimizer": self.g_optimizer, "d_optimizer": self.d_optimizer}
        self.ema = EMA(self.generator, s.ema) if s.ema else None

    def step(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The GAN's algorithm 1, one pass through its loop. x: real images (m, H, W, C)."""
        G = self.generator
        D = self.discriminator
        fake = G(self.latent(len(x)))

        d_loss = losses.discriminator(D(x), D(fake.detach()))
        self.d_optimizer.step(grad(d_loss, D.parameters()))
        d_loss = d_loss.detach()  # D's graph is freed here, before G's is built

        g_loss = losses.generator(D(fake))
        self.g_optimizer.step(grad(g_loss, G.parameters()))
        if self.ema:
            self.ema.update()
        return {"d_loss": d_loss, "g_loss": g_loss.detach()}


# ---------------------------------------------------------------- networks

def strided(s: Settings, shape: Shape, streams: Streams) -> Networks:
    """Convolutions of stride 2: D's halve the image and double the channels, G's do the reverse."""
    generator = strided_generator(s, shape, streams)
    discriminator = strided_discriminator(s, shape, streams)
    return generator, discriminator


def strided_generator(s: Settings, shape: Shape, streams: Streams) -> Module:
    """G: a dense layer, then transposed convolutions, each with half the channels of the last.

    `torch64` (`paper64` is twice as wide):

        z            100
        dense         4 x  4 x 512     batch norm, ReLU
        transposed    8 x  8 x 256     batch norm, ReLU
        transposed   16 x 16 x 128     batch norm, ReLU
        transposed   32 x 32 x  64     batch norm, ReLU
        transposed   64 x 64 x   3     tanh
    """
    sizes = halved(shape, s.layers, odd=s.kernel == 4)           # (64, 64), ..., (8, 8), (4, 4)
    widths = [s.width * 2 ** i for i in range(s.layers)]         # 64, 128, 256, 512
    height, width = sizes[-1]
    features = height * width * widths[-1]

    layers: list[Module] = [
        Dense(s.latent_size, features, bias=False, **_normal(streams)),
        Reshape(height, width, widths[-1])]
    for i in reversed(range(s.layers)):
        n_out = widths[i - 1] if i > 0 else shape[2]
        layers += [_batch_norm(widths[i], streams), ReLU()]
        layers += [ConvTranspose2d(widths[i], n_out, **_convolution(s, sizes[i], streams))]
    return Sequential(*layers, Tanh())


def strided_discriminator(s: Settings, shape: Shape, streams: Streams) -> Module:
    """D: convolutions, each with twice the channels of the last, and one logit.

    `torch64` (`paper64` is twice as wide):

        x            64 x 64 x   3
        convolution  32 x 32 x  64     LeakyReLU
        convolution  16 x 16 x 128     batch norm, LeakyReLU
        convolution   8 x  8 x 256     batch norm, LeakyReLU
        convolution   4 x  4 x 512     batch norm, LeakyReLU
        dense         1                (in the PyTorch example a 4x4 convolution, which is the same)
    """
    sizes = halved(shape, s.layers, odd=s.kernel == 4)           # (64, 64), ..., (8, 8), (4, 4)
    height, width = sizes[-1]

    layers: list[Module] = []
    n_in = shape[2]
    for i in range(s.layers):
        n_out = s.d_width * 2 ** i                               # 64, 128, 256, 512
        layers += [Conv2d(n_in, n_out, **_convolution(s, sizes[i], streams))]
        if i > 0:  # no batch norm on D's input (section 3)
            layers += [_batch_norm(n_out, streams)]
        layers += [LeakyReLU(0.2)]
        n_in = n_out
    return Sequential(*layers, Flatten(), Dense(height * width * n_in, 1, **_normal(streams)))


def _convolution(s: Settings, size: Size, streams: Streams) -> dict[str, Any]:
    """Arguments of the convolution that halves images of `size`, and of its transpose to `size`."""
    if s.kernel == 4:
        layout = halving(size)
    else:
        layout = {"kernel_size": s.kernel, "stride": 2, "padding": "same"}
    return {**layout, "bias": False, **_normal(streams)}


def _normal(streams: Streams) -> dict[str, Any]:
    """Weights from N(0, 0.02^2)."""
    return {"weight_init": init.normal(0.02), "rng": streams["init"]}


def _batch_norm(features: int, streams: Streams) -> BatchNorm:
    """Batch norm whose gain starts from N(1, 0.02^2), as in the authors' code."""
    layer = BatchNorm(features)
    layer.gamma.assign(streams["init"].normal((features,), 1.0, 0.02))
    return layer


def keras(s: Settings, shape: Shape, streams: Streams) -> Networks:
    """The tutorial's networks: 5x5 "same" kernels; no bias in G. Sizes are those for digits."""
    height, width = halved(shape, 2)[-1]                                        # (7, 7)
    channels = shape[2]
    rng = streams["init"]
    conv: dict[str, Any] = {"kernel_size": 5, "padding": "same", "rng": rng}
    generator = Sequential(                                                     # z: (N, 100)
        Dense(s.latent_size, height * width * 256, bias=False, rng=rng),        # (N, 12544)
        BatchNorm(height * width * 256), LeakyReLU(0.01),
        Reshape(height, width, 256),                                            # (N, 7, 7, 256)
        ConvTranspose2d(256, 128, stride=1, bias=False, **conv),                # (N, 7, 7, 128)
        BatchNorm(128), LeakyReLU(0.01),
        ConvTranspose2d(128, 64, stride=2, bias=False, **conv),                 # (N, 14, 14, 64)
        BatchNorm(64), LeakyReLU(0.01),
        ConvTranspose2d(64, channels, stride=2, bias=False, **conv), Tanh())    # (N, 28, 28, 1)
    dropout = streams["dropout"]
    discriminator = Sequential(                                                 # x: (N, 28, 28, 1)
        Conv2d(channels, 64, stride=2, **conv),                                 # (N, 14, 14, 64)
        LeakyReLU(0.01), Dropout(0.3, dropout),
        Conv2d(64, 128, stride=2, **conv),                                      # (N, 7, 7, 128)
        LeakyReLU(0.01), Dropout(0.3, dropout),
        Flatten(), Dense(height * width * 128, 1, rng=rng))                     # (N, 1)
    return generator, discriminator


NETWORKS = {"strided": strided, "keras": keras}
