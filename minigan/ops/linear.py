"""The dense layer's function: a matrix product and a bias in one op, one array instead of two."""

from __future__ import annotations

from minigan.engine import Tensor, matmul, op, sum


@op(lambda gy, y, x, w, b: matmul(gy, w, transpose_b=True),
    lambda gy, y, x, w, b: matmul(x, gy, transpose_a=True),
    lambda gy, y, x, w, b: sum(gy, 0))
def _affine(xp, x, w, b):
    y = xp.product(x, w)
    y += b
    return y


def affine(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """x W + b. x: (..., n_in); w: (n_in, n_out); b: (n_out,); result: (..., n_out)."""
    if w.ndim != 2 or b.shape != w.shape[1:]:
        raise ValueError(f"affine: w must be (n_in, n_out) and b (n_out,), got {w.shape} and "
                         f"{b.shape}")
    return _affine(x, w, b) if x.ndim == 2 else matmul(x, w) + b
