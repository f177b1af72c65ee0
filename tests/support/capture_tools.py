"""What the tests of captured steps share: a model stepped op by op or captured, and its state."""
from __future__ import annotations

import dataclasses

import numpy as np
from model_tools import small

import minigan as mg
from minigan import ops
from minigan.backend import default
from minigan.data import Batches, Images
from minigan.models.catalog import find
from minigan.optim import Adam
from minigan.streams import Stream
from minigan.training.stepping import Stepper

STEPS = 7  # three epochs of `images`: the order is sent anew within a captured run


def both_kinds(name):
    """Settings with which a model makes each kind of its steps three times in STEPS."""
    known = {field.name for field in dataclasses.fields(find(name).Settings)}
    return {key: value for key, value in {"n_critic": 2, "warm_up": 0}.items() if key in known}


def images(model, n=25):
    random = np.random.default_rng(0)
    return Images(random.integers(0, 256, (n, *model.shape), "uint8"),
                  random.integers(0, model.n_classes, n), "noise", n_classes=model.n_classes)


def stepper(model, captured):
    batches = Batches(images(model), 8, model.streams["data"])
    return Stepper(model, batches, default(), captured)


def everything(model):
    """All that training changes, arrays and counters."""
    return {**model.state_dict(), **{f"stream {name}": np.array(counter)
                                     for name, counter in model.streams.state().items()}}


def same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def trained(name, preset, captured, steps=STEPS, between=None, **settings):
    """A model after so many steps, the losses on the way, and what stepped it."""
    model = small(name, preset, **settings)
    step, losses = stepper(model, captured), []
    for i in range(steps):
        if between:
            between(i, model)
        losses.append({key: value.item() for key, value in step().items()})
    return model, losses, step


def descent():
    """A step of your own: the network, and the step."""
    net = mg.nn.Dense(3, 1, rng=Stream(1, "a"))
    optimizer, x = Adam(net.parameters(), 0.1), mg.tensor(np.eye(3, dtype="f4"))

    def step():
        loss = ops.mean(ops.square(net(x) - 1))
        optimizer.step(mg.grad(loss, net.parameters()))
        return {"loss": loss.detach()}
    return net, step


def as_eager(step, *more):
    """Check that step(x), x being a tensor with two numbers, gives the same eagerly and captured.

    more: functions that give a further tensor to compare after each call.
    """
    found = []
    for captured in (False, True):
        x = mg.tensor([0.5, -0.5])
        run = mg.capture(lambda x=x: step(x)) if captured else lambda x=x: step(x)
        rows = []
        for values in ([1.0, 2.0], [3.0, 4.0], [-5.0, 6.0]):
            x.assign(mg.tensor(values))
            results = run()
            named = results if isinstance(results, dict) else {"": results}
            rows.append({name: (y.shape, y.numpy().tolist()) for name, y in named.items()}
                        | {i: ask().numpy().tolist() for i, ask in enumerate(more)})
        found.append(rows)
    assert found[0] == found[1]
