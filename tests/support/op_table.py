"""The op table: every public op with its settings, and what each row must equal.

One row is a `Case`: an op with one choice of settings and shapes, a function of tensors, an
independent NumPy reference, and PyTorch's equivalent. All checks of ops walk over `CASES`: values,
dtypes, derivatives, memory layouts, adjoints (test_ops.py), PyTorch (test_parity_ops.py), and the
stand-in device. Who adds a public op adds rows here, and its name to those sets in test_ops.py
(LINEAR, ELEMENTWISE, FOLDS, MOVES) that it belongs to: they say which rows an op must have.

A case holds no arrays: indexes, labels and conditions are inputs like the others, so that a case
runs wherever its tensors live. Inputs stay away from kinks and ties, which have tests of their own.
"""

from __future__ import annotations

import importlib
import math
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, Callable, Iterable, NamedTuple

import numpy as np
import reference

from minigan import engine, ops
from minigan.engine import Tensor, grad
from minigan.streams import Stream

Spec = Callable[[np.random.Generator], np.ndarray]  # draws one input
Groups = tuple[tuple[int, ...], ...]                # sets of inputs, by position


class Later:
    """torch and its functions by name, imported at the first call: the table needs no PyTorch."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __getattr__(self, name: str) -> Later:
        return Later(f"{self.path}.{name}")

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        module, *names = self.path.split(".")
        return reduce(getattr, names, importlib.import_module(module))(*arguments, **settings)


torch: Any = Later("torch")
functional = torch.nn.functional

# ---------------------------------------------------------------- what a row is

FIRST: Groups = ((0,),)        # linear in the first input
EACH: Groups = ((0,), (1,))    # bilinear: linear in each of the first two inputs
TOGETHER: Groups = ((0, 1),)   # linear in the first two inputs at once


@dataclass(frozen=True)
class Case:
    """One row.

    function: of tensors, to a tensor or a tuple; reference: the same of NumPy arrays; torch: the
    same of PyTorch's tensors. specs: one for each input, how to draw it. linear: groups of inputs;
    with all other inputs fixed, the function is linear in those of one group together.
    """

    op: str
    label: str
    function: Callable[..., Any]
    specs: tuple[Spec, ...]
    reference: Callable[..., Any]
    torch: Callable[..., Any]
    linear: Groups = ()

    @property
    def id(self) -> str:
        """A name for people and for `pytest -k`."""
        return f"{self.op}: {self.label}"

    def arrays(self, dtype: Any = np.float64) -> list[np.ndarray]:
        """Fresh inputs, the same ones every time; `dtype` is that of the floats among them."""
        random = np.random.Generator(np.random.Philox(zlib.crc32(self.id.encode())))
        drawn = [np.asarray(spec(random)) for spec in self.specs]
        return [array.astype(dtype) if array.dtype.kind == "f" else array for array in drawn]

    def run(self, make: Callable[[np.ndarray], Tensor] = Tensor, dtype: Any = np.float64
            ) -> Outcome:
        """Values, first and second derivatives in directions that are the same every time.

        make: what turns a NumPy array into a tensor; it chooses device and memory layout.
        """
        random = np.random.Generator(np.random.Philox(1))

        def direction(y: Tensor) -> Tensor:
            return _varied(make(np.asarray(random.standard_normal(y.shape), y.dtype)))

        inputs = [_varied(make(array)) for array in self.arrays(dtype)]
        floats = [x for x in inputs if x.requires_grad]
        values = listed(self.function(*inputs))
        vs = [direction(y) for y in values]
        first = grad(values, floats, vs, create_graph=True, unreached="zeros")
        us = [direction(g) for g in first]
        second = grad(first, floats + vs, us, unreached="zeros")
        return Outcome(values, list(first), list(second), vs, us)


class Outcome(NamedTuple):
    """What `Case.run` computes; the last two are the cotangents that it drew.

    first: with respect to the float inputs; second: of those, with respect to the float inputs and
    the first cotangents.
    """

    values: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    first_cotangents: list[Tensor]
    second_cotangents: list[Tensor]

    def results(self) -> list[np.ndarray]:
        """Everything computed, on the host."""
        return [t.numpy() for t in self.values + self.first + self.second]


def _varied(x: Tensor) -> Tensor:
    return Tensor(x.data, requires_grad=x.dtype.kind == "f")


def listed(values: Any) -> list[Any]:
    """A function's result as a list, whether it is one tensor or several."""
    return list(values) if isinstance(values, (tuple, list)) else [values]


CASES: list[Case] = []
CHECKS: Counter[str] = Counter()  # comparisons made with a value that the code computed, by kind


def summary() -> str:
    """One line for the end of a test run."""
    return (f"op table: {len({case.op for case in CASES})} ops, {len(CASES)} cases, "
            f"{CHECKS.total():,} checks")


def row(op: str, label: str, function: Callable[..., Any], specs: Iterable[Spec],
        slow: Callable[..., Any], theirs: Callable[..., Any], linear: Groups = ()) -> None:
    """Add one case to the table: the op, the slow reference, PyTorch's."""
    CASES.append(Case(op, label, function, tuple(specs), slow, theirs, linear))


# ---------------------------------------------------------------- how inputs are drawn

def normal(*shape: int) -> Spec:
    """Normal numbers."""
    return lambda random: random.standard_normal(shape)


def positive(*shape: int) -> Spec:
    """Numbers from 1/2 to 2."""
    return lambda random: random.uniform(0.5, 2.0, shape)


