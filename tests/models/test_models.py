"""Every preset of every model: shapes, gradients, what a step computes and keeps, same bits."""
from __future__ import annotations

import gc
import math
import sys
import weakref
from collections import Counter

import numpy as np
import pytest
from model_tools import (LARGE, LIGHT, PRESETS, SLOW, batch, build, check_gradients, count,
                         in_float64, inputs, sample, train)
from stand_in import counted

import minigan as mg
from minigan.backend import get_backend
from minigan.models.catalog import find, names

pytestmark = pytest.mark.rounding

EACH = pytest.mark.parametrize("name, preset", [
    pytest.param(*row, id=":".join(row), marks=[pytest.mark.slow] if row in SLOW else [])
    for row in PRESETS])
EACH_LIGHT = pytest.mark.parametrize("name, preset", LIGHT, ids=[":".join(row) for row in LIGHT])


def bits(owner):
    return {name: value.tobytes() for name, value in owner.state_dict().items()}


# Shapes and sizes: the table of DESIGN section 3, with biases, gains and offsets counted.

def dense(*sizes):
    return sum(n * m + m for n, m in zip(sizes, sizes[1:]))


def linear(*sizes, taps=1):
    """Weights alone: dense, or convolutions of `taps` = KH * KW."""
    return taps * sum(n * m for n, m in zip(sizes, sizes[1:]))


def norms(*features):
    return 2 * sum(features)


SEED = (dense(100, 128, 784), dense(784, 128, 1))
CONDITIONAL = (linear(64 + 10, 4 * 4 * 128) + norms(4 * 4 * 128) + linear(128, 64, taps=9)
               + linear(64, 32, 1, taps=16) + norms(64, 32) + 1)  # the convolutional G's
COUNTS = {  # generator, discriminator
    ("gan", "mlp"): (dense(100, 256, 512, 784) + norms(256, 512), dense(784, 512, 256, 1)),
    ("gan", "seed"): SEED,
    ("gan", "paper"): (dense(100, 1200, 1200, 784),
                       dense(784, 240 * 5) + dense(240, 240 * 5) + dense(240, 1)),
    ("dcgan", "small"): (
        linear(64, 4 * 4 * 128) + linear(128, 64, taps=9) + linear(64, 32, 1, taps=16)
        + norms(128, 64, 32),
        linear(1, 16, 32, taps=16) + linear(32, 64, taps=9) + norms(32, 64) + dense(4 * 4 * 64, 1)),
    ("dcgan", "wide28"): (linear(100, 6272) + linear(128, 64, 1, taps=16) + norms(128, 64),
                          linear(1, 64, 128, taps=16) + norms(128) + dense(6272, 1)),
    ("dcgan", "keras28"): (
        linear(100, 7 * 7 * 256) + linear(256, 128, 64, 1, taps=25) + norms(7 * 7 * 256, 128, 64),
        linear(1, 64, 128, taps=25) + 64 + 128 + dense(7 * 7 * 128, 1)),
    ("dcgan", "torch64"): (3_576_704, 2_765_568 + 1),  # as PyTorch's example, and one bias
    ("dcgan", "paper64"): (
        linear(100, 4 * 4 * 1024) + linear(1024, 512, 256, 128, 3, taps=25)
        + norms(1024, 512, 256, 128),
        linear(3, 128, 256, 512, 1024, taps=25) + norms(256, 512, 1024) + dense(4 * 4 * 1024, 1)),
    ("cgan", "conv"): (
        CONDITIONAL,
        linear(1 + 10, 16, taps=16) + 16 + linear(16 + 10, 32, taps=16)
        + linear(32 + 10, 64, taps=9) + norms(32, 64) + dense(4 * 4 * 64 + 10, 1)),
    ("cgan", "projection"): (
        CONDITIONAL,
        linear(1, 16, 32, taps=16) + 16 + linear(32, 64, taps=9) + norms(32, 64)
        + dense(4 * 4 * 64, 1) + linear(10, 4 * 4 * 64)),
    ("cgan", "mlp"): (dense(110, 256, 512, 784) + norms(256, 512), dense(794, 512, 256, 1)),
    ("cgan", "paper"): (
        dense(100, 200) + dense(10, 1000) + dense(1200, 1200, 784),
        dense(784, 240 * 5) + dense(10, 50 * 5) + dense(290, 240 * 4) + dense(240, 1)),
    ("wgan-gp", "wide28"): (
        dense(100, 6272) + linear(128, 64, 1, taps=16) + 64 + 1 + norms(128, 64),
        linear(1, 64, 128, taps=16) + 64 + 128 + norms(128) + dense(6272, 1)),
    ("wgan-gp", "seed"): SEED,
}


