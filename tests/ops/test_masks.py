"""Where a mask is shut the gradient is 0, whatever arrives: infinity and NaN included.

A product with 0 would make NaN of both. What PyTorch 2.13 gives in the same places stands beside
each row: most often the same; where it gives NaN, 0 is our choice.
"""
from __future__ import annotations

import math
from typing import Any, Callable, NamedTuple

import numpy as np
import pytest
from emulated import emulated

import minigan as mg
from minigan import ops
from minigan.backend import get_backend
from minigan.backend.base import Backend
from minigan.backend.cpu import blocks as cut
from minigan.engine import Tensor, grad
from minigan.streams import Stream

WHAT = [math.inf, -math.inf, math.nan]


class Mask(NamedTuple):
    """A function at a place, and the share of the gradient that each element gets."""

    function: Callable[[Tensor], Tensor]
    at: Any
    share: Any
    pytorch: str = "0"  # at the places whose share is 0, for an infinite gradient


def biased(x: Tensor) -> Tensor:
    return ops.bias_leaky_relu(x, Tensor(np.zeros(3)), 0.0)


def dropped(x: Tensor) -> Tensor:
    return ops.dropout(x, 0.5, Stream(3, "dropout"))


def zeros() -> Tensor:
    return Tensor(np.zeros(3))


PICK = Tensor(np.array([False, True, True]))
KEPT = Stream(3, "dropout").uniform((6,), dtype="float64") >= 0.5
MASKS = {
    "relu": Mask(ops.relu, [-1.0, 0.0, 2.0], [0, 0, 1]),
    "leaky_relu, slope 0": Mask(lambda x: ops.leaky_relu(x, 0.0), [-1.0, 0.0, 2.0], [0, 0, 1],
                                "NaN"),
    "leaky_relu, a slope": Mask(lambda x: ops.leaky_relu(x, 0.5), [-1.0, 0.0, 2.0], [0.5, 0.5, 1]),
    "bias_leaky_relu, slope 0": Mask(biased, [[-1.0, 0.0, 2.0]] * 2, [[0, 0, 1]] * 2, "NaN"),
    "abs": Mask(ops.abs, [-1.0, 0.0, 2.0], [-1, 0, 1], "NaN"),
    "clip": Mask(lambda x: ops.clip(x, 0, 1), [-1.0, 0.5, 2.0], [0, 1, 0]),
    "maximum, left": Mask(lambda x: ops.maximum(x, zeros()), [-1.0, 0.0, 2.0], [0, 0.5, 1]),
    "maximum, right": Mask(lambda x: ops.maximum(zeros(), x), [-1.0, 0.0, 2.0], [0, 0.5, 1]),
    "maximum, a number": Mask(lambda x: ops.maximum(x, 0), [-1.0, 0.0, 2.0], [0, 0.5, 1]),
    "minimum, left": Mask(lambda x: ops.minimum(x, zeros()), [-1.0, 0.0, 2.0], [1, 0.5, 0]),
    "minimum, right": Mask(lambda x: ops.minimum(zeros(), x), [-1.0, 0.0, 2.0], [1, 0.5, 0]),
    "where, first": Mask(lambda x: ops.where(PICK, x, zeros()), [1.0, 2.0, 3.0], [0, 1, 1]),
    "where, second": Mask(lambda x: ops.where(PICK, 0.0, x), [1.0, 2.0, 3.0], [1, 0, 0]),
    "where, broadcast": Mask(lambda x: ops.where(PICK, x, zeros()), [[1.0], [2.0]],
                             [[2], [2]]),
    "max": Mask(ops.max, [3.0, 1.0, 3.0], [0.5, 0, 0.5], "NaN"),
    "max of rows": Mask(lambda x: ops.max(x, 1), [[3.0, 1.0], [2.0, 4.0]], [[1, 0], [0, 1]],
                        "NaN"),
    "min": Mask(lambda x: ops.min(x, keepdims=True), [3.0, 1.0, 3.0], [0, 1, 0], "NaN"),
    "norm of a zero vector": Mask(ops.norm, [0.0, 0.0], [0, 0], "NaN"),
    "norm of rows": Mask(lambda x: ops.norm(x, 1), [[0.0, 0.0], [3.0, 4.0]],
                         [[0, 0], [0.6, 0.8]], "NaN"),
    "dropout": Mask(dropped, np.ones(6), KEPT * 2, "NaN"),
    "max_pool2d": Mask(ops.max_pool2d, [[[[1.0], [3.0]], [[2.0], [3.0]]]],
                       [[[[0], [1]], [[0], [0]]]]),
    "getitem": Mask(lambda x: x[1:], [1.0, 2.0], [0, 1]),
    "power 0": Mask(lambda x: x ** 0, [-1.0, 0.0, 2.0], [0, 0, 0]),
    "power 0, a tensor": Mask(lambda x: x ** zeros(), [-1.0, 0.0, 2.0], [0, 0, 0]),
    "base 0, as exponent": Mask(lambda x: ops.power(0.0, x), [1.0, 0.0, 2.0], [0, 0, 0]),
}


