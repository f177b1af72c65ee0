"""Training one seed of a plan, and counting its samples at some of its steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Iterator, Mapping

import numpy as np

from minigan.data.points import SwissRoll
from minigan.engine import Tensor
from minigan.streams import Stream
from minigan.system.progress import Progress
from minigan.toy.pictures import Moment, levels, limit_of
from minigan.toy.plan import Plan
from minigan.toy.player import Player
from minigan.toy.protocols import Points

if TYPE_CHECKING:  # the metrics are imported when something is counted: training needs none
    from minigan.metrics.modes import ModeScores

LOOKS = (0.02, 0.1, 0.3, 1.0)  # of the steps: when samples are counted and drawn
SHOW_EVERY = 100               # steps between two looks at the losses
ALONG = 1_000                  # points of the swiss roll's curve that samples are compared with


def watch(plan: Plan, seed: int) -> Iterator[Moment]:
    """Train one seed; yields what is to be shown at each of `LOOKS`, the last at the end.

    Raises:
        FloatingPointError: a loss is no longer finite.
    """
    protocol, game = plan.terms
    steps = plan.steps or protocol.steps
    data = plan.data
    player = Player(protocol, game, steps, seed)
    batch = protocol.batch * game.packing
    z = player.latent(Stream(seed, "evaluation"), protocol.samples)
    looks = {max(1, round(share * steps)) for share in LOOKS}

    title = f"{plan.name}, seed {seed}"
    with Progress(0, steps, title) as bar, np.errstate(all="ignore"):
        for step in range(1, steps + 1):
            losses = player.step(data.sample(player.streams["data"], batch))
            bar.advance()
            if step % SHOW_EVERY == 0 or step in looks:
                bar.show(_checked(losses, f"{title}: at step {step:,}"))
            if step in looks:
                points = player.sample(z)
                critic = levels(player.levels, limit_of(data))
                yield Moment(step, points, score(points, data), critic)


def _checked(losses: Mapping[str, Tensor], where: str) -> dict[str, float]:
    """The losses as numbers; raises a FloatingPointError if one is not finite."""
    numbers = {name: loss.item() for name, loss in losses.items()}
    if not all(map(math.isfinite, numbers.values())):
        raise FloatingPointError(f"{where} the losses are {numbers}; training cannot go on")
    return numbers


def score(points: np.ndarray, data: Points) -> ModeScores:
    """The scores of samples (N, 2) of one of the sets; the swiss roll is counted in parts."""
    from minigan.metrics.modes import curve_scores, mode_scores
    if isinstance(data, SwissRoll):
        middles = np.arange(ALONG, dtype=np.float32) + np.float32(0.5)
        along = middles / np.float32(ALONG)
        return curve_scores(points, data.curve(along), data.sigma)
    return mode_scores(points, data.centres, data.sigma)


def floor(plan: Plan) -> ModeScores:
    """The scores of as many real points."""
    protocol, _ = plan.terms
    points = plan.data.sample(Stream(0, "floor"), protocol.samples)
    return score(points, plan.data)
