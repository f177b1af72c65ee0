"""Training one seed of a plan, with a look now and then, and counting what is seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Iterator

import numpy as np

from minigan.data.points import SwissRoll
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


def watch(plan: Plan, seed: int) -> Iterator[Moment]:
    """Train one seed; what there is to see at each of `LOOKS`, of which the last is the end.

    Raises:
        FloatingPointError: a loss is not finite any more.
    """
    (protocol, game), steps = plan.terms, plan.steps
    assert steps is not None
    data, player = plan.data, Player(protocol, game, steps, seed)
    batch = protocol.batch * game.packing
    z = player.latent(Stream(seed, "evaluation"), protocol.samples)
    at = {max(1, round(share * steps)) for share in LOOKS}
    with Progress(0, steps, f"{plan.name}, seed {seed}") as bar, np.errstate(all="ignore"):
        for step in range(1, steps + 1):
            losses = player.step(data.sample(player.streams["data"], batch))
            bar.advance()
            if step % SHOW_EVERY == 0 or step in at:
                numbers = {name: loss.item() for name, loss in losses.items()}
                if not all(map(math.isfinite, numbers.values())):
                    raise FloatingPointError(f"{plan.name}, seed {seed}: at step {step:,} the "
                                             f"losses are {numbers}; nothing comes after that")
                bar.show(numbers)
            if step in at:
                points = player.sample(z)
                yield Moment(step, points, score(points, data),
                             levels(player.levels, limit_of(data)))


def score(points: np.ndarray, data: Points) -> ModeScores:
    """Count samples of one of the sets; the swiss roll by parts of it."""
    from minigan.metrics.modes import curve_scores, mode_scores
    if isinstance(data, SwissRoll):
        along = (np.arange(1000, dtype=np.float32) + np.float32(0.5)) / np.float32(1000)
        return curve_scores(points, data.curve(along), data.sigma)
    return mode_scores(points, data.centres, data.sigma)


def floor(plan: Plan) -> ModeScores:
    """What as many real points score."""
    return score(plan.data.sample(Stream(0, "floor"), plan.terms[0].samples), plan.data)
