"""The training loop, its run folder, checkpoints that are never half written, and loading."""
from __future__ import annotations

import dataclasses
import errno
import gc
import inspect
import json
import math
import os
import shutil
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from failing_disk import FailingDisk
from model_tools import check_losses, no_samples, no_summary
from stand_in import counted

import minigan as mg
from minigan import data, plot
from minigan.models.catalog import find
from minigan.runs import checkpoint, folder
from minigan.runs.pictures import Pictures, is_milestone
from minigan.system import files, threads
from minigan.training import Trainer, load, new_run, open_run, trainer

pytestmark = pytest.mark.usefixtures("alone")

FULL = Path("/dev/full")  # every write to it fails as on a full disk


@pytest.fixture(scope="module")
def digits():
    """96 digits of 8x8 pixels: small enough for a step of half a millisecond."""
    whole = data.load("digits")
    return data.Images(np.ascontiguousarray(whole.images[:96, 2:26:3, 2:26:3]),
                       whole.labels[:96], "few digits", n_classes=10)


@pytest.fixture
def make(digits):
    def trainer_of(out=None, seed=0, batch_size=16, preset="seed", threads=1, **more):
        model = find("gan")(preset, digits.shape, seed, latent_size=8)
        return Trainer(model, digits, batch_size, out, threads=threads, **more)
    return trainer_of


@pytest.fixture
def no_pictures(monkeypatch):
    """Drawing takes most of a short run's time."""
    monkeypatch.setattr(Pictures, "draw_samples", no_samples)
    monkeypatch.setattr(Pictures, "draw_summary", no_summary)


def bits(model):
    return {name: value.tobytes() for name, value in model.state_dict().items()}


def listing(path):
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())


def lines(run):
    return [json.loads(line) for line in run.folder.metrics.read_text("utf-8").splitlines()]


def without_seconds(run):
    return [{**record, "seconds": 0} for record in lines(run)]


def png(path):
    """The pixels of a grey picture, read by matplotlib."""
    from matplotlib.image import imread
    return (imread(path) * 255).round().astype("uint8")


# Where a run goes.

def test_the_next_free_number():
    assert str(new_run("gan")) == "runs/gan-001"
    assert str(new_run("gan")) == "runs/gan-002"
    Path("runs/gan-007").mkdir()
    Path("runs/gan-x").mkdir()
    Path("runs/gan-²").mkdir()  # a digit, but no number
    Path("runs/wgan-040").mkdir()
    Path("runs/gan-012").write_text("a file takes its number too")
    assert str(new_run("gan")) == "runs/gan-013"  # a gap is not filled: order tells the age
    assert str(new_run("wgan")) == "runs/wgan-041"
    assert str(new_run("wgan-gp")) == "runs/wgan-gp-001"
    Path("runs/gan-999").mkdir()
    assert str(new_run("gan")) == "runs/gan-1000" and str(new_run("gan")) == "runs/gan-1001"
    assert str(new_run("gan", root="elsewhere")) == "elsewhere/gan-001"


def test_an_existing_folder_is_refused():
    for path in (Path("there"), Path("file")):
        path.mkdir() if path.name == "there" else path.write_text("mine")
        with pytest.raises(FileExistsError, match=f"--out: {path} exists.*--overwrite.*"
                                                  f"{path}.old"):
            new_run("gan", path)
    Path("link").symlink_to("nowhere")
    with pytest.raises(FileExistsError, match="--out: link exists"):
        new_run("gan", "link")
    assert listing(Path("there")) == [] and Path("file").read_text() == "mine"
    run = new_run("gan", "deep/er/new")
    assert run.samples.is_dir() and str(run) == "deep/er/new"


def test_overwrite_replaces_only_a_run_and_keeps_it(make, no_pictures):
    make("out", seed=1).fit(1)
    first = (Path("out") / "checkpoint.npz").read_bytes()
    make("out", seed=2, overwrite=True).fit(1)
    second = (Path("out") / "checkpoint.npz").read_bytes()
    make("out", seed=3, overwrite=True).fit(1)
    assert (Path("out.old") / "checkpoint.npz").read_bytes() == first != second
    assert (Path("out.old2") / "checkpoint.npz").read_bytes() == second
    assert load("out").config["seed"] == 3
    make("new", overwrite=True)  # nothing there to replace
    assert not Path("new.old").exists()


