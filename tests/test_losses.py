"""Losses: the papers' formulas, written with probabilities, wherever those can be computed."""
from __future__ import annotations

import math

import numpy as np
import pytest

import minigan as mg
from minigan import losses
from minigan.gradcheck import check_grads

REAL, FAKE = (np.random.Generator(np.random.Philox(seed)).standard_normal((7, 1)) * 3
              for seed in (1, 2))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


VALUES = [  # loss, its logits, the formula with D(x) = sigmoid(logit)
    (losses.discriminator, [REAL, FAKE],
     lambda r, f: -(np.log(sigmoid(r)).mean() + np.log(1 - sigmoid(f)).mean())),
    (losses.generator, [FAKE], lambda f: -np.log(sigmoid(f)).mean()),
    (losses.generator_minimax, [FAKE], lambda f: np.log(1 - sigmoid(f)).mean()),
]
SLOPES = {  # the derivative of each with respect to each of its logits, times their number
    "discriminator": [lambda r: sigmoid(r) - 1, lambda f: sigmoid(f)],
    "generator": [lambda f: sigmoid(f) - 1],
    "generator_minimax": [lambda f: -sigmoid(f)],
}
IDS = [loss.__name__ for loss, _, _ in VALUES]


def test_the_table_names_every_loss():
    public = {name for name, value in vars(losses).items()
              if callable(value) and getattr(value, "__module__", "") == losses.__name__}
    assert public == set(IDS) == set(SLOPES)


@pytest.mark.parametrize("loss, logits, formula", VALUES, ids=IDS)
def test_values_and_gradients(loss, logits, formula):
    zs = [mg.tensor(z, requires_grad=True) for z in logits]
    value = loss(*zs)
    assert value.shape == () and value.dtype == np.float64
    assert math.isclose(value.item(), formula(*logits), rel_tol=1e-13)
    for g, slope, z in zip(mg.grad(value, zs), SLOPES[loss.__name__], logits, strict=True):
        np.testing.assert_allclose(g.data, slope(z) / z.size, rtol=1e-12)
    check_grads(loss, zs)


@pytest.mark.parametrize("loss, logits, formula", VALUES, ids=IDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_finite_at_huge_logits(loss, logits, formula, dtype):
    for signs in np.ndindex(*[2] * len(logits)):
        zs = [mg.tensor(np.full((4, 1), (1e4, -1e4)[sign], dtype), requires_grad=True)
              for sign in signs]
        value = loss(*zs)
        grads = mg.grad(value, zs, create_graph=True)
        seconds = mg.grad(grads, zs, [mg.tensor(np.ones((4, 1), dtype)) for _ in zs])
        assert value.dtype == dtype and abs(value.item()) in (0.0, 1e4, 2e4)
        for z, g, slope in zip(zs, grads, SLOPES[loss.__name__]):
            assert g.dtype == dtype
            with np.errstate(over="ignore"):
                np.testing.assert_allclose(g.data, slope(z.data.astype("float64")) / 4, atol=1e-12)
        assert all(np.isfinite(s.data).all() for s in seconds)


def test_what_an_undecided_discriminator_pays():
    z = mg.tensor(np.zeros((5, 1)))
    assert math.isclose(losses.discriminator(z, z).item(), 2 * math.log(2), rel_tol=1e-15)
    assert math.isclose(losses.generator(z).item(), math.log(2), rel_tol=1e-15)
    assert math.isclose(losses.generator_minimax(z).item(), -math.log(2), rel_tol=1e-15)


def test_batches_may_differ_in_size():
    """Each mean is over its own batch, so nothing is broadcast."""
    real, fake = mg.tensor(REAL[:3]), mg.tensor(np.full((5, 1), 0.5))
    due = np.log1p(np.exp(-REAL[:3])).mean() + math.log1p(math.exp(0.5))
    assert math.isclose(losses.discriminator(real, fake).item(), due, rel_tol=1e-13)


def test_the_alternative_has_the_stronger_gradient_early_on():
    """At logits of -9, as early in training, the minimax loss hardly moves G; same direction."""
    z = mg.tensor(np.full((1, 1), -9.0), requires_grad=True)
    strong, weak = (mg.grad(loss(z), z).item() for loss in (losses.generator,
                                                            losses.generator_minimax))
    assert strong < 0 and weak < 0 and strong / weak > 1000
