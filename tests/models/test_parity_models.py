"""Training steps equal PyTorch's: the same weights, noise, masks and data, in float64.

Networks and steps are written as a PyTorch user would write them from the paper; losses of ten
steps and, after them, all weights, running statistics, averages and samples must agree. Skipped
where PyTorch is not installed. pix2pix's is in test_pix2pix.py.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
from torch_twins import SEED, Flat, Images, Mask, Twin, nn, torch, uniform

from minigan.streams import Stream

pytestmark = [pytest.mark.parity, pytest.mark.rounding]
F = nn.functional
Step = Callable[..., dict[str, Any]]


@pytest.fixture
def masks():
    """The stream that dropout's masks come from."""
    return Stream(SEED, "dropout")


# ---------------------------------------------------------------- Goodfellow et al. 2014

def non_saturating(logits):
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def minimax(logits):
    return F.logsigmoid(-logits).mean()


def gan(twin: Twin, g_loss: Callable[[Any], Any] = non_saturating) -> Step:
    """Algorithm 1; one batch of noise serves both updates. y: labels, where there are any."""
    G, D, s = twin.G, twin.D, twin.settings
    if s.networks == "paper":
        g_optimizer = torch.optim.SGD(G.parameters(), s.learning_rate, s.beta1)
        d_optimizer = torch.optim.SGD(D.parameters(), s.learning_rate, s.beta1)
    else:
        g_optimizer = torch.optim.Adam(G.parameters(), s.learning_rate, (s.beta1, s.beta2))
        d_optimizer = torch.optim.Adam(D.parameters(), s.learning_rate, (s.beta1, s.beta2))
    bce = nn.BCEWithLogitsLoss()

    def step(x, *y):
        real, fake = torch.ones(len(x), 1).double(), torch.zeros(len(x), 1).double()
        images = G(twin.noise(len(x)), *y)
        d_optimizer.zero_grad()
        d_loss = bce(D(x, *y), real) + bce(D(images.detach(), *y), fake)
        d_loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        loss = g_loss(D(images, *y))
        loss.backward()
        g_optimizer.step()
        if twin.average:
            twin.average.update()
        return {"d_loss": d_loss, "g_loss": loss}

    return step


def seed_networks() -> tuple[Any, Any]:
    G = nn.Sequential(nn.Linear(100, 128), nn.LeakyReLU(0.01), nn.Linear(128, 784), nn.Tanh(),
                      Images(28, 28))
    D = nn.Sequential(Flat(), nn.Linear(784, 128), nn.LeakyReLU(0.01), nn.Linear(128, 1))
    return G, D


def mlp_layers(n_z: int, n_x: int, masks: Stream) -> tuple[Any, Any]:
    """From n_z numbers to 784 pixels, and from n_x numbers to a logit."""
    G = nn.Sequential(
        nn.Linear(n_z, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2),
        nn.Linear(256, 512), nn.BatchNorm1d(512), nn.LeakyReLU(0.2),
        nn.Linear(512, 784), nn.Tanh(), Images(28, 28))
    D = nn.Sequential(
        nn.Linear(n_x, 512), nn.LeakyReLU(0.2), Mask(0.3, masks),
        nn.Linear(512, 256), nn.LeakyReLU(0.2), Mask(0.3, masks), nn.Linear(256, 1))
    return G, D


@pytest.mark.parametrize("loss, formula", [("non-saturating", non_saturating),
                                           ("minimax", minimax)])
def test_gan_seed(loss, formula):
    twin = Twin("gan", "seed", *seed_networks(), loss=loss)
    twin.run(gan(twin, formula))


def test_gan_mlp_with_batch_norm_dropout_and_average(masks):
    G, D = mlp_layers(100, 784, masks)
    twin = Twin("gan", "mlp", G, nn.Sequential(Flat(), D))
    assert twin.average
    twin.run(gan(twin))
    assert masks.counter == twin.model.streams["dropout"].counter > 0


