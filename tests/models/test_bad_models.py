"""What a model cannot do gets one clear sentence, from Python and on the command line.

Labels that are missing, too few or no classes; sets smaller than a batch; sizes that a preset
cannot make; settings of the wrong kind; batch norm under a gradient penalty. The command line's
own options are in test_cli.py.
"""
from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from model_tools import PRESETS, batch, small
from stand_in import counted

import minigan as mg
from minigan import data, ops
from minigan.cli import main
from minigan.models import catalog, wgan_gp
from minigan.models.catalog import find, names
from minigan.training import Trainer

pytestmark = pytest.mark.usefixtures("alone")

EACH = pytest.mark.parametrize("name, preset", PRESETS, ids=[":".join(row) for row in PRESETS])
MULTIPLES = {  # of what the heights and widths must be; other networks make any size, but
    ("dcgan", "keras28"): 4, ("dcgan", "paper64"): 16,
    ("pix2pix", "edges"): 4, ("pix2pix", "halves"): 4,
}
LEAST = {      # a layer of stride 2 needs two pixels
    ("dcgan", "small"): 5, ("dcgan", "wide28"): 3, ("dcgan", "torch64"): 9, ("cgan", "conv"): 5,
    ("cgan", "projection"): 5, ("wgan", "conv"): 5, ("wgan-gp", "conv28"): 5,
    ("wgan-gp", "wide28"): 3, ("wgan-gp", "paper64"): 9,
}


@pytest.fixture
def refusal(capsys):
    """The one sentence of a command that must be refused before it writes anything."""
    def command(*arguments):
        assert main([str(argument) for argument in arguments]) == 2
        out, err = capsys.readouterr()
        assert out == "" and len(err.splitlines()) == 1 and err.startswith("minigan: error: ")
        assert not list(Path().iterdir())
        return err
    return command


@pytest.fixture
def loaded(monkeypatch):
    """Let the command line find a data set of our own."""
    def offer(images):
        monkeypatch.setattr(data, "load", lambda *arguments, **settings: images)
    return offer


def images_of(shape, n=8, labels=True, n_classes=10):
    return data.Images(np.zeros((n, *shape), np.uint8), np.zeros(n, int) if labels else None,
                       "a few", n_classes=n_classes if labels else None)


def state(model):
    return {name: value.tobytes() for name, value in model.state_dict().items()}


# Labels.

CONDITIONAL = [row for row in PRESETS if find(row[0]).conditional]


@pytest.mark.parametrize("name, preset", CONDITIONAL, ids=[":".join(row) for row in CONDITIONAL])
def test_labels_in_training(name, preset):
    model = small(name, preset)
    x, _ = batch(model, 4)
    before = state(model)
    for labels, sentence in (
            (None, "labels: .*each of 4 images, got None"),
            ([0, 1, 2], r"labels: .*each of 4 images, got \(3,\)"),
            ([[0], [1], [2], [3]], r"labels: .*each of 4 images, got \(4, 1\)"),
            ([0, 1, 2, -1], "labels must be from 0 to 9, got -1 to 2"),
            ([0, 1, 2, 10], "labels must be from 0 to 9, got 0 to 10")):
        with pytest.raises(ValueError, match=sentence):
            model.step(x, labels if labels is None else mg.tensor(np.array(labels)))
    with pytest.raises(TypeError, match="labels must be an integer array"):
        model.step(x, mg.tensor(np.ones(4, "float32")))
    assert state(model) == before


@pytest.mark.parametrize("name, preset", CONDITIONAL, ids=[":".join(row) for row in CONDITIONAL])
def test_labels_in_sampling(name, preset):
    model = small(name, preset)
    z = model.latent(4)
    for labels, sentence in (
            (None, "labels: cgan is conditional and needs 4 of them"),
            ([0, 1, 2], r"labels must be 4 integers, got int64 \(3,\)"),
            ([0.0, 1.0, 2.0, 3.0], "labels must be 4 integers, got float64"),
            ([0, 1, 2, -1], "labels must be from 0 to 9, got -1 to 2"),
            ([0, 1, 2, 10], "labels must be from 0 to 9, got 0 to 10")):
        with pytest.raises(ValueError, match=sentence):
            model.sample(z, labels)


