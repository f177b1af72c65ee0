"""What is asked of a test, what it answers, and the picture of samples that may be copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, NamedTuple

import numpy as np

from minigan import plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 10  # of each half of the picture
PAIRS = 20    # samples in each half


class Request(NamedTuple):
    """What to judge a run by."""

    n: int       # samples
    seed: int    # of the samples
    raw: bool    # the generator's own weights, where the model also keeps their moving average
    bounds: Mapping[str, float] | None  # by a row's name, in place of the test's own
    title: str   # a line that says all of this


class Judgement(NamedTuple):
    """What a test found."""

    passed: bool | None      # None: nothing of it has a bound
    lines: list[str]         # for people
    figures: dict[str, Any]  # for evaluation.json
    picture: Figure


def beside_nearest(samples: np.ndarray, training: np.ndarray, nearest: np.ndarray,
                   chosen: np.ndarray) -> np.ndarray:
    """One picture of the chosen samples, with the nearest training picture below each.

    samples: u8 (N, H, W, C). training: u8 (M, H, W, C). nearest: indices into it, integers (N,).
    chosen: which samples, integers; whole rows of COLUMNS, or one row of fewer.
    """
    columns = min(COLUMNS, len(chosen))
    shown = chosen[:len(chosen) // columns * columns]
    both = np.stack([samples[shown], training[nearest[shown]]])     # (2, shown, H, W, C)
    image = samples.shape[1:]
    rows = both.reshape(2, -1, columns, *image).swapaxes(0, 1)      # (row, 2, column, H, W, C)
    return plot.tile(rows.reshape(-1, *image), columns)
