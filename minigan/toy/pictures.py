"""The picture of a toy run: samples over time, upon the level sets of the critic that judged them.

As figure 2 of Gulrajani et al. 2017, "Improved Training of Wasserstein GANs".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Sequence

import numpy as np

from minigan import plot
from minigan.streams import Stream
from minigan.system.console import plural
from minigan.toy.protocols import Points

if TYPE_CHECKING:
    from minigan.metrics.modes import ModeScores

SHOWN, CELLS = 1_000, 121  # points a panel, and values of the critic along each side


class Moment(NamedTuple):
    """What there is to see of a GAN after some step."""

    step: int
    points: np.ndarray        # samples (N, 2)
    scores: ModeScores
    levels: tuple[np.ndarray, np.ndarray, np.ndarray]  # x, y and the critic there, (H, W) each


def levels(critic: Callable[[np.ndarray, np.ndarray], np.ndarray], limit: float
           ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The critic's logits on a square from -limit to limit, at most as far from their median as
    nine tenths of them: its corners, where no points are, shall not take all the colours."""
    line = np.linspace(-limit, limit, CELLS, dtype=np.float32)
    xx, yy = np.meshgrid(line, line)
    zz = critic(xx, yy).astype(np.float64)  # float32 would miss the outermost level by rounding
    middle = np.median(zz)
    away = np.quantile(np.abs(zz - middle), 0.9)
    return xx, yy, np.clip(zz, middle - away, middle + away)


def limit_of(data: Points) -> float:
    """Half the side of a square that shows all of a set."""
    return 1.25 * float(np.abs(data.sample(Stream(0, "floor"), SHOWN)).max())


def picture(title: str, data: Points, moments: Sequence[Moment]) -> Any:
    """A panel a moment, and real points for comparison; a Figure."""
    counted, near = ("mode", "of a mode") if len(data.centres) else ("part", "of the roll")
    figure, axes = plot.panels(len(moments) + 1, 2.5, 3.3, title,
                               "Colours: the critic's level sets, blue where it is high. Dots: "
                               f"generated points; near: within 3 sigma {near}.")
    for ax, moment in zip(axes, moments):
        plot.level_sets(*moment.levels, moment.points[:SHOWN], f"step {moment.step:,}",
                        f"{plural(moment.scores.found, counted)}, {moment.scores.near:.0%} near",
                        on=ax)
    plot.scatter({"real": data.sample(Stream(0, "floor"), SHOWN)}, limit_of(data), "real points",
                 on=axes[-1])
    return figure