def away(*shape: int) -> Spec:
    """Numbers of both signs, 0.3 or more away from 0."""
    return lambda random: random.uniform(0.3, 2.0, shape) * random.choice([-1.0, 1.0], shape)


def distinct(*shape: int, shift: float = 0.1) -> Spec:
    """Multiples of 1/2 around 0, plus a shift, in random order: no ties, nor with other shifts."""
    size = math.prod(shape)
    return lambda random: (random.permutation(size).reshape(shape) - size // 2) / 2 + shift


def integers(below: int, *shape: int) -> Spec:
    """Whole numbers from 0 to below - 1."""
    return lambda random: random.integers(0, below, shape)


def booleans(*shape: int) -> Spec:
    """True and False."""
    return lambda random: np.asarray(random.integers(0, 2, shape) == 1)


def exactly(values: Any) -> Spec:
    """These very values."""
    return lambda random: np.array(values)


# ---------------------------------------------------------------- elementwise

SHAPES = {"matrix": (3, 4), "0-d": (), "empty": (0, 3)}
PAIRS = {"one shape": ((3, 4), (3, 4)), "broadcast": ((2, 1, 3), (4, 1)), "0-d": ((), ()),
         "column": ((3, 1), (3, 4)), "0-d and vector": ((), (3,)), "empty": ((0, 3), (1, 3))}


def elementwise(op: str, spec: Callable[..., Spec], slow: Any, theirs: Any, label: str = "",
                function: Any = None, linear: Groups = ()) -> None:
    """A function of one tensor: a matrix, a 0-d tensor, and nothing at all."""
    for name, shape in SHAPES.items():
        row(op, f"{label} {name}".strip(), function or getattr(ops, op), [spec(*shape)], slow,
            theirs, linear)


def binary(op: str, a: Callable[..., Spec], b: Callable[..., Spec], slow: Any, theirs: Any,
           linear: Groups = ()) -> None:
    """A function of two tensors: all kinds of broadcasting, and a number on either side."""
    function = getattr(ops, op)
    for name, (left, right) in PAIRS.items():
        row(op, name, function, [a(*left), b(*right)], slow, theirs, linear)
    for n in (1.5, 2):
        row(op, f"{n} on the right", lambda x, n=n: function(x, n), [a(3, 4)],
            lambda x, n=n: slow(x, n), lambda x, n=n: theirs(x, _full(x, n)),
            FIRST if (0,) in linear else ())
        row(op, f"{n} on the left", lambda x, n=n: function(n, x), [b(3, 4)],
            lambda x, n=n: slow(n, x), lambda x, n=n: theirs(_full(x, n), x),
            FIRST if (1,) in linear else ())
    row(op, "both the same tensor", lambda x: function(x, x), [positive(3, 4)],
        lambda x: slow(x, x), lambda x: theirs(x, x))


def _full(x: Any, value: float) -> Any:
    return torch.full_like(x, value)


elementwise("abs", away, np.abs, torch.abs)
elementwise("exp", normal, np.exp, torch.exp)
elementwise("log", positive, np.log, torch.log)
elementwise("log1p", positive, np.log1p, torch.log1p)
elementwise("log_sigmoid", normal, reference.log_sigmoid, functional.logsigmoid)
elementwise("negative", normal, np.negative, torch.neg, linear=FIRST)
elementwise("relu", away, reference.relu, torch.relu)
elementwise("sigmoid", normal, reference.sigmoid, torch.sigmoid)
elementwise("softplus", normal, reference.softplus, functional.softplus)
elementwise("sqrt", positive, np.sqrt, torch.sqrt)
elementwise("square", normal, np.square, torch.square)
elementwise("tanh", normal, np.tanh, torch.tanh)
elementwise("leaky_relu", away, reference.leaky_relu, functional.leaky_relu)
for s in (0.0, 0.2, 1.0):
    elementwise("leaky_relu", away, partial(reference.leaky_relu, slope=s),
                partial(functional.leaky_relu, negative_slope=s), f"slope {s}",
                partial(ops.leaky_relu, slope=s))
elementwise("clip", distinct, partial(reference.clip, low=-1.2, high=0.85),
            partial(torch.clamp, min=-1.2, max=0.85), "", partial(ops.clip, low=-1.2, high=0.85))
for n in (0, 1, 2, 3, -1, 0.0, 0.5, 2.0, -1.5):
    elementwise("power", positive, lambda x, n=n: x ** n, partial(torch.pow, exponent=n),
                f"exponent {n}", lambda x, n=n: ops.power(x, n))
row("power", "negative base, exponent 3", lambda x: ops.power(x, 3), [away(3, 4)],
    lambda x: x * x * x, lambda x: torch.pow(x, 3))
row("power", "integer exponents", ops.power, [away(3, 4), integers(4, 3, 1)], np.power, torch.pow)

binary("add", normal, normal, np.add, torch.add, TOGETHER)
binary("subtract", normal, normal, np.subtract, torch.subtract, TOGETHER)
binary("multiply", normal, normal, np.multiply, torch.multiply, EACH)
binary("divide", normal, away, np.divide, torch.divide, FIRST)
binary("power", positive, normal, np.power, torch.pow)
binary("maximum", distinct, partial(distinct, shift=0.35), np.maximum, torch.maximum)
binary("minimum", distinct, partial(distinct, shift=0.35), np.minimum, torch.minimum)
row("add", "float and int", ops.add, [normal(3, 4), integers(9, 4)], np.add, torch.add)
row("multiply", "float and bool", ops.multiply, [normal(3, 4), booleans(4)], np.multiply,
    torch.multiply, FIRST)

for name, (left, right) in PAIRS.items():
    row("where", name, ops.where, [booleans(*right), normal(*left), normal(*right)],
        reference.where, torch.where, ((1, 2),))
row("where", "numbers", lambda c, x: ops.where(c, x, 0.0), [booleans(3, 4), normal(3, 4)],
    lambda c, x: np.where(c, x, x * 0), lambda c, x: torch.where(c, x, _full(x, 0.0)), ((1,),))
row("where", "condition of ints", ops.where,
    [exactly([[2], [0], [1], [-1]]), normal(3), normal(4, 3)], reference.where,
    lambda c, a, b: torch.where(c != 0, a, b), ((1, 2),))


def _kept(x: Any, rate: float) -> np.ndarray:
    """The mask that a fresh stream draws: which numbers it draws is the stream's affair."""
    return Stream(0, "dropout").uniform(tuple(x.shape), dtype=str(x.dtype).split(".")[-1]) >= rate


for rate in (0.0, 0.4):
    elementwise("dropout", normal,
                lambda x, r=rate: np.where(_kept(x, r), x / x.dtype.type(1 - r), x * 0),
                lambda x, r=rate: x * torch.as_tensor(_kept(x, r)) / (1 - r), f"rate {rate}",
                lambda x, r=rate: ops.dropout(x, r, Stream(0, "dropout")), FIRST)

# ---------------------------------------------------------------- reductions

AXES: dict[str, tuple[tuple[int, ...], Any, bool]] = {
    "all axes": ((3, 4, 2), None, False), "all axes kept": ((3, 4, 2), None, True),
    "first axis": ((3, 4, 2), 0, False), "middle axis kept": ((3, 4, 2), 1, True),
    "last axis": ((3, 4, 2), -1, False), "two axes": ((3, 4, 2), (-1, 0), False),
    "leading axes": ((3, 4, 2), (0, 1), False), "leading axes kept": ((3, 4, 2), (0, 1), True),
    "no axis": ((3, 2), (), False), "an axis of size 1": ((3, 1, 2), 1, False),
    "0-d": ((), None, False), "0-d kept": ((), None, True), "empty": ((0, 3), 1, False)}


def reduction(op: str, of_list: Any, theirs: Any, spec: Callable[..., Spec] = normal,
              linear: Groups = ()) -> None:
    """A function that folds axes away, over every kind of `axis`."""
    for name, (shape, axis, keep) in AXES.items():
        row(op, name, partial(getattr(ops, op), axis=axis, keepdims=keep), [spec(*shape)],
            partial(reference.fold, of_list, axis=axis, keepdims=keep),
            partial(_over, theirs, axis=axis, keep=keep), linear)


def _over(fold: Any, x: Any, axis: Any, keep: bool = False) -> Any:
    """PyTorch's fold; it reads an empty tuple of axes as all of them."""
    axes = tuple(range(x.ndim)) if axis is None else axis
    return fold(x, dim=axes, keepdim=keep) if axes != () else fold(x.unsqueeze(-1), dim=-1)


reduction("sum", math.fsum, torch.sum, linear=FIRST)
reduction("mean", reference.mean_of, torch.mean, linear=FIRST)
reduction("var", reference.var_of, partial(torch.var, correction=0))
reduction("max", max, torch.amax, distinct)
reduction("min", min, torch.amin, distinct)
reduction("norm", reference.norm_of, torch.linalg.vector_norm, away)
reduction("logsumexp", reference.logsumexp_of, torch.logsumexp)
row("sum", "of nothing", partial(ops.sum, axis=0), [normal(0, 3)], lambda x: np.zeros(3, x.dtype),
    lambda x: torch.sum(x, 0), FIRST)

for axis in (-1, 0, (0, 2), None):
    row("log_softmax", f"axis {axis}", partial(ops.log_softmax, axis=axis), [normal(3, 4, 2)],
        partial(reference.log_softmax, axis=axis),
        lambda x, a=axis: x - _over(torch.logsumexp, x, a, keep=True))
    row("softmax", f"axis {axis}", partial(ops.softmax, axis=axis), [normal(3, 4, 2)],
        partial(reference.softmax, axis=axis),
        lambda x, a=axis: torch.exp(x - _over(torch.logsumexp, x, a, keep=True)))
for op in ("softmax", "log_softmax"):
    for name, shape in {"default axis": (3, 4), "vector": (4,), "empty": (0, 3)}.items():
        row(op, name, getattr(ops, op), [normal(*shape)], getattr(reference, op),
            partial(getattr(functional, op), dim=-1))

# ---------------------------------------------------------------- shape


def moved(op: str, label: str, old: tuple[int, ...], slow: Any, theirs: Any, /,
          **settings: Any) -> None:
    """A function that moves the elements of one tensor, which has the shape `old`."""
    row(op, label, partial(getattr(ops, op), **settings), [normal(*old)], slow, theirs, FIRST)


for label, old, new in (("matrix", (3, 4), (2, 6)), ("minus one", (3, 4), (2, -1)),
                        ("an int", (3, 4), -1), ("same", (3, 4), (3, 4)), ("0-d", (), (1, 1)),
                        ("to 0-d", (1, 1), ()), ("empty", (0, 3), (3, 0, 2))):
    same = partial(lambda shape, x: x.reshape(shape), new)
    moved("reshape", label, old, same, same, shape=new)
for label, old, axes in (("reversed", (2, 3, 4), None), ("axes", (2, 3, 4), (1, 2, 0)),
                         ("negative axes", (2, 3, 4), (-1, 0, -2)), ("0-d", (), None),
                         ("vector", (3,), None), ("empty", (0, 3, 2), (2, 0, 1))):
    moved("transpose", label, old, partial(np.transpose, axes=axes),
          lambda x, axes=axes: x.permute(axes or tuple(range(x.ndim))[::-1]), axes=axes)
for label, old, axis in (("first", (3, 4), 0), ("middle", (3, 4), 1), ("last", (3, 4), -1),
                         ("0-d", (), 0), ("empty", (0, 3), 1)):
    moved("expand_dims", label, old, partial(np.expand_dims, axis=axis),
          lambda x, a=axis: x.unsqueeze(a), axis=axis)
for label, old, axis in (("first", (1, 3), 0), ("last", (3, 1), -1), ("to 0-d", (1,), 0),
                         ("empty", (0, 1, 3), 1)):
    moved("squeeze", label, old, partial(np.squeeze, axis=axis),
          lambda x, a=axis: x.squeeze(a), axis=axis)
for label, old, new in (("new axes", (3,), (2, 4, 3)), ("inner axis", (3, 1, 2), (3, 4, 2)),
                        ("both", (1, 3), (2, 4, 3)), ("same", (2, 3), (2, 3)), ("0-d", (), (2, 3)),
                        ("0-d to 0-d", (), ()), ("empty", (0, 1), (0, 3)),
                        ("one to none", (1, 3), (0, 3))):
    moved("broadcast_to", label, old, partial(np.broadcast_to, shape=new),
          lambda x, new=new: x.expand(new), shape=new)

WIDTHS = {"all sides": ((2, 3), ((1, 2), (3, 0))), "nothing": ((2, 3), ((0, 0), (0, 0))),
          "0-d": ((), ()), "empty": ((0, 3), ((0, 0), (1, 1))), "around nothing": ((0,), ((1, 2),))}
for label, (shape, widths) in WIDTHS.items():
    sides = [n for edges in reversed(widths) for n in edges]    # PyTorch begins at the last axis
    moved("pad", label, shape, partial(reference.pad, widths=widths),
          partial(functional.pad, pad=sides), widths=widths)
    row("pad", f"{label}, value 0.7", partial(ops.pad, widths=widths, value=0.7), [normal(*shape)],
        partial(reference.pad, widths=widths, value=0.7),
        partial(functional.pad, pad=sides, value=0.7))

JOINED = {"two": ([(2, 3), (4, 3)], 0), "three, last axis": ([(2, 1), (2, 3), (2, 2)], -1),
          "one": ([(2, 3)], 0), "with an empty one": ([(0, 3), (2, 3)], 0),
          "empty": ([(0, 3), (0, 2)], 1)}
for label, (shapes, axis) in JOINED.items():
    row("concatenate", label, lambda *x, a=axis: ops.concatenate(x, a),
        [normal(*shape) for shape in shapes],
        lambda *x, a=axis: np.concatenate(x, a), lambda *x, a=axis: torch.cat(x, a),
        (tuple(range(len(shapes))),))
for label, shape, axis in (("first axis", (2, 3), 0), ("middle axis", (2, 3), 1),
                           ("last axis", (2, 3), -1), ("0-d", (), 0), ("empty", (0, 3), 0)):
    row("stack", label, lambda *x, a=axis: ops.stack(x, a), [normal(*shape), normal(*shape)],
        lambda *x, a=axis: np.stack(x, a), lambda *x, a=axis: torch.stack(x, a), TOGETHER)
row("concatenate", "a tensor twice", lambda x: ops.concatenate([x, x]), [normal(2, 3)],
    lambda x: np.concatenate([x, x]), lambda x: torch.cat([x, x]), FIRST)

# Each index: the array's shape, the result's, a function from index arrays to the index, and how to
# draw the arrays. The same list serves getitem and its adjoint scatter_add.
INDEXES: dict[str, tuple[tuple[int, ...], tuple[int, ...], Any, list[Spec]]] = {
    "int": ((4, 3), (3,), lambda: 2, []),
    "negative int": ((4, 3), (3,), lambda: -1, []),
    "ints to 0-d": ((4, 3), (), lambda: (1, -2), []),
    "slice": ((4, 3), (2, 3), lambda: slice(1, 3), []),
    "steps": ((5, 4), (3, 2), lambda: (slice(None, None, 2), slice(1, None, 2)), []),
    "ellipsis and None": ((4, 3, 2), (4, 1, 3), lambda: (..., None, slice(None), 1), []),
    "0-d": ((), (), lambda: (), []),
    "0-d and None": ((), (1,), lambda: None, []),
    "empty slice": ((4, 3), (0, 3), lambda: slice(2, 2), []),
    "empty": ((0, 3), (0,), lambda: (slice(None), 1), []),
    "array with repeats": ((4, 3), (5, 3), lambda i: i, [exactly([0, 3, 3, 1, 3])]),
    "array of two axes": ((4, 3), (2, 2, 3), lambda i: i, [exactly([[0, -1], [2, 2]])]),
    "pairs with repeats": ((4, 3), (3,), lambda i, j: (i, j),
                           [exactly([1, 1, 3]), exactly([2, 2, 0])]),
    "open grid": ((4, 3), (2, 2), lambda i, j: (i, j), [exactly([[1], [3]]), exactly([[0, 2]])]),
    "slice and array": ((4, 3, 2), (4, 2, 2), lambda i: (slice(None), i), [exactly([2, 2])]),
    "array, slice, array": ((4, 3, 2), (2, 3), lambda i, j: (i, slice(None), j),
                            [exactly([3, 3]), exactly([1, 1])]),
    "array and int": ((4, 3), (2,), lambda i: (i, 1), [exactly([2, 2])]),
    "0-d array": ((4, 3), (3,), lambda i: i, [exactly(2)]),
    "empty array": ((4, 3), (0, 3), lambda i: i, [lambda random: np.zeros(0, int)]),
    "mask": ((4, 3), (2, 3), lambda m: m, [exactly([True, False, False, True])]),
    "mask of two axes": ((2, 3), (3,), lambda m: m,
                         [exactly([[True, False, True], [False, True, False]])]),
}
for label, (shape, result, index, places) in INDEXES.items():
    pick = partial(lambda index, x, *arrays: x[index(*arrays)], index)
    row("getitem", label, partial(lambda index, x, *i: ops.getitem(x, index(*i)), index),
        [normal(*shape), *places], pick, pick, FIRST)
    row("scatter_add", label,
        partial(lambda index, shape, v, *i: ops.scatter_add(v, index(*i), shape), index, shape),
        [normal(*result), *places],
        partial(lambda index, shape, v, *i: reference.scatter_add(v, index(*i), shape),
                index, shape),
        lambda v, *i, shape=shape, pick=pick: _torch_adjoint(lambda x: pick(x, *i), v, shape),
        FIRST)
row("getitem", "backwards", lambda x: x[::-1, ::-2], [normal(4, 3)], lambda x: x[::-1, ::-2],
    lambda x: torch.flip(x, (0, 1))[:, ::2], FIRST)


def _torch_adjoint(linear: Any, v: Any, shape: tuple[int, ...]) -> Any:
    """The adjoint of a linear function of tensors of `shape`, by PyTorch's own gradient."""
    x = v.new_zeros(shape).requires_grad_()
    return torch.autograd.grad(linear(x), x, v, create_graph=True)[0]


for label, ids in (("repeats", [1, 4, 1, 0]), ("matrix", [[1, 0], [3, 3]]), ("0-d", 2)):
    row("embedding", label, ops.embedding, [exactly(ids), normal(5, 3)], reference.embedding,
        functional.embedding, ((1,),))
row("embedding", "empty", ops.embedding, [lambda random: np.zeros((0, 2), int), normal(5, 3)],
    reference.embedding, lambda ids, table: table[ids], ((1,),))
for label, shape, scale in (("twice", (2, 2, 3, 2), 2), ("three times", (1, 2, 1, 2), 3),
                            ("once", (1, 2, 3, 1), 1), ("empty", (0, 2, 3, 2), 2)):
    moved("upsample_nearest", label, shape, partial(reference.upsample_nearest, scale=scale),
          lambda x, n=scale: x.repeat_interleave(n, 1).repeat_interleave(n, 2), scale=scale)

for label, shape, m in (("images", (4, 2, 3, 2), 2), ("vectors", (6, 2), 3),
                        ("alone", (3, 2), 1), ("empty", (0, 2, 2), 2)):
    moved("pack", label, shape, partial(reference.pack, m=m),
          lambda x, m=m: torch.cat([x[i::m] for i in range(m)], -1), m=m)

# ---------------------------------------------------------------- matrix product

PRODUCTS = {"matrices": ((2, 3), (3, 4)), "batch": ((5, 2, 3), (5, 3, 4)),
            "batch and matrix": ((5, 2, 3), (3, 4)), "matrix and batch": ((2, 3), (5, 3, 4)),
            "broadcast batches": ((2, 1, 2, 3), (4, 3, 2)), "vectors": ((3,), (3,)),
            "vector and matrix": ((3,), (3, 4)), "matrix and vector": ((2, 3), (3,)),
            "vector and batch": ((3,), (5, 3, 4)), "batch and vector": ((5, 2, 3), (3,)),
            "1x1": ((1, 1), (1, 1)), "empty": ((0, 3), (3, 4)), "empty inside": ((2, 0), (0, 4)),
            "empty batch": ((0, 2, 3), (3, 4)), "empty vectors": ((0,), (0,))}
for label, (left, right) in PRODUCTS.items():
    row("matmul", label, ops.matmul, [normal(*left), normal(*right)],
        reference.matmul, torch.matmul, EACH)
for a, b in ((True, False), (False, True), (True, True)):
    for label, left, right in (("matrices", (2, 3), (3, 4)), ("batch", (5, 2, 3), (3, 4)),
                               ("empty", (0, 3), (3, 4))):
        turned = [shape[:-2] + shape[:-3:-1] if turn else shape
                  for shape, turn in ((left, a), (right, b))]
        row("matmul", f"{label} transposed {a, b}",
            partial(ops.matmul, transpose_a=a, transpose_b=b), [normal(*n) for n in turned],
            lambda x, y, a=a, b=b: reference.matmul(x.swapaxes(-1, -2) if a else x,
                                                    y.swapaxes(-1, -2) if b else y),
            lambda x, y, a=a, b=b: torch.matmul(x.mT if a else x, y.mT if b else y), EACH)
for label, rows in (("batch", (5,)), ("sequences", (2, 4)), ("vector", ()), ("empty", (0,))):
    row("affine", label, ops.affine, [normal(*rows, 3), normal(3, 2), normal(2)],
        lambda x, w, b: reference.matmul(x, w) + b, lambda x, w, b: torch.matmul(x, w) + b,
        ((1, 2),))
for label, rows in (("images", (2, 3, 2)), ("rows", (5,)), ("vector", ()), ("empty", (0,))):
    for s in (0.0, 0.2, 1.0):
        row("bias_leaky_relu", f"{label} slope {s}", partial(ops.bias_leaky_relu, slope=s),
            [away(*rows, 3), lambda random: random.uniform(-0.1, 0.1, 3)],
            lambda x, b, s=s: reference.leaky_relu(x + b, slope=s),
            lambda x, b, s=s: functional.leaky_relu(x + b, negative_slope=s))
row("matmul", "Gram matrix", lambda x: x.T @ x, [normal(3, 2)], lambda x: reference.matmul(x.T, x),
    lambda x: x.T @ x)

# ---------------------------------------------------------------- the convolution family

# Each geometry: the image's size, the kernel's, and the settings of all three functions.
GEOMETRIES: dict[str, tuple[tuple[int, int], tuple[int, int], dict[str, Any]]] = {
    "plain": ((5, 6), (3, 2), {}),
    "1x1": ((3, 4), (1, 1), {}),
    "whole image": ((3, 4), (3, 4), {}),
    "4x4 stride 2 padding 1": ((6, 8), (4, 4), dict(stride=2, padding=1)),
    "stride of two numbers": ((7, 7), (3, 3), dict(stride=(2, 3))),
    "remainder": ((8, 7), (3, 3), dict(stride=3)),
    "gaps": ((7, 6), (1, 2), dict(stride=3)),
    "padding of two numbers": ((4, 5), (3, 3), dict(padding=(2, 1))),
    "asymmetric padding": ((6, 5), (3, 3), dict(stride=2, padding=((1, 0), (0, 2)))),
    "padding beyond the kernel": ((3, 3), (2, 2), dict(padding=3, stride=2)),
    "same": ((4, 5), (3, 3), dict(padding="same")),
    "same 5x5 stride 2": ((7, 6), (5, 5), dict(stride=2, padding="same")),
    "same 4x4 stride 2": ((6, 5), (4, 4), dict(stride=2, padding="same")),
    "same 2x1 stride 3": ((7, 6), (2, 1), dict(stride=3, padding="same")),
    "same dilated": ((6, 5), (3, 2), dict(dilation=2, padding="same")),
    "dilation": ((7, 6), (3, 2), dict(dilation=(2, 3))),
    "everything": ((8, 9), (3, 3), dict(dilation=2, stride=3, padding=((2, 1), (1, 1)))),
}
# Each transposed convolution: its input's size, the kernel's, and the settings.
TRANSPOSES: dict[str, tuple[tuple[int, int], tuple[int, int], dict[str, Any]]] = {
    "plain": ((3, 4), (3, 2), {}),
    "1x1": ((3, 4), (1, 1), {}),
    "from one pixel": ((1, 1), (3, 4), {}),
    "4x4 stride 2 padding 1": ((3, 4), (4, 4), dict(stride=2, padding=1)),
    "stride of two numbers": ((3, 2), (3, 3), dict(stride=(2, 3))),
    "gaps": ((3, 2), (1, 2), dict(stride=3)),
    "asymmetric padding": ((3, 4), (3, 3), dict(stride=2, padding=((1, 0), (0, 2)))),
    "output padding": ((3, 4), (3, 3), dict(stride=2, padding=1, output_padding=1)),
    "output padding of two numbers": ((3, 2), (4, 3), dict(stride=(2, 3), output_padding=(1, 2))),
    "output padding, asymmetric padding": ((3, 2), (4, 3), dict(stride=3, padding=((1, 0), (2, 1)),
                                                                output_padding=(0, 2))),
    "output padding, dilation": ((3, 4), (2, 3), dict(dilation=2, output_padding=1)),
    "same": ((4, 3), (3, 3), dict(padding="same")),
    "same 5x5 stride 2": ((3, 4), (5, 5), dict(stride=2, padding="same")),
    "same 4x4 stride 2": ((3, 2), (4, 4), dict(stride=2, padding="same")),
    "same 2x1 stride 3": ((3, 2), (2, 1), dict(stride=3, padding="same")),
    "everything": ((4, 3), (3, 2), dict(dilation=2, stride=3, padding=1)),
}


def _torch_pad(x: Any, edges: Any) -> Any:
    """(N, H, W, C) to PyTorch's (N, C, H, W), padded."""
    (top, bottom), (left, right) = edges
    return functional.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))


