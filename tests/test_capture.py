"""Captured steps, on the emulated GPU: every model, to the bit as op by op; and what is refused."""
from __future__ import annotations

import numpy as np
import pytest
from capture_tools import both_kinds, everything, images, same, stepper, trained
from emulated import emulated
from model_tools import LIGHT, no_samples, no_summary, small

import minigan as mg
from minigan import errors, ops
from minigan.backend import Stream, get
from minigan.backend.counting import Counting
from minigan.cli import main
from minigan.optim import Adam, Optimizer
from minigan.training.pictures import Pictures


@pytest.fixture(autouse=True)
def _on_the_emulated_gpu():
    emulated()
    with mg.use("emulated"):
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


def test_a_rate_that_falls_is_another_graph():
    settings = {"warm_up": 0, "n_critic": 2, "slow_after": 8, "steps": 16}
    eager, eager_losses, _ = trained("wgan", "mlp", False, **settings)
    replayed, losses, step = trained("wgan", "mlp", True, **settings)
    same(everything(replayed), everything(eager))
    assert losses == eager_losses and all(step.graphs.values())
    assert set(step.graphs) == {"critic", "both", "critic, slowly", "both, slowly"}


def test_a_captured_step_asks_the_host_for_nothing():
    model = small("gan", "mlp")
    step = stepper(model, True)
    for _ in range(2):
        step()
    launched = len(get("emulated").launched)
    before = model.d_optimizer.t
    step()
    assert model.d_optimizer.t == before + 1
    assert len(get("emulated").launched) == launched  # nothing new was asked for, only replayed


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


@pytest.mark.parametrize("frozen", ["t", "counter", "position"])
def test_a_number_that_is_frozen_would_be_seen(monkeypatch, frozen):
    """The mistake that capturing invites: a kernel gets the host's number instead of the word."""
    clock = Counting.clock

    def by_value(self, owner, name):
        word, offset = clock(self, owner, name)
        return (self.zero, getattr(owner, name)) if name == frozen else (word, offset)

    eager, _, _ = trained("gan", "mlp", False)
    monkeypatch.setattr(Counting, "clock", by_value)
    replayed, _, _ = trained("gan", "mlp", True)
    with pytest.raises(AssertionError):
        same(everything(replayed), everything(eager))


def test_capturing_changes_nothing():
    model = small("gan", "mlp")
    step = stepper(model, True)
    step()
    before, position = everything(model), step.feed.batches.position
    mg.capture(step.run, model.tensors())
    same(everything(model), before)
    assert step.feed.batches.position == position


# The API.

def descent():
    """A step of one's own: the parameter, and the step."""
    net = mg.nn.Dense(3, 1, rng=Stream(1, "a"))
    optimizer, x = Adam(net.parameters(), 0.1), mg.tensor(np.eye(3, dtype="f4"))

    def step():
        loss = ops.mean(ops.square(net(x) - 1))
        optimizer.step(mg.grad(loss, net.parameters()))
        return {"loss": loss.detach()}
    return net, step


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


@pytest.mark.parametrize("ask, says", [
    (lambda x: ops.sum(x).item(), r"outside of any op, failed .*item"),
    (lambda x: mg.tensor([1.0]), r"outside of any op, failed .*array"),
    (lambda x: x[x.data > 0], r"slice|gather|getitem|outside .*boolean index"),
    (lambda x: reads_the_host(x), r"captured: reads_the_host failed .*float"),
    (lambda x: mg.grad(ops.sum(asks_backward(x)), x),
     r"captured: reads_the_host, in the backward rule of asks_backward, failed .*float"),
    (lambda x: 1 / 0, r"outside of any op, failed with ZeroDivisionError")])
def test_what_cannot_be_captured_is_named(ask, says):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(mg.CaptureError, match=says) as caught:
        mg.capture(lambda: {"y": ask(x)})
    assert "\n" not in str(caught.value)
    net, step = descent()  # the device goes on as before
    step()
    mg.capture(step, net.parameters())()


@mg.op(None)
def reads_the_host(xp, x):
    return x * float(x.sum())


@mg.op(lambda gy, y, x: reads_the_host(gy))
def asks_backward(xp, x):
    return x * 2


