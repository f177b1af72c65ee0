"""Inversion: derivatives, what it finds, what it refuses, and that its checks can fail."""
from __future__ import annotations

import json
import os
import runpy

import numpy as np
import pytest
import stand_in  # noqa: F401  (registers the device)
from project import ROOT

import minigan as mg
from minigan.data import to_model
from minigan.editing import Drawing, floor
from minigan.editing import inversion as inversion_file
from minigan.editing import invert
from minigan.editing.descent import BLOCK, Objective, blocks, descend, rate
from minigan.editing.features import WEIGHT, judge_features
from minigan.editing.inversion import PRIOR, rms_error
from minigan.editing.nearest import Draws, blurred, squared_distances
from minigan.engine import Tensor, grad
from minigan.models import CGAN, DCGAN
from minigan.models.pix2pix import Pix2Pix
from minigan.nn import Dense, Module
from minigan.runs.exporting import PRETRAINED
from minigan.streams import Stream

FEW = {"steps": 30, "draws": 20}
N = 4


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """BLAS with threads of its own takes several times as long for such small products."""
    mg.use_threads(1)


@pytest.fixture(scope="module")
def model():
    return mg.load(PRETRAINED).model


@pytest.fixture(scope="module")
def own(model):
    """The generator's own pictures, inverted."""
    return floor(model, N, **FEW)


@pytest.fixture(scope="module")
def small():
    """A model without labels, untrained, with small latents and weights that show in pictures."""
    model = DCGAN("small", width=4, d_width=4, latent_size=5, ema=0.5)
    for network in (model.generator, model.ema.network):
        for p in network.parameters():
            if p.role == "weight":
                p.assign(20 * p.numpy())
    return model


def pictures_of(model, n=N, seed=1):
    """n of its pictures, uint8, with their latents and labels."""
    drawing = Drawing(model)
    labels = np.arange(n) % 10 if model.conditional else None
    z = drawing.latents(Stream(seed, "test"), n).numpy()
    return drawing.pixels(z, labels), z, labels


# The generator, with derivatives.

def test_a_drawing_is_what_sample_draws(model):
    pixels, z, labels = pictures_of(model)
    drawn = model.sample(mg.tensor(z), labels).numpy()
    np.testing.assert_array_equal(Drawing(model).images(z, labels), drawn)
    assert np.abs(to_model(pixels) - drawn).max() <= 1.0001 / 255


def test_a_drawing_uses_the_average_and_leaves_the_mode_alone(small):
    average = small.ema.network.parameters()[0]
    before = average.numpy().copy()
    z = Drawing(small).latents(Stream(0, "test"), 3).numpy()
    first = Drawing(small).images(z)
    average.assign(2 * before)
    assert np.abs(Drawing(small).images(z) - first).max() > 0
    average.assign(before)
    assert small.generator.training


def row_sums(images):
    """A smooth function of images (N, 28, 28, 1), as vectors (N, 28)."""
    return mg.ops.tanh(mg.ops.sum(images, (2, 3)))


@pytest.mark.parametrize("features", [None, row_sums])
def test_the_objective_has_the_derivative_of_central_differences(model, features):
    exact = mg.load(PRETRAINED).model
    exact.generator.astype("float64")  # differences of float32 would measure rounding
    objective = Objective(Drawing(exact), 0.3, features, 0.3)
    pixels, z, labels = pictures_of(model, 2)
    z = z.astype(np.float64)
    x = mg.tensor(to_model(pixels[::-1].copy()).astype(np.float64))
    seen = features and features(x)
    wanted = objective.drawing.labels(labels, 2)

    def value(at):
        return mg.ops.sum(objective(at, wanted, x, seen))

    leaf = mg.tensor(z, requires_grad=True)
    slope = grad(value(leaf), [leaf])[0].numpy()
    step = 1e-6 * np.random.default_rng(0).normal(size=z.shape)
    measured = (value(mg.tensor(z + step)) - value(mg.tensor(z - step))).item() / 2
    assert measured == pytest.approx((slope * step).sum(), rel=1e-4)


