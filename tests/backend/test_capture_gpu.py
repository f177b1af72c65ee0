"""Captured steps on the emulated GPU: what a graph of a device asks for, and what it refuses."""
from __future__ import annotations

import numpy as np
import pytest
from capture_tools import descent, everything, images, same, stepper, trained
from emulated import emulated
from model_tools import check_losses, small

import minigan as mg
from minigan import ops
from minigan.backend import get_backend
from minigan.backend.gpu.recording import GraphCapture
from minigan.capturing import ChangedError
from minigan.cli import main
from minigan.editing import invert
from minigan.models import CGAN
from minigan.optim import Optimizer

pytestmark = pytest.mark.rounding


@pytest.fixture(autouse=True)
def _on_the_emulated_gpu():
    emulated()
    with mg.use("emulated"):
        yield


def test_a_captured_step_asks_the_host_for_nothing():
    model = small("gan", "mlp")
    step = stepper(model, True)
    for _ in range(2):
        step()
    launched = len(get_backend("emulated").launched)
    before = model.d_optimizer.t
    step()
    assert model.d_optimizer.t == before + 1
    assert len(get_backend("emulated").launched) == launched  # nothing new was asked for


@pytest.mark.parametrize("frozen", ["t", "counter", "position"])
def test_a_number_that_is_frozen_would_be_seen(monkeypatch, frozen):
    """The mistake that capturing invites: a kernel gets the host's number instead of the word."""
    clock = GraphCapture.clock

    def by_value(self, owner, name):
        word, offset = clock(self, owner, name)
        return (self.zero, getattr(owner, name)) if name == frozen else (word, offset)

    eager, _, _ = trained("gan", "mlp", False)
    monkeypatch.setattr(GraphCapture, "clock", by_value)
    replayed, _, _ = trained("gan", "mlp", True)
    with pytest.raises(AssertionError):
        same(everything(replayed), everything(eager))


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


def test_a_replay_computes_where_the_step_was_recorded():
    (one, eager), (net, step) = descent(), descent()
    fast = mg.capture(step)
    for _ in range(2):
        due = eager()["loss"].item()
        with mg.use("numpy"):
            assert fast()["loss"].item() == due
    assert net.weight.device == one.weight.device == "emulated"


def test_another_precision_is_seen():
    net, step = descent()
    fast = mg.capture(step)
    fast()
    xp = get_backend("emulated")
    try:
        xp.set_precision("tf32")
        with pytest.raises(ChangedError, match="precision of emulated was 'fp32' and is 'tf32'"):
            fast()
    finally:
        xp.set_precision("fp32")
    fast()


def test_a_rule_without_a_kernel_cannot_be_captured():
    class Sign(Optimizer):
        def rule(self, p, g, *running):
            p -= self.lr * self.xp.sign(g)

    net = mg.nn.Dense(2, 1)
    optimizer = Sign(net.parameters(), 0.5)
    with pytest.raises(mg.CaptureError, match="rule of Sign is not known to the device"):
        mg.capture(lambda: optimizer.step([mg.Tensor(p.data) for p in net.parameters()]))
    assert optimizer.t == 0


def test_other_devices_cannot_capture():
    with mg.use("stand-in"):
        net, step = descent()
        for ask in (lambda: mg.capture(step, net.parameters()), lambda: mg.capture(step)):
            with pytest.raises(mg.BackendError, match="stand-in' cannot capture.*\"cupy\""):
                ask()


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
    check_losses(*losses)


class nothing:  # noqa: N801
    """A context that does nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def test_the_trainer_refuses_to_capture_elsewhere(quick):
    with mg.use("stand-in"):
        with pytest.raises(ValueError, match="capture: .*'stand-in', cannot capture"):
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
    assert get_backend("emulated").precision == "tf32"
    get_backend("emulated").set_precision("fp32")
    assert main(["resume", "run", "--more", "3", "--capture"]) == 0
    assert get_backend("emulated").precision == "tf32"  # as before
    get_backend("emulated").set_precision("fp32")
    get_backend("emulated").launched.clear()
    with mg.use("numpy"):
        assert main(["sample", "run", "--backend", "emulated", "--n", "4"]) == 0
    assert "random_normal" in get_backend("emulated").launched
    for command in (["train", "gan"], ["resume", "run", "--more", "1"]):
        capsys.readouterr()
        assert main([*command, "--backend", "stand-in", "--capture"]) == 2
        assert "--capture: the backend 'stand-in' cannot" in capsys.readouterr().err
        assert main([*command, "--backend", "numpy", "--precision", "tf32"]) == 2
        assert "precision must be 'fp32'" in capsys.readouterr().err


def test_a_picture_is_inverted_by_a_captured_step():
    pictures = np.linspace(0, 255, 2 * 784).astype(np.uint8).reshape(2, 28, 28, 1)
    found = []
    for device in ("numpy", "emulated"):
        with mg.use(device):
            model = CGAN("paper", latent_size=6)  # its latents are limited, in the step as well
            found.append(invert(model, pictures, [1, 2], steps=5, draws=4))
    here, there = found
    np.testing.assert_allclose(here.z, there.z, atol=1e-3)
    assert np.abs(there.error - there.nearest).min() > 0  # it moved
