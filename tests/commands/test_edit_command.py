"""`minigan edit`, and `minigan sample` with the latents that it wrote."""
from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from drawn import broken, digit, scan, seven
from model_tools import no_samples, no_summary
from PIL import Image
from stand_in import counted

import minigan as mg
from minigan.cli import main
from minigan.commands import edit as command
from minigan.editing import Directions, find_directions, latents_file
from minigan.models.catalog import find
from minigan.runs.pictures import Pictures
from minigan.training import Trainer

pytestmark = pytest.mark.usefixtures("alone")

FAST = ["--steps", "2", "--draws", "5", "--quiet"]


@pytest.fixture(autouse=True)
def small_floor(monkeypatch):
    monkeypatch.setattr(command, "FLOOR", 2)


@pytest.fixture
def run(capsys):
    """Run a command in this process: exit status, standard output, standard error."""
    def of(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse ends so
            status = stop.code
        return status, *capsys.readouterr()
    return of


@pytest.fixture
def pictures(tmp_path):
    """A digit and a scan, in the working folder."""
    digit().save("seven.png")
    scan(tmp_path)
    return ["seven.png", "scan.jpg"]


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A run whose model takes no labels and whose pictures are not digits."""
    folder = tmp_path_factory.mktemp("runs") / "gan-001"
    images = np.random.default_rng(0).integers(0, 255, (40, 12, 12, 1), dtype=np.uint8)
    data = mg.data.Images(images, name="noise")
    train(mg.models.GAN("seed", (12, 12, 1)), data, folder)
    return folder


def train(model, data, folder):
    """A run of one step, without pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pictures, "draw_samples", no_samples)
        patch.setattr(Pictures, "draw_summary", no_summary)
        Trainer(model, data, 8, folder, threads=1).fit(1, quiet=True)


# What it does.

def test_pictures_are_found_and_drawn_again(run, pictures):
    status, out, err = run("edit", "--pretrained", *pictures, *FAST)
    assert status == 0 and err == ""
    lines = out.splitlines()
    assert len(lines) == 4
    assert re.match(r"seven.png: \d fits best, then \d, error 0.\d+$", lines[0])
    assert lines[1].startswith("scan.jpg: ") and lines[1].endswith(
        "; resized from 320x240; inverted, as it is dark on light; its strokes placed as in the "
        "model's pictures")
    assert "; its own pictures 0." in lines[2] and ", nearest of 5 draws 0." in lines[2]
    assert lines[3] == ("2 images of 2 pictures: pretrained-edit-001.png, latents: "
                        "pretrained-edit-001.npz")
    model = mg.load().model
    z, labels, originals = latents_file.read(Path("pretrained-edit-001.npz"), model)
    assert z.shape == (2, 64) and len(labels) == 2
    assert np.array_equal(originals[0, :, :, 0], np.asarray(digit()))
    with Image.open("pretrained-edit-001.png") as grid:
        assert grid.size == ((30 * 2 - 2) * 3, (30 * 2 - 2) * 3 + 24)


def test_changes_and_their_record(run, pictures):
    status, out, err = run("edit", "--pretrained", "seven.png", "--label", "7", "--as", "1,2",
                           "--bolder", "2", "--slant", "0.5", "--move", "slant=-1.5", "--json",
                           *FAST)
    assert status == 0 and err == ""
    record = json.loads(out)
    assert record["moves"] == {"boldness": 2, "slant": -1} and record["as"] == ["1", "2"]
    assert [each["label"] for each in record["pictures"]] == ["7"]
    assert record["pictures"][0]["labels"] is None and record["model"] == "cgan"
    assert record["pictures"][0]["error"] == record["error"] < record["ceiling"]
    again = mg.load().edit(["seven.png"], 7, steps=2, draws=5)
    due = again.relabel([1, 2]).move(boldness=2, slant=-1)
    z, labels, _ = latents_file.read(Path(record["latents"]), due.model)
    assert labels.tolist() == [1, 2]
    np.testing.assert_allclose(z, due.z, atol=1e-4)


def test_a_walk_between_two_pictures(run, pictures):
    status, out, err = run("edit", "--pretrained", "--mix", *pictures, *FAST)
    assert status == 0 and "10 images of 2 pictures: pretrained-edit-001.png" in out
    z, _, originals = latents_file.read(Path("pretrained-edit-001.npz"), mg.load().model)
    assert z.shape == (10, 64) and originals is None


