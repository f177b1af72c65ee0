"""What a step asks of NumPy as a program: what is noted down, and what is refused."""
from __future__ import annotations

from functools import partial
from threading import Thread

import numpy as np
import pytest
from capture_tools import STEPS, descent, everything, same, trained

import minigan as mg
from minigan import nn, ops
from minigan.backend import get_backend
from minigan.backend.cpu.capture.tracing import Tracing
from minigan.nn.conditional import one_hot
from minigan.optim import Optimizer
from minigan.streams import Stream
from minigan.training.stepping import Stepper

NUMPY = get_backend("numpy")


def test_draws_that_nobody_reads_are_made():
    rng = Stream(0, "a")
    fast = mg.capture(lambda: {"x": mg.Tensor(rng.normal((2,)))} and {})
    before = rng.counter
    fast()
    assert rng.counter == before + 1


def test_a_rule_of_your_own_is_captured():
    class Sign(Optimizer):
        def rule(self, p, g, *running):
            p -= self.lr * self.xp.sign(g) / self.t

    after = []
    for captured in (False, True):
        net = nn.Dense(2, 1, rng=Stream(0, "a"))
        optimizer = Sign(net.parameters(), 0.5)
        step = partial(lambda net, optimizer: optimizer.step(
            [ops.square(p).detach() + 1 for p in net.parameters()]) or {}, net, optimizer)
        run = mg.capture(step, net.parameters()) if captured else step
        for _ in range(3):
            run()
        after.append([p.numpy().copy() for p in net.parameters()])
    np.testing.assert_array_equal(after[0][0], after[1][0])


def test_arrays_in_an_index_are_read_anew():
    x, ids = mg.tensor(np.arange(12.0).reshape(4, 3)), mg.tensor([3, 0])
    fast = mg.capture(lambda: {"rows": x[ids]}, [ids])
    ids.assign(np.array([1, 2]))
    np.testing.assert_array_equal(fast()["rows"].numpy(), x.numpy()[[1, 2]])


def test_max_pooling_looks_for_the_largest_anew():
    x = mg.tensor(np.zeros((1, 2, 2, 1), "f4"))
    fast = mg.capture(lambda: {"y": ops.max_pool2d(x)})
    for place in range(4):
        value = np.zeros(4, "f4")
        value[place] = place + 1
        x.assign(value.reshape(1, 2, 2, 1))
        assert fast()["y"].item() == place + 1


def test_integers_beside_floats_and_0d_results_keep_their_dtype():
    x, labels = mg.tensor([[1.0, 2.0]]), mg.tensor([[2, 5]])
    fast = mg.capture(lambda: {"a": x * labels, "b": ops.sum(x * labels) / 4})
    results = fast()
    assert [(r.dtype, r.shape) for r in results.values()] == [("float32", (1, 2)), ("float32", ())]
    np.testing.assert_array_equal(results["a"].numpy(), [[2, 10]])
    assert results["b"].item() == 3


@pytest.mark.parametrize("ask, says", [
    (lambda x: ops.sum(x).item(), r"outside of any op, failed .*item\(\) is not permitted"),
    (lambda x: bool(ops.sum(x)), r"outside of any op, failed .*item\(\) is not permitted"),
    (lambda x: x.numpy(), r"outside of any op, failed .*numpy\(\) is not permitted"),
    (lambda x: x * mg.Tensor(x.data + 1), r"multiply failed .*float32 \(2,\), was made outside"),
    (lambda x: mg.Tensor(x.data + 1), r"outside of any op, failed .*float32 \(2,\), was made out"),
    (lambda x: x * mg.Tensor(filled(x).data[:1]), r"multiply failed .*was made outside"),
    (lambda x: x * mg.tensor([1.0, 2.0]), r"multiply failed .*float32 \(2,\), was made outside"),
    (lambda x: x[(x * 2).data > 0], r"outside of any op, failed .*bool \(2,\), was made outside")])
def test_what_would_be_frozen_is_refused(ask, says):
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(mg.CaptureError, match=says) as caught:
        mg.capture(lambda: {"y": ask(x)}, [x])
    assert "\n" not in str(caught.value)
    assert NUMPY.ones is np.ones  # the backend goes on as before
    net, step = descent()
    step()
    mg.capture(step, net.parameters())()


@mg.op(None)
def filled(xp, x):
    y = xp.zeros(x.shape, x.dtype)
    y += x
    return y


@pytest.mark.parametrize("write", [
    lambda x, y: y.data.__setitem__(0, 99), lambda x, y: x.data.__setitem__(0, 99),
    lambda x, y: y.data.fill(0), lambda x, y: y.detach().data.__imul__(2),
    lambda x, y: np.add(x.data, 1, out=y.data), lambda x, y: y[1:].data.fill(0),
    lambda x, y: mg.Tensor(NUMPY.zeros(2, "float32")).data.__iadd__(x.data),
    lambda x, y: x.data.sort(), lambda x, y: Stream(0, "a").normal((2,)).fill(1),
    lambda x, y: writes_its_input(y)])
