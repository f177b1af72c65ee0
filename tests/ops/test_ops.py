"""All checks of the ops: those that walk over the op table, and the documented special points."""

from __future__ import annotations

import itertools
import math
from functools import partial

import numpy as np
import pytest
import reference
from emulated import emulated
from op_table import CASES, CHECKS, Case, listed

import minigan as mg
from minigan import ops
from minigan.backend import get_backend
from minigan.engine import OPS, Op, Tensor, grad, op_hook
from minigan.errors import MixedDtypesError, NotFloatError
from minigan.gradcheck import check_adjoint, check_grads
from minigan.streams import Stream

pytestmark = pytest.mark.rounding

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
linear_cases = pytest.mark.parametrize("case", [case for case in CASES if case.linear],
                                       ids=lambda case: case.id)
FLOATS = {"float32": 1e-4, "float64": 1e-12}  # and how well values agree with the reference


def check(condition: object, kind: str) -> None:
    """Assert, and count it for the line at the end."""
    CHECKS[kind] += 1
    assert condition


def close(result: Tensor | np.ndarray, expected: np.ndarray | float, tolerance: float,
          kind: str) -> None:
    """The shape is the same, and the values to `tolerance`, relative to the largest one or to 1."""
    a = result.numpy() if isinstance(result, Tensor) else result
    b = np.asarray(expected)
    scale = np.max(np.abs(b), initial=1.0)
    check(a.shape == b.shape and np.max(np.abs(a - b), initial=0.0) <= tolerance * scale, kind)


def variable(values: object, dtype: str = "float64") -> Tensor:
    """A tensor that wants a gradient."""
    return Tensor(np.array(values, dtype), requires_grad=True)


def shaped(*shapes: tuple[int, ...], dtype: str = "float64") -> list[Tensor]:
    """A tensor of ones for each shape."""
    return [variable(np.ones(shape), dtype) for shape in shapes]


def slope(function, x: Tensor) -> list:
    """The gradient of the sum of function(x) as nested lists."""
    return grad(ops.sum(function(x)), x, unreached="zeros").numpy().tolist()


# ---------------------------------------------------------------- over the table

@pytest.mark.parametrize("dtype", FLOATS)
@every_case
def test_values_are_right_and_keep_their_dtype(case: Case, dtype: str):
    outcome = case.run(dtype=dtype)
    expected = listed(case.reference(*case.arrays(dtype)))
    for value, due in zip(outcome.values, expected, strict=True):
        close(value, due, FLOATS[dtype], "value")
    for result in outcome.values + outcome.first + outcome.second:
        check(result.dtype == dtype and type(result.data) is np.ndarray, "dtype")
        check(np.isfinite(result.data).all(), "finite")


@every_case
def test_derivatives_agree_with_central_differences(case: Case):
    checks = check_grads(case.function, list(map(Tensor, case.arrays())), order=2, eps=1e-5,
                         rtol=1e-6)
    assert {made.order for made in checks} == {1, 2}
    CHECKS["derivative"] += len(checks)


@pytest.mark.parametrize("case", {case.op: case for case in reversed(CASES)}.values(),
                         ids=lambda case: case.op)
def test_third_derivatives_exist_and_are_right(case: Case):
    checks = check_grads(case.function, list(map(Tensor, case.arrays())), order=3)
    assert {made.order for made in checks} == {1, 2, 3}
    CHECKS["derivative"] += len(checks)


def strided(array: np.ndarray) -> np.ndarray:
    """The same values with their axes in Fortran's order, backwards, and with gaps between them."""
    room = np.zeros([2 * n for n in array.shape[::-1]], array.dtype)
    view = room[(..., *[slice(None, None, -2)] * array.ndim)].T
    view[...] = array
    return view


@every_case
def test_memory_layout_does_not_matter_and_nothing_is_overwritten(case: Case):
    made: list[tuple[Tensor, np.ndarray]] = []

    def make(array: np.ndarray) -> Tensor:
        made.append((Tensor(strided(array)), array))
        return made[-1][0]

    results = case.run(make).results()
    for result, expected in zip(results, case.run().results(), strict=True):
        close(result, expected, 1e-12, "layout")
    for given, before in made:
        check(np.array_equal(given.data, before), "unmodified")


@linear_cases
def test_the_gradient_of_a_linear_op_is_its_exact_adjoint(case: Case):
    """<f(x), v> = <x, f*(v)>; the adjoint of the adjoint is f; the adjoint does not depend on x."""
    random = np.random.Generator(np.random.Philox(2))
    for group in case.linear:
        inputs = [Tensor(a, requires_grad=i in group) for i, a in enumerate(case.arrays())]
        xs = [inputs[i] for i in group]
        y = case.function(*inputs)
        v = variable(random.standard_normal(y.shape))
        adjoint = grad(y, xs, v, create_graph=True)
        ds = [Tensor(np.asarray(random.standard_normal(x.shape))) for x in xs]

        left, right = np.sum(y.data * v.data), sum(np.sum(x.data * g.data)
                                                   for x, g in zip(xs, adjoint))
        scale = np.linalg.norm(y.data) * np.linalg.norm(v.data)
        check(abs(left - right) <= 1e-12 * max(scale, 1.0), "adjoint")

        moved = list(inputs)
        for i, d in zip(group, ds):
            moved[i] = d
        back, *flat = grad(adjoint, [v, *xs], ds, unreached="zeros")
        close(back, case.function(*moved).data, 1e-12, "adjoint")
        for zeros in flat:
            check(not zeros.data.any(), "adjoint")


