"""How good a trained model's samples are, as text, JSON and a picture.

Of MNIST digits the digit test (`minigan.metrics.digits`), of stacked ones the modes (`stacked`), of
any other pictures the picture test (`minigan.metrics.pictures`).

    print("\\n".join(evaluate("runs/gan-001").lines))
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple

import numpy as np

from minigan import data, plot
from minigan.data.places import last_part
from minigan.data.stacked_mnist import BASES
from minigan.evaluation.judging import judge, nearest_by_class
from minigan.evaluation.mode_count import count, forget, picture_of_counts, report
from minigan.models.model import Model
from minigan.models.rebuilding import Maker
from minigan.runs.classes import as_trained
from minigan.runs.saved import check_data
from minigan.runs.trained import Loaded, load, load_data
from minigan.system import files

if TYPE_CHECKING:  # the metrics are imported when somebody evaluates: training needs none
    from minigan.metrics.digits import DigitTest

FLOORS_N = 5_000        # samples that the digit test's floors are of
STACKED_N = 26_000      # samples of stacked digits in most papers
PICTURES_N = 2_000      # samples of other pictures
NAMES = ("digits", "mnist")
COLUMNS, PAIRS = 10, 20  # of each half of the picture


class Evaluation(NamedTuple):
    """What `evaluate` found, and where it wrote it."""

    passed: bool | None  # None: nothing of it has a bound
    lines: list[str]  # the report, for people
    record: Path      # evaluation.json
    picture: Path     # evaluation.png


def evaluate(run: str | os.PathLike[str], n: int | None = None, seed: int = 0, raw: bool = False,
             bounds: Mapping[str, float] | None = None, images: data.Images | None = None,
             data_dir: str | os.PathLike[str] | None = None, model: Maker | None = None
             ) -> Evaluation:
    """Judge n samples of a run: by the digit test where it was trained on MNIST digits of 28x28, by
    the modes that it finds (`minigan.metrics.stacked_modes`) on stacked ones of 28x28, else by the
    picture test (`minigan.metrics.pictures`).

    Writes evaluation.json and evaluation.png, samples with their nearest training pictures or how
    often each mode came, into the run folder, or beside the checkpoint file. What digits are
    compared with is in the package; other pictures are compared with the run's own data, and with
    the test part of a known set where that is here. A model that starts from pictures is judged by
    how far what it makes of them is from the truth. Stopped while it counts modes, it goes on from
    there the next time.

    run: a run folder or a checkpoint file. n: by default 5,000 digits, 26,000 stacked ones, as in
    papers, 2,000 of other pictures. seed: of the samples. raw: the generator's own weights,
    where the model also keeps their moving average. bounds: by a row's name, in place of the
    test's own. images: what the run was trained on, where `minigan.data.load` cannot find it again;
    data_dir: where it shall look, if not where it did. model: as in `load`. Conditional models are
    asked for all digits in turn, or for classes as they come in the data.

    Raises:
        FileNotFoundError, ValueError: as `load`; the data are not here, or not those of the run;
            too few samples; an unknown bound.
    """
    run = files.user_path(run)
    trained, folder = load(run, model), run if run.is_dir() else run.parent
    generator, config = trained.model, trained.config
    kind = _kind(trained)
    if kind == "stacked" and bounds:
        raise ValueError("bounds: those of the digit test, and modes of stacked digits have none")
    n = n or {"stacked": STACKED_N, "digits": FLOORS_N, "pictures": PICTURES_N}[kind]
    weights = "own weights" if raw or generator.ema is None else "moving average"
    named = last_part(config["data"])
    what = (f"{config['model']} {config['preset']} trained on {named}, step "
            f"{config['step']:,}: {n:,} samples of the generator's {weights}, seed {seed}")
    if kind == "stacked":
        passed, lines, figures, drawn = _modes(trained, folder, n, seed, raw, what)
    elif kind == "digits":
        passed, lines, figures, drawn = _digits(trained, n, seed, raw, bounds, what)
    else:
        known = _training(trained, images, data_dir)
        passed, lines, figures, drawn = judge(trained, known, n, seed, raw, bounds, what)
    record, picture = folder / "evaluation.json", folder / "evaluation.png"
    plot.save(drawn, picture)
    files.write(record, json.dumps({
        "minigan": config["minigan"], "model": config["model"], "preset": config["preset"],
        "data": named, "step": config["step"], "weights": weights, "n": n,
        "seed": seed, **figures, "lines": [what, *lines]}, indent=1).encode())
    if kind == "stacked":
        forget(folder)
    return Evaluation(passed, [what, *lines], record, picture)


def _kind(trained: Loaded) -> str:
    """Which test is a run's: "digits", "stacked" or "pictures"."""
    model, config = trained.model, trained.config
    source = config["source"]
    name = source["name"] if source else config["data"]
    starts_from_images = type(model).inputs_from is not Model.inputs_from
    if name in BASES and model.shape == (28, 28, 3) and not starts_from_images:
        return "stacked"
    if name in NAMES and model.shape == (28, 28, 1) and not starts_from_images:
        return "digits"
    return "pictures"


def _training(trained: Loaded, images: data.Images | None,
              data_dir: str | os.PathLike[str] | None) -> data.Images:
    """What a run was trained on, again."""
    config = trained.config
    if images is None and not config["source"]:
        raise ValueError(f"images: the run was trained on pictures that were made in Python, "
                         f"{config['data']!r}; minigan.training.evaluate(RUN, images=...) takes "
                         f"them")
    found = load_data(config, data_dir) if images is None else as_trained(images, config)
    if "data_crc32" in config:
        check_data(found, config)
    return found


Found = tuple[bool | None, list[str], dict[str, Any], Any]  # verdict, text, for JSON, Figure


def _digits(trained: Loaded, n: int, seed: int, raw: bool, bounds: Mapping[str, float] | None,
            what: str) -> Found:
    from minigan.metrics.digits import LEAST, digit_test
    if n < LEAST:
        raise ValueError(f"n: the digit test needs {LEAST} samples or more, got {n}")
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
    from minigan.metrics.stacked_modes import real_counts
    counts = count(trained, folder, n, seed, raw)
    floor = real_counts(data.load("digits").images, n, seed)
    lines, figures = report(counts, floor)
    first = next(trained.blocks(n, seed=seed, raw=raw))
    return None, lines, figures, picture_of_counts(first, counts, what)


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
