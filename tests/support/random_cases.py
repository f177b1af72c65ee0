"""Random cases: ops, small networks of ops and odd memory, each fully determined by its number.

    python tests/random_cases.py 1234                 # what case 1234 is, and whether it holds
    python tests/random_cases.py --n 9000 --from 0    # as many as wanted; prints what fails
    python tests/random_cases.py --n 500 --torch      # beside the reference, compare with PyTorch

What is drawn stands in `random_kinds.py`; here is what has to hold of it:

- values equal those of a slow reference, which knows nothing of minigan (`reference.py`);
- first derivatives equal differences of the reference, second ones differences of the first;
- float32 in gives float32 out, and nearly the same numbers;
- a recorded step has the bits of the eager one, also after its inputs were overwritten;
- an old graph raises StaleGraphError exactly when something was written that its ops had read.

Differences are central ones of fourth order, (8 (f(h) - f(-h)) - (f(2 h) - f(-2 h))) / 12 h. With
h = 1e-3 they are wrong by h^4 in truth and by 1e-16 / h in rounding: below 1e-9 for functions that
bend as gently as these. So a bound of 1e-6, relative to the gradient's length, is wide, and still
sees an error of 0.1 %.
"""

from __future__ import annotations

import argparse
import random
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Sequence

import numpy as np

import minigan as mg
from minigan.backend import long_sums
from minigan.backend.cpu import blocks, convolution, winograd
from minigan.engine import Op, Tensor, grad, op_hook
from minigan.errors import StaleGraphError

Arrays = list[np.ndarray]

STEP = 1e-3
ROUNDING = 1e-11        # of values in float64: sums of some hundred terms, badly scaled by 100
FIRST, SECOND = 1e-6, 1e-5
SINGLE = 3e-4           # of float32: the same sums, and second derivatives of normalisations