def test_the_catalogue():
    papers = [name for name in ("gan", "dcgan", "cgan", "wgan", "wgan-gp") if name in names()]
    assert names()[:len(papers)] == papers and len(set(names())) == len(names())
    assert list(find("gan").presets) == ["mlp", "seed", "paper"]  # the first is the default
    for name in names():
        model = find(name)
        assert model.name == name and model.paper and model.normal_curve
        assert model.default_steps > 0 and model.__doc__
        assert all(type(settings) is model.Settings for settings in model.presets.values())


@EACH
def test_a_preset_has_the_designs_sizes(name, preset):
    model = build(name, preset)
    sizes = tuple(mg.nn.count_parameters(net) for net in (model.generator, model.discriminator))
    assert COUNTS.get((name, preset), sizes) == sizes
    assert sum(sizes) < 3e6 or (name, preset) in LARGE
    images = sample(model, 3)
    x, _ = batch(model, 3)
    if hasattr(model.settings, "latent_size"):
        assert inputs(model, 3).shape == model.latent(3).shape == (3, model.settings.latent_size)
    assert images.shape == (3, *model.shape) == x.shape and images.dtype == x.dtype == np.float32
    if preset != "toy":
        assert np.abs(images).max() <= 1
    packed = [p for optimizer in model.optimizers.values() for p in optimizer.parameters]
    assert {id(p) for p in packed} == {id(p) for net in (model.generator, model.discriminator)
                                       for p in net.parameters()}
    assert all(p.name.startswith(("generator.", "discriminator.")) for p in packed)


def test_the_default_preset_is_the_first():
    model = find("gan")()
    assert model.preset == "mlp" and model.shape == (28, 28, 1) and model.ema is not None
    optimizer = model.g_optimizer
    assert type(optimizer) is mg.optim.Adam and optimizer.betas == (0.5, 0.999)
    assert optimizer.lr == model.d_optimizer.lr == model.settings.learning_rate
    parts = [m for net in (model.generator, model.discriminator) for _, m in net.named_modules()]
    assert {m.slope for m in parts if isinstance(m, mg.nn.LeakyReLU)} == {0.2}
    assert [m.rate for m in parts if isinstance(m, mg.nn.Dropout)] == [0.3, 0.3]
    assert build("gan", "seed").ema is None and build("gan", "seed").g_optimizer.lr == 2e-4
    assert type(build("gan", "paper").g_optimizer) is mg.optim.SGD


def test_settings_replace_single_ones():
    model = build("gan", "mlp", latent_size=7, learning_rate=1e-3, beta1=0.0, ema=0.0)
    assert model.latent(2).shape == (2, 7) and model.ema is None
    assert model.d_optimizer.lr == 1e-3 and model.d_optimizer.betas == (0.0, 0.999)
    assert find("gan")("seed", (8, 6, 3)).sample(model.latent_from(
        model.streams["x"], 2) @ mg.tensor(np.ones((7, 100), "float32"))).shape == (2, 8, 6, 3)
    assert find("gan").presets["mlp"].latent_size == 100  # the preset itself is as it was


@EACH_LIGHT
def test_wrong_names_are_refused(name, preset):
    model = find(name)
    with pytest.raises(ValueError, match=f"preset 'nosuch' of {name} is unknown; known are "
                       f".*{preset}"):
        model("nosuch")
    with pytest.raises(ValueError, match=f"setting 'nosuch' of {name} is unknown.*learning_rate"):
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
    with pytest.raises(ValueError, match="setting learning_rate of .* must be above 0"):
        find("gan")("seed", learning_rate=0.0)
    with pytest.raises(TypeError, match="seed must be an int, got 'seven'"):
        find("gan")("seed", streams="seven")


# Gradients.