class Maxout(nn.Module):
    """The largest of some linear layers, unit by unit (Goodfellow et al. 2013)."""

    def __init__(self, n_in: int, n_out: int, pieces: int) -> None:
        super().__init__()
        self.linear, self.pieces = nn.Linear(n_in, n_out * pieces), pieces

    def forward(self, x):
        return self.linear(x).unflatten(1, (-1, self.pieces)).max(2).values


class Stretch(nn.Module):
    """From [0, 1] to [-1, 1]."""

    def forward(self, x):
        return 2 * x - 1


def test_gan_paper_with_maxout_and_momentum(masks):
    G = nn.Sequential(nn.Linear(100, 1200), nn.ReLU(), nn.Linear(1200, 1200), nn.ReLU(),
                      nn.Linear(1200, 784), nn.Sigmoid(), Stretch(), Images(28, 28))
    D = nn.Sequential(Flat(), Mask(0.2, masks), Maxout(784, 240, 5), Mask(0.5, masks),
                      Maxout(240, 240, 5), Mask(0.5, masks), nn.Linear(240, 1))
    twin = Twin("gan", "paper", G, D, batch=8)
    twin.run(gan(twin))
    assert masks.counter == twin.model.streams["dropout"].counter > 0


# ---------------------------------------------------------------- DCGAN, Radford et al. 2015

def test_dcgan_strided():
    w = 6
    G = nn.Sequential(
        nn.Linear(64, 4 * 4 * 4 * w, bias=False), Images(4, 4),
        nn.BatchNorm2d(4 * w), nn.ReLU(), nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1, bias=False),
        nn.BatchNorm2d(2 * w), nn.ReLU(), nn.ConvTranspose2d(2 * w, w, 4, 2, 1, bias=False),
        nn.BatchNorm2d(w), nn.ReLU(), nn.ConvTranspose2d(w, 1, 4, 2, 1, bias=False), nn.Tanh())
    D = nn.Sequential(
        nn.Conv2d(1, w, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),
        nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * w), nn.LeakyReLU(0.2),
        nn.Conv2d(2 * w, 4 * w, 3, 2, 1, bias=False), nn.BatchNorm2d(4 * w), nn.LeakyReLU(0.2),
        Flat(), nn.Linear(4 * 4 * 4 * w, 1))
    twin = Twin("dcgan", "small", G, D, width=w, d_width=w)
    twin.run(gan(twin))


class Cut(nn.Module):
    """What Keras's "same" cuts off a 5x5 stride-2 transposed convolution: 1 before, 2 after."""

    def forward(self, x):
        return x[:, :, 1:-2, 1:-2]


def test_dcgan_keras28_at_its_real_size(masks):
    """5x5 "same": stride 1 pads 2 and 2, stride 2 pads 1 before and 2 after."""
    G = nn.Sequential(
        nn.Linear(100, 7 * 7 * 256, bias=False), nn.BatchNorm1d(7 * 7 * 256), nn.LeakyReLU(0.01),
        Images(7, 7),
        nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.01),
        nn.ConvTranspose2d(128, 64, 5, 2, bias=False), Cut(), nn.BatchNorm2d(64),
        nn.LeakyReLU(0.01),
        nn.ConvTranspose2d(64, 1, 5, 2, bias=False), Cut(), nn.Tanh())
    D = nn.Sequential(
        nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(1, 64, 5, 2), nn.LeakyReLU(0.01), Mask(0.3, masks),
        nn.ZeroPad2d((1, 2, 1, 2)), nn.Conv2d(64, 128, 5, 2), nn.LeakyReLU(0.01), Mask(0.3, masks),
        Flat(), nn.Linear(7 * 7 * 128, 1))
    twin = Twin("dcgan", "keras28", G, D, batch=3)
    twin.run(gan(twin))
    assert masks.counter == twin.model.streams["dropout"].counter > 0


# ---------------------------------------------------------------- CGAN, Mirza and Osindero 2014

class Conditional(nn.Module):
    """Stages that are each given the label, one-hot, as further features or constant maps."""

    def __init__(self, *stages: Any) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def forward(self, x, labels):
        y = F.one_hot(labels, 10).double()
        for stage in self.stages:
            maps = y if x.ndim == 2 else y[:, :, None, None].expand(-1, -1, *x.shape[2:])
            x = stage(torch.cat([x, maps], 1))
        return x