def _torch_conv2d(x: Any, w: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1) -> Any:
    edges = reference.pads(padding, x.shape[1:3], w.shape[:2], stride, dilation)
    return functional.conv2d(_torch_pad(x, edges), w.permute(3, 2, 0, 1), stride=stride,
                             dilation=dilation).permute(0, 2, 3, 1)


def _torch_conv_transpose2d(y: Any, w: Any, stride: Any = 1, padding: Any = 0,
                            output_padding: Any = 0, dilation: Any = 1) -> Any:
    """PyTorch pads both sides alike, so other pads are cut off the result without padding."""
    w_torch, y_torch = w.permute(3, 2, 0, 1), y.permute(0, 3, 1, 2)
    if isinstance(padding, int):
        return functional.conv_transpose2d(
            y_torch, w_torch, stride=stride, padding=padding, output_padding=output_padding,
            dilation=dilation).permute(0, 2, 3, 1)
    height, width = reference.transpose_size(y.shape[1:3], w.shape[:2], stride, padding,
                                             output_padding, dilation)
    (top, _), (left, _) = reference.pads(padding, (height, width), w.shape[:2], stride, dilation)
    full = functional.conv_transpose2d(y_torch, w_torch, stride=stride, dilation=dilation)
    roomy = functional.pad(full, (0, width, 0, height))
    return roomy[:, :, top:top + height, left:left + width].permute(0, 2, 3, 1)


