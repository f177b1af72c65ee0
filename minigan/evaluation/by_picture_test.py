"""The picture test of a run: its samples compared with its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minigan import plot
from minigan.data import Images, load
from minigan.data.sets import SETS
from minigan.evaluation.judgement import COLUMNS, PAIRS, Judgement, Request, beside_nearest
from minigan.runs.trained import Loaded
from minigan.streams import Stream

if TYPE_CHECKING:  # the metrics are imported by the first evaluation: training needs none
    from matplotlib.figure import Figure

    from minigan.metrics.pictures import PictureTest, Real

VERDICTS = {  # by the parts that fail
    "": "neither copies nor a collapse were found; how good the pictures are, the distances tell "
        "beside their floor",
    "a": "the picture test fails: many samples are copies of training pictures",
    "b": "the picture test fails: the samples are too much alike",
    "ab": "the picture test fails: the samples are copies of few training pictures",
}


def judge_pictures(trained: Loaded, known: Images, request: Request) -> Judgement:
    """The picture test of n samples; for a model that starts from pictures, how far they are from
    the truth.

    known: the images that the run was trained on. Conditional models are asked for each class as
    often as it occurs among them.

    Raises:
        ValueError: too few samples; an unknown bound, or one for a model that starts from pictures.
    """
    if trained.model.starts_from_images():
        if request.bounds:
            raise ValueError("bounds: the test of a model that starts from pictures has none to "
                             "set")
        return _judge_translation(trained, known, request)
    from minigan.metrics.pictures import FEW, picture_test
    labels = _requested(trained, known, request)
    images = trained.sample(request.n, labels, request.seed, request.raw)
    unseen = _unseen(known)
    result = picture_test(images, _real(known), labels, _real(unseen) if unseen else None,
                          trained.class_names, request.bounds, request.seed)

    if unseen:
        split = "compared with the test part of the data"
    else:
        split = "compared with the training pictures, as there are no others"
    lines = [*result.lines(),
             f"floor: what other real pictures get; {split}",
             "every distance rewards copying: see the copy rows"]
    compared = min(len(images), len(unseen or known) // 2)
    if compared < FEW:
        lines.append(f"only {compared} samples could be compared with as many pictures: these "
                     f"numbers are noisy, and small differences mean nothing")
    lines.append(VERDICTS[result.failed])
    figures = {"test": "pictures", "split": split, **result.record()}
    picture = _picture(images, known, result, request.title)
    return Judgement(result.passed, lines, figures, picture)


def _real(images: Images) -> Real:
    from minigan.metrics.pictures import Real
    return Real(images.images, images.labels)


def _requested(trained: Loaded, known: Images, request: Request) -> np.ndarray | None:
    """Classes to ask for, int64 (n,), as often as in the data; None if the model takes none."""
    if not trained.model.conditional or known.labels is None:
        return None
    order = Stream(request.seed, "requests").permutation(len(known))
    chosen = order[np.arange(request.n) % len(known)]
    labels: np.ndarray = known.labels[chosen]
    return labels


def _unseen(known: Images) -> Images | None:
    """The test part of a known set; None if it is not on the disk, or there is none."""
    source = known.source
    if not source or source["name"] not in SETS or source["split"] != "train":
        return None
    test = source.copy()
    test["split"] = "test"
    try:
        return load(**test)
    except (OSError, ValueError):
        return None


def _picture(images: np.ndarray, known: Images, result: PictureTest, title: str) -> Figure:
    """Samples with the nearest training picture under each: the first ones, and the nearest."""
    count = min(PAIRS, len(result.nearest))
    first = np.arange(count)
    closest = np.argsort(result.distances, kind="stable")[:count]
    return plot.strip(
        [beside_nearest(images, known.images, result.nearest, chosen)
         for chosen in (first, closest)],
        ["the first samples; below each its nearest training picture",
         "of all samples the nearest to training pictures"],
        title,
        "A sample that differs from its training picture by noise or by a pixel's shift is a copy.",
        height=2.6)


# Models that start from pictures.

def _judge_translation(trained: Loaded, known: Images, request: Request) -> Judgement:
    """How far the pictures that a model makes of others are from the truth."""
    from minigan.metrics.translation import translation_test
    unseen = _unseen(known)
    given = unseen or known
    n = min(request.n, len(given))
    inputs, images, truth = trained.translated(n, request.seed, request.raw, given)
    result = translation_test(inputs, images, truth, unseen is None, request.seed)

    split = "pictures of the test part of the data" if unseen else "pictures of the training"
    if result.passed:
        verdict = "the samples are nearer to the truth than their inputs"
    else:
        verdict = "the picture test fails: the inputs themselves are nearer to the truth"
    lines = [*result.lines(), f"{n:,} {split}; floor: what other real pictures get", verdict]
    figures = {"test": "pictures", "split": split, **result.record()}

    columns = min(COLUMNS, n)
    rows = n // columns if n < 2 * COLUMNS else 2
    shown = [pictures[:rows * columns].reshape(rows, 1, columns, *known.shape)
             for pictures in (inputs, images, truth)]
    sheet = np.concatenate(shown, axis=1).reshape(-1, *known.shape)
    picture = plot.strip([plot.tile(sheet, columns)], ["the first ones: input, sample, truth"],
                         request.title, height=4.0)
    return Judgement(result.passed, lines, figures, picture)