def test_where_the_files_go(run, faces, pictures, tmp_path):
    """Beside the run, under the next free number; no file is overwritten."""
    here = tmp_path / "mine"
    here.mkdir()
    mg.load(faces).export(here / "g.npz")
    (here / "g-edit-001.npz").write_text("mine")
    for name in ("g-edit-002", "g-edit-003"):
        status, out, _ = run("edit", here / "g.npz", "seven.png", *FAST)
        assert status == 0 and f"{name}.png, latents: " in out and (here / f"{name}.npz").exists()
    assert (here / "g-edit-001.npz").read_text() == "mine"
    assert "seven.png: error 0." in out and "fits best" not in out
    status, out, _ = run("edit", faces, "seven.png", *FAST)
    assert status == 0 and f"{(faces / 'edits' / '001.png').as_posix()}, latents: " in out
    status, out, _ = run("edit", faces, "seven.png", *FAST, "--out", "new/x.png")
    assert status == 0 and Path("new/x.png").exists() and Path("new/x.npz").exists()


def test_words_in_any_order(run, faces, pictures, tmp_path):
    status, out, _ = run("edit", faces, "--steps", 2, "seven.png", "--draws", 5, "scan.jpg")
    assert status == 0 and "2 images of 2 pictures" in out
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "gan-001").symlink_to(faces)
    status, out, _ = run("edit", "seven.png", *FAST)  # the newest run
    assert status == 0 and "1 image of 1 picture: runs/gan-001/edits/" in out


def test_directions_of_a_run(run, faces, pictures, tmp_path):
    model = mg.load(faces).model
    found = find_directions(model, "pca", n=250, count=2)
    found.save(Path("other.npz"))
    moved = ("edit", faces, "seven.png", "--move", "pca1=2", *FAST)
    sentence = refusal(run(*moved))
    assert "no directions were measured" in sentence and "`minigan directions RUN`" in sentence
    assert run(*moved, "--directions", "other.npz")[0] == 0
    found.save(faces / "directions.npz")
    try:
        assert isinstance(mg.load(faces).directions, Directions)
        assert run(*moved)[0] == 0
        assert "'slant' is not a direction; known are pca1, pca2" in refusal(
            run("edit", faces, "seven.png", "--slant", "1", *FAST))
        copy = mg.load(faces).export("copy.npz")
        (tmp_path / "copy-directions.npz").write_bytes((faces / "directions.npz").read_bytes())
        assert mg.load(copy).directions.names == found.names  # the same generator, rounded
    finally:
        (faces / "directions.npz").unlink()
    loaded = mg.load(faces)
    assert loaded.directions is None
    loaded.directions = found
    assert loaded.directions is found
    for wrong, kind, said in ((mg.load().directions, ValueError, "belongs to another generator"),
                              (3, TypeError, "directions must be Directions")):
        with pytest.raises(kind, match=said):
            loaded.directions = wrong
    assert "`minigan directions RUN` makes one" in refusal(
        run("edit", "--pretrained", "seven.png", "--directions", "other.npz"))
    assert "belongs to another generator" in refusal(
        run("edit", "--pretrained", "seven.png", "--directions", "other.npz"))


@pytest.mark.parametrize("name", ["edit", "directions", "play"])
def test_a_place_that_cannot_be_written_is_refused_at_once(run, pictures, faces, monkeypatch,
                                                           name):
    words = {"edit": ["seven.png", *FAST], "directions": ["--by", "pca", "--n", "200"],
             "play": []}[name]
    monkeypatch.setattr("minigan.system.paths.os.access", lambda path, mode: False)
    monkeypatch.setattr("minigan.runs.load", lambda source: pytest.fail("it was loaded"))
    assert "permission denied" in refusal(run(name, faces, *words))
    monkeypatch.undo()


def test_two_edits_at_once_take_two_numbers(run, pictures, monkeypatch):
    assert run("edit", "--pretrained", "seven.png", *FAST)[0] == 0
    kept = Path("pretrained-edit-001.npz").read_bytes()
    names = [Path(f"pretrained-edit-00{i}.png") for i in (1, 1, 2)]  # as if the 001 came meanwhile
    monkeypatch.setattr(command, "_free", lambda source: names.pop(0))
    assert run("edit", "--pretrained", "scan.jpg", *FAST)[0] == 0
    assert Path("pretrained-edit-002.npz").exists() and Path("pretrained-edit-002.png").exists()
    assert Path("pretrained-edit-001.npz").read_bytes() == kept


