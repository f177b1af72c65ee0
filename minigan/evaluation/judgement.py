"""What every test takes and returns, and the picture of samples that may be copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, NamedTuple

import numpy as np

from minigan import plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 10  # of each half of the picture
PAIRS = 20    # samples in each half


class Request(NamedTuple):
    """Which samples of a run to judge, and against which bounds."""

    n: int       # samples
    seed: int    # of the samples
    raw: bool    # use the generator's own weights where the model also keeps their moving average
    bounds: Mapping[str, float] | None  # by a row's name, in place of the test's own
    title: str   # a line that says all of this


class Judgement(NamedTuple):
    """The result of a test."""

    passed: bool | None      # None: no number in it has a bound
    lines: list[str]         # for people
    figures: dict[str, Any]  # for evaluation.json
    picture: Figure


def beside_nearest(samples: np.ndarray, training: np.ndarray, nearest: np.ndarray,
                   chosen: np.ndarray) -> np.ndarray:
    """One picture of the chosen samples, with the nearest training picture below each.

    samples: uint8 (N, H, W, C). training: uint8 (M, H, W, C). nearest: indices into it, integers
    (N,). chosen: indices of samples, integers (n,); an incomplete last row of COLUMNS is left out.
    Returns uint8 (height, width, C).
    """
    columns = min(COLUMNS, len(chosen))
    shown = chosen[:len(chosen) // columns * columns]
    both = np.stack([samples[shown], training[nearest[shown]]])     # (2, shown, H, W, C)
    image = samples.shape[1:]
    rows = both.reshape(2, -1, columns, *image).swapaxes(0, 1)      # (row, 2, column, H, W, C)
    return plot.tile(rows.reshape(-1, *image), columns)