def gradients_and_losses(model, x, labels):
    """(loss, parameters, gradients) for each use of `grad` in a step that changes no weight."""
    module, found = sys.modules[type(model).__module__], []
    grad = module.grad

    def spy(loss, parameters, *rest, **settings):
        gradients = grad(loss, parameters, *rest, **settings)
        found.append((loss.item(), parameters, gradients))
        return gradients

    for stream in model.streams.values():
        stream.counter = 0  # the same noise and the same masks each time
    turns = {name: optimizer.t for name, optimizer in model.optimizers.items()}
    for optimizer in model.optimizers.values():  # counts, as it decides whose turn it is
        optimizer.step = lambda _, o=optimizer: setattr(o, "t", o.t + 1)
    module.grad = spy
    try:
        model.step(x, labels)
    finally:
        module.grad = grad
        for name, optimizer in model.optimizers.items():
            optimizer.t = turns[name]
            del optimizer.step
    return found


@EACH
def test_gradients_are_those_of_the_losses(name, preset):
    """A step's gradients against differences of its losses, along one direction a weight.

    Of large networks all weights are moved at once.
    """
    unclipped = {"clip": 1e9} if name == "wgan" else {}
    model = in_float64(build(name, preset, every_step=True, **unclipped))
    x, labels = batch(model, 4, dtype="float64")
    found = gradients_and_losses(model, x, labels)
    assert len(found) == 2 and len({id(p) for _, ps, _ in found for p in ps}) == sum(
        len(ps) for _, ps, _ in found)  # D's and G's
    for i, (loss, parameters, gradients) in enumerate(found):
        check_gradients(lambda: gradients_and_losses(model, x, labels)[i][0], parameters,
                        gradients, together=(name, preset) in LARGE)
        assert max(np.linalg.norm(g.data) for g in gradients) > 1e-5


def test_the_minimax_loss_is_the_other_one():
    x, labels = batch(build("gan", "seed"), 4)
    values = [build("gan", "seed", loss=loss).step(x, labels)["g_loss"].item()
              for loss in ("non-saturating", "minimax")]
    assert values[0] > 0 > values[1]
    assert math.isclose(math.exp(values[1]) + math.exp(-values[0]), 1, abs_tol=0.05)  # 1 - D and D


@EACH_LIGHT
def test_the_generators_update_computes_no_gradients_of_critic_weights(name, preset, monkeypatch):
    model, made, phase = build(name, preset, every_step=True), Counter(), ["critic"]
    shared = {p.shape for p in model.generator.parameters()}
    weights = {p.shape for p in model.discriminator.parameters() if p.ndim > 1} - shared
    flat = {shape: (math.prod(shape[:-1]), shape[-1]) for shape in weights}  # as a conv computes
    critic = model.discriminator.parameters()[0].owner()
    step, product = critic.step, get_backend("numpy").product

    def watch(op, within, run):
        y = run()
        if within:
            made[phase[0], y.shape] += 1
        return y

    def multiply(a, b):  # also inside of a fused op
        y = product(a, b)
        made[phase[0], y.shape] += 1
        return y

    def then_the_generator(gradients):
        step(gradients)
        phase[0] = "generator"

    monkeypatch.setattr(critic, "step", then_the_generator)
    monkeypatch.setattr(get_backend("numpy"), "product", multiply)
    with mg.op_hook(watch):
        model.step(*batch(model, 5))
    assert weights
    for shape in weights:
        assert made["critic", shape] + made["critic", flat[shape]] > 0
        assert made["generator", shape] + made["generator", flat[shape]] == 0


# What a step leaves behind.

@EACH_LIGHT
def test_a_steps_memory_is_freed_at_once(name, preset):
    model = build(name, preset, every_step=True)
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
        assert not [op for op, tensor, _ in seen if (t := tensor()) is not None
                    and id(t.data) not in kept]
        assert not [op for op, _, array in seen if array() is not None and id(array()) not in kept]
    finally:
        gc.enable() if collecting else None


@EACH_LIGHT
def test_losses_are_detached_scalars(name, preset):
    model = build(name, preset, every_step=True)
    for losses in train(model, 2):
        assert len(losses) >= 2
        for value in losses.values():
            assert value.size == 1 and value.op is None and not value.requires_grad
            assert math.isfinite(value.item()) and value.dtype == np.float32


@EACH_LIGHT
def test_every_weight_is_trained(name, preset):
    model = build(name, preset, every_step=True)
    before, average = model.state_dict(), model.ema and model.ema.network.state_dict()
    train(model, 2)
    after = model.state_dict()
    assert list(before) == list(after)
    for key, value in before.items():
        if value.ndim > 1 or "running" in key or key.endswith(("/t", "/m", "/v")):
            assert not np.array_equal(value, after[key]), key
    assert model.ema is None or all(not np.array_equal(value, average[key]) for key, value in
                                    model.ema.network.state_dict().items() if value.ndim > 1)


