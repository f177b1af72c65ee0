"""Everything on the stand-in device: it refuses, it counts, and all ops run on it as on NumPy."""
from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from model_tools import check_losses, in_float64
from op_table import CASES
from stand_in import StandInArray, capturing, counted

import minigan as mg
from minigan import errors, ops
from minigan.backend import get_backend
from minigan.models import catalog

pytestmark = pytest.mark.rounding

xp = get_backend("stand-in")


def device(values, dtype=np.float64):
    return xp.from_host(np.asarray(values, dtype))


def leaf(*shape, seed=0):
    random = np.random.Generator(np.random.Philox(seed))
    return mg.Tensor(xp.from_host(random.uniform(0.5, 1.5, shape)), requires_grad=True)


# The stand-in itself.

HOST = np.ones(3)


@pytest.mark.parametrize("mix", [
    lambda a: a + HOST, lambda a: HOST + a, lambda a: xp.sum(HOST), lambda a: xp.add(a, HOST),
    lambda a: xp.concatenate([a, HOST]), lambda a: np.add(a, HOST), lambda a: np.sum(a),
    lambda a: np.concatenate([a, a]), lambda a: a.dot(HOST), lambda a: a < HOST,
    lambda a: xp.where(a > 0, a, HOST), lambda a: xp.maximum(a, 0, out=HOST),
    lambda a: a[np.array([0, 1])], lambda a: a[HOST > 0], lambda a: a[[0, 1]],
    lambda a: a.__setitem__(0, np.ones(())), lambda a: a.__setitem__(slice(3), HOST),
    lambda a: a.__setitem__(slice(3), [1, 2, 3]), lambda a: a.__setitem__(np.array([0]), 1.0),
    lambda a: a.__iadd__(HOST), lambda a: HOST.__iadd__(a), lambda a: xp.add.at(HOST, 0, a),
    lambda a: xp.add.at(a, np.array([0]), 1.0), lambda a: xp.asarray(HOST),
    lambda a: np.asarray(a), lambda a: np.array(a), lambda a: np.array([a, a]),
    lambda a: HOST.__setitem__(slice(3), a), lambda a: np.float64(a), lambda a: xp.from_host(a)])
def test_the_stand_in_refuses_what_cupy_refuses(mix):
    with pytest.raises(TypeError):
        mix(device([1, 2, 3]))
    assert HOST.tolist() == [1, 1, 1]


def test_no_hidden_way_to_the_memory():
    a = device([1, 2, 3])
    for name in ("__array_interface__", "__array_struct__", "__cuda_array_interface__", "data",
                 "ctypes", "base"):
        assert not hasattr(a, name)
    with pytest.raises((TypeError, BufferError)):
        memoryview(a)
    for name in ("random", "__path__", "no_such_function"):
        assert not hasattr(xp.module, name)


@pytest.mark.parametrize("result", [
    lambda a: a.sum(), lambda a: xp.sum(a), lambda a: a[1], lambda a: a[-1, ...], lambda a: a.max(),
    lambda a: xp.argmax(a), lambda a: xp.exp(a[0]), lambda a: a[0] * 2.0, lambda a: a[0] > 1,
    lambda a: xp.add.reduce(a), lambda a: -a[0], lambda a: xp.array(3.0), lambda a: a @ a])
def test_results_without_axes_stay_arrays(result):
    y = result(device([1, 2, 3]))
    assert type(y) is StandInArray and y.shape == () and y.ndim == 0
    y[...] = 1  # and they can be written
    assert y.item() == 1


def test_arrays_behave_as_numpys_do():
    a, host = device(np.arange(12).reshape(3, 4)), np.arange(12.0).reshape(3, 4)
    assert (a.shape, a.strides, a.dtype, a.size, len(a)) == ((3, 4), (32, 8), host.dtype, 12, 3)
    assert a.flags.c_contiguous and not a.T.flags.c_contiguous and a.T.flags.f_contiguous
    first = a[0]
    a += 1.0
    a *= a[1] > 0
    xp.add(a, 1.0, out=a)
    xp.add.at(a, (xp.array([0, 0]), slice(None)), device(np.ones((2, 4))))
    expected = host + 2
    expected[0] += 2
    np.testing.assert_array_equal(a.get(), expected)
    np.testing.assert_array_equal(first.get(), expected[0])  # rows are views,
    first[2][...] = -5.0
    assert float(a[0, 2]) == -5  # and so are elements
    windows = xp.lib.stride_tricks.as_strided(a, (2, 2, 2), (32, 8, 8))
    np.testing.assert_array_equal(windows.get()[1], [[6, 7], [7, 8]])
    assert xp.maximum(a, 0, out=a) is a and [row.shape for row in a] == [(4,)] * 3
    assert xp.float32 is np.float32 and xp.zeros((2, 1)).shape == (2, 1)
    a.set(host)
    assert a.tolist() == host.tolist()