# Latents in other commands.

def test_latents_are_drawn_by_sample(run, pictures):
    run("edit", "--pretrained", *pictures, "--label", "7,3", *FAST, "--out", "two.png")
    status, out, err = run("sample", "--pretrained", "--latents", "two.npz")
    assert (status, err) == (0, "") and out == "2 images: pretrained-latents-two.png\n"
    loaded = mg.load()
    edit = loaded.edit(pictures, [7, 3], steps=2, draws=5)
    assert np.abs(loaded.sample(latents="two.npz").astype(int) - edit.images).max() <= 1
    assert np.array_equal(loaded.sample(latents=edit), edit.images)
    as_ones = loaded.sample(2, latents=edit, labels=1)
    assert np.array_equal(as_ones, loaded.sample(latents=edit.z, labels=[1, 1]))
    walks = loaded.interpolate(latents=edit, columns=3)
    assert walks.shape == (2, 3, 28, 28, 1)
    assert np.abs(walks[:, 0].astype(int) - edit.images).max() <= 1
    status, out, _ = run("sample", "--pretrained", "--latents", "two.npz", "--interpolate",
                         "--labels", "3")
    assert status == 0 and out == "20 images: pretrained-walk-two.png\n"
    for wrong, said in [(dict(n=3), "n is 3, but there are 2 latents"),
                        (dict(labels=[1, 2, 3]), "labels: 3 for 2")]:
        with pytest.raises(ValueError, match=said):
            loaded.sample(latents=edit, **wrong)
    with pytest.raises(ValueError, match="rows is 3, but there are 2 latents"):
        loaded.interpolate(3, latents=edit)


def test_latents_that_do_not_fit(run, faces, pictures):
    run("edit", "--pretrained", "seven.png", *FAST, "--out", "one.png")
    assert "one.npz belongs to another generator" in refusal(
        run("sample", faces, "--latents", "one.npz"))
    assert "gone.npz does not exist" in refusal(run("sample", faces, "--latents", "gone.npz"))
    assert "not a file that `minigan edit` writes" in refusal(
        run("sample", faces, "--latents", "one.png"))
    assert "--n: there are as many images as --latents" in refusal(
        run("sample", faces, "--latents", "one.npz", "--n", 3))
    edit = mg.load().edit("seven.png", 7, steps=2, draws=5)
    with pytest.raises(ValueError, match="latents: the edit belongs to another generator"):
        mg.load(faces).sample(latents=edit)
    for wrong in ("ab", b"x"), [["a"]], [[1, 2], [3]], {1: 2}:
        with pytest.raises(ValueError, match="latents: expected an Edit, the path of a file, or"):
            mg.load(faces).sample(latents=wrong)
    with pytest.raises(ValueError, match="latents: z must be float32"):
        mg.load(faces).sample(latents=np.zeros((2, 3)))


# What it refuses.

def refusal(result):
    """The one sentence of a refused command."""
    status, out, err = result
    assert status == 2 and out == "", result
    assert err.endswith("\n") and len(err.splitlines()) == 1 and "Traceback" not in err, err
    return err.partition("error: ")[2].strip()


