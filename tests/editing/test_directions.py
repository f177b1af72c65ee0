"""Directions: three papers by hand, what moves along them, the file, the command."""
from __future__ import annotations

import json
import re
from dataclasses import fields, replace

import numpy as np
import pytest
import stand_in  # noqa: F401  (it offers itself as a device)
from model_tools import small

import minigan as mg
from minigan import nn
from minigan.cli import main
from minigan.editing import (ATTRIBUTES, Directions, Drawing, directions_path, find_directions,
                             measure)
from minigan.editing.directions import finding
from minigan.editing.directions.effects import AMOUNTS, effects, moved
from minigan.editing.directions.first_layer import activations, linear_map
from minigan.editing.directions.picture import directions_picture
from minigan.editing.directions.supervised import conditional, regressed
from minigan.editing.directions.table import table
from minigan.editing.directions.unsupervised import by_pca, by_weights
from minigan.models import pix2pix
from minigan.models.catalog import find

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(scope="module")
def model():
    mg.use_threads(1)
    return mg.load().model


@pytest.fixture(scope="module")
def shipped(model):
    return Directions.load(directions_path(None), model)


@pytest.fixture(scope="module")
def found(model):
    """Few draws: enough for all but the numbers."""
    return find_directions(model, n=300)


@pytest.fixture
def few_looks(monkeypatch):
    """Fewer draws than usual beside those that directions are found in."""
    monkeypatch.setattr(finding, "UNSEEN", 60)
    monkeypatch.setattr(finding, "LOOKED_AT", 30)


@pytest.fixture(scope="module")
def tiny():
    return small("cgan", "conv", latent_size=6)


def cosines(a, b):
    return abs((a * b).sum(axis=1))


# InterFaceGAN.

def test_a_regression_finds_the_weights_that_attributes_were_made_of():
    random = np.random.default_rng(0)
    z = random.normal(size=(3000, 5)).astype("float32")
    labels = random.integers(0, 3, 3000)
    weights = random.normal(size=(5, 2))
    noise = random.normal(size=(3000, 2)) * 0.5
    values = z @ weights + np.array([[0, 9], [7, 0], [-5, 4.0]])[labels] + noise
    fit = regressed(z, values, labels, classes=4)  # of the last class there are none
    np.testing.assert_allclose(fit.weights, weights, atol=0.05)
    np.testing.assert_allclose(fit.means[2], [-5, 4], atol=0.2)

    by_hand = np.concatenate([z - z.mean(axis=0), np.eye(3)[labels]], axis=1)
    other = np.linalg.lstsq(by_hand, values, rcond=None)[0][:5]  # weights and classes at once
    np.testing.assert_allclose(fit.weights, other, atol=0.01)

    signal = np.square(weights).sum(axis=0)
    due = np.sqrt(signal / (signal + 0.25))
    np.testing.assert_allclose(fit.correlations(z, values, labels), due, atol=0.02)
    constant = fit.correlations(z, np.zeros_like(values), np.full(3000, 3))
    np.testing.assert_array_equal(constant, 0)


def test_one_direction_leaves_the_other_attributes_where_they_are():
    weights = np.random.default_rng(0).normal(size=(9, 4))
    directions = conditional(weights)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    effect = directions @ weights                       # of each direction on each attribute
    np.testing.assert_allclose(effect - np.diag(np.diag(effect)), 0, atol=1e-12)
    assert (np.diag(effect) > 0).all()
    dual = np.linalg.pinv(weights)                      # rows with the same property
    np.testing.assert_allclose(directions, dual / np.linalg.norm(dual, axis=1, keepdims=True))


def test_of_two_attributes_it_is_the_formula_of_the_paper():
    n1, n2 = np.eye(4)[0], np.array([0.6, 0.8, 0, 0])
    due = n1 - (n1 @ n2) * n2
    directions = conditional(np.stack([3 * n1, 5 * n2], axis=1))
    np.testing.assert_allclose(directions[0], due / np.linalg.norm(due), atol=1e-12)


def test_more_attributes_than_numbers_are_refused():
    with pytest.raises(ValueError, match="latents of 3 numbers have no direction that moves one of "
                                         "4 attributes alone"):
        conditional(np.random.default_rng(0).normal(size=(3, 4)))


# The first layer, GANSpace and SeFa.

PRESETS = [("gan", "mlp"), ("gan", "seed"), ("gan", "paper"), ("dcgan", "wide28"), ("cgan", "conv"),
           ("cgan", "mlp"), ("cgan", "paper"), ("wgan", "mlp")]


