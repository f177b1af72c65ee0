"""Five papers, one engine, second order proved: everything beyond that can be deleted.

A copy of the package without pix2pix, metrics and bench still imports, trains and draws.
"""
from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from project import HOUSE

EXTRAS = ["models/pix2pix.py", "metrics", "bench"]

CODE = """
import importlib, pkgutil, sys
from pathlib import Path
import minigan
assert Path(minigan.__file__).parent == Path(sys.argv[1]) / "minigan", minigan.__file__
modules = [m.name for m in pkgutil.walk_packages(minigan.__path__, "minigan.")]
for name in modules:
    if not name.endswith("__main__"):
        importlib.import_module(name)
from minigan.cli import main
for arguments in ("train gan --preset seed --steps 2 --batch-size 8 --threads 1 --out run",
                  "sample run --n 3", "models"):
    assert main(arguments.split()) == 0, arguments
print(len(modules))
"""


@pytest.fixture
def copy(tmp_path):
    """A folder with a copy of the package, without what Python compiled."""
    shutil.copytree(HOUSE, tmp_path / "minigan", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def run(folder, *code):
    return subprocess.run([sys.executable, "-c", *code], cwd=folder, capture_output=True,
                          text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(folder)})


@pytest.mark.parametrize("extras", [*([extra] for extra in EXTRAS), EXTRAS],
                         ids=[*EXTRAS, "all of them"])
def test_the_house_stands_without(copy, extras):
    present = [copy / "minigan" / extra for extra in extras if (HOUSE / extra).exists()]
    if not present:
        pytest.skip("not there")
    for path in present:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    done = run(copy, CODE, str(copy))
    assert done.returncode == 0, done.stderr
    assert "run folder: run\n" in done.stdout and "3 images: run/samples/seed-0.png" in done.stdout
    assert ("pix2pix" in done.stdout) == (copy / "minigan/models/pix2pix.py").exists()
    assert int(done.stdout.splitlines()[-1]) > 30


def test_the_papers_are_no_such_extras(copy):
    """The test above can fail: without the first paper nothing trains."""
    (copy / "minigan/models/gan.py").unlink()
    done = run(copy, CODE, str(copy))
    assert done.returncode != 0 and "gan" in done.stderr