def _torch_conv2d_weight(x: Any, y: Any, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                         dilation: Any = 1) -> Any:
    """The weight gradient is a convolution over the batch, with stride and dilation exchanged."""
    edges = reference.pads(padding, x.shape[1:3], kernel_size, stride, dilation)
    w = functional.conv2d(_torch_pad(x, edges).transpose(0, 1), y.permute(3, 0, 1, 2),
                          stride=dilation, dilation=stride)
    return w[:, :, :kernel_size[0], :kernel_size[1]].permute(2, 3, 0, 1)


def convolutions() -> None:
    """Every geometry for conv2d and conv2d_weight, every transpose for conv_transpose2d."""
    c_in, c_out = 3, 2
    for label, (size, kernel, settings) in GEOMETRIES.items():
        x, w = (2, *size, c_in), (*kernel, c_in, c_out)
        reach = dict(dict(stride=1, padding=0, dilation=1), **settings)
        y = (2, *reference.conv_size(size, kernel, **reach), c_out)
        row("conv2d", label, partial(ops.conv2d, **settings), [normal(*x), normal(*w)],
            partial(reference.conv2d, **settings), partial(_torch_conv2d, **settings), EACH)
        both = dict(settings, kernel_size=kernel)
        row("conv2d_weight", label, partial(ops.conv2d_weight, **both), [normal(*x), normal(*y)],
            partial(reference.conv2d_weight, **both), partial(_torch_conv2d_weight, **both), EACH)
    for label, (size, kernel, settings) in TRANSPOSES.items():
        row("conv_transpose2d", label, partial(ops.conv_transpose2d, **settings),
            [normal(2, *size, c_out), normal(*kernel, c_in, c_out)],
            partial(reference.conv_transpose2d, **settings),
            partial(_torch_conv_transpose2d, **settings), EACH)