def first_weight(model):
    """The weight (d, units) that z is multiplied by: z comes first among the layer's inputs."""
    network = model.generator if model.ema is None else model.ema.network
    name = next(name for name, _ in network.named_parameters())
    return dict(network.named_parameters())[name].numpy()[:model.settings.latent_size]


@pytest.mark.parametrize("name, preset", PRESETS)
def test_the_first_layer_is_found_in_every_network(name, preset):
    if preset not in find(name).presets:
        preset = next(iter(find(name).presets))
    model = small(name, preset)
    np.testing.assert_allclose(linear_map(Drawing(model)), first_weight(model).T, atol=1e-6)


def test_what_the_first_layer_hands_on(tiny):
    drawing = Drawing(tiny)
    z = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
    labels = np.arange(5)
    network = tiny.ema.network
    dense, norm = network.stages[0].layers[:2]
    joined = np.concatenate([z, np.eye(10, dtype="float32")[labels]], axis=1)
    y = joined @ dense.weight.numpy()
    y = (y - norm.running_mean.numpy()) / np.sqrt(norm.running_var.numpy() + norm.eps)
    due = np.maximum(norm.gamma.numpy() * y + norm.beta.numpy(), 0)
    np.testing.assert_allclose(activations(drawing, z, labels), due, atol=1e-5)


class Own(mg.models.Model):
    """A generator of one's own: networks = G."""

    def build(self):
        self.generator = self.make(self.settings.latent_size)
        self.discriminator = nn.Sequential(nn.Flatten(), nn.Dense(64, 1))
        self.optimizers = {}


def own(*layers, shape=(8, 8, 1)):
    """A model whose generator has these layers, of latents of 100 numbers."""
    kind = type("Own", (Own,), {"make": lambda self, size: nn.Sequential(*layers)})
    return kind(shape=shape)


def test_of_a_linear_layer_the_components_are_the_singular_vectors():
    weight = np.random.default_rng(1).normal(size=(100, 64)) * np.r_[8, 6, 4, 2, np.ones(60) / 9]
    model = own(nn.Dense(100, 64), nn.Reshape(8, 8, 1))
    model.generator[0].weight.assign(weight.astype("float32"))
    drawing = Drawing(model)
    z = np.random.default_rng(2).normal(size=(500, 100)).astype("float32")
    components, share = by_pca(drawing, z, np.zeros(500, int), 3)
    vectors, values = by_weights(drawing, 3)
    squares, eigenvectors = np.linalg.eigh(weight @ weight.T)
    np.testing.assert_allclose(values ** 2, squares[:-4:-1], rtol=1e-4)
    assert cosines(vectors, eigenvectors.T[:-4:-1]).min() > 1 - 1e-6
    assert cosines(components, vectors).min() > 0.8    # of 500 draws
    assert share == pytest.approx(squares[:-4:-1] / squares.sum(), rel=0.3)


@pytest.mark.rounding
def test_components_and_their_latents_by_hand(tiny):
    """The basis V by an SVD of centred activations, then U by least squares, as the paper has it.
    """
    drawing = Drawing(tiny)
    z = np.random.default_rng(0).normal(size=(60, 6)).astype("float32")
    labels = np.arange(60) % 10
    y = activations(drawing, z, labels)
    y -= np.stack([y[labels == label].mean(axis=0) for label in labels])
    _, values, basis = np.linalg.svd(y, full_matrices=False)
    x = y @ basis[:3].T
    centred = z - z.mean(axis=0)
    due = np.linalg.lstsq(x, centred, rcond=None)[0]                # rows: latents of a component
    due /= np.linalg.norm(due, axis=1, keepdims=True)
    components, share = by_pca(drawing, z, labels, 3)
    np.testing.assert_allclose(cosines(components, due), 1, atol=1e-9)
    np.testing.assert_allclose(share, values[:3] ** 2 / np.square(values).sum(), rtol=1e-9)


def test_no_more_components_than_there_are(few_looks):
    narrow = own(nn.Dense(100, 2), nn.Dense(2, 64), nn.Reshape(8, 8, 1))
    assert find_directions(narrow, "weights", n=202).names == ("weight1", "weight2")
    assert find_directions(narrow, "pca", n=202).names == ("pca1", "pca2")


