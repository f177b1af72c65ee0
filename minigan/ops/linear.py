"""Matrix products, and two ops that add a bias: `affine`, and `bias_leaky_relu`.

Adding a bias in an op of its own would pass over all elements once more, forward and backward.
"""

from __future__ import annotations

from minigan.backend import NOT_OVER_INPUTS, OVER_FIRST, Array, Backend
from minigan.checks import check_affine, check_bias, check_slope, inner_sizes_agree
from minigan.engine import Tensor, core, op
from minigan.errors import OperandError, ShapesError
from minigan.ops.arguments import check_tensors
from minigan.ops.arithmetic import widened
from minigan.ops.masks import gate
from minigan.ops.reductions import sum
from minigan.ops.shape import reshape

# ---------------------------------------------------------------- matrix products

# Transposes are flags: ta says that a is given as (K, M) and not (M, K), tb that b is (N, K).


def _matmul_a_rule(gy: Tensor, y: Tensor, a: Tensor, b: Tensor, ta: bool, tb: bool) -> Tensor:
    """gy b^T, or its transpose b gy^T."""
    if ta:
        return _matmul(b, gy, ta=tb, tb=True)
    return _matmul(gy, b, ta=False, tb=not tb)


def _matmul_b_rule(gy: Tensor, y: Tensor, a: Tensor, b: Tensor, ta: bool, tb: bool) -> Tensor:
    """a^T gy, or its transpose gy^T a."""
    if tb:
        return _matmul(gy, a, ta=True, tb=ta)
    return _matmul(a, gy, ta=not ta, tb=False)


@op(_matmul_a_rule, _matmul_b_rule, broadcasts=True, out=NOT_OVER_INPUTS)
def _matmul(xp: Backend, a: Array, b: Array, ta: bool, tb: bool, **out: Array) -> Array:
    if ta:
        a = a.swapaxes(-1, -2)                                        # (..., M, K)
    if tb:
        b = b.swapaxes(-1, -2)                                        # (..., K, N)
    return xp.product(a, b, **out)                                    # (..., M, N)


@core
def matmul(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """Matrix product (..., M, K) @ (..., K, N) -> (..., M, N).

    Leading axes broadcast. A vector (K,) counts as (1, K) on the left and as (K, 1) on the right,
    and its axis of size 1 is dropped from the result, as in NumPy. The product of integers is
    int64.
    transpose_a, transpose_b: take the last two axes of a, of b, in the other order.

    Raises:
        OperandError: an operand is not a tensor.
        ShapesError: one has no axis, or the inner sizes do not agree.
    """
    for x in (a, b):
        if not isinstance(x, Tensor):
            raise OperandError("matmul", x)
    if not inner_sizes_agree(a.data.shape, b.data.shape, transpose_a, transpose_b):
        raise ShapesError("matmul", "needs one axis or more, and inner sizes that agree", (a, b))
    if a.data.dtype.kind != "f":
        a = widened(a)
        b = widened(b)
    if b.ndim == 1:
        return matmul(a, reshape(b, (-1, 1)), transpose_a)[..., 0]
    if a.ndim == 1:
        return matmul(reshape(a, (1, -1)), b, False, transpose_b)[..., 0, :]
    return _matmul(a, b, ta=transpose_a, tb=transpose_b)


# ---------------------------------------------------------------- with a bias

@op(lambda gy, y, x, w, b: matmul(gy, w, transpose_b=True),
    lambda gy, y, x, w, b: matmul(x, gy, transpose_a=True),
    lambda gy, y, x, w, b: sum(gy, 0))
def _affine(xp: Backend, x: Array, w: Array, b: Array) -> Array:
    y = xp.product(x, w)
    y += b
    return y


def affine(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """x W + b. x: (..., n_in); w: (n_in, n_out); b: (n_out,); result: (..., n_out).

    Raises:
        NotTensorError: one of them is not a tensor.
        ValueError: a shape does not fit.
    """
    if not (isinstance(x, Tensor) and isinstance(w, Tensor) and isinstance(b, Tensor)):
        check_tensors("affine", x=x, w=w, b=b)
    check_affine(x.data.shape, w.data.shape, b.data.shape)
    x = widened(x)
    w = widened(w)
    if x.data.ndim == 2:
        return _affine(x, w, b)
    return matmul(x, w) + b


def _biased_rule(gy: Tensor, y: Tensor, x: Tensor, b: Tensor, slope: float,
                 wanted: tuple[bool, ...]) -> tuple[Tensor, Tensor | None]:
    """The gate looks at y, which has the sign of x + b; that sum is not kept."""
    gx = gate(gy, y, slope=slope)                                     # (..., C)
    gb = sum(gx, tuple(range(gx.ndim - 1))) if wanted[1] else None    # (C,)
    return gx, gb


@op(joint=_biased_rule, out=OVER_FIRST)
def _bias_leaky_relu(xp: Backend, x: Array, b: Array, slope: float, **out: Array) -> Array:
    return xp.biased(x, b, slope, **out)


def bias_leaky_relu(x: Tensor, b: Tensor, slope: float) -> Tensor:
    """leaky_relu(x + b, slope) in one pass. x: (..., C); b: (C,); slope: from 0 to 1.

    Raises:
        ValueError: the slope is something else, or b is not one number for each channel of x.
        NotTensorError: x or b is not a tensor.
    """
    check_slope("bias_leaky_relu", slope)
    if not (isinstance(x, Tensor) and isinstance(b, Tensor)):
        check_tensors("bias_leaky_relu", x=x, b=b)
    check_bias("bias_leaky_relu", x.data.shape, b.data.shape)
    return _bias_leaky_relu(x, b, slope=float(slope))
