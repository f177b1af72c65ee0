"""What layers do with a bias: it joins a product, or an activation, in one op and one pass."""

from __future__ import annotations

from minigan import errors
from minigan.backend import Array, Backend
from minigan.engine import Tensor, core, op
from minigan.ops.arithmetic import widened
from minigan.ops.elementwise import check_slope
from minigan.ops.masks import gate
from minigan.ops.reductions import sum
from minigan.ops.shape import reshape

# ---------------------------------------------------------------- matrix products

# Transposes are flags: ta says that a is given as (K, M) and not (M, K), tb that b is (N, K).


def _matmul_a_rule(gy: Tensor, y: Tensor, a: Tensor, b: Tensor, ta: bool, tb: bool) -> Tensor:
    """gy b^T, or b gy^T where a is given transposed."""
    if ta:
        return _matmul(b, gy, ta=tb, tb=True)
    return _matmul(gy, b, ta=False, tb=not tb)


def _matmul_b_rule(gy: Tensor, y: Tensor, a: Tensor, b: Tensor, ta: bool, tb: bool) -> Tensor:
    """a^T gy, or gy^T a where b is given transposed."""
    if tb:
        return _matmul(gy, a, ta=True, tb=ta)
    return _matmul(a, gy, ta=not ta, tb=False)


@op(_matmul_a_rule, _matmul_b_rule, broadcasts=True, out=())
def _matmul(xp: Backend, a: Array, b: Array, ta: bool, tb: bool, **out: Array) -> Array:
    if ta:
        a = a.swapaxes(-1, -2)
    if tb:
        b = b.swapaxes(-1, -2)
    return xp.product(a, b, **out)


@core
def matmul(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """Matrix product (..., M, K) @ (..., K, N) -> (..., M, N); vectors as NumPy treats them.

    transpose_a, transpose_b: take the last two axes of a, of b, in the other order. Of integers the
    product is int64.
    """
    errors.check_matmul(a, b, transpose_a, transpose_b)
    if a.data.dtype.kind != "f":
        a, b = widened(a), widened(b)
    if b.ndim == 1:
        return matmul(a, reshape(b, (-1, 1)), transpose_a)[..., 0]
    if a.ndim == 1:
        return matmul(reshape(a, (1, -1)), b, False, transpose_b)[..., 0, :]
    return _matmul(a, b, ta=transpose_a, tb=transpose_b)


# ---------------------------------------------------------------- with a bias


@op(lambda gy, y, x, w, b: matmul(gy, w, transpose_b=True),
    lambda gy, y, x, w, b: matmul(x, gy, transpose_a=True),
    lambda gy, y, x, w, b: sum(gy, 0))
def _affine(xp, x, w, b):
    y = xp.product(x, w)
    y += b
    return y


def affine(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """x W + b. x: (..., n_in); w: (n_in, n_out); b: (n_out,); result: (..., n_out)."""
    if not (isinstance(x, Tensor) and isinstance(w, Tensor) and isinstance(b, Tensor)):
        errors.check_tensors("affine", x=x, w=w, b=b)
    given, weights = x.data.shape, w.data.shape
    if len(weights) != 2 or b.data.shape != weights[1:]:
        raise ValueError(f"affine: w must be (n_in, n_out) and b (n_out,), got {weights} and "
                         f"{b.shape}")
    if not given or given[-1] != weights[0]:
        raise ValueError(f"affine: x of shape {given} should have {weights[0]} features, its "
                         f"last axis, for w of shape {weights}")
    x, w = widened(x), widened(w)
    return _affine(x, w, b) if len(given) == 2 else matmul(x, w) + b


def _biased_rule(gy: Tensor, y: Tensor, x: Tensor, b: Tensor, slope: float,
                 wanted: tuple[bool, ...]) -> tuple[Tensor, Tensor | None]:
    """y has the sign of x + b, which is not kept."""
    g = gate(gy, y, slope=slope)
    return g, sum(g, tuple(range(g.ndim - 1))) if wanted[1] else None


@op(joint=_biased_rule, out=(0,))
def _bias_leaky_relu(xp, x, b, slope, **out):
    return xp.biased(x, b, slope, **out)


def bias_leaky_relu(x: Tensor, b: Tensor, slope: float) -> Tensor:
    """leaky_relu(x + b, slope) in one pass. x: (..., C); b: (C,)."""
    check_slope("bias_leaky_relu", slope)
    if not (isinstance(x, Tensor) and isinstance(b, Tensor)):
        errors.check_tensors("bias_leaky_relu", x=x, b=b)
    if not x.data.shape or b.data.shape != x.data.shape[-1:]:
        raise ValueError(f"bias_leaky_relu: b must be (C,), one number for each channel of x, the "
                         f"last axis, got {b.shape} for x of shape {x.shape}")
    return _bias_leaky_relu(x, b, slope=float(slope))
