"""The house: who may import whom, what an index may hold, how long its lines are."""
from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from project import ROOT

HOUSE = ROOT / "minigan"

ROOMS = [  # level by level: a room imports from earlier levels only
    {"errors", "geometry", "reading", "refusals", "blocks", "system",
     "version"},
    {"backend", "plot", "checks"},
    {"engine", "streams"},
    {"ops", "gradcheck", "profiler", "graph", "capturing"},
    {"nn", "optim", "losses", "penalties"},
    {"models", "data", "metrics"},
    {"editing", "portable"},
    {"runs"},
    {"evaluation", "toy", "play"},
    {"training"},
    {"__init__"},  # the index `minigan` itself
    {"bench"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
LEVELS = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}
ONE_PLACE = {"cupy": "backend/gpu/device.py", "cupyx": "backend/gpu/device.py",
             "cupy_backends": "backend/gpu/device.py",
             "matplotlib": {f"plot/{name}.py" for name in (
                 "settings", "saving", "style", "graphs")}, "pooch": "data/download.py",
             "requests": {"data/download.py", "data/transfer.py"},
             "onnx": "portable/packages.py", "safetensors": "portable/packages.py",
             "IPython": None, "PIL": {"data/pictures.py", "plot/raster.py", "runs/animation.py"},
             "torch": None, "tensorflow": None, "jax": None, "autograd": None}
TEXT = {".py", ".md", ".cfg", ".toml", ".txt", ".json", ".csv", ".sh", ".yml", ".yaml", ".ipynb"}


def short(path):
    """A source file's name in messages and test ids."""
    return path.relative_to(HOUSE).as_posix()


@cache
def tree(path):
    return ast.parse(path.read_text("utf-8"), str(path))


def sources(*places):
    """Python files of rooms and files, named without .py; what does not exist yet is left out."""
    for place in places or ("",):
        yield from sorted((HOUSE / place).rglob("*.py"))
        if place and (HOUSE / f"{place}.py").exists():
            yield HOUSE / f"{place}.py"


def name_of(path):
    """minigan/ops/conv.py is ("ops", "conv"), minigan/ops/__init__.py is ("ops",)."""
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def path_of(parts):
    """The file of a module, None if `parts` names something else."""
    for path in (HOUSE.joinpath(*parts, "__init__.py"), HOUSE.joinpath(*parts).with_suffix(".py")):
        if path.exists():
            return path
    return None


def typing_only(path):
    """The nodes of a file that only a type checker reads."""
    blocks = [node for node in ast.walk(tree(path)) if isinstance(node, ast.If)
              and getattr(node.test, "id", "") == "TYPE_CHECKING"]
    return {child for block in blocks for child in ast.walk(block)}


def imports(path, but=()):
    """Every module that a file imports, anywhere in it, as tuples of names; relative ones too.

    What only a type checker reads counts, too: an arrow for the reader is an arrow.
    """
    package = ("minigan", *name_of(path)[:None if path.name == "__init__.py" else -1])
    for node in ast.walk(tree(path)):
        if node in but:
            continue
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                inside = base[:1] == ("minigan",) and path_of((*base[1:], alias.name))
                yield (*base, alias.name) if inside else base


def ours(path):
    """The files of ours that a file imports."""
    for parts in imports(path):
        if parts[0] == "minigan":
            target = path_of(parts[1:])
            assert target, f"{path.relative_to(ROOT)} imports {'.'.join(parts)}, which is not there"
            yield target


def room_of(path):
    return (name_of(path) or ("__init__",))[0]


def public_definitions(path):
    """Public functions and classes of a file, and the public methods of such classes."""
    for node in tree(path).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node.name, node
            for method in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method


def house_files():
    """Text files of ours: known to git, or about to be."""
    done = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                          cwd=ROOT, capture_output=True, text=True)
    names = done.stdout.splitlines() if done.returncode == 0 else [
        str(path.relative_to(ROOT)) for folder in ("minigan", "tests", "examples", "benchmarks")
        for path in (ROOT / folder).rglob("*")]
    return [ROOT / name for name in names
            if (ROOT / name).is_file() and ((ROOT / name).suffix in TEXT or ".ci/" in name)]


# Rooms.

@pytest.mark.parametrize("path", list(sources()), ids=short)
def test_imports_run_one_way(path):
    room = room_of(path)
    assert room in LEVELS, f"{room} has no level"
    for target in ours(path):
        other = room_of(target)
        assert other == room and len(name_of(path)) + len(name_of(target)) > 2 or (
            LEVELS[other] < LEVELS[room]), f"{short(path)} imports {short(target)}"


def test_no_file_imports_in_a_circle():
    TopologicalSorter({path: list(ours(path)) for path in sources()}).prepare()  # CycleError


FOLDERS = sorted({path.parent for path in sources() if path.parent != HOUSE})


