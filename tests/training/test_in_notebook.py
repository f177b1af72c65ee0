"""In a notebook: what `fit` shows, and what trainers, runs, models and sets show of themselves."""
from __future__ import annotations

import types
from pathlib import Path

import numpy as np
import pytest
from fake_notebook import Notebook, pictures, read, shown

import minigan as mg
from minigan import data
from minigan.models.catalog import find
from minigan.runs import cell
from minigan.runs.pictures import Pictures
from minigan.training import Trainer, open_run
from minigan.training import trainer as trainer_module

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(scope="module")
def few():
    whole = data.load("digits")
    return data.Images(np.ascontiguousarray(whole.images[:80, 2:26:3, 2:26:3]), whole.labels[:80],
                       "few <b>", n_classes=10)


@pytest.fixture
def book(monkeypatch):
    return Notebook(monkeypatch)


@pytest.fixture
def trainer(few):
    return Trainer(find("gan")("seed", few.shape, latent_size=8), few, 8, "out", threads=1)


def test_fit_shows_the_bar_and_below_it_the_newest_samples(book, trainer, capsys):
    seen = []

    def look(trainer, metrics):
        _, below = book.front.outputs
        seen.append(below["text/plain"])
        assert pictures(below["text/html"]) == [below["text/plain"]]

    trainer.callbacks.append(look)
    trainer.fit(40)
    assert seen == ["samples at step 0", "samples at step 15", "samples at step 30"]
    bar, below = book.front.outputs
    assert bar["text/plain"].startswith("step 40 of 40, d_loss ")
    elements, words = read(below["text/html"])
    assert pictures(below["text/html"]) == ["the samples while it learned", "the losses"]
    assert words == "out/report.html" == below["text/plain"]
    assert {found.get("href") for name, found in elements if name == "a"} == {"out/report.html"}
    assert "data:image/gif" in below["text/html"] and capsys.readouterr() == ("", "")

    # The trainer is the value of that cell, and would show all of it again; in the next it does.
    assert shown(trainer) == {"text/plain": repr(trainer)}
    book.next_cell()
    assert shown(trainer)["text/html"] == shown(trainer.folder)["text/html"]


def test_a_quiet_fit_shows_nothing_and_the_trainer_all(book, trainer):
    assert pictures(shown(trainer)["text/html"]) == []  # nothing was drawn yet
    trainer.fit(2, quiet=True)
    assert not book.front.outputs
    assert pictures(shown(trainer)["text/html"]) == ["the newest samples", "the losses"]


def test_a_front_end_that_is_gone_does_not_end_a_training(book, trainer):
    book.front.broken = True
    with pytest.warns(UserWarning, match="the notebook could not show this") as caught:
        trainer.fit(20)
    assert trainer.step == 20 and len(caught) == 2  # the bar, the samples
    assert "text/html" in shown(trainer)


def test_samples_that_could_not_be_drawn_are_not_shown(book, trainer, monkeypatch):
    monkeypatch.setattr(Pictures, "draw_samples", lambda *arguments: None)
    trainer.fit(1)
    assert pictures(book.front.outputs[1]["text/html"]) == ["the losses"]


def test_a_training_that_fails_leaves_an_orange_bar(book, trainer):
    def fail(trainer, metrics):
        raise ValueError("a callback's")

    trainer.callbacks.append(fail)
    with pytest.raises(ValueError, match="a callback's"):
        trainer.fit(3)
    bar, below = book.front.outputs
    assert trainer_module.notebook.ORANGE in bar["text/html"]
    assert below["text/plain"] == "samples at step 0"


# Runs, models, sets.

def test_a_run_folder_shows_its_samples_and_losses(trainer):
    trainer.fit(3, quiet=True)
    run = open_run("out")
    assert repr(run) == "<RunFolder out>"
    words = read(shown(run)["text/html"])[1]
    assert words.startswith("gan seed on few <b>: step 3 after ") and "g_loss" in words
    assert words.endswith("out/report.html")
    Path("out/report.html").unlink()
    assert read(shown(run)["text/html"])[1].endswith(" out")


def test_a_large_film_is_not_put_into_a_notebook(trainer, monkeypatch):
    trainer.fit(3, quiet=True)
    monkeypatch.setattr(cell, "LARGE_FILM", 100)
    assert pictures(cell.of_run(trainer.folder, film=True))[0] == "the newest samples"


def test_a_run_folder_that_is_damaged_shows_its_name(trainer):
    trainer.folder.config.write_text("damaged")
    with pytest.warns(UserWarning, match="^RunFolder could not be shown .*config"):
        assert shown(trainer.folder) == {"text/plain": "<RunFolder out>"}


def test_a_model_shows_what_it_draws():
    model = mg.load()
    elements, words = read(shown(model)["text/html"])
    assert words == repr(model) and [name for name, _ in elements].count("img") == 1


@pytest.mark.parametrize("name", ["gan", "cgan"])
def test_samples_in_rows_of_ten_or_of_the_classes(name, few):
    classes = {"n_classes": 3} if find(name).conditional else {}
    if classes:
        few = data.Images(few.images, few.labels % 3, "few", n_classes=3)
    trainer = Trainer(find(name)("mlp", few.shape, latent_size=8, **classes), few, 8, "out",
                      threads=1)
    trainer.save()
    asked = []
    loaded = mg.load("out")
    draw = loaded.pictures
    loaded.pictures = lambda n, labels: asked.append((n, labels)) or draw(n, labels=labels)
    assert pictures(loaded._repr_html_()) == [repr(loaded)]
    (n, labels), = asked
    assert n == (9 if classes else 30)
    assert labels is None or labels.tolist() == [0, 1, 2] * 3


def test_a_model_whose_pictures_are_not_here_shows_its_name(few):
    model = find("pix2pix")("edges", (16, 16, 1), width=2)
    images = data.Images(np.zeros((8, 16, 16, 1), np.uint8), name="lost")
    Trainer(model, images, 2, "out", threads=1).save()
    loaded = mg.load("out")
    with pytest.warns(UserWarning, match="^Loaded could not be shown .*data set 'lost' is not"):
        assert shown(loaded) == {"text/plain": repr(loaded)}
    loaded._fitting = lambda given: images
    assert pictures(shown(loaded)["text/html"]) == [repr(loaded)]


def test_a_data_set_shows_its_first_images(few):
    elements, words = read(shown(few)["text/html"])
    assert words == repr(few) and pictures(shown(few)["text/html"]) == [repr(few)]
    stacked = data.stack(data.load("digits"), 5)
    assert pictures(shown(stacked)["text/html"]) == [repr(stacked)]


# Graphs and recorded steps.

def test_a_layout_shows_its_graph():
    x = mg.tensor(0.5, requires_grad=True)
    assert shown(mg.graph.layout(x * x))["image/png"].startswith(b"\x89PNG")


def test_a_recorded_step_shows_its_program():
    w = mg.tensor([1.0, 2.0], requires_grad=True)
    step = mg.capture(lambda: mg.ops.sum(w * w).detach())
    for value in (step, step.program):
        lines: list[str] = []
        value._repr_pretty_(types.SimpleNamespace(text=lines.append), False)
        assert lines == [str(value)] and "multiply" in lines[0]
