"""The commands in a report make the same run; no file meant for others names a local folder."""

from __future__ import annotations

import dataclasses
import html
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigan as mg
from minigan.cli import _parser, main
from minigan.commands import fitting
from minigan.data.places import last_part
from minigan.models.catalog import find, names
from minigan.runs.recipe import command
from minigan.training import Trainer, load

pytestmark = pytest.mark.usefixtures("alone")

RNG = np.random.default_rng(0)
SAME = ("model", "class", "preset", "settings", "shape", "n_classes", "data", "source", "seed",
        "data_crc32", "batch_size", "backend", "precision", "class_names")


def pictures(folder, *sizes, classes=("",)):
    for name in classes:
        for i, size in enumerate(sizes):
            path = folder / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(RNG.integers(0, 256, (*size, 3), np.uint8)).save(path)
    return folder


def lines_of(page: Path) -> list[str]:
    """The lines under "Commands" of a report."""
    (found,) = re.findall(r"<h2>Commands</h2>\s*<pre>(.*?)</pre>", page.read_text("utf-8"), re.S)
    return html.unescape(found).splitlines()


@pytest.fixture
def make(monkeypatch):
    """The trainer that a command line makes, which then does not train."""
    def made(words):
        found = []
        monkeypatch.setattr(fitting, "fit", lambda trainer, steps: found.append((trainer, steps)))
        options = _parser(words).parse_args(words)
        options.run(options)
        return found[0]
    return made


def again(config, make, steps=77):
    words = shlex.split(command(config, steps))
    assert words[0] == "minigan" and words[-2:] != ["--out", "run"]
    trainer, given = make(words[1:])
    assert given == steps
    assert {name: trainer.config[name] for name in SAME} == {name: config[name] for name in SAME}
    return trainer


RUNS = {
    "digits": ["gan", "--preset", "seed"],
    "digits resized": ["dcgan", "--size", "16", "--width", "2", "--layers", "2", "--seed", "5"],
    "a preset's size": ["dcgan", "--preset", "torch64", "--width", "2", "--d-width", "2"],
    "not a preset's size": ["dcgan", "--preset", "torch64", "--width", "2", "--d-width", "2",
                            "--size", "28"],
    "stacked": ["dcgan", "--data", "stacked-digits", "--width", "2", "--batch-size", "9"],
    "stacked resized": ["gan", "--data", "stacked-digits", "--size", "28", "--preset", "seed"],
    "mixed sizes": ["gan", "--preset", "seed", "--data", "mixed", "--size", "8", "--batch-size",
                    "2"],
    "one size": ["gan", "--preset", "seed", "--data", "same", "--batch-size", "2"],
    "a set's name": ["gan", "--preset", "seed", "--data", "./digits", "--batch-size", "2"],
    "spaces": ["gan", "--preset", "seed", "--data", "my own $(faces)", "--batch-size", "2"],
    "classes": ["cgan", "--preset", "mlp", "--data", "named", "--batch-size", "2"],
    "booleans": ["wgan-gp", "--preset", "seed", "--one-sided", "--layer-norm",
                 "--learning-rate", "1e-05"],
}


@pytest.mark.parametrize("words", RUNS.values(), ids=RUNS)
def test_the_command_makes_the_same_run(make, words):
    pictures(Path("mixed"), (8, 8), (12, 20), (9, 9))
    pictures(Path("same"), (8, 8), (8, 8))
    pictures(Path("digits"), (8, 8), (8, 8))
    pictures(Path("my own $(faces)"), (8, 8), (8, 8))
    pictures(Path("named"), (8, 8), (8, 8), classes=("10", "9", "a"))
    first, _ = make(["train", *words])
    again(first.config, make)
    again(first.folder.read_config(), make)


@pytest.mark.parametrize("name", names())
def test_settings_that_are_not_the_default(make, name):
    """Every setting at another value than its preset's, booleans both ways."""
    model = find(name)
    for preset in model.presets:
        usual = vars(model.presets[preset])
        if preset in ("paper64", "torch64"):
            continue
        for value in (True, False):
            settings = {key: value for key, given in usual.items() if given is not value
                        and isinstance(given, bool)}
            settings |= {key: 1.25e-7 for key, given in usual.items() if key.endswith("rate")}
            settings |= {key: given + 1 for key, given in usual.items() if key == "latent_size"}
            made = model(preset, (28, 28, 1), 2, 10, **settings)
            config = Trainer(made, mg.data.load("digits"), 5, threads=1).config
            words = shlex.split(command(config, 77))[1:]
            options = _parser(words).parse_args(words)
            given = {key.removeprefix("setting_"): value for key, value in vars(options).items()
                     if key.startswith("setting_") and value is not None}
            assert (options.steps, options.batch_size, options.seed, options.preset) == (
                77, 5, 2, preset)
            assert {**usual, **given} == config["settings"] == {**usual, **settings}


def test_a_data_folder_and_negative_numbers(make):
    from data_tools import write_set
    write_set(Path("sets/mnist"), 30)
    with pytest.warns(UserWarning, match="not MNIST's original file"):
        first, _ = make(["train", "gan", "--preset", "seed", "--data", "mnist", "--data-dir",
                         "sets", "--batch-size", "3"])
        assert "--data mnist --data-dir ./sets" in command(first.config, 3)
        again(first.config, make)
    config = dataclasses.replace(first.config, settings={**first.config.settings, "beta1": -1e-05})
    words = shlex.split(command(config, 3))[1:]
    assert _parser(words).parse_args(words).setting_beta1 == -1e-05


