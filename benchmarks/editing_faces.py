"""Find new pictures in a generator of pictures from a folder: writes results/editing-faces.jsonl.

    python benchmarks/editing_faces.py RUN --trained FOLDER --new FOLDER

RUN: a run that was trained on the pictures of --trained. New pictures are inverted, and so are as
many of the training, which the generator has seen; their errors stand beside what its own pictures
get, the nearest of the draws, the nearest picture of the training, and the mean picture. Directions
are found by PCA of the first layer. Takes a minute.

The faces are those of AT&T Laboratories Cambridge (Olivetti), of real people: numbers may be kept,
pictures may not.
"""

from __future__ import annotations

import argparse
import json
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

import minigan as mg
from minigan.data import to_model
from minigan.editing import find_directions, floor, invert
from minigan.editing.inversion import rms_error
from minigan.editing.originals import Originals
from minigan.models import Model
from minigan.system.machine import environment

RESULTS = Path(__file__).resolve().parent / "results" / "editing-faces.jsonl"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, help="the run")
    parser.add_argument("--trained", type=Path, required=True, help="what it was trained on")
    parser.add_argument("--new", type=Path, required=True, help="others")
    options = parser.parse_args()

    mg.use_threads(2)
    trained = mg.load(options.run)
    row = {"model": trained.config.model, "size": trained.model.shape[0],
           "step": trained.config["step"], "training_seconds": seconds_of(options.run),
           **measured(trained.model, options.trained, options.new),
           "date": date.today().isoformat(), "environment": environment()}
    RESULTS.write_text(json.dumps(row) + "\n", encoding="utf-8")
    print(json.dumps(row, indent=2))


def seconds_of(run: Path) -> float:
    """How long a run has trained."""
    last = (run / "metrics.jsonl").read_text("utf-8").splitlines()[-1]
    return json.loads(last)["seconds"]


def measured(model: Model, trained: Path, new: Path) -> dict[str, Any]:
    """The numbers of a row. trained, new: folders."""
    known = pictures(model, trained)
    others = pictures(model, new)
    some = known[np.linspace(0, len(known) - 1, len(others)).astype(int)]

    began = time.perf_counter(), time.process_time()
    found = invert(model, others)
    wall, processor = time.perf_counter() - began[0], time.process_time() - began[1]
    directions = find_directions(model, "pca")
    own = floor(model, len(others))
    return {"known": len(known), "new": len(others),
            "error": mean(found.error), "nearest_draw": mean(found.nearest),
            "floor": mean(own.error), "error_of_known": mean(invert(model, some).error),
            "nearest_known": mean([rms_error(known, other[None]).min() for other in others]),
            "mean_picture": mean(rms_error(others, known.mean(axis=0, keepdims=True))),
            "length": mean(np.linalg.norm(found.z, axis=1)), "latent": found.z.shape[1],
            "seconds": wall, "processor_seconds": processor,
            "pca": directions.strength.tolist(), "change": directions.change.tolist()}


def pictures(model: Model, folder: Path) -> np.ndarray:
    """The pictures of a folder, float32 (n, H, W, C) in [-1, 1], of the model's shape."""
    found = Originals(model, as_is=True).read_all([folder])
    return to_model(np.stack([each.pixels for each in found]))


def mean(values: Any) -> float:
    return float(np.mean(values))


if __name__ == "__main__":
    main()
