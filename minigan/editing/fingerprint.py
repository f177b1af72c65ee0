"""Which generator a file belongs to: latents and directions mean nothing to another one.

A fingerprint is what a generator draws from a few fixed latents. Pictures are compared, not
weights: those of an exported file are rounded, and other processors round otherwise, which changes
no picture by much.
"""

from __future__ import annotations

import numpy as np

from minigan.editing.drawing import Drawing
from minigan.models.model import Model
from minigan.streams import Stream

PICTURES = 8
SIDE = 32        # pixels that are kept of a side, about
APART = 2.0      # grey levels between the pictures of two generators, at least


def fingerprint(model: Model) -> np.ndarray:
    """What the model draws from fixed latents, uint8 (8, h, w, C), every k-th pixel of each way.

    k is 1 for images of up to 63 pixels. Conditional models draw the labels in turn.

    Raises:
        ValueError: the model starts from images.
    """
    drawing = Drawing(model)
    images = drawing.pixels(*drawing.some(Stream(0, "fingerprint"), PICTURES))
    k = max(1, min(images.shape[1:3]) // SIDE)
    return np.ascontiguousarray(images[:, ::k, ::k])


def is_same(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two fingerprints are of one generator: its pictures differ by under 2 grey levels.

    Rounded weights make half a level. A run that was trained on is another generator.
    """
    if a.shape != b.shape or a.dtype != np.uint8 or b.dtype != np.uint8:  # files hold anything
        return False
    apart = np.abs(a.astype(np.int16) - b)
    return bool(apart.mean() < APART)


def check_same(what: str, given: np.ndarray, model: Model, writer: str = "minigan edit") -> None:
    """Check that a file belongs to this model. what: names the file in the error.

    given: the fingerprint in the file. writer: the command that makes such a file.

    Raises:
        ValueError: it belongs to another generator.
    """
    if not is_same(given, fingerprint(model)):
        raise ValueError(f"{what} belongs to another generator, or to this run before it was "
                         f"trained on; `{writer}` makes one for it as it is now")
