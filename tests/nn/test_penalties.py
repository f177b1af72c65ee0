"""Gradient penalties: closed forms, independence of samples, and the numeric gradient of it all."""

from __future__ import annotations

import numpy as np
import pytest

from minigan import errors, grad, op_hook, ops, tensor
from minigan.gradcheck import check_grads
from minigan.nn import BatchNorm, Conv2d, Dense, Flatten, LayerNorm, LeakyReLU, Sequential
from minigan.optim import Adam
from minigan.penalties import dragan, gradient_penalty, r1, r2
from minigan.streams import Streams

pytestmark = pytest.mark.rounding


def images(n: int, *shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, *shape))


def epsilon(seed: int = 0):
    return Streams(seed)["penalty"]


def smooth_critic(seed: int = 0) -> Sequential:
    """Convolutions and a layer norm, in float64, smooth so that differences are exact."""
    rng = Streams(seed)["init"]
    critic = Sequential(Conv2d(2, 3, 3, 2, 1, rng=rng), LayerNorm(3, (1, 2, 3)), Flatten(),
                        Dense(12, 4, rng=rng), Dense(4, 1, rng=rng))
    critic.layers.insert(3, _Tanh())
    return critic.astype("float64")


class _Tanh(LeakyReLU):
    def forward(self, x):
        return ops.tanh(x)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_the_penalty_of_a_linear_critic_is_known(scale):
    """f(x) = <w, x>: the penalty is (||w|| - 1)^2, its gradient 2 (||w|| - 1) w / ||w||."""
    w = tensor(scale * images(1, 6, seed=3)[0], requires_grad=True)
    x, y = tensor(images(5, 6)), tensor(images(5, 6, seed=1))
    penalty = gradient_penalty(lambda at: ops.matmul(at, w), x, y, epsilon())
    length = np.linalg.norm(w.data)
    assert penalty.item() == pytest.approx((length - 1) ** 2, rel=1e-12)
    np.testing.assert_allclose(grad(penalty, w).numpy(), 2 * (length - 1) * w.data / length,
                               rtol=1e-10)


@pytest.mark.parametrize("scale, due", [(0.5, 0.0), (3.0, 4.0)])
def test_the_one_sided_penalty_leaves_gentle_slopes_alone(scale, due):
    w = tensor(scale * np.eye(6)[0], requires_grad=True)
    x, y = tensor(images(5, 6)), tensor(images(5, 6, seed=1))
    penalty = gradient_penalty(lambda at: ops.matmul(at, w), x, y, epsilon(), one_sided=True)
    assert penalty.item() == pytest.approx(due, abs=1e-12)
    assert np.any(grad(penalty, w).numpy() != 0) == (due > 0)


def test_a_flat_critic_has_a_finite_penalty_and_gradient():
    w = tensor(np.zeros(6), requires_grad=True)
    x = tensor(images(5, 6))
    penalty = gradient_penalty(lambda at: ops.matmul(at, w), x, x, epsilon())
    assert penalty.item() == 1.0
    np.testing.assert_array_equal(grad(penalty, w).numpy(), np.zeros(6))


def test_each_sample_has_its_own_epsilon_and_its_own_norm():
    """With f(x) = sum(x^2) / 2 the slope at x_hat is x_hat itself, so x_hat can be read off."""
    x, y = tensor(np.ones((4, 2, 2, 1))), tensor(np.zeros((4, 2, 2, 1)))
    points = []

    def critic(at):
        points.append(at.numpy().copy())
        return ops.sum(ops.square(at), (1, 2, 3)) / 2

    penalty = gradient_penalty(critic, x, y, epsilon()).item()
    (at,) = points
    drawn = epsilon().uniform((4, 1, 1, 1), dtype=np.float64)
    np.testing.assert_allclose(at, np.broadcast_to(drawn, at.shape), rtol=1e-12)
    assert len(np.unique(at)) == 4  # one number a sample, not one a pixel nor one a batch
    slopes = np.sqrt((at ** 2).sum(axis=(1, 2, 3)))
    assert penalty == pytest.approx(((slopes - 1) ** 2).mean(), rel=1e-12)