@pytest.mark.parametrize("op", [lambda ids, table: ops.embedding(ids, ops.transpose(table)),
                                lambda ids, table: ops.softmax_cross_entropy(table, ids)])
def test_invalid_ids(op):
    table = mg.tensor(np.ones((3, 5)))
    for ids, least, most in (([0, 5, 1], 0, 5), ([-1, 0, 1], -1, 1)):
        for wrong in (np.array(ids), mg.tensor(np.array(ids))):
            with pytest.raises(ValueError, match=f"must be from 0 to 4, got {least} to {most}"):
                op(wrong, table)
    with pytest.raises((TypeError, ValueError), match="must be an integer array|an array"):
        op([0, 1, 2], table)
    assert np.isfinite(op(np.array([0, 4, 2]), table).data).all()
    assert ops.embedding(np.zeros(0, int), table).shape == (0, 5)


def test_a_device_is_not_asked_for_its_labels():
    """Looking would make the host wait; the trainer's labels were checked when they were loaded."""
    with mg.use("stand-in"):
        model = small("cgan", "conv")
        x, labels = batch(model, 4)
        with counted() as counts:
            model.step(x, labels)
            ops.softmax_cross_entropy(ops.reshape(x, (4, -1)), labels)
    assert set(counts) <= {"from_host"}


def test_data_sets_without_labels(refusal, loaded):
    for name in names():
        if find(name).conditional:
            unlabelled = images_of((28, 28, 1), labels=False)
            loaded(unlabelled)
            sentence = "data: cgan is conditional and needs labels, a few has none"
            with pytest.raises(ValueError, match=sentence):
                Trainer(find(name)(), unlabelled, 4)
            assert sentence in refusal("train", name, "--batch-size", "4")


def test_data_sets_with_more_classes():
    with pytest.raises(ValueError, match="data: cgan needs labels from 0 to 9, a few has 11"):
        Trainer(find("cgan")(), images_of((28, 28, 1), n_classes=11), 4)
    with pytest.raises(ValueError, match="n_classes must be a whole number from 1 to .*, got 0"):
        find("cgan")(n_classes=0)
    with pytest.raises(ValueError, match="labels: from 0 to 3, expected 0 to 2"):
        data.Images(np.zeros((4, 8, 8, 1), np.uint8), np.arange(4), n_classes=3)


# Data.

@pytest.mark.parametrize("name", names())
def test_a_set_smaller_than_a_batch(refusal, loaded, name):
    loaded(images_of((28, 28, 1)))
    sentence = "data: 8 images, batch_size 9: a batch cannot be larger than the data set"
    with pytest.raises(ValueError, match=sentence):
        Trainer(find(name)(), images_of((28, 28, 1)), 9)
    assert "--batch-size: 9 is more than the 8 images of " in refusal(
        "train", name, "--batch-size", "9")


def narrow(name):
    return {"width": 2} if hasattr(find(name).Settings, "width") else {}


@pytest.fixture
def refused(refusal, loaded):
    """A shape is refused from Python and on the command line, with this sentence."""
    def check(name, preset, shape, sentence):
        sentence = f"{sentence}, not {shape[0]}x{shape[1]}; choose another preset"
        with pytest.raises(ValueError, match=f"^shape: .*{sentence}"):
            find(name)(preset, shape, **narrow(name))
        loaded(images_of(shape))
        assert sentence in refusal("train", name, "--preset", preset, "--batch-size", "4")
    return check


@pytest.mark.parametrize("name, preset", MULTIPLES)
def test_sizes_that_are_not_multiples(refused, name, preset):
    unit = MULTIPLES[name, preset]
    for shape in ((2 * unit + 1, 2 * unit, 1), (3 * unit, 2 * unit - 1, 1)):
        sentence = f"multiples of {unit}\\b.*, not {shape[0]}x{shape[1]}"
        with pytest.raises(ValueError, match=sentence):
            find(name)(preset, shape, **narrow(name))
    if name != "pix2pix":  # which has a sentence of its own: test_pix2pix
        refused(name, preset, shape, f"multiples of {unit}")