@pytest.mark.parametrize("content", [
    None, "", "{}", "[]", "not json", '{"model": "gan"}', '"minigan"', b"\xff\xfe"])
def test_overwrite_leaves_other_folders_alone(content):
    Path("pictures").mkdir()
    Path("pictures/holiday.jpg").write_text("precious")
    if content is not None:
        raw = content if isinstance(content, bytes) else content.encode()
        Path("pictures/config.json").write_bytes(raw)
    before = listing(Path("pictures"))
    with pytest.raises(FileExistsError, match="--overwrite: pictures is not a run folder of "
                                              "minigan.*left alone"):
        new_run("gan", "pictures", overwrite=True)
    assert listing(Path("pictures")) == before and not Path("pictures.old").exists()
    with pytest.raises(FileNotFoundError, match="pictures is not a run folder"):
        open_run("pictures")


def test_an_unwritable_place_is_named():
    Path("file").write_text("")
    with pytest.raises(OSError) as caught:
        new_run("gan", "file/run")
    assert "file/run" in str(caught.value.filename)


# What a run writes.

def test_what_is_in_a_run_folder(make, digits):
    heard = []
    run = make(callbacks=[lambda run, metrics: heard.append((run.step, metrics))])
    assert listing(Path("runs")) == ["gan-001/config.json"]
    assert run.fit(104) is run and not run.interrupted and run.step == 104
    assert listing(run.folder.path) == [
        "checkpoint.npz", "config.json", "losses.png", "metrics.jsonl", "previous.npz",
        "report.html", "samples.gif",
        *[f"samples/{step:06d}.png" for step in (0, 10, 15, 20, 30, 50, 70, 100, 104)],
        "samples/latest.png"]
    records = lines(run)
    assert [r["step"] for r in records] == [1, 20, 40, 60, 80, 100, 104]
    assert all(list(r) == ["step", "d_loss", "g_loss", "seconds"] for r in records)
    assert all(math.isfinite(r["d_loss"]) and r["g_loss"] > 0 for r in records)
    seconds = [r["seconds"] for r in records]
    assert seconds == sorted(seconds) and 0 < seconds[-1] <= run.seconds + 1e-3 < 60
    assert [(step, m["d_loss"]) for step, m in heard] == [(r["step"], r["d_loss"])
                                                          for r in records]
    config = json.loads(run.folder.config.read_text("utf-8"))
    assert config["minigan"] == mg.__version__ and config["model"] == "gan"
    assert config["preset"] == "seed" and config["settings"]["latent_size"] == 8
    assert config["shape"] == [8, 8, 1] and config["data"] == "few digits"
    assert (config["seed"], config["batch_size"], config["threads"]) == (0, 16, 1)
    assert config["backend"] == "numpy"
    assert config["environment"]["numpy"] == np.__version__ and config["environment"]["blas"]
    latest, last = (run.folder.samples / name for name in ("latest.png", "000104.png"))
    assert latest.read_bytes() == last.read_bytes()
    assert latest.read_bytes() != (run.folder.samples / "000000.png").read_bytes()
    pixels = png(latest)
    assert pixels.shape[:2] == (2 * (8 * 10 - 2), 2 * (8 * 10 - 2))  # 8 x 8 images, gaps of 2
    images = run.samples()
    assert images.shape == (64, *digits.shape)
    grey = pixels if pixels.ndim == 2 else pixels[..., 0]
    assert np.array_equal(grey[:16:2, :16:2], images[0, ..., 0])  # each pixel doubled
    assert np.array_equal(grey[140:156:2, 140:156:2], images[-1, ..., 0])


