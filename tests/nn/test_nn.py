"""Modules and layers: what belongs to a network, what a layer computes, saving and moving it."""
from __future__ import annotations

import copy
import math
import re

import numpy as np
import pytest
from stand_in import StandInArray, counted

import minigan as mg
from minigan import errors, nn, ops, optim
from minigan.gradcheck import check_grads
from minigan.nn import init
from minigan.streams import Stream, Streams

pytestmark = pytest.mark.rounding


@pytest.fixture(autouse=True)
def seeded():
    """Layers without a stream of their own draw from the default ones."""
    mg.seed(0)


def numbers(*shape, seed=0, dtype="float32"):
    values = np.random.Generator(np.random.Philox(seed)).standard_normal(shape)
    return mg.tensor(values.astype(dtype))


def mixed():
    """A bit of everything: parts in parts, buffers, a layer without bias, a random one."""
    return nn.Sequential(nn.Dense(3, 4), nn.BatchNorm(4), nn.LeakyReLU(0.2),
                         nn.Sequential(nn.Dropout(0.5), nn.Dense(4, 2, bias=False)))


class Fork(nn.Module):
    """Tensors of its own, and parts in an attribute and in a list."""

    def __init__(self):
        self.scale = nn.Parameter(np.ones(1, "float32"), "gain")
        self.offset = mg.tensor([5.0])
        self.head = nn.Dense(2, 3)
        self.branches = [nn.Dense(3, 1), nn.Dense(3, 1, bias=False)]
        self.note = "neither a tensor nor a module"

    def forward(self, x):
        h = self.head(x)
        return self.branches[0](h) * self.scale + self.branches[1](h) + self.offset


# What belongs to a module.

def test_parameters_and_buffers_are_found_by_name():
    net = Fork()
    assert [name for name, _ in net.named_tensors()] == [
        "scale", "offset", "head.weight", "head.bias", "branches.0.weight", "branches.0.bias",
        "branches.1.weight"]
    parameters = dict(net.named_parameters())
    assert "offset" not in parameters and len(parameters) == 6
    assert [id(p) for p in net.parameters()] == [id(p) for p in parameters.values()]
    assert [p.role for p in net.parameters()] == ["gain", "weight", "bias", "weight", "bias",
                                                  "weight"]
    assert all(p.requires_grad for p in net.parameters()) and not net.offset.requires_grad
    assert [name for name, _ in net.named_modules()] == ["", "head", "branches.0", "branches.1"]
    assert nn.count_parameters(net) == 1 + (2 * 3 + 3) + (3 + 1) + 3
    x = numbers(4, 2)
    w, b = net.head.weight.data, net.head.bias.data
    (w0, b0), w1 = ((net.branches[0].weight.data, net.branches[0].bias.data),
                    net.branches[1].weight.data)
    h = x.data @ w + b
    np.testing.assert_allclose(net(x).data, h @ w0 + b0 + h @ w1 + 5, rtol=1e-5)


def test_the_parameters_of_a_sequence_know_their_names():
    net = mixed()
    assert [(name, p.name) for name, p in net.named_parameters()] == [
        (name, name) for name in ("0.weight", "0.bias", "1.gamma", "1.beta", "3.1.weight")]
    net.name_parameters("generator")
    assert net[0].weight.name == "generator.0.weight"
    assert len(net) == 4 and isinstance(net[2], nn.LeakyReLU)


def test_a_shared_layer_is_trained_once():
    layer = nn.Dense(3, 3)
    net = nn.Sequential(layer, nn.Tanh(), layer)
    assert [name for name, _ in net.named_tensors()] == ["0.weight", "0.bias"]
    assert nn.count_parameters(net) == 12 and "12 parameters" in repr(net)
    optimizer = mg.optim.SGD(net.parameters(), 0.1)
    before, x = layer.weight.data.copy(), numbers(5, 3)
    (gw, gb) = mg.grad(ops.mean(ops.square(net(x))), net.parameters())
    optimizer.step([gw, gb])
    np.testing.assert_allclose(layer.weight.data, before - np.float32(0.1) * gw.data, rtol=1e-6)
    twin = copy.deepcopy(net)
    assert twin[0] is twin[2] and twin[0] is not layer


def test_modes_reach_every_part():
    net = nn.Sequential(mixed(), Fork())
    assert net.training and all(module.training for _, module in net.named_modules())
    assert net.eval() is net
    assert not any(module.training for _, module in net.named_modules())
    assert net.train() is net and all(module.training for _, module in net.named_modules())
    assert nn.Dense(1, 1).training  # the class itself was not changed
    assert [type(m).__name__ for _, m in net.named_modules() if m.mixes_batch] == ["BatchNorm"]


