"""How good a trained model's digits are, as text, JSON and a picture: the digit test of a run, or
where digits were stacked, the modes that it finds (`stacked`).

    print("\\n".join(evaluate("runs/gan-001").lines))
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple

import numpy as np

from minigan import data, files, plot
from minigan.data.places import user_path
from minigan.data.stacked import BASES
from minigan.models.model import Model
from minigan.training.loading import Loaded, load
from minigan.training.stacked import count, forget, picture_of_counts, report

if TYPE_CHECKING:  # the metrics are imported when somebody evaluates: training needs none
    from minigan.metrics.digits import DigitTest

FLOORS_N = 5_000        # samples that the digit test's floors are of
STACKED_N = 26_000      # samples of stacked digits in most papers
NAMES = ("digits", "mnist")
COLUMNS, PAIRS = 10, 20  # of each half of the picture


class Evaluation(NamedTuple):
    """What `evaluate` found, and where it wrote it."""

    passed: bool | None  # None: nothing of it has a bound
    lines: list[str]  # the report, for people
    record: Path      # evaluation.json
    picture: Path     # evaluation.png


def evaluate(run: str | os.PathLike[str], n: int | None = None, seed: int = 0, raw: bool = False,
             bounds: Mapping[str, float] | None = None) -> Evaluation:
    """Run the digit test (`minigan.metrics.digits`) on n samples of a run of MNIST digits, or count
    the modes (`minigan.metrics.stacked`) of a run of stacked ones.

    Writes evaluation.json and evaluation.png, samples with their nearest training digits or how
    often each mode came, into the run folder, or beside the checkpoint file. Everything it compares
    with is in the package. Stopped while it counts modes, it goes on from there the next time.

    run: a run folder or a checkpoint file. n: by default 5,000, the digit test's, or 26,000 stacked
    ones, as in papers. seed: of the samples. raw: the generator's own weights,
    where the model also keeps their moving average. bounds: by a row's name, in place of the
    test's own. Conditional models are asked for all digits in turn.

    Raises:
        FileNotFoundError, ValueError: as `load`; the model makes no MNIST digits, or starts from
            training images, so that it could not but copy; too few samples; an unknown bound.
    """
    run = user_path(run)
    trained, folder = load(run), run if run.is_dir() else run.parent
    model, config = trained.model, trained.config
    stacked = config["data"] in BASES
    _check(trained, stacked)
    if stacked and bounds:
        raise ValueError("bounds: those of the digit test, and modes of stacked digits have none")
    n = n or (STACKED_N if stacked else FLOORS_N)
    weights = "own weights" if raw or model.ema is None else "moving average"
    what = (f"{config['model']} {config['preset']} trained on {config['data']}, step "
            f"{config['step']:,}: {n:,} samples of the generator's {weights}, seed {seed}")
    passed, lines, figures, drawn = (_modes(trained, folder, n, seed, raw, what) if stacked else
                                     _digits(trained, n, seed, raw, bounds, what))
    record, picture = folder / "evaluation.json", folder / "evaluation.png"
    plot.save(drawn, picture)
    files.write(record, json.dumps({
        "minigan": config["minigan"], "model": config["model"], "preset": config["preset"],
        "data": config["data"], "step": config["step"], "weights": weights, "n": n,
        "seed": seed, **figures}, indent=1).encode())
    if stacked:
        forget(folder)
    return Evaluation(passed, [what, *lines], record, picture)


Found = tuple[bool | None, list[str], dict[str, Any], Any]  # verdict, text, for JSON, Figure


def _digits(trained: Loaded, n: int, seed: int, raw: bool, bounds: Mapping[str, float] | None,
            what: str) -> Found:
    from minigan.metrics.digits import digit_test
    images, model = trained.sample(n, seed=seed, raw=raw), trained.model
    labels = np.arange(n) % model.n_classes if model.conditional else None
    digits = data.load("digits")
    result = digit_test(images, digits.images, labels, bounds)
    lines = [*result.lines(),
             "floor: what 5,000 other test digits get"
             + ("" if n == FLOORS_N else f", not {n:,}: some numbers depend on how many"),
             "the digit test is passed" if result.passed else
             f"the digit test fails at {', '.join(result.failed)}"]
    figures = {"split": "compared with MNIST test digits; copies of the package's 5,000 training "
               "digits", **result.record()}
    return result.passed, lines, figures, _picture(images, digits, result, what)


def _modes(trained: Loaded, folder: Path, n: int, seed: int, raw: bool, what: str) -> Found:
    from minigan.metrics.stacked import real_counts
    counts = count(trained, folder, n, seed, raw)
    floor = real_counts(data.load("digits").images, n, seed)
    lines, figures = report(counts, floor)
    first = next(trained.blocks(n, seed=seed, raw=raw))
    return None, lines, figures, picture_of_counts(first, counts, what)


def _check(trained: Loaded, stacked: bool) -> None:
    model, name = trained.model, trained.config["data"]
    if model.shape != (28, 28, 3 if stacked else 1) or not (stacked or name in NAMES):
        what = "judges count modes of stacked digits of 28x28x3" if stacked else (
            "digit test judges MNIST digits of 28x28x1")
        height, width, channels = model.shape
        raise ValueError(f"run: the {what}; this run was trained on {name}, "
                         f"{height}x{width}x{channels}")
    if type(model).inputs_from is not Model.inputs_from:
        raise ValueError(f"run: {model.name} starts from training images; the digit test, which "
                         f"looks for copies of them, says nothing about it, nor do modes")


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