def test_a_rule_of_ones_own_cannot_be_captured():
    class Sign(Optimizer):
        def rule(self, p, g, *running):
            p -= self.lr * self.xp.sign(g)

    net = mg.nn.Dense(2, 1)
    optimizer = Sign(net.parameters(), 0.5)
    with pytest.raises(mg.CaptureError, match="rule of Sign is not known to the device"):
        mg.capture(lambda: optimizer.step([mg.Tensor(p.data) for p in net.parameters()]))
    assert optimizer.t == 0


def test_captures_do_not_nest():
    _, step = descent()
    step()
    with pytest.raises(mg.CaptureError, match="do not nest"):
        mg.capture(lambda: mg.capture(step).results)


@pytest.mark.parametrize("device", ["numpy", "stand-in"])
def test_other_devices_cannot_capture(device):
    with mg.use(device):
        net, step = descent()
        for ask in (lambda: mg.capture(step, net.parameters()), lambda: mg.capture(step)):
            with pytest.raises(mg.BackendError, match=f"{device}' cannot capture.*\"cupy\""):
                ask()


# The trainer and the commands.

@pytest.fixture
def quick(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Pictures, "draw_samples", no_samples)
    monkeypatch.setattr(Pictures, "draw_summary", no_summary)


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


def test_a_checkpoint_goes_from_one_backend_to_the_other(quick):
    trainer = mg.Trainer(small("dcgan", "small"), images(small("dcgan", "small")), 8, capture=True)
    trainer.fit(5)
    losses = []
    for device in ("numpy", "emulated"):
        with mg.use(device), pytest.warns(UserWarning) if device == "numpy" else nothing():
            other = mg.Trainer.resume(trainer.folder.path, trainer.data)
            assert other.xp.device == device
            same(other.state()[0], trainer.state()[0])
            for _ in range(2):
                other.train_step()
            losses.append(other.read_losses())
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


class nothing:  # noqa: N801
    """A context that does nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def test_what_goes_wrong_in_a_captured_run_is_found(quick):
    trainer = mg.Trainer(small("gan", "seed"), images(small("gan", "seed")), 8, capture=True)
    trainer.fit(4)
    weight = trainer.model.generator.parameters()[0]
    weight.assign(mg.tensor(np.full(weight.shape, 1e38, "f4")))
    trainer.save()
    with pytest.raises(FloatingPointError, match="matmul|affine"):
        trainer.fit(20)


def test_the_trainer_refuses_to_capture_elsewhere(quick):
    with mg.use("numpy"):
        with pytest.raises(ValueError, match="capture: only .*\"cupy\".* 'numpy'"):
            mg.Trainer(small("gan", "seed"), images(small("gan", "seed")), 8, capture=True)


def test_out_of_memory_says_how_much_and_what_helps(quick, monkeypatch, capsys):
    def full(*_):
        raise MemoryError("Out of memory allocating 1,073,741,824 bytes")

    monkeypatch.setattr(mg.models.GAN, "step", full)
    with pytest.raises(MemoryError, match="1,073,741,824 bytes, at batch size 8"):
        mg.Trainer(small("gan", "seed"), images(small("gan", "seed")), 8).fit(1)
    assert main(["train", "gan", "--preset", "seed", "--steps", "1", "--backend", "emulated",
                 "--batch-size", "32"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "1,073,741,824 bytes" in said and "batch size 32" in said and "smaller" in said


def test_the_commands(quick, capsys):
    assert main(["train", "gan", "--preset", "seed", "--steps", "3", "--backend", "emulated",
                 "--batch-size", "8", "--capture", "--precision", "tf32", "--out", "run"]) == 0
    assert get("emulated").precision == "tf32"
    get("emulated").set_precision("fp32")
    assert main(["resume", "run", "--more", "3", "--capture"]) == 0
    assert get("emulated").precision == "tf32"  # as before
    get("emulated").set_precision("fp32")
    get("emulated").launched.clear()
    with mg.use("numpy"):
        assert main(["sample", "run", "--backend", "emulated", "--n", "4"]) == 0
    assert "random_normal" in get("emulated").launched
    for command in (["train", "gan"], ["resume", "run", "--more", "1"]):
        capsys.readouterr()
        assert main([*command, "--backend", "numpy", "--capture"]) == 2
        assert "--capture: only the backend \"cupy\"" in capsys.readouterr().err
        assert main([*command, "--backend", "numpy", "--precision", "tf32"]) == 2
        assert "precision must be 'fp32'" in capsys.readouterr().err
