"""Captured steps, on NumPy and on the emulated GPU: bit for bit the steps op by op, every model."""
from __future__ import annotations

import copy
import pickle
import random
import shutil
from functools import partial
from random import random as one_random_number
from threading import Event, Thread

import numpy as np
import pytest
from capture_tools import as_eager, both_kinds, descent, everything, images, same, stepper, trained
from emulated import emulated
from model_tools import LIGHT, small

import minigan as mg
from minigan import errors, nn, ops
from minigan.backend import default
from minigan.capturing import ChangedError
from minigan.optim import EMA, SGD, Adam, RMSprop
from minigan.streams import Stream


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
    assert all(step.graphs.values()), "some phase's step was never captured"


def test_each_phase_of_a_step_has_its_own_graph():
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

def test_a_step_of_your_own():
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
        mg.grad(doubled, net.bias)  # its loss has been overwritten


def test_captures_do_not_nest():
    _, step = descent()
    step()
    with pytest.raises(mg.CaptureError, match="do not nest"):
        mg.capture(lambda: mg.capture(step).results)


@pytest.mark.parametrize("made", [
    lambda x: ops.broadcast_to(x, (3, 2)),
    lambda x: {"y": ops.broadcast_to(ops.sum(x), (3, 2)), "z": x * 1},
    lambda x: (lambda y: {"y": y, "again": y, "row": y[0], "turned": ops.transpose(y),
                          "same": y.detach()})(ops.reshape(x * 2, (2, 1))),
    lambda x: {"itself": x, "the same memory": x.detach(), "part": x[:1]},
    lambda x: x * 2,
    lambda x: {}])
def test_every_tensor_can_be_a_result(made):
    as_eager(made)


def test_results_are_the_same_tensors_and_others_keep_their_marks():
    x, w = mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0], requires_grad=True)
    fast = mg.capture(lambda: {"x": x, "part": x[:1], "y": x * w.detach()})
    graph = ops.sum(x * w)
    first = fast()
    assert fast() is first and first["x"] is x and first["part"].data is not x.data
    assert mg.grad(graph, w).numpy().tolist() == [1, 2]  # returning x wrote nothing to it


@pytest.mark.parametrize("result, says", [
    (None, "returns None; it should return"), (1.0, "returns a float; it should return"),
    ([1], "returns a list"), ({"d": 1.0}, "returns a float as 'd'"),
    ({"d": None}, "returns None as 'd'")])
def test_a_step_that_returns_something_else_is_told_what_to_return(result, says):
    with pytest.raises(mg.CaptureError, match=says + ".* by name, as in .*'loss'.* or one tensor"):
        mg.capture(lambda: result)


# What is written in a step.

def assigned(x, y):
    before, z = y * 1 + 1, None
    y.assign(x)
    z = y * 2
    y.assign(y + z)
    return {"before": before, "y": y, "z": z}


def assigned_in_part(x, y):
    row, turned, before = y[1], y.T, y[1] * 1
    y[0].assign(x)
    turned[1].assign(x * 2)
    y[1].assign(5)
    return {"y": y * 1, "row": row * 2, "turned": turned + 0, "before": before, "last": y[:, 1]}


@pytest.mark.parametrize("step", [
    lambda x: assigned(x, mg.Tensor(default().zeros(2, "float32"))),
    lambda x: assigned(x, mg.Tensor(default().full(2, 7.0, dtype="float32"))),
    lambda x: assigned(x, x * 3),
    lambda x: assigned_in_part(x, mg.Tensor(default().ones((2, 2), "float32"))),
    lambda x: assigned_in_part(x, ops.stack([x, x * x])),
    lambda x: (lambda y: y.assign(3) or {"y": y * x})(mg.Tensor(default().empty(2, "float32"))),
    lambda x: (lambda p: mg.optim.clip_weights([p], 3.0) or {"p": p, "more": p + 1})(
        nn.Parameter((x * 2).data)),
    lambda x: {"padded": ops.pad(x, [(1, 2)], 5.0)}])
def test_what_a_step_makes_and_writes_starts_over_in_each_replay(step):
    as_eager(step)


# What Python decides.