def test_milestones():
    kept = [step for step in range(1, 100_001) if is_milestone(step)]
    assert kept == [*[10 * step for step in (1, 1.5, 2, 3, 5, 7)],
                    *[100 * step for step in (1, 1.5, 2, 3, 5, 7)],
                    *[1000 * step for step in (1, 1.5, 2, 3, 5, 7)],
                    *[10_000 * step for step in (1, 1.5, 2, 3, 5, 7)], 100_000]


def test_zero_steps_and_more_steps(make):
    run = make("out").fit(0)
    assert run.step == 0 and lines_or_none(run) is None
    assert listing(Path("out")) == ["checkpoint.npz", "config.json", "report.html", "samples.gif",
                                    "samples/000000.png", "samples/latest.png"]
    first = load("out").sample(2)
    run.fit(3)
    assert run.step == 3 and not np.array_equal(load("out").sample(2), first)
    for wrong in (-1, 2.5, "3", None):
        with pytest.raises(ValueError, match=f"steps must be a whole number .* got {wrong!r}"):
            run.fit(wrong)
    assert run.step == 3


def lines_or_none(run):
    return lines(run) if run.folder.metrics.exists() else None


def test_training_in_parts_is_training(make, no_pictures):
    one, two = make("one"), make("two")
    one.fit(30)
    two.fit(7).fit(0).fit(23)
    assert bits(one.model) == bits(two.model) and two.step == 30
    assert [r["step"] for r in lines(two)] == [1, 20, 30]  # 7 is not the last any more
    assert without_seconds(one) == without_seconds(two)


def test_looking_does_not_change_what_is_learned(make, monkeypatch):
    with_pictures = make("one").fit(8)
    monkeypatch.setattr(Pictures, "draw_samples", no_samples)
    monkeypatch.setattr(Pictures, "draw_summary", no_summary)
    without = make("two").fit(8)
    assert bits(with_pictures.model) == bits(without.model)
    assert bits(make("three", seed=1).fit(8).model) != bits(without.model)


def test_losses_that_not_every_step_reports(digits):
    model = find("wgan")("mlp", digits.shape, 0, latent_size=4, width=8, n_critic=3)
    run = Trainer(model, digits, 16, "out", threads=1).fit(41)
    assert [sorted(set(r) - {"step", "seconds"}) for r in lines(run)] == [
        ["w_estimate"], *[["g_loss", "w_estimate"]] * 3]  # steps 1, 20, 40, 41
    assert run.folder.losses.is_file()


def test_the_loss_curves_show_every_loss(make, monkeypatch):
    drawn = {}
    real = plot.loss_curves

    def loss_curves(*arguments, **named):
        drawn.update(inspect.signature(real).bind(*arguments, **named).arguments)
        return np.zeros((2, 2), np.uint8)

    monkeypatch.setattr(plot, "loss_curves", loss_curves)
    run = make()
    for record in ({"step": 1, "a": 1.0, "seconds": 0.1}, {"step": 20, "a": 2.0, "b": 5.0}):
        run.folder.append_metrics(record)
    run.pictures.draw_summary(dataclasses.replace(run.numbers(), step=20))
    assert drawn["series"] == {"a": ([1, 20], [1.0, 2.0]), "b": ([20], [5.0])}
    assert drawn["caption"] == run.model.normal_curve and drawn["title"] == "gan seed"


@pytest.mark.parametrize("name", ["dcgan", "wgan"])
def test_the_batch_size_is_the_models_own_unless_it_is_given(name):
    model, digits = find(name)(), data.load("digits")
    assert Trainer(model, digits).batches.batch_size == model.default_batch_size
    assert Trainer(model, digits, 9).batches.batch_size == 9


def test_data_must_fit_the_model(make, digits):
    with pytest.raises(ValueError, match=r"data: images of few digits are \(8, 8, 1\), the model "
                                         r"makes \(28, 28, 1\)"):
        Trainer(find("gan")("seed"), digits)
    with pytest.raises(ValueError, match="data: 96 images, batch_size 97"):
        make(batch_size=97)
    for wrong in (0, -4):
        with pytest.raises(ValueError, match=f"batch_size: {wrong}, expected at least 1"):
            make(batch_size=wrong)
    with pytest.raises(ValueError, match="threads must be a whole number of 1 or more, got 0"):
        make(threads=0)
    if "cgan" in mg.models.catalog.names():
        unlabelled = data.Images(digits.images, None, "unlabelled")
        with pytest.raises(ValueError, match="cgan is conditional and needs labels, unlabelled"):
            Trainer(find("cgan")("mlp", digits.shape), unlabelled)
    assert not Path("runs").exists()  # nothing was made


