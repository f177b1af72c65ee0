"""Names of classes: which label is which in a run, its files and its report, and in requests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigan as mg
from minigan.cli import main
from minigan.data import places
from minigan.models.catalog import find
from minigan.runs import checkpoint
from minigan.runs.classes import label_numbers, listed
from minigan.runs.classes import class_names as names_of
from minigan.runs.records import RunConfig
from minigan.training import Trainer, load

pytestmark = pytest.mark.usefixtures("alone")

QUICK = ["--preset", "mlp", "--steps", "1", "--batch-size", "2", "--threads", "1", "--out", "run"]


def folders(*names, place="f", each=2):
    """A folder for each class, whose pictures are as bright as its place in the list says."""
    for value, name in enumerate(names):
        Path(place, name).mkdir(parents=True)
        for i in range(each):
            picture = np.full((8, 8), (10 * value + i) % 256, np.uint8)
            Image.fromarray(picture).save(Path(place, name, f"{i}.png"))


NUMBERS = [str(i) for i in range(12)]


def test_names_are_kept_and_shown(capsys):
    folders(*NUMBERS)
    assert main(["train", "cgan", "--data", "f", *QUICK]) == 0
    assert "12 columns: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\n" in capsys.readouterr().out
    assert json.loads(Path("run/config.json").read_text("utf-8"))["class_names"] == NUMBERS
    assert checkpoint.load(Path("run/checkpoint.npz"))[1]["class_names"] == NUMBERS
    assert "columns: 0, 1, 2, 3, 4, 5" in Path("run/report.html").read_text("utf-8")
    run = load("run")
    run.export("g.npz")
    assert run.class_names == load("g.npz").class_names == tuple(NUMBERS)
    for labels in (["2", "11"], [2, 11], np.array([2, 11]), np.array(["2", "11"]), ["2", 11]):
        np.testing.assert_array_equal(run.sample(2, labels), run.sample(2, [2, 11]))


def test_labels_are_those_of_the_folders():
    folders(*NUMBERS)
    images = mg.data.load("./f")
    for label, name in enumerate(NUMBERS):
        assert set(images.images[images.labels == label].ravel()) == {10 * label, 10 * label + 1}


def test_a_name_comes_before_a_number(capsys):
    folders(*NUMBERS[1:10])
    assert main(["train", "cgan", "--data", "f", *QUICK]) == 0
    run = load("run")
    np.testing.assert_array_equal(run.sample(2, ["1", "9"]), run.sample(2, [0, 8]))
    np.testing.assert_array_equal(run.sample(1, ["0"]), run.sample(1, [0]))  # no folder "0"
    np.testing.assert_array_equal(run.interpolate(2, 3, ["1", "9"]), run.interpolate(2, 3, [0, 8]))
    blocks = np.concatenate(list(run.blocks(2, ["1", "9"])))
    np.testing.assert_array_equal(blocks, run.sample(2, [0, 8]))
    assert main(["sample", "run", "--labels", "1,9", "--out", "a.png"]) == 0
    assert main(["sample", "run", "--labels", "1, 9", "--interpolate", "--out", "b.png"]) == 0


def test_labels_by_name_on_the_command_line(capsys):
    folders("ankle boot", "bag", 'odd, or "even"', "Zebra")
    assert main(["train", "cgan", "--data", "f", *QUICK]) == 0
    by_number = ["sample", "run", "--labels", "0,3,2,1", "--out", "a.png"]
    by_name = ["sample", "run", "--labels", 'ankle boot,zebra,"odd, or ""even""",bag', "--out",
               "b.png"]
    assert main(by_number) == main(by_name) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    capsys.readouterr()
    for wrong in ("boot", "4", "-1", "1.5", "bag,boot"):
        assert main(["sample", "run", f"--labels={wrong}"]) == 2
        assert capsys.readouterr().err == (
            f"minigan: error: labels: {wrong.rpartition(',')[2]!r} is neither one of the classes "
            'ankle boot, bag, "odd, or ""even""", Zebra, nor a number from 0 to 3\n')


def test_capitals_do_not_matter_where_one_name_fits():
    names = ("Cat", "dog", "Dog")
    assert label_numbers(["cat", "dog", "Dog"], names, 3).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="'DOG' is neither"):
        label_numbers(["DOG"], names, 3)
    with pytest.raises(ValueError, match="'cat' is neither the name of a class, nor a number"):
        label_numbers("cat", (), 3)
    assert label_numbers("2", (), 3).tolist() == [2]
    for same in (None, [0, 1], np.array([1, 2]), range(3)):
        assert label_numbers(same, names, 3) is same


def test_one_number_for_several_labels_is_refused():
    folders("cat", "dog")
    assert main(["train", "cgan", "--data", "f", *QUICK]) == 0
    for one in (1, np.int64(1), np.array(1), 1.5):
        with pytest.raises(ValueError, match=r"labels must be 2 integers, got (int|float)64 \(\)"):
            load("run").sample(2, one)


