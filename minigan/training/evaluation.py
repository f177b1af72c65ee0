"""How good a trained model's digits are: the digit test of a run, as text, JSON and a picture.

    print("\\n".join(evaluate("runs/gan-001").lines))
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple

import numpy as np

from minigan import data, plot
from minigan.models.model import Model
from minigan.training.archive import replacing
from minigan.training.loading import Loaded, load

if TYPE_CHECKING:  # the metrics are imported when somebody evaluates: training needs none
    from minigan.metrics.digits import DigitTest

FLOORS_N = 5_000        # samples that the floors are of
COLUMNS, PAIRS = 10, 20  # of each half of the picture


class Evaluation(NamedTuple):
    """What `evaluate` found, and where it wrote it."""

    passed: bool
    lines: list[str]  # the report, for people
    record: Path      # evaluation.json
    picture: Path     # evaluation.png


def evaluate(run: str | os.PathLike[str], n: int = FLOORS_N, seed: int = 0, raw: bool = False,
             bounds: Mapping[str, float] | None = None) -> Evaluation:
    """Run the digit test (`minigan.metrics.digits`) on n samples of a run of MNIST digits.

    Writes evaluation.json and evaluation.png, samples with their nearest training digits, into the
    run folder, or beside the checkpoint file. Everything it compares with is in the package.

    run: a run folder or a checkpoint file. seed: of the samples. raw: the generator's own weights,
    where the model also keeps their moving average. bounds: by a row's name, in place of the
    test's own. Conditional models are asked for all digits in turn.

    Raises:
        FileNotFoundError, ValueError: as `load`; the model makes no MNIST digits, or starts from
            training images, so that it could not but copy; too few samples; an unknown bound.
    """
    from minigan.metrics.digits import digit_test

    trained = load(run)
    _check(trained)
    model, config = trained.model, trained.config
    images = trained.sample(n, seed=seed, raw=raw)
    labels = np.arange(n) % model.n_classes if model.conditional else None
    digits = data.load("digits")
    result = digit_test(images, digits.images, labels, bounds)

    weights = "own weights" if raw or model.ema is None else "moving average"
    what = (f"{config['model']} {config['preset']} trained on {config['data']}, step "
            f"{config['step']:,}: {n:,} samples of the generator's {weights}, seed {seed}")
    lines = [what, *result.lines(),
             "floor: what 5,000 other test digits get"
             + ("" if n == FLOORS_N else f", not {n:,}: some numbers depend on how many"),
             "the digit test is passed" if result.passed else
             f"the digit test fails at {', '.join(result.failed)}"]
    folder = Path(run) if Path(run).is_dir() else Path(run).parent
    record, picture = folder / "evaluation.json", folder / "evaluation.png"
    plot.save(_picture(images, digits, result, what), picture)
    with replacing(record) as file:
        file.write(json.dumps({
            "minigan": config["minigan"], "model": config["model"], "preset": config["preset"],
            "data": config["data"], "step": config["step"], "weights": weights, "n": n,
            "seed": seed, "split": "compared with MNIST test digits; copies of the package's "
            "5,000 training digits", **result.record()}, indent=1).encode())
    return Evaluation(result.passed, lines, record, picture)


def _check(trained: Loaded) -> None:
    model, name = trained.model, trained.config["data"]
    if name not in ("digits", "mnist") or model.shape != (28, 28, 1):
        height, width, channels = model.shape
        raise ValueError(f"run: the digit test judges MNIST digits of 28x28x1; this run was "
                         f"trained on {name}, {height}x{width}x{channels}")
    if type(model).inputs_from is not Model.inputs_from:
        raise ValueError(f"run: {model.name} starts from training images; the digit test, which "
                         f"looks for copies of them, says nothing about it")


def _picture(images: np.ndarray, digits: data.Images, result: DigitTest, title: str) -> Any:
    """Samples with the nearest training digit under each: the first ones, and the nearest ones."""
    def pairs(chosen: np.ndarray) -> np.ndarray:
        both = np.stack([images[chosen], digits.images[result.nearest[chosen]]])
        rows = both.reshape(2, -1, COLUMNS, *digits.shape).swapaxes(0, 1)  # (row, 2, column, ...)
        return plot.tile(rows.reshape(-1, *digits.shape), COLUMNS)

    assert digits.labels is not None
    return plot.strip(
        [pairs(np.arange(PAIRS)),
         pairs(nearest_by_class(result.distances, digits.labels[result.nearest])[:PAIRS])],
        ["the first samples; below each its nearest training digit",
         "of all samples the two nearest to a training 0, to a training 1, ..."],
        title, "A sample that differs from its training digit by noise or by a pixel's shift is a "
        "copy.", height=2.6)


def nearest_by_class(distances: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Indices of the nearest of each class, by class, then of the second of each, and so on.

    distances: (N,); classes: of the training images that they lead to, integers (N,).
    """
    order = np.lexsort((distances, classes))
    ordered = classes[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)  # within its class
    return order[np.lexsort((ordered, rank))]