def make_networks():
    """Networks, optimizers, and a step that reads all kinds of things from Python."""
    rng = Stream(0, "a")
    G = nn.Sequential(nn.Dense(3, 4, rng=rng), nn.BatchNorm(4), nn.LeakyReLU(0.2),
                      nn.Dropout(0.5, rng), nn.Dense(4, 3, rng=rng))
    D = nn.Sequential(nn.Dense(3, 4, rng=rng), nn.ReLU(), nn.Dense(4, 1, rng=rng))
    G.name_parameters("G")
    g_opt, d_opt = Adam(G.parameters(), 1e-2), RMSprop(D.parameters(), 1e-2)
    ema, x = EMA(G, 0.9), mg.tensor(rng.normal((8, 3)))
    weight, nets, config = 0.5, [G, D], {"shift": 1.0}

    def step():
        loss = weight * ops.mean(ops.square(nets[1](G(x)) - config["shift"]))
        g_opt.step(mg.grad(loss, G.parameters()))
        d_opt.step(mg.grad(ops.mean(ops.square(D(x))), D.parameters()))
        ema.update()
        return {"loss": loss.detach()}

    def set_weight(value):
        nonlocal weight
        weight = value

    return dict(G=G, D=D, g_opt=g_opt, d_opt=d_opt, ema=ema, x=x, nets=nets, config=config,
                step=step, set_weight=set_weight)


def a_tensor_elsewhere(tensor):
    tensor.data = tensor.data * 1


CHANGES = [  # what is done, and what the error says of it
    (lambda n: n["G"].eval(), "training of Sequential was True and is False"),
    (lambda n: n["G"].layers[1].eval(), "training of '1' of Sequential, a BatchNorm, was True"),
    (lambda n: setattr(n["G"].layers[1], "momentum", 0.5), "momentum of '1'.* was 0.1 and is 0.5"),
    (lambda n: setattr(n["G"].layers[1], "eps", 0.1), "eps of '1'.* was 1e-05 and is 0.1"),
    (lambda n: setattr(n["G"].layers[2], "slope", 0.5), "slope of '2'.* was 0.2 and is 0.5"),
    (lambda n: setattr(n["G"].layers[3], "rate", 0.25), "rate of '3'.* was 0.5 and is 0.25"),
    (lambda n: setattr(n["G"].layers[3], "rng", Stream(1, "b")), "rng of '3'.* is another Stream"),
    (lambda n: n["D"].layers.__setitem__(1, nn.LeakyReLU(0.1)), "ReLU and is LeakyReLU"),
    (lambda n: n["D"].layers.append(nn.ReLU()), "layers of Sequential had 3 entries and has 4"),
    (lambda n: n["D"].layers.pop(1), "layers of Sequential had 3 entries and has 2"),
    (lambda n: setattr(n["G"].layers[0], "bias", None), "bias of '0'.* Parameter and is None"),
    (lambda n: setattr(n["D"].layers[0], "weight", nn.Parameter(n["D"].layers[0].weight.data)),
     "weight of '0'.* is another Parameter"),
    (lambda n: a_tensor_elsewhere(n["x"]), r"of shape \(8, 3\) holds another array .*assign"),
    (lambda n: a_tensor_elsewhere(n["G"].layers[0].weight), "G.0.weight of .*another array"),
    (lambda n: a_tensor_elsewhere(n["ema"].network.layers[0].weight), "G.0.weight .*another array"),
    (lambda n: setattr(n["x"], "data", default().zeros((4, 3), "float32")), "holds another array"),
    (lambda n: n["D"].astype("float64"), "holds another array"),
    (lambda n: setattr(n["G"].layers[0].weight, "requires_grad", False),
     "requires_grad of the tensor G.0.weight .* became False"),
    (lambda n: n["set_weight"](2.0), "weight was 0.5 and is 2.0"),
    (lambda n: n["config"].update(shift=2.0), r"config\['shift'\] was 1.0 and is 2.0"),
    (lambda n: n["nets"].__setitem__(1, n["G"]), r"nets\[1\] is another Sequential")]