# ---------------------------------------------------------------- nothing is left out

# Each set says what the rows of its ops must have. They stand here and are not taken from the rows,
# so that a row that was forgotten is missed.
METHODS = {"astype", "to"}  # rows of the table that are methods of a tensor, no public op
NEVER_EMPTY = {"batch_norm", "binary_cross_entropy_with_logits", "mean_squared_error",
               "softmax_cross_entropy"}  # means over the batch: of nothing, they have no value
LINEAR = {"add", "affine", "astype", "avg_pool2d", "broadcast_to", "concatenate", "conv2d",
          "conv2d_weight", "conv_transpose2d", "divide", "dropout", "embedding", "expand_dims",
          "getitem", "matmul", "mean", "multiply", "negative", "pack", "pad", "reshape",
          "scatter_add", "squeeze", "stack", "subtract", "sum", "to", "transpose",
          "upsample_nearest", "where"}
ELEMENTWISE = {"abs", "add", "clip", "divide", "dropout", "exp", "leaky_relu", "log", "log1p",
               "log_sigmoid", "maximum", "minimum", "multiply", "negative", "power", "relu",
               "sigmoid", "softplus", "sqrt", "square", "subtract", "tanh", "where"}
FOLDS = {"logsumexp", "max", "mean", "min", "norm", "sum", "var"}
MOVES = {"broadcast_to", "expand_dims", "getitem", "pad", "reshape", "scatter_add", "stack",
         "transpose"}  # these three must have a 0-d row


def without_a_case(names: set[str], fits) -> set[str]:
    """Those of the names for which no case of the table has an input that fits."""
    return names - {case.op for case in CASES if any(map(fits, case.arrays()))}


def test_every_public_op_is_in_the_table():
    check({case.op for case in CASES} == set(ops.__all__) | METHODS, "table")


def test_every_linear_op_has_its_adjoint_checked():
    rows = {case.op for case in CASES if case.linear}
    assert not rows - LINEAR, "these have rows with `linear`: add them to LINEAR"
    assert not LINEAR - rows, "no row of these says in what it is `linear`"
    check(rows == LINEAR, "table")


def test_every_op_that_can_be_has_an_empty_case_and_a_0d_case():
    empty = without_a_case(set(ops.__all__) - NEVER_EMPTY, lambda a: a.size == 0)
    check(not empty, "table")
    scalars = without_a_case(ELEMENTWISE | FOLDS | MOVES, lambda a: a.ndim == 0)
    check(not scalars, "table")


def test_the_table_reaches_every_op_of_the_engine_and_only_views_share_memory():
    seen = set()

    def watch(op: Op, within: Op | None, run) -> Tensor:
        seen.add(op.name)
        y = run()
        if y.op is op and not op.view:
            for x in y.inputs:
                if isinstance(x, Tensor):
                    check(not np.may_share_memory(x.data, y.data), "memory")
        return y

    with op_hook(watch):
        for case in CASES:
            case.run()
    ours = {op.name for op in OPS.values()
            if op.forward.__module__.startswith("minigan.ops")}
    check(not ours - seen, "table")


def test_operators_are_the_ops_of_their_names():
    a, b = variable([[1.0, 2.0], [3.0, 4.0]]), variable([[0.5, 2.0], [1.5, -1.0]])
    pairs = [(a + b, ops.add(a, b)), (a - b, ops.subtract(a, b)), (a * b, ops.multiply(a, b)),
             (a / b, ops.divide(a, b)), (a ** b, ops.power(a, b)), (a @ b, ops.matmul(a, b)),
             (-a, ops.negative(a)), (a.T, ops.transpose(a)), (a[1], ops.getitem(a, 1)),
             (2 + a, ops.add(2, a)), (2 - a, ops.subtract(2, a)), (2 * a, ops.multiply(2, a)),
             (2 / a, ops.divide(2, a)), (2 ** a, ops.power(2, a)), (a + 2, ops.add(a, 2)),
             (a - 2, ops.subtract(a, 2)), (a * 2, ops.multiply(a, 2)), (a / 2, ops.divide(a, 2)),
             (a ** 2, ops.power(a, 2))]
    for by_operator, by_name in pairs:
        close(by_operator, by_name.data, 0.0, "operator")
    close(a - b, a.data - b.data, 0.0, "operator")
    close(2 - a, 2 - a.data, 0.0, "operator")


# ---------------------------------------------------------------- one trilinear form

def geometries():
    """(image, kernel, settings) of all convolutions that fit, over a grid of every setting."""
    for height, kernel, stride, dilation, padding in itertools.product(
            (4, 7), (1, 2, 3, 5), (1, 2, 3), (1, 2), (0, 1, 3, ((1, 0), (0, 2)), "same")):
        settings = dict(stride=(stride, 2), padding=padding, dilation=(dilation, 1))
        if min(reference.conv_size((height, 6), (kernel, 2), **settings)) > 0:
            yield (height, 6), (kernel, 2), settings


def transposed(y: Tensor, w: Tensor, size: tuple[int, int], settings: dict) -> Tensor:
    """conv_transpose2d to an image of `size`; "same" reaches only multiples of the stride."""
    if settings["padding"] == "same":
        x = variable(np.zeros((len(y), *size, w.shape[2])))
        reachable = not any(n % s for n, s in zip(size, settings["stride"]))
        return ops.conv_transpose2d(y, w, **settings) if reachable else (
            grad(ops.conv2d(x, w, **settings), x, y))
    least = ops.conv_transpose2d(y, w, **settings).shape[1:3]
    more = (size[0] - least[0], size[1] - least[1])
    return ops.conv_transpose2d(y, w, output_padding=more, **settings)