convolutions()
row("conv2d", "empty", partial(ops.conv2d, padding=1), [normal(0, 4, 3, 3), normal(2, 2, 3, 2)],
    partial(reference.conv2d, padding=1), partial(_torch_conv2d, padding=1), EACH)
row("conv_transpose2d", "empty", partial(ops.conv_transpose2d, stride=2),
    [normal(0, 4, 3, 2), normal(2, 2, 3, 2)], partial(reference.conv_transpose2d, stride=2),
    partial(_torch_conv_transpose2d, stride=2), EACH)
row("conv2d_weight", "empty", partial(ops.conv2d_weight, kernel_size=2),
    [normal(0, 4, 3, 3), normal(0, 3, 2, 2)], partial(reference.conv2d_weight, kernel_size=2),
    lambda x, y: _torch_adjoint(lambda w: _torch_conv2d(x, w), y, (2, 2, 3, 2)), EACH)

POOLS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "default": ((2, 4, 6, 3), {}), "remainder": ((2, 5, 7, 2), dict(size=2)),
    "overlapping": ((2, 5, 7, 2), dict(size=3, stride=2)), "gaps": ((1, 7, 5, 2), dict(stride=3)),
    "two numbers": ((2, 4, 5, 2), dict(size=(1, 3), stride=(2, 1))),
    "whole image": ((2, 3, 4, 2), dict(size=(3, 4))), "1x1": ((2, 2, 3, 2), dict(size=1)),
    "empty": ((0, 4, 4, 2), {})}