def test_the_prior_is_least_at_the_due_length(model):
    objective = Objective(Drawing(model), 1.0)
    pixels, z, labels = pictures_of(model, 1)
    wanted = objective.drawing.labels(labels, 1)
    unit = z / np.linalg.norm(z)
    plain = Objective(Drawing(model), 0.0)
    x = mg.tensor(to_model(pixels))
    priors = []
    for length in (6, 8, 10):
        at = mg.tensor((unit * length).astype(np.float32))
        priors.append((objective(at, wanted, x) - plain(at, wanted, x)).item())
    assert priors[1] == pytest.approx(0, abs=1e-5)
    assert min(priors[0], priors[2]) > 0.1


# What is found.

def test_own_pictures_are_found_again(own):
    assert own.error.mean() < 0.5 * own.nearest.mean()
    assert own.z.shape == (N, 64) and own.z.dtype == np.float32
    assert own.images.dtype == np.uint8
    np.testing.assert_array_equal(own.labels, np.arange(N))
    assert own.by_label is None


def test_the_error_is_that_of_the_pictures(model, own):
    pixels, *_ = pictures_of(model)
    drawn = Drawing(model).images(own.z, own.labels)
    again = floor(model, N, **FEW)
    np.testing.assert_array_equal(own.z, again.z)        # the same seed, the same bits
    np.testing.assert_array_equal(own.images, again.images)
    off = rms_error(drawn, to_model(own.images))
    assert off.max() < 1 / 255                           # half a grey level is 1 / 255 on [-1, 1]


def test_another_seed_begins_elsewhere(model, own):
    pixels, _, labels = pictures_of(model)
    one, other = (invert(model, pixels, labels, steps=1, draws=20, seed=seed) for seed in (0, 1))
    assert np.abs(one.nearest - other.nearest).max() > 0


def test_without_the_prior_latents_grow(model):
    pixels, _, labels = pictures_of(model)
    wrong = (labels + 1) % 10                            # what the generator must be bent for
    lengths = [np.linalg.norm(invert(model, pixels, wrong, prior=prior, **FEW).z, axis=1).mean()
               for prior in (0.0, PRIOR)]
    assert lengths[0] > lengths[1] + 0.3


def test_the_wrong_label_fits_worse(model, own):
    pixels, _, labels = pictures_of(model)
    right, wrong = (invert(model, pixels, each, **FEW) for each in (labels, (labels + 1) % 10))
    assert wrong.error.mean() > 1.2 * right.error.mean()


def test_draws_of_the_wrong_label_would_be_seen(model, monkeypatch):
    """A mutation: the start is looked for under another label than the one that is drawn."""
    pixels, _, labels = pictures_of(model)
    right = invert(model, pixels, labels, **FEW)
    nearest = Draws.nearest
    monkeypatch.setattr(Draws, "nearest",
                        lambda self, images, labels: nearest(self, images, (labels + 1) % 10))
    assert invert(model, pixels, labels, **FEW).nearest.mean() > 1.1 * right.nearest.mean()


def test_labels_are_found_whatever_else_is_in_the_batch(model):
    pixels, _, labels = pictures_of(model, 20)
    settings = {"steps": 1, "draws": 60}
    together = invert(model, pixels, **settings)
    assert (together.labels == labels).mean() >= 0.8
    assert together.by_label.shape == (20, 10)
    np.testing.assert_array_equal(together.by_label.argmin(1), together.labels)
    alone = [invert(model, pixels[i:i + 1], **settings).labels[0] for i in (3, 11)]
    np.testing.assert_array_equal(alone, together.labels[[3, 11]])


def test_a_judges_features_come_closer(model):
    pixels, _, labels = pictures_of(model)
    judge = judge_features((28, 28, 1))
    x = judge(mg.tensor(to_model(pixels))).numpy()

    def apart(found):
        return np.square(judge(mg.tensor(to_model(found.images))).numpy() - x).mean()

    plain = invert(model, pixels, labels, **FEW)
    seen = invert(model, pixels, labels, features="judge", **FEW)
    assert apart(seen) < apart(plain)
    assert 0 < WEIGHT < 1