@pytest.mark.parametrize("size, kernel, settings", list(geometries()))
def test_the_convolution_family_is_one_trilinear_form(size, kernel, settings):
    """<y, conv2d(x, w)> = <x, conv_transpose2d(y, w)> = <w, conv2d_weight(x, y)>."""
    random = np.random.Generator(np.random.Philox(3))
    x, w = (Tensor(random.standard_normal(n)) for n in ((2, *size, 3), (*kernel, 3, 2)))
    y = Tensor(random.standard_normal(ops.conv2d(x, w, **settings).shape))
    check_adjoint(lambda x: ops.conv2d(x, w, **settings),
                  lambda y: transposed(y, w, size, settings), x, y, rtol=1e-12)
    check_adjoint(lambda w: ops.conv2d(x, w, **settings),
                  lambda y: ops.conv2d_weight(x, y, kernel, **settings), w, y, rtol=1e-12)
    check_adjoint(lambda w: transposed(y, w, size, settings),
                  lambda x: ops.conv2d_weight(x, y, kernel, **settings), w, x, rtol=1e-12)
    CHECKS["trilinear"] += 3


# ---------------------------------------------------------------- kinks and ties

def one_like(x: Tensor) -> Tensor:
    """Ones of x's shape and dtype."""
    return Tensor(np.ones(x.shape, x.dtype))