def test_a_module_without_forward_says_so():
    class Nothing(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Nothing defines no forward"):
        Nothing()(numbers(1))
    with pytest.raises(TypeError, match="layer 1 must be a Module, got <function"):
        nn.Sequential(nn.ReLU(), ops.relu)


def test_repr_shows_shapes_and_counts():
    net = nn.Sequential(
        nn.Dense(100, 3 * 3 * 8), nn.Reshape(3, 3, 8), nn.BatchNorm(8), nn.ReLU(),
        nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.Tanh()),
        nn.Conv2d(4, 1, (3, 5), padding="same"))
    lines = repr(net).splitlines()
    assert [re.split(r"\s{2,}", line) for line in lines] == [
        ["Sequential("],
        ["", "0: Dense(100 -> 72)", "7,272"],
        ["", "1: Reshape(3, 3, 8)"],
        ["", "2: BatchNorm(8)", "16"],
        ["", "3: ReLU()"],
        ["", "4.0: ConvTranspose2d(8 -> 4, kernel (4, 4), stride 2, padding 1, no bias)", "512"],
        ["", "4.1: Tanh()"],
        ["", "5: Conv2d(4 -> 1, kernel (3, 5), stride 1, padding 'same')", "61"],
        ["", "7,861 parameters"],
        [")"]]
    assert 7_861 == nn.count_parameters(net) == 7272 + 16 + 512 + 61
    ends = [line.removesuffix(" parameters") for line in lines if "  " in line[3:]]
    assert len({len(line) for line in ends}) == 1 and len(ends) == 5  # in one column
    assert repr(nn.Dense(2, 1, bias=False)) == "Dense(2 -> 1, no bias)"
    assert repr(nn.Dropout(0.3)) == "Dropout(0.3)" and repr(nn.LayerNorm(4)) == (
        "LayerNorm(4, axes (-1,))")


# Saving and loading.

def test_saving_and_loading_keep_every_bit():
    net, x = mixed(), numbers(6, 3)
    for _ in range(3):
        net(x)  # moves the running statistics
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "1.gamma", "1.beta", "1.running_mean",
                           "1.running_var", "3.1.weight"]
    assert all(type(value) is np.ndarray for value in state.values())
    other = mixed()
    tensors = [t for _, t in other.named_tensors()]
    assert not np.array_equal(other[0].weight.data, net[0].weight.data)
    other.load_state_dict(state)
    assert all(a is b for a, (_, b) in zip(tensors, other.named_tensors(), strict=True))
    for name, value in other.state_dict().items():
        assert value.tobytes() == state[name].tobytes(), name
    assert other.eval()(x).data.tobytes() == net.eval()(x).data.tobytes()
    state["0.weight"][...] = 7  # copies, both ways
    assert 7 not in net[0].weight.data and 7 not in other[0].weight.data


@pytest.mark.parametrize("change, message", [
    (lambda s: s.pop("1.running_var"), r"1\.running_var is missing"),
    (lambda s: s.update(extra=np.ones(1)), "extra is unexpected"),
    (lambda s: s.update({"0.weight": np.ones((4, 3), "float32")}),
     r"0\.weight is float32 \(4, 3\), not float32 \(3, 4\)"),
    (lambda s: s.update({"3.1.weight": np.ones((4, 2))}),
     r"3\.1\.weight is float64 \(4, 2\), not float32 \(4, 2\)"),
    (lambda s: (s.pop("0.bias"), s.update(more=np.ones(1), much=np.ones(2))),
     r"Sequential: 0\.bias is missing; more is unexpected; much is unexpected$")])
def test_loading_is_all_or_nothing(change, message):
    net = mixed()
    before, state = net.state_dict(), mixed().state_dict()
    change(state)
    with pytest.raises(ValueError, match=f"load_state_dict.*{message}"):
        net.load_state_dict(state)
    assert all(np.array_equal(before[name], value) for name, value in net.state_dict().items())


def test_loading_makes_older_graphs_stale():
    net = mixed()
    y = ops.sum(net(numbers(4, 3)))
    net.load_state_dict(net.state_dict())
    with pytest.raises(errors.StaleGraphError, match=r"overwritten after"):
        mg.grad(y, net.parameters())


def test_a_deep_copy_is_independent():
    net, x = mixed(), numbers(6, 3)
    optimizer = mg.optim.Adam(net.parameters(), 0.1)
    net(x)
    twin = copy.deepcopy(net)
    state = twin.state_dict()
    assert all(np.array_equal(state[name], value) for name, value in net.state_dict().items())
    assert [p.name for p in twin.parameters()] == [p.name for p in net.parameters()]
    assert [p.role for p in twin.parameters()] == [p.role for p in net.parameters()]
    assert all(p.owner is None and type(p) is nn.Parameter for p in twin.parameters())
    y = ops.sum(twin(x))
    optimizer.step(mg.grad(ops.sum(ops.square(net(x))), net.parameters()))
    net.eval()
    mg.grad(y, twin.parameters())  # not stale: the memory is another
    twin.load_state_dict(state)
    assert twin.training and not np.array_equal(net[0].weight.data, twin[0].weight.data)
    assert not np.shares_memory(net[1].running_mean.data, twin[1].running_mean.data)
    for (_, a), (_, b) in zip(net.named_tensors(), twin.named_tensors(), strict=True):
        assert a is not b and not np.shares_memory(a.data, b.data)
    mg.optim.Adam(twin.parameters(), 0.1)  # a copy belongs to no optimizer


