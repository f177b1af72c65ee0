"""What a notebook shows: where there is one, outputs that change in place, a bar, HTML."""
from __future__ import annotations

import subprocess
import sys
import types

import pytest
from fake_notebook import Notebook, pictures, read

from minigan import plot
from minigan.system import notebook
from minigan.system.progress import Progress


@pytest.fixture
def book(monkeypatch):
    return Notebook(monkeypatch)


def test_there_is_a_notebook_where_a_kernel_has_a_shell(monkeypatch, book):
    assert notebook.kernel() is book.shell and notebook.cell() == 1
    book.next_cell()
    assert notebook.cell() == 2


@pytest.mark.parametrize("ipython", [
    None, types.SimpleNamespace(), types.SimpleNamespace(get_ipython=lambda: None),
    types.SimpleNamespace(get_ipython=lambda: 1 / 0)], ids=["no", "half imported", "no shell",
                                                            "broken"])
def test_there_is_none_elsewhere(monkeypatch, ipython):
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert notebook.kernel() is None and notebook.cell() is None


def test_a_terminal_of_ipython_is_no_notebook(monkeypatch):
    Notebook(monkeypatch, kernel=None)
    assert notebook.kernel() is None and Progress(0, 3).cell is None


def test_ipython_is_not_imported():
    code = ("import sys, minigan as mg\nfrom minigan.system.progress import Progress\n"
            "with Progress(0, 1) as bar: bar.advance()\n"
            "mg.data.load('digits')._repr_html_()\nprint('IPython' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


# The bar.

def test_a_bar_is_one_output_that_changes(monkeypatch, book, capsys):
    now = [100.0]
    monkeypatch.setattr("minigan.system.notebook.time.monotonic", lambda: now[0])
    with Progress(1000, 1100, "one & two") as bar:
        (output,) = book.front.outputs
        assert output["text/plain"] == "one & two: step 1,000 of 1,100"
        for step in range(60):
            now[0] += 0.1
            bar.advance()
            bar.show({"d_loss": 0.5, "g_loss": 2})
        assert output["text/plain"] == ("one & two: step 1,060 of 1,100, 10.0 steps/s, d_loss "
                                        "0.500, g_loss 2.000, 0:04 left")
        assert 15 <= book.front.messages <= 22  # four in a second, not ten
        elements, words = read(output["text/html"])
        assert words == output["text/plain"]
        role = next(found for _, found in elements if "role" in found)
        assert role["role"] == "progressbar" and role["aria-valuenow"] == "96.4"
        assert notebook.BLUE in output["text/html"]
    assert output["text/plain"].endswith("g_loss 2.000, 0:06 in all")
    assert notebook.ORANGE in output["text/html"]  # it ended early
    assert book.front.outputs == [output] and capsys.readouterr() == ("", "")


def test_a_bar_that_is_full_is_blue(book):
    for steps in (2, 0):
        with Progress(0, steps) as bar:
            for _ in range(steps):
                bar.advance()
        assert "width:100.0%" in book.front.outputs[-1]["text/html"]
        assert notebook.ORANGE not in book.front.outputs[-1]["text/html"]


def test_below_the_bar_is_one_output_more(book):
    with Progress(0, 2) as bar:
        assert bar.below(lambda: "<div>one</div>", "one")
        assert bar.below(lambda: "<div>two</div>", "two")
    assert len(book.front.outputs) == 2
    assert book.front.outputs[1] == {"text/html": "<div>two</div>", "text/plain": "two"}


def test_a_quiet_bar_shows_nothing(book):
    with Progress(0, 2, quiet=True) as bar:
        bar.advance()
        assert not bar.below(lambda: 1 / 0, "nothing")
    assert not book.front.outputs


def test_a_display_that_fails_is_one_warning(book, recwarn):
    with Progress(0, 2) as bar:
        assert not bar.below(lambda: 1 / 0, "a grid")
        assert bar.below(lambda: "", "a grid")
        book.front.broken = True
        for _ in range(2):
            assert not bar.below(lambda: "", "a grid")
    assert [str(found.message) for found in recwarn] == [
        "the notebook could not show this (division by zero): a grid",
        "the notebook could not show this (the front end is gone): step 0 of 2, 0:00 in all"]


# HTML.

def test_words_and_paths_cannot_be_markup():
    evil = "<script>alert('&')</script>"
    png = plot.png(plot.tile(_grey(1, 4, 4)))
    html = notebook.line(evil) + notebook.link(evil + ".html") + notebook.picture(png, evil)
    elements, words = read(notebook.beside(html))
    assert words == evil + " " + evil + ".html" and pictures(html) == [evil]
    assert [found["href"] for name, found in elements if name == "a"] == [
        "%3Cscript%3Ealert%28%27%26%27%29%3C/script%3E.html"]


def test_small_pictures_are_enlarged_in_squares_and_large_ones_are_smoothed():
    for across, pixelated in ((30, True), (notebook.GRID_WIDTH, True), (400, False)):
        html = notebook.picture(plot.png(_grey(1, 4, across)[0]), "a")
        assert ("pixelated" in html) is pixelated


def test_what_cannot_be_shown_is_text():
    class Odd:
        @notebook.or_text
        def _repr_html_(self):
            raise OSError("no picture")

    with pytest.warns(UserWarning, match=r"^Odd could not be shown \(no picture\)$"):
        assert Odd()._repr_html_() is None


def _grey(count, height, width):
    import numpy as np
    return np.full((count, height, width), 99, np.uint8)
