"""Pictures are extras: a failure ends no training, and `minigan report` makes them again."""
from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from failing_disk import WRITING, failures
from model_tools import no_samples, no_summary

from minigan import data, plot
from minigan.cli import main
from minigan.models.catalog import find
from minigan.runs import pictures
from minigan.runs.preview import PAIRED
from minigan.training import Trainer, load, make_report

pytestmark = pytest.mark.usefixtures("alone")

ARGUMENTS = ["train", "gan", "--preset", "seed", "--batch-size", "8", "--threads", "1", "--steps",
             "35", "--out", "run"]
EXTRAS = ["losses.png", "samples.gif", "report.html", "samples/latest.png"]


@pytest.fixture(scope="module")
def few():
    whole = data.load("digits")
    return data.Images(np.ascontiguousarray(whole.images[:44, 2:26:3, 2:26:3]), whole.labels[:44],
                       "few", n_classes=10)


def start(few, out, **settings):
    model = find("gan")("seed", few.shape, latent_size=4)
    return Trainer(model, few, 8, out, threads=1, **settings)


def bits(run):
    return {name: array.tobytes() for name, array in load(run).model.state_dict().items()}


# The report again.

def contents(run):
    return {name: Path(run, name).read_bytes() for name in EXTRAS}


def test_all_pictures_can_be_made_again(capsys):
    assert main(ARGUMENTS) == 0
    before, weights = contents("run"), Path("run/checkpoint.npz").read_bytes()
    for name in EXTRAS:
        Path("run", name).unlink()
    capsys.readouterr()
    assert main(["report", "run"]) == 0
    assert capsys.readouterr() == ("run/report.html\n", "")
    assert contents("run") == before and Path("run/checkpoint.npz").read_bytes() == weights
    assert main(["report", "run"]) == 0 and contents("run") == before  # none is in its way


def test_a_finished_run_that_was_killed_before_its_pictures(few, monkeypatch):
    """Its log goes further than its checkpoint, and grids of later steps are there."""
    start(few, "straight").fit(30)
    run = start(few, "run").fit(30)
    run.folder.append_metrics({"step": 40, "d_loss": 9.0, "g_loss": 9.0, "seconds": 1.0})
    shutil.copy("run/samples/000030.png", "run/samples/000050.png")
    for name in EXTRAS:
        Path("run", name).unlink()
    assert make_report("run") == Path("run/report.html")
    theirs, ours = contents("straight"), contents("run")
    assert [name for name in EXTRAS if ours[name] != theirs[name]] == ["report.html"]  # seconds
    assert Path("run/samples/000050.png").exists()


@pytest.mark.parametrize("content", [b"[" * 200_000, b"\xff", b"7", b'{"lines": 7}'])
def test_an_evaluation_that_cannot_be_read_is_left_out(few, content):
    start(few, "run").fit(1)
    Path("run/evaluation.json").write_bytes(content)
    make_report("run")
    assert "<h2>Evaluation" not in Path("run/report.html").read_text("utf-8")


def test_resume_of_a_complete_run_names_the_report(capsys):
    assert main(ARGUMENTS) == 0
    capsys.readouterr()
    assert main(["resume", "run"]) == 2
    said = capsys.readouterr().err
    assert "run has done 35 of 35 steps" in said and "--more" in said
    assert "`minigan report run`" in said


def test_a_report_that_cannot_be_made_is_an_error(few, monkeypatch, capsys):
    start(few, "run").fit(3)
    monkeypatch.setattr(pictures, "animate", lambda *given: 1 / 0)
    with pytest.raises(RuntimeError, match=r"^run: samples\.gif could not be written \(division by "
                                           r"zero\)$"):
        make_report("run")
    assert main(["report", "run"]) == 2 and "samples.gif" in capsys.readouterr().err
    for wrong, said in (("nowhere", "not a run folder"), ("empty", "not a run folder")):
        Path("empty").mkdir(exist_ok=True)
        assert main(["report", wrong]) == 2 and said in capsys.readouterr().err


def test_a_report_of_a_model_that_starts_from_images(few):
    model = find("pix2pix")("halves", few.shape, width=4)
    Trainer(model, few, 8, "run", threads=1).fit(2)
    before = contents("run")
    Path("run/samples/latest.png").unlink()
    with pytest.raises(ValueError, match="made in Python, 'few'"):
        make_report("run")
    assert make_report("run", few).is_file() and contents("run") == before
    page = Path("run/report.html").read_text("utf-8")
    assert f"step 2; {PAIRED}<" in page and "The same inputs over time" in page
    other = data.Images(few.images[::-1].copy(), None, "other")
    with pytest.raises(ValueError, match="holds other images"):
        make_report("run", other)


