"""DCGAN: Radford et al. 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", https://arxiv.org/abs/1511.06434.

The game of the original GAN, played by convolutional networks under the paper's guidelines (section
3): strided instead of pooled, batch norm in both networks but not on G's output and D's input, ReLU
in G and tanh at its end, LeakyReLU in D, no hidden dense layers; weights from N(0, 0.02^2), Adam
with rate 0.0002 and beta1 = 0.5.

Deviations from the paper, by preset:
- all: normal noise (the authors drew uniform noise); one batch of noise serves both updates of a
  step; a moving average of G's weights draws the samples (`ema`), which the paper has not.
- `small`: 28x28 images (28, 14, 7, 4), 4x4 kernels (3x3 from 7 to 4), three layers instead of four,
  narrow ones; a latent vector of 64, and five times the paper's learning rate, for 5,000 images and
  a few minutes on a processor. D needs the third layer: with two, nothing in it sees more than ten
  pixels, and G draws clean strokes that add up to no digit.
- `wide28`: two wide layers, 4x4 kernels, for measuring speed.
- `keras28`: the networks of the widely read Keras and TensorFlow tutorial, with its LeakyReLU in G,
  dropout in place of batch norm in D, Glorot's weights, and Adam at 0.0001 with beta1 = 0.9. The
  slope is 0.01 (the tutorial: Keras's 0.3), batch norm's eps 1e-5 and momentum 0.1 (0.001, 0.01).
- `torch64`: the networks of the PyTorch example, 4x4 kernels, half of the paper's width.
- `paper64`: figure 1 of the paper, 5x5 kernels, widths 1024 to 128.
"""

from __future__ import annotations

import dataclasses

from minigan import losses
from minigan.engine import Tensor, grad
from minigan.models.model import Model
from minigan.models.settings import setting
from minigan.models.sizes import Shape, halved, halving
from minigan.nn import (BatchNorm, Conv2d, ConvTranspose2d, Dense, Dropout, Flatten, LeakyReLU,
                        Module, ReLU, Reshape, Sequential, Tanh, init)
from minigan.optim import EMA, Adam


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
        self.generator, self.discriminator = NETWORKS[s.networks](s, self.shape, self.streams)
        betas = (s.beta1, s.beta2)
        self.g_optimizer = Adam(self.generator.parameters(), s.learning_rate, betas)
        self.d_optimizer = Adam(self.discriminator.parameters(), s.learning_rate, betas)
        self.optimizers = {"g_optimizer": self.g_optimizer, "d_optimizer": self.d_optimizer}
        self.ema = EMA(self.generator, s.ema) if s.ema else None

    def step(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """The GAN's algorithm 1, one pass through its loop. x: real images (m, H, W, C)."""
        G, D = self.generator, self.discriminator
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

def strided(s: Settings, shape: Shape, streams) -> tuple[Module, Module]:
    """G: dense, then transposed convolutions of stride 2; D: its mirror image, ending in one logit.

    Channels double with every halving of the size: width, 2 width, ...; with 4 layers D's last is a
    dense layer over 4x4 pixels, which is the 4x4 convolution of the PyTorch example.
    """
    sizes, channels = halved(shape, s.layers, odd=s.kernel == 4), shape[2]  # (28, 28), (14, 14), ..
    g_wide, d_wide = ([w << i for i in range(s.layers)] for w in (s.width, s.d_width))
    normal = {"weight_init": init.normal(0.02), "rng": streams["init"]}
    same = {"kernel_size": s.kernel, "stride": 2, "padding": "same"}
    layers = [{**(halving(size) if s.kernel == 4 else same), "bias": False, **normal}
              for size in sizes[:-1]]
    pixels = sizes[-1][0] * sizes[-1][1]

    generator: list[Module] = [Dense(s.latent_size, pixels * g_wide[-1], bias=False, **normal),
                               Reshape(*sizes[-1], g_wide[-1])]
    discriminator: list[Module] = []
    for layer, n_in, n_out in zip(layers[::-1], g_wide[::-1], g_wide[-2::-1] + [channels]):
        generator += [_batch_norm(n_in, streams), ReLU(), ConvTranspose2d(n_in, n_out, **layer)]
    for layer, n_in, n_out in zip(layers, [channels] + d_wide, d_wide):
        discriminator += [Conv2d(n_in, n_out, **layer)]
        discriminator += [_batch_norm(n_out, streams)] if discriminator[1:] else []
        discriminator += [LeakyReLU(0.2)]
    return (Sequential(*generator, Tanh()),
            Sequential(*discriminator, Flatten(), Dense(pixels * d_wide[-1], 1, **normal)))


def _batch_norm(features: int, streams) -> BatchNorm:
    """Batch norm whose gain starts from N(1, 0.02^2), as the authors' code has it."""
    layer = BatchNorm(features)
    layer.gamma.assign(streams["init"].normal((features,), 1.0, 0.02))
    return layer


def keras(s: Settings, shape: Shape, streams) -> tuple[Module, Module]:
    """The tutorial's networks: 5x5 "same" kernels, widths 256, 128, 64; no bias in G."""
    start, channels, rng = halved(shape, 2)[-1], shape[2], streams["init"]
    conv = {"kernel_size": 5, "padding": "same", "rng": rng}
    generator = Sequential(
        Dense(s.latent_size, start[0] * start[1] * 256, bias=False, rng=rng),
        BatchNorm(start[0] * start[1] * 256), LeakyReLU(0.01), Reshape(*start, 256),
        ConvTranspose2d(256, 128, stride=1, bias=False, **conv), BatchNorm(128), LeakyReLU(0.01),
        ConvTranspose2d(128, 64, stride=2, bias=False, **conv), BatchNorm(64), LeakyReLU(0.01),
        ConvTranspose2d(64, channels, stride=2, bias=False, **conv), Tanh())
    discriminator = Sequential(
        Conv2d(channels, 64, stride=2, **conv), LeakyReLU(0.01), Dropout(0.3, streams["dropout"]),
        Conv2d(64, 128, stride=2, **conv), LeakyReLU(0.01), Dropout(0.3, streams["dropout"]),
        Flatten(), Dense(start[0] * start[1] * 128, 1, rng=rng))
    return generator, discriminator


NETWORKS = {"strided": strided, "keras": keras}