KINKS = {
    "relu at 0": (ops.relu, [-1.0, 0.0, 1.0], [0.0, 0.0, 1.0]),
    "abs at 0": (ops.abs, [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]),
    "leaky_relu at 0": (lambda x: ops.leaky_relu(x, 0.2), [-1.0, 0.0, 1.0], [0.2, 0.2, 1.0]),
    "clip on its bounds": (lambda x: ops.clip(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0],
                           [0.0, 1.0, 1.0, 1.0, 0.0]),
    "max of equals": (ops.max, [3.0, 1.0, 3.0], [0.5, 0.0, 0.5]),
    "max of rows": (lambda x: ops.max(x, 1), [[3.0, 1.0, 3.0], [2.0, 2.0, 2.0]],
                    [[0.5, 0.0, 0.5], [1 / 3, 1 / 3, 1 / 3]]),
    "min of equals": (ops.min, [1.0, 1.0, 3.0, 1.0], [1 / 3, 1 / 3, 0.0, 1 / 3]),
    "maximum and a number": (lambda x: ops.maximum(x, 1), [0.0, 1.0, 2.0], [0.0, 0.5, 1.0]),
    "minimum and a number": (lambda x: ops.minimum(1, x), [0.0, 1.0, 2.0], [1.0, 0.5, 0.0]),
    "maximum, left": (lambda x: ops.maximum(x, one_like(x)), [1.0, 2.0], [0.5, 1.0]),
    "maximum, right": (lambda x: ops.maximum(one_like(x), x), [1.0, 2.0], [0.5, 1.0]),
    "minimum, left": (lambda x: ops.minimum(x, one_like(x)), [1.0, 2.0], [0.5, 0.0]),
    "minimum, right": (lambda x: ops.minimum(one_like(x), x), [1.0, 2.0], [0.5, 0.0]),
    "max_pool2d of equals": (ops.max_pool2d, np.full((1, 2, 4, 1), 5.0),
                             [[[[1.0], [0.0], [1.0], [0.0]], [[0.0], [0.0], [0.0], [0.0]]]]),
    "norm at zero": (ops.norm, [0.0, 0.0], [0.0, 0.0]),
    "norm of rows": (lambda x: ops.norm(x, axis=1), [[3.0, 4.0], [0.0, 0.0]],
                     [[0.6, 0.8], [0.0, 0.0]]),
    "power 0 at 0": (lambda x: x ** 0, [0.0, 2.0], [0.0, 0.0]),
    "power 1 at 0": (lambda x: x ** 1, [0.0, 2.0], [1.0, 1.0]),
    "power 2 at 0": (lambda x: x ** 2, [0.0, 2.0], [0.0, 4.0]),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("function, at, expected", KINKS.values(), ids=KINKS)
def test_gradients_at_kinks_and_ties_are_the_documented_ones(function, at, expected, dtype):
    x = variable(at, dtype)
    first = grad(ops.sum(function(x)), x, create_graph=True)
    close(first, np.array(expected), 1e-7, "kink")
    second = grad(ops.sum(ops.square(first)), x, unreached="zeros")
    check(np.isfinite(second.data).all(), "kink")


def test_the_second_derivative_of_a_kink_is_zero_on_it():
    for function in (ops.relu, ops.abs, ops.leaky_relu, lambda x: ops.clip(x, 0, 1)):
        x = variable([-1.0, 0.0, 2.0])
        first = grad(ops.sum(function(x)), x, create_graph=True)
        check(not grad(ops.sum(first * first), x, unreached="zeros").data.any(), "kink")


def test_a_gradient_penalty_is_finite_where_the_critic_is_flat():
    x, w = variable(np.ones((2, 3))), variable(np.zeros((3, 1)))
    inner = grad(ops.sum(x @ w), x, create_graph=True)
    penalty = ops.mean(ops.square(ops.norm(inner, axis=1) - 1))
    close(penalty, 1.0, 0.0, "kink")
    close(grad(penalty, w), np.zeros((3, 1)), 0.0, "kink")


# ---------------------------------------------------------------- extreme values

EXTREME = {
    "BCE, right": (lambda z: ops.binary_cross_entropy_with_logits(z, Tensor(np.float32([1, 0]))),
                   [1e4, -1e4], 0.0),
    "BCE, wrong": (lambda z: ops.binary_cross_entropy_with_logits(z, Tensor(np.float32([0, 1]))),
                   [1e4, -1e4], 1e4),
    "cross entropy, right": (lambda z: ops.softmax_cross_entropy(z, Tensor(np.array([0]))),
                             [[1e4, -1e4, 0.0]], 0.0),
    "cross entropy, wrong": (lambda z: ops.softmax_cross_entropy(z, Tensor(np.array([1]))),
                             [[1e4, -1e4, 0.0]], 2e4),
    "squares": (lambda z: ops.mean_squared_error(z, Tensor(np.zeros(2, np.float32))),
                [1e4, -1e4], 1e8),
    "softplus": (ops.softplus, [1e4, -1e4], [1e4, 0.0]),
    "log_sigmoid": (ops.log_sigmoid, [1e4, -1e4], [0.0, -1e4]),
    "sigmoid": (ops.sigmoid, [1e4, -1e4], [1.0, 0.0]),
    "tanh": (ops.tanh, [1e4, -1e4], [1.0, -1.0]),
    "softmax": (ops.softmax, [1e4, -1e4, 0.0], [1.0, 0.0, 0.0]),
    "log_softmax": (ops.log_softmax, [1e4, -1e4, 0.0], [0.0, -2e4, -1e4]),
    "logsumexp": (ops.logsumexp, [1e4, -1e4, 1e4], 1e4 + math.log(2)),
}


@pytest.mark.parametrize("function, at, expected", EXTREME.values(), ids=EXTREME)
def test_values_and_gradients_are_finite_at_logits_of_10_000(function, at, expected):
    z = variable(at, "float32")
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = function(z)
        first = grad(ops.sum(y), z, create_graph=True)
        second = grad(ops.sum(ops.square(first)), z, unreached="zeros")
    close(y, np.float32(expected), 1e-7, "extreme")
    for g in (first, second):
        check(np.isfinite(g.data).all() and g.dtype == np.float32, "extreme")


def test_wrong_answers_with_confidence_still_have_a_gradient():
    z = variable([1e4, -1e4], "float32")
    loss = ops.binary_cross_entropy_with_logits(z, Tensor(np.float32([0, 1])))
    close(grad(loss, z), np.array([0.5, -0.5]), 1e-7, "extreme")
    z = variable([[1e4, -1e4]], "float32")
    loss = ops.softmax_cross_entropy(z, Tensor(np.array([1])))
    close(grad(loss, z), np.array([[1.0, -1.0]]), 1e-7, "extreme")


def test_small_shares_keep_their_relative_precision():
    x = Tensor(np.array([-40.0, -700.0]))
    for function in (ops.sigmoid, ops.softplus):
        close(function(x).data / np.exp(x.data), np.ones(2), 1e-13, "extreme")
    close(ops.log1p(Tensor(np.array([1e-20]))).data * 1e20, np.ones(1), 1e-15, "extreme")


def test_padding_leaves_the_elements_as_they_are_whatever_the_value():
    x = Tensor(np.float32([1e-6, 2.0]))
    for value in (1e6, math.inf, -math.inf):
        padded = ops.pad(x, ((1, 0),), value)
        check(np.array_equal(padded.data, np.float32([value, 1e-6, 2.0])), "extreme")


# ---------------------------------------------------------------- numbers, integers, dtypes

NUMBERS = [2, 2.0, True, np.float64(2), np.float32(2), np.int64(2), np.int32(2)]
TWO_OPERANDS = ["add", "subtract", "multiply", "divide", "power", "maximum", "minimum"]


@pytest.mark.parametrize("shape", [(), (3,)], ids=["0-d", "vector"])
@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: f"{type(n).__name__}")
@pytest.mark.parametrize("name", TWO_OPERANDS)
def test_numbers_keep_float32(name: str, number, shape):
    function = getattr(ops, name)
    for call in (lambda x: function(x, number), lambda x: function(number, x)):
        x = variable(np.full(shape, 1.5), "float32")
        y = call(x)
        first = grad(y, x, Tensor(np.ones(shape, "float32")), create_graph=True)
        second = grad(first, x, Tensor(np.ones(shape, "float32")), unreached="zeros")
        check({t.dtype for t in (y, first, second)} == {np.dtype("float32")}, "number")
        due = call(variable(np.full(shape, 1.5), "float64"))
        close(y, due.data, 1e-6, "number")


@pytest.mark.parametrize("number", NUMBERS[3:], ids=lambda n: type(n).__name__)
def test_numpys_numbers_on_the_left_of_an_operator_keep_float32(number):
    x = variable([1.0, 2.0], "float32")
    for y in (number + x, number - x, number * x, number / x, number ** x):
        check(isinstance(y, Tensor) and y.dtype == np.float32, "number")


