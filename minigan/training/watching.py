"""Training that fails in a known way: what it looks like, and what helps."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigan.data import Images

D_WINS = 0.02          # D's loss below this for so many readings in a row: G learns nothing more
D_WINS_READINGS = 50
ALIKE = 0.1            # spread of the samples as a share of the data's: they are one image
ALIKE_PICTURES = 2     # so many in a row
ALIKE_FROM_STEP = 500  # an untrained G draws much the same from all latents
ENOUGH = 1000          # images tell how different a data set's images are


class Watch:
    """Looks at losses and samples as they come; says of each kind of failure once what to do.

    columns: samples come in so many columns, each of which is compared within itself: images of one
    label, or with one column everything.
    """

    def __init__(self, data: Images, columns: int = 1) -> None:
        self.columns = columns
        self.wins = self.alike = 0   # in a row, up to now
        self.said: set[str] = set()
        images, labels = data.images[:ENOUGH], None if data.labels is None else data.labels[:ENOUGH]
        groups = [images] if labels is None or columns == 1 else [
            images[labels == label] for label in np.unique(labels)]
        self.due = float(np.mean([spread(group) for group in groups]))

    def losses(self, metrics: dict[str, float]) -> str | None:
        """What to say about these losses, if anything."""
        self.wins = self.wins + 1 if metrics.get("d_loss", 1.0) < D_WINS else 0
        return self._once("D wins", self.wins >= D_WINS_READINGS, (
            f"D's loss has stayed below {D_WINS}: D tells real from generated images without "
            f"effort, and G can learn little from that. If the samples do not improve either, "
            f"lower the learning rate, give D less width or some dropout, or train wgan-gp, whose "
            f"critic cannot be too good"))

    def samples(self, step: int, images: np.ndarray) -> str | None:
        """What to say about the images u8 (rows * columns, H, W, C) of the fixed latents."""
        if step < ALIKE_FROM_STEP or not self.due:
            return None
        columns = [images[i::self.columns] for i in range(self.columns)]
        share = float(np.mean([spread(column) for column in columns])) / self.due
        self.alike = self.alike + 1 if share < ALIKE else 0
        return self._once("collapse", self.alike >= ALIKE_PICTURES, (
            f"the samples have become almost one image{' a label' * (self.columns > 1)}: they "
            f"differ by {100 * share:.0f} % of what the data do. G has collapsed and seldom "
            f"recovers: start again with another --seed or a lower learning rate, or train "
            f"wgan-gp, which collapses least"))

    def _once(self, kind: str, seen: bool, advice: str) -> str | None:
        if not seen or kind in self.said:
            return None
        self.said.add(kind)
        return advice


def spread(images: Any) -> float:
    """How different images are: the root of the mean variance of a pixel, in bytes."""
    return float(np.sqrt(np.var(images.astype(np.float32), axis=0).mean()))
