"""The picture test of a run: its samples beside its data, as text, for JSON, and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

import numpy as np

from minigan import data, plot
from minigan.data.sets import SETS
from minigan.models.model import Model
from minigan.runs.trained import Loaded

if TYPE_CHECKING:  # the metrics are imported when somebody evaluates: training needs none
    from minigan.metrics.pictures import PictureTest, Real

COLUMNS, PAIRS = 10, 20  # of each half of the picture
Found = tuple["bool | None", "list[str]", "dict[str, Any]", Any]  # verdict, text, JSON, Figure


def judge(trained: Loaded, known: data.Images, n: int, seed: int, raw: bool,
          bounds: Mapping[str, float] | None, what: str) -> Found:
    """The picture test of n samples.

    known: what the run was trained on. bounds, what: see `evaluate`; the first of its lines.
    """
    if type(trained.model).inputs_from is not Model.inputs_from:
        if bounds:
            raise ValueError("bounds: those of tests of samples, and a model that starts from "
                             "pictures has none")
        return _translation(trained, known, n, seed, raw, what)
    from minigan.metrics.pictures import FEW, picture_test
    labels = _labels(trained, known, n, seed)
    images = trained.sample(n, labels, seed, raw)
    unseen = _unseen(known)
    result = picture_test(images, _real(known), labels,
                          None if unseen is None else _real(unseen), trained.class_names, bounds,
                          seed)
    split = ("compared with the test part of the data" if unseen else
             "compared with the training pictures, as there are no others")
    compared = min(len(images), len(unseen or known) // 2)
    lines = [*result.lines(), f"floor: what other real pictures get; {split}",
             "every distance rewards copying: see the copy rows"]
    if compared < FEW:
        lines.append(f"only {compared} samples could be compared with as many pictures: these "
                     f"numbers are noisy, and small differences mean nothing")
    lines.append(VERDICTS[result.failed])
    return (result.passed, lines, {"test": "pictures", "split": split, **result.record()},
            _picture(images, known, result, what))


VERDICTS = {
    "": "neither copies nor a collapse were found; how good the pictures are, the distances tell "
        "beside their floor",
    "a": "the picture test fails: many samples are copies of training pictures",
    "b": "the picture test fails: the samples are too much alike",
    "ab": "the picture test fails: the samples are copies of few training pictures",
}


def _real(images: data.Images) -> Real:
    from minigan.metrics.pictures import Real
    return Real(images.images, images.labels)


def _labels(trained: Loaded, known: data.Images, n: int, seed: int) -> np.ndarray | None:
    """Classes to ask for, as often as they come in the data; None if the model takes none."""
    if not trained.model.conditional or known.labels is None:
        return None
    from minigan.streams import Stream
    order = Stream(seed, "requests").permutation(len(known))
    chosen: np.ndarray = known.labels[order[np.arange(n) % len(known)]]
    return chosen


def _unseen(known: data.Images) -> data.Images | None:
    """The test part of a known set, where it is here."""
    source = known.source
    if not source or source["name"] not in SETS or source["split"] != "train":
        return None
    try:
        return data.load(**{**source, "split": "test"})
    except (OSError, ValueError):
        return None


def _picture(images: np.ndarray, known: data.Images, result: PictureTest, title: str) -> Any:
    """Samples with the nearest training picture under each: the first ones, and the nearest."""
    def pairs(chosen: np.ndarray) -> np.ndarray:
        both = np.stack([images[chosen], known.images[result.nearest[chosen]]])
        columns = min(COLUMNS, len(chosen))
        both = both[:, :len(chosen) // columns * columns]
        rows = both.reshape(2, -1, columns, *known.shape).swapaxes(0, 1)  # (row, 2, column, ...)
        return plot.tile(rows.reshape(-1, *known.shape), columns)

    count = min(PAIRS, len(result.nearest))
    order = np.argsort(result.distances, kind="stable")
    return plot.strip(
        [pairs(np.arange(count)), pairs(order[:count])],
        ["the first samples; below each its nearest training picture",
         "of all samples the nearest to training pictures"],
        title, "A sample that differs from its training picture by noise or by a pixel's shift is "
        "a copy.", height=2.6)


def nearest_by_class(distances: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Indices of the nearest of each class, by class, then of the second of each, and so on.

    distances: (N,); classes: of the training images that they lead to, integers (N,).
    """
    order = np.lexsort((distances, classes))
    ordered = classes[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)  # within its class
    return order[np.lexsort((ordered, rank))]


# ---------------------------------------------------------------- models that start from pictures

def _translation(trained: Loaded, known: data.Images, n: int, seed: int, raw: bool, what: str
                 ) -> Found:
    from minigan.metrics.translation import translation_test
    unseen = _unseen(known)
    given = unseen or known
    n = min(n, len(given))
    inputs, images, truth = trained.translated(n, seed, raw, given)
    result = translation_test(inputs, images, truth, unseen is None, seed)
    split = "pictures of the test part of the data" if unseen else "pictures of the training"
    lines = [*result.lines(), f"{n:,} {split}; floor: what other real pictures get",
             "the samples are nearer to the truth than their inputs" if result.passed else
             "the picture test fails: the inputs themselves are nearer to the truth"]
    columns = min(COLUMNS, n)
    rows = n // columns if n < 2 * COLUMNS else 2
    shown = [part[:rows * columns].reshape(rows, 1, columns, *known.shape)
             for part in (inputs, images, truth)]
    sheet = np.concatenate(shown, axis=1).reshape(-1, *known.shape)
    drawn = plot.strip([plot.tile(sheet, columns)], ["the first ones: input, sample, truth"], what,
                       height=4.0)
    return result.passed, lines, {"test": "pictures", "split": split, **result.record()}, drawn