@pytest.mark.parametrize("change, says", CHANGES, ids=[says for _, says in CHANGES])
def test_a_replay_that_would_differ_from_the_step_is_refused(change, says):
    names = make_networks()
    fast = mg.capture(names["step"])
    for _ in range(2):
        fast()
    change(names)
    before = names["g_opt"].t, [p.numpy().copy() for p in names["D"].parameters()]
    with pytest.raises(ChangedError, match=f"since this step was recorded, .*{says}.* again"):
        fast()
    after = names["g_opt"].t, [p.numpy() for p in names["D"].parameters()]
    assert before[0] == after[0]
    for one, other in zip(before[1], after[1]):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("change", [
    lambda n: setattr(n["g_opt"], "betas", (0.5, 0.9)), lambda n: setattr(n["g_opt"], "eps", 1.0),
    lambda n: setattr(n["d_opt"], "alpha", 0.5), lambda n: setattr(n["ema"], "decay", 0.1),
    lambda n: setattr(n["g_opt"], "lr", 0.5), lambda n: setattr(n["d_opt"], "lr", 0.5),
    lambda n: setattr(n["g_opt"], "t", 9), lambda n: setattr(n["ema"], "t", 9),
    lambda n: setattr(n["G"].layers[3].rng, "counter", 3),
    lambda n: n["G"].eval() and n["G"].train(),
    lambda n: setattr(n["G"], "remark", "nobody can have read it"),
    lambda n: n["x"].assign(n["x"].detach() * 2)])
def test_other_changes_reach_the_replay(change):
    """On a GPU the constants of rules are in the graph, so there a change of them is refused."""
    found = []
    for captured in (False, True):
        names = make_networks()
        run = mg.capture(names["step"]) if captured else names["step"]
        for i in range(4):
            if i == 2:
                change(names)
            try:
                loss = run()["loss"].item()
            except ChangedError as error:
                assert default().device != "numpy"
                assert any(name in str(error) for name in ("betas", "eps", "alpha", "decay"))
                return
        states = [names[name].state_dict() for name in ("G", "D", "g_opt", "d_opt", "ema")]
        found.append((loss, {f"{i} {k}": v for i, s in enumerate(states) for k, v in s.items()}))
    assert found[0][0] == found[1][0]
    same(found[0][1], found[1][1])


class Halving(Adam):
    """An optimizer with Python of its own in its step."""

    bound, halves = 1.0, False

    def step(self, grads=None):
        if self.halves:
            self.lr /= 2
        super().step([g * self.bound for g in grads])


def test_what_an_optimizers_own_step_reads_is_looked_at():
    if default().device != "numpy":
        return  # a GPU does not record rules that it does not know
    net = nn.Dense(2, 1, rng=Stream(0, "a"))
    optimizer, x = Halving(net.parameters(), 0.1), mg.tensor([[1.0, 2.0]])

    def step():
        optimizer.step(mg.grad(ops.sum(net(x)), net.parameters()))
        return {}

    fast = mg.capture(step)
    for _ in range(2):
        fast()
    optimizer.bound = 2.0
    with pytest.raises(ChangedError, match="bound of .* was 1.0 and is 2.0"):
        fast()
    optimizer.halves = True
    with pytest.raises(mg.CaptureError, match="lr of .* was 0.1 and is 0.05"):
        mg.capture(step)


FACTOR = 2


class Options:
    """Has a number, and a property that cannot be read."""

    def __init__(self):
        self.factor = 2.0

    @property
    def shape(self):
        raise RuntimeError("not now")

    def scaled(self, x):
        return x * self.factor


def test_attributes_of_any_object_that_the_code_names_are_looked_at():
    options, x = Options(), mg.tensor([1.0, 2.0])
    fast = mg.capture(lambda: ops.reshape(options.scaled(x), (*x.shape, 1)))
    fast()
    options.factor = 3.0
    with pytest.raises(ChangedError, match="factor of .* was 2.0 and is 3.0"):
        fast()


class Inner:
    """An object whose attributes are in slots."""

    __slots__ = ("factor",)

    def __init__(self):
        self.factor = 2.0


class Outer:
    """An object within an object, and another in a list."""

    def __init__(self):
        self.inner = Inner()
        self.several = [Inner()]


def scaled_by_inner(options, x):
    return x * options.inner.factor