SETTINGS = {
    "leaky_relu": lambda x, n: ops.leaky_relu(x, n(0.2)),
    "clip": lambda x, n: ops.clip(x, n(0), n(1)),
    "dropout": lambda x, n: ops.dropout(x, n(0.5), Stream(0, "dropout")),
    "pad": lambda x, n: ops.pad(x, ((1, 1), (0, 0)), n(0.5)),
    "where": lambda x, n: ops.where(Tensor(np.array([True, False])), x, n(0.5)),
    "batch_norm": lambda x, n: ops.batch_norm(x, *shaped((2,), (2,), dtype="float32"), eps=n(0.1)),
    "layer_norm": lambda x, n: ops.layer_norm(x, *shaped((2,), (2,), dtype="float32"), eps=n(0.1)),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_are_numpys_numbers_keep_float32(name: str):
    for number in (float, np.float64, np.float32):
        x = variable([[0.1, 0.2], [0.4, 0.8]], "float32")
        y = SETTINGS[name](x, number)
        first = grad(ops.sum(y), x, create_graph=True)
        check(y.dtype == first.dtype == np.float32, "number")
        close(y, SETTINGS[name](x, float).data, 1e-6, "number")


INTEGERS_BESIDE_FLOATS = {
    **{name: ([[1.0, 2.0], [3.0, 4.0]], [[2, 1], [1, 3]]) for name in TWO_OPERANDS},
    "matmul": ([[1.0, 2.0], [3.0, 4.0]], [[2, 1], [1, 0]]),
    "mean_squared_error": ([1.0, 2.0], [1, 0]),
    "binary_cross_entropy_with_logits": ([1.0, 2.0], [1, 0]),
}


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
@pytest.mark.parametrize("name", INTEGERS_BESIDE_FLOATS)
def test_integers_beside_floats_are_constants_of_the_float_type(name: str, dtype: str):
    function = getattr(ops, name)
    floats, whole = INTEGERS_BESIDE_FLOATS[name]
    constant = Tensor(np.array(whole).astype(dtype))
    x = variable(floats, "float32")
    y, due = function(x, constant), function(x, Tensor(constant.data.astype("float32")))
    close(y, due.data, 1e-6, "integer")
    first = grad(ops.sum(y), x, create_graph=True)
    check(y.dtype == first.dtype == np.float32, "integer")
    second = grad(ops.sum(first * first), x, unreached="zeros")
    check(np.isfinite(second.data).all(), "integer")
    check(not function(Tensor(x.data), constant).requires_grad, "integer")


@pytest.mark.parametrize("name", ["subtract", "divide", "power", "matmul"])
def test_integers_may_come_first(name: str):
    floats, whole = INTEGERS_BESIDE_FLOATS[name]
    constant, x = Tensor(np.array(floats).astype("int64")), variable(whole, "float32")
    y = getattr(ops, name)(constant, x)
    due = getattr(ops, name)(Tensor(constant.data.astype("float32")), x)
    close(y, due.data, 1e-6, "integer")
    close(grad(ops.sum(y), x), grad(ops.sum(due), x).data, 1e-6, "integer")


def test_integers_among_themselves_follow_numpy():
    for a, b in (([True, True], [2, 3]), ([2, 3], [True, False])):
        for name in ("add", "multiply", "maximum"):
            y = getattr(ops, name)(Tensor(np.array(a)), Tensor(np.array(b)))
            due = getattr(np, name)(np.array(a), np.array(b))
            check(y.dtype == due.dtype and np.array_equal(y.data, due), "integer")


def pairs_of_floats() -> list[Case]:
    """One case of each op that takes two or more float tensors."""
    firsts = {case.op: case for case in reversed(CASES)
              if [a.dtype.kind for a in case.arrays()].count("f") > 1}
    return sorted(firsts.values(), key=lambda case: case.id)


@pytest.mark.parametrize("case", pairs_of_floats(), ids=lambda case: case.op)
def test_float32_beside_float64_raises_and_names_astype(case: Case):
    arrays = case.arrays("float32")
    odd = max(i for i, a in enumerate(arrays) if a.dtype.kind == "f")
    arrays[odd] = arrays[odd].astype("float64")
    with pytest.raises(MixedDtypesError, match=r"float32.*float64|float64.*float32") as caught:
        case.function(*map(Tensor, arrays))
    check("astype(" in str(caught.value), "error")


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "sqrt", "tanh", "sigmoid", "softplus",
                                  "log_sigmoid", "leaky_relu", "mean", "var", "norm", "softmax",
                                  "log_softmax", "logsumexp"])
def test_integers_where_floats_are_needed_raise(name: str):
    with pytest.raises(NotFloatError, match="int64.*astype"):
        getattr(ops, name)(Tensor(np.array([1, 2, 1])))
    CHECKS["error"] += 1


MORE_INTEGERS = {  # which of an op's inputs may be integers, and all inputs' shapes
    "conv2d": (ops.conv2d, [(1, 4, 4, 2), (2, 2, 2, 3)]),
    "conv_transpose2d": (ops.conv_transpose2d, [(1, 4, 4, 3), (2, 2, 2, 3)]),
    "conv2d_weight": (partial(ops.conv2d_weight, kernel_size=2), [(1, 4, 4, 2), (1, 3, 3, 3)]),
    "affine": (ops.affine, [(4, 2), (2, 3), (3,)]),
    "affine of sequences": (ops.affine, [(4, 5, 2), (2, 3), (3,)]),
    "bias_leaky_relu": (partial(ops.bias_leaky_relu, slope=0.2), [(4, 3), (3,)]),
    "concatenate": (lambda *x: ops.concatenate(x), [(2, 3), (4, 3)]),
    "stack": (lambda *x: ops.stack(x, 1), [(2, 3), (2, 3)]),
    "where": (ops.where, [(2, 3), (2, 3), (3,)]),
    "normalize": (ops.normalize, [(4, 3)] * 5),
    "layer_norm": (ops.layer_norm, [(4, 3), (3,), (3,)]),
    "batch_norm": (ops.batch_norm, [(4, 3), (3,), (3,)]),
    "instance_norm": (ops.instance_norm, [(2, 4, 4, 3), (3,), (3,)]),
}


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
@pytest.mark.parametrize("name, whole", [
    (name, i) for name, (_, shapes) in MORE_INTEGERS.items() for i in range(len(shapes))
    if (i == 0) <= ("_norm" not in name)])  # what is normalised must be floats