for label, (shape, settings) in POOLS.items():
    for op, fold, linear in (("avg_pool2d", reference.mean_of, FIRST), ("max_pool2d", max, ())):
        row(op, label, partial(getattr(ops, op), **settings), [distinct(*shape)],
            partial(reference.pool, fold, **settings),
            lambda x, op=op, size=settings.get("size", 2), stride=settings.get("stride"):
            getattr(functional, op)(x.permute(0, 3, 1, 2), size, stride).permute(0, 2, 3, 1),
            linear)

# ---------------------------------------------------------------- normalisation

for label, shape, axes in (("batch", (4, 3), (0,)), ("images", (2, 3, 2, 3), (0, 1, 2)),
                           ("one axis", (4, 3), -1), ("all", (4, 3), None)):
    row("moments", label, partial(ops.moments, axes=axes), [normal(*shape)],
        partial(reference.moments, axes=axes),
        lambda x, a=axes: (_over(torch.mean, x, a, True),
                           _over(partial(torch.var, correction=0), x, a, True)))
for label, shapes in (("channels", ((4, 3), (1, 3), (1, 3), (3,), (3,))),
                      ("samples", ((2, 3, 4), (2, 1, 1), (2, 1, 1), (4,), (3, 1))),
                      ("empty", ((0, 3), (3,), (3,), (3,), (3,)))):
    row("normalize", label, partial(ops.normalize, eps=1e-2),
        [normal(*shapes[0]), normal(*shapes[1]), *(positive(*shape) for shape in shapes[2:])],
        partial(reference.normalize, eps=1e-2),
        lambda x, m, v, g, b: g * (x - m) / torch.sqrt(v + 1e-2) + b)


