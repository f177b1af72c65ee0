"""How much there is to read, and how dense it is: tokens, room by room.

    python .ci/size.py            # a table of minigan's rooms, and the path that a learner reads

A statement's tokens are its names, operators, numbers and strings, up to the end of the logical
line; a string is one, whatever it is made of. Docstrings and comments are free, and so is layout: a
long line and a short one cost the same if they say the same.
"""

from __future__ import annotations

import ast
import io
import statistics
import tokenize
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1] / "minigan"
COUNTED = {tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING}
PATH = ["engine.py", "ops", "nn", "losses.py", "penalties.py",
        *(f"models/{paper}.py" for paper in ("gan", "dcgan", "cgan", "wgan", "wgan_gp"))]


def docstring_lines(text: str) -> set[int]:
    """The numbers of all lines that a docstring takes."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        has_one = isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        if has_one and ast.get_docstring(node):
            first = node.body[0]
            lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def statements(path: Path) -> list[int]:
    """The tokens of each statement of a file."""
    text = path.read_text("utf-8")
    free = docstring_lines(text)
    counts = []
    tokens = 0
    strings = 0  # f-strings that are open: from Python 3.12 on, their parts are tokens
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        name = tokenize.tok_name[token.type]
        if token.type == tokenize.NEWLINE:
            if tokens:
                counts.append(tokens)
            tokens = 0
        elif name == "FSTRING_END":
            strings -= 1
        else:
            counted = token.type in COUNTED or name == "FSTRING_START"
            tokens += counted and strings == 0 and token.start[0] not in free
            strings += name == "FSTRING_START"
    return counts


def size(*places: str) -> list[int]:
    """The tokens of each statement in these rooms and files."""
    counts = []
    for place in places:
        path = HOUSE / place
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            counts += statements(file)
    return counts


def row(name: str, counts: list[int]) -> str:
    """A row of the table, in Markdown."""
    ordered = sorted(counts)
    nine_of_ten = ordered[int(0.9 * (len(ordered) - 1))]
    return (f"| {name} | {sum(counts):,} | {statistics.mean(counts):.1f} | "
            f"{statistics.median(counts):.0f} | {nine_of_ten} |")


def table() -> list[str]:
    """The rows: all rooms, then the learner's path, then everything."""
    rooms = sorted({path.relative_to(HOUSE).parts[0] for path in HOUSE.rglob("*.py")
                    if statements(path)})
    rows = ["| | tokens | a statement, mean | median | nine of ten under |",
            "| --- | --- | --- | --- | --- |"]
    rows += [row(f"`{room}`", size(room)) for room in rooms if not room.startswith("__")]
    rows.append(row("the path a learner reads: engine, ops, nn, losses, penalties, five papers",
                    size(*PATH)))
    rows.append(row("all of minigan", size("")))
    return rows


if __name__ == "__main__":
    print("\n".join(table()))