def test_integers_beside_floats_in_every_op_of_several_tensors(name: str, whole: int, dtype: str):
    function, shapes = MORE_INTEGERS[name]
    random = np.random.Generator(np.random.Philox(4))
    inputs = [variable(random.uniform(0.5, 2, shape), "float32") for shape in shapes]
    constant = Tensor(random.integers(1, 3, shapes[whole]).astype(dtype))
    floats = [x for i, x in enumerate(inputs) if i != whole and (name, i) != ("where", 0)]
    results = []
    for x in (constant, constant.astype("float32")):
        given = [*inputs[:whole], x, *inputs[whole + 1:]]
        y = function(*given)
        first = grad(ops.sum(ops.square(y)), floats, create_graph=True, unreached="zeros")
        second = grad([ops.sum(ops.square(g)) for g in first], floats, unreached="zeros")
        results.append([y, *first, *second])
    for one, due in zip(*results, strict=True):
        check(one.dtype == np.float32 and np.array_equal(one.data, due.data), "integer")


# Sums of booleans and integers: int64, as PyTorch's; NumPy's where that has another word is uint64.

SUMS = {
    "booleans": ([True, True, False, True], "bool", 3),
    "uint8": ([250] * 100, "uint8", 25_000),
    "int32": ([2**30] * 4, "int32", 2**32),
    "int8, negative": ([-128] * 3, "int8", -384),
    "uint16": ([65_535] * 2, "uint16", 131_070),
    "int64": ([2**40, 1], "int64", 2**40 + 1),
}


@pytest.mark.parametrize("device", ["numpy", "stand-in", "emulated"])
@pytest.mark.parametrize("name", SUMS)
def test_sums_of_integers_do_not_wrap(name: str, device: str):
    values, dtype, due = SUMS[name]
    xp = emulated() if device == "emulated" else get_backend(device)
    flat = Tensor(xp.from_host(np.array(values, dtype)))
    n = len(values)
    rows = ops.reshape(flat, (n, 1))
    for y in (ops.sum(flat), ops.sum(flat, 0), ops.sum(rows, (0, 1)), ops.sum(rows, -2),
              ops.sum(ops.broadcast_to(rows, (n, 3)), 0), ops.sum(rows, 0, keepdims=True),
              ops.scatter_add(flat, xp.from_host(np.zeros(n, "int64")), (2,))[:1],
              ops.matmul(ops.transpose(rows), Tensor(xp.from_host(np.ones((n, 2), dtype)))),
              ops.matmul(flat, Tensor(xp.from_host(np.ones(n, dtype)))),
              ops.affine(ops.transpose(rows), Tensor(xp.from_host(np.ones((n, 2), dtype))),
                         Tensor(xp.from_host(np.zeros(2, dtype)))),
              ops.conv2d(ops.reshape(flat, (1, n, 1, 1)),
                         Tensor(xp.from_host(np.ones((n, 1, 1, 1), dtype))))):
        check(y.dtype == np.int64 and type(y.data) is xp.array_type, "integer")
        check((y.numpy() == due).all(), "integer")
    check(np.array_equal(ops.sum(rows, 1).numpy(), np.array(values)), "integer")
    check(np.array_equal(ops.sum(rows, ()).numpy().ravel(), np.array(values)), "integer")


def test_the_share_of_right_answers_counted_the_usual_way():
    right = Tensor(np.arange(1000) % 4 != 0)
    check(ops.sum(right).item() / len(right) == 0.75, "integer")


def test_what_adds_nothing_up_keeps_the_integer_type():
    x = Tensor(np.array([[250, 3]], "uint8"))
    for y in (ops.pad(x, ((1, 1), (0, 0))), ops.pad(x, ((1, 1), (0, 0)), 7), ops.max(x), x[0], x.T,
              ops.concatenate([x, x]), ops.stack([x, x])):
        check(y.dtype == np.uint8, "integer")
    check(np.array_equal(ops.pad(x, ((1, 0), (0, 0)), 7).data, [[7, 7], [250, 3]]), "integer")


def test_uint64_stays_because_nothing_is_larger():
    check(ops.sum(Tensor(np.array([2**63, 1], "uint64"))).item() == 2**63 + 1, "integer")


# Gains and biases that are repeated along different axes.

SMALL = [(), (1,), (4,), (3, 1), (1, 4), (3, 4), (2, 1, 1), (2, 1, 4), (2, 3, 1), (2, 3, 4)]
NORMS = {
    "layer_norm, last": (ops.layer_norm, (2,)),
    "layer_norm, two": (partial(ops.layer_norm, axes=(1, 2)), (1, 2)),
    "layer_norm, middle": (partial(ops.layer_norm, axes=1), (1,)),
    "layer_norm, all": (partial(ops.layer_norm, axes=None), (0, 1, 2)),
    "batch_norm": (ops.batch_norm, (0, 1)),
}