def test_a_device_is_named(make):
    first, _ = make(["train", "gan", "--preset", "seed"])
    config = dataclasses.replace(first.config, backend="cupy", precision="tf32")
    assert command(config, 3).endswith("--backend cupy --precision tf32")


def test_a_run_that_no_command_can_make_gets_lines_of_python():
    digits = mg.data.load("digits")
    few = mg.data.Images(digits.images[:50], digits.labels[:50], "few", n_classes=10)
    Trainer(find("gan")("seed", few.shape, 3, learning_rate=0.5), few, 8, "made", threads=1).fit(2)
    wide = find("cgan")("mlp", digits.shape, n_classes=12)
    Trainer(wide, digits, 8, "wide", threads=1).fit(2)
    for run in ("made", "wide"):
        lines = lines_of(Path(run, "report.html"))
        assert not any(line.startswith("minigan ") for line in lines)
        names = {"images": few}
        exec("\n".join(lines), names)  # they run as they stand
        config = load(run).config
        again = names["model"]
        assert type(again) is find(config["model"]) and again.preset == config["preset"]
        assert vars(again.settings) == config["settings"]
        assert (again.n_classes, again.streams.seed) == (config["n_classes"], config["seed"])
        assert load(run).config["step"] == 4  # the last line has trained two more


# Folders of this machine.

@pytest.mark.parametrize("name", ["gan", "cgan", "pix2pix"])
def test_no_file_for_others_holds_the_path_of_the_pictures(alone, name):
    place = alone / "home" / "user" / "secret-folder"
    pictures(place / "faces", *[(9, 11)] * 6, classes=("a", "b"))
    small = ["--width", "4"] if name == "pix2pix" else ["--preset",
                                                        "mlp" if name == "cgan" else "seed"]
    out = alone / "home" / "user" / "run"
    assert main(["train", name, *small, "--data", str(place / "faces"), "--size", "8", "--steps",
                 "25", "--batch-size", "4", "--threads", "1", "--out", str(out)]) == 0
    assert main(["export", str(out)]) == 0
    assert main(["sample", str(out), "--n", "4"]) == 0
    sent = [path for path in out.rglob("*") if path.is_file()
            and path.name not in ("config.json", "checkpoint.npz", "previous.npz")]
    assert {"report.html", "generator.npz", "losses.png", "samples.gif", "seed-0.png",
            "latest.png", "metrics.jsonl"} <= {path.name for path in sent}
    for path in sent:
        contents = path.read_bytes()
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                contents += b"".join(bytes(arrays[entry]) for entry in arrays.files)
        for secret in (b"secret-folder", os.fsencode(alone), b"home/user"):
            assert secret not in contents, path
    config = load(out / "generator.npz").config
    assert config["data"] == "faces" and config["source"] == {
        "name": "./faces", "split": "train", "folder": None, "size": 8}
    text = (out / "report.html").read_text("utf-8")
    assert " on faces</title>" in text and "./faces: the folder of pictures" in text


def test_an_export_finds_its_pictures_where_it_is_told(alone):
    pictures(alone / "faces", *[(8, 8)] * 4)
    assert main(["train", "pix2pix", "--width", "4", "--data", "faces", "--steps", "1",
                 "--batch-size", "2", "--threads", "1", "--out", "run"]) == 0
    assert main(["export", "run", "--out", "g.npz"]) == 0
    drawn = load("run").sample(3)
    assert load("g.npz").sample(3).shape == drawn.shape  # ./faces
    (alone / "faces").rename(alone / "moved")
    with pytest.raises(ValueError, match="its data set 'faces' is not here"):
        load("g.npz").sample(3)
    (alone / "deep").mkdir()
    assert main(["sample", "g.npz", "--n", "3", "--data-dir", "moved", "--out", "a.png"]) == 0
    (alone / "moved").rename(alone / "deep" / "faces")
    assert main(["sample", "g.npz", "--n", "3", "--data-dir", "deep", "--out", "b.png"]) == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_runs_of_versions_that_recorded_the_whole_path(alone):
    from minigan.runs import checkpoint
    pictures(alone / "secret-folder" / "faces", *[(8, 8)] * 4)
    Trainer(find("gan")("seed", (8, 8, 3)), mg.data.load(alone / "secret-folder" / "faces"), 2,
            "run", threads=1).fit(1)
    old = str(alone / "secret-folder" / "faces")
    arrays, config = checkpoint.load(Path("run/checkpoint.npz"))
    checkpoint.save(Path("run/checkpoint.npz"), arrays, {**config, "data": old})
    run = Trainer.resume("run")
    run.folder.write_config({**run.folder.read_config(), "data": old})
    run.fit(1)
    assert "secret-folder" not in Path("run/report.html").read_text("utf-8")
    assert Trainer.resume("run").step == 2
    checkpoint.save(Path("run/checkpoint.npz"), arrays, {**config, "data": old})
    load("run").export("g.npz")
    assert load("g.npz").config["data"] == "faces"


def test_the_last_part_of_a_path():
    for path, last in ((os.sep + "a" + os.sep + "b c", "b c"), ("/a/b/", "b"), ("/", "pictures"),
                       ("digits", "digits"), ("./faces", "faces"), ("few", "few"),
                       ("D:" + chr(92) + "x" + chr(92) + "faces", "faces")):
        assert last_part(path) == last
