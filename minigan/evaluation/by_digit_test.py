"""The digit test of a run that was trained on MNIST digits."""

from __future__ import annotations

import numpy as np

from minigan import data, plot
from minigan.evaluation.judgement import PAIRS, Judgement, Request, beside_nearest
from minigan.runs.trained import Loaded

FLOORS_N = 5_000  # samples from which the digit test's floors were computed


def judge_digits(trained: Loaded, request: Request) -> Judgement:
    """The digit test of n samples; conditional models are asked for all digits in turn.

    Raises:
        ValueError: too few samples, or an unknown bound.
    """
    from minigan.metrics.digits import LEAST, digit_test
    n = request.n
    if n < LEAST:
        raise ValueError(f"n: the digit test needs {LEAST} samples or more, got {n}")

    model = trained.model
    images = trained.sample(n, seed=request.seed, raw=request.raw)
    labels = np.arange(n) % model.n_classes if model.conditional else None
    digits = data.load("digits")
    result = digit_test(images, digits.images, labels, request.bounds)

    remark = "" if n == FLOORS_N else f", not {n:,}: some numbers depend on how many"
    if result.passed:
        verdict = "the digit test is passed"
    else:
        verdict = f"the digit test fails at {', '.join(result.failed)}"
    lines = [*result.lines(), f"floor: what 5,000 other test digits get{remark}", verdict]
    figures = {
        "split": "compared with MNIST test digits; copies of the package's 5,000 training digits",
        **result.record(),
    }

    assert digits.labels is not None
    first = np.arange(PAIRS)
    closest = nearest_by_class(result.distances, digits.labels[result.nearest])[:PAIRS]
    picture = plot.strip(
        [beside_nearest(images, digits.images, result.nearest, chosen)
         for chosen in (first, closest)],
        ["the first samples; below each its nearest training digit",
         "of all samples the two nearest to a training 0, to a training 1, ..."],
        request.title,
        "A sample that differs from its training digit by noise or by a pixel's shift is a copy.",
        height=2.6)
    return Judgement(result.passed, lines, figures, picture)


def nearest_by_class(distances: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Indices (N,): the nearest of each class, in the order of the classes, then the second nearest
    of each, and so on.

    distances: (N,), of samples to training images. classes: of these images, integers (N,).
    """
    order = np.lexsort((distances, classes))
    ordered = classes[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)  # within its class
    return order[np.lexsort((ordered, rank))]
