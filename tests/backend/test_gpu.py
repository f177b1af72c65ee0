"""What only a GPU can show: `python -m pytest -m gpu`. Skipped where there is none.

MINIGAN_TEST_DEVICE=emulated runs the same tests on the emulated GPU, which shows that the tests
themselves are right; only on a GPU do they say anything about CUDA.
"""
from __future__ import annotations

import os

import numpy as np
import pytest
from capture_tools import both_kinds, everything, same, stepper, trained
from model_tools import LIGHT, batch, small
from op_table import CASES

import minigan as mg
from minigan import ops
from minigan.backend import BackendError, get_backend
from minigan.backend.base import Backend
from minigan.geometry import conv_geometry
from minigan.streams import Stream

pytestmark = pytest.mark.gpu
DEVICE = os.environ.get("MINIGAN_TEST_DEVICE", "cupy")
FLOAT32 = 1e-5   # relative to the largest element: order of sums, fused multiply-adds
LOSSES = 2e-3    # of ten steps of training, relative: Adam makes a step of every rounding


@pytest.fixture(scope="module", autouse=True)
def xp():
    if DEVICE == "emulated":
        __import__("emulated").emulated()
    try:
        backend = get_backend(DEVICE)
    except BackendError as error:
        pytest.skip(str(error))
    with mg.use(DEVICE):
        yield backend