# Interruptions and failures.

def stop_at(step, stop=Trainer.stop):
    return lambda run, metrics: stop(run) if run.step == step else None


def test_a_stop_saves_what_was_learned(make):
    run = make("out", callbacks=[stop_at(40)])
    assert run.fit(1000) is run and run.interrupted and run.step == 40
    assert load("out").config["step"] == 40
    assert "samples/000040.png" in listing(Path("out"))
    assert "losses.png" in listing(Path("out"))
    run.callbacks.clear()
    run.fit(5)  # and it goes on
    assert run.step == 45 and not run.interrupted
    assert bits(run.model) == bits(make("other").fit(45).model)


def test_a_second_ctrl_c_does_not_lose_it(make, monkeypatch):
    run = make("out", callbacks=[stop_at(20)])

    def impatient(self, numbers):
        raise KeyboardInterrupt

    monkeypatch.setattr(Pictures, "draw_summary", impatient)
    with pytest.raises(KeyboardInterrupt):
        run.fit(1000)
    assert load("out").config["step"] == 20


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops(make, no_pictures, value):
    run = make("out").fit(20)
    before, step = bits(run.model), run.model.step
    run.model.step = lambda x, labels: {**step(x, labels), "g_loss": mg.tensor(value)}
    with pytest.raises(FloatingPointError, match=f"g_loss is {value} at step 40; training "
                                                 "stopped.*out/checkpoint.npz is of step 20"):
        run.fit(100)
    assert bits(load("out").model) == bits(run.model) == before and run.step == 20
    assert lines(run)[-1]["step"] == 20
    json.loads(Path("out/metrics.jsonl").read_text("utf-8").splitlines()[-1])


def test_a_rate_too_high_gets_one_clear_error(digits):
    """No warnings of NumPy before it (the test run turns them into errors)."""
    model = find("gan")("mlp", digits.shape, 0, learning_rate=1e30)
    told = (r"_loss is (nan|inf|-inf) at step \d+; training stopped: in step 1 "
            "the first non-finite value came from matmul in the forward pass, shape .*"
            "checkpoint.npz is of step 0")
    with pytest.raises(FloatingPointError, match=told):
        Trainer(model, digits, 16, "out", threads=1).fit(60)


def test_checkpoints_are_written_meanwhile(make, no_pictures, monkeypatch):
    now, saved = [0.0], []
    monkeypatch.setattr(trainer.time, "monotonic", lambda: now[0])
    save, step = Trainer.save, Trainer.train_step
    monkeypatch.setattr(Trainer, "save", lambda self: [saved.append(self.step), save(self)])

    def slow_step(self):
        now[0] += 4
        step(self)

    monkeypatch.setattr(Trainer, "train_step", slow_step)
    make().fit(50)
    assert saved == [0, 12, 24, 36, 48, 50]  # at the start, every 48 s, and at the end