def test_a_model_without_labels(small):
    found = floor(small, 4, steps=30, draws=20)
    assert found.labels is None and found.by_label is None
    assert found.error.mean() < found.nearest.mean()


def test_uniform_latents_stay_in_their_interval():
    model = CGAN("paper", latent_size=6)
    drawing = Drawing(model)
    assert drawing.limit == pytest.approx(1, abs=0.01)
    assert drawing.size == pytest.approx(1 / 3, abs=0.03)
    pixels = np.full((2, 28, 28, 1), 255, np.uint8)
    found = invert(model, pixels, [0, 1], steps=5, draws=5, learning_rate=1.0)
    assert np.abs(found.z).max() <= 1


def test_normal_latents_have_no_limit(model):
    assert Drawing(model).limit is None
    assert Drawing(model).size == 1


def test_on_another_device(small):
    state = small.state_dict()
    pixels, *_ = pictures_of(small, 3)
    here = invert(small, pixels, steps=4, draws=6)
    with mg.use("stand-in"):
        twin = DCGAN("small", width=4, d_width=4, latent_size=5, ema=0.5)
        twin.load_state_dict(state)
        there = invert(twin, pixels, steps=4, draws=6)
        with pytest.raises(ValueError, match="labels"):
            invert(twin, pixels, [1, 2, 3])
    np.testing.assert_allclose(there.z, here.z, atol=1e-2)
    assert isinstance(there.z, np.ndarray)


def test_features_on_another_device():
    with mg.use("stand-in"):
        judge = judge_features((28, 28, 1))
        assert judge(mg.tensor(np.zeros((1, 28, 28, 1), np.float32))).device == "stand-in"


def test_the_numbers_of_the_results_page_are_within_their_bounds():
    rows = {(row["what"], row.get("direction")): row for row in map(
        json.loads, (ROOT / "benchmarks/results/editing.jsonl").read_text("utf-8").splitlines())}
    found, ten = rows["inversion", None], rows["relabel", None]
    assert found["n"] == 200
    assert found["error"] <= 0.14 and found["own"] <= 0.04
    assert ten["named"] >= 0.9 and min(ten["boldness"], ten["slant"]) >= 0.6
    slant = rows["move", "slant"]
    assert slant["slant"] >= 0.6 and abs(slant["boldness, spreads"]) < 0.1


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("MINIGAN_DATA"), reason="no MINIGAN_DATA with MNIST")
def test_real_digits_are_found_and_keep_their_hand():
    """50 of the digits of benchmarks/editing.py, whose bounds they keep."""
    benchmark = runpy.run_path(str(ROOT / "benchmarks" / "editing.py"))
    images, labels = (each[::4] for each in benchmark["some_digits"]())
    edit, numbers = benchmark["inversion"](mg.load(PRETRAINED), images, labels)
    assert numbers["error"] <= 0.14 and numbers["own"] <= 0.04
    assert numbers["length"] == pytest.approx(numbers["due"], rel=0.1)
    ten = benchmark["relabelled"](edit, images, labels)
    assert ten["named"] >= 0.9 and min(ten["boldness"], ten["slant"]) >= 0.6


# The parts.

def test_more_pictures_than_a_block_are_descended_block_by_block(small):
    assert [blocks(n) for n in (1, BLOCK, BLOCK + 1)] == [1, 1, 2]
    n = BLOCK + 2
    drawing = Drawing(small)
    z = drawing.latents(Stream(0, "test"), n).numpy()
    x = np.zeros((n, 28, 28, 1), np.float32)
    counted = []
    objective = Objective(drawing, 0.1)
    all_of_them = descend(objective, z, None, x, 2, 0.1, lambda: counted.append(1))
    last = descend(objective, z[BLOCK:], None, x[BLOCK:], 2, 0.1, lambda: None)
    np.testing.assert_allclose(all_of_them[BLOCK:], last, rtol=1e-4, atol=1e-4)
    assert len(counted) == 4


