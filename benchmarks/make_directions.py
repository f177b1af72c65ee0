"""Write pretrained-directions.npz, in minigan/editing/directions, of the generator in the package.

    python benchmarks/make_directions.py

They are found as `minigan directions --pretrained` finds them, by attributes, then pca and weights,
in more draws. It takes some seconds. Run it again when the generator changes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import minigan as mg
from minigan.editing import find_directions
from minigan.editing.directions.record import SHIPPED
from minigan.editing.directions.table import table

DRAWS = 10_000
COUNT = 4   # of pca and of weights


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the directions of minigan's generator.")
    parser.add_argument("--output", type=Path, default=SHIPPED)
    options = parser.parse_args()

    mg.use_threads(1)
    model = mg.load().model
    found = find_directions(model, "attributes", DRAWS)
    for by in ("pca", "weights"):
        found = found.updated(find_directions(model, by, DRAWS, count=COUNT))
    found.save(options.output)
    print("\n".join(table(found)))
    print(f"{options.output.name}: {options.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
