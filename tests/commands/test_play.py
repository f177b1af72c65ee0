"""`minigan play`: where the page goes, and what it replaces."""

import json
import re
import webbrowser

import numpy as np
import pytest

from minigan.cli import main
from minigan.editing.directions import finding
from minigan.editing.directions.record import SHIPPED, Directions
from minigan.runs.exporting import PRETRAINED

MEASURED = ["boldness", "slant", "width", "height"]

pytestmark = pytest.mark.usefixtures("alone")


def directions_in(path):
    text = path.read_text("utf-8")
    data = re.search(r'id="data">(.*?)</script>', text, re.S)[1]
    return [each["name"] for each in json.loads(data)["directions"]]


@pytest.fixture
def exported(alone):
    """A FILE.npz as `minigan export` writes it."""
    path = alone / "mine.npz"
    path.write_bytes(PRETRAINED.read_bytes())
    return path


def test_pretrained_needs_nothing(alone, capsys):
    assert main(["play", "--pretrained"]) == 0
    page = alone / "pretrained-play.html"
    out, _ = capsys.readouterr()
    line = f"{page.stat().st_size:,} bytes: pretrained-play.html\n"
    assert out.startswith(line) and "open it in a browser" in out
    assert directions_in(page)[:4] == MEASURED
    assert main(["play", "--pretrained", "--quiet"]) == 0      # replaces the page
    assert capsys.readouterr() == (line, "")


def test_a_file_has_its_directions_beside_it(exported, capsys):
    Directions.load(SHIPPED).only("attributes").save(exported.with_name("mine-directions.npz"))
    assert main(["play", str(exported)]) == 0
    assert directions_in(exported.with_name("mine-play.html")) == MEASURED


def test_directions_are_looked_for_where_none_were_measured(exported, capsys, monkeypatch):
    monkeypatch.setattr(finding, "find_directions", lambda model: Directions.load(SHIPPED))
    assert main(["play", str(exported), "--out", "new/page.html"]) == 0
    assert "looking for some" in capsys.readouterr().out
    assert directions_in(exported.parent / "new" / "page.html")[:4] == MEASURED


def test_a_page_without_directions_says_why(exported, capsys, monkeypatch):
    def none(model):
        raise ValueError("it has none")
    other = Directions.load(SHIPPED)
    other.fingerprint[...] = np.uint8(255) - other.fingerprint
    other.save(exported.with_name("mine-directions.npz"))
    monkeypatch.setattr(finding, "find_directions", none)
    assert main(["play", str(exported)]) == 0
    out, _ = capsys.readouterr()
    assert "looking for others" in out and "no directions: it has none" in out
    assert directions_in(exported.with_name("mine-play.html")) == []


@pytest.mark.parametrize("there_is_one", [True, False])
def test_open_asks_the_browser(alone, capsys, monkeypatch, there_is_one):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or there_is_one)
    assert main(["play", "--pretrained", "--open"]) == 0
    assert opened == [(alone / "pretrained-play.html").as_uri()]
    assert ("open it in a browser" in capsys.readouterr().out) != there_is_one


@pytest.mark.parametrize("arguments, words", [
    (["--pretrained", "runs/x"], "--pretrained: it takes the place of RUN"),
    (["--pretrained", "--out", "page.txt"], "--out: the page must end in .html, got 'page.txt'"),
    (["--pretrained", "--out", "mine.html"], "mine.html exists and is no page of minigan play"),
    (["--pretrained", "--out", "folder.html"], "folder.html exists and is no page"),
    (["nowhere.npz"], "nowhere.npz"),
    ([], "there is no run folder"),
])
def test_bad_requests_write_nothing(alone, capsys, arguments, words):
    (alone / "mine.html").write_text("<html>my own work")
    (alone / "folder.html").mkdir()
    assert main(["play", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert (alone / "mine.html").read_text() == "<html>my own work"
    assert sorted(path.name for path in alone.iterdir()) == ["folder.html", "mine.html"]