def test_a_generator_without_a_first_layer_or_with_a_constant_one():
    constant = own(nn.Dense(100, 64), nn.Reshape(8, 8, 1))
    constant.generator[0].weight.assign(0.0)
    with pytest.raises(ValueError, match="the first layer of own computes the same"):
        find_directions(constant, "weights", n=202)
    bare = own(nn.Reshape(10, 10, 1), shape=(10, 10, 1))
    with pytest.raises(ValueError, match="multiplies no latent by a weight"):
        find_directions(bare, "pca", n=202)


def test_signs_do_not_depend_on_the_seed(model):
    one, other = (find_directions(model, "pca", n=500, seed=seed, count=2) for seed in (0, 1))
    assert ((one.vectors * other.vectors).sum(axis=1) > 0.5).all()


def test_pictures_become_lighter_along_them(tiny, few_looks):
    found = find_directions(tiny, "weights", n=100, count=4)
    drawing = Drawing(tiny)
    z = drawing.latents(mg.Stream(0, "directions"), 100 + 60).numpy()[100:130]
    seen = effects(drawing, found.vectors, z, np.arange(100, 130) % 10, False)
    assert (seen.light[:, -1] > seen.light[:, 0]).all()


# What moves, on the generator of the package.

@pytest.mark.rounding
def test_slant_moves_and_boldness_stays(model, shipped):
    """The bound: by 0.6 or more, boldness by under a tenth of its spread, over all labels."""
    drawing = Drawing(model)
    z = drawing.latents(mg.Stream(5, "other draws"), 400).numpy()
    labels = np.arange(400) % 10
    low, middle, high = (measure(drawing.pixels(moved(z, shipped["slant"], amount), labels))
                         for amount in (-2, 0, 2))
    apart = {name: high[name] - low[name] for name in ATTRIBUTES}
    assert apart["slant"].mean() > 0.6
    assert all(apart["slant"][labels == label].mean() > 0.3 for label in range(10))
    centred = middle["boldness"].reshape(40, 10)
    spread = (centred - centred.mean(axis=0)).std()
    assert abs(apart["boldness"].mean()) < 0.1 * spread


def test_what_the_shipped_file_says(shipped):
    assert shipped.names[:4] == ATTRIBUTES and set(shipped.kinds) == set(finding.KINDS)
    np.testing.assert_allclose(np.linalg.norm(shipped.vectors, axis=1), 1, atol=1e-6)
    assert shipped.strength[1] > 0.8 and shipped.strength[:4].min() > 0.4
    np.testing.assert_allclose(shipped.in_sample[:4], shipped.strength[:4], atol=0.06)
    assert np.isnan(shipped.in_sample[4:]).all()
    for name in ATTRIBUTES:
        moves = shipped.moves(name)
        assert moves.pop(name) > 1 and max(map(abs, moves.values())) < 0.25


@pytest.mark.slow
def test_the_shipped_file_is_what_its_script_makes(model, shipped):
    again = find_directions(model, "attributes", 10_000)
    assert cosines(again.vectors, shipped.vectors[:4]).min() > 0.9999


def test_few_draws_find_nearly_the_same(found, shipped):
    assert found.names == ATTRIBUTES and found.kinds == ("attributes",) * 4
    assert cosines(found.vectors, shipped.vectors[:4])[:3].min() > 0.5
    assert found.means.shape == (4, len(AMOUNTS), 4) and (found.change > 0.1).all()
    for i, name in enumerate(ATTRIBUTES):
        assert (np.diff(found.means[i, :, i]) > 0).all(), name


def test_on_a_device(tiny, few_looks):
    there = small("cgan", "conv", latent_size=6)
    due = find_directions(tiny, "pca", n=80, count=3)
    for network in (there.generator, there.ema.network):
        network.to("stand-in")
    with mg.use("stand-in"):
        again = find_directions(there, "pca", n=80, count=3)
    np.testing.assert_allclose(again.vectors, due.vectors, atol=1e-4)
    np.testing.assert_allclose(again.means, due.means, rtol=0.01, atol=0.02)


def test_the_picture(model, found):
    figure = directions_picture(model, found)
    words = mg.plot.words(figure)
    assert set(words) == {*ATTRIBUTES, *("-3", "-2", "-1", "0", "+1", "+2", "+3")}
    drawn = mg.plot.pixels(figure)
    assert drawn.shape[0] == 24 + 4 * 28 * 3 + 3 * 6  # a header, four rows, three gaps, thrice