@pytest.mark.parametrize("writes", [0, 1, 4])
def test_a_full_disk_leaves_the_old_checkpoint(make, no_pictures, writes):
    run = make("out").fit(3)
    before = Path("out/checkpoint.npz").read_bytes()
    with pytest.raises(OSError) as caught:
        with FailingDisk(writes, errno.ENOSPC, frozenset({"write"}), lasting=True):
            run.save()
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(Path("out/checkpoint.npz"))
    assert Path("out/checkpoint.npz").read_bytes() == before
    assert listing(Path("out")) == ["checkpoint.npz", "config.json", "metrics.jsonl",
                                    "previous.npz"]
    assert load("out").config["step"] == 3


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_disk_while_metrics_are_written(make, no_pictures):
    """The log is an extra: what it cannot take comes later, and the checkpoint is whole."""
    run = make("out").fit(1)
    run.folder.metrics.unlink()
    run.folder.metrics.symlink_to(FULL)
    with pytest.warns(UserWarning, match=r"^step 1: metrics\.jsonl could not be written \(out/"
                                         r"metrics\.jsonl: no space left on device\)") as said:
        run.fit(40)
    assert len(said) == 1 and load("out").config["step"] == 41
    run.folder.metrics.unlink()  # there is room again
    run.fit(20)
    assert [r["step"] for r in lines(run)] == [1, 20, 40, 60, 61]


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_half_a_line_is_taken_back():
    """A disk that fills up in the middle of a line: writing is short, and the next one fails."""
    import resource
    run = new_run("gan", "out")
    run.append_metrics({"step": 1, "d_loss": 1.5})
    before, size = resource.getrlimit(resource.RLIMIT_FSIZE), run.metrics.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        with pytest.raises(OSError) as caught:
            run.append_metrics({"step": 20, "d_loss": 2.5})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.ENOSPC and "metrics.jsonl" in str(caught.value)
    assert run.metrics.stat().st_size == size
    run.append_metrics({"step": 40, "d_loss": 3.5})
    assert [record["step"] for record in run.read_metrics()] == [1, 40]


@pytest.mark.parametrize("error", [RuntimeError("out of luck"), KeyboardInterrupt()])
def test_a_file_is_written_whole_or_not_at_all(error):
    path = Path("file.bin")
    for content in (b"old", b"newer"):
        with files.replacing(path) as file:
            file.write(content)
        assert path.read_bytes() == content
    with pytest.raises(type(error)):
        with files.replacing(path) as file:
            file.write(b"half of i")
            file.flush()
            raise error
    assert path.read_bytes() == b"newer" and listing(Path()) == ["file.bin"]


def test_a_run_folder_that_disappears_is_named(make, no_pictures):
    run = make("out")
    shutil.rmtree("out")
    with pytest.raises(FileNotFoundError, match="^out is gone: the run folder was moved or deleted "
                                                ".*`minigan resume FOLDER` "):
        run.fit(20)


# Loading.

def test_a_checkpoint_goes_round(make, no_pictures):
    run = make(preset="mlp", seed=4).fit(9)
    for place in (run.folder.path, str(run.folder.path), run.folder.checkpoint):
        trained = mg.load(place)
        assert bits(trained.model) == bits(run.model)
        assert trained.config["step"] == 9 and trained.config["seed"] == 4
    assert repr(trained) == "<gan mlp trained on few digits, step 9>"
    images = trained.sample(5)
    assert images.shape == (5, 8, 8, 1) and images.dtype == np.uint8
    due = run.model.sample(run.model.latent_from(mg.Stream(0, "sample"), 5)).data
    assert np.array_equal(images, data.to_bytes(due))  # of the moving average
    assert np.array_equal(images, trained.sample(5))
    assert np.array_equal(images, mg.load(run.folder.path).sample(5, seed=0))
    assert not np.array_equal(images, trained.sample(5, seed=1))
    assert not np.array_equal(images, trained.sample(5, raw=True))
    assert trained.sample().shape == (64, 8, 8, 1)
    assert trained.model.generator.training  # ready to be trained further
    for wrong in (0, -1, 2.5, "3"):
        with pytest.raises(ValueError, match="n must be a whole number of 1 or more"):
            trained.sample(wrong)
    assert run.model.streams.state() == json.loads(
        bytes(np.load(run.folder.checkpoint)["config.json"]))["streams"]


def test_a_checkpoint_from_one_device_is_loaded_on_another(make, no_pictures):
    run = make().fit(3)
    images = load(run.folder.path).sample(4)
    with mg.use("stand-in"):
        trained = load(run.folder.path)
        assert trained.model.generator.parameters()[0].device == "stand-in"
        assert np.abs(trained.sample(4).astype(int) - images).max() <= 1
    assert bits(trained.model) == bits(run.model)


