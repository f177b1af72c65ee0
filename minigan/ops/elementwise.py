"""Functions of each element by itself: activations, limits, choices, dropout.

x is a tensor of any shape, and the result has its shape and dtype. Where there is no derivative, at
a kink or where two operands are equal, the docstring says which value stands for it.
"""

from __future__ import annotations

from minigan.backend import OVER_FIRST, Array, Backend, backend_of
from minigan.checks import check_bounds, check_share, check_slope
from minigan.engine import Operand, Tensor, op
from minigan.ops.arguments import check_floats, of_tensors
from minigan.ops.arithmetic import negative, square
from minigan.ops.masks import at_least, gate, in_range, is_zero, keep, larger, weigh
from minigan.streams import Stream, check_stream

# ---------------------------------------------------------------- smooth ones


@op(lambda gy, y, x: gy * (1 - square(y)))
def tanh(xp: Backend, x: Array) -> Array:
    """Hyperbolic tangent, in (-1, 1)."""
    return xp.tanh(x)


@op(lambda gy, y, x: gy * y * (1 - y))
def sigmoid(xp: Backend, x: Array) -> Array:
    """1 / (1 + e^-x), without overflow and with full relative precision on both sides."""
    return xp.exp(xp.minimum(x, 0)) / (1 + xp.exp(-xp.abs(x)))


@op(lambda gy, y, x: gy * sigmoid(x))
def softplus(xp: Backend, x: Array) -> Array:
    """log(1 + e^x), finite for every finite x."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


@of_tensors
def log_sigmoid(x: Tensor) -> Tensor:
    """log(sigmoid(x)) = -softplus(-x), finite for every finite x.

    Raises:
        NotTensorError: x is not a tensor.
    """
    return negative(softplus(negative(x)))


# ---------------------------------------------------------------- with a kink at 0

@op(lambda gy, y, x, slope: gate(gy, y, slope=slope), out=OVER_FIRST)  # y has the sign of x
def _leaky_relu(xp: Backend, x: Array, slope: float, **out: Array) -> Array:
    return xp.leaky_relu(x, slope, **out)


def relu(x: Tensor) -> Tensor:
    """max(x, 0); derivative 0 at 0."""
    return _leaky_relu(x, slope=0.0)


def leaky_relu(x: Tensor, slope: float = 0.01) -> Tensor:
    """x where x > 0, else slope * x; derivative `slope` at 0.

    slope: from 0 (`relu`) to 1 (x itself).

    Raises:
        ValueError: the slope is something else.
    """
    check_slope("leaky_relu", slope)
    return _leaky_relu(x, slope=float(slope))


# ---------------------------------------------------------------- limits and choices

@op(lambda gy, y, x, low, high: keep(gy, in_range(x, low=low, high=high)))
def _clip(xp: Backend, x: Array, low: float, high: float) -> Array:
    return xp.clip(x, low, high)


def clip(x: Tensor, low: float, high: float) -> Tensor:
    """x limited to [low, high]; derivative 1 inside and on both bounds, 0 outside.

    Raises:
        ValueError: a bound is not a number, or low is above high.
    """
    check_bounds("clip", low, high)
    return _clip(x, low=float(low), high=float(high))


@op(lambda gy, y, a, b: weigh(gy, larger(a, b)), lambda gy, y, a, b: weigh(gy, larger(b, a)),
    broadcasts=True)
def maximum(xp: Backend, a: Array, b: Array) -> Array:
    """The larger of a and b, broadcast; equal ones share the gradient evenly."""
    return xp.maximum(a, b)


@op(lambda gy, y, a, b: weigh(gy, larger(b, a)), lambda gy, y, a, b: weigh(gy, larger(a, b)),
    broadcasts=True)
def minimum(xp: Backend, a: Array, b: Array) -> Array:
    """The smaller of a and b, broadcast; equal ones share the gradient evenly."""
    return xp.minimum(a, b)


@op(None, lambda gy, y, condition, a, b: keep(gy, condition),
    lambda gy, y, condition, a, b: keep(gy, is_zero(condition)), broadcasts=True)
def _where(xp: Backend, condition: Array, a: Array, b: Array) -> Array:
    return xp.where(condition != 0, a, b)


def where(condition: Tensor, a: Operand, b: Operand) -> Tensor:
    """a where the condition holds, else b, all three broadcast against one another.

    condition: a boolean tensor; in one of numbers, all but 0 hold. a, b: tensors or numbers.
    """
    return _where(condition, a, b)


# ---------------------------------------------------------------- dropout

def dropout(x: Tensor, rate: float, rng: Stream) -> Tensor:
    """Zero a share `rate` of the elements and scale the rest by 1 / (1 - rate).

    Source: Srivastava et al. 2014, in the form that leaves the network as it is at test time.
    x: floats. rate: in [0, 1). rng: the random stream that draws the mask, which is a constant for
    the gradient.

    Raises:
        NotTensorError, NotFloatError: x is not a tensor of floats.
        ValueError: the rate is not in [0, 1).
        TypeError: rng is not a stream.
    """
    check_floats("dropout", x=x)
    check_share("dropout: rate", rate)
    check_stream("dropout", rng, "dropout")
    chance = Tensor(rng.uniform(x.shape, dtype=x.dtype, xp=backend_of(x.data)))
    kept = at_least(chance, limit=rate)
    number = x.dtype.type
    scale = float(number(1) / number(1 - rate))  # as the dtype rounds it
    return keep(x * scale, kept)
