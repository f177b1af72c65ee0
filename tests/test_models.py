"""Every preset of every model: shapes, gradients, what a step computes and keeps, same bits."""
from __future__ import annotations

import gc
import math
import weakref
from collections import Counter

import numpy as np
import pytest
from model_tools import LARGE, LIGHT, PRESETS, batch, build, count, in_float64, train
from stand_in import counted

import minigan as mg
from minigan.backend import Stream, get
from minigan.models.catalog import find, names

EACH = pytest.mark.parametrize("name, preset", [
    pytest.param(*row, id=":".join(row), marks=[pytest.mark.slow] if row in LARGE else [])
    for row in PRESETS])
EACH_LIGHT = pytest.mark.parametrize("name, preset", LIGHT, ids=[":".join(row) for row in LIGHT])


def bits(network):
    return {name: value.tobytes() for name, value in network.state_dict().items()}


def everything(model):
    return {name: value.tobytes() for name, value in model.state_dict().items()}


# Shapes and sizes: the table of DESIGN section 3, with biases, gains and offsets counted.

def dense(*sizes):
    return sum(n * m + m for n, m in zip(sizes, sizes[1:]))


COUNTS = {  # generator, discriminator
    ("gan", "mlp"): (dense(100, 256, 512, 784) + 2 * 256 + 2 * 512, dense(784, 512, 256, 1)),
    ("gan", "seed"): (dense(100, 128, 784), dense(784, 128, 1)),
    ("gan", "paper"): (dense(100, 1200, 1200, 784),
                       dense(784, 240 * 5) + dense(240, 240 * 5) + dense(240, 1)),
    ("dcgan", "small"): (100 * 3136 + 2 * 64 + 16 * 64 * 32 + 2 * 32 + 16 * 32,
                         16 * 32 + 16 * 32 * 64 + 2 * 64 + dense(3136, 1)),
    ("dcgan", "wide28"): (100 * 6272 + 2 * 128 + 16 * 128 * 64 + 2 * 64 + 16 * 64,
                          16 * 64 + 16 * 64 * 128 + 2 * 128 + dense(6272, 1)),
    ("dcgan", "keras28"): (102 * 12544 + 25 * 256 * 128 + 2 * 128 + 25 * 128 * 64 + 2 * 64
                           + 25 * 64, 26 * 64 + 25 * 64 * 128 + 128 + dense(6272, 1)),
    ("dcgan", "torch64"): (3_576_704, 2_765_568 + 1),  # as PyTorch's example, and one bias
    ("dcgan", "paper64"): (
        100 * 16384 + sum(25 * n * m + 2 * n for n, m in ((1024, 512), (512, 256), (256, 128),
                                                          (128, 3))),
        25 * 3 * 128 + sum(25 * n * m + 2 * m for n, m in ((128, 256), (256, 512), (512, 1024)))
        + dense(16384, 1)),
}


def test_the_catalogue():
    assert names()[0] == "gan" and names() == sorted(set(names()), key=names().index)
    assert list(find("gan").presets) == ["mlp", "seed", "paper"]  # the first is the default
    for name in names():
        model = find(name)
        assert model.name == name and model.paper and model.normal_curve
        assert model.default_steps > 0 and model.__doc__
        assert all(type(settings) is model.Settings for settings in model.presets.values())


@EACH
def test_a_preset_has_the_designs_sizes(name, preset):
    model = build(name, preset)
    assert (name, preset) in COUNTS, "add the sizes of a new preset to COUNTS"
    assert COUNTS[name, preset] == tuple(
        mg.nn.count_parameters(net) for net in (model.generator, model.discriminator))
    z = model.latent(3)
    images = model.sample(z)
    x, _ = batch(model, 3)
    assert z.shape == (3, model.settings.latent_size) and images.shape == (3, *model.shape)
    assert np.abs(images.data).max() <= 1 and images.dtype == x.dtype == np.float32
    if name == "gan":
        assert model.discriminator(x).shape == (3, 1)
    packed = [p for optimizer in model.optimizers.values() for p in optimizer.parameters]
    assert {id(p) for p in packed} == {id(p) for net in (model.generator, model.discriminator)
                                       for p in net.parameters()}
    assert all(p.name.startswith(("generator.", "discriminator.")) for p in packed)


