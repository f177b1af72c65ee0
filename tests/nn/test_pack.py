"""PacGAN's packing: with every network, and what a discriminator can see only with it.

Values and derivatives of `pack` itself are rows of the op table.
"""
from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pytest
from model_tools import PRESETS, batch, build, small

import minigan as mg
from minigan import losses, nn, ops, penalties
from minigan.optim import Adam

pytestmark = pytest.mark.rounding

EACH = pytest.mark.parametrize("name, preset", PRESETS, ids=[":".join(row) for row in PRESETS])


def test_samples_lie_beside_one_another():
    x = mg.tensor(np.arange(24.0).reshape(4, 1, 2, 3))
    packed = ops.pack(x, 2).data
    assert packed.shape == (2, 1, 2, 6)
    assert packed[1, 0, 1].tolist() == [15, 16, 17, 21, 22, 23]  # the third's, then the fourth's
    assert ops.pack(x, 1).data.tolist() == x.data.tolist()


def networks(name, preset):
    """A model for images of one channel, and the discriminator of the same one for two channels."""
    model = small(name, preset, shape=(16, 16, 1))
    settings = dataclasses.asdict(model.settings)
    if name == "pix2pix":  # as a whole it makes images of 1 or 3 channels
        return model, type(model.discriminator)(model.settings, (16, 16, 2), model.streams)
    return model, build(name, preset, shape=(16, 16, 2), **settings).discriminator


@EACH
def test_every_discriminator_judges_packs(name, preset):
    """One update of D on packs of two, and G's gradient through packs."""
    model, D = networks(name, preset)
    x, labels = batch(model, 8)
    if name == "pix2pix":
        start = (model.condition(x),)
        judge = partial(D, ops.pack(*start, 2))
    elif model.conditional:
        start = (model.latent(8), labels)
        judge = lambda packs: D(packs, labels[::2])  # noqa: E731  of the first of each pack
    else:
        start, judge = (model.latent(8),), D
    fake = model.generator(*start)
    real_logits = judge(ops.pack(x, 2))
    assert len(real_logits) == 4
    loss = losses.discriminator(real_logits, judge(ops.pack(fake.detach(), 2)))
    Adam(D.parameters(), 1e-3).step(mg.grad(loss, D.parameters()))
    weight = model.generator.parameters()[0]
    gradient = mg.grad(losses.generator(judge(ops.pack(fake, 2))), weight).data
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


def test_a_penalty_is_of_packs():
    D = nn.Sequential(nn.Flatten(), nn.Dense(2 * 6, 1, rng=mg.Stream(0, "init"))).astype("float64")
    random = np.random.Generator(np.random.Philox(0))
    x, fake = (mg.tensor(random.standard_normal((8, 1, 3, 2))) for _ in range(2))
    value = penalties.gradient_penalty(D, ops.pack(x, 2), ops.pack(fake, 2),
                                       mg.Stream(0, "penalty")).item()
    assert value == pytest.approx((np.linalg.norm(D.layers[1].weight.data) - 1) ** 2, rel=1e-12)


@pytest.mark.parametrize("m, best", [(1, 2 * np.log(2)), (2, -np.log(1 / 3) / 2 - np.log(2 / 3))])
def test_packing_shows_a_lack_of_variety(m, best):
    """Real numbers are +1 or -1; so are the fake ones, but two in a row are always the same.

    One at a time they cannot be told apart: the loss stays at 2 log 2. In pairs half of the real
    ones give themselves away, and the best D pays -log(1/3) / 2 - log(2/3) = 0.95.
    """
    random = np.random.Generator(np.random.Philox(0))
    rng = mg.Stream(0, "init")
    D = nn.Sequential(nn.Dense(m, 16, rng=rng), nn.LeakyReLU(0.2), nn.Dense(16, 1, rng=rng))
    optimizer, values = Adam(D.parameters(), 1e-2), []
    for _ in range(200):
        real = random.choice([-1.0, 1.0], (128, 1)).astype("float32")
        fake = np.repeat(random.choice([-1.0, 1.0], (64, 1)), 2, axis=0).astype("float32")
        loss = losses.discriminator(*(D(ops.pack(mg.tensor(x), m)) for x in (real, fake)))
        optimizer.step(mg.grad(loss, D.parameters()))
        values.append(loss.item())
    assert np.mean(values[-50:]) == pytest.approx(best, abs=0.04)


def test_packs_that_cannot_be_made():
    x = mg.tensor(np.zeros((4, 2), "float32"))
    for m in (3, 0, -2, 2.0):
        with pytest.raises(ValueError, match=r"pack: .* multiple of m.*, got \(4, 2\) and "):
            ops.pack(x, m)
    with pytest.raises(ValueError, match=r"pack: x must be \(N, ..., C\)"):
        ops.pack(mg.tensor(np.zeros(4)), 2)
