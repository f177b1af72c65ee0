"""How good a trained model's samples are, as text, JSON and a picture.

MNIST digits are judged by the digit test (`minigan.metrics.digits`), stacked ones by their modes
(`minigan.metrics.stacked_modes`), any other pictures by the picture test
(`minigan.metrics.pictures`).

    print("\\n".join(evaluate("runs/gan-001").lines))
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Mapping, NamedTuple

from minigan import plot
from minigan.data import Images
from minigan.data.places import last_part
from minigan.data.stacked_mnist import BASES
from minigan.evaluation.by_digit_test import FLOORS_N, judge_digits
from minigan.evaluation.by_picture_test import judge_pictures
from minigan.evaluation.judgement import Request
from minigan.evaluation.mode_count import forget, judge_modes
from minigan.models.rebuilding import Maker
from minigan.runs.loading import load
from minigan.runs.trained import Loaded
from minigan.runs.training_data import as_trained, check_data, load_data
from minigan.system import files
from minigan.system.paths import user_path

STACKED_N = 26_000      # samples of stacked digits in most papers
PICTURES_N = 2_000      # samples of other pictures
USUAL_N = {"digits": FLOORS_N, "stacked": STACKED_N, "pictures": PICTURES_N}
NAMES = ("digits", "mnist")  # sets that the digit test is for


class Evaluation(NamedTuple):
    """The result of `evaluate`, and where it wrote it."""

    passed: bool | None  # None: no number in it has a bound
    lines: list[str]  # the report, for people
    record: Path      # evaluation.json
    picture: Path     # evaluation.png


def evaluate(run: str | os.PathLike[str], n: int | None = None, seed: int = 0, raw: bool = False,
             bounds: Mapping[str, float] | None = None, images: Images | None = None,
             data_dir: str | os.PathLike[str] | None = None, model: Maker | None = None
             ) -> Evaluation:
    """Judge n samples of a run: by the digit test if it was trained on MNIST digits of 28x28, by
    the modes that it finds (`minigan.metrics.stacked_modes`) if on stacked ones of 28x28, else by
    the picture test (`minigan.metrics.pictures`).

    Writes evaluation.json and evaluation.png into the run folder, or next to the checkpoint file;
    the picture shows samples with their nearest training pictures, or how often each mode came.
    Digits are compared with statistics in the package, other pictures with the run's own data and,
    for a known set, with its test part if that is on the disk. A model that starts from pictures is
    judged by how far its results are from the truth. Conditional models are asked for all digits in
    turn, or for each class as often as it occurs in the data. If counting modes is interrupted, the
    next call resumes it.

    run: a run folder or a checkpoint file. n: by default 5,000 digits, 26,000 stacked ones, as in
    papers, or 2,000 other pictures. seed: of the samples. raw: use the generator's own weights
    where the model also keeps their moving average. bounds: by a row's name, in place of the test's
    own. images: the run's training images, if `minigan.data.load` cannot find them again. data_dir:
    where their files are now, if not where they were. model: as in `load`.

    Raises:
        FileNotFoundError, ValueError: as `load`; or the data are not here, or are not those of the
            run; there are too few samples, or a bound is unknown.
    """
    run = user_path(run)
    folder = run if run.is_dir() else run.parent
    trained = load(run, model)
    test = _test_of(trained)
    if test == "stacked" and bounds:
        raise ValueError("bounds: counts of the modes of stacked digits have none to set")

    config = trained.config
    n = n or USUAL_N[test]
    weights = "own weights" if raw or trained.model.ema is None else "moving average"
    name = last_part(config.data)
    step = config["step"]
    title = (f"{config.model} {config.preset} trained on {name}, step {step:,}: {n:,} samples of "
             f"the generator's {weights}, seed {seed}")
    request = Request(n, seed, raw, bounds, title)
    if test == "stacked":
        judgement = judge_modes(trained, folder, request)
    elif test == "digits":
        judgement = judge_digits(trained, request)
    else:
        judgement = judge_pictures(trained, _training_images(trained, images, data_dir), request)

    lines = [title, *judgement.lines]
    content = {
        "minigan": config.minigan,
        "model": config.model,
        "preset": config.preset,
        "data": name,
        "step": step,
        "weights": weights,
        "n": n,
        "seed": seed,
        **judgement.figures,
        "lines": lines,
    }
    picture = folder / "evaluation.png"
    record = folder / "evaluation.json"
    plot.save(judgement.picture, picture)
    files.write(record, json.dumps(content, indent=1).encode())
    if test == "stacked":
        forget(folder)
    return Evaluation(judgement.passed, lines, record, picture)


def _test_of(trained: Loaded) -> str:
    """The test for a run: "digits", "stacked" or "pictures"."""
    model = trained.model
    source = trained.config.source
    name = source["name"] if source else trained.config.data
    if model.starts_from_images():
        return "pictures"
    if name in BASES and model.shape == (28, 28, 3):
        return "stacked"
    if name in NAMES and model.shape == (28, 28, 1):
        return "digits"
    return "pictures"


def _training_images(trained: Loaded, images: Images | None,
                     data_dir: str | os.PathLike[str] | None) -> Images:
    """The images that a run was trained on: the given ones, or loaded again; checked."""
    config = trained.config
    if images is None and not config.source:
        raise ValueError(f"images: the run was trained on pictures that were made in Python, "
                         f"{config.data!r}; minigan.training.evaluate(RUN, images=...) takes "
                         f"them")
    known = load_data(config, data_dir) if images is None else as_trained(images, config)
    if "data_crc32" in config:
        check_data(known, config)
    return known
