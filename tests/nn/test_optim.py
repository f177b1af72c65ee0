"""Optimizers: the rules against plain loops, packing into one buffer, averages, clipping."""
from __future__ import annotations

import copy
import gc

import numpy as np
import pytest
from stand_in import StandInArray, counted

import minigan as mg
from minigan import errors, nn, ops, optim
from minigan.backend.cpu import blocks
from minigan.optim import EMA, SGD, Adam, RMSprop, clip_weights

pytestmark = pytest.mark.rounding

SHAPES = [(3, 5), (), (7,), (2, 1, 3), (blocks.BLOCK + 321,)]  # the last: several blocks


def random(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def parameters(shapes=SHAPES, dtype="float64", seed=1):
    rng = random(seed)
    return [nn.Parameter(np.asarray(rng.standard_normal(shape), dtype)) for shape in shapes]


def gradients(like, steps, seed=2):
    """Gradients over many orders of magnitude, with zeros among them."""
    rng = random(seed)
    for _ in range(steps):
        values = [rng.standard_normal(p.shape) * 10.0 ** rng.integers(-6, 3, p.shape)
                  * (rng.random(p.shape) > 0.1) for p in like]
        yield [np.asarray(value, p.dtype) for value, p in zip(values, like)]


# The rules, as their papers print them, on one array and with fresh arrays throughout.

def plain_sgd(p, grads, lr, momentum=0.0):
    velocity = np.zeros_like(p)
    for g in grads:
        velocity = momentum * velocity + g
        p = p - lr * velocity
    return p


def plain_rmsprop(p, grads, lr, alpha=0.99, eps=1e-8):
    mean_square = np.zeros_like(p)
    for g in grads:
        mean_square = alpha * mean_square + (1 - alpha) * g ** 2
        p = p - lr * g / (np.sqrt(mean_square) + eps)
    return p


def plain_adam(p, grads, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
    m = v = np.zeros_like(p)
    for t, g in enumerate(grads, 1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g ** 2
        corrected_m, corrected_v = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        p = p - lr * corrected_m / (np.sqrt(corrected_v) + eps)
    return p


RULES = [
    (SGD, plain_sgd, {"lr": 0.1}),
    (SGD, plain_sgd, {"lr": 0.02, "momentum": 0.9}),
    (RMSprop, plain_rmsprop, {"lr": 5e-5}),
    (RMSprop, plain_rmsprop, {"lr": 0.01, "alpha": 0.5, "eps": 1e-3}),
    (Adam, plain_adam, {}),
    (Adam, plain_adam, {"lr": 2e-4, "betas": (0.5, 0.999)}),
    (Adam, plain_adam, {"lr": 1e-4, "betas": (0.0, 0.9), "eps": 1e-4}),
]
IDS = [f"{rule.__name__}{list(settings.values())}" for rule, _, settings in RULES]


@pytest.mark.parametrize("rule, plain, settings", RULES, ids=IDS)
def test_many_steps_equal_a_plain_loop(rule, plain, settings):
    ours = parameters()
    start, steps = [p.data.copy() for p in ours], list(gradients(ours, 25))
    optimizer = rule(ours, **settings)
    for grads in steps:
        optimizer.step([mg.Tensor(g) for g in grads])
    assert optimizer.t == 25 and optimizer.values.size > blocks.BLOCK
    for i, p in enumerate(ours):
        due = plain(start[i], [grads[i] for grads in steps], **settings)
        np.testing.assert_allclose(p.data, due, rtol=1e-12, atol=1e-13)
        assert p.dtype == np.float64 and not np.array_equal(p.data, start[i])


@pytest.mark.parametrize("rule, plain, settings", RULES, ids=IDS)
def test_blocks_change_no_bit(rule, plain, settings, monkeypatch):
    results = []
    for block in (blocks.BLOCK, 16, 10 ** 9):
        monkeypatch.setattr(blocks, "BLOCK", block)
        ours = parameters([(40, 3), (5,), (101,)], "float32")
        optimizer = rule(ours, **settings)
        for grads in gradients(ours, 4):
            optimizer.step([mg.Tensor(g) for g in grads])
        results.append([p.data.tobytes() for p in ours])
    assert results[0] == results[1] == results[2]


def test_first_steps_in_closed_form():
    g = np.array([0.5, -2.0, 0.0])
    for rule, settings, due in [
            (SGD, {"lr": 0.1}, -0.1 * g),
            (SGD, {"lr": 0.1, "momentum": 0.9}, -0.1 * g),
            (RMSprop, {"lr": 0.1, "alpha": 0.96, "eps": 1e-6},
             -0.1 * g / (0.2 * np.abs(g) + 1e-6)),
            (Adam, {"lr": 0.1, "betas": (0.5, 0.999), "eps": 1e-3},
             -0.1 * g / (np.abs(g) + 1e-3))]:  # the corrections cancel the betas
        (p,) = ours = parameters([(3,)])
        start = p.data.copy()
        rule(ours, **settings).step([mg.Tensor(g)])
        np.testing.assert_allclose(p.data, start + due, rtol=1e-12, atol=1e-15)


def test_float32_stays_float32():
    for rule, _, settings in RULES:
        ours = parameters([(5,), (2, 2)], "float32")
        optimizer = rule(ours, **settings)
        for grads in gradients(ours, 3):
            optimizer.step([mg.Tensor(g) for g in grads])
        assert {p.dtype for p in ours} == {np.dtype("float32")}
        assert {flat.dtype for flat in optimizer.running.values()} == {np.dtype("float32")}


@pytest.mark.parity
@pytest.mark.parametrize("rule, settings", [
    (SGD, {"lr": 0.01}), (SGD, {"lr": 0.01, "momentum": 0.9}), (RMSprop, {"lr": 5e-5}),
    (RMSprop, {"lr": 0.01, "alpha": 0.5}), (Adam, {"lr": 1e-3}),
    (Adam, {"lr": 2e-4, "betas": (0.5, 0.999)})], ids=str)
def test_twenty_steps_equal_pytorchs(rule, settings):
    torch = pytest.importorskip("torch")
    ours = parameters([(3, 5), (7,), (2, 1, 3)])
    theirs = [torch.tensor(p.data) for p in ours]
    optimizer = rule(ours, **settings)
    their_optimizer = getattr(torch.optim, rule.__name__)(theirs, **settings)
    for grads in gradients(ours, 20):
        optimizer.step([mg.Tensor(g) for g in grads])
        for p, g in zip(theirs, grads):
            p.grad = torch.tensor(g)
        their_optimizer.step()
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.data, b.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rule, plain, settings", RULES, ids=IDS)
def test_a_captured_step_is_the_same_step(rule, plain, settings):
    """With a rate and gradients that change from step to step."""
    results = []
    for captured in (False, True):
        ours = parameters([(3, 5), (7,)], "float32")
        optimizer = rule(ours, **settings)
        slopes = [mg.Tensor(np.zeros(p.shape, "float32")) for p in ours]

        def step():
            loss = ops.sum(ours[0] * slopes[0]) + ops.sum(ours[1] * slopes[1])
            optimizer.step(mg.grad(loss, ours))
            return {"loss": loss.detach()}

        run = mg.capture(step, ours) if captured else step
        for grads in gradients(ours, 6):
            optimizer.lr *= 0.9
            for slope, g in zip(slopes, grads):
                slope.assign(g)
            run()
        assert optimizer.t == 6
        results.append([value.tobytes() for value in (*optimizer.state_dict().values(),
                                                      *(p.data for p in ours))])
    assert results[0] == results[1]


# Packing: contract 8.

def test_parameters_become_views_of_one_buffer():
    for dtype in ("float32", "float64"):
        ours = parameters(dtype=dtype)
        objects, before = list(ours), [p.data.copy() for p in ours]
        optimizer = Adam(iter(ours))
        assert all(a is b for a, b in zip(optimizer.parameters, objects, strict=True))
        start, last = optimizer.values.ctypes.data, 0
        for p, value in zip(ours, before):
            assert np.array_equal(p.data, value) and p.shape == value.shape
            assert p.data.base is not None and np.shares_memory(p.data, optimizer.values)
            offset = p.data.ctypes.data - start
            assert offset % optim.ALIGNMENT == 0 and offset >= last  # in order, none over another
            last = offset + p.data.nbytes
        assert last <= optimizer.values.nbytes
        optimizer.values[...] = 3
        assert all((p.data == 3).all() for p in ours)


def test_a_step_copies_the_gradients_in():
    ours = parameters([(3,), (2, 2)])
    optimizer = SGD(ours, 0.1, momentum=0.5)
    given = [mg.Tensor(np.ones(3)), mg.Tensor(np.ones((4, 2))[::2])]  # the second has gaps
    optimizer.step(given)
    after = [p.data.copy() for p in ours]
    for g in given:
        g.data[...] = 99
    optimizer.step([mg.Tensor(np.zeros(3)), mg.Tensor(np.zeros((2, 2)))])
    for p, value in zip(ours, after):
        np.testing.assert_allclose(p.data, value - 0.1 * 0.5, rtol=1e-14)


def test_padding_between_slots_stays_out_of_it():
    ours = parameters([(3,), (5,)], "float32")
    optimizer = Adam(ours)
    inside = np.zeros(optimizer.values.size, bool)
    for p in ours:
        start = (p.data.ctypes.data - optimizer.values.ctypes.data) // 4
        inside[start:start + p.size] = True
    for grads in gradients(ours, 3):
        optimizer.step([mg.Tensor(g) for g in grads])
    assert (~inside).sum() == 13 + 11 and not optimizer.values[~inside].any()


def test_a_parameter_belongs_to_one_optimizer():
    net = nn.Sequential(nn.Dense(2, 3), nn.Dense(3, 1))
    before = [p.data.copy() for p in net.parameters()]
    first = SGD(net[0].parameters(), 0.1)
    with pytest.raises(ValueError, match=r"0\.weight of shape \(2, 3\) belongs to another"):
        SGD(net.parameters(), 0.1)
    assert net[1].weight.data.base is None  # nothing was packed
    (gw, gb) = (mg.Tensor(np.ones(p.shape, "float32")) for p in net[0].parameters())
    first.step([gw, gb])  # the first is as it was
    np.testing.assert_allclose(net[0].weight.data, before[0] - 0.1, rtol=1e-6)
    del first
    assert SGD(net.parameters(), 0.1).values.size == 4 * 16


def test_a_refused_optimizer_owns_nothing():
    net = nn.Dense(2, 1)
    try:
        Adam(net.parameters(), 1e-3, (0.9, 1.0))
    except ValueError as error:
        kept = error  # and with it the frames, where the optimizer may be alive
    assert "beta2" in str(kept) and net.weight.data.base is None
    assert Adam(net.parameters()).t == 0


def test_a_moved_parameter_raises():
    for move in (lambda net: net.to("stand-in"), lambda net: net.astype("float32")):
        net = nn.Dense(2, 3)
        optimizer = SGD(net.parameters(), 0.1)
        net.name_parameters("critic")
        move(net)
        values = [p.numpy().copy() for p in net.parameters()]
        ones = [mg.Tensor(np.ones(p.shape, "float32")) for p in net.parameters()]
        with pytest.raises(RuntimeError, match=r"critic\.weight of shape \(2, 3\) was moved out"):
            optimizer.step(ones)
        assert all(np.array_equal(p.numpy(), v) for p, v in zip(net.parameters(), values))


def tensors(*shapes, dtype="float32"):
    return [mg.Tensor(np.ones(shape, dtype)) for shape in shapes]


@pytest.mark.parametrize("grads, message", [
    (tensors((2, 3)), "step: 1 gradients for 2 parameters"),
    ([], "step: 0 gradients for 2 parameters"),
    (tensors((2, 3), (3,), (3,)), "step: 3 gradients for 2 parameters"),
    (tensors((3, 2), (3,)), r"weight is ndarray \(3, 2\).*needed is ndarray \(2, 3\)"),
    (tensors((2, 3), ()), r"bias is ndarray \(\).*needed is ndarray \(3,\)"),  # would broadcast
    (tensors((2, 3), (3,), dtype="float64"), "weight is .*float64.*float32"),
    ([np.ones((2, 3), "float32"), None], "weight of shape .* is a ndarray"),
    ([*tensors((2, 3)), None], "bias of shape .* is missing"),
    (None, "weight of shape .* is missing"),
])
def test_gradients_must_fit(grads, message):
    net = nn.Dense(2, 3)
    net.name_parameters("net")
    optimizer = Adam(net.parameters())
    before = optimizer.values.copy()
    with pytest.raises(ValueError, match=message):
        optimizer.step(grads)
    assert optimizer.t == 0 and np.array_equal(optimizer.values, before)
    assert not optimizer.running["v"].any()


def test_a_step_after_backward_uses_grad():
    x = mg.tensor(random().standard_normal((4, 2)).astype("float32"))
    one, other = nn.Dense(2, 3), nn.Dense(2, 3)
    other.load_state_dict(one.state_dict())
    a, b = SGD(one.parameters(), 0.1), SGD(other.parameters(), 0.1)
    for _ in range(2):
        a.zero_grad()
        ops.mean(ops.square(one(x))).backward()
        a.step()
        b.step(mg.grad(ops.mean(ops.square(other(x))), other.parameters()))
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        assert np.array_equal(p.data, q.data) and p.grad is not None and q.grad is None
    a.zero_grad()
    assert all(p.grad is None for p in one.parameters())


def test_a_graph_is_stale_after_a_step():
    net = nn.Dense(2, 3)
    net.name_parameters("critic")
    optimizer, x = SGD(net.parameters(), 0.1), mg.tensor(np.ones((4, 2), "float32"))
    y = ops.sum(ops.square(net(x)))
    grads = mg.grad(y, net.parameters())
    mg.grad(y, net.parameters())  # the graph is not consumed
    optimizer.step(grads)
    with pytest.raises(errors.StaleGraphError, match=r"critic\.weight"):
        mg.grad(y, net.parameters())
    optimizer.step(mg.grad(ops.sum(net(x)), net.parameters()))


def test_a_graph_recorded_before_packing_is_used_after_it():
    net, x = nn.Dense(2, 3), mg.tensor(np.ones((4, 2), "float32"))
    y = ops.sum(ops.square(net(x)))
    due = mg.grad(y, net.parameters())
    optimizer = SGD(net.parameters(), 0.1)
    for a, b in zip(mg.grad(y, net.parameters()), due, strict=True):
        assert np.array_equal(a.data, b.data)
    del optimizer
    z = ops.sum(ops.square(net(x)))
    net.weight.assign(0.0)
    optimizer = SGD(net.parameters(), 0.1)  # packing must not make one forget the write
    with pytest.raises(errors.StaleGraphError):
        mg.grad(z, net.parameters())
    assert optimizer.t == 0


def test_an_optimizer_dies_with_its_last_name():
    gc.disable()
    try:
        net = nn.Dense(2, 3)
        for _ in range(3):
            optimizer = Adam(net.parameters())
            optimizer.step(tensors((2, 3), (3,)))
            owner = net.weight.owner
            del optimizer
            assert owner() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("make, error, message", [
    (lambda ps: SGD([], 0.1), ValueError, "parameters is empty"),
    (lambda ps: SGD(ps, 0.0), ValueError, r"lr must be above 0 and finite, got 0\.0"),
    (lambda ps: Adam(ps, -1e-3), ValueError, r"lr must be above 0 and finite, got -0\.001"),
    (lambda ps: RMSprop(ps, float("nan")), ValueError, "lr must be above 0 and finite, got nan"),
    (lambda ps: SGD(ps, float("inf")), ValueError, "lr must be above 0 and finite, got inf"),
    (lambda ps: SGD(ps, 0.1, 1.0), ValueError, r"momentum must be in \[0, 1\), got 1\.0"),
    (lambda ps: SGD(ps, 0.1, -0.5), ValueError, r"momentum must be in \[0, 1\), got -0\.5"),
    (lambda ps: RMSprop(ps, 0.1, alpha=1.5), ValueError, r"alpha must be in \[0, 1\), got 1\.5"),
    (lambda ps: Adam(ps, betas=(1.0, 0.9)), ValueError, r"beta1 must be in \[0, 1\), got 1\.0"),
    (lambda ps: Adam(ps, betas=(0.9, -0.1)), ValueError, r"beta2 must be in \[0, 1\), got -0\.1"),
    (lambda ps: Adam([*ps, ps[0]]), ValueError, r"of shape \(3,\) is given twice"),
    (lambda ps: Adam([*ps, *parameters([(2,)], "float32")]), ValueError,
     "share a device and a dtype, got float64 on numpy and float32 on numpy"),
    (lambda ps: Adam([ps[0], nn.Dense(2, 2).to("stand-in").weight]), ValueError,
     "share a device and a dtype, got float64 on numpy and float32 on stand-in"),
    (lambda ps: SGD([mg.tensor([1.0], requires_grad=True)], 0.1), TypeError,
     r"parameters\[0\] must be a Parameter.*got a Tensor"),
    (lambda ps: EMA(nn.Dense(1, 1), 1.0), ValueError, r"EMA: decay must be in \[0, 1\), got 1\.0"),
    (lambda ps: clip_weights(ps, 0.0), ValueError, r"limit must be above 0, got 0\.0"),
])
def test_bad_settings_are_named(make, error, message):
    ours = parameters([(3,), (2, 2)])
    before = [p.data for p in ours]
    with pytest.raises(error, match=message):
        make(ours)
    assert all(p.data is value and p.owner is None for p, value in zip(ours, before))


# On another device.

@pytest.mark.parametrize("rule, plain, settings", RULES, ids=IDS)
def test_a_step_on_a_device_never_waits_for_it(rule, plain, settings):
    host, there = parameters([(3, 5), (7,)]), parameters([(3, 5), (7,)])
    for p in there:
        p.data = p.to("stand-in").data
    a, b = rule(host, **settings), rule(there, **settings)
    for grads in gradients(host, 5):
        a.step([mg.Tensor(g) for g in grads])
        moved = [mg.Tensor(g).to("stand-in") for g in grads]
        with counted() as counts:
            b.step(moved)
        assert not counts
    for p, q in zip(host, there, strict=True):
        assert type(q.data) is StandInArray
        np.testing.assert_allclose(q.numpy(), p.data, rtol=1e-14)
    with pytest.raises(ValueError, match="is ndarray .*needed is StandInArray"):
        b.step([mg.Tensor(g) for g in grads])
    other = rule(parameters([(3, 5), (7,)]), **settings)
    other.load_state_dict(b.state_dict())  # from one device to another
    assert all(np.array_equal(value, b.state_dict()[name])
               for name, value in other.state_dict().items())


# Saving.

@pytest.mark.parametrize("rule, plain, settings", RULES, ids=IDS)
def test_a_run_continues_bit_by_bit(rule, plain, settings):
    whole, parts = parameters(dtype="float32"), parameters(dtype="float32")
    steps = list(gradients(whole, 6))
    one, first = rule(whole, **settings), rule(parts, **settings)
    for i, grads in enumerate(steps):
        one.step([mg.Tensor(g) for g in grads])
        if i < 3:
            first.step([mg.Tensor(g) for g in grads])
    state = copy.deepcopy(first.state_dict())
    assert state["t"] == 3 and {type(value) for value in state.values()} == {np.ndarray}
    second = rule([nn.Parameter(p.data.copy()) for p in parts], **settings)
    second.load_state_dict(state)
    first.step([mg.Tensor(g) for g in steps[0]])  # what was saved are copies
    for grads in steps[3:]:
        second.step([mg.Tensor(g) for g in grads])
    assert second.t == 6
    for p, q in zip(whole, second.parameters, strict=True):
        assert p.data.tobytes() == q.data.tobytes()


@pytest.mark.parametrize("change", [
    lambda s: s.pop("v"), lambda s: s.update(w=s["v"]), lambda s: s.update(v=s["v"][1:]),
    lambda s: s.update(v=s["v"].astype("float64")), lambda s: s.pop("t")])
def test_a_foreign_state_is_refused(change):
    optimizer = Adam(parameters([(3,)], "float32"))
    optimizer.step(tensors((3,)))
    before, state = optimizer.state_dict(), optimizer.state_dict()
    change(state)
    with pytest.raises(ValueError, match="load_state_dict: Adam needs .*'v'"):
        optimizer.load_state_dict(state)
    assert all(np.array_equal(before[k], v) for k, v in optimizer.state_dict().items())


# The moving average of a network.

def network():
    return nn.Sequential(nn.Dense(2, 3), nn.BatchNorm(3), nn.Dropout(0.5), nn.Dense(3, 1))


def test_the_average_warms_up_and_follows_buffers_too():
    net, rng = network(), random(3)
    ema = EMA(net, decay=0.35)
    averages = net.state_dict()
    for t, decay in enumerate([1 / 10, 2 / 11, 3 / 12, 4 / 13, 0.35, 0.35, 0.35]):
        for _, value in net.named_tensors():
            value.assign(rng.standard_normal(value.shape).astype("float32"))
        ema.update()
        for name, value in net.state_dict().items():
            averages[name] = decay * averages[name] + (1 - decay) * value
        assert ema.t == t + 1
        for name, value in ema.network.state_dict().items():
            np.testing.assert_allclose(value, averages[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert "1.running_var" in averages and "1.running_mean" in averages


def test_the_averages_network_is_a_copy_in_evaluation_mode():
    net = network()
    optimizer, ema = Adam(net.parameters()), EMA(net)
    assert net.training and not any(m.training for _, m in ema.network.named_modules())
    x = mg.tensor(random().standard_normal((4, 2)).astype("float32"))
    before = {name: value.copy() for name, value in net.state_dict().items()}
    y = ops.sum(ema.network(x))
    ema.update()
    assert all(np.array_equal(before[name], value) for name, value in net.state_dict().items())
    with pytest.raises(errors.StaleGraphError):
        mg.grad(y, ema.network.parameters())
    optimizer.step(mg.grad(ops.sum(net(x)), net.parameters()))
    assert np.array_equal(ema.network[0].weight.data, before["0.weight"])
    assert EMA(net, 0.0).network[0].weight.owner is None


def test_an_average_on_a_device_never_waits_for_it():
    net = network().to("stand-in")
    ema = EMA(net, 0.9)
    net[0].weight.assign(1.0)
    with counted() as counts:
        ema.update()
    assert not counts and ema.network[0].weight.device == "stand-in"


# Clipping.

def test_clipping_leaves_gains_alone():
    net = nn.Sequential(nn.Dense(2, 3), nn.BatchNorm(3))
    for p in net.parameters():
        p.assign(np.linspace(-2, 2, p.size, dtype="float32").reshape(p.shape))
    y = ops.sum(ops.square(net(mg.tensor(np.array([[1, 0], [2, 3], [0, 1]], "float32")))))
    optimizer = SGD(net.parameters(), 0.1)
    gain = net[1].gamma.data.copy()
    clip_weights(net.parameters(), 0.01)
    assert np.array_equal(net[1].gamma.data, gain) and 2 in gain
    for p in (net[0].weight, net[0].bias, net[1].beta):
        assert p.data.min() == np.float32(-0.01) and p.data.max() == np.float32(0.01)
        assert np.shares_memory(p.data, optimizer.values)  # in place
    with pytest.raises(errors.StaleGraphError):
        mg.grad(y, net.parameters())
    clip_weights(net.parameters(), 0.5, roles=("gain",))
    assert net[1].gamma.data.max() == 0.5
    inside = net[0].weight.data.copy()
    clip_weights(net.parameters(), 1.0)
    assert np.array_equal(net[0].weight.data, inside)


def test_clipping_on_a_device_never_waits_for_it():
    layer = nn.Dense(2, 3, weight_init=nn.init.constant(5.0)).to("stand-in")
    with counted() as counts:
        clip_weights(layer.parameters(), 0.25)
    assert not counts and (layer.weight.numpy() == 0.25).all()


# Settings that change while a run goes on.

def changed_by_a_schedule(optimizer):
    optimizer.lr = np.float64(optimizer.lr) * 0.3 * (1 + np.cos(1.0))  # a NumPy scalar, as usual
    for name in set(optimizer.changing) - {"lr"}:
        value = getattr(optimizer, name)
        setattr(optimizer, name, tuple(0.9 * v for v in value) if name == "betas" else 0.9 * value)


@pytest.mark.parametrize("kind", [mg.optim.SGD, mg.optim.RMSprop, mg.optim.Adam])
def test_what_a_schedule_changed_is_part_of_the_state(kind):
    networks = [mg.nn.Dense(3, 2) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    first, second = (kind(network.parameters(), lr=0.01) for network in networks)
    changed_by_a_schedule(first)
    assert type(first.lr) is float and first.lr != 0.01
    second.load_state_dict(first.state_dict())
    for name in first.changing:
        assert getattr(first, name) == getattr(second, name), name
        assert type(getattr(first, name)) is type(getattr(second, name))
    for _ in range(3):
        for optimizer in (first, second):
            optimizer.step([mg.tensor(np.full(p.shape, 0.1, "f")) for p in optimizer.parameters])
    assert first.values.tobytes() == second.values.tobytes()


def test_a_state_saved_before_settings_were_kept_loads():
    net = mg.nn.Dense(3, 2)
    optimizer, ema = mg.optim.Adam(net.parameters(), lr=0.5), mg.optim.EMA(net, 0.25)
    older = {name: value for name, value in optimizer.state_dict().items()
             if name not in optimizer.changing}
    assert older.keys() == {"t", "m", "v"}
    optimizer.load_state_dict(older)
    assert (optimizer.lr, optimizer.betas, optimizer.eps) == (0.5, (0.9, 0.999), 1e-8)
    with pytest.raises(ValueError, match="Adam needs .*betas"):
        optimizer.load_state_dict({**older, "betas": np.ones(3)})
    ema.load_state_dict({name: v for name, v in ema.state_dict().items() if name != "decay"})
    assert ema.decay == 0.25
    ema.load_state_dict({**ema.state_dict(), "decay": np.array(0.5)})
    assert ema.decay == 0.5
