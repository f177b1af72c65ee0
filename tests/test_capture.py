"""Captured steps, on NumPy and on the emulated GPU: every model, to the bit as op by op."""
from __future__ import annotations

import numpy as np
import pytest
from capture_tools import both_kinds, descent, everything, images, same, stepper, trained
from emulated import emulated
from model_tools import LIGHT, small

import minigan as mg
from minigan import errors, ops

pytestmark = pytest.mark.rounding


@pytest.fixture(autouse=True, params=["numpy", "emulated"])
def _on_a_device_that_captures(request):
    if request.param == "emulated":
        emulated()
    with mg.use(request.param):
        yield


# Every model.

@pytest.mark.parametrize("name, preset", LIGHT)
def test_captured_and_eager_steps_have_the_same_bits(name, preset):
    settings = both_kinds(name)
    eager, eager_losses, _ = trained(name, preset, False, **settings)
    replayed, losses, step = trained(name, preset, True, **settings)
    same(everything(replayed), everything(eager))
    assert losses == eager_losses
    assert all(step.graphs.values()), "some kind of step was never captured"


def test_a_kind_of_step_is_a_graph():
    _, losses, step = trained("wgan-gp", "seed", True, steps=9, n_critic=3)
    assert set(step.graphs) == {"critic", "both"}
    assert [i for i, row in enumerate(losses, 1) if "g_loss" in row] == [3, 6, 9]
    _, losses, step = trained("wgan", "mlp", True, steps=12, warm_up=0, n_critic=4)
    assert [i for i, row in enumerate(losses, 1) if "g_loss" in row] == [4, 8, 12]
    assert set(step.graphs) == {"critic", "both"}


# What changes from step to step.

def test_another_learning_rate_reaches_the_graph():
    def halve(i, model):
        if i == 5:
            model.g_optimizer.lr *= 0.5

    eager, _, _ = trained("gan", "seed", False, between=halve)
    replayed, _, _ = trained("gan", "seed", True, between=halve)
    constant, _, _ = trained("gan", "seed", True)
    same(everything(replayed), everything(eager))
    assert np.any(constant.generator.parameters()[0].numpy()
                  != replayed.generator.parameters()[0].numpy())


def test_a_loaded_state_reaches_the_graph():
    saved = {}

    def back(i, model):
        if i == 4:
            saved[model] = model.state_dict(), model.streams.state()
        if i == 7:
            model.load_state_dict(saved[model][0])
            model.streams.load_state(saved[model][1])

    eager, eager_losses, _ = trained("gan", "mlp", False, between=back)
    replayed, losses, _ = trained("gan", "mlp", True, between=back)
    same(everything(replayed), everything(eager))
    assert losses == eager_losses


def test_capturing_changes_nothing():
    model = small("gan", "mlp")
    step = stepper(model, True)
    step()
    before, position = everything(model), step.feed.batches.position
    mg.capture(step.run, model.tensors())
    same(everything(model), before)
    assert step.feed.batches.position == position


# The API.

def test_a_step_of_ones_own():
    losses = []
    for captured in (False, True):
        net, step = descent()
        step()
        fast = mg.capture(step, net.parameters()) if captured else step
        losses.append([fast()["loss"].item() for _ in range(20)])
    assert losses[0] == losses[1] and losses[0][-1] < losses[0][0]


def test_a_replay_marks_what_it_wrote():
    net, step = descent()
    step()
    buffer = mg.tensor([1.0])
    fast = mg.capture(step, [*net.parameters(), buffer])
    x = mg.tensor(np.ones((1, 3), "f4"))
    other = mg.tensor([2.0], requires_grad=True)
    graph, untouched = ops.sum(net(x) * net(x)), ops.sum(other * buffer)
    assert mg.grad(graph, net.weight).shape == (3, 1)  # capturing wrote nothing
    loss = fast()["loss"]
    doubled = ops.sum(loss * loss * net.bias)
    with pytest.raises(errors.StaleGraphError):
        mg.grad(graph, net.weight)
    assert mg.grad(untouched, other).item() == 1
    fast()
    with pytest.raises(errors.StaleGraphError):
        mg.grad(doubled, net.bias)  # its loss is another by now


def test_captures_do_not_nest():
    _, step = descent()
    step()
    with pytest.raises(mg.CaptureError, match="do not nest"):
        mg.capture(lambda: mg.capture(step).results)


# The trainer.

def test_the_trainer_captures_and_resumes(quick):
    states = []
    for captured in (False, True):
        trainer = mg.Trainer(small("gan", "mlp"), images(small("gan", "mlp")), 8,
                             capture=captured)
        trainer.fit(7)
        assert trainer.config["capture"] is captured
        states.append(trainer.state()[0])
        resumed = mg.Trainer.resume(trainer.folder.path, trainer.data, capture=not captured)
        resumed.fit(4)
        trainer.fit(4)
        same(resumed.state()[0], trainer.state()[0])
    same(*states)


def test_what_goes_wrong_in_a_captured_run_is_found(quick):
    trainer = mg.Trainer(small("gan", "seed"), images(small("gan", "seed")), 8, capture=True)
    trainer.fit(4)
    weight = trainer.model.generator.parameters()[0]
    weight.assign(mg.tensor(np.full(weight.shape, 1e38, "f4")))
    trainer.save()
    with pytest.raises(FloatingPointError, match="matmul|affine"):
        trainer.fit(20)