def test_the_table(found, shipped):
    lines = table(found)
    assert lines[0].split() == ["direction", "r", *ATTRIBUTES, "picture"]
    assert lines[2].split()[0] == "slant"
    assert float(lines[2].split()[3]) == pytest.approx(found.moves("slant")["slant"], abs=0.01)
    assert "in spreads" in "\n".join(lines) and max(map(len, lines)) < 160
    whole = table(shipped)
    assert [line.split()[1] for line in whole if line.startswith("direction")] == [
        "r", "variance", "value"]


# Where strokes make no sense.

def test_pictures_in_colour_have_no_attributes_and_pca_takes_their_place(few_looks):
    model = small("dcgan", PRESETS[3][1], shape=(16, 16, 3))
    words = "by: dcgan has no attributes to measure, its pictures have 3 channels"
    with pytest.raises(ValueError, match=words):
        find_directions(model, "attributes")
    found = find_directions(model, count=2, n=300)
    assert found.kinds == ("pca", "pca") and found.attributes == ()
    assert found.means.shape == (2, 5, 0) and found.moves("pca1") == {}
    assert table(found)[0].split() == ["direction", "variance", "picture"]


def test_a_generator_of_black_pictures():
    black = own(nn.Dense(100, 64), nn.Tanh(), nn.Reshape(8, 8, 1))
    black.generator[0].weight.assign(0.0)
    black.generator[0].bias.assign(-20.0)
    with pytest.raises(ValueError, match="by: boldness is the same in all pictures"):
        find_directions(black, n=202)


@pytest.mark.parametrize("bad, words", [
    ({"by": "colour"}, "by must be one of attributes, pca, weights, got 'colour'"),
    ({"n": 31}, "n must be a whole number of 32 or more, .* got 31"),
    ({"n": 99.5}, "n must be a whole number"),
    ({"count": 0}, "count must be a whole number of 1 or more, got 0")])
def test_bad_settings(tiny, bad, words):
    with pytest.raises(ValueError, match=words):
        find_directions(tiny, **bad)


def test_a_model_that_starts_from_images():
    with pytest.raises(ValueError, match="pix2pix starts from images"):
        find_directions(small("pix2pix", next(iter(pix2pix.Pix2Pix.presets)), shape=(16, 16, 1)))


# Names, the file.

def test_a_direction_by_name(shipped):
    assert "slant" in shipped and "sleep" not in shipped and len(shipped) == 12
    np.testing.assert_array_equal(shipped["slant"], shipped.vectors[1])
    assert repr(shipped).startswith("<directions boldness, slant")
    with pytest.raises(KeyError) as error:
        shipped["sleep"]
    assert str(error.value).startswith("direction 'sleep' is unknown; known are boldness, slant")


def test_newer_ones_replace_those_of_their_kind(shipped, found):
    newer = shipped.updated(found)
    assert newer.names == (*shipped.names[4:], *ATTRIBUTES)
    np.testing.assert_array_equal(newer["slant"], found["slant"])
    np.testing.assert_array_equal(newer["pca2"], shipped["pca2"])
    assert shipped.only("pca").names == ("pca1", "pca2", "pca3", "pca4")
    assert found.updated(found).names == ATTRIBUTES


def test_a_file_is_read_as_it_was_written(tmp_path, found, model):
    found.save(tmp_path / "a.npz")
    again = Directions.load(tmp_path / "a.npz", model)
    for field in fields(Directions):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(found, field.name))


def test_a_file_of_another_generator(tmp_path, found, tiny):
    found.save(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"directions: .*a\.npz belongs to another generator"):
        Directions.load(tmp_path / "a.npz", tiny)


def without(**arrays):
    """A file of directions with other arrays in place of its own."""
    def write(path, found):
        content = {field.name: np.array(getattr(found, field.name)) for field in fields(found)}
        content.update(arrays)
        np.savez(path, **{name: a for name, a in content.items() if a is not None})
    return write


@pytest.mark.parametrize("write, words", [
    (lambda path, found: None, "does not exist; `minigan directions RUN` writes it"),
    (lambda path, found: path.write_bytes(b"PK nothing"), "is damaged or not a file that"),
    (without(spread=None), "it lacks spread"),
    (without(more=np.zeros(3)), "it has more"),
    (without(vectors=np.zeros(4)), r"vectors is float64 \(4,\)"),
    (without(vectors=np.full((4, 64), np.nan)), "vectors are not 4 finite ones"),
    (without(names=np.array([1, 2, 3, 4])), r"names is int64 \(4,\)"),
    (without(kinds=np.array(["pca"])), r"kinds is \(1,\), not \(4,\)"),
    (without(fingerprint=np.zeros(3)), "fingerprint is float64"),
    (without(names=np.array([None] * 4)), "is damaged or not a file that")])