def test_the_penalty_is_a_mean_over_samples():
    critic = smooth_critic()
    x, y = images(6, 4, 4, 2), images(6, 4, 4, 2, seed=1)
    whole = gradient_penalty(critic, tensor(x), tensor(y), epsilon()).item()
    drawn = epsilon().uniform((6, 1, 1, 1), dtype=np.float64)
    alone = []
    for i in range(6):
        at = tensor(drawn[i:i + 1] * x[i:i + 1] + (1 - drawn[i:i + 1]) * y[i:i + 1],
                    requires_grad=True)
        slope = grad(ops.sum(critic(at)), at).numpy()
        alone.append((np.linalg.norm(slope) - 1) ** 2)
    assert whole == pytest.approx(np.mean(alone), rel=1e-10)


def test_the_gradient_of_the_whole_critic_loss_is_the_numeric_one():
    critic = smooth_critic()
    x, y = tensor(images(3, 4, 4, 2)), tensor(images(3, 4, 4, 2, seed=1))
    parameters = critic.parameters()

    def loss(*values):
        for p, value in zip(parameters, values):
            _put(critic, p, value)
        penalty = gradient_penalty(critic, x, y, epsilon())
        return ops.mean(critic(y)) - ops.mean(critic(x)) + 10 * penalty

    checks = check_grads(loss, [tensor(p.data) for p in parameters], order=1)
    assert len(checks) == len(parameters) and max(c.error for c in checks) < 1e-6


def _put(network, parameter, value):
    """Set a value in place of a parameter, so that the graph leads to it."""
    for _, module in network.named_modules():
        for name, found in list(vars(module).items()):
            if found is parameter or getattr(found, "stands_for", None) is parameter:
                value.stands_for = parameter
                setattr(module, name, value)


def test_the_inner_pass_computes_no_weight_gradients():
    critic = smooth_critic()
    names = []

    def watch(op, within, run):
        names.append(op.name)
        return run()

    with op_hook(watch):
        gradient_penalty(critic, tensor(images(3, 4, 4, 2)), tensor(images(3, 4, 4, 2)), epsilon())
    assert "conv_transpose2d" in names and "conv2d_weight" not in names


def test_r1_and_r2_of_a_linear_critic_are_half_its_squared_slope():
    w = tensor(images(1, 6, seed=3)[0], requires_grad=True)
    x = tensor(images(5, 6))
    for penalty in (r1, r2):
        value = penalty(lambda at: ops.matmul(at, w), x)
        assert value.item() == pytest.approx((w.data ** 2).sum() / 2, rel=1e-12)
        np.testing.assert_allclose(grad(value, w).numpy(), w.data, rtol=1e-12)


# DRAGAN.

@pytest.mark.parametrize("scale, target", [(0.3, 1.0), (4.0, 1.0), (1.0, 0.5)])
def test_dragans_penalty_of_a_linear_critic_is_known(scale, target):
    w = tensor(scale * images(1, 6, seed=3)[0], requires_grad=True)
    penalty = dragan(lambda at: ops.matmul(at, w), tensor(images(5, 6)), epsilon(), target=target)
    length = np.linalg.norm(w.data)
    assert penalty.item() == pytest.approx((length - target) ** 2, rel=1e-12)
    np.testing.assert_allclose(grad(penalty, w).numpy(), 2 * (length - target) * w.data / length,
                               rtol=1e-10)


@pytest.mark.parametrize("std", [0.5, 0.01])
def test_dragan_looks_around_real_samples(std):
    """With f(x) = sum(x^2) / 2 the slope is the place itself, which is x + delta."""
    x = tensor(images(400, 2, 2, 1))
    places = []

    def critic(at):
        places.append(at.numpy().copy())
        return ops.sum(ops.square(at), (1, 2, 3)) / 2

    penalty = dragan(critic, x, epsilon(), std).item()
    (at,) = places
    delta = (at - x.data) / std
    assert abs(delta.mean()) < 0.1 and abs(delta.std() - 1) < 0.1
    assert len(np.unique(delta)) == delta.size  # a number a pixel
    lengths = np.sqrt((at ** 2).sum(axis=(1, 2, 3)))
    assert penalty == pytest.approx(((lengths - 1) ** 2).mean(), rel=1e-12)


