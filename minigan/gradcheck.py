"""Numerical checks of derivatives: for minigan's own ops and for yours.

The check is directional. For y = f(x), a random cotangent v and a unit direction d, the analytic
<g, d> with g = grad(<v, y>) must equal the central difference
(<v, f(x + eps d)> - <v, f(x - eps d)>) / (2 eps). The second order is the first-order check of the
function (x, v) -> grad(<v, f(x)>), with respect to x and to v; and so on. With float64, a unit
direction and eps = 1e-5 the difference is right to about 1e-9, so rtol = 1e-6 leaves a wide margin
and still sees an error of 0.1 %.

d is halfway between a random direction and g's own: a random one alone can be nearly orthogonal to
g, where a wrong scale does not show, and g's own alone would not see what is wrong beside it. The
error is relative to ||g|| ||d||, not to the directional derivative, which can be near 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, NamedTuple, Sequence

import numpy as np

from minigan.backend import backend_of
from minigan.checks import is_whole
from minigan.engine import Tensor, grad

SMALLEST = 1e-3  # below this a derivative is 0 as far as differences of numbers near 1 can tell

Function = Callable[..., Any]  # of tensors; returns a tensor or a sequence of tensors


class GradientError(AssertionError):
    """An analytic and a numeric derivative differ."""


@dataclass(frozen=True)
class Check:
    """One comparison: which function, argument and order; both values; the relative error."""

    function: str
    argument: str
    order: int
    analytic: float
    numeric: float
    error: float

    def __str__(self) -> str:
        return (f"{self.function}, order {self.order}, with respect to {self.argument}: analytic "
                f"{self.analytic:.10g}, numeric {self.numeric:.10g}, relative error "
                f"{self.error:.2e}")


# ---------------------------------------------------------------- against differences

def check_grads(f: Function, inputs: Sequence[Tensor], order: int = 2, eps: float = 1e-5,
                rtol: float = 1e-6, seed: int = 0) -> list[Check]:
    """Compare the derivatives of f, up to `order`, with central differences.

    f: a function of tensors that returns a tensor or a sequence of tensors; it must be smooth at
    and around the inputs and give the same result when called again.
    inputs: tensors; the float64 ones are varied, integers and booleans are passed on.
    order: 1 or more. eps: how far an input is moved, along a direction of length 1. seed: of the
    random directions and cotangents. Returns all comparisons made.

    Raises:
        GradientError: one or more comparisons are off by more than rtol; lists every one.
        TypeError: an input is not a tensor, or is float32, which is too coarse to check with.
        ValueError: order is below 1.
    """
    if isinstance(inputs, Tensor):
        raise TypeError("check_grads: inputs must be a list of tensors, got one tensor")
    if not is_whole(order) or order < 1:
        raise ValueError(f"check_grads: order must be 1 or more, got {order!r}")
    for i, x in enumerate(inputs):
        if not isinstance(x, Tensor):
            raise TypeError(f"check_grads: inputs[{i}] must be a tensor, got a {type(x).__name__}")
        if x.dtype.kind == "f" and x.dtype != np.float64:
            raise TypeError(f"check_grads: inputs[{i}] is {x.dtype}; checks need float64")

    checker = _Checker(_name_of(f), order, eps, np.random.Generator(np.random.Philox(seed)))
    names = [x.name or f"argument {i}" for i, x in enumerate(inputs)]
    checks = checker.check(f, list(inputs), names, order=1)
    wrong = [check for check in checks if not check.error <= rtol]
    if wrong:
        raise GradientError("\n".join(map(str, wrong)))
    return checks


class _Checker(NamedTuple):
    """What stays the same from order to order: the function's name, how far to go, and how."""

    name: str
    orders: int
    eps: float
    random: np.random.Generator

    def check(self, f: Function, inputs: list[Tensor], names: list[str], order: int
              ) -> list[Check]:
        """Compare the first derivatives of f, then those of its gradient, up to the last order."""
        xs = [_fresh(x) for x in inputs]
        ys = _listed(f(*xs))
        vs = [self._cotangent(y) for y in ys]
        varied = [i for i, x in enumerate(xs) if x.requires_grad]
        gradients = grad(ys, [xs[i] for i in varied], vs, unreached="zeros")

        checks = []
        for i, gx in zip(varied, gradients):
            g = gx.numpy()
            d = self._direction(g)
            analytic = _dot(g, d)
            ahead = _moved(f, inputs, i, self.eps * d, vs)
            behind = _moved(f, inputs, i, -self.eps * d, vs)
            numeric = (ahead - behind) / (2 * self.eps)
            scale = max(float(np.linalg.norm(g)), abs(numeric), SMALLEST)  # ||d|| is 1
            error = abs(analytic - numeric) / scale
            checks.append(Check(self.name, names[i], order, analytic, numeric, error))
        if order == self.orders:
            return checks

        def gradient(*arguments: Tensor) -> tuple[Tensor, ...]:
            xs = arguments[:len(inputs)]
            vs = arguments[len(inputs):]
            return grad(_listed(f(*xs)), [xs[i] for i in varied], vs, create_graph=True,
                        unreached="zeros")

        of_order = f" of order {order}" if self.orders > 2 else ""
        cotangents = [f"cotangent {i}{of_order}" for i in range(len(vs))]
        return checks + self.check(gradient, inputs + vs, names + cotangents, order + 1)

    def _cotangent(self, y: Tensor) -> Tensor:
        """Random numbers like y."""
        values = np.asarray(self.random.standard_normal(y.shape))
        return Tensor(backend_of(y.data).from_host(values))

    def _direction(self, g: np.ndarray) -> np.ndarray:
        """A unit vector halfway between a random one and g's."""
        random = _unit(self.random.standard_normal(g.shape))
        return _unit(random + _unit(g))