def _channels_first(normalise: Any, x: Any, *others: Any, **settings: Any) -> Any:
    """One of PyTorch's functions of (N, C, ...) on (N, ..., C)."""
    return normalise(x.movedim(-1, 1), *others, **settings).movedim(1, -1)


for label, shape in (("features", (5, 3)), ("sequences", (2, 4, 3)), ("images", (3, 2, 2, 3))):
    over = tuple(range(len(shape) - 1))
    row("batch_norm", label, ops.batch_norm, [normal(*shape), normal(3), normal(3)],
        partial(reference.norm_over, axes=over),
        lambda x, g, b: _channels_first(functional.batch_norm, x, None, None, g, b, True))
    row("layer_norm", label, ops.layer_norm, [normal(*shape), normal(3), normal(3)],
        partial(reference.norm_over, axes=-1),
        lambda x, g, b: functional.layer_norm(x, (3,), g, b))
row("batch_norm", "eps 0.1", partial(ops.batch_norm, eps=0.1), [normal(5, 3), normal(3), normal(3)],
    partial(reference.norm_over, axes=0, eps=0.1),
    lambda x, g, b: functional.batch_norm(x, None, None, g, b, True, eps=0.1))
row("layer_norm", "whole sample, gain of channels", partial(ops.layer_norm, axes=(1, 2, 3)),
    [normal(2, 3, 2, 3), normal(3), normal(3)], partial(reference.norm_over, axes=(1, 2, 3)),
    lambda x, g, b: functional.layer_norm(x, (3, 2, 3)) * g + b)