def test_the_rate_stays_and_then_falls():
    assert rate(0) == rate(0.8) == 1
    assert rate(0.95) == pytest.approx(0.5)


def test_distances_and_blurring():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 5)), rng.normal(size=(4, 5))
    slow = np.square(a[:, None] - b).sum(2)
    np.testing.assert_allclose(squared_distances(a, b), slow, atol=1e-12)

    one = np.zeros((1, 5, 5, 1))
    one[0, 2, 2] = 16
    kernel = np.outer([1, 2, 1], [1, 2, 1])
    np.testing.assert_array_equal(blurred(one)[0, 1:4, 1:4, 0], kernel)
    assert blurred(np.full((1, 4, 4, 2), -1.0)).min() == -1


def test_the_bar_is_silent_unless_it_is_wanted(small, capsys, monkeypatch):
    pixels, *_ = pictures_of(small, 1)
    invert(small, pixels, steps=2, draws=2)
    assert capsys.readouterr() == ("", "")
    steps = []

    class Bar:
        def __init__(self, step, total, title, quiet):
            steps.append((step, total, quiet))

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def advance(self):
            steps.append(1)

    monkeypatch.setattr(inversion_file, "Progress", Bar)
    invert(small, pixels, steps=3, draws=2, progress=True)
    assert steps == [(0, 3, False), 1, 1, 1]


# What is refused.

def test_models_that_cannot_be_edited(small):
    with pytest.raises(TypeError, match="must be a minigan model"):
        Drawing("runs/gan-001")
    with pytest.raises(ValueError, match="pix2pix starts from images"):
        Drawing(Pix2Pix())

    class ToPoints(Module):
        def __init__(self):
            self.dense = Dense(5, 2)

        def forward(self, z):
            return self.dense(z)

    points = DCGAN("small", width=4, d_width=4, latent_size=5, ema=0.0)
    points.generator = ToPoints()
    with pytest.raises(ValueError, match=r"draws \(2, 2\), not images"):
        invert(points, np.zeros((1, 28, 28, 1), np.uint8), draws=2)

    class Square(DCGAN):
        def latent_from(self, stream, n):
            return Tensor(stream.normal((n, 2, 2)))

    with pytest.raises(ValueError, match="latents must be vectors"):
        Drawing(Square("small", width=4, d_width=4))


@pytest.mark.parametrize("images", [np.zeros((1, 27, 28, 1), np.uint8),
                                    np.zeros((28, 28, 1), np.uint8),
                                    np.zeros((0, 28, 28, 1), np.uint8),
                                    np.zeros((1, 28, 28, 1), np.int64),
                                    np.full((1, 28, 28, 1), 255.0),
                                    np.full((1, 28, 28, 1), np.nan)])
def test_images_that_do_not_fit(small, images):
    with pytest.raises(ValueError, match="^images"):
        invert(small, images)


@pytest.mark.parametrize("name, value", [("steps", 0), ("draws", 2.5), ("prior", -1),
                                         ("prior", np.nan), ("learning_rate", 0),
                                         ("features", "inception")])
def test_settings_that_do_not_fit(small, name, value):
    with pytest.raises(ValueError, match=f"^{name}"):
        invert(small, np.zeros((1, 28, 28, 1), np.uint8), **{name: value})


def test_labels_that_do_not_fit(model):
    picture = np.zeros((1, 28, 28, 1), np.uint8)
    with pytest.raises(ValueError, match="^labels"):
        invert(model, picture, [10])
    with pytest.raises(ValueError, match="^labels"):
        invert(model, picture, [1, 2])


def test_a_judge_knows_digits_only():
    with pytest.raises(ValueError, match="knows digits"):
        judge_features((64, 64, 3))


def test_latents_of_another_size(model):
    with pytest.raises(ValueError, match=r"z must be \(N, 64\)"):
        Drawing(model).images(np.zeros((1, 63)), [0])