# Moving and converting.

def test_a_network_moves_in_place():
    net, x = mixed().eval(), numbers(5, 3)
    tensors, values, due = [t for _, t in net.named_tensors()], net.state_dict(), net(x)
    y = ops.sum(due)
    assert net.to("stand-in") is net
    assert [t for _, t in net.named_tensors()] == tensors  # the same objects
    assert all(type(t.data) is StandInArray for t in tensors)
    assert all(p.requires_grad and p.device == "stand-in" for p in net.parameters())
    assert all(np.array_equal(net.state_dict()[name], value) for name, value in values.items())
    x_there = x.to("stand-in")
    with counted() as counts:
        there = net(x_there)
    assert there.device == "stand-in" and not counts  # nothing is moved, nobody waits
    np.testing.assert_allclose(there.numpy(), due.data, rtol=1e-6)
    with pytest.raises(errors.StaleGraphError):
        mg.grad(y, tensors[0])
    with pytest.raises(errors.MixedDevicesError, match="numpy and stand-in"):
        net(x)
    optimizer = mg.optim.SGD(net.parameters(), 0.1)
    optimizer.step(mg.grad(ops.sum(net(x_there)), net.parameters()))
    assert net.to("numpy")(x).device == "numpy"
    with pytest.raises(mg.BackendError, match="'tpu' is unknown"):
        net.to("tpu")


def test_layers_are_made_on_the_default_device():
    mg.seed(3)
    due = mixed().state_dict()
    with mg.use("stand-in"):
        mg.seed(3)
        net = nn.Sequential(mixed(), nn.Embedding(2, 3))
    assert {t.device for _, t in net.named_tensors()} == {"stand-in"}
    for name, value in due.items():
        assert np.array_equal(net.state_dict()[f"0.{name}"], value)


def test_a_network_converts_in_place():
    net, x = mixed(), numbers(6, 3)
    values, parameters = net.state_dict(), net.parameters()
    assert {value.dtype for value in values.values()} == {np.dtype("float32")}
    assert net.astype("float64") is net and net.parameters() == parameters
    for name, value in net.state_dict().items():
        assert value.dtype == np.float64 and np.array_equal(value, values[name])
    y = net(x.astype("float64"))
    gradients = mg.grad(ops.sum(y), net.parameters())
    assert y.dtype == np.float64 and {g.dtype for g in gradients} == {np.dtype("float64")}
    with pytest.raises(errors.MixedDtypesError):
        net(x)
    for dtype in ("int32", bool, np.complex64):
        with pytest.raises(TypeError, match="astype: a network computes in float32 or float64"):
            net.astype(dtype)


# Layers: forward against the ops, or against NumPy.

def bias_of(layer):
    return layer.bias.data


