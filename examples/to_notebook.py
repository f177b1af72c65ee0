"""Examples as a Jupyter notebook: a cell for each `# %%`, the picture after the last.

    python examples/to_notebook.py 02 15        # writes examples-02-15.ipynb

It needs nothing but Python. The notebook finds the examples where they are now, and writes their
pictures into runs/examples/ beside itself.
"""
import argparse
import ast
import json
import re
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
MAIN = 'if __name__ == "__main__":\n    main()\n'
QUESTIONS = "# Change this and predict:\n"


def words(text):
    return {"cell_type": "markdown", "metadata": {}, "source": text.strip()}


def code(text):
    return {"cell_type": "code", "metadata": {}, "source": text.strip(), "outputs": [],
            "execution_count": None}


def cells(path, quick=False):
    """The cells of an example. quick: as its test runs it."""
    text = path.read_text("utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    title, _, about = docstring.partition("\n")
    yield words(f"# {title}\n{about}")

    lines = text.splitlines(keepends=True)
    program, questions = "".join(lines[ast.parse(text).body[0].end_lineno:]).split(MAIN)
    for part in re.split("^(?=# %% )", program, flags=re.M):
        yield code(part.replace("# %% ", "# ", 1))
    yield code("found = main(quick=True)" if quick else "found = main()")

    (picture,) = set(re.findall(r'"(runs/examples/\w+\.png)"', program))
    yield code(f"from IPython.display import Image\n\nImage({picture!r})")
    questions = re.sub("^# ", "", questions.strip().removeprefix(QUESTIONS), flags=re.M)
    yield words(f"**Change this and predict**\n\n{questions}")


def notebook(paths, quick=False):
    """The notebook of some examples, as its file's JSON."""
    imports = code(f"import sys\n\nsys.path.insert(0, {str(EXAMPLES)!r})")
    made = [imports, *(cell for path in paths for cell in cells(path, quick))]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 4}


def main():
    parser = argparse.ArgumentParser(description="Write examples as a Jupyter notebook.")
    parser.add_argument("numbers", nargs="+", metavar="NUMBER", help="such as 02")
    numbers = parser.parse_args().numbers
    paths = []
    for number in numbers:
        found = list(EXAMPLES.glob(f"{number:0>2}_*.py")) if number.isdecimal() else []
        if len(found) != 1:
            parser.error(f"there is no example {number!r}; they are 01, 02, ...")
        paths += found
    out = Path(f"examples-{'-'.join(numbers)}.ipynb")
    try:
        with open(out, "x", encoding="utf-8") as file:
            json.dump(notebook(paths), file, indent=1)
    except FileExistsError:
        parser.error(f"{out} is there already; move it away first")
    print(out)


if __name__ == "__main__":
    sys.exit(main())