# The same bits.

@EACH_LIGHT
def test_the_same_seed_gives_the_same_bits(name, preset):
    """Also when somebody looks on: previews and samples draw from streams of their own."""
    one, two, other = (build(name, preset, seed) for seed in (5, 5, 6))
    assert bits(one) == bits(two)
    assert all(a != b for (key, a), b in zip(bits(one.generator).items(),
                                             bits(other.generator).values())
               if key.endswith("weight"))
    for seed in range(20 if name == "gan" else 6):  # a WGAN's generator moves in the fifth
        pair = batch(one, 4, seed)
        one.step(*pair)
        sample(two, 9)
        two.step(*pair)
        sample(two, 2, seed, raw=True)
    assert bits(one) == bits(two) and one.streams.state() == two.streams.state()


@EACH_LIGHT
def test_a_saved_state_continues_with_the_same_bits(name, preset):
    one, two = build(name, preset, 5), build(name, preset, 5)
    train(one, 3)
    two.load_state_dict(one.state_dict())
    two.streams.load_state(one.streams.state())
    assert bits(one) == bits(two)
    for seed in (10, 11, 12):  # a WGAN's generator moves in the fifth step
        a, b = (model.step(*batch(one, 4, seed)) for model in (one, two))
        assert {k: v.item() for k, v in a.items()} == {k: v.item() for k, v in b.items()}
    assert bits(one) == bits(two)
    if one.ema:
        assert one.ema.t == two.ema.t > 0 and bits(one.ema.network) == bits(two.ema.network)


@EACH_LIGHT
def test_sampling_changes_nothing(name, preset):
    model = build(name, preset, every_step=True)
    train(model, 2)
    before, streams = bits(model), model.streams.state()
    images, raw = sample(model, 4), sample(model, 4, raw=True)
    assert bits(model) == before and model.streams.state() == streams
    assert all(m.training for _, m in model.generator.named_modules())
    assert np.array_equal(sample(model, 4), images) and not np.array_equal(sample(model, 4, 2),
                                                                           images)
    assert np.array_equal(raw, images) == (model.ema is None)
    alone = sample(model, 1, raw=True)  # an image does not depend on the others, also not its z
    rows = inputs(model, 4)[:1]
    labels = np.zeros(1, int) if model.conditional else None
    again = model.sample(rows, labels, raw=True)
    assert not again.requires_grad and again.op is None and alone.shape == again.shape
    np.testing.assert_allclose(again.data[0], raw[0], atol=1e-5)
    with pytest.raises(ValueError):
        model.sample(mg.tensor(np.zeros((1, 1), "float32")), labels)
    assert all(m.training for _, m in model.generator.named_modules())


def test_the_average_draws_the_samples():
    model = build("gan", "mlp", ema=0.5)
    train(model, 3)
    assert model.ema.t == 3
    z = model.latent_from(mg.Stream(1, "sample"), 4)
    assert np.array_equal(model.sample(z).data, model.ema.network(z).data)
    model.generator.eval()
    assert np.array_equal(model.sample(z, raw=True).data, model.generator(z).data)


# Another device.

@EACH_LIGHT
def test_a_step_on_a_device_is_numpys_and_never_waits(name, preset):
    here = in_float64(build(name, preset, every_step=True))
    due = train(here, 2, 4, "float64")
    with mg.use("stand-in"):
        there = in_float64(build(name, preset, every_step=True))
        batches = [batch(there, 4, seed, "float64") for seed in range(2)]
        with counted() as counts:
            losses = [there.step(*pair) for pair in batches]
    assert set(counts) <= {"from_host"}  # noise and dropout masks are drawn on the host
    assert there.generator.parameters()[0].device == "stand-in"
    for ours, numpys in zip(losses, due, strict=True):
        for key, value in numpys.items():
            assert math.isclose(ours[key].item(), value.item(), rel_tol=1e-9, abs_tol=1e-11)
    state = here.state_dict()
    for key, value in there.state_dict().items():
        np.testing.assert_allclose(value, state[key], rtol=1e-6, atol=1e-9, err_msg=key)


@EACH_LIGHT
def test_light_presets_are_light(name, preset):
    assert count(build(name, preset)) < 3e6