def _moved(f: Function, inputs: list[Tensor], i: int, step: np.ndarray, vs: list[Tensor]) -> float:
    """<v, f> with the i-th input moved by a step."""
    moved = list(inputs)
    moved[i] = Tensor(backend_of(inputs[i].data).from_host(inputs[i].numpy() + step))
    ys = _listed(f(*map(_fresh, moved)))
    products = [_dot(y.numpy(), v.numpy()) for y, v in zip(ys, vs)]
    return float(sum(products))


# ---------------------------------------------------------------- against the definition

def check_adjoint(forward: Callable[[Tensor], Tensor], adjoint: Callable[[Tensor], Tensor],
                  x: Tensor, y: Tensor, rtol: float = 1e-12) -> float:
    """Check <forward(x), y> == <x, adjoint(y)> for two linear functions; returns the error.

    Linear ops deserve this exact test beside finite differences. The error is relative to the norms
    of the vectors in the two products.

    Raises:
        GradientError: the two products differ by more than rtol.
    """
    ax = forward(x).numpy()
    aty = adjoint(y).numpy()
    left = _dot(ax, y.numpy())
    right = _dot(x.numpy(), aty)
    scale = max(np.linalg.norm(ax) * np.linalg.norm(y.numpy()),
                np.linalg.norm(x.numpy()) * np.linalg.norm(aty), np.finfo(float).tiny)
    error = float(abs(left - right) / scale)
    if not error <= rtol:
        raise GradientError(f"<A x, y> = {left!r} but <x, A^T y> = {right!r}: relative error "
                            f"{error:.2e}")
    return error


def _name_of(f: Function) -> str:
    return str(getattr(f, "__name__", None) or getattr(f, "name", "f"))


def _unit(v: np.ndarray) -> np.ndarray:
    return v / max(float(np.linalg.norm(v)), np.finfo(float).tiny)


def _fresh(x: Tensor) -> Tensor:
    return x.as_leaf() if x.dtype.kind == "f" else x.detach()


def _listed(ys: Any) -> list[Tensor]:
    return [ys] if isinstance(ys, Tensor) else list(ys)


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sum(a * b))
