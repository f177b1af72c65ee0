"""Sums of very many float32 numbers: off by a few roundings, however many there are.

The numbers lie between 250 and 320. Added one after another, the sum so far outgrows 24 bits and
what is added loses its last digits: the mean of the largest array below would be off by 1e-3.
"""
from __future__ import annotations

import numpy as np
import pytest

import minigan as mg
from minigan import ops
from minigan.backend import Backend, get_backend
from minigan.engine import Tensor
from minigan.system.threads import use_threads

pytestmark = pytest.mark.rounding

EPS = float(np.finfo("float32").eps)
FEW_ROUNDINGS = 10 * EPS  # some four levels of sums, each off by a rounding or two

LAYOUTS = {
    "C order": lambda a: a,
    "Fortran order": np.asfortranarray,
    "every other row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards": lambda a: a[::-1, ..., ::-1],
    "some columns": lambda a: np.concatenate([a, a], axis=-1)[..., :a.shape[-1]],
    "not aligned": lambda a: unaligned(a),
}
SUMS = [((2_000_000, 2), (0,)), ((2_000_000, 2), (0, 1)), ((2, 2_000_000), (1,)),
        ((8, 256, 256, 3), (0, 1, 2)), ((3, 256, 256, 3), (1, 2)), ((3, 256, 256, 3), (0, 2)),
        ((2, 300_000, 1), (1,))]


def unaligned(a):
    """The same numbers, each one byte off its place."""
    memory = np.empty(a.nbytes + 1, "uint8")
    moved = memory[1:].view(a.dtype).reshape(a.shape)
    moved[...] = a
    return moved


def drawn(shape):
    return np.random.default_rng(0).uniform(250, 320, shape).astype("float32")


def error(found, right):
    """The largest relative one; nothing here is near 0."""
    assert found.dtype == np.float32
    return np.abs(found.astype("float64") / right - 1).max()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape, axes", SUMS, ids=str)
def test_mean_and_variance(shape, axes, layout):
    x = LAYOUTS[layout](drawn(shape))
    exact = x.astype("float64")
    average, variance = ops.moments(Tensor(x), axes)
    assert error(ops.mean(Tensor(x), axes).numpy(), exact.mean(axes)) < FEW_ROUNDINGS
    assert error(average.numpy(), exact.mean(axes, keepdims=True)) < FEW_ROUNDINGS
    assert error(variance.numpy(), exact.var(axes, keepdims=True)) < FEW_ROUNDINGS
    lengths = np.sqrt(np.square(exact).sum(axes))
    assert error(ops.norm(Tensor(x), axes).numpy(), lengths) < FEW_ROUNDINGS


@pytest.mark.parametrize("shape, axes", SUMS, ids=str)
def test_the_plain_form_of_any_device(shape, axes):
    plain, x = Backend("numpy", np, np.ndarray), drawn(shape)
    exact = x.astype("float64").sum(axes)
    assert error(plain.total(x, axes, False), exact) < FEW_ROUNDINGS
    assert error(plain.total(x.T.copy().T, axes, False), exact) < FEW_ROUNDINGS


def test_a_number_repeated():
    """A rounding that is always the same does not average out."""
    x = Tensor(np.full((1, 3), 0.1, "float32"))
    repeated = ops.broadcast_to(x, (3_000_000, 3))
    for same in (repeated, repeated + 0):
        assert error(ops.mean(same, 0).numpy(), np.float64(np.float32(0.1))) < 4 * FEW_ROUNDINGS


def test_ties_that_share_a_gradient_are_counted():
    """Ones do not add up beyond 2^24 in float32."""
    n = 2**24 + 2
    x = Tensor(np.zeros((n, 1), "float32"), requires_grad=True)
    share = mg.grad(ops.sum(ops.max(x, 0)), x).numpy()
    assert share[0, 0] == np.float32(1 / n) == share[-1, 0]


def test_gradients_of_biases():
    rows = 600_000
    x = Tensor(np.ones((rows, 1), "float32"))
    w, b = (Tensor(np.ones(shape, "float32"), requires_grad=True) for shape in ((1, 3), (3,)))
    gy = drawn((rows, 3))
    exact = gy.astype("float64").sum(0)
    for y in (ops.affine(x, w, b), ops.matmul(x, w) + b,
              ops.bias_leaky_relu(ops.matmul(x, w), b, 0.2)):
        assert error(mg.grad(y, b, Tensor(gy)).numpy(), exact) < FEW_ROUNDINGS


def test_a_normalised_batch_has_mean_zero():
    x = drawn((8, 256, 256, 3))
    ones, zeros = (Tensor(np.full(3, value, "float32")) for value in (1, 0))
    y = ops.batch_norm(Tensor(x), ones, zeros).numpy().astype("float64")
    # Of y = (x - mean) / deviation, that is the mean's error in deviations.
    bound = FEW_ROUNDINGS * 285 / 20
    assert np.abs(y.mean((0, 1, 2))).max() < bound
    assert np.abs(y.var((0, 1, 2)) - 1).max() < 2 * bound


@pytest.mark.parametrize("rows", [1, 64, 100, 256])
def test_short_sums_are_made_in_one_go(rows):
    """As ever: trainings with small batches keep their bits."""
    x = drawn((rows, 24))
    found = get_backend("numpy").total(x, (0,), False)
    np.testing.assert_array_equal(found, np.ones(rows, "f4") @ x)


def test_no_number_of_threads_changes_a_bit():
    x, results = drawn((8, 256, 128, 3)), []
    for threads in (1, 2, 3):
        use_threads(threads)
        results.append([t.numpy().tobytes() for axes in ((0, 1, 2), (1, 2), (1, 2, 3), None)
                        for t in (*ops.moments(Tensor(x), axes), ops.norm(Tensor(x), axes))])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_recorded_step_has_the_same_bits(layout):
    x = Tensor(LAYOUTS[layout](drawn((2000, 3))), requires_grad=True)
    parameters = [Tensor(np.ones(3, "float32"), requires_grad=True) for _ in range(2)]

    def step():
        y = ops.batch_norm(x, *parameters)
        gradients = mg.grad(ops.sum(y * y * y), [x, *parameters])
        return {"mean": ops.mean(x, 0), "y": y, **dict(zip("xgb", gradients))}

    eager = {name: t.numpy().tobytes() for name, t in step().items()}
    replay = mg.capture(step, [x, *parameters])
    for _ in range(2):
        assert {name: t.numpy().tobytes() for name, t in replay().items()} == eager
