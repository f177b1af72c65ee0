"""The work of `minigan evaluate`: a run's digit test as text, JSON and a picture."""

from __future__ import annotations

import json

import numpy as np
import pytest

import minigan as mg
from minigan import plot
from minigan.metrics import digit_test
from minigan.models.catalog import find
from minigan.training import Trainer, evaluate
from minigan.training.evaluation import nearest_by_class

pytestmark = pytest.mark.rounding


def trained(folder, name="cgan", preset=None, data=None, shape=(28, 28, 1), **settings):
    """A run of two steps, or of none; its folder."""
    data = data or mg.data.load("digits")
    model = find(name)(preset, shape, 0, 10, **settings)
    return Trainer(model, data, 8, folder, threads=1).fit(2).folder.path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs") / "cgan", width=4)


def png_size(path):
    head = path.read_bytes()[:24]
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def test_what_is_written_is_what_the_digit_test_finds(run, monkeypatch):
    shown = []
    strip = plot.strip
    monkeypatch.setattr(plot, "strip", lambda *a, **k: shown.append(a[0]) or strip(*a, **k))
    found = evaluate(run, 250, seed=3)
    images, digits = mg.load(run).sample(250, seed=3), mg.data.load("digits").images
    due = digit_test(images, digits, np.arange(250) % 10)

    assert found.record == run / "evaluation.json" and found.picture == run / "evaluation.png"
    record = json.loads(found.record.read_text())
    assert record["rows"] == due.record()["rows"] and record["failed"] == due.failed
    assert (record["n"], record["seed"], record["step"], record["weights"]) == (
        250, 3, 2, "moving average")
    assert not found.passed and not record["passed"]

    assert found.lines[1:-2] == due.lines()
    assert found.lines[0] == ("cgan conv trained on digits, step 2: 250 samples of the generator's "
                              "moving average, seed 3")
    assert found.lines[-2] == ("floor: what 5,000 other test digits get, not 250: some numbers "
                               "depend on how many")
    assert found.lines[-1] == f"the digit test fails at {', '.join(due.failed)}"

    (first, nearest), = shown
    assert first.shape == nearest.shape == (4 * 28 + 3 * 2, 10 * 28 + 9 * 2)
    np.testing.assert_array_equal(first[:28, 30:58], images[1, :, :, 0])
    np.testing.assert_array_equal(first[30:58, 30:58], digits[due.nearest[1], :, :, 0])
    np.testing.assert_array_equal(first[60:88, :28], images[10, :, :, 0])
    np.testing.assert_array_equal(first[90:, :28], digits[due.nearest[10], :, :, 0])
    width, height = png_size(found.picture)
    assert width > 3 * height > 900


def test_weights_bounds_and_a_checkpoint_without_its_folder(run, tmp_path):
    moved = tmp_path / "some.npz"
    moved.write_bytes((run / "checkpoint.npz").read_bytes())
    never = {"recognised": 0, "least class": 0, "precision": 0, "recall": 0, "label right": 0,
             "copies, median": 0, "copies, near": 1, "label right, worst digit": 0,
             "spread, worst digit": 0}
    found = evaluate(moved, 200, raw=True, bounds=never)
    assert found.passed and found.lines[-1] == "the digit test is passed"
    assert "own weights" in found.lines[0]
    own = digit_test(mg.load(run).sample(200, raw=True), mg.data.load("digits").images,
                     np.arange(200) % 10, never)
    assert found.lines[1:-2] == own.lines()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "evaluation.json", "evaluation.png", "some.npz"]
    rows = json.loads(found.record.read_text())["rows"]
    assert {row["name"]: row["bound"] for row in rows if row["bound"] is not None} == never


def test_a_model_without_labels_has_no_part_e(tmp_path):
    found = evaluate(trained(tmp_path / "run", "gan", "seed"), 200)
    assert {row["part"] for row in json.loads(found.record.read_text())["rows"]} == {
        "a", "b", "c", "d", ""}
    assert "own weights" in found.lines[0]  # this preset keeps no moving average


def test_what_is_no_digit_is_refused_before_anything_is_written(run, tmp_path):
    pixels = np.zeros((8, 28, 28, 1), np.uint8)
    foreign = trained(tmp_path / "foreign", "gan", "seed",
                      mg.data.Images(pixels, np.arange(8) % 10, "fashion-mnist", n_classes=10))
    halves = trained(tmp_path / "halves", "pix2pix", "halves")
    for folder, arguments, says in [
            (foreign, {}, "run: the digit test judges MNIST digits of 28x28x1; this run was "
                          "trained on fashion-mnist, 28x28x1"),
            (halves, {}, "run: pix2pix starts from training images"),
            (run, {"n": 50}, "images: expected 200 or more digits"),
            (run, {"n": 200, "bounds": {"fid": 1}}, "bounds: 'fid' is unknown")]:
        for path in folder.glob("evaluation.*"):
            path.unlink()
        with pytest.raises(ValueError, match=says):
            evaluate(folder, **arguments)
        assert not list(folder.glob("evaluation.*"))
    with pytest.raises(FileNotFoundError, match="run: .* is not a run folder"):
        evaluate(tmp_path)


def test_the_nearest_of_each_class_come_first():
    distances = np.array([5.0, 1, 2, 9, 3, 4, 0.5])
    classes = np.array([2, 0, 0, 7, 2, 0, 0])
    assert nearest_by_class(distances, classes).tolist() == [6, 4, 3, 1, 0, 2, 5]