def test_samples_of_a_model_that_starts_from_images_say_what_they_show(capsys):
    assert main(["train", "pix2pix", "--width", "4", "--steps", "1", "--batch-size", "2",
                 "--threads", "1", "--out", "run"]) == 0
    capsys.readouterr()
    wrote = "2 images: run/samples/seed-0.png\n"
    assert main(["sample", "run", "--n", "2"]) == 0
    assert capsys.readouterr().out == f"{wrote}of each: {PAIRED}\n"
    assert main(["sample", "run", "--n", "2", "--quiet"]) == 0
    assert capsys.readouterr().out == wrote


# Extras.

@pytest.mark.parametrize("what", ["losses.png", "samples.gif", "report.html", "the samples"])
@pytest.mark.parametrize("error", [MemoryError(), ValueError("a $ too many"),
                                   PermissionError(errno.EACCES, "Permission denied", "run/x")])
def test_what_fails_in_a_picture_is_one_warning(few, monkeypatch, what, error):
    def fail(*given, **named):
        raise error

    owner, name = {"losses.png": (pictures, "curves"), "samples.gif": (pictures, "animate"),
                   "report.html": (pictures, "write_report"),
                   "the samples": (plot, "tile")}[what]
    monkeypatch.setattr(owner, name, fail)
    monkeypatch.setattr("minigan.training.trainer.SAVE_EVERY_SECONDS", 0)  # drawn again and again
    run = start(few, "run")
    with pytest.warns(UserWarning) as said:
        run.fit(25)
    assert len(said) == 1 and run.step == 25 and load("run").config["step"] == 25
    words = str(said[0].message)
    assert f"{what} could not be written" in words and "training goes on" in words
    monkeypatch.undo()


def test_a_damaged_older_picture_is_left_out(few):
    run = start(few, "run").fit(12)
    Path("run/samples/000010.png").write_bytes(b"\x89PNG\r\n")
    run.fit(5)
    from PIL import Image
    with Image.open("run/samples.gif") as gif:
        assert gif.n_frames == 3  # of steps 0, 15 and 17


@pytest.fixture(scope="module")
def unbroken(few, tmp_path_factory):
    place = tmp_path_factory.mktemp("unbroken") / "run"
    start(few, place).fit(34)
    return bits(place)


@pytest.fixture
def prepare(few):
    """The trainer of a run of 12 steps, made anew each time."""
    start(few, "template").fit(12)

    def prepared():
        shutil.rmtree("run", ignore_errors=True)
        shutil.copytree("template", "run")
        return Trainer.resume("run", few)
    return prepared


def finish(few):
    """Resume and train to the end, without pictures; returns the step of the checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures.Pictures, "draw_samples", no_samples)
        patch.setattr(pictures.Pictures, "draw_summary", no_summary)
        resumed = Trainer.resume("run", few)
        step = resumed.step
        resumed.fit(34 - step)
    return step


def check_failures(few, prepare, unbroken, every, first):
    """The run goes on to the bits of the unbroken one, and no picture ends a training."""
    for failure in failures(prepare, lambda run: run.fit(11), every=every, first=first):
        name = Path(failure.call[1]).name
        if failure.error is not None:
            assert isinstance(failure.error, (OSError, RuntimeError)), failure
            assert not any(extra.split("/")[-1] in name for extra in EXTRAS), failure
        finish(few)
        assert bits("run") == unbroken, failure.call


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_disk_that_fails_at_some_call_of_a_fit_loses_nothing(few, prepare, unbroken):
    check_failures(few, prepare, unbroken, every=67, first=3)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(7))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_disk_that_fails_at_any_call_of_a_fit_loses_nothing(few, prepare, unbroken, first):
    check_failures(few, prepare, unbroken, every=7, first=first)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_disk_that_is_full_from_some_call_on_keeps_the_checkpoint(few, prepare, unbroken):
    for failure in failures(prepare, lambda run: run.fit(11), kinds=WRITING, lasting=True,
                            every=17, errors=(errno.ENOSPC,)):
        assert finish(few) in (12, 23)
        assert bits("run") == unbroken, failure.call


# Pictures of two and of four channels.

@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("name, preset", [("gan", "seed"), ("dcgan", "small"), ("wgan", "mlp"),
                                          ("wgan-gp", "seed"), ("cgan", "conv")])
def test_pictures_of_two_and_four_channels_are_trained_and_shown(name, preset, channels):
    rng = np.random.default_rng(0)
    images = data.Images(rng.integers(0, 256, (20, 8, 8, channels), np.uint8),
                         np.arange(20) % 10, "sprites", n_classes=10)
    run = Trainer(find(name)(preset, images.shape), images, 4, "run", threads=1).fit(2)
    assert all(Path("run", extra).is_file() for extra in EXTRAS)
    trained = load("run")
    assert trained.sample(3).shape == (3, 8, 8, channels)
    for more in ([], ["--single"], ["--interpolate"]):
        assert main(["sample", "run", "--n", "2", "--out", "a.png" if "--single" not in more
                     else "many", *more]) == 0
    assert make_report("run").is_file() and run.samples().shape[-1] == channels
    assert json.loads(Path("run/config.json").read_text("utf-8"))["shape"] == [8, 8, channels]
