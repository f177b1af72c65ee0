"""The examples: short, self-contained, and right: what they print is asserted here."""
from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from minigan import engine

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
FILES = sorted(EXAMPLES.glob("[0-9][0-9]_*.py"))
CHECKS = {}


def check(number):
    """Register the assertions on what main of that example returned."""
    return lambda function: CHECKS.setdefault(number, function)


@check("01")
def scalar_graph(found):
    for x, y, dy, by_difference, ddy, by_differences in found["rows"]:
        t, s = np.tanh(x * x), 1 - np.tanh(x * x) ** 2
        assert y == pytest.approx(x * t, rel=1e-14)
        assert dy == pytest.approx(t + 2 * x * x * s, rel=1e-13)
        assert ddy == pytest.approx(6 * x * s - 8 * x ** 3 * t * s, rel=1e-12)
        assert (dy, ddy) == (pytest.approx(by_difference, abs=1e-6),
                             pytest.approx(by_differences, abs=1e-6))
    assert found["nodes"] == [4, 15, 36]


@check("02")
def tensors(found):
    assert found["difference"] < 1e-12
    assert found["by_column"] == [60.0] * 4 and found["by_row"] == [10.0] * 3
    assert found["once"] == [10.0] * 3 and found["twice"] == [20.0] * 3
    assert found["times_faster"] > 1


@check("03")
def gradient_of_a_gradient(found):
    assert found["pruned"] < found["full"]
    assert found["nodes"][0] == 1 and found["nodes"][1] > 15
    assert found["analytic"] == pytest.approx(found["numeric"], rel=1e-7)
    assert found["penalty"] > 0 and found["norms"][3] == 0 < min(found["norms"][:3])


@check("04")
def check_your_own_op(found):
    assert found["passes"] == {"softsign_wrong": False, "softsign": True}
    assert found["errors"]["wrong"] > 1 and found["errors"]["right"] < 1e-6


@check("05")
def convolution_three_ways(found):
    assert found["matrix_error"] < 1e-13 and found["grad_difference"] < 1e-13
    assert np.ptp(found["trilinear"]) < 1e-12 and abs(found["trilinear"][0]) > 0.1
    assert found["counts"] == {5: [4, 6, 9], 4: [4]}


@pytest.fixture
def ops_table():
    """An example's own ops leave the table of ops again."""
    before = dict(engine.OPS)
    yield
    engine.OPS.clear()
    engine.OPS.update(before)


def run(path):
    """What main(quick=True) of a file returns."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(quick=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_runs_and_is_right(path, tmp_path, monkeypatch, capsys, ops_table):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    found = run(path)
    output = capsys.readouterr().out
    assert 1 <= len(output.splitlines()) <= 20 and output.isascii()
    pictures = [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.png")]
    assert pictures == [f"runs/examples/{path.stem}.png"]
    CHECKS[path.stem[:2]](found)
    for name in [name for name in sys.modules if re.match(r"\d\d_", name)]:
        del sys.modules[name]  # an example that another one imported


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_example_keeps_to_its_form(path):
    text = path.read_text("utf-8")
    lines = text.splitlines()
    assert len(lines) <= 100 and max(map(len, lines)) <= 100 and text.isascii()
    assert sum(line.startswith("# %%") for line in lines) >= 3
    assert 'if __name__ == "__main__":\n    main()' in text
    assert lines[-3] == "# Change this and predict:"
    assert lines[-2].startswith("# 1. ") and lines[-1].startswith("# 2. ")
    body = ast.parse(text).body
    assert ast.get_docstring(ast.parse(text)).startswith(path.stem[:2] + ": ")
    for node in ast.walk(ast.Module(body, [])):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            parts = [part for alias in node.names for part in alias.name.split(".")]
            assert not any(part.startswith("_") for part in parts), f"{parts} is not public"
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_"), f"{node.attr} is not public"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_index_has_a_row_and_two_answers(path):
    index = (EXAMPLES / "README.md").read_text("utf-8")
    assert f"[{path.name}]({path.name})" in index
    assert f"pictures/{path.stem}.png" in index
    picture = EXAMPLES / "pictures" / f"{path.stem}.png"
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size <= 60_000
    for question in (1, 2):
        assert f"**{path.stem[:2]}.{question}**" in index
    for link in re.findall(r"\]\((\.\./[^)]+)\)", index):
        assert (EXAMPLES / link).exists(), link
