"""The work of `minigan evaluate`: a run's digit test as text, JSON and a picture."""

from __future__ import annotations

import json

import numpy as np
import pytest

import minigan as mg
from minigan import plot
from minigan.cli import main
from minigan.evaluation.by_digit_test import nearest_by_class
from minigan.metrics import digit_test
from minigan.models.catalog import find
from minigan.training import Trainer, evaluate


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
    for folder, arguments, says in [
            (foreign, {}, "images: the run was trained on pictures that were made in Python, "
                          "'fashion-mnist'; minigan.training.evaluate"),
            (run, {"n": 50}, "n: the digit test needs 200 samples or more, got 50"),
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


# Any other pictures.

def pictures(folder, count=40, size=(10, 12), classes=("",)):
    """A folder of smooth colour pictures, each of its own."""
    from PIL import Image
    random = np.random.default_rng(0)
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            small = Image.fromarray(random.integers(0, 256, (3, 3, 3), np.uint8))
            small.resize(size, Image.Resampling.BICUBIC).save(folder / name / f"{i}.png")
    return folder


def rows(found):
    return {row["name"]: row for row in json.loads(found.record.read_text())["rows"]}


DISTANCES = ["Frechet distance", "kernel distance", "precision", "recall", "density", "coverage",
             "1-NN accuracy"]


def test_a_folder_of_few_colour_pictures(tmp_path):
    data = mg.data.load(pictures(tmp_path / "secret" / "faces"), size=8)
    run = trained(tmp_path / "run", "gan", "seed", data, data.shape)
    found = evaluate(run, 60)
    assert list(rows(found)) == ["copies, near", "copies, median", "spread", "alike", *DISTANCES]
    record = json.loads(found.record.read_text())
    assert (record["data"], record["test"], record["n"]) == ("faces", "pictures", 60)
    assert record["lines"] == found.lines and "trained on faces, step 2: 60 sam" in found.lines[0]
    assert any("only 20 samples could be compared" in line for line in found.lines)
    assert "as there are no others" in record["split"]
    for path in (found.record, found.picture):
        assert b"secret" not in path.read_bytes()
    width, height = png_size(found.picture)
    assert width > 2 * height > 500
    assert evaluate(run, 60).lines == found.lines


def test_copies_in_a_folder_are_found(tmp_path, monkeypatch):
    data = mg.data.load(pictures(tmp_path / "faces"), size=8)
    run = trained(tmp_path / "run", "gan", "seed", data, data.shape)
    monkeypatch.setattr("minigan.runs.trained.Loaded.sample",
                        lambda self, n, *more: data.images[np.arange(n) % 40])
    found = evaluate(run, 40)
    assert found.passed is False and rows(found)["copies, near"]["value"] == 1
    assert found.lines[-1] == ("the picture test fails: many samples are copies of training "
                               "pictures")
    allowed = {"copies, near": 1.0}
    assert evaluate(run, 40, bounds=allowed).passed


def test_classes_of_a_folder(tmp_path):
    data = mg.data.load(pictures(tmp_path / "pets", 30, classes=("cat", "dog")), size=8)
    run = trained(tmp_path / "run", "cgan", "mlp", data, data.shape)
    assert mg.load(run).class_names == ("cat", "dog")
    found = rows(evaluate(run, 60))
    assert {"label right", "label right, worst", "spread, worst class"} <= found.keys()
    assert found["label right, worst"]["note"] in ("class cat", "class dog")
    plain = trained(tmp_path / "plain", "gan", "seed", data, data.shape)
    assert "least class" in rows(evaluate(plain, 60))


def test_digits_of_another_size_and_stacks(tmp_path):
    for name, data in (("small", mg.data.load("digits", size=8)),
                       ("stack", mg.data.load("stacked-digits", size=8))):
        run = trained(tmp_path / name, "gan", "seed", data, data.shape)
        assert "recognised" not in rows(evaluate(run, 50))


def test_pictures_made_in_python(tmp_path):
    random = np.random.default_rng(0)
    data = mg.data.Images(random.integers(0, 256, (50, 6, 9, 3), np.uint8), name="mine")
    run = trained(tmp_path / "run", "gan", "seed", data, data.shape)
    with pytest.raises(ValueError, match="images: the run was trained on pictures that were made "
                                         "in Python, 'mine'"):
        evaluate(run, 50)
    other = mg.data.Images(data.images[::-1].copy(), name="mine")
    with pytest.raises(ValueError, match="holds other images or labels"):
        evaluate(run, 50, images=other)
    assert not list(run.glob("evaluation.*"))
    assert "spread" in rows(evaluate(run, 50, images=data))
    mg.load(run).export(tmp_path / "there" / "g.npz")
    assert "spread" in rows(evaluate(tmp_path / "there" / "g.npz", 50, images=data))


def test_a_known_set_is_compared_with_its_test_part(tmp_path, monkeypatch):
    from data_tools import write_set
    monkeypatch.setenv("MINIGAN_DATA", str(tmp_path))
    write_set(tmp_path / "fashion-mnist", 40)
    with pytest.warns(UserWarning, match="not Fashion-MNIST's original"):
        data = mg.data.load("fashion-mnist")
        run = trained(tmp_path / "run", "gan", "seed", data, data.shape)
        assert "no others" in json.loads(evaluate(run, 20).record.read_text())["split"]
        write_set(tmp_path / "more", 20, split="test")
        for path in (tmp_path / "more").iterdir():
            path.rename(tmp_path / "fashion-mnist" / path.name)
        found = evaluate(run, 20)
    assert "compared with the test part" in json.loads(found.record.read_text())["split"]


def test_a_folder_called_as_a_set_is_a_folder(tmp_path):
    data = mg.data.load(pictures(tmp_path / "mnist", size=(28, 28)))
    data.images = np.ascontiguousarray(data.images[..., :1])
    run = trained(tmp_path / "run", "gan", "seed", data)
    with pytest.raises(ValueError, match="holds other images"):  # it is not judged as digits
        evaluate(run, 300)


def test_models_that_start_from_pictures_are_judged_by_the_truth(tmp_path):
    run = trained(tmp_path / "halves", "pix2pix", "halves", mg.data.load("digits", size=8),
                  (8, 8, 1), width=4)
    found = evaluate(run, 50)
    assert list(rows(found)) == ["error", "error of the mean", *DISTANCES]
    assert "that it was trained on" in rows(found)["error"]["note"]
    inputs, samples, truth = mg.load(run).translated(50)
    due = np.abs(samples.astype(float) - truth).mean() / 255
    assert rows(found)["error"]["value"] == pytest.approx(due, rel=1e-5)
    due = np.abs(inputs.astype(float) - truth).mean() / 255
    assert rows(found)["error"]["bound"] == pytest.approx(due, rel=1e-5)
    assert found.passed == rows(found)["error"]["passed"]
    with pytest.raises(ValueError, match="bounds: the test of a model that starts"):
        evaluate(run, 50, bounds={"spread": 1.0})
    with pytest.raises(ValueError, match="translated: gan starts from latents"):
        mg.load(trained(tmp_path / "gan", "gan", "seed")).translated(3)


def test_a_report_shows_the_evaluation(tmp_path):
    data = mg.data.load(pictures(tmp_path / "faces"), size=8)
    run = trained(tmp_path / "run", "gan", "seed", data, data.shape)
    assert "<h2>Evaluation" not in (run / "report.html").read_text("utf-8")
    found = evaluate(run, 60)
    Trainer.resume(run).fit(1)
    page = (run / "report.html").read_text("utf-8")
    assert "<h2>Evaluation" in page and "step 2: 60 samples" in page
    import base64
    assert base64.b64encode(found.picture.read_bytes()).decode() in page
    for damaged in ("{", "[]", "{\"rows\": []}", "\ufeff"):
        found.record.write_text(damaged, encoding="utf-8")
        Trainer.resume(run).fit(1)
        assert "<h2>Evaluation" not in (run / "report.html").read_text("utf-8")


def test_the_command_judges_any_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "faces")
    assert main(["train", "gan", "--preset", "seed", "--data", "faces", "--size", "8", "--steps",
                 "1", "--batch-size", "4", "--threads", "1", "--out", "run"]) == 0
    capsys.readouterr()
    (tmp_path / "faces").rename(tmp_path / "moved")
    assert main(["evaluate", "run", "--n", "40"]) == 2
    assert "faces is not there" in capsys.readouterr().err
    assert main(["evaluate", "run", "--n", "40", "--data-dir", "moved"]) == 0
    assert "copies, near" in capsys.readouterr().out