def test_the_default_preset_is_the_first():
    model = find("gan")()
    assert model.preset == "mlp" and model.shape == (28, 28, 1) and model.ema is not None
    optimizer = model.g_optimizer
    assert (optimizer.lr, optimizer.betas, type(optimizer)) == (2e-4, (0.5, 0.999), mg.optim.Adam)
    slopes = {m.slope for net in (model.generator, model.discriminator)
              for _, m in net.named_modules() if isinstance(m, mg.nn.LeakyReLU)}
    rates = [m.rate for _, m in model.discriminator.named_modules()
             if isinstance(m, mg.nn.Dropout)]
    assert slopes == {0.2} and rates == [0.3, 0.3]
    assert build("gan", "seed").ema is None and type(
        build("gan", "paper").g_optimizer) is mg.optim.SGD


def test_settings_replace_single_ones():
    model = build("gan", "mlp", latent_size=7, learning_rate=1e-3, beta1=0.0, ema=0.0)
    assert model.latent(2).shape == (2, 7) and model.ema is None
    assert model.d_optimizer.lr == 1e-3 and model.d_optimizer.betas == (0.0, 0.999)
    assert find("gan")("seed", (8, 6, 3)).sample(build("gan", "seed").latent(2)).shape == (
        2, 8, 6, 3)
    assert find("gan").presets["mlp"].latent_size == 100  # the preset itself is as it was


@EACH
def test_wrong_names_are_refused(name, preset):
    model = find(name)
    with pytest.raises(ValueError, match=f"preset 'nosuch' of {name} is unknown; known are "
                       f".*{preset}"):
        model("nosuch")
    with pytest.raises(ValueError, match=f"setting 'nosuch' of {name} is unknown.*latent_size"):
        model(preset, nosuch=1)


def test_wrong_values_are_refused():
    with pytest.raises(ValueError, match="setting loss of gan must be one of non-saturating, "
                                         "minimax, got 'hinge'"):
        find("gan")("seed", loss="hinge")
    with pytest.raises(ValueError, match="model 'nogan' is unknown; known are gan"):
        find("nogan")
    for value in (0, -3, 2.5):
        with pytest.raises(ValueError, match=f"whole number of 1 or more, got {value}"):
            find("gan")("seed", latent_size=value)
    with pytest.raises(ValueError, match="lr must be above 0"):
        find("gan")("seed", learning_rate=0.0)
    with pytest.raises(TypeError, match="seed must be an int, got 'seven'"):
        find("gan")("seed", streams="seven")


# Gradients.

def gradients_and_losses(model, x, labels):
    """What a step hands to each optimizer, and its losses, with all weights left alone."""
    handed = {}
    for name, optimizer in model.optimizers.items():
        optimizer.step = lambda grads, name=name: handed.__setitem__(name, grads)
    for stream in model.streams.values():
        stream.counter = 0  # the same noise and the same masks each time
    losses = {key: value.item() for key, value in model.step(x, labels).items()}
    for optimizer in model.optimizers.values():
        del optimizer.step
    return handed, losses


