"""Stacked digits: how many of a thousand modes a generator finds, and how evenly.

A judge of single digits looks at each colour of a picture; what it sees, 100 red + 10 green + blue,
is the picture's mode. The papers take the judge at its word, however unsure it is: by that rule,
pictures of specks have 19 modes for one judge and one for the other. So a third count is reported
next to those of the judges, that of pictures in which both judges name all three digits alike at
0.9 or more. The numbers depend on the classifier: compare them with the floor, which real digits
get, rather than with a paper's. They say nothing about how good the digits are, about copies, or
about variety within a mode: 1,000 pictures are enough for 1,000 modes.

Source: Metz et al. 2017, "Unrolled GAN", section 3.3.1; Srivastava et al. 2017, "VEEGAN"; Lin et
al. 2018, "PacGAN", whose code repeats the former with 25,600 samples and the latter with 26,000,
by one classifier without a threshold.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from minigan.metrics.classifier import SURE, recognised
from minigan.metrics.judges import ARCHITECTURES, probabilities
from minigan.metrics.modes import reverse_kl
from minigan.streams import Stream

N_MODES = 1000
CHANNELS = 3
N_PAPERS = 26_000  # samples of VEEGAN and PacGAN
PLACES = np.array([100, 10, 1])
RULES = {name: f"the {name} judge's word, as in papers" for name in ARCHITECTURES}
RULES["both"] = f"both judges alike, each digit at {SURE} or more"

# (method, modes, reverse KL in nats, where it was published): each with its own networks,
# classifier and length of training.
PUBLISHED = (
    ("DCGAN", 99, 3.40, "VEEGAN's table"),
    ("VEEGAN", 150, 2.95, "VEEGAN's table"),
    ("PacDCGAN2", 1000, 0.06, "PacGAN's table"),
    ("WGAN-GP", 959, 0.73, "R3GAN's table"),
    ("R3GAN", 1000, 0.029, "R3GAN's table"),
)


class ModeCount(NamedTuple):
    """What `mode_count` computes from the counts of one rule."""

    n: int        # samples that were counted
    found: int    # modes with one sample or more
    kl: float     # reverse KL from equal shares, in nats; NaN where nothing was counted


def mode_count(counts: np.ndarray) -> ModeCount:
    """Modes found and reverse KL, from the samples of each mode.

        KL(q || uniform) = sum over modes of q log(q * modes),  q = the mode's share

    It is 0 for equal counts and log(modes) for a single mode. n samples drawn evenly have about
    (modes - 1) / 2n, 0.019 for 26,000 and 1,000 modes: expect no generator to get less.

    counts: integers (modes,), none negative.

    Raises:
        ValueError: counts are not such integers.
    """
    counts = np.asarray(counts)
    if counts.ndim != 1 or not counts.size or counts.dtype.kind not in "iu" or counts.min() < 0:
        raise ValueError(f"counts: expected integers of 0 or more, (modes,), got {counts.dtype} "
                         f"{counts.shape}")
    n = int(counts.sum())
    found = int((counts > 0).sum())
    kl = reverse_kl(counts) if n else math.nan
    return ModeCount(n, found, kl)


def count_modes(images: np.ndarray) -> np.ndarray:
    """How many pictures are of each mode by each rule of `RULES`: int64 (3, 1000).

    images: uint8, or floats in [-1, 1], (N, 28, 28, 3).

    Raises:
        ValueError: another shape, or floats outside [-1, 1].
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[1:] != (28, 28, CHANNELS) or not len(images):
        raise ValueError(f"images: expected stacked digits (N, 28, 28, 3), got {images.shape}")
    planes = np.ascontiguousarray(np.moveaxis(images, -1, 1))              # (N, 3, 28, 28)
    digits = planes.reshape(-1, 28, 28, 1)                                 # (3 N, 28, 28, 1)
    return _counts(seen(digits).reshape(len(RULES), -1, CHANNELS))


def seen(digits: np.ndarray) -> np.ndarray:
    """The digit that each rule sees, int64 (3, N), -1 for none. digits: (N, 28, 28, 1)."""
    p = probabilities(digits)                                                 # (2, N, 10)
    alone = p.argmax(-1)                                                      # (2, N)
    both = recognised(p)                                                      # (N,)
    return np.concatenate([alone, both[None]])


def real_counts(digits: np.ndarray, n: int = N_PAPERS, seed: int = 0) -> np.ndarray:
    """The floor: `count_modes` of n pictures stacked at random from these digits, (M, 28, 28, 1).

    Each digit is judged once, however many pictures it is in.
    """
    chosen = Stream(seed, "real stacks").integers(len(digits), (n, CHANNELS))
    needed, index = np.unique(chosen, return_inverse=True)
    named = seen(digits[needed])                                              # (3, needed)
    return _counts(named[:, index.reshape(chosen.shape)])


def _counts(named: np.ndarray) -> np.ndarray:
    """Counts (rules, 1000) of digits (rules, N, 3); pictures with a -1 are not counted."""
    counts = []
    for of_rule in named:
        complete = of_rule[(of_rule >= 0).all(1)]                             # (n, 3)
        counts.append(np.bincount(complete @ PLACES, minlength=N_MODES))
    return np.stack(counts)