LAYERS = [  # layer, input shape, what it should give
    (lambda: nn.Dense(3, 4, bias_init=init.normal(1.0)), (5, 3),
     lambda m, x: x @ m.weight.data + bias_of(m)),
    (lambda: nn.Dense(3, 4, bias=False), (2, 5, 3), lambda m, x: x @ m.weight.data),
    (lambda: nn.Maxout(3, 4, 5), (2, 3),
     lambda m, x: (x @ m.dense.weight.data).reshape(2, 4, 5).max(axis=2)),
    (lambda: nn.Conv2d(2, 3, 4, 2, 1, bias_init=init.normal(1.0)), (2, 6, 8, 2),
     lambda m, x: ops.conv2d(mg.tensor(x), m.weight, 2, 1).data + bias_of(m)),
    (lambda: nn.Conv2d(2, 3, (3, 5), (1, 2), "same", bias=False), (2, 6, 7, 2),
     lambda m, x: ops.conv2d(mg.tensor(x), m.weight, (1, 2), "same").data),
    (lambda: nn.Conv2d(2, 3, 2, padding=((0, 1), (2, 0)), dilation=2, bias=False), (2, 6, 7, 2),
     lambda m, x: ops.conv2d(mg.tensor(x), m.weight, 1, ((0, 1), (2, 0)), 2).data),
    (lambda: nn.ConvTranspose2d(2, 3, 4, 2, 1, bias_init=init.normal(1.0)), (2, 4, 5, 2),
     lambda m, x: ops.conv_transpose2d(mg.tensor(x), m.weight, 2, 1).data + bias_of(m)),
    (lambda: nn.ConvTranspose2d(2, 3, 3, 2, 1, output_padding=1, dilation=2, bias=False),
     (2, 4, 5, 2),
     lambda m, x: ops.conv_transpose2d(mg.tensor(x), m.weight, 2, 1, 1, 2).data),
    (lambda: nn.ConvTranspose2d(2, 3, 5, 2, "same"), (2, 4, 5, 2),
     lambda m, x: ops.conv_transpose2d(mg.tensor(x), m.weight, 2, "same").data),
    (lambda: nn.BatchNorm(3), (7, 3), lambda m, x: standard(x, 0)),
    (lambda: nn.BatchNorm(3), (2, 4, 5, 3), lambda m, x: standard(x, (0, 1, 2))),
    (lambda: nn.LayerNorm(3), (4, 5, 3), lambda m, x: standard(x, 2)),
    (lambda: nn.LayerNorm(3, axes=(1, 2, 3)), (4, 5, 2, 3), lambda m, x: standard(x, (1, 2, 3))),
    (lambda: nn.InstanceNorm(3), (2, 4, 5, 3), lambda m, x: standard(x, (1, 2))),
    (lambda: nn.Dropout(0.0), (4, 3), lambda m, x: x),
    (lambda: nn.Flatten(), (4, 2, 3, 5), lambda m, x: x.reshape(4, 30)),
    (lambda: nn.Flatten(), (0, 2, 3, 5), lambda m, x: x.reshape(0, 30)),
    (nn.ToImages, (2, 3), lambda m, x: 2 * x - 1),
    (lambda: nn.Reshape(2, 3, 5), (4, 30), lambda m, x: x.reshape(4, 2, 3, 5)),
    (lambda: nn.Reshape(-1), (4, 3, 2), lambda m, x: x.reshape(4, 6)),
    (lambda: nn.ReLU(), (4, 3), lambda m, x: np.where(x > 0, x, 0)),
    (lambda: nn.LeakyReLU(), (4, 3), lambda m, x: np.where(x > 0, x, np.float32(0.01) * x)),
    (lambda: nn.LeakyReLU(0.2), (4, 3), lambda m, x: np.where(x > 0, x, np.float32(0.2) * x)),
    (lambda: nn.Tanh(), (4, 3), lambda m, x: np.tanh(x)),
    (lambda: nn.Sigmoid(), (4, 3), lambda m, x: 1 / (1 + np.exp(-x))),
    (lambda: nn.Upsample(), (2, 3, 4, 2), lambda m, x: x.repeat(2, 1).repeat(2, 2)),
    (lambda: nn.Upsample(3), (2, 3, 4, 2), lambda m, x: x.repeat(3, 1).repeat(3, 2)),
    (lambda: nn.AvgPool2d(), (2, 4, 6, 3),
     lambda m, x: x.reshape(2, 2, 2, 3, 2, 3).mean((2, 4))),
    (lambda: nn.AvgPool2d((2, 1), 1), (2, 3, 4, 3), lambda m, x: (x[:, :-1] + x[:, 1:]) / 2),
    (lambda: nn.Sequential(nn.Dense(3, 4), nn.Tanh()), (5, 3),
     lambda m, x: np.tanh(x @ m[0].weight.data)),
    (lambda: nn.Sequential(), (5, 3), lambda m, x: x),
]


def standard(x, axes):
    """(x - mean) / sqrt(population variance + 1e-5), as gains 1 and biases 0 leave it."""
    x = x.astype("float64")
    centred = x - x.mean(axes, keepdims=True)
    return (centred / np.sqrt((centred ** 2).mean(axes, keepdims=True) + 1e-5)).astype("float32")


@pytest.mark.parametrize("make, shape, due", LAYERS,
                         ids=[f"{make()!r}{shape}".replace("\n", "") for make, shape, _ in LAYERS])
def test_what_a_layer_computes(make, shape, due):
    layer, x = make(), numbers(*shape)
    before = x.data.copy()
    y = layer(x)
    expected = due(layer, x.data)
    assert y.shape == expected.shape and y.dtype == np.float32
    np.testing.assert_allclose(y.data, expected, rtol=2e-5, atol=2e-6)
    assert np.array_equal(x.data, before)


def test_the_table_names_every_layer():
    seen = {type(module).__name__ for make, _, _ in LAYERS for _, module in make().named_modules()}
    names = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    assert names - seen == {"Module", "Parameter",
                            "Embedding",                           # has a test of its own
                            "Branches", "Joined", "Projection"}    # test_conditional.py


def test_embedding_looks_up_rows():
    layer = nn.Embedding(5, 3)
    w, ids = layer.weight, np.array([[0, 4, 4], [1, 0, 0]])
    for given in (ids, mg.tensor(ids)):
        y = layer(given)
        assert y.shape == (2, 3, 3) and np.array_equal(y.data, w.data[ids])
    (g,) = mg.grad(ops.sum(y), [w])
    assert np.array_equal(g.data, np.repeat([[3.0], [1], [0], [0], [2]], 3, 1))
    for wrong in (5, -1):  # NumPy would take -1 for the last row
        with pytest.raises(ValueError, match=f"ids must be from 0 to 4, got {wrong}"):
            layer(np.array([wrong]))
    with pytest.raises(TypeError, match="ids must be an integer"):
        layer(np.array([1.0]))