SYNCHRONISING = [("float", float), ("int", int), ("bool", bool), ("item", lambda a: a.item()),
                 ("tolist", lambda a: a.tolist()), ("get", lambda a: a.get()), ("repr", repr),
                 ("to_host", xp.to_host), ("nonzero", lambda a: xp.nonzero(xp.reshape(a, (1,)))),
                 ("where", lambda a: xp.where(xp.reshape(a, (1,)) > 0)),
                 ("boolean index", lambda a: a[a > 0]), ("array", lambda a: xp.array([1.0, 2.0])),
                 ("asarray", lambda a: xp.asarray(2.0)), ("set", lambda a: a.set(np.ones(()))),
                 ("from_host", lambda a: xp.from_host(np.ones(3))),
                 ("synchronize", lambda a: xp.synchronize())]


@pytest.mark.parametrize("name, ask", SYNCHRONISING)
def test_what_needs_the_host_is_counted_and_raises_while_capturing(name, ask):
    a = device(1)
    with counted() as outer:
        with counted() as inner:
            ask(a)
        assert dict(inner) == {name: 1}
        with capturing(), pytest.raises(RuntimeError, match=f"^{name} .*capturing"):
            ask(a)
        ask(a)
    assert dict(outer) == {name: 2} and dict(inner) == {name: 1}


def test_computing_needs_no_host():
    a = device(np.ones((2, 3)))
    with capturing(), counted() as counts:
        b = xp.where(a > 0, xp.exp(a) @ a.T @ a, 0.0)
        b[:, xp.arange(2)] += b.sum(axis=1, keepdims=True)
        assert len(b) == 2 and b.shape == (2, 3)
    assert not counts


def test_transfers_copy():
    host = np.ones(3)
    a = xp.from_host(host)
    host[0] = 9
    back = xp.to_host(a)
    back[1] = 9
    assert a.tolist() == [1, 1, 1]


# Tensors on it.

def test_the_array_decides_where_it_is_computed():
    x, host = leaf(3), mg.tensor([1.0, 2.0])
    y = ops.sum(ops.exp(x) * 2.0)
    assert y.device == mg.grad(y, x).device == "stand-in" and type(y.data) is StandInArray
    with mg.use("stand-in"):
        assert (host * 2.0).device == "numpy"
        assert mg.tensor([1.0]).device == mg.tensor(x).device == "stand-in"
    assert mg.tensor([1.0]).device == "numpy"
    for source, dtype in (([1, 2], "int64"), (np.ones(2), "float64"), ([0.5], "float32")):
        with mg.use("stand-in"), counted() as counts:
            t = mg.tensor(source)
        assert (t.device, t.dtype) == ("stand-in", dtype) and counts.total() == 1
        np.testing.assert_array_equal(t.numpy(), source)
    copy = mg.tensor(x)  # stays where it is
    copy.assign(0.0)
    assert copy.device == "stand-in" and ops.sum(x).item() > 1


@pytest.mark.parametrize("function, name", [
    (lambda a, b: a + b, "add"), (lambda a, b: b @ a, "matmul"), (ops.maximum, "maximum"),
    (lambda a, b: ops.concatenate([a, b]), "concatenate"),
    (lambda a, b: ops.where(a, b, 0.0), "where"), (lambda a, b: a ** b, "power")])
def test_devices_do_not_mix(function, name):
    a, b = leaf(3, 3), mg.tensor(np.ones((3, 3)), requires_grad=True)
    for pair in ((a, b), (b, a)):
        with pytest.raises(errors.MixedDevicesError, match=f"^{name} .*numpy and stand-in.*to\\("):
            function(*pair)


def test_other_arrays_do_not_mix_either():
    x, host = leaf(3), mg.tensor(np.ones(3))
    ids = np.array([0, 1])
    for index in (ids, mg.tensor(ids), ids > 0, (slice(None), ids)):
        with pytest.raises(TypeError, match=r"index .*stand-in.*(array|tensor)"):
            x[index]
    with pytest.raises(TypeError, match="index .*numpy"):
        host[xp.arange(2)]
    with pytest.raises(ValueError, match="ndarray"):
        x.assign(np.ones(3))
    with pytest.raises(ValueError, match="grad_outputs.*ndarray"):
        mg.grad(x * 2.0, x, host)
    for mix in (lambda: x + np.ones(3), lambda: x.data + host, lambda: host + x.data):
        with pytest.raises(TypeError, match="tensor"):
            mix()
    with pytest.raises(ValueError, match="grad_outputs.*ndarray"):
        x.backward(host)
    with pytest.raises(TypeError, match="ids|index"):
        ops.embedding(ids, leaf(3, 2))
    with pytest.raises((TypeError, ValueError), match="labels|index"):
        ops.softmax_cross_entropy(leaf(2, 3), ids)


