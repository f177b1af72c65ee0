"""Losses: the papers' formulas, in probabilities where the paper has them, and their slopes."""
from __future__ import annotations

import math

import numpy as np
import pytest

import minigan as mg
from minigan import losses
from minigan.gradcheck import check_grads

pytestmark = pytest.mark.rounding

REAL, FAKE = (np.random.Generator(np.random.Philox(seed)).standard_normal((7, 1)) * 3
              for seed in (1, 2))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# loss -> the paper's formula; the derivative of each sample's share with respect to each logit.
TABLE = {
    losses.discriminator: (
        lambda r, f: -(np.log(sigmoid(r)).mean() + np.log(1 - sigmoid(f)).mean()),
        [lambda r, f: sigmoid(r) - 1, lambda r, f: sigmoid(f)]),
    losses.generator: (lambda f: -np.log(sigmoid(f)).mean(), [lambda f: sigmoid(f) - 1]),
    losses.generator_minimax: (lambda f: np.log(1 - sigmoid(f)).mean(), [lambda f: -sigmoid(f)]),
    losses.least_squares_discriminator: (
        lambda r, f: ((r - 1) ** 2).mean() / 2 + (f ** 2).mean() / 2,
        [lambda r, f: r - 1, lambda r, f: f]),
    losses.least_squares_generator: (lambda f: ((f - 1) ** 2).mean() / 2, [lambda f: f - 1]),
    losses.hinge_discriminator: (
        lambda r, f: np.where(r < 1, 1 - r, 0).mean() + np.where(f > -1, 1 + f, 0).mean(),
        [lambda r, f: -1.0 * (r < 1), lambda r, f: 1.0 * (f > -1)]),
    losses.hinge_generator: (lambda f: -f.mean(), [lambda f: -np.ones_like(f)]),
    losses.wasserstein_critic: (
        lambda r, f: f.mean() - r.mean(),
        [lambda r, f: -np.ones_like(r), lambda r, f: np.ones_like(f)]),
    losses.wasserstein_generator: (lambda f: -f.mean(), [lambda f: -np.ones_like(f)]),
    losses.relativistic_discriminator: (
        lambda r, f: -np.log(sigmoid(r - f)).mean(),
        [lambda r, f: -sigmoid(f - r), lambda r, f: sigmoid(f - r)]),
    losses.relativistic_generator: (
        lambda r, f: -np.log(sigmoid(f - r)).mean(),
        [lambda r, f: sigmoid(r - f), lambda r, f: -sigmoid(r - f)]),
}
EACH = pytest.mark.parametrize("loss", TABLE, ids=lambda loss: loss.__name__)


def test_the_table_names_every_loss():
    assert set(TABLE) == {value for name, value in vars(losses).items() if callable(value)
                          and value.__module__ == losses.__name__ and not name.startswith("_")}


@EACH
def test_values_and_gradients(loss):
    formula, slopes = TABLE[loss]
    logits = [REAL, FAKE][-len(slopes):]
    zs = [mg.tensor(z, requires_grad=True) for z in logits]
    value = loss(*zs)
    assert value.shape == () and value.dtype == np.float64
    assert math.isclose(value.item(), formula(*logits), rel_tol=1e-13)
    for g, slope, z in zip(mg.grad(value, zs), slopes, logits, strict=True):
        np.testing.assert_allclose(g.data, slope(*logits) / z.size, rtol=1e-12)
    check_grads(loss, zs)


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_finite_at_huge_logits(loss, dtype):
    slopes = TABLE[loss][1]
    for signs in np.ndindex(*[2] * len(slopes)):
        logits = [np.full((4, 1), (1e4, -1e4)[sign], dtype) for sign in signs]
        zs = [mg.tensor(z, requires_grad=True) for z in logits]
        value = loss(*zs)
        grads = mg.grad(value, zs, create_graph=True)
        second = mg.grad(grads, zs, [mg.tensor(z * 0 + 1) for z in logits], unreached="zeros")
        assert value.dtype == dtype and math.isfinite(value.item())
        with np.errstate(over="ignore"):
            due = [slope(*[z.astype("float64") for z in logits]) / 4 for slope in slopes]
        for g, gg, expected in zip(grads, second, due, strict=True):
            assert g.dtype == gg.dtype == dtype and np.isfinite(gg.data).all()
            np.testing.assert_allclose(g.data, expected, rtol=1e-7, atol=1e-12)


def test_huge_logits_cost_what_they_are():
    up, down = (mg.tensor(np.full((3, 1), z, "float32")) for z in (1e4, -1e4))
    assert losses.discriminator(up, down).item() == 0
    assert losses.discriminator(down, up).item() == 2e4
    assert losses.generator(down).item() == 1e4 and losses.generator(up).item() == 0
    assert losses.generator_minimax(up).item() == -1e4


def test_what_an_undecided_discriminator_pays():
    z = mg.tensor(np.zeros((5, 1)))
    assert math.isclose(losses.discriminator(z, z).item(), 2 * math.log(2), rel_tol=1e-15)
    assert math.isclose(losses.generator(z).item(), math.log(2), rel_tol=1e-15)
    assert math.isclose(losses.generator_minimax(z).item(), -math.log(2), rel_tol=1e-15)


@EACH
def test_batches_of_two_sizes_are_never_broadcast(loss):
    """Either each mean is over its own batch, or pairs are compared and must be pairs."""
    formula, slopes = TABLE[loss]
    for n, m in ((3, 2), (3, 1)):
        logits = [REAL[:n], FAKE[:m]][-len(slopes):]
        zs = [mg.tensor(z) for z in logits]
        if loss.__name__.startswith("relativistic"):
            with pytest.raises(ValueError, match=rf"pairs: real .*\({n}, 1\), fake \({m}, 1\)"):
                loss(*zs)
        else:
            assert math.isclose(loss(*zs).item(), formula(*logits), rel_tol=1e-13)


def test_the_alternative_has_the_stronger_gradient_early_on():
    """At logits of -9, as early in training, the minimax loss hardly moves G; same direction."""
    z = mg.tensor(np.full((1, 1), -9.0), requires_grad=True)
    strong, weak = (mg.grad(loss(z), z).item() for loss in (losses.generator,
                                                            losses.generator_minimax))
    assert strong < 0 and weak < 0 and strong / weak > 1000