def test_other_files_are_refused(tmp_path, found, write, words):
    path = tmp_path / "a.npz"
    write(path, found)
    with pytest.raises((ValueError, FileNotFoundError), match=words) as error:
        Directions.load(path)
    assert "a.npz" in str(error.value)


# The command.

@pytest.fixture
def exported(tmp_path, monkeypatch, few_looks):
    """A small generator of the tests, as a file in the working folder."""
    monkeypatch.chdir(tmp_path)
    mg.load().export("g.npz")
    return tmp_path


def test_the_command(exported, capsys):
    assert main(["directions", "g.npz", "--n", "300"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^slant +0\.\d", out, re.M) and "see g-directions.png" in out
    assert (exported / "g-directions.png").exists()
    kept = Directions.load(directions_path(exported / "g.npz"))
    assert kept.names == ATTRIBUTES

    arguments = ["directions", "g.npz", "--n", "300", "--by", "weights", "--count", "2", "--json"]
    assert main(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in document["directions"]] == ["weight1", "weight2"]
    assert document["directions"][0]["in_sample"] is None and document["by"] == "weights"
    assert document["amounts"] == list(AMOUNTS) and len(document["spread"]) == 4
    assert len(document["directions"][0]["means"]["slant"]) == len(AMOUNTS)
    assert document["files"] == ["g-directions.npz", "g-directions.png"]
    assert Directions.load(exported / "g-directions.npz").names == (*ATTRIBUTES, "weight1",
                                                                    "weight2")


def test_the_command_on_directions_of_another_generator(exported, capsys, found):
    path = exported / "g-directions.npz"
    replace(found, fingerprint=0 * found.fingerprint).save(path)
    assert main(["directions", "g.npz", "--by", "weights", "--n", "200"]) == 0
    assert "of another generator, or of this one before it was trained" in capsys.readouterr().out
    assert "slant" not in Directions.load(path)


def test_the_command_replaces_no_other_file(exported, capsys):
    path = exported / "g-directions.npz"
    path.write_text("mine")
    assert main(["directions", "g.npz"]) == 2
    assert "it stays as it is: give another --out" in capsys.readouterr().err
    assert path.read_text() == "mine" and not path.with_suffix(".png").exists()
    path.rename("g-directions.png")
    assert main(["directions", "g.npz"]) == 2
    assert "g-directions.png exists, and is no picture of" in capsys.readouterr().err
    assert path.with_suffix(".png").read_text() == "mine" and not path.exists()


@pytest.mark.parametrize("arguments, words", [
    (["g.npz", "--out", "a.png"], "--out must end in .npz, got 'a.png'"),
    (["g.npz", "--pretrained"], "--pretrained: it takes the place of RUN"),
    (["g.npz", "--n", "20"], "n must be a whole number of 148 or more"),
    (["nothing"], "nothing")])
def test_bad_options(exported, capsys, arguments, words):
    assert main(["directions", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in exported.iterdir()] == ["g.npz"]


def test_the_pretrained_generator_needs_no_run(exported):
    arguments = ["--pretrained", "--by", "weights", "--n", "160", "--count", "1"]
    assert main(["directions", *arguments]) == 0
    assert sorted(path.name for path in exported.iterdir()) == [
        "g.npz", "pretrained-directions.npz", "pretrained-directions.png"]


def test_a_report_shows_directions_of_its_step(tmp_path, capsys):
    digits = mg.data.load("digits")
    few = mg.data.Images(digits.images[:16], digits.labels[:16], "few")
    mg.Trainer(small("cgan", "conv", few.shape), few, 8, tmp_path / "run", threads=1).fit(1)
    page = tmp_path / "run" / "report.html"
    assert "Directions" not in page.read_text("utf-8")
    assert main(["directions", str(tmp_path / "run"), "--n", "200", "--by", "weights"]) == 0
    assert f"minigan report {(tmp_path / 'run').as_posix()}" in capsys.readouterr().out
    assert main(["report", str(tmp_path / "run")]) == 0
    text = page.read_text("utf-8")
    assert "Directions in latent space" in text and "weight1" in text
    path = directions_path(tmp_path / "run")
    found = Directions.load(path)
    replace(found, fingerprint=0 * found.fingerprint).save(path)  # as if it was trained on
    assert main(["report", str(tmp_path / "run")]) == 0
    assert "Directions" not in page.read_text("utf-8")