def test_to_moves_both_ways_with_its_gradient():
    x = mg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    there = x.to("stand-in")
    assert there.to("stand-in") is there and there.device == "stand-in"
    back = (there ** 3).to("numpy")
    g = mg.grad(ops.sum(back), x, create_graph=True)
    assert g.device == "numpy" and g.data.tolist() == [3, 12]
    assert mg.grad(ops.sum(g), x).data.tolist() == [6, 12]
    there.assign(0.0)
    assert x.data.tolist() == [1, 2]  # a copy, not a view
    with pytest.raises(mg.BackendError, match="'tpu' is unknown.*numpy"):
        x.to("tpu")


def test_printing_and_reading_are_the_only_transfers():
    x = leaf(3)
    with counted() as counts:
        y = ops.sum(x * x)
        assert repr(y) and y.item() and y.numpy() and bool(y)
        mg.grad(y, x)
        x.backward(leaf(3))
        x.assign(1.0)
    assert counts["to_host"] == 2 and counts["from_host"] == 1 and counts.total() == 5


def test_stale_values_are_seen_here_too():
    x = leaf(3)
    y = ops.sum(x * x[1])
    x.detach()[0].assign(7.0)
    assert float(x.data[0]) == 7  # x[0] is a view on a device, so the write has to be seen
    with pytest.raises(errors.StaleGraphError):
        mg.grad(y, x)


# All ops on it.

NEEDS_THE_HOST = {  # a mask drawn there, a number of elements that only the device knows, transfers
    "dropout": {"from_host"}, "getitem": {"boolean index"}, "scatter_add": {"boolean index"},
    "to": {"from_host", "to_host"}}


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_ops_give_what_numpy_gives(case):
    made = []

    def make(array):
        made.append(mg.Tensor(xp.from_host(array)))
        return made[-1]

    with counted() as counts:
        there = case.run(make)
    beyond = counts - Counter(from_host=len(made))
    assert set(beyond) <= NEEDS_THE_HOST.get(case.op, set())
    assert all(t.device == "stand-in" for t in there.values + there.first + there.second)
    here = case.run(lambda array: mg.Tensor(np.array(array)))
    pairs = list(zip(there.results(), here.results(), strict=True))
    assert pairs
    for ours, numpys in pairs:
        assert ours.dtype == numpys.dtype and ours.shape == numpys.shape
        np.testing.assert_allclose(ours, numpys, rtol=1e-12, atol=1e-12)


def critic(x, w1, w2, w3):
    h = ops.leaky_relu(ops.conv2d(x, w1, stride=2, padding=1), 0.2)
    h = ops.leaky_relu(ops.layer_norm(h, w2, w2), 0.2)
    return ops.reshape(h, (h.shape[0], -1)) @ w3


def critic_step(real, fake, eps, weights):
    mixed = (eps * real + (1 - eps) * fake).detach()
    mixed.requires_grad = True
    g = mg.grad(ops.sum(critic(mixed, *weights)), mixed, create_graph=True)
    penalty = ops.mean((ops.norm(ops.reshape(g, (g.shape[0], -1)), axis=1) - 1.0) ** 2)
    loss = ops.mean(critic(fake, *weights)) - ops.mean(critic(real, *weights)) + penalty * 10.0
    for w, gw in zip(weights, mg.grad(loss, weights)):
        w.assign(w.data - 0.01 * gw.data)
    return loss.detach()


def test_a_critic_step_with_penalty_could_be_captured():
    shapes = [(4, 6, 6, 2), (4, 6, 6, 2), (4, 1, 1, 1), (4, 4, 2, 3), (3,), (27, 1)]
    losses = []
    for backend in (xp, get_backend("numpy")):
        real, fake, eps, *weights = (mg.Tensor(backend.from_host(leaf(*shape, seed=i).numpy()))
                                     for i, shape in enumerate(shapes))
        for w in weights:
            w.requires_grad = True
        with capturing():
            steps = [critic_step(real, fake, eps, weights) for _ in range(3)]
        losses.append([loss.item() for loss in steps])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-12)
    assert losses[0][2] < losses[0][0]


# All models on it.

@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, preset", [
    *((name, None) for name in catalog.names()), ("gan", "seed"), ("gan", "paper")])
def test_models_train_as_on_numpy(name, preset, dtype):
    losses, states = [], []
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (8, 28, 28, 1)).astype(dtype)
    for backend in (xp, get_backend("numpy")):
        with mg.use(backend.device):
            model = catalog.find(name)(preset, streams=1)
            if dtype == "float64":
                in_float64(model)
            x, labels = mg.tensor(images), mg.tensor(np.arange(8) % 10)
            with counted() as counts:
                for _ in range(2):
                    steps = model.step(x, labels)
            assert set(counts) <= {"from_host"}  # noise; nothing waits for the device
            losses.append({loss: value.item() for loss, value in steps.items()})
            assert {p.device for p in model.generator.parameters()} == {backend.device}
        states.append(model.state_dict())
    check_losses(*losses, dtype)
    if dtype == "float64":
        for part, value in states[0].items():
            np.testing.assert_allclose(value, states[1][part], rtol=1e-9, atol=1e-9, err_msg=part)
