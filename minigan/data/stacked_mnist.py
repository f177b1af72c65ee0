"""Stacked MNIST: three digits as the colours of one picture, which makes a thousand modes.

Source: Metz et al. 2017, "Unrolled Generative Adversarial Networks", section 3.3.1, who drew them
at random; Srivastava et al. 2017, "VEEGAN", and Lin et al. 2018, "PacGAN", train on 128,000.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from minigan.data.images import Images, Lazy
from minigan.streams import Stream

CHANNELS = 3
COUNT = 128_000  # of the train part, as in VEEGAN and PacGAN
BASES = {"stacked-mnist": "mnist", "stacked-digits": "digits"}  # the sets that they are made of
PLACES = np.array([100, 10, 1])  # of red, green and blue in a label


class Stack(Lazy):
    """Pictures whose channels are other pictures; each is made when it is asked for.

    digits: uint8 (M, H, W, 1). chosen: integers (N, 3), the indices of the digits that are the red,
    green and blue of each picture. 128,000 stacked digits would be 301 MB; their indices are
    1.5 MB.
    """

    def __init__(self, digits: NDArray[np.uint8], chosen: NDArray[np.integer]) -> None:
        self.digits = digits[..., 0]                                        # (M, H, W)
        self.chosen = chosen.astype(np.int32)
        self.sources = (digits, self.chosen)
        self.shape = (len(chosen), *digits.shape[1:3], chosen.shape[1])

    def __getitem__(self, which: slice | NDArray[np.integer]) -> NDArray[np.uint8]:
        """Pictures of a slice or of integers (n,), uint8 (n, H, W, 3)."""
        planes = self.digits[self.chosen[which]]                            # (n, 3, H, W)
        return np.ascontiguousarray(np.moveaxis(planes, 1, -1))


def stack(digits: Images, n: int = COUNT, seed: int = 0, name: str = "stacked") -> Images:
    """n pictures of three digits each, drawn at random with replacement; label 100 r + 10 g + b.

    digits: grey pictures of ten classes, (M, H, W, 1). n: how many pictures, at least 1. seed: of
    the draw, which is the same on every machine. name: of the new set. Returns `Images` of
    (H, W, 3) with 1,000 classes, "000" to "999", whose pictures are made when they are asked for.

    Raises:
        ValueError: the digits have colours, no labels, or another number of classes; n below 1.
    """
    if digits.labels is None or digits.n_classes != 10 or digits.shape[2] != 1:
        raise ValueError(f"digits: expected grey pictures of 10 classes, got {digits!r}")
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"n must be a whole number of 1 or more, got {n!r}")
    stream = Stream(seed, f"stacked {digits.split}")
    chosen = stream.integers(len(digits), (int(n), CHANNELS))
    labels = digits.labels[chosen] @ PLACES
    classes = [f"{label:03}" for label in range(1000)]
    return Images(Stack(digits.images, chosen), labels, name, digits.split, classes=classes)
