"""Our CUDA kernels, run by the processor: against their plain twins, and under every op and model.

test_cuda_sources.py shows that they compile for a GPU, test_gpu.py that they run on one.
"""
from __future__ import annotations

import ctypes
import itertools
import math

import numpy as np
import pytest
from emulated import EmulatedArray, emulated, library, threads_of
from model_tools import LIGHT, batch, check_losses, in_float64, small
from op_table import CASES
from stand_in import counted

import minigan as mg
from minigan.backend import get_backend
from minigan.backend.base import Backend
from minigan.backend.gpu.operands import block_and_width
from minigan.geometry import conv_geometry
from minigan.optim import EMA, SGD, Adam, Optimizer, RMSprop
from minigan.streams import Stream

pytestmark = pytest.mark.rounding

TOLERANCE = {"float32": {"rtol": 2e-6, "atol": 2e-6}, "float64": {"rtol": 1e-13, "atol": 1e-13}}


@pytest.fixture(scope="module", autouse=True)
def xp():
    return emulated()


def here(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def compare(name, *arguments, dtype="float64", launches=None, exact=False):
    """Check that a primitive and its plain form agree on the emulated device.

    launches: the kernels that it should launch; those that ran are returned.
    """
    xp = emulated()
    there = [xp.from_host(a) if isinstance(a, np.ndarray) else a for a in arguments]
    xp.launched.clear()
    ours = getattr(xp, name)(*there)
    ran = list(xp.launched)
    plain = getattr(Backend, name)(xp, *there)
    assert type(ours) is EmulatedArray and ours.dtype == plain.dtype
    assert ours.shape == plain.shape, (ours.shape, plain.shape)
    np.testing.assert_allclose(ours.get(), plain.get(), **{} if exact else TOLERANCE[dtype])
    if exact:
        np.testing.assert_array_equal(ours.get(), plain.get())
    if launches is not None:
        assert ran == launches
    return ran


# Primitives.

@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_activations(dtype, slope):
    x, gy = here(5, 7, dtype=dtype), here(5, 7, seed=1, dtype=dtype)
    x[0, :6] = 0.0, -0.0, np.inf, -np.inf, np.nan, 1e-30
    compare("leaky_relu", x, slope, dtype=dtype, launches=["leaky_relu"], exact=slope == 0)
    compare("gate", gy, x, slope, dtype=dtype, launches=["gate"])
    compare("biased", x, here(7, dtype=dtype), slope, dtype=dtype, launches=["bias_leaky"])
    compare("gate", gy.T, x.T, slope, dtype=dtype, launches=["gate"])  # not contiguous
    compare("keep", gy, x, dtype=dtype, launches=["keep"], exact=True)
    compare("keep", gy, x[:1], dtype=dtype, launches=["keep"], exact=True)
    compare("keep", gy.T, x.T, dtype=dtype, launches=["keep"], exact=True)


FULL = (3, 4, 5, 2)
SMALL = [(1, 1, 1, 2), (3, 1, 1, 1), (3, 1, 1, 2), (1, 1, 1, 1), FULL, (3, 4, 1, 1), (3, 1, 5, 2)]


@pytest.mark.parametrize("shape", [*SMALL, (2,)], ids=str)
def test_passes_with_small_factors(shape):
    x, b = here(*FULL), here(*FULL, seed=1)
    s, q = here(*shape, seed=2), here(*shape, seed=3)
    for t in (0, 1.5, here(*shape, seed=4), here(1, 1, 1, 2, seed=5)):
        compare("scale_shift", x, s, t, launches=["scale_shift"])
        compare("mix", x, s, b, q, t, launches=["mix"])


def test_what_does_not_fit_a_pass_is_computed_anyway():
    gap = here(3, 1, 5, 1), here(1, 4, 1, 2)
    for other in gap:  # kept axes on both sides of a repeated one, and the other way round
        fits = block_and_width(other.shape, FULL) is not None
        ran = compare("scale_shift", here(*FULL), other, 0)
        assert bool(ran) == fits
    for shape in ((3, 1, 5, 1), (1, 4, 1, 2), (3,), (1, *FULL)):
        assert block_and_width(shape, FULL) is None
    compare("scale_shift", here(0, 4), here(4), 0, launches=[])
    compare("leaky_relu", np.arange(4), 0, launches=[])


@pytest.mark.parametrize("shape, full", [(s, f) for f in (FULL, (3, 1, 5), (1,), (2, 3))
                                         for s in itertools.product(*({1, n} for n in f))], ids=str)
def test_where_a_broadcast_operand_repeats(shape, full):
    small = np.arange(math.prod(shape)).reshape(shape)
    place = block_and_width(shape, full)
    if place is None:
        repeated = [i for i, (s, n) in enumerate(zip(shape, full)) if s != n]
        assert any(shape[i] > 1 for i in range(repeated[0], repeated[-1]))
        return
    block, width = place
    i = np.arange(math.prod(full))
    np.testing.assert_array_equal(small.ravel()[i // block * width + i % width],
                                  np.broadcast_to(small, full).ravel())


AXES = [axes for k in (1, 2, 3, 4) for axes in itertools.combinations(range(4), k)]


@pytest.mark.parametrize("threads, tile", [(1, 1), (8, 4), (4, 1)])
@pytest.mark.parametrize("axes", AXES, ids=str)
def test_sums(axes, threads, tile):
    gap = any(i not in axes for i in range(axes[0], axes[-1]))
    x, b = here(3, 4, 5, 6), here(3, 4, 5, 6, seed=1)
    mean = x.mean(axis=axes, keepdims=True)
    with threads_of(threads, tile):
        for keep in (False, True):
            assert bool(compare("total", x, axes, keep)) == (not gap)
        compare("dot", x, b, axes)
        compare("variance", x, mean, axes)
        compare("dot", x, here(1, 1, 1, 6), axes)


@pytest.mark.parametrize("threads, tile", [(1, 1), (8, 2)])
@pytest.mark.parametrize("shape, axes", [((2, 9001), (1,)), ((20_001,), (0,)), ((700, 3), (0,)),
                                         ((2, 600, 5), (1,)), ((1, 8193, 1), (0, 1, 2))])
def test_long_sums_in_chunks(shape, axes, threads, tile):
    x = here(*shape, dtype="float32")
    with threads_of(threads, tile):
        ran = compare_sums(x, axes)
    assert ran[-1] == "sum_chunks"


@pytest.mark.parametrize("shape, axes, kernel", [((300_001, 2), (0,), "column_sums"),
                                                 ((2, 140_000, 3), (1,), "column_sums"),
                                                 ((4_300_000,), (0,), "row_sums")], ids=str)
def test_no_part_of_a_very_long_sum_is_long(shape, axes, kernel):
    x = np.random.default_rng(0).uniform(250, 320, shape).astype("float32")
    xp = emulated()
    there = xp.from_host(x)
    xp.launched.clear()
    with threads_of(32, 4):
        total = xp.total(there, axes, False).get()
        assert xp.launched == [kernel, kernel], "parts are to be added up as the numbers were"
        variance = xp.variance(there, xp.from_host(x.mean(axes, "float64", keepdims=True)
                                                   .astype("float32")), axes).get()
    exact = x.astype("float64")
    rounding = 10 * np.finfo("float32").eps
    np.testing.assert_allclose(total, exact.sum(axes), rtol=rounding)
    np.testing.assert_allclose(variance, exact.var(axes, keepdims=True), rtol=rounding)


def compare_sums(x, axes):
    xp = emulated()
    there = xp.from_host(x)
    xp.launched.clear()
    total, var = xp.total(there, axes, True), xp.variance(there, xp.total(there, axes, True), axes)
    exact = x.astype("float64").sum(axis=axes, keepdims=True)
    np.testing.assert_allclose(total.get(), exact, rtol=1e-5, atol=1e-3)
    away = ((x - total.get()).astype("float64") ** 2).mean(axis=axes, keepdims=True)
    np.testing.assert_allclose(var.get(), away, rtol=1e-4)
    return list(xp.launched)


GEOMETRIES = [((7, 6), (3, 2), 1, 0, 1), ((8, 8), (4, 4), 2, 1, 1), ((7, 9), (5, 5), 2, "same", 1),
              ((9, 8), (3, 3), (2, 3), ((1, 0), (0, 2)), (2, 1)), ((4, 4), (1, 1), 2, 0, 1),
              ((5, 5), (2, 2), 3, 0, 1), ((3, 3), (3, 3), 1, 2, 1)]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_patches_and_their_adjoint(geometry):
    g = conv_geometry("test", *geometry)
    x = here(2, *g.in_size, 3)
    compare("patches", x, g, launches=["patches"], exact=True)
    rows = here(2 * math.prod(g.out_size), math.prod(g.kernel) * 3, seed=1)
    compare("fold", rows, g, 3, launches=["fold"], exact=True)  # sums in the same order too


def test_rows_put_back():
    ids = np.array([2, 0, 2, -1, 2])
    values = here(5, 4)
    xp = emulated()
    there = xp.from_host(ids)
    compare("put_add", (4, 4), (there,), values, True, launches=["scatter_rows"], exact=True)
    compare("put_add", (3,), (there,), here(5), True, launches=["scatter_rows"], exact=True)
    compare("put_add", (4, 4), (slice(0, 3),), values[:3], False, launches=[])
    compare("put_add", (4, 6, 4), (slice(None), there), here(4, 5, 4), True, launches=[])


SHAPES = [((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((3, 4), (2, 4, 5)),
          ((2, 1, 3, 4), (6, 4, 5)), ((1, 4), (4, 1)), ((5, 1), (1, 3)), ((1, 3, 4), (2, 4, 5))]


@pytest.mark.parametrize("flip_a, flip_b", [(False, False), (False, True), (True, False),
                                            (True, True)])
@pytest.mark.parametrize("a, b", SHAPES, ids=str)
def test_products(a, b, flip_a, flip_b):
    xp = emulated()
    hosts = []
    for i, (shape, flip) in enumerate(((a, flip_a), (b, flip_b))):
        hosts.append(here(*shape[:-2], *shape[:-3:-1], seed=i).swapaxes(-1, -2) if flip
                     else here(*shape, seed=i))
    there = []
    for host, flip in zip(hosts, (flip_a, flip_b)):
        contiguous = xp.from_host(np.ascontiguousarray(host.swapaxes(-1, -2) if flip else host))
        there.append(contiguous.swapaxes(-1, -2) if flip else contiguous)
    xp.lib.calls.clear()
    result = xp.product(*there)
    np.testing.assert_allclose(result.get(), hosts[0] @ hosts[1], rtol=1e-13, atol=1e-13)
    assert result.flags.c_contiguous and len(xp.lib.calls) == 1


def test_a_transpose_costs_no_copy():
    xp = emulated()
    a, b = xp.from_host(here(30, 40)), xp.from_host(here(50, 40))
    for left, right, flags in ((a, b.T, (1, 0)), (b, a.T, (1, 0)), (a.T, b.T[:30], (0, 1))):
        xp.lib.calls.clear()
        if left.shape[1] == right.shape[0]:
            xp.product(left, right)
            assert xp.lib.calls[0][:2] == flags


def test_products_that_cublas_is_not_asked_for():
    compare("product", np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2))
    compare("product", here(2, 0), here(0, 3))
    compare("product", here(0, 2), here(2, 3))


@pytest.mark.parametrize("precision, dtype, compute", [
    ("fp32", "float32", 68), ("tf32", "float32", 77), ("fp32", "float64", 70),
    ("tf32", "float64", 70)])
def test_the_precision_of_products(precision, dtype, compute, monkeypatch):
    xp = emulated()
    monkeypatch.setattr(xp, "precision", precision)
    a = xp.from_host(here(3, 3, dtype=dtype))
    xp.lib.calls.clear()
    xp.product(a, a)
    assert xp.lib.calls[0][5] == compute


# Random numbers.

KNOWN = [  # Philox4x64-10 of Random123's kat_vectors: counter, key, answer
    ("0" * 64, "0" * 32, "16554d9eca36314cdb20fe9d672d0fdcd7e772cee186176b7e68b68aec7ba23b"),
    ("f" * 64, "f" * 32, "87b092c3013fe90b438c3c67be8d02249cc7d7c69cd777b6a09caebf594f0ba0"),
    ("243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89",
     "452821e638d01377be5466cf34e90c6c",
     "a528f45403e61d9538c72dbd566e9788a5a1610e72fd18b557bd43b5e52b7fe6")]


@pytest.mark.parametrize("counter, key, answer", KNOWN)
def test_known_answers(counter, key, answer):
    words = np.array([int(counter[i:i + 16], 16) for i in range(0, 64, 16)], np.uint64)
    keys = [int(key[i:i + 16], 16) for i in (0, 16)]
    library("float32").cipher(ctypes.c_void_p(words.ctypes.data), *map(ctypes.c_uint64, keys))
    assert "".join(f"{int(word):016x}" for word in words) == answer


def test_random_words_are_the_hosts():
    xp = emulated()
    stream = Stream(3, "test")
    for n in (1, 4, 5, 64, 1003):
        out = xp.module.empty(n, "uint64")
        xp.each("random_words", "float32", n, *map(int, stream.key), *xp.clock(stream, "counter"),
                out)
        np.testing.assert_array_equal(out.get(), stream.words(n))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("low, high", [(0.0, 1.0), (-1.0, 1.0), (1.0, 1.0 + 1e-6), (3.0, 3.0)])
def test_uniforms_have_the_hosts_bits(dtype, low, high):
    ours, hosts = Stream(7, "a"), Stream(7, "a")
    for shape in ((1,), (8,), (9,), (64, 100), (0, 3), (), (7, 3)):
        u = ours.uniform(shape, low, high, dtype, emulated())
        v = hosts.uniform(shape, low, high, dtype, get_backend("numpy"))
        assert type(u) is EmulatedArray and u.dtype == dtype
        np.testing.assert_array_equal(u.get(), v)
        assert ours.counter == hosts.counter
    np.testing.assert_array_equal(ours.words(5), hosts.words(5))  # and goes on on the host


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mean, std", [(0.0, 1.0), (2.0, 0.02)])
def test_normals_are_the_hosts_up_to_rounding(dtype, mean, std):
    """Within 2 units in the last place: both compute in double precision."""
    ours, hosts = Stream(7, "a"), Stream(7, "a")
    for shape in ((1,), (2,), (7,), (16,), (17, 1), (300, 100), (0,), ()):
        u = ours.normal(shape, mean, std, dtype, emulated()).get()
        v = hosts.normal(shape, mean, std, dtype, get_backend("numpy"))
        assert u.shape == v.shape and u.dtype == v.dtype
        size = np.maximum(abs(v), abs(v - v.dtype.type(mean)))  # mean + value may cancel
        units = abs(u.astype("f8") - v) / np.spacing(np.maximum(size, np.finfo(dtype).tiny))
        assert np.all(units <= 2)
        assert ours.counter == hosts.counter


# Optimizers.

RULES = [lambda p: Adam(p, 1e-2, (0.5, 0.999)), lambda p: RMSprop(p, 1e-3),
         lambda p: SGD(p, 0.1, 0.9), lambda p: Adam(p, 1e-3, (0.0, 0.9), eps=1e-4)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", RULES)
def test_optimizers(make, dtype):
    states = []
    for device in ("emulated", "numpy"):
        with mg.use(device):
            rng = Stream(0, "a")
            net = mg.nn.Sequential(mg.nn.Dense(3, 5, rng=rng), mg.nn.Dense(5, 2, rng=rng))
            net.astype(dtype)
            optimizer = make(net.parameters())
            for i in range(5):
                grads = [mg.tensor(here(*p.shape, seed=i).astype(dtype)) for p in net.parameters()]
                with counted() as counts:
                    optimizer.step(grads)
                assert not counts
                optimizer.lr *= 0.9
            states.append({**net.state_dict(), **optimizer.state_dict()})
            assert optimizer.t == 5
    for name, value in states[0].items():
        np.testing.assert_allclose(value, states[1][name], rtol=1e-5 if dtype == "float32" else
                                   1e-12, atol=1e-7 if dtype == "float32" else 1e-14)


def test_only_the_class_that_names_a_kernel_runs_it():
    class Same(Adam):
        """Other defaults, the same rule."""

    class Sign(Adam):
        def rule(self, p, g, *running):
            p -= self.lr * self.xp.sign(g)

    class Warm(Adam):
        def prepare(self):
            super().prepare()
            self._rate *= min(1, self.t / 100)

    class Mixed(Sign, SGD):
        pass

    class Told(Sign):
        kernel = "sgd"

    for rule, kernel in ((Adam, "adam"), (RMSprop, "rmsprop"), (SGD, "sgd"), (Same, "adam"),
                         (Sign, None), (Warm, None), (Mixed, None), (Told, "sgd"),
                         (Optimizer, None)):
        parameters = mg.nn.Dense(2, 1).parameters()
        assert rule(parameters, 0.5).device_kernel() == kernel
    patched = Adam(mg.nn.Dense(2, 1).parameters())
    patched.rule = lambda p, g, *running: None
    assert patched.device_kernel() is None


def test_a_rule_that_overrides_ours_is_the_one_that_runs():
    class Sign(Adam):
        def rule(self, p, g, *running):
            p -= self.lr * self.xp.sign(g)

    with mg.use("emulated"):
        net = mg.nn.Dense(2, 1, bias=False)
        before = net.weight.numpy()
        optimizer = Sign(net.parameters(), 0.5)
        get_backend("emulated").launched.clear()
        optimizer.step([mg.tensor(np.full((2, 1), 3, "f4"))])
        np.testing.assert_allclose(net.weight.numpy(), before - 0.5)
        assert "adam" not in get_backend("emulated").launched
        with pytest.raises(mg.CaptureError, match="rule of Sign is not known to the device"):
            mg.capture(lambda: optimizer.step([mg.Tensor(net.weight.data)]))


def test_an_optimizer_without_a_kernel():
    class Sign(Optimizer):
        def rule(self, p, g, *running):
            p -= self.lr * self.xp.sign(g)

    with mg.use("emulated"):
        net = mg.nn.Dense(2, 1)
        before = net.weight.numpy()
        Sign(net.parameters(), 0.5).step([mg.tensor(np.ones((2, 1), "f4")),
                                          mg.tensor(np.ones(1, "f4"))])
        np.testing.assert_allclose(net.weight.numpy(), before - 0.5)


def test_averages():
    values = []
    for device in ("emulated", "numpy"):
        with mg.use(device):
            net = mg.nn.Sequential(mg.nn.Dense(3, 5, rng=Stream(0, "a")), mg.nn.BatchNorm(5))
            ema = EMA(net, 0.5)
            for i in range(12):
                net.layers[0].weight.assign(mg.tensor(here(3, 5, seed=i).astype("f4")))
                ema.update()
            values.append(ema.state_dict())
    assert values[0]["t"] == 12
    for name, value in values[0].items():
        np.testing.assert_allclose(value, values[1][name], rtol=1e-6, atol=1e-7)


# Everything.

@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_ops_give_what_numpy_gives(case):
    xp = emulated()
    there = case.run(lambda array: mg.Tensor(xp.from_host(array)))
    assert all(t.device == "emulated" for t in there.values + there.first + there.second)
    numpys = case.run(lambda array: mg.Tensor(np.array(array)))
    for ours, due in zip(there.results(), numpys.results(), strict=True):
        assert ours.dtype == due.dtype and ours.shape == due.shape
        np.testing.assert_allclose(ours, due, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, preset", LIGHT)
def test_models_train_as_on_numpy(name, preset, dtype):
    losses = []
    for device in ("emulated", "numpy"):
        with mg.use(device):
            model = small(name, preset)
            if dtype == "float64":
                in_float64(model)
            x, labels = batch(model, 8, dtype=dtype)
            with counted() as counts:
                for _ in range(3):
                    steps = model.step(x, labels)
            assert not counts  # no transfer, nothing waits for the device: noise is made there
            losses.append({loss: value.item() for loss, value in steps.items()})
    check_losses(*losses, dtype)