def test_what_is_written_directly_is_refused(write):
    x = mg.tensor([1.0, 2.0])
    with pytest.raises(mg.CaptureError, match="an array was written directly.*Tensor.assign"):
        mg.capture(lambda: (y := x * 2, write(x, y), y)[-1])
    x.data[0] = 3  # as before
    fast = mg.capture(lambda: (y := x * 2, y[:1])[-1])
    x.data[0], fast().data[...] = 4, 0
    assert fast().numpy().tolist() == [8]


@mg.op(None)
def writes_its_input(xp, x):
    x += 1
    return x * 1


@pytest.mark.parametrize("step, what", [
    (lambda ids, table: ops.embedding(ids, table), "embedding: ids must be from 0 to 2"),
    (lambda ids, table: ops.softmax_cross_entropy(table, ids), "labels must be from 0 to 1"),
    (lambda ids, table: one_hot(ids, 3, "float32"), "labels must be from 0 to 2"),
    (lambda ids, table: table[ids], "index 9 is out of bounds")])
@pytest.mark.parametrize("bad", [-1, 9])
def test_ids_that_are_out_of_range_are_refused_before_a_replay(step, what, bad):
    ids, table = mg.tensor([0, 1, 1]), mg.tensor(np.arange(6.0, dtype="f4").reshape(3, 2))
    written = mg.tensor([0.0])

    def run():
        written.assign(written.detach() + 1)
        return step(ids, table)

    fast = mg.capture(run)
    fast()
    ids.assign(np.array([0, bad, 1]))
    if what.startswith("index") and bad < 0:  # as in NumPy, an index counts from the end
        np.testing.assert_array_equal(fast().numpy(), table.numpy()[[0, -1, 1]])
        return
    for call in (fast, lambda: step(ids, table)):
        with pytest.raises((ValueError, IndexError), match=what):
            call()
    assert written.item() == 1 or what.startswith("index")
    ids.assign(np.array([1, 0, 0]))
    np.testing.assert_array_equal(fast().numpy(), step(ids, table).numpy())


def test_ids_that_the_step_makes_are_looked_at_where_they_are_made():
    x, table = mg.tensor([0.0, 1.0]), mg.tensor(np.arange(6.0, dtype="f4").reshape(3, 2))
    ids = mg.tensor([0, 0])

    def step():
        ids.assign(x.astype("int64"))
        return ops.embedding(ids, table) + ops.embedding(x.astype("int64"), table)

    fast = mg.capture(step)
    x.assign(np.array([2, 1], "f4"))
    np.testing.assert_array_equal(fast().numpy(), step().numpy())
    x.assign(np.array([-1, 1], "f4"))
    with pytest.raises(ValueError, match="ids must be from 0 to 2, got -1 to 1"):
        fast()


def test_two_threads_can_record_and_others_compute_meanwhile():
    """Each to the bits that it has alone."""
    def train(captured, found):
        net, step = descent()
        losses = []
        for i in range(12):
            run = mg.capture(step) if captured and i % 3 == 1 else step
            losses.append(run()["loss"].item())
        found.append((losses, net.state_dict()))

    alone, together = [], []
    train(False, alone)
    workers = [Thread(target=train, args=(i % 3 > 0, together)) for i in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert len(together) == 6
    for losses, state in together:
        assert losses == alone[0][0]
        same(state, alone[0][1])


@pytest.mark.parametrize("forgotten", ["advance", "normal"])
def test_a_change_that_is_not_noted_down_would_be_seen(monkeypatch, forgotten):
    eager, _, _ = trained("gan", "seed", False)
    plain = getattr(Tracing.__base__, forgotten)
    monkeypatch.setattr(Tracing, forgotten, lambda self, *a, **k: (
        self.tracer.constant(plain(self, *a, **k))
        if forgotten == "normal" and self.capturing
        else plain(self, *a, **k)))
    replayed, _, _ = trained("gan", "seed", True)
    with pytest.raises(AssertionError):
        same(everything(replayed), everything(eager))


def test_batches_of_stacked_digits_reach_the_program():
    from minigan.data import Batches, load
    from minigan.data.stacked_mnist import stack
    losses = []
    for captured in (False, True):
        model = mg.models.GAN("seed", (28, 28, 3), 0)
        batches = Batches(stack(load("digits"), 64), 8, model.streams["data"])
        step = Stepper(model, batches, NUMPY, captured)
        losses.append([step()["d_loss"].item() for _ in range(STEPS)])
    assert losses[0] == losses[1] and len(set(losses[0])) == STEPS