@pytest.mark.parametrize("name, preset", [row for row in PRESETS if row not in MULTIPLES])
def test_all_other_sizes_are_made(refused, name, preset):
    least = LEAST.get((name, preset), 1)
    for shape in ((least, least + 1, 1), (least + 2, least, 2)):
        try:
            model = find(name)(preset, shape, **narrow(name))
        except ValueError as error:
            pytest.fail(f"{error}. If {name}:{preset} is right to refuse images of {shape}, "
                        f"give it a place in LEAST or MULTIPLES above")
        x, labels = batch(model, 2)
        given = [labels] if model.conditional else []
        assert model.generator(model.latent(2), *given).shape == x.shape == (2, *shape)
        assert len(model.discriminator(x, *given)) == 2
    if least > 1:
        refused(name, preset, (least + 1, least - 1, 1), f"heights and widths of {least} or more")


@EACH
def test_invalid_shapes(name, preset):
    for shape in ((0, 16, 1), (16, 16), (16, 16, 0), (16, -16, 1), (16.0, 16, 1)):
        with pytest.raises(ValueError, match=r"shape must be \(H, W, C\), whole numbers of 1 or"):
            find(name)(preset, shape, **narrow(name))


def test_the_paper_s_5x5_kernels_do_not_train_on_digits(refusal):
    assert ("shape: 4 layers of stride 2 make heights and widths that are multiples of 16, not "
            "28x28; choose another preset or number of layers, or data of another size"
            ) in refusal("train", "dcgan", "--preset", "paper64", "--size", "28")


# A file of the folder that is no model.

@pytest.mark.parametrize("given, found", [
    ([], "none"), (["old"], "Old with the name 'old'"),
    (["new", "old"], "New with the name 'new', Old with the name 'old'")])
def test_a_file_that_does_not_define_its_model_is_named(refusal, monkeypatch, given, found):
    module = ModuleType("minigan.models.new")
    for name in given:
        fields = {"name": name, "__module__": module.__name__}
        setattr(module, name.title(), type(name.title(), (mg.models.GAN,), fields))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(catalog, "names", lambda: ["new"])
    sentence = ("minigan.models.new must define one subclass of Model, with the name 'new', got "
                f"{found}")
    with pytest.raises(TypeError, match=sentence):
        find("new")
    assert sentence in refusal("train", "new")


# Settings.

@EACH
def test_settings_of_the_wrong_kind(name, preset):
    model = find(name)
    for field in dataclasses.fields(model.Settings):
        wrong = {int: (-1, 2.5, "8", True, None), float: ("fast", None, True),
                 str: ("nosuch", 3)}.get(type(field.default), ())
        for value in wrong + ((0,) if type(field.default) is int and field.default else ()):
            with pytest.raises(ValueError, match=f"setting {field.name} of {name} must be "):
                model(preset, **{field.name: value})


# Batch norm under a penalty.

def with_batch_norm(s, shape, n_streams):
    generator, critic = wgan_gp.seed(s, shape, n_streams)
    return generator, mg.nn.Sequential(*critic.layers[:2], mg.nn.BatchNorm(128),
                                       *critic.layers[2:])


def test_a_critic_with_batch_norm_under_a_penalty(monkeypatch, capsys):
    monkeypatch.setitem(wgan_gp.NETWORKS, "seed", with_batch_norm)
    model = find("wgan-gp")("seed")
    before = {name: value for name, value in state(model).items() if "running" not in name}
    sentence = ("critic: its part 2, BatchNorm, mixes the samples of a batch; a gradient penalty "
                "needs the gradient at each sample alone; use layer norm or no normalisation in "
                "the critic")
    with pytest.raises(ValueError, match=sentence):
        model.step(*batch(model, 4))
    after = state(model)
    assert all(after[name] == value for name, value in before.items())
    assert main(["train", "wgan-gp", "--preset", "seed", "--steps", "2", "--threads", "1"]) == 2
    assert capsys.readouterr().err == f"minigan: error: {sentence}\n"
