"""What a run shows: curves for its model, a moving picture, a page; and what it warns of."""
from __future__ import annotations

import base64
import io
import json
import math
import re
import sys
import time
import warnings
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from model_tools import no_samples, no_summary

from minigan import data, plot, tensor
from minigan.models.catalog import find, names
from minigan.runs.animation import animate
from minigan.runs.curves import curves
from minigan.runs.log import Reading
from minigan.runs.pictures import Pictures
from minigan.runs.preview import Preview
from minigan.system import progress
from minigan.system.progress import Progress
from minigan.training import Trainer
from minigan.training.symptoms import (ALIKE_FROM_STEP, D_WINS, D_WINS_READINGS, Watch, likeness,
                                       spread)

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(scope="module")
def few():
    whole = data.load("digits")
    return data.Images(np.ascontiguousarray(whole.images[:80, 2:26:3, 2:26:3]), whole.labels[:80],
                       "few", n_classes=10)


def records(*losses):
    return [Reading(20 * i, {name: i / 10 for name in losses}, i) for i in range(1, 9)]


# Curves.

@pytest.mark.parametrize("name", names())
def test_each_model_has_the_curves_that_matter_for_it(name):
    """The panels name all losses that a step returns, and no others."""
    model, shown = find(name)(), [loss for panel in find(name).panels for loss in panel.names]
    batches = data.Batches(data.load("digits"), 4, model.streams["data"])
    found = {}
    for _ in range(5):
        x, labels = next(batches)
        found.update(model.step(tensor(x), tensor(labels)))
    assert sorted(shown) == sorted(found)
    figure = curves(model, records(*found))
    drawn = [ax for ax in figure.axes if ax.lines]
    assert len(drawn) == len(model.panels)
    text = " ".join(t.get_text() for ax in drawn for t in ax.texts)
    assert all(loss in text for loss in shown)
    whole = " ".join([t.get_text() for t in figure.texts])
    below = figure._supxlabel.get_text() if figure._supxlabel else ""
    assert " ".join(model.normal_curve.split()) in " ".join((whole + below).split())