class OfPixels(Conditional):
    """The same, of an image as a vector."""

    def forward(self, x, labels):
        return super().forward(Flat()(x), labels)


def conditional_generator(w: int) -> Any:
    return Conditional(nn.Sequential(
        nn.Linear(64 + 10, 4 * 4 * 8 * w, bias=False), nn.BatchNorm1d(4 * 4 * 8 * w), nn.ReLU(),
        Images(4, 4),
        nn.ConvTranspose2d(8 * w, 4 * w, 3, 2, 1, bias=False), nn.BatchNorm2d(4 * w), nn.ReLU(),
        nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * w), nn.ReLU(),
        nn.ConvTranspose2d(2 * w, 1, 4, 2, 1), nn.Tanh()))


def test_cgan_conv():
    w = 4
    D = Conditional(
        nn.Sequential(nn.Conv2d(1 + 10, w, 4, 2, 1), nn.LeakyReLU(0.2)),
        nn.Sequential(nn.Conv2d(w + 10, 2 * w, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * w),
                      nn.LeakyReLU(0.2)),
        nn.Sequential(nn.Conv2d(2 * w + 10, 4 * w, 3, 2, 1, bias=False), nn.BatchNorm2d(4 * w),
                      nn.LeakyReLU(0.2), Flat()),
        nn.Linear(4 * 4 * 4 * w + 10, 1))
    twin = Twin("cgan", "conv", conditional_generator(w), D, width=w)
    twin.run(gan(twin))


class Projection(nn.Module):
    """Miyato and Koyama 2018: the logit, and the features' inner product with the class's."""

    def __init__(self, features: Any, size: int) -> None:
        super().__init__()
        self.features, self.logit = features, nn.Linear(size, 1)
        self.of_class = nn.Embedding(10, size)

    def forward(self, x, labels):
        h = self.features(x)
        return self.logit(h) + torch.einsum("ni,ni->n", h, self.of_class(labels))[:, None]


def test_cgan_projection():
    w = 4
    D = Projection(nn.Sequential(
        nn.Conv2d(1, w, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * w), nn.LeakyReLU(0.2), nn.Conv2d(2 * w, 4 * w, 3, 2, 1, bias=False),
        nn.BatchNorm2d(4 * w), nn.LeakyReLU(0.2), Flat()), 4 * 4 * 4 * w)
    twin = Twin("cgan", "projection", conditional_generator(w), D, width=w)
    twin.run(gan(twin))


def test_cgan_mlp(masks):
    G, D = mlp_layers(100 + 10, 784 + 10, masks)
    twin = Twin("cgan", "mlp", Conditional(G), OfPixels(D))
    twin.run(gan(twin))


class Branches(nn.Module):
    """x and the one-hot label through layers of their own, then together."""

    def __init__(self, of_x: Any, of_y: Any, joint: Any) -> None:
        super().__init__()
        self.of_x, self.of_y, self.joint = of_x, of_y, joint

    def forward(self, x, labels):
        h = self.of_x(x)
        return self.joint(torch.cat([h, self.of_y(F.one_hot(labels, 10).double())], 1))


def test_cgan_paper(masks):
    """Section 4.1: 200 and 1000 units, 1200 jointly; maxout 240x5 and 50x5, 240x4 jointly."""
    G = Branches(nn.Sequential(nn.Linear(100, 200), nn.ReLU()),
                 nn.Sequential(nn.Linear(10, 1000), nn.ReLU()),
                 nn.Sequential(nn.Linear(1200, 1200), nn.ReLU(), nn.Linear(1200, 784),
                               nn.Sigmoid(), Stretch(), Images(28, 28)))
    D = Branches(nn.Sequential(Flat(), Maxout(784, 240, 5), Mask(0.5, masks)),
                 nn.Sequential(Maxout(10, 50, 5), Mask(0.5, masks)),
                 nn.Sequential(Maxout(290, 240, 4), Mask(0.5, masks), nn.Linear(240, 1)))
    twin = Twin("cgan", "paper", G, D, batch=8)
    twin.run(gan(twin))
    assert masks.counter == twin.model.streams["dropout"].counter > 0


