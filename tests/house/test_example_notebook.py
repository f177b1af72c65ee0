"""Examples as a notebook: their cells, and what a kernel makes of them and of a training."""
from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest
from fake_notebook import pictures, read
from project import EXAMPLES, ROOT

FILES = sorted(EXAMPLES.glob("[0-9][0-9]_*.py"))
EXECUTE = """
import sys, nbclient, nbformat
book = nbformat.read("book.ipynb", 4)
nbclient.NotebookClient(book, timeout=100, kernel_name="python3").execute()
nbformat.write(book, "book.ipynb")
"""
MORE = {
    "fit": """
        images = mg.data.load("digits")
        small = mg.data.Images(images.images[:80, 2:26:3, 2:26:3].copy())
        trainer = mg.Trainer(mg.models.GAN("seed", small.shape), small, 8, threads=1)
        trainer.fit(30)""",
    "trainer": "trainer",
    "run": "trainer.folder",
    "model": "mg.load()",
    "edit": "mg.load().edit(images.images[:1], 4, steps=2, draws=8)",
    "figure": "figure = mg.plot.lines({'a': ([0, 1], [0, 1])}); figure",
    "inline": "%matplotlib inline\nfigure",
    "with pyplot": "import matplotlib.pyplot\nfigure",
    "graph": "mg.graph.layout(mg.ops.tanh(mg.tensor(0.5, requires_grad=True)))",
}
needs_a_kernel = pytest.mark.skipif(
    not (importlib.util.find_spec("nbclient") and importlib.util.find_spec("ipykernel")),
    reason="executing a notebook needs nbclient and ipykernel, which the extra 'check' installs")


@pytest.fixture(scope="module")
def converter():
    spec = importlib.util.spec_from_file_location("to_notebook", EXAMPLES / "to_notebook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sources(cells, kind="code"):
    return [cell["source"] for cell in cells if cell["cell_type"] == kind]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_cells_of_an_example_are_its_code(path, converter):
    cells = list(converter.cells(path))
    *program, call, picture = sources(cells)
    assert (call, picture.splitlines()[-1]) == (
        "found = main()", f"Image('runs/examples/{path.stem}.png')")
    text = path.read_text("utf-8")
    assert len(program) == 1 + len(re.findall("^# %%", text, re.M))
    for cell in program:
        compile(cell, path.name, "exec")
        assert cell.replace("# ", "# %% ", 1) in text or cell in text
    title, questions = sources(cells, "markdown")
    assert title.startswith(f"# {path.stem[:2]}: ")
    assert re.search("^1[.].*^2[.]", questions, re.S | re.M)


def run(*arguments, cwd):
    return subprocess.run([sys.executable, EXAMPLES / "to_notebook.py", *arguments], cwd=cwd,
                          capture_output=True, text=True)


def test_the_script_writes_a_notebook_and_replaces_none(tmp_path):
    done = run("2", "03", cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("examples-2-03.ipynb\n", "", 0)
    content = (tmp_path / "examples-2-03.ipynb").read_bytes()
    titles = sources(json.loads(content)["cells"], "markdown")
    assert [title[:4] for title in titles[::2]] == ["# 02", "# 03"]
    for numbers, refusal in (("2", "03"), "is there already; move it away"), (("0",), "no example"):
        done = run(*numbers, cwd=tmp_path)
        assert done.returncode == 2 and refusal in done.stderr and not done.stdout
    assert (tmp_path / "examples-2-03.ipynb").read_bytes() == content


@pytest.fixture(scope="module")
def executed(converter, tmp_path_factory):
    """By name: the outputs of the cells of two examples and of `MORE`."""
    place = tmp_path_factory.mktemp("notebook")
    book = converter.notebook([path for path in FILES if path.stem[:2] in ("02", "03")], quick=True)
    names = [str(number) for number, _ in enumerate(book["cells"])] + list(MORE)
    for text in MORE.values():
        lines = [line.removeprefix(" " * 8) for line in text.strip("\n").splitlines()]
        book["cells"].append(converter.code("\n".join(lines)))
    (place / "book.ipynb").write_text(json.dumps(book))
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("MINIGAN_")}
    environment.update(PYTHONPATH=str(ROOT), IPYTHONDIR=str(place), JUPYTER_RUNTIME_DIR=str(place))
    done = subprocess.run([sys.executable, "-c", EXECUTE], cwd=place, env=environment,
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    book = json.loads((place / "book.ipynb").read_text("utf-8"))
    return {name: ("".join(cell["source"]), cell.get("outputs", []))
            for name, cell in zip(names, book["cells"], strict=True)}


@needs_a_kernel
def test_two_examples_run_in_a_kernel_and_show_their_pictures(executed):
    shown = [data for source, outputs in executed.values() if source.startswith("from IPython")
             for data in outputs]
    assert len(shown) == 2 and all("image/png" in output["data"] for output in shown)
    outputs = [output for _, outputs in executed.values() for output in outputs]
    assert {output.get("name") for output in outputs} == {None, "stdout"}  # no standard error
    assert "error" not in {output["output_type"] for output in outputs}


@needs_a_kernel
def test_fit_has_two_outputs_in_a_kernel_and_its_value_is_text(executed):
    bar, below, value = executed["fit"][1]
    assert bar["output_type"] == below["output_type"] == "display_data"
    assert bar["data"]["text/plain"][0].startswith("step 30 of 30, d_loss")
    assert pictures("".join(below["data"]["text/html"])) == ["the samples while it learned",
                                                             "the losses"]
    assert read("".join(below["data"]["text/html"]))[1] == "runs/gan-001/report.html"
    assert list(value["data"]) == ["text/plain"] and value["output_type"] == "execute_result"


@needs_a_kernel
@pytest.mark.parametrize("name, kind, count", [
    ("trainer", "text/html", 2), ("run", "text/html", 2), ("model", "text/html", 1),
    ("edit", "image/png", 0), ("figure", "image/png", 0),
    ("inline", "image/png", 0), ("with pyplot", "image/png", 0),
    ("graph", "image/png", 0)])
def test_a_value_shows_itself_once_in_a_kernel(executed, name, kind, count):
    (output,) = executed[name][1]
    assert sorted(output["data"]) == sorted([kind, "text/plain"])
    if kind == "text/html":
        assert len(pictures("".join(output["data"]["text/html"]))) == count