def test_the_lines_to_compare_with():
    figure = curves(find("gan")(), records("d_loss", "g_loss"))
    (ax,) = figure.axes
    levels = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert levels == pytest.approx([2 * math.log(2), math.log(2)])
    low, high = ax.get_ylim()
    assert low < min(levels) and max(levels) < high
    assert {"2 log 2", "log 2"} <= {t.get_text() for t in ax.texts}
    (dashed,) = [line for ax in curves(find("pix2pix")(), records("d_loss", "g_loss", "l1")).axes
                 for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed.get_ydata()[0] == pytest.approx(math.log(2))  # D's loss is halved


def test_curves_of_other_losses_and_of_none():
    assert curves(find("gan")(), []) is None
    figure = curves(find("gan")(), records("mine"))  # a model of somebody else's
    assert [t.get_text() for t in figure.axes[0].texts] == ["mine"]
    figure = curves(find("wgan-gp")(), records("w_estimate", "penalty"))  # before G's first turn
    assert len(figure.axes) == 2


# The moving picture.

def test_an_animation():
    from PIL import Image
    grids = {}
    for step, grey in ((0, 40), (1000, 200)):
        grids[step] = plot.save(np.full((6, 80), grey, np.uint8), f"{step}.png", scale=2)
    animate(grids, Path("a.gif"), scale=2)
    with Image.open("a.gif") as gif:
        assert gif.n_frames == 2 and gif.info["loop"] == 0 and gif.size == (80, 6 + 18)
        shown = []
        for i in range(2):
            gif.seek(i)
            shown.append(np.array(gif.convert("L")))
    assert (shown[0][:6] == 40).all() and (shown[1][:6] == 200).all()
    assert (shown[0][6:] != shown[1][6:]).any()  # the steps
    animate({0: plot.save(np.full((6, 8, 3), 9, np.uint8), "rgb.png")}, Path("b.gif"))
    assert Path("b.gif").read_bytes().startswith(b"GIF8") and not list(Path().glob("*.part"))


# The page.

class Page(HTMLParser):
    """Tags, links to elsewhere, and pictures of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.outside, self.pictures, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "srcset"):
                (self.pictures if value.startswith("data:image/") else self.outside).append(value)

    def handle_data(self, text):
        self.text += text


def test_a_report_holds_everything(few):
    model = find("cgan")("mlp", few.shape, 3, latent_size=7)
    run = Trainer(model, few, 8, "a run & more", threads=1).fit(31)
    page = Page(run.folder.report.read_text("utf-8"))
    assert page.outside == [] and not {"script", "link", "iframe"} & set(page.tags)
    contents = {base64.b64decode(p.partition(",")[2]) for p in page.pictures}
    for path in ("losses.png", "samples.gif", "samples/latest.png", "samples/000000.png",
                 "samples/000031.png"):
        assert (run.folder.path / path).read_bytes() in contents, path
    assert len(page.pictures) == 3 + 6
    for part in ("cgan mlp on few", "31 steps of 8 images", "latent size", "8 x 8 x 1",
                 np.__version__, "step 15", f"d_loss {run.losses['d_loss']:.3f}",
                 "# images: 'few', 8x8x1, made in Python",
                 "CGAN('mlp', images.shape, streams=3, n_classes=10, latent_size=7)",
                 "minigan.load('a run & more').sample(64)\n"):
        assert part in page.text, part
    from PIL import Image
    with Image.open(io.BytesIO(run.folder.animation.read_bytes())) as gif:
        assert gif.n_frames == 6  # 0, 10, 15, 20, 30, 31


def test_a_report_names_no_place_of_this_machine(few):
    run = Trainer(find("gan")("seed", few.shape), few, 8, Path("deep/run").absolute(), threads=1)
    run.fit(2)
    for path in run.folder.path.rglob("*"):
        assert path.is_dir() or str(Path.cwd()).encode() not in path.read_bytes(), path
    assert "minigan.load('run').sample(64)\n" in Page(run.folder.report.read_text("utf-8")).text


def test_pictures_are_refreshed_while_training(few, monkeypatch):
    drawn = []
    monkeypatch.setattr("minigan.training.trainer.SAVE_EVERY_SECONDS", 0)
    monkeypatch.setattr(Pictures, "draw_summary",
                        lambda self, numbers: drawn.append(numbers.step))
    run = Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1).fit(3)
    assert drawn == [1, 2, 3, 3] and run.folder.grids().keys() == {0, 3}
    run.curves().savefig("c.png")
    assert Path("c.png").read_bytes().startswith(b"\x89PNG")


# Known failures.

def test_a_discriminator_that_wins(few):
    watch = Watch(few)
    for i in range(D_WINS_READINGS - 1):
        assert watch.losses({"d_loss": D_WINS / 2}) is None
    assert watch.losses({"d_loss": D_WINS * 2}) is None  # a pause: counted from 1 again
    said = [watch.losses({"d_loss": D_WINS / 2}) for _ in range(3 * D_WINS_READINGS)]
    assert [i for i, words in enumerate(said, 1) if words] == [D_WINS_READINGS]  # once
    assert "D's loss has stayed below 0.02" in said[D_WINS_READINGS - 1]
    assert all(watch.losses({"w_estimate": 0.0}) is None for _ in range(3 * D_WINS_READINGS))


@pytest.mark.parametrize("columns", [1, 10])
def test_a_collapse(few, columns):
    watch, step = Watch(few, columns), ALIKE_FROM_STEP
    rows = [few.images[few.labels == label][:3] for label in range(10)]
    good = np.stack(rows, axis=1).reshape(-1, *few.shape)  # a label a column
    one = np.stack([row[[0, 0, 0]] for row in rows], axis=1).reshape(-1, *few.shape)
    one = one if columns > 1 else one[[0] * 30]
    assert all(watch.samples(step, good) is None for _ in range(5))
    assert all(watch.samples(step - 1, one) is None for _ in range(5))  # too early to tell
    assert watch.samples(step, one) is None and watch.samples(step, good) is None
    assert watch.samples(step, one) is None
    words = watch.samples(step, one)
    assert f"almost one image{' a label' * (columns > 1)}: they differ by 0 %" in words
    assert watch.samples(step, one) is None  # once


def blots(strengths):
    """One image in different strengths, as a G that has collapsed makes them."""
    image = np.zeros((8, 8, 1))
    image[2:6, 3:5] = 1
    return np.rint(40 + 200 * np.multiply.outer(strengths, image)).astype(np.uint8)


def test_one_image_in_different_strengths_is_a_collapse(few):
    watch, strong = Watch(few), blots(np.linspace(0.2, 1, 64))
    assert spread(strong) > 0.2 * watch.due  # which alone does not tell
    assert watch.samples(ALIKE_FROM_STEP, strong) is None
    words = watch.samples(2 * ALIKE_FROM_STEP, strong)
    assert "almost one image: two of them have a correlation of 1.00, two of the data one" in words


def test_likeness_is_the_mean_correlation_of_two_images():
    images = np.random.default_rng(0).integers(0, 256, (9, 5, 4, 2), np.uint8)
    table = np.corrcoef(images.reshape(9, -1))
    due = (table.sum() - 9) / (9 * 8)
    assert likeness(images) == pytest.approx(due, abs=1e-5)
    assert likeness(blots(np.linspace(0.2, 1, 9))) == pytest.approx(1, abs=1e-3)
    flat = np.zeros((3, 5, 4, 2), np.uint8)
    assert likeness(flat) == 0 and likeness(images[:1]) == 0
    assert likeness(np.concatenate([images, flat])) == pytest.approx(due, abs=1e-5)


def test_the_digits_themselves_are_no_collapse():
    whole = data.load("digits")
    for columns in (1, 10):
        watch = Watch(whole, columns)
        chosen = whole.images[1000:1640] if columns == 1 else np.stack(
            [whole.images[whole.labels == label][-8:] for label in range(10)], 1).reshape(
                -1, 28, 28, 1)
        assert not any(watch.samples(step, chosen) for step in range(ALIKE_FROM_STEP, 9000, 500))
        assert 0.2 < watch.due_likeness < 0.6  # 0.30 of all, 0.44 of those of a label


@pytest.mark.parametrize("losses", [{"d_loss": 0.7, "g_loss": 5e13}, {"w_estimate": -2e5},
                                    {"g_loss": 1.1e5}])
def test_an_explosion(few, losses):
    watch = Watch(few)
    for usual in ({"d_loss": 1.4, "g_loss": 25.0}, {"w_estimate": -900.0, "g_loss": 4_000.0}):
        assert watch.losses(usual) is None
    words = watch.losses(losses)
    assert "the training has exploded" in words and "lower learning rate" in words
    assert watch.losses(losses) is None  # once


def test_warnings_are_kept_in_the_log_and_in_the_report(few):
    model = find("gan")("seed", few.shape)
    model.step = lambda x, labels: {"d_loss": tensor(0.5), "g_loss": tensor(5e13)}
    run = Trainer(model, few, 8, "out", threads=1)
    with pytest.warns(UserWarning, match="^step 1: g_loss is 5e[+]13: the training has exploded"):
        run.fit(30)
    records = run.folder.read_metrics()
    assert [r["step"] for r in records] == [1, 1, 20, 30] and "warning" in records[1]
    page = Page(run.folder.report.read_text("utf-8"))
    assert "Step 1: g_loss is 5e+13: the training has exploded" in page.text
    resumed = Trainer.resume("out", few)
    assert [name for name in resumed.folder.read_metrics()[1]] == ["step", "warning"]
    assert {t.get_text() for t in run.curves().axes[0].texts} == {
        "d_loss", "g_loss", "log 2", "2 log 2"}


def test_a_collapse_is_seen_at_the_end_of_a_short_run(few, monkeypatch):
    monkeypatch.setattr(Pictures, "draw_samples", lambda self, step, keep=True: blots(
        np.linspace(0.2, 1, 64)))
    monkeypatch.setattr(Pictures, "draw_summary", no_summary)
    run = Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1)
    with pytest.warns(UserWarning, match="^step 410: the samples have become almost one image"):
        run.fit(410)
    assert run.folder.read_metrics()[-1]["step"] == 410


def test_the_spread_of_images():
    images = np.zeros((4, 2, 2, 1), np.uint8)
    assert spread(images) == 0
    images[:2] = 200
    assert spread(images) == 100


def test_failures_are_said_while_training(few, monkeypatch):
    """A model whose G draws one image, and whose D is sure of itself."""
    monkeypatch.setattr(Pictures, "draw_summary", no_summary)
    model = find("gan")("seed", few.shape)
    model.step = lambda x, labels: {"d_loss": tensor(0.001), "g_loss": tensor(9.0)}
    for p in model.generator.parameters():
        p.assign(0.0)
    run = Trainer(model, few, 8, "out", threads=1)
    with pytest.warns(UserWarning) as caught:
        run.fit(1200)
    said = [str(w.message) for w in caught]
    assert len(said) == 2
    assert said[0].startswith("step 500: the samples have become almost one image")
    assert said[1].startswith(f"step {20 * (D_WINS_READINGS - 1)}: D's loss has stayed below")


# Progress.

class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_on_a_terminal(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Progress(10, 30) as bar:
        for _ in range(20):
            bar.advance()
            bar.show({"d_loss": 1.23456})
            time.sleep(0.02)
        with pytest.warns(UserWarning, match="^step 30: beware$"):
            bar.warn("beware")
        bar.warn(None)
    shown = screen.getvalue()
    assert "30/30" in shown and "step/s" in shown and "d_loss=1.235" in shown and shown.isascii()
    assert re.search(r"\d\d:\d\d<\d\d:\d\d", shown)  # time gone, time left


def test_a_plain_line_now_and_then_elsewhere(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Progress(100, 1100) as bar:
        for _ in range(400):
            now[0] += 0.1
            bar.advance()
            bar.show({"d_loss": 0.5, "g_loss": 2.0})
    assert capsys.readouterr().err == ("step 400 of 1,100, 10.0 steps/s, d_loss 0.500, g_loss "
                                       "2.000, 1:10 left\n")


def test_a_notebook_gets_the_bar(monkeypatch):
    class OutStream(io.StringIO):
        """As ipykernel's: no terminal, and yet it shows a bar."""

    OutStream.__module__ = "ipykernel.iostream"
    screen = OutStream()
    monkeypatch.setattr(sys, "stderr", screen)
    with Progress(0, 2) as bar:
        bar.advance()
    assert "1/2" in screen.getvalue() or "0/2" in screen.getvalue()


def test_nothing_is_said_of_a_short_run(few, monkeypatch, capsys):
    monkeypatch.setattr(Pictures, "draw_samples", no_samples)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Trainer(find("gan")("seed", few.shape), few, 8, "out", threads=1).fit(40)
    assert capsys.readouterr() == ("", "")
    assert json.loads(Path("out/metrics.jsonl").read_text("utf-8").splitlines()[-1])["step"] == 40


def test_of_many_labels_the_first_are_shown(few):
    preview = Preview(find("cgan")("mlp", few.shape, n_classes=1000, latent_size=7), few)
    assert preview.columns == 20 and len(preview.images()) == 160
    assert preview.labels.tolist() == list(range(20)) * 8
