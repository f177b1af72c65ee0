"""Pictures and answers of the examples are what today's code gives.

Of examples whose result does not depend on a training, the committed picture carries its words, and
these are compared with what the example draws now; and the numbers in the answers of the index are
compared with what the example prints once it is changed as the question says.
"""
from __future__ import annotations

import re

import pytest
from PIL import Image
from project import EXAMPLES

from minigan import plot

INDEX = (EXAMPLES / "README.md").read_text("utf-8")
PICTURES = ["01", "02", "03", "04", "05", "18", "20"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working folder, in which examples find one another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return tmp_path


def file_of(number):
    (path,) = EXAMPLES.glob(f"{number}_*.py")
    return path


def changed(number, *changes):
    """An example after replacements in its text, (old, new), each once: its names, and `found`."""
    path = file_of(number)
    text = path.read_text("utf-8")
    for old, new in changes:
        assert text.count(old) == 1, f"{path.name} has {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    names = {"__name__": f"example_{number}", "__file__": str(path)}
    exec(compile(text, path.name, "exec"), names)
    return {**names, "found": names["main"]()}


def numbers_of(question):
    """The numbers that the answer to a question names, in order."""
    (text,) = re.findall(rf"^\*\*{re.escape(question)}\*\*(.*?)(?=^\*\*|\Z)", INDEX, re.S | re.M)
    words = [word for word in re.findall(r"-?[\d,]*\d(?:\.\d+)?", text)]
    return [float(word.replace(",", "")) for word in words]


def says(question, *values, within):
    """Check that an answer names these values, in this order, up to a difference."""
    named = iter(numbers_of(question))
    for value in values:
        assert any(abs(number - value) <= within for number in named), (
            f"answer {question} should name {value:.4g} next; it has {numbers_of(question)}")


@pytest.mark.parametrize("number", PICTURES)
def test_a_picture_says_what_it_would_say_today(number, place, monkeypatch):
    drawn = []
    save = plot.save

    def noted(picture, *where, **how):
        drawn.extend(plot.words(picture))
        return save(picture, *where, **how)

    monkeypatch.setattr(plot, "save", noted)
    changed(number)
    with Image.open(EXAMPLES / "pictures" / f"{file_of(number).stem}.png") as committed:
        kept = committed.info["Description"].split("\n")
    assert kept == "\n".join(drawn).split("\n")


def test_answers_about_directions(place):
    """15.1 and 15.2: directions found on ones, and two of them at once."""
    example = changed("15")
    np, draw, along = example["np"], example["draw"], example["along"]
    measures = {"boldness": example["boldness"], "slant": example["slant"]}
    from_threes = example["found"]
    from_ones = changed("15", ("measure(draw(z, 3))", "measure(draw(z, 1))"))["found"]
    z, others = (example["MODEL"].model.latent_from(example["mg"].Stream(seed, "walk"), n).numpy()
                 for seed, n in ((0, 1500), (1, 20)))

    def direction(measure, label):
        order = np.argsort(measure(draw(z, label)))
        way = z[order[-150:]].mean(axis=0) - z[order[:150]].mean(axis=0)
        return way / np.linalg.norm(way)

    ways = {(name, label): direction(measure, label)
            for name, measure in measures.items() for label in (1, 3)}
    ends = [found[name][7][[0, -1]] for name in measures for found in (from_ones, from_threes)]
    cosines = [ways[name, 1] @ ways[name, 3] for name in measures]
    says("15.1", *np.ravel(ends), *cosines, within=0.015)

    bolder = along(others, ways["boldness", 3], np.full(20, 3.0))
    both = along(bolder, ways["slant", 3], np.full(20, 3.0))
    inks = [measures["boldness"](draw(latents, label)).mean()
            for label in (7, 3) for latents in (both, bolder)]
    says("15.2", *inks, ways["boldness", 3] @ ways["slant", 3], within=0.015)


def test_answers_about_what_is_left_out(place):
    """20.1 and 20.2: the penalty left out of the loss, and out of the graph."""
    whole = changed("20")["found"]
    without = changed("20", (" + 10 * penalty", ""))["found"]
    constant = changed("20", ("[x_hat, *also], create_graph=True",
                              "[x_hat, *also], create_graph=False"))["found"]
    (before, _), (after, _) = whole["made"], without["made"]
    says("20.1", *[made[name][1] for name in ("conv2d_weight", "conv2d")
                   for made in (before, after)], within=0.6)
    assert before["conv_transpose2d"] == after["conv_transpose2d"]
    says("20.2", whole["pruned"]["peak_mb"], constant["pruned"]["peak_mb"], within=0.06)
    assert whole["pruned"]["ops"] - constant["pruned"]["ops"] == numbers_of("20.2")[-1]


def test_answers_about_mistakes(place):
    """18.1 and 18.2: larger images, and larger batches."""
    larger = changed("18", ("SHAPE, IMAGE = 16, (4, 4, 2)", "SHAPE, IMAGE = 16, (8, 8, 2)"))
    says("18.1", larger["found"]["norm_over_one_axis"][1], within=0.006)
    many = changed("18", ("SHAPE, IMAGE = 16, (4, 4, 2)", "SHAPE, IMAGE = 64, (4, 4, 2)"))["found"]
    says("18.2", many["norm_over_the_batch"][1], many["sum_for_mean"][1], within=0.006)