@pytest.mark.parametrize("gain", SMALL, ids=str)
@pytest.mark.parametrize("name", NORMS)
def test_gamma_and_beta_may_broadcast_over_different_axes(name: str, gain: tuple[int, ...]):
    """Against the formula in plain ops, to second order."""
    function, axes = NORMS[name]
    random = np.random.Generator(np.random.Philox(5))
    x, gamma = (variable(random.standard_normal(shape)) for shape in ((2, 3, 4), gain))
    v = variable(random.standard_normal((2, 3, 4)))

    def plain(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        return ops.normalize(x, ops.mean(x, axes, True), ops.var(x, axes, True), gamma, beta)

    for bias in SMALL:
        beta = variable(random.standard_normal(bias))
        us = [variable(random.standard_normal(shape)) for shape in ((2, 3, 4), gain, bias)]
        found = []
        for f in (function, plain):
            y = f(x, gamma, beta)
            first = grad(y, (x, gamma, beta), v, create_graph=True)
            second = grad(first, (x, gamma, beta, v), us, unreached="zeros")
            found.append([y, *first, *second])
        for one, due in zip(*found, strict=True):
            close(one, due.data, 1e-11, "derivative")


@pytest.mark.parametrize("bias", [(3,), (2, 1, 1, 1), (4, 1, 3), (1, 4, 1)], ids=str)
@pytest.mark.parametrize("gain", [(3,), (2, 1, 1, 1), (4, 1, 3), (1, 4, 1)], ids=str)
def test_gamma_and_beta_of_an_instance_norm_too(gain, bias):
    random = np.random.Generator(np.random.Philox(6))
    inputs = [Tensor(random.standard_normal(shape)) for shape in ((2, 4, 4, 3), gain, bias)]
    check_grads(ops.instance_norm, inputs, order=2)
    CHECKS["derivative"] += 1


def test_integers_keep_their_type_where_no_floats_are_needed():
    x = Tensor(np.array([[3, -1], [2, 2]]))
    for y in (ops.sum(x), ops.max(x, 0), ops.abs(x), ops.square(x), ops.negative(x), x[0], x.T,
              ops.reshape(x, -1), ops.concatenate([x, x]), x + 1, x * x, ops.relu(x), x @ x,
              ops.pad(x, ((1, 1), (0, 0)))):
        check(y.dtype == np.int64 and not y.requires_grad, "integer")


def test_astype_converts_values_and_carries_the_gradient_back():
    x = variable([1.0, 2.0], "float32")
    y = x.astype("float64")
    first = grad(ops.sum(y * y), x, create_graph=True)
    check(y.dtype == np.float64 and first.dtype == np.float32, "dtype")
    close(first, 2 * x.data, 1e-7, "dtype")
    close(grad(ops.sum(first), x), np.full(2, 2.0), 1e-7, "dtype")


def test_dropout_zeros_the_asked_share_and_keeps_the_mean():
    x = Tensor(np.ones(100_000, "float32"))
    y = ops.dropout(x, 0.3, Stream(0, "dropout")).data
    check(abs(np.mean(y == 0) - 0.3) < 0.01, "dropout")
    close(np.unique(y), np.array([0, 1 / 0.7]), 1e-6, "dropout")


# ---------------------------------------------------------------- bad input

BAD_SHAPES = {
    **{name: (getattr(ops, name), [(2, 3), (4,)]) for name in TWO_OPERANDS},
    "matmul": (ops.matmul, [(2, 3), (4, 5)]),
    "matmul ": (ops.matmul, [(3,), (4, 5)]),
    "affine": (ops.affine, [(2, 3), (4, 5), (5,)]),
    "bias_leaky_relu": (lambda x, b: ops.bias_leaky_relu(x, b, 0.2), [(2, 3), (2,)]),
    "bias_leaky_relu ": (lambda x, b: ops.bias_leaky_relu(x, b, 0.2), [(2, 3), (1,)]),
    "where": (ops.where, [(2,), (3,), (2,)]),
    "concatenate": (lambda *x: ops.concatenate(x), [(2, 3), (2, 4)]),
    "stack": (lambda *x: ops.stack(x), [(2, 3), (2, 4)]),
    "broadcast_to": (lambda x: ops.broadcast_to(x, (2, 4)), [(3,)]),
    "broadcast_to ": (lambda x: ops.broadcast_to(x, (3,)), [(1, 1)]),
    "reshape": (lambda x: ops.reshape(x, (4, 2)), [(2, 3)]),
    "transpose": (lambda x: ops.transpose(x, (0, 1, 2)), [(2, 3)]),
    "squeeze": (lambda x: ops.squeeze(x, 1), [(2, 3)]),
    "pad": (lambda x: ops.pad(x, ((1, 1),)), [(2, 3)]),
    "scatter_add": (lambda x: ops.scatter_add(x, slice(0, 3), (5,)), [(2,)]),
    "scatter_add ": (lambda x: ops.scatter_add(x, slice(0, 3), (5,)), [(1,)]),
    "conv2d": (ops.conv2d, [(2, 5, 5, 3), (3, 3, 4, 2)]),
    "conv_transpose2d": (ops.conv_transpose2d, [(2, 5, 5, 3), (3, 3, 4, 2)]),
    "conv2d_weight": (lambda x, y: ops.conv2d_weight(x, y, 3), [(2, 5, 5, 3), (2, 4, 4, 2)]),
    "conv2d_weight ": (lambda x, y: ops.conv2d_weight(x, y, 3), [(2, 5, 5, 3), (1, 3, 3, 2)]),
    "batch_norm": (ops.batch_norm, [(5, 3), (4,), (4,)]),
    "layer_norm": (ops.layer_norm, [(5, 3), (4,), (3,)]),
    "instance_norm": (ops.instance_norm, [(2, 5, 5, 3), (4,), (4,)]),
    "mean_squared_error": (ops.mean_squared_error, [(5,), (5, 1)]),
    "mean_squared_error ": (ops.mean_squared_error, [(5,), ()]),
    "binary_cross_entropy_with_logits": (ops.binary_cross_entropy_with_logits, [(5,), (5, 1)]),
    "binary_cross_entropy_with_logits ": (ops.binary_cross_entropy_with_logits, [(5,), (1,)]),
    "softmax_cross_entropy": (ops.softmax_cross_entropy, [(5, 3), (5, 1)]),
}


@pytest.mark.parametrize("name", BAD_SHAPES)
def test_shapes_that_do_not_fit_raise_and_are_named(name: str):
    function, shapes = BAD_SHAPES[name]
    with pytest.raises(ValueError) as caught:
        function(*shaped(*shapes))
    message = str(caught.value)
    check(name.strip() in message, "error")
    for shape in shapes[:2]:
        check(str(shape) in message, "error")


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d", "conv2d_weight", "avg_pool2d",
                                  "max_pool2d", "upsample_nearest", "instance_norm"])