# ---------------------------------------------------------------- WGAN, Arjovsky et al. 2017

def wgan(twin: Twin) -> Step:
    """Algorithm 1, and the authors' 100 critic updates before each of G's first ones."""
    G, f, s = twin.G, twin.D, twin.settings
    g_optimizer = torch.optim.RMSprop(G.parameters(), s.learning_rate)
    f_optimizer = torch.optim.RMSprop(f.parameters(), s.learning_rate)
    updates_of_g, updates_of_f = 0, 0

    def step(x):
        nonlocal updates_of_g, updates_of_f
        f_optimizer.zero_grad()
        distance = f(x).mean() - f(G(twin.noise(len(x))).detach()).mean()
        (-distance).backward()
        f_optimizer.step()
        for p in f.parameters():
            p.data.clamp_(-s.clip, s.clip)
        losses = {"w_estimate": distance}
        updates_of_f += 1
        if updates_of_f == (100 if updates_of_g < s.warm_up else s.n_critic):
            g_optimizer.zero_grad()
            g_loss = -f(G(twin.noise(len(x)))).mean()
            g_loss.backward()
            g_optimizer.step()
            twin.average.update()
            losses["g_loss"] = g_loss
            updates_of_g, updates_of_f = updates_of_g + 1, 0
        return losses

    return step


