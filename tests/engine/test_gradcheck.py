"""Tests of the tester: rules that are wrong, each in its own way, and rules that are right."""
from __future__ import annotations

import numpy as np
import pytest

import minigan as mg
from minigan import engine, ops
from minigan.gradcheck import Check, GradientError, check_adjoint, check_grads

pytestmark = pytest.mark.rounding


@pytest.fixture(autouse=True)
def _private_ops():
    """Ops that a test defines leave the table again."""
    before = dict(engine.OPS)
    yield
    engine.OPS.clear()
    engine.OPS.update(before)


def make_op(forward, *rules, name="custom", **flags):
    """An op of a forward on arrays; right or wrong is a matter of its rules."""
    def run(xp, *arrays):
        return forward(*arrays)
    run.__name__ = name
    return mg.op(*rules, **flags)(run)


def cube(rule):
    return make_op(lambda x: x * x * x, rule, name="cube")


def values(*shape, seed=0):
    return mg.tensor(np.random.Generator(np.random.Philox(seed)).uniform(0.5, 1.5, shape))


def mean_of(x):
    return ops.sum(x) / x.size


ORDER = [1, 2, 0]
WRONG_AT_FIRST_ORDER = {
    "0.1 % too large": lambda gy, y, x: gy * x * x * 3.003,
    "0.1 % too small": lambda gy, y, x: gy * x * x * 2.997,
    "0.1 % in one element": lambda gy, y, x: gy * x * x * mg.tensor(np.array([3, 3, 3.003])),
    "wrong sign": lambda gy, y, x: gy * x * x * -3,
    "lost cotangent": lambda gy, y, x: x * x * 3,
    "shifted gradient": lambda gy, y, x: (gy * x * x * 3)[ORDER],
    "shifted cotangent": lambda gy, y, x: gy[ORDER] * x * x * 3,
    "right for ones only": lambda gy, y, x: mean_of(gy) * x * x * 3,
    "square of the cotangent": lambda gy, y, x: gy * gy * x * x * 3,
    "zero": lambda gy, y, x: gy * 0,
    "not a number": lambda gy, y, x: gy * np.nan,
    "infinite": lambda gy, y, x: gy * np.inf,
    "no rule": None,
}


@pytest.mark.parametrize("rule", WRONG_AT_FIRST_ORDER.values(), ids=WRONG_AT_FIRST_ORDER)
@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_wrong_at_first_order_is_rejected(rule, order):
    with pytest.raises(GradientError, match="cube, order 1, with respect to argument 0"):
        check_grads(cube(rule), [values(3)], order=order)


WRONG_SQUARES = {
    "0.1 % too large": lambda gy, y, x: gy * x * 2.002,
    "0.1 % too small": lambda gy, y, x: gy * x * 1.998,
    "lost cotangent": lambda gy, y, x: x * 2,
    "shifted": lambda gy, y, x: (gy * x * 2)[ORDER],
    "no rule": None,
}


@pytest.mark.parametrize("rule", WRONG_SQUARES.values(), ids=WRONG_SQUARES)
def test_wrong_at_second_order_is_rejected(rule):
    square = make_op(lambda x: x * x, rule, name="square_in_the_rule")
    right_at_first = cube(lambda gy, y, x: gy * square(x) * 3)
    assert len(check_grads(right_at_first, [values(3)], order=1)) == 1
    with pytest.raises(GradientError) as caught:
        check_grads(right_at_first, [values(3)])
    assert "order 2, with respect to argument 0" in str(caught.value)
    assert "order 1" not in str(caught.value)


def test_a_rule_wrong_in_its_cotangent_is_rejected_at_second_order():
    scale = make_op(lambda g, c: g * c, lambda gy, y, g, c: gy * c * 1.001,
                    lambda gy, y, g, c: gy * g, name="scale")
    f = cube(lambda gy, y, x: scale(gy, x * x) * 3)
    check_grads(f, [values(3)], order=1)
    with pytest.raises(GradientError, match="order 2, with respect to cotangent 0"):
        check_grads(f, [values(3)])


def test_a_rule_that_hides_its_graph_is_rejected_at_second_order():
    f = cube(lambda gy, y, x: gy * (x * x).detach() * 3)
    check_grads(f, [values(3)], order=1)
    with pytest.raises(GradientError, match="order 2"):
        check_grads(f, [values(3)])


def test_wrong_at_third_order_needs_the_third_order():
    last = make_op(lambda x: x * 1, lambda gy, y, x: gy * 1.001, name="last")
    square = make_op(lambda x: x * x, lambda gy, y, x: gy * last(x) * 2, name="square_in_the_rule")
    f = cube(lambda gy, y, x: gy * square(x) * 3)
    check_grads(f, [values()], order=2)
    with pytest.raises(GradientError, match="order 3"):
        check_grads(f, [values()], order=3)


def test_only_the_wrong_argument_is_reported():
    f = make_op(lambda a, b: a * b, lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a * 1.001,
                name="product")
    a, b = values(3), values(3, seed=1)
    a.name, b.name = "left", "right"
    with pytest.raises(GradientError) as caught:
        check_grads(f, [a, b], order=1)
    assert "right" in str(caught.value) and "left" not in str(caught.value)


def test_the_second_of_several_outputs_is_checked_too():
    wrong = cube(lambda gy, y, x: gy * x * x * 3.003)
    with pytest.raises(GradientError, match="order 1"):
        check_grads(lambda x: (x * 1000.0, wrong(x)), [values(3)], order=1, rtol=1e-7)


