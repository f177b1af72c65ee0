"""What the docstrings of layers and optimizers promise, to users and to authors of their own."""
from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import minigan as mg
from minigan import nn, ops, optim
from minigan.gradcheck import check_grads

pytestmark = pytest.mark.rounding

LAYERS = [getattr(nn, name) for name in nn.__all__ if isinstance(getattr(nn, name), type)]
RULES = [value for value in vars(optim).values()  # yours, too
         if isinstance(value, type) and value.__module__ == optim.__name__]


@pytest.mark.parametrize("cls", LAYERS + RULES, ids=lambda cls: cls.__name__)
def test_every_argument_is_explained(cls):
    """By its name, in the class's own docstring."""
    if "__init__" in vars(cls):
        _, *names = inspect.signature(cls.__init__).parameters
        for name in names:
            assert re.search(rf"\b{name}\b", cls.__doc__), f"{cls.__name__}: {name}"


def example_of(cls):
    """The class that the docstring of `cls` shows how to write."""
    block = re.search(r"\n( {4}(?:from|class) .+?)\n(?=\S)", inspect.getdoc(cls), re.DOTALL)
    names = {**vars(nn), **vars(optim)}
    exec(inspect.cleandoc("\n" + block[1]), names)
    return names


def test_the_layer_that_the_contract_shows():
    layer = example_of(nn.Module)["Scale"](3).astype("float64")
    x = mg.tensor(np.arange(6.0).reshape(2, 3) - 2)
    assert [p.role for p in layer.parameters()] == ["gain"]
    np.testing.assert_array_equal(layer(x).data, x.data)

    def f(x, scale):
        layer.scale = scale
        return layer(x)

    checks = check_grads(f, [x, mg.tensor([0.5, -1.0, 2.0], dtype="float64")])
    assert {check.order for check in checks} == {1, 2}


@pytest.mark.parametrize("captured", [False, True])
def test_the_optimizer_that_the_contract_shows(captured):
    """Recorded, it goes on as it does in Python: its rule writes through `update`."""
    rule = example_of(optim.Optimizer)["Signum"]
    layer = nn.Dense(3, 2, bias=False, weight_init=nn.init.ones)
    optimizer = rule(layer.parameters(), lr=0.25)
    assert optimizer.device_kernel() is None
    x = mg.tensor(np.ones((4, 3), "float32"))

    def step():
        loss = ops.sum(layer(x))
        optimizer.step(mg.grad(loss, layer.parameters()))
        return {"loss": loss.detach()}

    run = mg.capture(step, layer.parameters()) if captured else step
    losses = [run()["loss"].item() for _ in range(3)]
    assert losses == [24.0, 18.0, 12.0] and optimizer.t == 3
    np.testing.assert_array_equal(layer.weight.data, np.full((3, 2), 0.25, "float32"))
    np.testing.assert_allclose(optimizer.running["m"][:6], 0.4 * (1 + 0.9 + 0.81), rtol=1e-6)