def scaled_by_a_listed_one(options, x):
    one = options.several[0]
    return x * one.factor


@pytest.mark.parametrize("function, place", [
    (scaled_by_inner, lambda options: options.inner),
    (scaled_by_a_listed_one, lambda options: options.several[0]),
])
def test_what_another_function_reads_of_an_object_it_is_given_is_looked_at(function, place):
    options, x = Outer(), mg.tensor([1.0, 2.0])
    fast = mg.capture(lambda: function(options, x))
    fast()
    place(options).factor = 3.0
    with pytest.raises(ChangedError, match="factor of .* was 2.0 and is 3.0"):
        fast()


class Defaults:
    """Settings as a class that has no objects."""

    factor = 2.0


def test_numbers_that_a_class_holds_are_looked_at(monkeypatch):
    x = mg.tensor([1.0, 2.0])
    fast = mg.capture(lambda: x * Defaults.factor)
    fast()
    monkeypatch.setattr(Defaults, "factor", 3.0)
    with pytest.raises(ChangedError, match="factor of Defaults was 2.0 and is 3.0"):
        fast()


class Holding(nn.Module):
    """A network whose forward reads a number of an object that it holds."""

    def __init__(self):
        self.options = Outer()

    def forward(self, x):
        return x * self.options.inner.factor


def test_objects_that_a_network_holds_are_looked_at():
    net, x = Holding(), mg.tensor([1.0, 2.0])
    fast = mg.capture(lambda: net(x))
    fast()
    net.options.inner.factor = 3.0
    with pytest.raises(ChangedError, match="factor of inner of options of Holding was 2.0"):
        fast()


@pytest.mark.parametrize("draw", [
    lambda own: own.random(),
    lambda own: random.random(),
    lambda own: np.random.random(),
    lambda own: one_random_number(),
])
def test_random_numbers_of_python_and_numpy_cannot_be_captured(draw):
    own, x = np.random.default_rng(0), mg.tensor([1.0, 2.0])
    with pytest.raises(mg.CaptureError, match="draws random numbers from .* a stream of minigan"):
        mg.capture(lambda: x * float(draw(own)))


class Times(nn.Module):
    """A forward that reads a global of its module."""

    def forward(self, x):
        return x * FACTOR


def helper(net, x):
    return net(x) + OFFSET.value


class OFFSET:  # noqa: N801
    value = 1


def test_functions_and_methods_of_the_steps_own_module_are_looked_at(monkeypatch):
    net, x = nn.Sequential(Times()), mg.tensor([1.0, 2.0])
    fast = mg.capture(lambda: helper(net, x))
    monkeypatch.setitem(globals(), "FACTOR", 3)
    with pytest.raises(ChangedError, match="FACTOR was 2 and is 3"):
        fast()
    monkeypatch.undo()
    fast()
    monkeypatch.setitem(globals(), "helper", lambda net, x: net(x))
    with pytest.raises(ChangedError, match="helper is another function"):
        fast()


def test_a_step_is_replayed_again_once_a_change_is_undone():
    names = make_networks()
    fast = mg.capture(names["step"])
    names["G"].eval()
    with pytest.raises(ChangedError):
        fast()
    names["G"].train()
    fast()


def test_the_default_streams_and_kinds_of_steps_and_settings_are_looked_at():
    fast = mg.capture(lambda: mg.Tensor(mg.stream("latent").normal((2,))))
    fast()
    mg.seed(1)
    with pytest.raises(ChangedError, match="what mg.seed made is another Streams"):
        fast()
    model = small("wgan-gp", "seed", n_critic=2)
    x = mg.tensor(model.streams["data"].normal((8, *model.shape)))
    fast = mg.capture(lambda: model.step(x))
    fast()
    with pytest.raises(ChangedError, match="phase of WGANGP's step was 'critic' and is 'both'"):
        fast()
    model.step(x)
    fast()
    model.step(x)
    model.settings = type(model.settings)(n_critic=2, penalty=1.0)
    with pytest.raises(ChangedError, match="settings of WGANGP is another Settings"):
        fast()