class Draws:
    """Random choices that depend on a number alone: the same on any Python and any NumPy."""

    def __init__(self, number: int) -> None:
        self._next = random.Random(number).random  # the one stream that Python promises to keep

    def chance(self, share: float) -> bool:
        """True in this share of all draws."""
        return self._next() < share

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._next() * (high - low + 1))

    def choice(self, options: Sequence[Any]) -> Any:
        """One of them."""
        return options[self.integer(0, len(options) - 1)]

    def order(self, n: int) -> list[int]:
        """0 to n - 1, shuffled."""
        keys = [self._next() for _ in range(n)]
        return sorted(range(n), key=keys.__getitem__)

    def some(self, n: int) -> tuple[int, ...]:
        """A few of 0 to n - 1, at least one if there is one, in their order."""
        if n == 0:
            return ()
        return tuple(sorted(self.order(n)[:self.integer(1, n)]))

    def shape(self, least: int, most: int, largest: int = 4) -> tuple[int, ...]:
        """From `least` to `most` axes."""
        return tuple(self.integer(1, largest) for _ in range(self.integer(least, most)))

    def uniform(self, shape: tuple[int, ...], low: float = -2.0, high: float = 2.0) -> np.ndarray:
        """Numbers between two bounds, float64, each of which float32 can hold."""
        numbers = [self._next() for _ in range(int(np.prod(shape)))]
        spread = low + (high - low) * np.array(numbers).reshape(shape)
        return held_by_float32(spread)

    def positive(self, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers from 1/2 to 2."""
        return self.uniform(shape, 0.5, 2.0)

    def away(self, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers of both signs, 0.3 or more away from 0: no kink is near."""
        signs = np.where(self.uniform(shape) < 0, -1.0, 1.0)
        return np.asarray(signs * self.uniform(shape, 0.3, 2.0))

    def distinct(self, shape: tuple[int, ...]) -> np.ndarray:
        """Numbers 0.2 or more away from each other, and 0.05 from 0: neither ties nor kinks."""
        n = int(np.prod(shape))
        ranks = np.array(self.order(n), float).reshape(shape) - n // 2
        return held_by_float32(0.3 * ranks + 0.1 + self.uniform(shape, -0.04, 0.04))

    def integers(self, shape: tuple[int, ...], low: int, high: int) -> np.ndarray:
        """Whole numbers from low to high, both included, int64."""
        numbers = [self.integer(low, high) for _ in range(int(np.prod(shape)))]
        return np.array(numbers, "int64").reshape(shape)

    def booleans(self, shape: tuple[int, ...]) -> np.ndarray:
        """True and False."""
        return np.asarray(self.uniform(shape) > 0)


def held_by_float32(a: Any) -> np.ndarray:
    """The nearest numbers that float32 can hold, as float64 (and an array if it was a scalar)."""
    return np.asarray(a).astype("float32").astype("float64")


@dataclass
class Case:
    """One case.

    label: op, shapes and settings in words. function: of tensors, to a tensor or a tuple of them.
    inputs: the floats among them are varied. reference: the same function of NumPy arrays. torch:
    the same of PyTorch's tensors, or None. smooth: whether any numbers will do for the floats.
    mixes: inputs of which one may be integers, constants beside the floats.
    stale: whether a gradient with respect to these inputs must be refused after that input was
    written; None if any written float input makes it so.
    """

    label: str
    function: Callable[..., Any]
    inputs: Arrays
    reference: Callable[..., Any]
    torch: Callable[..., Any] | None = None
    smooth: bool = False
    mixes: Sequence[int] = ()
    stale: Callable[[Sequence[int], int], bool] | None = None


class WrongCase(AssertionError):
    """A case does not hold; names it, and says how to run it again."""

    def __init__(self, number: int, label: str, why: str) -> None:
        super().__init__(f"case {number}, {label}: {why}\n"
                         f"Again: python tests/random_cases.py {number}")


# ---------------------------------------------------------------- how arrays lie in memory

def contiguous(draws: Draws, a: np.ndarray) -> np.ndarray:
    return np.array(a)


def fortran(draws: Draws, a: np.ndarray) -> np.ndarray:
    return np.array(a, order="F")


def transposed(draws: Draws, a: np.ndarray) -> np.ndarray:
    order = draws.order(a.ndim)
    return a.transpose(order).copy().transpose(np.argsort(order))


def backwards(draws: Draws, a: np.ndarray) -> np.ndarray:
    turn = tuple(slice(None, None, -1 if draws.chance(0.6) else 1) for _ in a.shape)
    return np.array(a[turn])[turn + (...,)]


def sliced(draws: Draws, a: np.ndarray) -> np.ndarray:
    steps = [draws.integer(1, 2) for _ in a.shape]
    larger = np.full([n * step + 2 for n, step in zip(a.shape, steps)], 77, a.dtype)
    part = [slice(1, 1 + n * step, step) for n, step in zip(a.shape, steps)]
    inside = larger[(*part, ...)]
    inside[...] = a
    return inside


def unaligned(draws: Draws, a: np.ndarray) -> np.ndarray:
    memory = np.zeros(a.nbytes + 1, "uint8")
    moved = memory[1:].view(a.dtype).reshape(a.shape)
    moved[...] = a
    return moved


def read_only(draws: Draws, a: np.ndarray) -> np.ndarray:
    copy = np.array(a)
    copy.flags.writeable = False
    return copy


LAYOUTS = [contiguous, contiguous, fortran, transposed, backwards, sliced, unaligned, read_only]


def laid_out(draws: Draws, a: np.ndarray) -> np.ndarray:
    """The same numbers in memory of one kind or another; a repeated array stays repeated."""
    repeated = a.size > 1 and 0 in [stride for stride, n in zip(a.strides, a.shape) if n > 1]
    return a if repeated else draws.choice(LAYOUTS)(draws, a)


def repeated(draws: Draws, a: np.ndarray) -> np.ndarray:
    """One slice of a along some axis, repeated without a copy."""
    axis = draws.integer(0, a.ndim - 1)
    return np.broadcast_to(a.take([0], axis), a.shape)


# ---------------------------------------------------------------- one case

def drawn(number: int) -> tuple[Case, Draws]:
    """Case `number`, and the draws that go on from there."""
    from random_kinds import KINDS
    draws = Draws(number)
    case = draws.choice(KINDS)(draws)
    for i, a in enumerate(case.inputs):
        if case.smooth and a.dtype.kind == "f" and a.ndim and a.size and draws.chance(0.08):
            case.inputs[i] = repeated(draws, a)
    if case.mixes and draws.chance(0.1):
        i = draws.choice(case.mixes)
        case.inputs[i] = np.asarray(np.rint(2 * case.inputs[i])).astype("int64")
        case.label += f", input {i} of integers"
    return case, draws


def for_a_reference(case: Case, arrays: Arrays) -> Arrays:
    """Copies; integers beside floats are floats."""
    return [a.astype("float64") if case.mixes else a.copy() for a in arrays]


def run(number: int, torch: bool = False) -> str:
    """Check case `number`; returns what it was.

    Raises:
        WrongCase: something does not hold.
    """
    label = "before anything was drawn"
    try:
        case, draws = drawn(number)
        label = case.label
        with short_blocks(draws.chance(0.3)):
            check(case, draws)
            if torch and case.torch:
                check_beside_torch(case, draws)
    except Exception as error:
        why = str(error) if type(error) is AssertionError else "".join(
            traceback.format_exception(error)).strip()
        raise WrongCase(number, label, why) from error
    return label


SHORT = {(blocks, "BLOCK"): 16, (long_sums, "FEW"): 3, (long_sums, "PLAIN"): 5,
         (winograd, "WORTH_IT"): 1e9,
         (winograd, "MANY_TILES"): 2, (winograd, "TILES"): 2}


@contextmanager
def short_blocks(wanted: bool) -> Iterator[None]:
    """Treat small arrays as if they were large: in blocks, by trees of sums, by Winograd's form."""
    before = {place: getattr(*place) for place in SHORT}
    for (module, name), value in SHORT.items() if wanted else ():
        setattr(module, name, value)
    convolution.plan.cache_clear()
    try:
        yield
    finally:
        for (module, name), value in before.items():
            setattr(module, name, value)
        convolution.plan.cache_clear()


def check(case: Case, draws: Draws) -> None:
    """Everything that has to hold of a case."""
    arrays = [laid_out(draws, a) for a in case.inputs]
    double = Derivatives(case, arrays, draws)
    double.check_values()
    double.check_first()
    double.check_second()
    double.check_single(draws)
    check_recorded(case, draws, double)
    check_stale(case, draws, double)


def floats(xs: Sequence[Any]) -> list[int]:
    """The positions of arrays or tensors of floats."""
    return [i for i, x in enumerate(xs) if x.dtype.kind == "f"]


def tensors(arrays: Sequence[np.ndarray]) -> list[Tensor]:
    """Each array as a tensor on that very memory; floats can have gradients."""
    return [Tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]


def listed(ys: Any) -> list[Any]:
    return list(ys) if isinstance(ys, (tuple, list)) else [ys]


def moved(arrays: Arrays, i: int, step: np.ndarray) -> Arrays:
    return [np.asarray(a + step) if i == k else a for k, a in enumerate(arrays)]


def difference(f: Callable[[float], float]) -> float:
    """The derivative of f at 0."""
    near = f(STEP) - f(-STEP)
    far = f(2 * STEP) - f(-2 * STEP)
    return (8 * near - far) / (12 * STEP)


def length(a: np.ndarray) -> float:
    return float(np.sqrt(np.sum(np.square(a))))


def direction(draws: Draws, g: np.ndarray) -> np.ndarray:
    """Of length 1 or so, halfway between a random direction and g's own, which shows its scale."""
    chosen = draws.uniform(g.shape)
    return chosen / max(length(chosen), 1e-30) + g / max(length(g), 1e-30)


class Derivatives:
    """Values, first and second derivatives of a case at its inputs, in float64."""

    def __init__(self, case: Case, arrays: Arrays, draws: Draws) -> None:
        self.case, self.arrays, self.draws = case, arrays, draws
        xs = tensors(arrays)
        self.ys = listed(case.function(*xs))
        self.vs = [draws.uniform(y.shape) for y in self.ys]
        vs = tensors(self.vs)
        self.varied = floats(xs)
        wanted = [xs[i] for i in self.varied]
        self.gs = grad(self.ys, wanted, vs, create_graph=True, unreached="zeros")
        self.us = [draws.uniform(g.shape) for g in self.gs]
        self.hs = grad(self.gs, wanted + vs, tensors(self.us), unreached="zeros")

    def check_values(self) -> None:
        right = listed(self.case.reference(*for_a_reference(self.case, self.arrays)))
        assert len(right) == len(self.ys)
        for y, r in zip(self.ys, right):
            close("value", y, np.asarray(r), ROUNDING * (1 + largest(r)))

    def check_first(self) -> None:
        """Against differences of the reference."""
        copies = for_a_reference(self.case, self.arrays)
        size = sum(length(v) * length(y.numpy()) for v, y in zip(self.vs, self.ys))
        for i, g in zip(self.varied, self.gs):
            found = g.numpy()
            d = direction(self.draws, found)

            def along(step: float) -> float:
                ys = listed(self.case.reference(*moved(copies, i, step * d)))
                return sum(float(np.sum(v * y)) for v, y in zip(self.vs, ys))

            expect(f"first derivative, input {i}", float(np.sum(found * d)), difference(along),
                   FIRST * length(found) + 1e-9 * (1 + size))

    def gradients(self, arrays: Arrays, vs: Arrays) -> list[np.ndarray]:
        xs = tensors(arrays)
        ys = listed(self.case.function(*xs))
        found = grad(ys, [xs[i] for i in self.varied], tensors(vs), unreached="zeros")
        return [g.numpy() for g in found]

    def check_second(self) -> None:
        """Against differences of the first derivatives, which are not recorded here."""
        again = self.gradients(self.arrays, self.vs)
        size = 0.0
        for i, g, recorded in zip(self.varied, again, self.gs):
            close(f"first derivative without a graph, input {i}", recorded, g,
                  ROUNDING * (1 + largest(g)))
            size += length(g) * length(self.us[self.varied.index(i)])
        arguments = [*self.varied, *range(len(self.arrays), len(self.arrays) + len(self.vs))]
        everything = [*self.arrays, *self.vs]
        n = len(self.arrays)
        for i, h in zip(arguments, self.hs):
            found = h.numpy()
            d = direction(self.draws, found)

            def along(step: float) -> float:
                there = moved(everything, i, step * d)
                gs = self.gradients(there[:n], there[n:])
                return sum(float(np.sum(u * g)) for u, g in zip(self.us, gs))

            name = f"input {i}" if i < n else f"cotangent {i - n}"
            expect(f"second derivative, {name}", float(np.sum(found * d)), difference(along),
                   SECOND * length(found) + 1e-8 * (1 + size))

    def check_single(self, draws: Draws) -> None:
        """float32 in, float32 out."""
        arrays = [laid_out(draws, single(a)) for a in self.arrays]
        xs, vs = tensors(arrays), tensors([single(v) for v in self.vs])
        ys = listed(self.case.function(*xs))
        wanted = [xs[i] for i in self.varied]
        gs = grad(ys, wanted, vs, create_graph=True, unreached="zeros")
        hs = grad(gs, wanted + vs, tensors([single(u) for u in self.us]), unreached="zeros")
        scale = 1.0
        for name, ours, right in (("value", ys, self.ys), ("first derivative", gs, self.gs),
                                  ("second derivative", hs, self.hs)):
            scale = max([scale, *[largest(r.numpy()) for r in right]])  # its terms are as large
            for k, (t, r) in enumerate(zip(ours, right)):
                close(f"float32 {name} {k}", t, r.numpy().astype("float32"), SINGLE * scale)


def single(a: np.ndarray) -> np.ndarray:
    return np.asarray(a).astype("float32") if a.dtype == np.float64 else a


def largest(a: Any) -> float:
    return float(np.max(np.abs(a), initial=0.0))


def close(what: str, found: Tensor, right: np.ndarray, bound: float) -> None:
    """Shape and dtype are right, and no element is off by more than the bound."""
    assert isinstance(found.data, np.ndarray), f"{what}: the data are {type(found.data)}"
    assert found.shape == right.shape, f"{what}: shape {found.shape}, not {right.shape}"
    assert found.dtype == right.dtype, f"{what}: dtype {found.dtype}, not {right.dtype}"
    if right.size:
        off = largest(found.numpy().astype("float64") - right)
        assert off <= bound, f"{what}: off by {off:.3g}, allowed are {bound:.3g}"


def expect(what: str, found: float, right: float, bound: float) -> None:
    assert abs(found - right) <= bound, (f"{what}: {found!r}, by differences {right!r}, allowed "
                                         f"are {bound:.3g}")


# ---------------------------------------------------------------- recorded steps

def check_recorded(case: Case, draws: Draws, double: Derivatives) -> None:
    """A recorded step has the eager step's bits, with these inputs and with others."""
    kind = draws.choice([single, np.copy])
    arrays = [laid_out(draws, kind(a)) for a in double.arrays]
    xs = tensors(arrays)
    vs, us = tensors(list(map(kind, double.vs))), tensors(list(map(kind, double.us)))
    wanted = [xs[i] for i in double.varied]

    def step() -> dict[str, Tensor]:
        ys = listed(case.function(*xs))
        gs = grad(ys, wanted, vs, create_graph=True, unreached="zeros")
        hs = grad(gs, wanted + vs, us, unreached="zeros")
        groups = {"value": ys, "first derivative": gs, "second derivative": hs}
        return {f"{name} {k}": t for name, group in groups.items() for k, t in enumerate(group)}

    step()
    recorded = mg.capture(step, [*xs, *vs, *us])
    for round in ("with the same inputs", "with other inputs", "once more"):
        eager = {name: t.numpy().copy() for name, t in step().items()}
        replayed = recorded()
        assert eager.keys() == replayed.keys()
        for name, right in eager.items():
            found = replayed[name].numpy()
            assert found.dtype == right.dtype and found.shape == right.shape
            assert found.tobytes() == right.tobytes(), f"recorded {name}, {round}: other bits"
        for x in xs:
            if x.data.flags.writeable:
                x.assign(others(x.numpy()))


def others(a: np.ndarray) -> np.ndarray:
    """Other numbers that are as good: in the opposite order, and floats a little larger."""
    turned = a.ravel()[::-1].reshape(a.shape)
    return np.asarray(turned * a.dtype.type(1.25)) if a.dtype.kind == "f" else turned.copy()


# ---------------------------------------------------------------- old graphs

def check_stale(case: Case, draws: Draws, double: Derivatives) -> None:
    """After a write, a gradient is refused if an op on its path had read that; else it is right."""
    arrays = [a.copy() for a in double.arrays]
    xs, vs = tensors(arrays), tensors(double.vs)
    ys = listed(case.function(*xs))
    wanted = [double.varied[k] for k in draws.some(len(double.varied))]
    before = grad(ys, [xs[i] for i in wanted], vs, unreached="zeros")
    before = [g.numpy().copy() for g in before]
    stranger = Tensor(np.zeros(3))
    stranger.assign(np.ones(3))
    apart = [i for i in double.varied if i not in wanted]
    written = draws.choice(apart if apart and draws.chance(0.5) else double.varied)
    if case.stale:
        due = case.stale(wanted, written)
    else:
        wanted = double.varied
        before = double.gradients(arrays, double.vs)
        due = all(y is not x for y in ys for x in xs)
    xs[written].assign(others(arrays[written]))
    try:
        after = grad(ys, [xs[i] for i in wanted], vs, unreached="zeros")
    except StaleGraphError:
        assert due, f"input {written} was written, no op on the path had read it, but it is stale"
        return
    assert not due, f"input {written} was written after an op had read it, and nothing was said"
    for i, g, right in zip(wanted, after, before):
        assert g.numpy().tobytes() == right.tobytes(), f"gradient {i} changed by a write elsewhere"


# ---------------------------------------------------------------- PyTorch

def check_beside_torch(case: Case, draws: Draws) -> None:
    """Values, first and second derivatives equal PyTorch's."""
    import torch
    assert case.torch is not None
    double = Derivatives(case, [a.copy() for a in case.inputs], draws)
    xs = [torch.tensor(a, requires_grad=i in double.varied)
          for i, a in enumerate(for_a_reference(case, double.arrays))]
    vs = [torch.tensor(v, requires_grad=True) for v in double.vs]
    us = [torch.tensor(u) for u in double.us]
    ys = listed(case.torch(*xs))
    wanted = [xs[i] for i in double.varied]
    gs = torch.autograd.grad(ys, wanted, vs, create_graph=True, materialize_grads=True)
    tied = [(g, u) for g, u in zip(gs, us) if g.requires_grad]
    hs: list[Any] = [torch.zeros_like(x) for x in wanted + vs]
    if tied:
        hs = torch.autograd.grad([g for g, _ in tied], wanted + vs, [u for _, u in tied],
                                 materialize_grads=True)
    for name, ours, theirs in (("value", double.ys, ys), ("first derivative", double.gs, gs),
                               ("second derivative", double.hs, hs)):
        for k, (t, r) in enumerate(zip(ours, theirs)):
            right = r.detach().numpy(force=True)
            close(f"{name} {k} beside PyTorch", t, right, 1e-8 * (1 + largest(right)))


# ---------------------------------------------------------------- which rules a case uses

def rules_used(number: int) -> set[tuple[str, int]]:
    """The ops whose rules case `number` runs, first or second order: (op, input)."""
    case, draws = drawn(number)
    used: set[tuple[str, int]] = set()

    def watch(op: Op, within: Op | None, run: Callable[[], Tensor]) -> Tensor:
        y = run()
        used.update((op.name, i) for i, _ in y.carriers)
        return y

    with op_hook(watch):
        Derivatives(case, [a.copy() for a in case.inputs], draws)
    return used


def main(arguments: Sequence[str] | None = None) -> int:
    """Run cases; returns 0 if all hold."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("number", nargs="?", type=int, help="run this one case and say what it is")
    parser.add_argument("--n", type=int, default=1, help="run so many cases")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first one's number")
    parser.add_argument("--torch", action="store_true", help="compare with PyTorch, too")
    options = parser.parse_args(arguments)
    one = options.number is not None
    first = options.number if one else options.first
    wrong = 0
    for number in range(first, first + (1 if one else options.n)):
        try:
            label = run(number, options.torch)
            if one:
                print(f"case {number}, {label}: holds")
        except WrongCase as error:
            wrong += 1
            print(f"{error}\n")
    if not one:
        print(f"{options.n} cases from {first} on: {wrong} do not hold")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.modules["random_cases"] = sys.modules["__main__"]  # random_kinds imports it by name
    sys.exit(main())
