"""RESULTS.md is what its script makes of the result files, and documents quote no other numbers."""
from __future__ import annotations

import re
import sys

import pytest
from project import ROOT

BENCHMARKS = ROOT / "benchmarks"
QUOTED = re.compile(r"([^\s*|(]+?)<!-- (.+?) -->")

pytestmark = pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="an installed copy has none")


@pytest.fixture
def make_results(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import make_results
    yield make_results
    sys.modules.pop("make_results")


def test_the_page_is_what_its_script_makes(make_results):
    made = make_results.text()
    assert make_results.PAGE.read_text("utf-8") == made, "run python benchmarks/make_results.py"


def test_links_of_the_page_exist(make_results):
    links = re.findall(r"\]\(([^)#]+)\)", make_results.text())
    assert links and [link for link in links if not (BENCHMARKS / link).exists()] == []


def test_numbers_that_documents_quote_are_the_results(make_results):
    found = make_results.headlines()
    assert found["gan:seed / torch"] == "0.84" and found["cgan:conv, minutes"] == "3.1"
    for page in (*ROOT.glob("*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("minigan/*.md")):
        for number, name in QUOTED.findall(page.read_text("utf-8")):
            assert found.get(name) == number, f"{page.name}: {number}<!-- {name} -->"


def test_quotes_are_found_where_people_write_them():
    text = "takes **0.70<!-- a -->** to 1.04<!-- b / c, most --> of | 3.1<!-- d --> |"
    assert QUOTED.findall(text) == [("0.70", "a"), ("1.04", "b / c, most"), ("3.1", "d")]


def test_where_minigan_is_slower_is_said(make_results):
    page = make_results.text()
    for row in make_results.bench("steps.jsonl"):
        if row.rival and row.versus and row.versus.ratio >= 1.005:
            assert f"{row.workload} {row.versus.ratio:.2f}" in page


def test_mean_and_range(make_results):
    assert make_results.spread([0.5, 0.7], 2) == "0.60 (0.50 to 0.70)"
    assert make_results.spread([0.501, 0.503], 2, 100) == "50.20 (50.10 to 50.30)"
    assert make_results.spread([0.5001, 0.5002], 2) == "0.50"