def test_weight_layouts():
    assert nn.Dense(3, 5).weight.shape == (3, 5) and nn.Dense(3, 5).bias.shape == (5,)
    assert nn.Conv2d(3, 5, (2, 4)).weight.shape == (2, 4, 3, 5)
    layer = nn.ConvTranspose2d(3, 5, (2, 4), 2)
    assert layer.weight.shape == (2, 4, 5, 3) and layer.bias.shape == (5,)  # (KH, KW, out, in)
    norm = nn.BatchNorm(3)
    for tensor in (norm.gamma, norm.beta, norm.running_mean, norm.running_var):
        assert tensor.shape == (3,)
    assert [p.role for p in norm.parameters()] == ["gain", "bias"]
    assert [p.role for p in layer.parameters()] == ["weight", "bias"]


def test_the_transposed_layer_is_the_adjoint_of_the_convolution_with_its_weight():
    up = nn.ConvTranspose2d(3, 5, 4, 2, 1, bias=False).astype("float64")
    down = nn.Conv2d(5, 3, 4, 2, 1, bias=False).astype("float64")
    down.weight.assign(up.weight)  # (4, 4, 5, 3) is the layout of both
    x, y = numbers(2, 7, 6, 3, dtype="float64"), numbers(2, 14, 12, 5, seed=1, dtype="float64")
    assert math.isclose(ops.sum(up(x) * y).item(), ops.sum(x * down(y)).item(), rel_tol=1e-12)


# Batch norm's two modes.

def test_running_statistics_follow_pytorchs_rule():
    layer = nn.BatchNorm(3)
    mean, var = np.zeros(3), np.ones(3)
    for seed in range(4):
        x = numbers(4, 2, 5, 3, seed=seed).data * 3 + 2
        layer(mg.tensor(x))
        rows = x.reshape(-1, 3).astype("float64")
        mean = 0.9 * mean + 0.1 * rows.mean(0)
        var = 0.9 * var + 0.1 * rows.var(0, ddof=1)  # unbiased, unlike the one that normalises
        np.testing.assert_allclose(layer.running_mean.data, mean, rtol=1e-5)
        np.testing.assert_allclose(layer.running_var.data, var, rtol=1e-5)
    before, x = layer.state_dict(), numbers(1, 3, seed=9)
    layer.gamma.assign(np.array([1, 2, 3], "float32"))
    layer.beta.assign(np.array([0, 1, -1], "float32"))
    y = layer.eval()(x)  # one sample is enough here, and nothing is updated
    np.testing.assert_allclose(y.data, (x.data - mean) / np.sqrt(var + 1e-5) * [1, 2, 3]
                               + [0, 1, -1], rtol=1e-5)
    for name in ("running_mean", "running_var"):
        assert np.array_equal(layer.state_dict()[name], before[name])


def test_momentum_and_eps_are_settings():
    layer, x = nn.BatchNorm(2, momentum=0.25, eps=1.0), numbers(9, 2)
    y = layer(x)
    np.testing.assert_allclose(layer.running_mean.data, 0.25 * x.data.mean(0), rtol=1e-5)
    np.testing.assert_allclose(y.data, (x.data - x.data.mean(0)) / np.sqrt(x.data.var(0) + 1),
                               rtol=1e-5, atol=1e-6)


def test_statistics_need_more_than_one_value_a_channel():
    layer = nn.BatchNorm(3)
    before = layer.state_dict()
    for shape in ((1, 3), (1, 1, 1, 3), (0, 3), (3,)):
        with pytest.raises(ValueError, match="BatchNorm: an input of shape .*needs 2 or more"):
            layer(numbers(*shape))
    assert all(np.array_equal(before[name], value) for name, value in layer.state_dict().items())
    assert layer(numbers(1, 2, 2, 3)).shape == (1, 2, 2, 3)  # one image has pixels


def test_channels_must_agree():
    for layer in (nn.BatchNorm(5), nn.BatchNorm(5).eval()):
        for shape in ((4, 3), (4, 1), (4, 5, 1)):  # 1 would broadcast
            with pytest.raises(ValueError, match=r"BatchNorm: an input of shape .*5 channels"):
                layer(numbers(*shape))
    for layer in (nn.LayerNorm(5), nn.InstanceNorm(5)):
        with pytest.raises(ValueError, match=r"_norm: gamma of shape \(5,\) does not broadcast"):
            layer(numbers(2, 3, 3, 4))


def test_two_batches_of_one_step_do_not_make_each_other_stale():
    net, x = nn.Sequential(nn.Dense(2, 3), nn.BatchNorm(3)), numbers(4, 2)
    loss = ops.sum(ops.square(net(x))) + ops.sum(ops.square(net(x * 2)))  # D(x) and D(G(z))
    assert all(np.isfinite(g.data).all() for g in mg.grad(loss, net.parameters()))
    y = ops.sum(net.eval()(x))
    net.train()(x)  # moves the statistics that y's graph reads
    with pytest.raises(errors.StaleGraphError):
        mg.grad(y, net.parameters())