@pytest.mark.parametrize("folder", FOLDERS, ids=short)
def test_inside_a_room_imports_run_one_way_too(folder):
    """Of a room's files and folders, each taken as a whole, none imports in a circle.

    The room's index, which hands on what is in them, stands above all.
    """
    def part(path):
        """The file or folder, directly inside, that a file belongs to."""
        return path.relative_to(folder).parts[0] if path.is_relative_to(folder) else None

    arrows = {}
    for path in folder.rglob("*.py"):
        arrows.setdefault(part(path), set()).update(part(target) for target in ours(path))
    for name, targets in arrows.items():
        targets -= {name, None}
    TopologicalSorter(arrows).prepare()  # CycleError


def test_the_devices_know_nothing_of_one_another():
    for wing, other in (("cpu", "gpu"), ("gpu", "cpu")):
        for path in sources(f"backend/{wing}"):
            assert other not in [name_of(target)[1] for target in ours(path)
                                 if room_of(target) == "backend" and len(name_of(target)) > 1]


def test_the_figures_and_the_backend_import_nothing_of_ours():
    for path in sources("plot", "backend"):
        allowed = {room_of(path), "system", "geometry", "reading"}
        assert {room_of(target) for target in ours(path)} <= allowed


@pytest.mark.parametrize("path", [path for path in sources() if path.name == "__init__.py"],
                         ids=short)
def test_an_index_defines_nothing(path):
    registrations = ("register", "get_backend") if name_of(path) == ("backend",) else ()
    for i, node in enumerate(tree(path).body):
        docstring = i == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        names = isinstance(node, ast.Assign) and all(
            getattr(t, "id", "") in ("__all__", "__getattr__") for t in node.targets)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            assert all(isinstance(inner, (ast.Import, ast.ImportFrom)) for inner in node.body)
            continue
        registers = (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
                     and getattr(node.value.func, "id", "") in registrations)
        assert (docstring or names or registers
                or isinstance(node, (ast.Import, ast.ImportFrom))), ast.unparse(node)


@pytest.mark.parametrize("library, place", list(ONE_PLACE.items()))
def test_a_library_is_imported_in_one_place(library, place):
    users = {short(path) for path in sources()
             if any(parts[0] == library for parts in imports(path, typing_only(path)))}
    assert users <= (place if isinstance(place, set) else {place})


# Sizes.

def test_lines_have_100_columns_at_most():
    files = [path for path in house_files() if path.suffix == ".py"]
    assert Path(__file__).resolve() in files
    for path in files:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            assert len(line) <= 100, f"{path.relative_to(ROOT)}:{number}"
            assert line == line.rstrip() and "\t" not in line, f"{path.relative_to(ROOT)}:{number}"


# Words.

def test_everything_public_has_a_docstring():
    documented, silent = set(), []
    for path in sources():
        assert ast.get_docstring(tree(path)) or path.stat().st_size == 0, path
        for name, node in public_definitions(path):
            if ast.get_docstring(node):
                documented.add(name.rpartition(".")[2])
            else:
                silent.append((short(path), name))
    assert "grad" in documented
    silent = [(path, name) for path, name in silent  # an override has its original's
              if "." not in name or name.rpartition(".")[2] not in documented]
    assert not silent


def raising(path):
    """Public functions and methods of a file whose own body raises, with their docstrings.

    A class's docstring speaks for its `__init__`; an override has its original's docstring.
    """
    for node in tree(path).body:
        of_class = isinstance(node, ast.ClassDef)
        for function in node.body if of_class else [node]:
            if not isinstance(function, ast.FunctionDef):
                continue
            docstring = ast.get_docstring(function) or ""
            if of_class and function.name == "__init__":
                docstring += ast.get_docstring(node) or ""
            public = function.name == "__init__" or not function.name.startswith("_")
            raises = any(isinstance(inner, ast.Raise) and inner.exc is not None
                         for inner in ast.walk(function))
            if public and not node.name.startswith("_") and raises and docstring:
                yield f"{short(path)}:{function.lineno} {function.name}", docstring


def test_what_raises_says_what_and_when():
    found = [entry for path in sources() for entry in raising(path)]
    assert len(found) > 100
    assert not [name for name, docstring in found if "Raises:" not in docstring]


def test_contributing_tells_how_much_there_is_to_read():
    """The rows of `python .ci/size.py`, to within a twentieth."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    done = subprocess.run([sys.executable, ROOT / ".ci" / "size.py"], capture_output=True,
                          text=True, check=True)
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \|", done.stdout, re.M)
    assert len(rows) > 20
    remedy = "put what `python .ci/size.py` prints into CONTRIBUTING.md"
    for name, tokens in rows:
        told = re.search(rf"^\| {re.escape(name)} \| ([\d,]+) \|", text, re.M)
        assert told, f"CONTRIBUTING.md has no row of {name}: {remedy}"
        now = int(tokens.replace(",", ""))
        assert abs(int(told[1].replace(",", "")) - now) <= max(now / 20, 100), (
            f"{name} has {tokens} now: {remedy}")


def test_no_file_names_a_place_of_one_machine():
    place = re.compile(r"(?<![\w.~-])/(home|Users|root|work|tmp|mnt|workspace)/|\b[A-Z]:\\\w")
    for path in house_files():
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            assert not place.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
