"""Functions of each element by itself. At kinks and ties one choice each, stated in the docstring.

A mask is an op whose rules are None: it is a constant for the gradient, and no path leads through
it. Where it is 0 the gradient is 0 whatever arrives, infinities and NaN included, as in PyTorch: so
masks are applied by `gate`, `keep` and `weigh`, never by a product alone.
"""

from __future__ import annotations

from minigan import errors
from minigan.backend import backend_of
from minigan.engine import Tensor, op
from minigan.ops.arithmetic import negative, square
from minigan.ops.masks import gate, keep, weigh
from minigan.streams import Stream


@op(lambda gy, y, x: gy * (1 - square(y)))
def tanh(xp, x):
    """Hyperbolic tangent."""
    return xp.tanh(x)


@op(lambda gy, y, x: gy * y * (1 - y))
def sigmoid(xp, x):
    """1 / (1 + e^-x), without overflow and with full relative precision on both sides."""
    return xp.exp(xp.minimum(x, 0)) / (1 + xp.exp(-xp.abs(x)))


@op(lambda gy, y, x: gy * sigmoid(x))
def softplus(xp, x):
    """log(1 + e^x), finite for every finite x."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


def log_sigmoid(x: Tensor) -> Tensor:
    """log(sigmoid(x)) = -softplus(-x), finite for every finite x."""
    errors.check_tensors("log_sigmoid", x=x)
    return negative(softplus(negative(x)))


def relu(x: Tensor) -> Tensor:
    """max(x, 0); derivative 0 at 0."""
    return _leaky_relu(x, slope=0.0)


def leaky_relu(x: Tensor, slope: float = 0.01) -> Tensor:
    """x where x > 0, else slope * x, with 0 <= slope <= 1; derivative `slope` at 0."""
    check_slope("leaky_relu", slope)
    return _leaky_relu(x, slope=float(slope))


def check_slope(name: str, slope: float) -> None:
    """Raise unless maximum(x, slope * x) is x above 0 and slope * x below."""
    if not (errors.is_number(slope) and 0 <= slope <= 1):
        raise ValueError(f"{name}: slope must be between 0 and 1, got {errors.shown(slope)}")


@op(lambda gy, y, x, slope: gate(gy, y, slope=slope), out=(0,))  # y has the sign of x
def _leaky_relu(xp, x, slope, **out):
    return xp.leaky_relu(x, slope, **out)


@op(lambda gy, y, x, low, high: keep(gy, _inside(x, low=low, high=high)))
def _clip(xp, x, low, high):
    return xp.clip(x, low, high)


def clip(x: Tensor, low: float, high: float) -> Tensor:
    """x limited to [low, high]; derivative 1 inside and on both bounds, 0 outside."""
    if not (errors.is_number(low) and errors.is_number(high) and low <= high):
        raise ValueError(f"clip: low and high must be numbers, low not above high, got "
                         f"{errors.shown(low)} and {errors.shown(high)}; for one bound, or tensors "
                         f"as bounds, use maximum and minimum")
    return _clip(x, low=float(low), high=float(high))


@op(lambda gy, y, a, b: weigh(gy, _share(a, b)), lambda gy, y, a, b: weigh(gy, _share(b, a)),
    broadcasts=True)
def maximum(xp, a, b):
    """The larger of a and b, broadcast; equal ones share the gradient evenly."""
    return xp.maximum(a, b)


@op(lambda gy, y, a, b: weigh(gy, _share(b, a)), lambda gy, y, a, b: weigh(gy, _share(a, b)),
    broadcasts=True)
def minimum(xp, a, b):
    """The smaller of a and b, broadcast; equal ones share the gradient evenly."""
    return xp.minimum(a, b)


@op(None, lambda gy, y, c, a, b: keep(gy, c), lambda gy, y, c, a, b: keep(gy, _no(c)),
    broadcasts=True)
def _where(xp, condition, a, b):
    return xp.where(condition != 0, a, b)


def where(condition: Tensor, a: Tensor | float, b: Tensor | float) -> Tensor:
    """a where condition holds (a boolean tensor), else b, broadcast."""
    return _where(condition, a, b)


@op(None)
def _no(xp, condition):
    return xp.asarray(condition == 0).astype(condition.dtype)


@op(None)
def _inside(xp, x, low, high):
    return ((x >= low) & (x <= high)).astype(x.dtype)


@op(None)
def _at_least(xp, x, limit):
    return xp.asarray(x >= limit).astype(x.dtype)


@op(None, None, broadcasts=True)
def _share(xp, a, b):
    """1 where a > b, 1/2 where they are equal, else 0."""
    dtype = getattr(a, "dtype", getattr(b, "dtype", None))
    return (xp.greater(a, b).astype(dtype) + xp.greater_equal(a, b)) / 2


def dropout(x: Tensor, rate: float, rng: Stream) -> Tensor:
    """Zero a share `rate` of the elements and scale the rest by 1 / (1 - rate).

    Source: Srivastava et al. 2014, in the form that leaves the network as it is at test time.
    rng: the random stream that draws the mask, which is a constant for the gradient.
    """
    errors.check_floats("dropout", x=x)
    errors.check_share("dropout: rate", rate)
    if not isinstance(rng, Stream):
        raise TypeError(f"dropout: rng must be a stream, such as minigan.stream('dropout'),"
                        f" got {errors.shown(rng)}")
    chance = Tensor(rng.uniform(x.shape, dtype=x.dtype, xp=backend_of(x.data)))
    scale = float(x.dtype.type(1) / x.dtype.type(1 - rate))  # as the dtype rounds it
    return keep(x * scale, _at_least(chance, limit=rate))