row("layer_norm", "whole sample, gain of elements", partial(ops.layer_norm, axes=(-2, -1), eps=0.1),
    [normal(2, 3, 4), normal(3, 4), normal(3, 4)],
    partial(reference.norm_over, axes=(1, 2), eps=0.1),
    lambda x, g, b: functional.layer_norm(x, (3, 4), g, b, 0.1))
row("layer_norm", "one axis, not the last", partial(ops.layer_norm, axes=1),
    [normal(2, 3, 4), normal(3, 1), normal(3, 1)], partial(reference.norm_over, axes=1),
    lambda x, g, b: functional.layer_norm(x.movedim(1, -1), (3,), g.T[0], b.T[0]).movedim(-1, 1))
row("moments", "empty", partial(ops.moments, axes=1), [normal(0, 3)],
    partial(reference.moments, axes=1), lambda x: (x.mean(1, True), x.var(1, False, True)))
row("layer_norm", "empty", ops.layer_norm, [normal(0, 3), normal(3), normal(3)],
    partial(reference.norm_over, axes=1), lambda x, g, b: functional.layer_norm(x, (3,), g, b))
row("instance_norm", "empty", ops.instance_norm, [normal(0, 2, 2, 3), normal(3), normal(3)],
    partial(reference.norm_over, axes=(1, 2)), lambda x, g, b: x * g + b)
for eps in (1e-5, 0.1):
    row("instance_norm", f"eps {eps}", partial(ops.instance_norm, eps=eps),
        [normal(2, 3, 4, 3), normal(3), normal(3)],
        partial(reference.norm_over, axes=(1, 2), eps=eps),
        lambda x, g, b, eps=eps: _channels_first(functional.instance_norm, x, weight=g, bias=b,
                                                 eps=eps))

# ---------------------------------------------------------------- losses

for label, shape in (("vector", (5,)), ("matrix", (4, 3)), ("0-d", ())):
    row("binary_cross_entropy_with_logits", label, ops.binary_cross_entropy_with_logits,
        [normal(*shape), lambda random, shape=shape: random.uniform(0, 1, shape)],
        reference.binary_cross_entropy_with_logits, functional.binary_cross_entropy_with_logits)
    row("mean_squared_error", label, ops.mean_squared_error, [normal(*shape), normal(*shape)],
        reference.mean_squared_error, functional.mse_loss)
row("binary_cross_entropy_with_logits", "integer targets", ops.binary_cross_entropy_with_logits,
    [normal(6), integers(2, 6)], reference.binary_cross_entropy_with_logits,
    lambda z, t: functional.binary_cross_entropy_with_logits(z, t.double()))
row("softmax_cross_entropy", "batch", ops.softmax_cross_entropy, [normal(5, 3), integers(3, 5)],
    reference.softmax_cross_entropy, functional.cross_entropy)
row("softmax_cross_entropy", "one sample", ops.softmax_cross_entropy,
    [normal(1, 4), integers(4, 1)], reference.softmax_cross_entropy, functional.cross_entropy)

# ---------------------------------------------------------------- a tensor's own methods

row("astype", "own dtype", lambda x: x.astype(x.dtype), [normal(3, 4)], np.copy, torch.clone, FIRST)
row("to", "own device", lambda x: engine.OPS["to"](x, device=x.device), [normal(3, 4)], np.copy,
    torch.clone, FIRST)