def test_streams_that_are_replaced_are_seen_and_new_ones_do_no_harm():
    streams = mg.Streams(0)
    fast = mg.capture(lambda: mg.Tensor(streams["latent"].normal((2,))))
    fast()
    streams["sampling"].normal((3,))
    fast()
    streams["latent"] = Stream(1, "latent")
    with pytest.raises(ChangedError, match=r"streams\['latent'\] is another Stream"):
        fast()


def test_arguments_of_a_partial_are_looked_at():
    net, x = nn.Sequential(nn.LeakyReLU(0.1)), mg.tensor([1.0, -2.0])
    fast = mg.capture(partial(lambda net, x: net(x.detach()), net, x=x))
    fast()
    net.layers[0].slope = 0.2
    with pytest.raises(ChangedError, match="slope of '0' of Sequential"):
        fast()


class Remembers(nn.Module):
    """A forward that leaves something for the next one: how says what."""

    def __init__(self, how):
        self.how, self.count, self.h, self.sum = how, 1, None, mg.tensor([0.0])

    def forward(self, x):
        if self.how == "counts":
            self.count += 1
        elif self.how == "carries":
            self.sum = ops.reshape(ops.sum(x) + self.sum, (1,))
        else:
            self.h = x * 3
        return x * self.count + self.sum


@pytest.mark.parametrize("how, says", [("counts", "count of Remembers was 1 and is 2"),
                                       ("carries", "sum of Remembers is another Tensor")])
def test_a_step_that_hands_something_on_in_python_is_refused(how, says):
    net, x = Remembers(how), mg.tensor([1.0, 2.0])
    with pytest.raises(mg.CaptureError, match=f"a replay would not do what .*: {says}"):
        mg.capture(lambda: net(x))
    count = 0

    def step():
        nonlocal count
        count += 1
        return x * count

    with pytest.raises(mg.CaptureError, match="count was 0 and is 1"):
        mg.capture(step)


def test_tensors_that_a_step_leaves_behind_are_results_too():
    net = Remembers("shows")
    as_eager(lambda x: {"y": net(x)}, lambda: net.h)
    x = mg.tensor([1.0, 2.0])
    fast = mg.capture(lambda: net(x))
    for i, run in enumerate([fast, lambda: net(x), fast, fast]):  # eager steps in between
        x.assign(mg.tensor([1.0 * i, 2.0]))
        with mg.op_hook(lambda op, within, run: run()) if i == 2 else mg.no_grad():
            run()
        assert net.h.numpy().tolist() == [3 * i, 6]


def test_gradients_that_backward_leaves():
    def make(add_up):
        net = nn.Dense(2, 1, rng=Stream(0, "a"))
        optimizer, x = SGD(net.parameters(), 0.1), mg.tensor([[1.0, 2.0]])

        def step():
            if not add_up:
                optimizer.zero_grad()
            loss = ops.mean(ops.square(net(x)))
            loss.backward()
            optimizer.step()
            return {"loss": loss.detach()}
        step()
        return step, net

    (eager, one), (step, other) = make(False), make(False)
    fast = mg.capture(step)
    for _ in range(3):
        assert eager()["loss"].item() == fast()["loss"].item()
        for p, q in zip(one.parameters(), other.parameters()):
            np.testing.assert_array_equal(p.grad.numpy(), q.grad.numpy())
    with pytest.raises(mg.CaptureError, match="grad of the tensor|made outside of ops|captured"):
        mg.capture(make(True)[0])


# Around a replay.

def test_older_graphs_are_valid_until_a_replay():
    net, step = descent()
    x = mg.tensor(np.ones((1, 3), "f4"))
    graph = ops.sum(net(x) * net(x))
    fast = mg.capture(step)
    assert mg.grad(graph, net.weight).shape == (3, 1)  # recording wrote nothing
    fast()
    with pytest.raises(errors.StaleGraphError):
        mg.grad(graph, net.weight)


def test_what_a_step_writes_need_not_be_listed():
    memory, x = mg.tensor([1.0, 2.0]), mg.tensor([3.0, 4.0], requires_grad=True)
    holder = [memory]

    def step():
        holder[0][0].assign(ops.sum(x).detach())
        return {}

    fast = mg.capture(step)
    graph = ops.sum(memory * x)
    fast()
    with pytest.raises(errors.StaleGraphError):
        mg.grad(graph, x)