def test_dragans_derivatives_up_to_the_second_of_the_penalty():
    critic = smooth_critic()
    parameters = critic.parameters()
    x = tensor(images(2, 4, 4, 2))

    def loss(*values):
        for p, value in zip(parameters, values):
            _put(critic, p, value)
        return dragan(critic, x, epsilon())

    starts = [tensor(p.data) for p in parameters]
    checks = check_grads(loss, starts, order=2)
    assert {check.order for check in checks} == {1, 2} and max(c.error for c in checks) < 1e-6


def test_dragan_brings_slopes_to_the_target():
    rng = Streams(0)["init"]
    critic = Sequential(Dense(6, 32, rng=rng), LeakyReLU(0.2), Dense(32, 1, rng=rng))
    optimizer, stream = Adam(critic.parameters(), 3e-3), epsilon()
    x = tensor(images(64, 6).astype("float32"))
    values = []
    for _ in range(150):
        penalty = dragan(critic, x, stream)
        optimizer.step(grad(penalty, critic.parameters(), unreached="zeros"))
        values.append(penalty.item())
    at = tensor(x.data, requires_grad=True)
    slopes = np.linalg.norm(grad(ops.sum(critic(at)), at).numpy(), axis=1)
    assert values[0] > 0.1 and np.mean(values[-10:]) < 0.1 * values[0]
    assert abs(slopes.mean() - 1) < 0.1


def test_dragans_noise_needs_a_size():
    for std in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="dragan: std must be above 0, got"):
            dragan(lambda at: ops.sum(at, 1), tensor(images(5, 6)), epsilon(), std)


# Bad input.

def test_a_critic_that_mixes_its_batch_is_refused_and_the_reason_given():
    critic = Sequential(Dense(6, 4), BatchNorm(4), LeakyReLU(0.2), Dense(4, 1))
    x = tensor(images(5, 6).astype("float32"))
    for penalty in (lambda: gradient_penalty(critic, x, x, epsilon()), lambda: r1(critic, x),
                    lambda: r2(critic, x), lambda: dragan(critic, x, epsilon())):
        with pytest.raises(ValueError, match="BatchNorm, mixes the samples.*layer norm"):
            penalty()


def test_pairs_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="real has shape .*, fake"):
        gradient_penalty(lambda at: ops.sum(at, 1), tensor(images(5, 6)), tensor(images(4, 6)),
                         epsilon())


PENALTIES = {"r1": lambda critic, x: r1(critic, x), "r2": lambda critic, x: r2(critic, x),
             "gradient_penalty": lambda critic, x: gradient_penalty(critic, x, x, epsilon()),
             "dragan": lambda critic, x: dragan(critic, x, epsilon()),
             "none": lambda critic, x: ops.mean(critic(x))}


@pytest.mark.parametrize("name", PENALTIES)
def test_images_that_are_overwritten_before_grad_are_noticed_or_were_copied(name):
    """Those of r1 and r2 are read in place, as without a penalty; the others' points are copies."""
    x, w = tensor(images(2, 3)), tensor(images(1, 3, seed=1)[0], requires_grad=True)
    loss = PENALTIES[name](lambda at: ops.tanh(ops.matmul(at, w)), x)
    due = grad(loss, w).numpy().copy()
    x.assign(np.full((2, 3), 3.0))
    if name in ("r1", "r2", "none"):
        with pytest.raises(errors.StaleGraphError, match="was overwritten after"):
            grad(loss, w)
    else:
        np.testing.assert_array_equal(grad(loss, w).numpy(), due)


def test_overwritten_weights_are_noticed_through_every_penalty():
    for make in PENALTIES.values():
        x, w = tensor(images(2, 3)), tensor(images(1, 3, seed=1)[0], requires_grad=True)
        loss = make(lambda at: ops.tanh(ops.matmul(at, w)), x)
        w.assign(np.zeros(3))
        with pytest.raises(errors.StaleGraphError):
            grad(loss, w)