@pytest.mark.parametrize("words, said", [
    ([], "PICTURE: give one or more files or folders"),
    (["gone.png"], "picture: gone.png does not exist"),
    (["broken.png"], "broken.png cannot be used (broken)"),
    (["empty"], "there is no picture in the folder empty"),
    (["seven.png", "--label", "12"], "'12' is neither the name of a class"),
    (["seven.png", "--label", "1,2"], "labels: 2 for 1; give one for each, or one for all"),
    (["seven.png", "--as", "1,eleven"], "'eleven' is neither the name of a class"),
    (["seven.png", "--bolder", "much"], "--bolder: 'much' is not a number"),
    (["seven.png", "--move", "slnt=1"], "'slnt' is not a direction; known are boldness, slant"),
    (["seven.png", "--move", "slant"], "'slant' is not NAME=AMOUNT"),
    (["seven.png", "--mix", "seven.png", "seven.png"], "so leave 'seven.png' out"),
    (["--mix", "seven.png", "seven.png", "--as", "3"], "a walk keeps its labels"),
    (["--mix", "seven.png", "several"], "expected two files, got folders with 3 pictures"),
    (["seven.png", "--out", "x.gif"], "--out must end in .png"),
    (["seven.png", "--out", "seven.png"], "--out: seven.png exists; choose another name"),
    (["seven.png", "--out", "broken.png/x.png"], "broken.png: not a directory"),
    (["seven.png", "--slant", "1e9"], "slant must be a number from -1000 to 1000"),
    (["seven.png", "--directions", "empty"], "directions: empty is not a file, but a folder"),
    (["seven.png", "--slnt", "2"], "unrecognized arguments: --slnt"),
    (["seven.png", "--steps", "0"], "must be 1 or more"),
])
def test_bad_input_gets_one_sentence_and_writes_nothing(run, tmp_path, words, said):
    digit().save("seven.png")
    broken(tmp_path)
    for folder in ("empty", "several"):
        (tmp_path / folder).mkdir()
    digit().save("several/1.png")
    digit().save("several/2.png")
    before = sorted(tmp_path.rglob("*"))
    assert said in refusal(run("edit", "--pretrained", *words, "--steps", 2, "--draws", 5)
                           if "--steps" not in words else run("edit", "--pretrained", *words))
    assert sorted(tmp_path.rglob("*")) == before


def test_models_that_cannot_edit(run, faces, pictures, tmp_path):
    assert "--label: gan is not conditional" in refusal(
        run("edit", faces, "seven.png", "--label", "3"))
    assert "--as: gan is not conditional" in refusal(run("edit", faces, "seven.png", "--as", "3"))
    with pytest.raises(ValueError, match="labels: gan is not conditional"):
        mg.load(faces).edit("seven.png", 3)
    images = mg.data.Images(np.zeros((8, 28, 28, 1), np.uint8))
    train(find("pix2pix")(width=2), images, "pix")
    assert "pix2pix starts from images" in refusal(run("edit", "pix", "seven.png"))
    assert "pix2pix starts from images" in refusal(run("directions", "pix"))
    assert refusal(run("play", "pix")).startswith("play: pix2pix starts from images")
    assert "there is no run folder of minigan in runs; name one, or add --pretrained" in refusal(
        run("edit", "seven.png"))


def test_a_label_without_a_name_is_its_number(run, pictures):
    """A model may know more classes than its data set has names."""
    digits = mg.data.load("digits")
    train(find("cgan")("mlp", n_classes=12), digits, "twelve")
    assert len(mg.load("twelve").class_names) == 10
    status, out, _ = run("edit", "twelve", "seven.png", "--as", "3,11", *FAST, "--json")
    assert status == 0 and json.loads(out)["as"] == ["3", "11"]
    assert list(json.loads(out)["pictures"][0]["labels"]) == [str(i) for i in range(12)]


def test_pictures_of_python(faces):
    loaded = mg.load(faces)
    pixels = np.asarray(seven((12, 12), (3, 2, 8, 10), 2))[None, :, :, None]
    settings = dict(steps=2, draws=5)
    edit = loaded.edit(pixels, **settings)
    assert np.array_equal(edit.originals, pixels) and edit.notes == ("",)
    same = loaded.edit(mg.data.Images(pixels), **settings)
    floats = loaded.edit(pixels / np.float32(127.5) - 1, **settings)
    assert np.array_equal(same.z, edit.z) and np.array_equal(floats.originals, pixels)
    np.testing.assert_allclose(edit.inversion.error, edit.error, atol=0.01)
    for wrong in (pixels[:, :9], pixels[0], 3, [], [pixels[0], pixels[0, 1:]]):
        with pytest.raises(ValueError, match="images"):
            loaded.edit(wrong, **settings)


def test_an_edit_on_a_device(tmp_path):
    pixels = np.asarray(digit())[None, :, :, None]

    def edited():
        return mg.load().edit(pixels, 7, steps=2, draws=5).relabel([7, 1]).move(slant=1)

    due = edited()
    images = due.images.astype(int)
    with mg.use("stand-in"), counted() as counts:
        there = edited()
        assert isinstance(there.z, np.ndarray) and isinstance(there.images, np.ndarray)
        np.testing.assert_allclose(there.z, due.z, atol=1e-3)
        assert np.abs(images - there.images).max() <= 2
        drawn = mg.load().sample(latents=there.save("x.npz"))
    assert counts["to_host"] and np.abs(images - drawn).max() <= 2
