"""Arithmetic: sums, products, powers, exponentials and logarithms, and changes of type.

Operands are tensors of any shapes, which broadcast as NumPy's do, or Python numbers, which are
constants. Beside floats, integers and booleans are constants of the float type. What an op returns
has the dtype of its operands.

What any op may raise, here and in the other files of this room:
    OperandError: an operand is neither a tensor nor a number.
    ShapesError: the shapes of the operands do not fit one another.
    MixedDtypesError: one operand is float32 and another float64.
    MixedDevicesError: the operands are on several devices.
    NotFloatError: the op computes with floats and was given integers or booleans only.
"""

from __future__ import annotations

import math
from typing import Any

from minigan.backend import OVER_EITHER, Array, Backend, backend_of, get_backend
from minigan.engine import Operand, Tensor, core, op
from minigan.ops.masks import is_zero, keep, weigh

# ---------------------------------------------------------------- sums and products


@core
@op(lambda gy, y, a, b: gy, lambda gy, y, a, b: gy, broadcasts=True, out=OVER_EITHER)
def add(xp: Backend, a: Array, b: Array, **out: Array) -> Array:
    """a + b."""
    return xp.add(a, b, **out)


@core
@op(lambda gy, y, a, b: gy, lambda gy, y, a, b: negative(gy), broadcasts=True, out=OVER_EITHER)
def subtract(xp: Backend, a: Array, b: Array, **out: Array) -> Array:
    """a - b."""
    return xp.subtract(a, b, **out)


@core
@op(lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a, broadcasts=True, out=OVER_EITHER)
def multiply(xp: Backend, a: Array, b: Array, **out: Array) -> Array:
    """a * b, element by element; for matrix products see `matmul`."""
    return xp.multiply(a, b, **out)


@core
@op(lambda gy, y, a, b: gy / b, lambda gy, y, a, b: negative(gy * y) / b, broadcasts=True)
def divide(xp: Backend, a: Array, b: Array) -> Array:
    """a / b, of floats; infinite or NaN where b is 0."""
    return xp.divide(a, b)


@core
@op(lambda gy, y, x: negative(gy))
def negative(xp: Backend, x: Array) -> Array:
    """-x."""
    return xp.negative(x)


@op(lambda gy, y, x: gy * x * 2)
def square(xp: Backend, x: Array) -> Array:
    """x * x, which takes less time than x ** 2."""
    return xp.multiply(x, x)


@op(lambda gy, y, x: weigh(gy, _sign(x)))
def abs(xp: Backend, x: Array) -> Array:
    """The absolute value of x; its derivative at 0 is 0."""
    return xp.abs(x)


@op(None)
def _sign(xp: Backend, x: Array) -> Array:
    """1 where x > 0, -1 where x < 0, 0 where x is 0."""
    return xp.sign(x)


# ---------------------------------------------------------------- exponentials, logarithms, roots

@op(lambda gy, y, x: gy * y)
def exp(xp: Backend, x: Array) -> Array:
    """e to the power of x; infinite for float32 above 88.7."""
    return xp.exp(x)


@op(lambda gy, y, x: gy / x)
def log(xp: Backend, x: Array) -> Array:
    """The natural logarithm of x; -infinity at 0, NaN below."""
    return xp.log(x)


@op(lambda gy, y, x: gy / (x + 1))
def log1p(xp: Backend, x: Array) -> Array:
    """log(1 + x), exact for small x."""
    return xp.log1p(x)


@op(lambda gy, y, x: gy / (y * 2))
def sqrt(xp: Backend, x: Array) -> Array:
    """The square root of x; its derivative at 0 is infinite, see `norm` for a safe form."""
    return xp.sqrt(x)


# ---------------------------------------------------------------- powers

def _power_base_rule(gy: Tensor, y: Tensor, x: Operand, n: Operand) -> Tensor:
    """n x^(n - 1), and 0 where n is 0, also at x = 0."""
    if isinstance(n, Tensor):
        return keep(gy, n) * n * power(x, n - 1 + is_zero(n) * is_zero(x))
    if n == 0:
        return Tensor(backend_of(gy.data).zeros(gy.shape, gy.dtype))
    return gy * n * power(x, n - 1)


def _power_exponent_rule(gy: Tensor, y: Tensor, x: Operand, n: Tensor) -> Tensor:
    """x^n log(x), and 0 where x is 0 and n is not negative: x^n is 0 there, or jumps at n = 0."""
    if not isinstance(x, Tensor) and x > 0:
        return gy * y * math.log(x)
    flat = _flat(x, n)
    return keep(gy, is_zero(flat)) * y * log(x + flat)


@core
@op(_power_base_rule, _power_exponent_rule, broadcasts=True)
def power(xp: Backend, x: Array, n: Array) -> Array:
    """x ** n, element by element.

    The derivative with respect to n is x^n log(x). Where x is 0 it is 0 for n >= 0, as in PyTorch;
    where x is negative it is NaN. The derivative with respect to x is n x^(n - 1), and 0 for n = 0.
    """
    if type(n) is int and n == 2:
        return xp.multiply(x, x)
    return xp.power(x, n)


@op(None, None, broadcasts=True)
def _flat(xp: Backend, x: Array, n: Array) -> Array:
    """1 where x is 0 and n is not negative, so that x^n is 0 there, or jumps at n = 0; else 0."""
    return xp.asarray((x == 0) & (n >= 0)).astype(n.dtype)


# ---------------------------------------------------------------- other dtypes, other devices

# People write `x.astype("float64")` and `x.to("cupy")`; the methods check, and call these.

@core
@op(lambda gy, y, x, dtype: gy.astype(x.dtype), converts=True)
def _astype(xp: Backend, x: Array, dtype: Any) -> Array:
    return x.astype(dtype)


@core
@op(lambda gy, y, x, device: gy.to(x.device), converts=True, view=True)
def _to(xp: Backend, x: Array, device: str) -> Array:
    return get_backend(device).from_host(xp.to_host(x))


def widened(x: Tensor) -> Tensor:
    """Booleans and small integers as int64, so that sums of them do not wrap, as in NumPy."""
    dtype = x.data.dtype
    if dtype.kind == "f" or dtype.itemsize == 8:
        return x
    return x.astype("int64")