def class_names(config):
    return names_of(RunConfig.from_json(config))


def test_the_names_of_known_sets():
    assert mg.data.load("digits").classes == tuple("0123456789")
    model = find("cgan")("mlp", (28, 28, 1))
    run = Trainer(model, mg.data.load("digits"), 4, "digits", threads=1)
    assert run.config["class_names"] == list("0123456789")
    source = {"name": "fashion-mnist", "split": "train", "folder": None, "size": None}
    old = {"data": "fashion-mnist", "source": source, "n_classes": 10}  # of a version before names
    assert class_names(old)[:2] == ("T-shirt", "trouser")
    assert class_names({**old, "data": "cifar-10"})[0] == "airplane"
    assert class_names({**old, "n_classes": 12}) == ()
    assert class_names({**old, "source": None}) == ()
    assert class_names({**old, "class_names": ["a"]}) == ("a",)
    assert mg.load().class_names in ((), tuple("0123456789"))
    np.testing.assert_array_equal(mg.load().sample(2, ["7", "2"]), mg.load().sample(2, [7, 2]))


# Runs of versions that numbered folders as words and recorded no names.

def older(run="run"):
    """Make a run one of an older version: labels as words, no names."""
    folder = Trainer.resume(run).folder
    arrays, config = checkpoint.load(folder.checkpoint)
    for removed in ("class_names", "class", "class_crc32"):
        del config[removed]
    checkpoint.save(folder.checkpoint, arrays, config)
    folder.write_config({name: value for name, value in config.items()
                         if name not in ("step", "steps", "seconds", "losses", "streams")})


@pytest.fixture
def as_words(monkeypatch):
    """Folders are sorted as words, as they once were."""
    from minigan.data import folder
    with monkeypatch.context() as then:
        then.setattr(folder, "natural", lambda name: ([], name))
        yield then


def test_an_older_run_goes_on_with_its_labels(as_words, capsys):
    folders(*NUMBERS)
    assert main(["train", "cgan", "--data", "f", *QUICK]) == 0
    older()
    as_words.undo()
    Path("run").rename("old")
    assert mg.data.load("./f").classes == tuple(NUMBERS)
    for given in (None, mg.data.load("./f")):
        run = Trainer.resume("old", given)
        assert run.data.classes == tuple(sorted(NUMBERS))
        label = run.data.classes.index("10")
        assert label == 2 and set(run.data.images[run.data.labels == 2].ravel()) == {100, 101}
    assert load("old").class_names == ()
    assert load("old").sample(2, ["2", 2]).shape == (2, 8, 8, 1)
    assert main(["resume", "old", "--more", "1"]) == 0
    assert "12 columns: 0, 1, 10, 11, 2, 3" in capsys.readouterr().out
    assert load("old").class_names == tuple(sorted(NUMBERS))  # known from now on
    assert Trainer.resume("old").data.classes == tuple(sorted(NUMBERS))
    assert main(["resume", "old", "--more", "1"]) == 0


def test_other_classes_are_other_data():
    folders("a", "b")
    assert main(["train", "cgan", "--data", "f", *QUICK]) == 0
    Path("f/a").rename("f/c")
    with pytest.raises(ValueError, match="holds other images or labels"):
        Trainer.resume("run")


# More classes than a grid has columns.

def test_grids_say_that_they_show_the_first(capsys):
    folders(*[f"class {i}" for i in range(40)], each=1)
    assert main(["train", "cgan", "--data", "f", *QUICK]) == 0
    sentence = "the first 20 of 40 classes: class 0, class 1, class 2, "
    out = capsys.readouterr().out
    assert f"the grids show {sentence}" in out and max(map(len, out.splitlines())) < 300
    assert sentence in Path("run/report.html").read_text("utf-8")


def test_a_model_without_labels_says_nothing_of_them(capsys):
    folders("a", "b")
    assert main(["train", "gan", "--data", "f", "--preset", "seed", "--steps", "1", "--batch-size",
                 "2", "--threads", "1", "--out", "run"]) == 0
    assert "columns" not in capsys.readouterr().out
    assert "; columns" not in Path("run/report.html").read_text("utf-8")


def test_more_classes_than_names():
    digits = mg.data.load("digits")
    model = find("cgan")("mlp", (28, 28, 1), n_classes=12)
    Trainer(model, digits, 4, "wide", threads=1).fit(1)
    assert "columns: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11" in Path(
        "wide/report.html").read_text("utf-8")


def test_long_lists_are_cut():
    assert listed(["a", "b"]) == "a, b"
    names = [f"a rather long name {i}" for i in range(30)]
    assert listed(names).endswith("name 3, ...") and len(listed(names)) < 110
    assert listed(["x" * 300]) == "x" * 100 + ", ..."


def test_a_folder_is_not_a_known_set():
    assert places.is_folder("./digits") and not places.is_folder("digits")