def test_images_with_three_axes_raise_and_learn_which_four_they_need(name: str):
    others = {"conv2d": [(3, 3, 3, 2)], "conv_transpose2d": [(3, 3, 2, 3)],
              "conv2d_weight": [(3, 3, 3)], "instance_norm": [(3,), (3,)]}
    settings = {"kernel_size": 3} if name == "conv2d_weight" else {}
    with pytest.raises(ValueError) as caught:
        getattr(ops, name)(*shaped((5, 5, 3), *others.get(name, [])), **settings)
    for word in (name, "(5, 5, 3)", "(N, H, W, C)"):
        check(word in str(caught.value), "error")


BAD_SETTINGS = {
    "clip": (lambda x: ops.clip(x, 1, 0), "low"),
    "leaky_relu": (lambda x: ops.leaky_relu(x, 2.0), "slope"),
    "dropout": (lambda x: ops.dropout(x, 1.0, Stream(0, "dropout")), "rate"),
    "pad": (lambda x: ops.pad(x, [(-1, 0)] * 4), "widths"),
    "upsample_nearest": (lambda x: ops.upsample_nearest(x, 0), "scale"),
    "avg_pool2d": (lambda x: ops.avg_pool2d(x, 0), "size"),
    "max_pool2d": (lambda x: ops.max_pool2d(x, 2.5), "size"),
    "conv2d": (lambda x: ops.conv2d(x, *shaped((1, 1, 3, 1)), stride=0), "stride"),
    "conv2d ": (lambda x: ops.conv2d(x, *shaped((1, 1, 3, 1)), padding="valid"), "padding"),
    "conv2d  ": (lambda x: ops.conv2d(x, *shaped((1, 1, 3, 1)), padding=-1), "padding"),
    "conv2d   ": (lambda x: ops.conv2d(x, *shaped((5, 5, 3, 1))), "kernel"),
    "conv_transpose2d": (lambda x: ops.conv_transpose2d(x, *shaped((1, 1, 1, 3)), stride=2,
                                                        output_padding=2), "output_padding"),
    "conv_transpose2d ": (lambda x: ops.conv_transpose2d(
        x, *shaped((1, 1, 1, 3)), stride=2, padding="same", output_padding=1), "output_padding"),
    "concatenate": (lambda x: ops.concatenate([]), "tensors"),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_settings_that_make_no_sense_raise_and_are_named(name: str):
    function, setting = BAD_SETTINGS[name]
    with pytest.raises(ValueError) as caught:
        function(*shaped((1, 4, 4, 3)))
    check(name.strip() in str(caught.value) and setting in str(caught.value), "error")


@pytest.mark.parametrize("function, shapes", [
    (ops.conv2d, [(2, 3, 8, 8), (3, 3, 3, 4)]), (ops.conv2d, [(2, 3, 1, 3), (3, 3, 3, 4)]),
    (ops.conv_transpose2d, [(2, 4, 8, 8), (3, 3, 3, 4)])], ids=["conv", "thin images", "transpose"])
def test_a_convolution_that_is_fed_channels_first_says_so(function, shapes):
    with pytest.raises(ValueError, match=r"\(N, H, W, C\).*\(N, C, H, W\).*transpose") as caught:
        function(*shaped(*shapes))
    check(function.__name__ in str(caught.value), "error")


def test_ids_must_be_integers():
    with pytest.raises(TypeError, match="embedding: ids must be an integer"):
        ops.embedding(Tensor(np.ones(2)), Tensor(np.ones((3, 2))))
    with pytest.raises(ValueError, match="labels"):
        ops.softmax_cross_entropy(Tensor(np.ones((3, 2))), Tensor(np.ones(2, int)))


def test_arrays_are_refused_with_a_word_on_what_to_do():
    x = mg.tensor([1.0, 2.0])
    for call in (lambda: ops.add(x, np.ones(2)), lambda: np.ones(2) * x, lambda: x - [1, 2],
                 lambda: ops.exp(np.ones(2))):
        with pytest.raises(TypeError, match="minigan.tensor"):
            call()