def test_training_on_a_device_waits_only_to_look(make, no_pictures, monkeypatch):
    host = make("host").fit(21)
    with mg.use("stand-in"):
        run = make("there")
        with counted() as counts:
            run.fit(21)
    assert load("there").config["backend"] == "stand-in"
    assert counts["item"] == 2 * 3  # two losses in steps 1, 20 and 21
    assert set(counts) == {"item", "from_host", "to_host"}  # batches and noise; the checkpoint
    arrays = len(run.model.state_dict()) - 2 * 4  # all but the step counts and Adam's settings
    assert counts["to_host"] == 2 * arrays  # checkpoints at the start and at the end
    for ours, hosts in zip(lines(run), lines(host), strict=True):
        check_losses({"d_loss": ours["d_loss"]}, {"d_loss": hosts["d_loss"]})


@pytest.fixture
def saved(make, no_pictures):
    make("run").fit(2)
    return Path("run/checkpoint.npz")


def rewrite(path, change):
    """The same checkpoint with its arrays and config changed."""
    arrays, config = checkpoint.load(path)
    change(arrays, config)
    checkpoint.save(path, arrays, config)


class Trap:
    """Whoever unpickles it makes a folder."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)


def pickled(path):
    with open(path, "wb") as file:
        np.savez(file, x=np.array([Trap()], dtype=object))


def folder_as_zip(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", Path("run/config.json").read_text())
        file.writestr("metrics.jsonl", Path("run/metrics.jsonl").read_text())


BROKEN = {
    "empty": lambda p: p.write_bytes(b""),
    "text": lambda p: p.write_text("hello"),
    "png": lambda p: plot.save(np.zeros((3, 3), np.uint8), "x.png") and shutil.copy("x.png", p),
    "first half": lambda p: p.write_bytes(p.read_bytes()[:len(p.read_bytes()) // 2]),
    "all but a byte": lambda p: p.write_bytes(p.read_bytes()[:-1]),
    "second half": lambda p: p.write_bytes(p.read_bytes()[len(p.read_bytes()) // 2:]),
    "one bit": lambda p: p.write_bytes(p.read_bytes().replace(
        p.read_bytes()[40_000:40_016], bytes(16), 1)),
    "npy": lambda p: np.save(open(p, "wb"), np.ones(3)),
    "other npz": lambda p: np.savez(open(p, "wb"), x=np.ones(3)),
    "pickle": pickled,
    "zip of a run": folder_as_zip,
    "config no json": lambda p: np.savez(open(p, "wb"), **{"config.json": np.ones(3, np.uint8)}),
    "config a list": lambda p: checkpoint.save(p, {}, []),
    "config of another": lambda p: checkpoint.save(p, {}, {"minigan": "1", "model": "gan"}),
    "other layout": lambda p: rewrite(p, lambda a, c: c.update(layout=99)),
    "unknown model": lambda p: rewrite(p, lambda a, c: c.update(model="nosuch")),
    "unknown preset": lambda p: rewrite(p, lambda a, c: c.update(preset="nosuch")),
    "unknown setting": lambda p: rewrite(p, lambda a, c: c["settings"].update(nosuch=1)),
    "odd shape": lambda p: rewrite(p, lambda a, c: c.update(shape=7)),
    "other shape": lambda p: rewrite(p, lambda a, c: c.update(shape=[4, 4, 1])),
    "a weight missing": lambda p: rewrite(p, lambda a, c: a.pop("generator/0.weight")),
    "another preset": lambda p: rewrite(p, lambda a, c: c.update(
        preset="mlp", settings={**c["settings"], "networks": "mlp", "ema": 0.9})),
    "no step count": lambda p: rewrite(p, lambda a, c: a.pop("g_optimizer/t")),
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_a_broken_checkpoint_gets_one_clear_error(saved, how):
    BROKEN[how](saved)
    with pytest.raises(ValueError, match=r"run.checkpoint\.npz (is|was|does)") as caught:
        load("run")
    assert type(caught.value) in (ValueError, checkpoint.DamagedError)
    assert len(str(caught.value).splitlines()) == 1
    assert not Path("sprung").exists()
    if how == "other layout":
        assert f"in layout 99; this version reads layout {checkpoint.LAYOUT}" in str(caught.value)


def test_what_is_not_there_is_named(make):
    make("out")
    with pytest.raises(FileNotFoundError, match=r"out.checkpoint\.npz does not exist"):
        load("out")  # it has saved nothing yet
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        load("nowhere")
    Path("empty").mkdir()
    with pytest.raises(FileNotFoundError, match="empty is not a run folder of minigan"):
        load("empty")


def test_no_pickle_is_ever_read_or_written(saved):
    with zipfile.ZipFile(saved) as file:
        assert "config.json.npy" in file.namelist()
    with np.load(saved, allow_pickle=False) as file:
        assert all(file[name].dtype.kind in "fiu" for name in file.files)
        assert json.loads(bytes(file["config.json"]))["layout"] == checkpoint.LAYOUT
    assert "pickle" not in sys.modules["minigan.runs.checkpoint"].__dict__


# Threads and memory.

def test_threads_are_an_option_that_changes_no_bit(no_pictures):
    images, results = data.load("digits"), []
    for n in (1, 2, 3):
        model = find("gan")("mlp", images.shape, 0)
        run = Trainer(model, images, 64, f"out{n}", threads=n)
        assert run.threads == threads.threads() == n
        assert json.loads(run.folder.config.read_text())["threads"] == n
        results.append(bits(run.fit(3).model))
    assert results[0] == results[1] == results[2]
    threads.use_threads(1)
    assert 1 <= threads.default_threads() <= 4
    run = Trainer(find("gan")("seed"), images, 64, "default")
    assert run.threads == threads.threads() == threads.default_threads()


def growth(run, early, late):
    """Bytes of Python and NumPy that are in use after `late` steps and were not after `early`."""
    levels = []
    tracemalloc.start()
    try:
        for steps in (early, late):
            run.fit(steps - run.step)
            gc.collect()
            levels.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    return levels[1] - levels[0]


def test_memory_after_300_steps_is_that_after_100(make, no_pictures):
    assert abs(growth(make(), 100, 300)) < 20_000  # 100 bytes a step, less than any array


@pytest.mark.slow
def test_memory_after_1000_steps_is_that_after_100(no_pictures):
    images = data.load("digits")
    run = Trainer(find("gan")(None, images.shape, 0), images, 64, threads=1)
    assert abs(growth(run, 100, 1000)) < 60_000


# In Python.

def test_a_dozen_lines_train_a_gan(digits, make):
    """What README shows: without Trainer, only the model's step and batches."""
    streams = mg.seed(0)
    model = find("gan")("seed", digits.shape, streams, latent_size=8)
    batches = data.Batches(digits, 16, streams["data"])
    for _ in range(5):
        x, labels = next(batches)
        losses = model.step(mg.tensor(x))
    assert 0 < losses["d_loss"].item() < 5
    assert bits(model) == bits(make().fit(5).model)  # and it is what Trainer does


def test_a_notebook_needs_three_lines(no_pictures):
    from minigan.models import WGANGP
    run = Trainer(WGANGP(preset="conv28"), data.load("digits"), threads=1).fit(1)
    assert repr(run) == "<Trainer of wgan-gp conv28 on digits, step 1, runs/wgan-gp-001>"
    assert run.samples().shape == (64, 28, 28, 1) and run.curves()._repr_png_()[:4] == b"\x89PNG"
    assert {getattr(mg.models, name) for name in mg.models.__all__} >= {
        mg.models.Model, *map(find, mg.models.catalog.PAPERS)}


def test_open_run_knows_its_files(make):
    run = open_run(make("out").folder.path)
    assert isinstance(run, folder.RunFolder) and run.metrics == Path("out/metrics.jsonl")
    assert run.read_metrics() == []
    run.append_metrics({"step": 1, "d_loss": 1.5})
    assert run.read_metrics() == [{"step": 1, "d_loss": 1.5}]