def test_the_report_says_everything():
    with pytest.raises(GradientError) as caught:
        check_grads(cube(lambda gy, y, x: gy * x * x * 3.003), [values(3)], order=1)
    line = str(caught.value)
    assert line.startswith("cube, order 1, with respect to argument 0: analytic ")
    analytic, numeric = (float(line.split(f"{word} ")[1].split(",")[0])
                         for word in ("analytic", "numeric"))
    assert analytic == pytest.approx(1.001 * numeric, rel=1e-6)
    error = float(line.split("relative error ")[1])
    assert 0 < error < 1.1e-3
    assert isinstance(caught.value, AssertionError)


def test_the_error_is_relative_to_the_gradients_norm():
    scaled = make_op(lambda x: x * 3, lambda gy, y, x: gy * 3.75, name="scaled")
    checks = [check_grads(scaled, [values(2)], 1, rtol=1.0, seed=seed)[0] for seed in range(20)]
    for check in checks:  # 0.2 of the directional derivative, whatever the direction,
        assert abs(check.analytic - check.numeric) == pytest.approx(0.2 * abs(check.analytic))
    errors = [check.error for check in checks]  # and less where it is not along the gradient
    assert max(errors) < 0.2 + 1e-9 and min(errors) < 0.1


def test_single_precision_is_refused():
    with pytest.raises(TypeError, match=r"inputs\[1\] is float32.*float64"):
        check_grads(ops.multiply, [values(2), mg.tensor([1.0, 2.0])])


# Right rules are accepted.

def polynomial(x):
    return x * x * x * x + x * x


SMOOTH = [ops.exp, ops.tanh, ops.sigmoid, ops.softplus, ops.log, ops.sqrt, polynomial, ops.norm,
          ops.logsumexp, ops.softmax]


@pytest.mark.parametrize("function", SMOOTH)
def test_right_rules_pass_up_to_third_order(function):
    checks = check_grads(function, [values(2, 3)], order=3)
    assert [check.order for check in checks] == [1, 2, 2, 3, 3, 3]
    assert max(check.error for check in checks) < 1e-8


def test_every_argument_and_cotangent_is_varied():
    checks = check_grads(ops.matmul, [values(2, 3), values(3, 2, seed=1)])
    assert [(check.order, check.argument) for check in checks] == [
        (1, "argument 0"), (1, "argument 1"), (2, "argument 0"), (2, "argument 1"),
        (2, "cotangent 0")]
    assert all(isinstance(check, Check) and check.function == "matmul" for check in checks)


@pytest.mark.parametrize("function", [
    lambda x: x * 0.0, lambda x: mg.tensor(np.ones(3)), lambda x: (x - x) * x,
    lambda x: ops.sum(x) * 0, lambda x: x.detach() * 0, lambda x: x ** 0])
def test_functions_without_a_gradient_pass(function):
    checks = check_grads(function, [values(3)])
    assert checks and all(check.analytic == check.numeric == 0 for check in checks if (
        check.argument == "argument 0"))


def test_a_linear_function_has_no_second_derivative_and_passes():
    checks = check_grads(lambda x: ops.transpose(x) * 2, [values(2, 3)])
    assert [check.analytic for check in checks if check.argument == "argument 0"][1] == 0


def test_whole_numbers_are_passed_on_and_nothing_is_written():
    x, ids = values(3), mg.tensor([2, 0, 2])
    before = x.numpy().copy()
    checks = check_grads(lambda x, ids: x[ids] * x, [x, ids])
    assert {check.argument for check in checks} == {"argument 0", "cotangent 0"}
    np.testing.assert_array_equal(x.numpy(), before)
    assert not x.requires_grad and x.grad is None


def test_the_same_seed_asks_the_same_question():
    first, again, other = (check_grads(ops.exp, [values(3)], seed=seed) for seed in (1, 1, 2))
    assert first == again and first != other


def test_empty_and_0d_inputs():
    assert check_grads(ops.exp, [values()])[0].analytic != 0
    assert check_grads(ops.exp, [values(0, 3)])[0].analytic == 0


# Adjoints.

MATRIX = np.random.Generator(np.random.Philox(3)).standard_normal((4, 3))


def forward(x):
    return mg.tensor(MATRIX) @ x


def test_an_adjoint_is_accepted():
    error = check_adjoint(forward, lambda y: mg.tensor(MATRIX.T.copy()) @ y, values(3), values(4))
    assert error < 1e-15


@pytest.mark.parametrize("adjoint", [
    lambda y: mg.tensor(MATRIX.T * (1 + 1e-9)) @ y, lambda y: mg.tensor(-MATRIX.T) @ y,
    lambda y: (mg.tensor(MATRIX.T.copy()) @ y)[ORDER], lambda y: mg.tensor(np.full(3, np.nan)),
    lambda y: mg.tensor(np.zeros(3))])
def test_a_wrong_adjoint_is_rejected(adjoint):
    with pytest.raises(GradientError, match="relative error"):
        check_adjoint(forward, adjoint, values(3), values(4))


def test_the_table_of_ops_is_as_it_was():
    assert not {"cube", "square_in_the_rule", "custom", "scaled"} & set(engine.OPS)


def test_no_two_comparisons_of_a_check_have_one_name():
    x, y = mg.tensor(np.array([0.5, 2.0])), mg.tensor(np.array([1.5]))
    for order in (1, 2, 3, 4):
        checks = check_grads(lambda a, b: a * a * b, [x, y], order=order)
        names = [str(check).split(": analytic")[0] for check in checks]
        assert len(set(names)) == len(names), names
    assert any("cotangent 0 of order 2" in name for name in names)
