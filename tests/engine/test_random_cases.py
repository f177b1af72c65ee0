"""2,000 random cases of ops and small networks of ops, and that they would find what is wrong.

What a case is and what has to hold of it, `random_cases.py` says; it runs any other numbers, too.
"""
from __future__ import annotations

import dataclasses
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import random_cases
from random_cases import Draws, WrongCase, drawn, rules_used, run

from minigan import engine, ops
from minigan.backend import get_backend, long_sums
from minigan.backend.cpu import device
from minigan.engine import OPS

pytestmark = pytest.mark.rounding

CASES = 2000
GROUP = 50
SEEN_WITHIN = 12  # cases that use what is wrong


@pytest.mark.parametrize("first", range(0, CASES, GROUP))
def test_random_cases(first):
    """On failure: the case's number, what it is, what does not hold, and how to run it again."""
    for number in range(first, first + GROUP):
        run(number)


# That wrong rules are found.

@cache
def users() -> dict[tuple[str, int], list[int]]:
    """The first cases that use the rule of an op for its i-th input: {(op, i): numbers}."""
    found: dict[tuple[str, int], list[int]] = {}
    for number in range(CASES // 2):
        for rule in rules_used(number):
            found.setdefault(rule, []).append(number)
    return found


def scaled(rule, position=None):
    """A rule that is wrong by 0.1 %, for all it returns or for one input."""
    def wrong(*arguments, **settings):
        gradient = rule(*arguments, **settings)
        if position is None:
            return gradient * 1.001
        return tuple(g * 1.001 if i == position and g is not None else g
                     for i, g in enumerate(gradient))
    return wrong


def with_a_wrong_rule(monkeypatch, op, position):
    if op.joint:
        monkeypatch.setattr(op, "joint", scaled(op.joint, position))
    else:
        rules = [scaled(rule) if i == position else rule for i, rule in enumerate(op.rules)]
        monkeypatch.setattr(op, "rules", tuple(rules))


def found(numbers):
    """Whether a case does not hold, and says so as it should."""
    for number in numbers:
        try:
            run(number)
        except WrongCase as error:
            assert f"case {number}, " in str(error)
            assert f"python tests/random_cases.py {number}" in str(error)
            return True
    return False


JOINT = {"standardize": 3, "bias_leaky_relu": 2, "concatenate": 2}  # inputs with a gradient
NOT_HERE = {"astype", "to",  # of other dtypes and devices: test_engine.py, test_stand_in.py
            "scale"}         # its rules are of third order: test_gradcheck.py goes that far
OURS = {name: op for name, op in sorted(OPS.items())  # other tests add ops of their own
        if op.forward.__module__.startswith("minigan.") and name not in NOT_HERE}
RULES = [(name, i) for name, op in OURS.items()
         for i, rule in enumerate(op.rules or [op.joint] * JOINT.get(name, 1)) if rule]


@pytest.mark.parametrize("name, position", RULES, ids=str)
def test_a_rule_that_is_wrong_by_a_thousandth_is_found(monkeypatch, name, position):
    numbers = users().get((name, position))
    assert numbers, f"no case uses the rule of {name} for input {position}: add a kind that does"
    with_a_wrong_rule(monkeypatch, OPS[name], position)
    assert found(numbers[:SEEN_WITHIN])


# That other mistakes are found.

def numbers_of(*words, below=400):
    """Cases whose label begins with one of these."""
    return [number for number in range(below) if drawn(number)[0].label.startswith(words)]


def test_a_sum_over_a_repeated_axis_that_is_left_out(monkeypatch):
    def first_only(op, g, shape):
        lead = g.ndim - len(shape)
        place = (0,) * lead + tuple(slice(0, n) for n in shape)
        return ops.getitem(g, place)

    monkeypatch.setattr(engine, "_sum_to", first_only)
    assert found(numbers_of("add", "multiply", "network")[:SEEN_WITHIN])


def test_a_scale_along_the_wrong_axis(monkeypatch):
    op = OPS["standardize"]
    right = op.joint

    def wrong(*arguments, **settings):
        gx, g_gamma, g_beta, *others = right(*arguments, **settings)
        if g_gamma is not None:  # what belongs to the last axis is shared by all of it
            g_gamma = ops.broadcast_to(ops.mean(g_gamma, -1, keepdims=True), g_gamma.shape)
        return gx, g_gamma, g_beta, *others

    monkeypatch.setattr(op, "joint", wrong)
    assert found(numbers_of("layer_norm", "batch_norm", "instance_norm")[:SEEN_WITHIN])


def test_strides_of_the_wrong_axes(monkeypatch):
    right = device.NumpyBackend.conv2d_weight

    def wrong(self, x, y, g):
        turned = dataclasses.replace(g, stride=g.stride[::-1])
        reach = [(o - 1) * s + d * (k - 1) + 1 for o, s, d, k in
                 zip(g.out_size, turned.stride, g.dilation, g.kernel)]
        inside = all(r <= n + sum(pads) for r, n, pads in zip(reach, g.in_size, g.pads))
        return right(self, x, y, turned if inside else g)

    monkeypatch.setattr(device.NumpyBackend, "conv2d_weight", wrong)
    assert found(numbers_of("conv"))


def test_a_sum_that_loses_what_is_over(monkeypatch):
    right = long_sums._neighbours_added
    monkeypatch.setattr(long_sums, "_neighbours_added", lambda module, x, i: right(
        module, x[(slice(None),) * i + (slice(0, max(1, x.shape[i] // 3 * 3)),)], i))
    assert found(numbers_of("sum", "mean", "var", "norm", "logsumexp"))


def test_a_write_that_goes_unnoticed(monkeypatch):
    monkeypatch.setattr(engine.Tensor, "touch", lambda self: None)
    assert found(numbers_of("tanh", "multiply", "network")[:SEEN_WITHIN])


def test_a_view_that_is_taken_for_a_copy(monkeypatch):
    for name in ("transpose", "reshape", "slice", "broadcast_to"):
        monkeypatch.setattr(OPS[name], "view", False)
    assert found(numbers_of("network", below=CASES))


def test_an_index_that_is_frozen_in_a_recorded_step(monkeypatch):
    numpy_backend = type(get_backend("numpy"))
    monkeypatch.setattr(numpy_backend, "copied", lambda self, array: self.constant(array))
    monkeypatch.setattr(numpy_backend, "constant", frozen, raising=False)
    assert found(numbers_of("getitem", "embedding", "scatter_add"))


def frozen(self, array):
    """A copy that every replay shares."""
    copy = array.copy()
    return copy if self.tracer is None else self.tracer.constant(copy)


# That a number says it all.

def test_draws_depend_on_the_number_alone():
    draws = Draws(1234)
    assert [draws.integer(1, 100) for _ in range(5)] == [97, 45, 1, 92, 94]
    assert draws.order(5) == [2, 4, 0, 1, 3]
    np.testing.assert_array_equal(draws.uniform((2,)), np.float32([-1.8767439, 1.1550909]))


def test_a_case_is_the_same_each_time():
    for number in range(100):
        (one, _), (other, _) = drawn(number), drawn(number)
        assert one.label == other.label
        for a, b in zip(one.inputs, other.inputs, strict=True):
            assert a.tobytes() == b.tobytes() and a.strides == b.strides


def test_any_number_on_demand(monkeypatch, capsys):
    assert random_cases.main(["1234"]) == 0
    assert capsys.readouterr().out.startswith("case 1234, ")
    assert random_cases.main(["--n", "5", "--from", "123456"]) == 0
    assert capsys.readouterr().out == "5 cases from 123456 on: 0 do not hold\n"
    monkeypatch.setattr(OPS["add"], "forward", lambda xp, a, b, **out: xp.multiply(a, b))
    assert random_cases.main(["--n", "60", "--from", "0"]) == 1
    printed = capsys.readouterr().out
    assert "Again: python tests/random_cases.py " in printed
    assert "60 cases from 0 on: 0 do not" not in printed


def test_as_a_script():
    script = Path(random_cases.__file__)
    answer = subprocess.run([sys.executable, str(script), "77"], capture_output=True, text=True,
                            timeout=300)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("case 77, ") and answer.stdout.endswith(": holds\n")


@pytest.mark.parity
@pytest.mark.parametrize("first", [5000, 5100])
def test_beside_pytorch(first):
    pytest.importorskip("torch")
    for number in range(first, first + 100):
        run(number, torch=True)