def random(*shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def assert_close(ours, due, tolerance):
    scale = max(float(np.max(np.abs(due), initial=0.0)), 1e-30)
    assert np.max(np.abs(ours - due), initial=0.0) <= tolerance * scale


# Numbers.

@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_ops_and_two_orders_of_gradients(xp, case):
    there = case.run(lambda array: mg.Tensor(xp.from_host(array)))
    assert all(t.device == DEVICE for t in there.values + there.first + there.second)
    here = case.run(lambda array: mg.Tensor(np.array(array)))
    for ours, numpys in zip(there.results(), here.results(), strict=True):
        assert ours.dtype == numpys.dtype and ours.shape == numpys.shape
        np.testing.assert_allclose(ours, numpys, rtol=1e-10, atol=1e-11)


G = conv_geometry("test", (14, 14), (4, 4), 2, 1, 1)
PRIMITIVES = {
    "product": [random(300, 200), random(200, 100, seed=1)],
    "total rows": [random(700, 9001), (1,), False],
    "total columns": [random(70_000, 64), (0,), True],
    "total all": [random(100, 1000), (0, 1), False],
    "dot": [random(64, 14, 14, 128), random(64, 14, 14, 128, seed=1), (0, 1, 2)],
    "variance": [random(64, 14, 14, 128), random(64, 1, 1, 1, seed=1) * 0.1, (1, 2, 3)],
    "leaky_relu": [random(1000, 333), 0.2], "gate": [random(99, 9), random(99, 9, seed=1), 0.2],
    "keep": [random(99, 9), np.maximum(random(99, 9, seed=1), 0)],
    "biased": [random(5000, 64), random(64, seed=1), 0.0],
    "scale_shift": [random(64, 7, 7, 32), random(64, 1, 1, 32, seed=1),
                    random(64, 1, 1, 1, seed=2)],
    "mix": [random(64, 7, 7, 32), random(1, 1, 1, 32, seed=1), random(64, 7, 7, 32, seed=2),
            random(64, 1, 1, 1, seed=3), 0.5],
    "patches": [random(16, 14, 14, 33), G], "fold": [random(16 * 49, 16 * 33), G, 33],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(PRIMITIVES))
def test_kernels_against_their_plain_twins(xp, name, dtype):
    arguments = [xp.from_host(a.astype(dtype)) if isinstance(a, np.ndarray) else a
                 for a in PRIMITIVES[name]]
    method = name.split()[0]
    ours = xp.to_host(getattr(xp, method)(*arguments))
    plain = getattr(Backend, method)(get_backend("numpy"), *[
        a.astype("float64") if isinstance(a, np.ndarray) else a for a in PRIMITIVES[name]])
    assert ours.dtype == dtype and ours.shape == plain.shape
    assert_close(ours, plain, FLOAT32 if dtype == "float32" else 1e-13)


@pytest.mark.parametrize("precision, low, high", [("fp32", 0.0, 2e-6), ("tf32", 1e-5, 2e-3)])
def test_precisions(xp, precision, low, high):
    if DEVICE == "emulated" and precision == "tf32":
        pytest.skip("the emulated GPU has no tensor cores")
    a, b = random(256, 512), random(512, 256, seed=1)
    xp.set_precision(precision)
    try:
        ours = xp.to_host(xp.product(xp.from_host(a), xp.from_host(b)))
    finally:
        xp.set_precision("fp32")
    exact = a.astype("float64") @ b
    assert low <= np.abs(ours - exact).max() / np.abs(exact).max() <= high


# Random numbers.

@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("low, high", [(0.0, 1.0), (-1.0, 1.0), (3.0, 3.1)])
def test_uniforms_and_masks_have_the_hosts_bits(xp, dtype, low, high):
    ours, hosts = Stream(7, "a"), Stream(7, "a")
    for shape in ((1,), (9,), (64, 100), (3, 1001)):
        u, v = (s.uniform(shape, low, high, dtype, where)
                for s, where in ((ours, xp), (hosts, get_backend("numpy"))))
        np.testing.assert_array_equal(xp.to_host(u), v)
        np.testing.assert_array_equal(xp.to_host(u >= 0.3), v >= 0.3)
    assert ours.counter == hosts.counter


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normals_are_the_hosts_up_to_rounding(xp, dtype):
    ours, hosts = Stream(7, "a"), Stream(7, "a")
    u, v = (s.normal((1000, 100), 0.0, 1.0, dtype, where)
            for s, where in ((ours, xp), (hosts, get_backend("numpy"))))
    units = np.abs(xp.to_host(u).astype("float64") - v) / np.spacing(np.abs(v))
    assert units.max() <= 2


# Training.

@pytest.mark.parametrize("name, preset", LIGHT)
def test_training_gives_numpys_losses(name, preset):
    losses = []
    for device in (DEVICE, "numpy"):
        with mg.use(device):
            model = small(name, preset, **both_kinds(name))
            rows = []
            for i in range(10):
                x, labels = batch(model, 16, seed=i)
                rows.append({key: value.item() for key, value in model.step(x, labels).items()})
            losses.append(rows)
    for ours, numpys in zip(*losses):
        assert ours == pytest.approx(numpys, rel=LOSSES, abs=LOSSES)


@pytest.mark.parametrize("name, preset", LIGHT)
def test_captured_and_eager_steps_have_the_same_bits(name, preset):
    settings = both_kinds(name)
    eager, eager_losses, _ = trained(name, preset, False, **settings)
    replayed, losses, step = trained(name, preset, True, **settings)
    assert all(step.graphs.values())
    assert losses == eager_losses
    same(everything(replayed), everything(eager))


def test_eager_work_between_replays_does_no_harm(xp):
    """What a capture freed must not be handed out again: its memory is in use in every replay."""
    results = []
    for disturb in (False, True):
        model = small("dcgan", "small")
        step = stepper(model, True)
        for _ in range(6):
            step()
            if disturb:
                sum(len(xp.full((n,), np.nan, "float32")) for n in (64, 1000, 9999, 100_000))
        results.append(everything(model))
    same(*results)


def test_memory_is_flat_over_10_000_steps(xp):
    if DEVICE != "cupy":
        pytest.skip("memory of a GPU")
    pool = xp.module.get_default_memory_pool()
    model = small("gan", "mlp")
    for captured, count in ((False, 200), (True, 10_000)):
        step = stepper(model, captured)
        for _ in range(5):
            step()
        xp.synchronize()
        free = xp.module.cuda.runtime.memGetInfo()[0]
        used, total = pool.used_bytes(), pool.total_bytes()
        for _ in range(count):
            step()
        xp.synchronize()
        assert (pool.used_bytes(), pool.total_bytes()) == (used, total)
        assert xp.module.cuda.runtime.memGetInfo()[0] >= free - (1 << 20)


def test_capturing_names_what_waits(xp):
    x = mg.tensor([1.0, 2.0])
    ops.sum(x).item()
    with pytest.raises(mg.CaptureError, match="outside of any op"):
        mg.capture(lambda: {"y": ops.sum(x).item()})
    with pytest.raises(mg.CaptureError):
        mg.capture(lambda: {"y": mg.Tensor(xp.from_host(np.ones(3, "f4")))})
    assert ops.sum(x).item() == 3  # the device goes on


def test_a_replay_does_not_wait(xp):
    """The host has asked for many replays long before the device has made them."""
    if DEVICE != "cupy":
        pytest.skip("a device that works by itself")
    step = stepper(small("dcgan", "wide28", width=64, d_width=64), True)
    for _ in range(5):
        step()
    xp.synchronize()
    done = xp.module.cuda.Event()
    for _ in range(50):
        step()
    done.record(xp.stream)
    assert not done.done
    xp.synchronize()
    assert done.done


def test_devices_do_not_mix(xp):
    with pytest.raises(TypeError, match=f"add mixes tensors on {DEVICE} and numpy"):
        mg.tensor([1.0]) + mg.Tensor(np.ones(1, "float32"))