@EACH
def test_gradients_are_those_of_the_printed_losses(name, preset):
    """One step's gradients against differences of its losses, along one direction a weight."""
    model = in_float64(build(name, preset))
    x, labels = batch(model, 4, dtype="float64")
    handed, losses = gradients_and_losses(model, x, labels)
    assert list(handed) == ["d_optimizer", "g_optimizer"] and len(losses) >= 2
    random, eps = np.random.Generator(np.random.Philox(1)), 1e-5
    for optimizer, loss in zip(handed, losses):
        parameters = model.optimizers[optimizer].parameters
        for p, g in zip(parameters, handed[optimizer], strict=True):
            norm, d = np.linalg.norm(g.data), random.standard_normal(p.shape)
            d = g.data / max(norm, 1e-12) + d / np.linalg.norm(d)
            d, start, values = d / np.linalg.norm(d), p.data.copy(), []
            for step in (eps, -eps):
                p.assign(start + step * d)
                values.append(gradients_and_losses(model, x, labels)[1][loss])
            p.assign(start)
            numeric = (values[0] - values[1]) / (2 * eps)
            assert abs(numeric - np.sum(g.data * d)) <= 1e-6 * max(norm, 1e-3), p.name
        assert max(np.linalg.norm(g.data) for g in handed[optimizer]) > 1e-3


def test_the_minimax_loss_is_the_other_one():
    x, labels = batch(build("gan", "seed"), 4)
    values = [build("gan", "seed", loss=loss).step(x, labels)["g_loss"].item()
              for loss in ("non-saturating", "minimax")]
    assert values[0] > 0 > values[1]
    assert math.isclose(math.exp(values[1]) + math.exp(-values[0]), 1, abs_tol=0.05)  # D and 1 - D


@EACH_LIGHT
def test_the_generators_update_computes_no_gradients_of_critic_weights(name, preset, monkeypatch):
    model, made = build(name, preset), Counter()
    shared = {p.shape for p in model.generator.parameters()}
    weights = {p.shape for p in model.discriminator.parameters() if p.ndim > 1} - shared
    flat = {shape: (math.prod(shape[:-1]), shape[-1]) for shape in weights}  # as a conv computes
    critic, phase = model.discriminator.parameters()[0].owner(), ["critic"]
    step, product = critic.step, get("numpy").product

    def watch(op, within, run):
        y = run()
        if within:
            made[phase[0], y.shape] += 1
        return y

    def multiply(a, b):
        y = product(a, b)
        made[phase[0], y.shape] += 1
        return y

    def then_the_generator(grads):
        step(grads)
        phase[0] = "generator"

    monkeypatch.setattr(critic, "step", then_the_generator)
    monkeypatch.setattr(get("numpy"), "product", multiply)
    with mg.op_hook(watch):
        model.step(*batch(model, 5))
    assert weights
    for shape in weights:
        assert made["critic", shape] + made["critic", flat[shape]] > 0
        assert made["generator", shape] + made["generator", flat[shape]] == 0


# What a step leaves behind.

@EACH_LIGHT
def test_a_steps_memory_is_freed_at_once(name, preset):
    model = build(name, preset)
    x, labels = batch(model, 4)
    model.step(x, labels)
    seen, collecting = [], gc.isenabled()

    def watch(op, within, run):
        y = run()
        seen.append((op.name, weakref.ref(y), weakref.ref(y.data)))
        return y

    gc.disable()
    try:
        with mg.op_hook(watch):
            losses = model.step(x, labels)
        kept = {id(value.data) for value in losses.values()}
        assert len(seen) > 20
        assert not [op for op, tensor, _ in seen if tensor() is not None]
        assert not [op for op, _, array in seen if array() is not None and id(array()) not in kept]
    finally:
        gc.enable() if collecting else None


@EACH_LIGHT
def test_losses_are_detached_scalars(name, preset):
    model = build(name, preset)
    for losses in train(model, 2):
        assert len(losses) >= 2
        for value in losses.values():
            assert value.size == 1 and value.op is None and not value.requires_grad
            assert math.isfinite(value.item()) and value.dtype == np.float32


@EACH_LIGHT
def test_every_weight_is_trained(name, preset):
    model = build(name, preset)
    before = model.state_dict()
    train(model, 2)
    after = model.state_dict()
    still = [key for key in before if np.array_equal(before[key], after[key])]
    assert not still and list(before) == list(after)