def relu_layers(n_in: int, width: int, n_out: int, norm: bool = False) -> Any:
    """Three hidden layers."""
    layers = [layer for n in (n_in, width, width)
              for layer in (nn.Linear(n, width), *[nn.BatchNorm1d(width)] * norm, nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(width, n_out))


def wgan_mlp(width: int) -> tuple[Any, Any]:
    return (nn.Sequential(relu_layers(100, width, 784, norm=True), nn.Tanh(), Images(28, 28)),
            nn.Sequential(Flat(), relu_layers(784, width, 1)))


def test_wgan_mlp():
    twin = Twin("wgan", "mlp", *wgan_mlp(48), width=48, n_critic=5)
    twin.run(wgan(twin))
    assert (twin.model.c_optimizer.t, twin.model.g_optimizer.t) == (10, 2)
    clipped = [p.data for p in twin.model.discriminator.parameters()]
    assert max(np.abs(p).max() for p in clipped) == twin.settings.clip == 0.2


def strided(w: int) -> tuple[Any, Any]:
    """Three layers of stride 2 each way, for 28x28 images; no norm in the critic."""
    G = nn.Sequential(
        nn.Linear(100, 4 * 4 * 4 * w), Images(4, 4),
        nn.BatchNorm2d(4 * w), nn.ReLU(), nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, 1),
        nn.BatchNorm2d(2 * w), nn.ReLU(), nn.ConvTranspose2d(2 * w, w, 4, 2, 1),
        nn.BatchNorm2d(w), nn.ReLU(), nn.ConvTranspose2d(w, 1, 4, 2, 1), nn.Tanh())
    f = nn.Sequential(
        nn.Conv2d(1, w, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(w, 2 * w, 4, 2, 1),
        nn.LeakyReLU(0.2), nn.Conv2d(2 * w, 4 * w, 3, 2, 1), nn.LeakyReLU(0.2),
        Flat(), nn.Linear(4 * 4 * 4 * w, 1))
    return G, f


def test_wgan_conv():
    twin = Twin("wgan", "conv", *strided(6), width=6, n_critic=3)
    twin.run(wgan(twin))
    assert (twin.model.c_optimizer.t, twin.model.g_optimizer.t) == (10, 3)


def test_the_warm_up_of_a_wgan():
    """100 critic updates, G's first; 5, G's second; 5, G's third."""
    twin = Twin("wgan", "mlp", *wgan_mlp(8), batch=4, width=8, warm_up=1, n_critic=5)
    twin.run(wgan(twin), 112)
    assert (twin.model.c_optimizer.t, twin.model.g_optimizer.t) == (112, 3)


# ---------------------------------------------------------------- WGAN-GP, Gulrajani et al. 2017

def wgan_gp(twin: Twin) -> Step:
    """Algorithm 1; x_hat is on the line between a real and a generated sample."""
    G, f, s = twin.G, twin.D, twin.settings
    g_optimizer = torch.optim.Adam(G.parameters(), s.learning_rate, (s.beta1, s.beta2))
    f_optimizer = torch.optim.Adam(f.parameters(), s.learning_rate, (s.beta1, s.beta2))
    updates_of_f = 0

    def step(x):
        nonlocal updates_of_f
        fake = G(twin.noise(len(x))).detach()
        epsilon = uniform(twin.penalty, len(x), 1, 1, 1)
        x_hat = (epsilon * x + (1 - epsilon) * fake).requires_grad_()
        scores = f(x_hat)
        gradient, = torch.autograd.grad(scores, x_hat, torch.ones_like(scores), create_graph=True)
        excess = gradient.flatten(1).norm(2, dim=1) - 1
        penalty = (excess.clamp(min=0) if s.one_sided else excess).square().mean()
        distance = f(x).mean() - f(fake).mean()
        f_optimizer.zero_grad()
        (-distance + s.penalty * penalty).backward()
        f_optimizer.step()
        losses = {"w_estimate": distance, "penalty": penalty}
        updates_of_f += 1
        if updates_of_f == s.n_critic:
            g_optimizer.zero_grad()
            g_loss = -f(G(twin.noise(len(x)))).mean()
            g_loss.backward()
            g_optimizer.step()
            if twin.average:
                twin.average.update()
            losses["g_loss"], updates_of_f = g_loss, 0
        return losses

    return step


def test_wgan_gp_conv28():
    twin = Twin("wgan-gp", "conv28", *strided(6), width=6)
    twin.run(wgan_gp(twin))
    assert (twin.model.c_optimizer.t, twin.model.g_optimizer.t) == (10, 5)


def test_wgan_gp_wide28():
    """Layer norm over a whole image, with a gain for each channel, is group norm of one group."""
    w = 6
    G = nn.Sequential(
        nn.Linear(100, 7 * 7 * 2 * w), Images(7, 7),
        nn.BatchNorm2d(2 * w), nn.ReLU(), nn.ConvTranspose2d(2 * w, w, 4, 2, 1),
        nn.BatchNorm2d(w), nn.ReLU(), nn.ConvTranspose2d(w, 1, 4, 2, 1), nn.Tanh())
    f = nn.Sequential(
        nn.Conv2d(1, w, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(w, 2 * w, 4, 2, 1), nn.GroupNorm(1, 2 * w), nn.LeakyReLU(0.2),
        Flat(), nn.Linear(7 * 7 * 2 * w, 1))
    twin = Twin("wgan-gp", "wide28", G, f, width=w)
    twin.run(wgan_gp(twin))
    assert (twin.model.c_optimizer.t, twin.model.g_optimizer.t) == (10, 2)


def test_wgan_gp_seed():
    twin = Twin("wgan-gp", "seed", *seed_networks())
    twin.run(wgan_gp(twin))


@pytest.mark.parametrize("one_sided", [False, True])
def test_wgan_gp_toy(one_sided):
    """Two-dimensional data on a ring; the critic is steeper than 1 in some places only."""
    angles = 2 * np.pi * np.random.Generator(np.random.Philox(5)).integers(0, 8, 160) / 8
    points = np.stack([np.cos(angles), np.sin(angles)], 1).reshape(160, 1, 1, 2)
    G = nn.Sequential(relu_layers(2, 32, 2), Images(1, 1))
    f = nn.Sequential(Flat(), relu_layers(2, 32, 1))
    twin = Twin("wgan-gp", "toy", G, f, points=points, width=32, one_sided=one_sided)
    twin.run(wgan_gp(twin))
