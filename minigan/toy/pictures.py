"""The picture of a toy run: samples over time, on the level sets of the critic that judged them.

As figure 2 of Gulrajani et al. 2017, "Improved Training of Wasserstein GANs".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple, Sequence

import numpy as np

from minigan import plot
from minigan.streams import Stream
from minigan.system.console import plural
from minigan.toy.protocols import Points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from minigan.metrics.modes import ModeScores

SHOWN = 1_000  # points a panel
CELLS = 121    # values of the critic along each side


class Levels(NamedTuple):
    """A critic on a square grid, (CELLS, CELLS) each."""

    x: np.ndarray
    y: np.ndarray
    logits: np.ndarray


class Moment(NamedTuple):
    """What is shown of a GAN after some step."""

    step: int
    points: np.ndarray  # samples (N, 2)
    scores: ModeScores
    levels: Levels


def levels(critic: Callable[[np.ndarray, np.ndarray], np.ndarray], limit: float) -> Levels:
    """The critic's logits on a square from -limit to limit.

    The tenth that is farthest from the median is clipped: otherwise the square's corners, where no
    points are, would take up all the colours.
    """
    line = np.linspace(-limit, limit, CELLS, dtype=np.float32)
    x, y = np.meshgrid(line, line)
    logits = critic(x, y).astype(np.float64)  # float32 would miss the outermost level by rounding
    middle = np.median(logits)
    away = np.quantile(np.abs(logits - middle), 0.9)
    return Levels(x, y, np.clip(logits, middle - away, middle + away))


def limit_of(data: Points) -> float:
    """Half the side of a square that shows all of a set."""
    return 1.25 * float(np.abs(_real_points(data)).max())


def picture(title: str, data: Points, moments: Sequence[Moment]) -> Figure:
    """One panel for each moment, and real points for comparison."""
    counted = "mode" if len(data.centres) else "part"
    of_what = "of a mode" if len(data.centres) else "of the roll"
    caption = (f"Colours: the critic's level sets, blue where it is high. Dots: generated points; "
               f"near: within 3 sigma {of_what}.")
    figure, axes = plot.panels(len(moments) + 1, 2.5, 3.3, title, caption)
    for ax, moment in zip(axes, moments):
        found = plural(moment.scores.found, counted)
        plot.level_sets(*moment.levels, moment.points[:SHOWN], f"step {moment.step:,}",
                        f"{found}, {moment.scores.near:.0%} near", on=ax)
    plot.scatter({"real": _real_points(data)}, limit_of(data), "real points", on=axes[-1])
    return figure


def _real_points(data: Points) -> np.ndarray:
    return data.sample(Stream(0, "floor"), SHOWN)
