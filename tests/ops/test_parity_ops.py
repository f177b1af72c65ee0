"""Every row of the op table against PyTorch: values, first and second gradients, in float64.

Skipped where PyTorch is not installed. Both sides get the same inputs and the same cotangents; the
second order is the gradient of <u, first gradient> with respect to the inputs and to the first
cotangent, as `Case.run` computes it.
"""

from __future__ import annotations

import numpy as np
import pytest
from op_table import CASES, CHECKS, Case, listed

from minigan.engine import Tensor

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore:var.*degrees of freedom")]

TOLERANCE = 1e-9


def to_torch(array: np.ndarray) -> torch.Tensor:
    """A copy as a PyTorch tensor; floats want a gradient."""
    return torch.tensor(array, requires_grad=array.dtype.kind == "f")


def gradients(outputs: list, inputs: list, cotangents: list) -> list:
    """torch.autograd.grad with zeros for whatever is not reached; it can be differentiated."""
    reached = [(y, gy) for y, gy in zip(outputs, cotangents, strict=True) if y.requires_grad]
    if not reached:
        return [torch.zeros_like(x) for x in inputs]
    ys, gys = zip(*reached)
    found = torch.autograd.grad(ys, inputs, gys, create_graph=True, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(inputs, found)]


def agree(ours: list[Tensor], theirs: list, what: str) -> None:
    """The same shapes, and the same values relative to the largest of them."""
    for a, b in zip(ours, theirs, strict=True):
        due = b.detach().numpy(force=True)  # PyTorch has zeros without memory
        assert a.shape == due.shape and a.dtype == due.dtype, what
        scale = np.max(np.abs(due), initial=1e-3)
        error = np.max(np.abs(a.numpy() - due), initial=0.0) / scale
        assert error <= TOLERANCE, f"{what}: relative error {error:.2e}"
        CHECKS["PyTorch"] += 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_values_and_two_orders_of_gradients_agree_with_pytorch(case: Case):
    outcome = case.run()
    inputs = [to_torch(array) for array in case.arrays()]
    floats = [x for x in inputs if x.requires_grad]
    vs = [to_torch(v.numpy()) for v in outcome.first_cotangents]
    us = [to_torch(u.numpy()) for u in outcome.second_cotangents]

    values = listed(case.torch(*inputs))
    first = gradients(values, floats, vs)
    agree(outcome.values, values, "value")
    agree(outcome.first, first, "first gradient")
    agree(outcome.second, gradients(first, floats + vs, us), "second gradient")