# Dropout.

def test_dropout_in_training_and_after():
    layer, x = nn.Dropout(0.3, Stream(1, "dropout")), mg.Tensor(np.full((200, 500), 2, "float32"))
    x.requires_grad = True
    y = layer(x)
    kept = y.data != 0
    np.testing.assert_allclose(y.data[kept], 2 / 0.7, rtol=1e-6)
    assert abs(kept.mean() - 0.7) < 4 * math.sqrt(0.7 * 0.3 / x.size)
    assert abs(y.data.mean() - 2) < 8 * math.sqrt(0.3 / 0.7 / x.size)  # unchanged in expectation
    (g,) = mg.grad(ops.sum(y), [x])
    np.testing.assert_allclose(g.data, kept / 0.7, rtol=1e-6)
    assert not np.array_equal(layer(x).data, y.data)  # a new mask each time
    layer.rng.counter = 0
    assert np.array_equal(layer(x).data, y.data)
    counter = layer.rng.counter
    assert counter > 0 and layer.eval()(x) is x and layer.rng.counter == counter  # draws nothing


# Initial weights.

DRAWS = {  # weight_init -> mean, standard deviation, largest absolute value, for fans 300 and 100
    "normal": (init.normal(0.5, mean=3.0), 3, 0.5, None),
    "default normal": (init.normal(), 0, 0.02, None),
    "uniform": (init.uniform(0.05), 0, 0.05 / math.sqrt(3), 0.05),
    "glorot_uniform": (init.glorot_uniform, 0, math.sqrt(2 / 400), math.sqrt(6 / 400)),
    "he_uniform": (init.he_uniform, 0, math.sqrt(2 / 300), math.sqrt(6 / 300)),
    "he_normal": (init.he_normal, 0, math.sqrt(2 / 300), None),
}


@pytest.mark.parametrize("name", DRAWS)
def test_initial_weights_have_the_stated_moments(name):
    make, mean, std, limit = DRAWS[name]
    values = make((300, 100), 300, 100, Stream(5, "init"))
    assert values.shape == (300, 100) and values.dtype == np.float32
    assert abs(values.mean() - mean) < 4 * std / math.sqrt(values.size)
    assert abs(values.std() / std - 1) < 0.02
    if limit:
        assert 0.999 * limit < np.abs(values).max() <= limit * (1 + 1e-6)
    else:
        assert np.abs(values - mean).max() > 3.5 * std


def test_constants():
    assert init.zeros((2, 3), 1, 1, None).tolist() == [[0] * 3] * 2
    assert init.ones((2,), 1, 1, None).tolist() == [1, 1]
    assert init.constant(0.25)((2,), 1, 1, None).dtype == np.float32
    layer = nn.Dense(2, 3, weight_init=init.constant(0.25))
    assert layer.weight.data.tolist() == [[0.25] * 3] * 2 and layer.bias.data.tolist() == [0] * 3


def fans(make):
    seen = []

    def spy(shape, fan_in, fan_out, rng):
        seen.append((shape, fan_in, fan_out))
        return np.ones(shape, "float32")

    layer = make(spy)
    assert seen[0][0] == layer.weight.shape and len({s[1:] for s in seen}) == 1
    return layer, *seen[0][1:]


@pytest.mark.parametrize("make, x", [
    (lambda spy: nn.Dense(6, 4, weight_init=spy, bias_init=spy), (1, 6)),
    (lambda spy: nn.Conv2d(2, 3, (4, 2), 2, weight_init=spy, bias_init=spy), (1, 64, 64, 2)),
    (lambda spy: nn.Conv2d(2, 3, 3, padding=1, weight_init=spy), (1, 64, 64, 2)),
    (lambda spy: nn.ConvTranspose2d(2, 3, 4, 2, 1, weight_init=spy), (1, 64, 64, 2))])
def test_fans_count_what_feeds_what(make, x):
    layer, fan_in, fan_out = fans(make)
    ones = mg.Tensor(np.ones(x, "float32"), requires_grad=True)
    y = layer(ones)  # with weights of 1, outputs count what feeds them
    bias = 0 if layer.bias is None else layer.bias.data
    outputs, middle = y.data - bias, (slice(None), *[slice(8, -8)] * (len(x) - 2))
    assert outputs[middle].mean() == fan_in
    (g,) = mg.grad(ops.sum(y), [ones])
    assert g.data[middle].mean() == fan_out