# The same bits.

@EACH_LIGHT
def test_the_same_seed_gives_the_same_bits(name, preset):
    """Also when somebody looks on: previews and samples draw from streams of their own."""
    one, two, other = (build(name, preset, seed) for seed in (5, 5, 6))
    preview = two.latent_from(Stream(5, "preview"), 9)
    assert bits(one.generator) == bits(two.generator) != bits(other.generator)
    for seed in range(20):
        x, labels = batch(one, 8, seed)
        one.step(x, labels)
        two.sample(preview)
        two.step(x, labels)
        two.sample(two.latent_from(Stream(seed, "sample"), 2), raw=True)
    assert everything(one) == everything(two)
    assert one.streams.state() == two.streams.state()


@EACH_LIGHT
def test_a_saved_state_continues_with_the_same_bits(name, preset):
    one = build(name, preset, 5)
    train(one, 3)
    two, state = build(name, preset, 9), one.state_dict()
    two.load_state_dict(state)
    assert one.streams.state() != two.streams.state() or one.streams.seed != two.streams.seed
    one = build(name, preset, 9)  # its layers hold the streams of the same seed as two's
    one.load_state_dict(state)
    two.streams.load_state(one.streams.state())
    for seed in (1, 2):
        a, b = (model.step(*batch(one, 8, seed)) for model in (one, two))
        assert [v.item() for v in a.values()] == [v.item() for v in b.values()]
    assert everything(one) == everything(two)


@EACH_LIGHT
def test_sampling_changes_nothing(name, preset):
    model = build(name, preset)
    train(model, 2)
    before, streams = everything(model), model.streams.state()
    z = model.latent_from(Stream(1, "sample"), 4)
    images = model.sample(z)
    assert everything(model) == before and model.streams.state() == streams
    assert not images.requires_grad and images.op is None
    assert all(m.training for _, m in model.generator.named_modules())
    assert model.sample(z).data.tobytes() == images.data.tobytes()
    raw = model.sample(z, raw=True)
    assert (raw.data.tobytes() == images.data.tobytes()) == (model.ema is None)
    alone = model.sample(z[:1], raw=True)  # an image does not depend on the others
    np.testing.assert_allclose(alone.data[0], raw.data[0], atol=1e-5)
    with pytest.raises(ValueError):
        model.sample(mg.tensor(np.zeros((2, 1), "float32")))
    assert all(m.training for _, m in model.generator.named_modules())


def test_the_average_draws_the_samples():
    model = build("gan", "mlp", ema=0.5)
    train(model, 3)
    assert model.ema.t == 3
    z = model.latent_from(Stream(1, "sample"), 4)
    assert np.array_equal(model.sample(z).data, model.ema.network(z).data)
    model.generator.eval()
    assert np.array_equal(model.sample(z, raw=True).data, model.generator(z).data)


# Another device.

@EACH_LIGHT
def test_a_step_on_a_device_is_numpys_and_never_waits(name, preset):
    here = in_float64(build(name, preset))
    due = train(here, 3, 4, "float64")
    with mg.use("stand-in"):
        there = in_float64(build(name, preset))
        batches = [tuple(batch(there, 4, seed, "float64")) for seed in range(3)]
        with counted() as counts:
            losses = [there.step(*pair) for pair in batches]
    assert set(counts) <= {"from_host"}  # noise and dropout masks are drawn on the host
    assert there.generator.parameters()[0].device == "stand-in"
    for ours, numpys in zip(losses, due, strict=True):
        for key, value in numpys.items():
            assert math.isclose(ours[key].item(), value.item(), rel_tol=1e-9)
    state = here.state_dict()
    for key, value in there.state_dict().items():
        np.testing.assert_allclose(value, state[key], rtol=1e-7, atol=1e-10, err_msg=key)


@EACH_LIGHT
def test_light_presets_are_light(name, preset):
    assert count(build(name, preset)) < 3e6
