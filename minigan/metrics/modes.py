"""Points in the plane against a mixture: does a generator find every mode, and only modes?

The field reports the modes found and the share of samples near one. A bad generator does well in
both: eight points score 8 of 8 and 100 %, and so does a generator that puts 93 % of its samples on
one mode. So three more numbers are reported here, with bounds, and for every number what real
points get.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from minigan.metrics.distances import vectors

NEAR = 3.0  # standard deviations from a centre within which a sample counts as that mode's
# Half of the points of a Gaussian of deviation 1 are nearer to its middle than this.
HALF_IN_PLANE = math.sqrt(2 * math.log(2))
HALF_ON_LINE = 0.67449

MAX_REVERSE_KL = 0.1
MIN_LEAST_SHARE = 1 / 3
DEVIATIONS = (0.5, 2.0)


class ModeScores(NamedTuple):
    """What `mode_scores` counts."""

    modes: int          # in the mixture
    found: int          # modes with one near sample or more
    near: float         # share of samples within 3 sigma of a mode
    reverse_kl: float   # of the generator's shares of the modes from equal ones, in nats
    least_share: float  # of the mode with the fewest near samples, over its due 1 / modes
    deviation: float    # of samples within their mode, over sigma

    @property
    def failed(self) -> list[str]:
        """The names of the fields that are out of bounds; none if the test is passed."""
        low, high = DEVIATIONS
        passed = {
            "found": self.found == self.modes,
            "reverse_kl": self.reverse_kl <= MAX_REVERSE_KL,
            "least_share": self.least_share >= MIN_LEAST_SHARE,
            "deviation": low <= self.deviation <= high,
        }
        return [name for name, kept in passed.items() if not kept]


def mode_scores(points: np.ndarray, centres: np.ndarray, sigma: float) -> ModeScores:
    """Count samples of a mixture of equally likely Gaussians of deviation `sigma`.

    points: (N, 2); centres: (modes, 2). The counting rule of VEEGAN and of PacGAN's code: a sample
    belongs to the mode whose centre is nearest, it is near if that is within 3 sigma (98.9 % of
    real points are), and a mode is found if one sample or more is near it.

        reverse KL = sum over modes of q log(q * modes),  q = the mode's share of all samples

    deviation: the median distance of samples from the middle of all samples of their mode (the
    median of each coordinate), over 1.177 sigma, so that it is 1 for real points. The standard
    deviation of the near samples could never be far too large, as they are within 3 sigma by
    definition, and that of all samples would mostly measure the few between two modes.

    Source: Srivastava et al. 2017, "VEEGAN", section 4.1; Lin et al. 2018, "PacGAN", section 4.1.

    Raises:
        ValueError: no points or no centres, or values that are not finite.
    """
    points = vectors("points", points)
    centres = vectors("centres", centres)
    distances = np.linalg.norm(points[:, None] - centres, axis=2)              # (N, modes)
    mode_of = distances.argmin(axis=1)                                         # (N,)
    is_near = distances.min(axis=1) <= NEAR * sigma                            # (N,)

    middles = np.zeros_like(centres)
    for mode in np.unique(mode_of):
        middles[mode] = np.median(points[mode_of == mode], axis=0)
    from_middle = np.linalg.norm(points - middles[mode_of], axis=1)            # (N,)
    deviation = float(np.median(from_middle)) / (HALF_IN_PLANE * sigma)
    return _scores(mode_of, is_near, len(centres), deviation)


def curve_scores(points: np.ndarray, curve: np.ndarray, sigma: float, parts: int = 20
                 ) -> ModeScores:
    """The same for noise around a curve, which has no modes: equal parts of it take their place.

    points: (N, 2); curve: (M, 2), points at equal steps along it, closer than sigma; a sample
    belongs to the part that holds the nearest of them. deviation: the median distance from the
    curve, over 0.674 sigma.

    Raises:
        ValueError: no points, fewer than `parts` of the curve, or values that are not finite.
    """
    points = vectors("points", points)
    curve = vectors("curve", curve, parts)
    distances = np.linalg.norm(points[:, None] - curve, axis=2)                # (N, M)
    from_curve = distances.min(axis=1)                                         # (N,)
    part_of = distances.argmin(axis=1) * parts // len(curve)                   # (N,)
    deviation = float(np.median(from_curve)) / (HALF_ON_LINE * sigma)
    return _scores(part_of, from_curve <= NEAR * sigma, parts, deviation)


def reverse_kl(counts: np.ndarray) -> float:
    """KL(q || equal shares) = sum over modes of q log(q * modes), in nats; q: the modes' shares.

    0 for equal counts, log(modes) for a single mode. counts: integers (modes,), not all 0.
    """
    modes = len(counts)
    q = counts[counts > 0] / counts.sum()
    divergence = (q * np.log(q * modes)).sum()
    return max(0.0, float(divergence))  # equal shares, rounded, may be below 0


def _scores(mode_of: np.ndarray, is_near: np.ndarray, modes: int, deviation: float) -> ModeScores:
    """The scores from each sample's mode (N,), and whether it is near that mode (N,)."""
    counts = np.bincount(mode_of, minlength=modes)
    near_shares = np.bincount(mode_of[is_near], minlength=modes) / len(mode_of)
    return ModeScores(
        modes=modes,
        found=int((near_shares > 0).sum()),
        near=float(is_near.mean()),
        reverse_kl=reverse_kl(counts),
        least_share=float(near_shares.min()) * modes,
        deviation=deviation)