def test_weights_come_from_the_given_stream_or_from_the_default_one():
    a, b = (nn.Dense(3, 2, rng=Streams(4)["init"]).weight.data for _ in range(2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, nn.Dense(3, 2, rng=Streams(5)["init"]).weight.data)
    mg.seed(4)
    assert np.array_equal(a, nn.Dense(3, 2).weight.data)
    assert not np.array_equal(a, nn.Dense(3, 2).weight.data)  # the stream went on


# Second order through whole networks.

def as_function(net, x):
    """net(x) as a function of its parameters, and their present values."""
    places = [(module, name, value) for _, module in net.named_modules()
              for name, value in vars(module).items() if isinstance(value, nn.Parameter)]

    def f(*weights):
        for (module, name, _), w in zip(places, weights, strict=True):
            setattr(module, name, w)
        return net(x)

    assert places
    return f, [mg.tensor(value.data) for _, _, value in places]


WIDE = {"weight_init": init.normal(0.5), "bias_init": init.normal(0.5)}  # nothing is flat
FREE = {"weight_init": init.normal(0.5), "bias": False}  # below a norm, which undoes a bias


NETS = {
    "batch norm": (lambda: nn.Sequential(
        nn.Dense(3, 4, **FREE), nn.BatchNorm(4), nn.LeakyReLU(0.2), nn.Dense(4, 2, **FREE),
        nn.BatchNorm(2), nn.Tanh()), (5, 3)),
    "layer norm": (lambda: nn.Sequential(
        nn.Dense(3, 4, **WIDE), nn.LayerNorm(4), nn.LeakyReLU(0.2), nn.Dense(4, 3, **WIDE),
        nn.LayerNorm(3), nn.Sigmoid()), (5, 3)),
    "images": (lambda: nn.Sequential(
        nn.Dense(3, 8, **WIDE), nn.Reshape(2, 2, 2), nn.BatchNorm(2), nn.ReLU(), nn.Upsample(),
        nn.ConvTranspose2d(2, 3, 4, 2, 1, **FREE), nn.InstanceNorm(3), nn.Tanh(),
        nn.AvgPool2d(), nn.Conv2d(3, 1, 3, padding="same", **WIDE)), (3, 3)),
}


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("name", NETS)
def test_two_orders_through_two_layers(name, mode):
    make, shape = NETS[name]
    net = make().astype("float64").train(mode == "train")
    f, weights = as_function(net, numbers(*shape, seed=2, dtype="float64"))
    checks = check_grads(f, weights, order=2)
    assert len(checks) == 2 * len(weights) + 1  # the second order has the cotangent as well


def critic(norm):
    return nn.Sequential(
        nn.Conv2d(2, 3, 4, 2, 1, **WIDE), *norm(3), nn.LeakyReLU(0.2),
        nn.Conv2d(3, 2, 3, 1, "same", **WIDE), *norm(2), nn.Tanh(), nn.Flatten(),
        nn.Dense(18, 1, **WIDE))


@pytest.mark.parametrize("norm", [lambda c: [], lambda c: [nn.LayerNorm(c, (1, 2, 3))],
                                  lambda c: [nn.InstanceNorm(c)]],
                         ids=["plain", "layer norm", "instance norm"])
def test_a_gradient_penalty_on_a_convolutional_critic(norm):
    net = critic(norm).astype("float64")
    x = mg.Tensor(numbers(3, 6, 6, 2, seed=3, dtype="float64").data, requires_grad=True)
    f, weights = as_function(net, x)

    def penalty(*weights):
        g = mg.grad(ops.sum(f(*weights)), x, create_graph=True)
        return ops.mean(ops.square(ops.norm(ops.reshape(g, (len(g), -1)), axis=1) - 1))

    assert penalty(*weights).item() > 1e-3
    checks = check_grads(penalty, weights, order=1)
    moved = [check for check in checks if abs(check.numeric) > 1e-6]
    assert len(moved) >= len(weights) - 3  # all but biases that the penalty cannot see


# Bad arguments.

@pytest.mark.parametrize("make, message", [
    (lambda: nn.Dense(0, 2), "Dense: n_in must be a whole number of 1 or more, got 0"),
    (lambda: nn.Dense(2, 2.5), r"Dense: n_out must be .* got 2\.5"),
    (lambda: nn.Dense(2, True), "Dense: n_out must be .* got True"),
    (lambda: nn.Conv2d(-1, 2, 3), "Conv2d: n_in must be .* got -1"),
    (lambda: nn.Conv2d(1, 2, 0), "Conv2d: kernel_size must be .* got 0"),
    (lambda: nn.Conv2d(1, 2, (3, 3, 3)), r"Conv2d: kernel_size must be .* got \(3, 3, 3\)"),
    (lambda: nn.ConvTranspose2d(1, 2, 3, 0), "ConvTranspose2d: stride must be .* got 0"),
    (lambda: nn.ConvTranspose2d(1, "2", 3), "ConvTranspose2d: n_out must be .* got '2'"),
    (lambda: nn.Embedding(0, 2), "Embedding: count must be .* got 0"),
    (lambda: nn.Embedding(2, 0.5), r"Embedding: size must be .* got 0\.5"),
    (lambda: nn.BatchNorm(0), "BatchNorm: features must be .* got 0"),
    (lambda: nn.LayerNorm(1.5), r"LayerNorm: features must be .* got 1\.5"),
    (lambda: nn.InstanceNorm(True), "InstanceNorm: features must be .* got True"),
    (lambda: nn.BatchNorm(3, momentum=1.5), r"BatchNorm: momentum must be in \[0, 1\], got 1\.5"),
    (lambda: nn.Dropout(1.0), r"Dropout: rate must be in \[0, 1\), got 1\.0"),
    (lambda: nn.Dropout(-0.1), r"Dropout: rate must be .* got -0\.1"),
    (lambda: nn.LeakyReLU(-0.1), r"LeakyReLU: slope must be between 0 and 1, got -0\.1"),
    (lambda: nn.Reshape((7, 7, 128)), r"Reshape: sizes are ints, as in Reshape\(7, 7, 128\)"),
    (lambda: nn.Upsample(1.5), r"Upsample: scale must be .* got 1\.5"),
    (lambda: nn.AvgPool2d(0), "AvgPool2d: size must be .* got 0"),
    (lambda: nn.Conv2d(1, 2, 3, padding=-1), "Conv2d: padding must be.* -1"),
    (lambda: nn.Conv2d(3, 2, 3)(numbers(1, 3, 8, 8)), r"conv2d: .*\(N, H, W, C\).*transpose"),
    (lambda: nn.Dense(3, 2)(numbers(4, 5)), r"(4, 5).*(3, 2)"),
    (lambda: nn.InstanceNorm(3)(numbers(4, 3)), r"instance_norm: x has shape \(4, 3\)"),
    (lambda: nn.Reshape(2, 3)(numbers(4, 5)), r"reshape: .*\(4, 5\)"),
])
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_bias_and_the_leaky_relu_after_it_are_one_op_of_the_same_bits():
    x = mg.tensor(np.random.default_rng(0).standard_normal((6, 8, 8, 3)).astype("float32"))
    for activation in (mg.nn.ReLU(), mg.nn.LeakyReLU(0.2)):
        for layer in (mg.nn.Conv2d(3, 4, 3), mg.nn.ConvTranspose2d(3, 4, 3), mg.nn.Dense(3, 4),
                      mg.nn.Conv2d(3, 4, 3, bias=False)):
            if layer.bias is not None:
                layer.bias.assign(np.array([1, -1, 0.5, 0], "float32"))
            both, apart = mg.nn.Sequential(layer, activation)(x), activation(layer(x))
            assert both.op.name == ("leaky_relu" if layer.bias is None else "bias_leaky_relu")
            np.testing.assert_array_equal(both.data, apart.data)


def test_a_forward_that_a_subclass_defines_is_the_one_that_runs():
    class Twice(mg.nn.Dense):
        def forward(self, x):
            return super().forward(x) * 2

    class Shifted(mg.nn.LeakyReLU):
        def forward(self, x):
            return super().forward(x) + 1

    x = mg.tensor([[1.0, -2.0]])
    for layer, activation in ((Twice(2, 3), mg.nn.ReLU()), (mg.nn.Dense(2, 3), Shifted(0.2))):
        np.testing.assert_array_equal(mg.nn.Sequential(layer, activation)(x).data,
                                      activation(layer(x)).data)


# A parameter without axes, such as a learned temperature: NumPy makes scalars of such arrays.

class Scaled(nn.Module):
    """x times one learned number, plus another one that is a buffer."""

    def __init__(self) -> None:
        self.scale = nn.Parameter(np.full((), 2.0, "float32"))
        self.shift = mg.Tensor(np.zeros((), "float32"))

    def forward(self, x):
        return x * self.scale + self.shift


@pytest.mark.parametrize("rule", [optim.SGD, optim.RMSprop, optim.Adam])
def test_a_parameter_without_axes_is_trained_saved_and_moved(rule):
    net = Scaled()
    x, optimizer, average = numbers(4, 3), rule(net.parameters(), lr=0.1), optim.EMA(net, 0.5)
    for _ in range(3):
        optimizer.zero_grad()
        loss = ops.mean(ops.square(net(x)))
        loss.backward()
        loss = ops.mean(ops.square(net(x)))
        loss.backward()  # adds to what is there
        optimizer.step()
        average.update()
    optim.clip_weights(net.parameters(), 0.5)
    with mg.no_grad():
        net.shift.assign(net.shift + 1.0)
    assert abs(net.scale.item()) <= 0.5 and average.network.scale.item() != 2.0
    state = net.state_dict()
    twin = Scaled()
    twin.load_state_dict(state)
    for each in (net, twin, average.network, copy.deepcopy(net), Scaled().astype("float64"),
                 Scaled().to("stand-in"), Scaled().to("stand-in").to("numpy")):
        for t in each.named_tensors():
            assert t[1].shape == () and type(t[1].data).__name__ in ("ndarray", "StandInArray")
    assert twin.scale.item() == net.scale.item() and twin.shift.item() == 1.0