def variable(values: Any, dtype: Any) -> Tensor:
    return Tensor(np.array(values, dtype), requires_grad=True)


@pytest.fixture(params=[65_536, 2], ids=["one block", "blocks"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(cut, "BLOCK", request.param)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("name", MASKS)
def test_a_place_that_was_not_chosen_has_gradient_0_whatever_arrives(name, what, dtype, blocks):
    function, at, share, _ = MASKS[name]
    x, share = variable(at, "float64"), np.asarray(share, "float64")
    if dtype == "float32" and name not in ("relu", "clip", "max", "abs", "dropout"):
        dtype = "float64"  # the table's other operands are float64
    if dtype == "float32":
        x = variable(at, dtype)
    y = function(x)
    if name == "dropout":
        share = (y.data != 0) * 2.0
    with np.errstate(all="raise"):
        flat = grad(y, x, Tensor(np.full(y.shape, what, dtype)), unreached="zeros").numpy()
    np.testing.assert_array_equal(flat[share == 0], 0)
    np.testing.assert_array_equal(flat[share != 0], np.sign(share[share != 0]) * what)


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("name", MASKS)
def test_to_second_order_too(name, what, blocks):
    """g is linear in gy: what arrives at places that were not chosen does not reach gy."""
    function, at, share, _ = MASKS[name]
    x, share = variable(at, "float64"), np.asarray(share, "float64")
    y = function(x)
    gy = variable(np.ones(y.shape), "float64")
    gx = grad(y, x, gy, create_graph=True)
    np.testing.assert_allclose(gx.numpy(), share, rtol=1e-15)
    arrives = Tensor(np.where(share == 0, what, 1.0))
    without = Tensor(np.where(share == 0, 0.0, 1.0))
    product = name.startswith(("norm", "power", "base"))  # with x, which is 0 there: NaN, then 0
    with np.errstate(all="ignore" if product else "raise"):
        ggy = grad(gx, gy, arrives, unreached="zeros")
    due = grad(gx, gy, without, unreached="zeros")
    np.testing.assert_array_equal(ggy.numpy(), due.numpy())


def test_distances_have_a_gradient_where_one_was_rounded_below_0():
    """The usual case: sqrt(relu(d2)); PyTorch gives the same, 0 and 1 / (2 sqrt 4)."""
    for function in (ops.relu, lambda x: ops.maximum(x, 0), lambda x: ops.clip(x, 0, 100)):
        x = variable([-1e-9, 4.0], "float64")
        with np.errstate(divide="ignore", invalid="ignore"):
            first = grad(ops.sum(ops.sqrt(function(x))), x, create_graph=True)
            second = grad(ops.sum(first), x)
        np.testing.assert_array_equal(first.numpy(), [0, 0.25])
        np.testing.assert_array_equal(second.numpy(), [0, -1 / 32])


def plain_of(xp: Backend, name: str, *arguments: Any) -> np.ndarray:
    return xp.to_host(getattr(Backend, name)(xp, *arguments))


EDGES = np.array([math.inf, -math.inf, math.nan, 1.0, -2.0, 0.0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gate_and_keep_on_every_path(dtype, blocks):
    """The plain form, the processor's own, over an input, without contiguous memory."""
    xp = get_backend("numpy")
    gy, mask = (a.astype(dtype) for a in np.meshgrid(EDGES, [-3.0, 0.0, 0.5, math.inf]))
    due = np.where(mask > 0, gy, 0)
    np.testing.assert_array_equal(xp.gate(gy, mask, 0.0), due)
    np.testing.assert_array_equal(plain_of(xp, "gate", gy, mask, 0.0), due)
    np.testing.assert_array_equal(xp.gate(gy.T, mask.T, 0.0), due.T)
    over = gy.copy()
    assert xp.gate(over, mask, 0.0, out=over) is over
    np.testing.assert_array_equal(over, due)

    due = np.where(mask != 0, gy, 0)
    np.testing.assert_array_equal(xp.keep(gy, mask), due)
    np.testing.assert_array_equal(plain_of(xp, "keep", gy, mask), due)
    np.testing.assert_array_equal(xp.keep(gy, mask[:, :1]), due)
    np.testing.assert_array_equal(xp.keep(np.broadcast_to(gy[0], gy.shape), mask), due)
    over = gy.copy()
    assert xp.keep(over, mask, out=over) is over
    np.testing.assert_array_equal(over, due)
    single, open_there = gy[0, 0, ...], mask[2, 0, ...]
    for one in (xp.keep(single, open_there), xp.gate(single, open_there, 0.0)):
        assert one.dtype == dtype and one == math.inf


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gate_and_keep_in_the_gpus_kernels(dtype):
    xp = emulated()
    gy, mask = (a.astype(dtype).copy() for a in np.meshgrid(EDGES, [-3.0, 0.0, 0.5, math.inf]))
    row = mask[:, :1].copy()
    there = [xp.from_host(a) for a in (gy, mask, row)]
    xp.launched.clear()
    np.testing.assert_array_equal(xp.gate(there[0], there[1], 0.0).get(), np.where(mask > 0, gy, 0))
    np.testing.assert_array_equal(xp.keep(there[0], there[1]).get(), np.where(mask != 0, gy, 0))
    np.testing.assert_array_equal(xp.keep(there[0], there[2]).get(), np.where(mask != 0, gy, 0))
    assert xp.launched == ["gate", "keep", "keep"]
    np.testing.assert_array_equal(plain_of(xp, "gate", there[0], there[1], 0.0),
                                  np.where(mask > 0, gy, 0))
    np.testing.assert_array_equal(plain_of(xp, "keep", there[0], there[2]),
                                  np.where(mask != 0, gy, 0))


# Exponents: what PyTorch gives, to the digit.

def test_the_gradient_of_an_exponent_where_the_base_is_0_is_pytorchs():
    n = mg.tensor([2.0, 0.5, 0.0, -1.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        by_number = grad(ops.sum(ops.power(0.0, n)), n)
        by_int = grad(ops.sum(0 ** n), n)
        by_tensor = grad(ops.sum(mg.tensor([0.0] * 4) ** n), n)
    for g in (by_number, by_int, by_tensor):
        np.testing.assert_array_equal(g.numpy(), [0, 0, 0, -math.inf])


def test_the_gradient_of_an_exponent_of_a_negative_base_is_nan_and_raises_nothing():
    n = mg.tensor([2.0, 1.0], requires_grad=True)
    with np.errstate(invalid="ignore"):
        assert np.isnan(grad(ops.sum(ops.power(-2.0, n)), n).numpy()).all()


def test_the_gradient_of_a_base_is_finite_where_base_and_exponent_are_0():
    x = mg.tensor([0.0, 0.0, 0.0, 1.0], requires_grad=True)
    n = mg.tensor([0.0, 1.0, 2.0, 0.0], requires_grad=True)
    gx, gn = grad(ops.sum(x ** n), (x, n), create_graph=True)
    np.testing.assert_array_equal(gx.numpy(), [0, 1, 0, 0])
    np.testing.assert_array_equal(gn.numpy(), [0, 0, 0, 0])
    second = grad(ops.sum(gx) + ops.sum(gn), (x, n))
    assert all(np.isfinite(g.numpy()).all() for g in second)
    assert second[0].numpy()[3] == 1 and second[1].numpy()[3] == 1 - 1  # d2/dxdn = 1, log^2 = 0