def test_a_watched_step_runs_op_by_op():
    steps = [descent() for _ in range(2)]
    fast = mg.capture(steps[1][1])
    seen = []

    def watch(op, within, run):
        seen.append(op.name)
        return run()

    for i in range(4):
        due = steps[0][1]()["loss"].item()
        if i % 2:
            with mg.op_hook(watch):
                found = fast()
        else:
            found = fast()
        assert found["loss"].item() == due and bool(seen) == (i > 0)
    same(steps[0][0].state_dict(), steps[1][0].state_dict())


def test_a_step_may_fill_a_dict_of_its_own():
    out, x = {}, mg.tensor([1.0, 2.0])

    def step():
        out["y"] = x * 3
        return out

    fast = mg.capture(step)
    for i in range(4):
        x.assign(mg.tensor([1.0 * i, 2.0]))
        with mg.op_hook(lambda op, within, run: run()) if i == 2 else mg.no_grad():
            found = fast()
        assert found["y"].numpy().tolist() == out["y"].numpy().tolist() == [3 * i, 6]
    listed = []
    with pytest.raises(mg.CaptureError, match="listed had 0 entries and has 1"):
        mg.capture(lambda: listed.append(x * 2) or x * 2)


def test_no_grad_around_a_replay_changes_nothing():
    steps = [descent() for _ in range(2)]
    fast = mg.capture(steps[1][1])
    for _ in range(2):
        steps[0][1]()
        with mg.no_grad():
            fast()
    same(steps[0][0].state_dict(), steps[1][0].state_dict())


def test_a_batch_of_another_size_is_refused():
    x = mg.tensor(np.ones((2, 3), "f4"))
    fast = mg.capture(lambda: x * 2)
    with pytest.raises(ValueError, match="assign: value"):
        x.assign(mg.tensor(np.ones((1, 3), "f4")))
    assert fast().shape == (2, 3)


def test_a_replay_cannot_be_part_of_a_recording():
    _, step = descent()
    fast = mg.capture(step)
    with pytest.raises(mg.CaptureError, match="cannot be part of the step that is being record"):
        mg.capture(fast)
    fast()


def test_a_recorded_step_is_replayed_by_one_thread_at_a_time():
    inside, go = Event(), Event()
    x = mg.tensor([1.0, 2.0])

    @mg.op(None)
    def waits(xp, x):
        return x * 2

    fast = mg.capture(lambda: waits(x))
    replay = fast.recording.replay

    def slowly():
        inside.set()
        assert go.wait(60)
        replay()

    fast.recording.replay = slowly
    other = Thread(target=fast)
    other.start()
    assert inside.wait(60)
    with pytest.raises(RuntimeError, match="is being replayed already, by another thread"):
        fast()
    go.set()
    other.join(60)
    assert fast().numpy().tolist() == [2, 4]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_recorded_step_is_not_copied(duplicate):
    fast = mg.capture(descent()[1])
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        duplicate(fast)


# The trainer.

@pytest.mark.parametrize("change", [
    lambda model: setattr(model.generator.layers[1], "momentum", 0.9),
    lambda model: setattr(model.generator.layers[2], "slope", 0.5),
    lambda model: model.generator.eval(),
    lambda model: setattr(model.g_optimizer, "betas", (0.9, 0.9))])
def test_changed_networks_are_recorded_again(change):
    def between(i, model):
        if i == 4:
            change(model)

    eager, due, _ = trained("gan", "mlp", False, between=between)
    replayed, losses, step = trained("gan", "mlp", True, between=between)
    same(everything(replayed), everything(eager))
    assert losses == due and step.graphs["both"] is not None


def test_the_trainer_captures_and_resumes(quick):
    states = []
    for captured in (False, True):
        trainer = mg.Trainer(small("gan", "mlp"), images(small("gan", "mlp")), 8,
                             capture=captured)
        trainer.fit(7)
        assert trainer.config["capture"] is captured
        states.append(trainer.state()[0])
        shutil.copytree(trainer.folder.path, f"copy-{captured}")
        resumed = mg.Trainer.resume(f"copy-{captured}", trainer.data, capture=not captured)
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
