"""What layers do with a bias: it joins a product, or an activation, in one op and one pass."""

from __future__ import annotations

from minigan import errors
from minigan.engine import Tensor, matmul, op, sum, widened
from minigan.ops.elementwise import check_slope, gate


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
