"""Training that fails in a known way: what it looks like, and what helps."""

from __future__ import annotations

import math
import numpy as np

from minigan.data import Images

D_WINS = 0.02          # if D's loss stays below this, G learns nothing more
D_WINS_READINGS = 50   # readings in a row that count as staying
EXPLODED = 1e5         # losses of healthy runs stay far below it: those of WGANs are 10 to 1,000
ALIKE = 0.1            # samples are one image if their spread is less than this share of the data's
ALIKE_IN_SHAPE = 0.1   # the same for 1 - correlation: one image at different strengths
ALIKE_PICTURES = 2     # sample grids in a row that must be alike
ALIKE_FROM_STEP = 300  # before, an untrained G draws much the same from all latents
ENOUGH = 1000          # images of a data set that tell how different its images are


class Watch:
    """Watches losses and samples, and says once for each kind of failure what to do.

    data: the images of the training. columns: of the sample grids; samples are compared within a
    column, which holds images of one label. With one column, all samples are compared.
    """

    def __init__(self, data: Images, columns: int = 1) -> None:
        self.columns = columns
        self.wins = 0                # readings in a row in which D has won
        self.alike = 0               # sample grids in a row that are alike
        self.said: set[str] = set()  # failures that advice has been given on
        groups = _groups(data, columns > 1)
        self.due = float(np.mean([spread(group) for group in groups]))
        self.due_likeness = float(np.mean([likeness(group) for group in groups]))

    def losses(self, metrics: dict[str, float]) -> str | None:
        """Advice on these losses, None if they need none. metrics: losses by name."""
        for name, value in metrics.items():
            if math.fabs(value) > EXPLODED and "explosion" not in self.said:
                self.said.add("explosion")
                return (f"{name} is {value:.3g}: the training has exploded, and what comes after "
                        f"that is noise. Start again with a lower learning rate, or with data and "
                        f"losses on a smaller scale")

        d_wins = metrics.get("d_loss", 1.0) < D_WINS
        self.wins = self.wins + 1 if d_wins else 0
        return self._once("D wins", self.wins >= D_WINS_READINGS, (
            f"D's loss has stayed below {D_WINS}: D tells real from generated images without "
            f"effort, and G can learn little from that. If the samples do not improve either, "
            f"lower the learning rate, give D less width or some dropout, or train wgan-gp, whose "
            f"critic cannot be too good"))

    def samples(self, step: int, images: np.ndarray | None) -> str | None:
        """Advice on the images of the fixed latents, None if they need none.

        images: uint8 (rows * columns, H, W, C); None if none could be drawn.
        """
        if images is None or step < ALIKE_FROM_STEP or not self.due:
            return None
        columns = [images[i::self.columns] for i in range(self.columns)]
        share = float(np.mean([spread(column) for column in columns])) / self.due
        alike = float(np.mean([likeness(column) for column in columns]))
        same_shape = 1 - alike < ALIKE_IN_SHAPE * (1 - self.due_likeness)
        collapsed = share < ALIKE or same_shape
        self.alike = self.alike + 1 if collapsed else 0

        if share < ALIKE:
            reason = f"they differ by {100 * share:.0f} % of what the data do"
        else:
            reason = (f"two of them have a correlation of {alike:.2f}, two of the data one of "
                      f"{self.due_likeness:.2f}")
        per_label = " a label" if self.columns > 1 else ""
        return self._once("collapse", self.alike >= ALIKE_PICTURES, (
            f"the samples have become almost one image{per_label}: {reason}. "
            f"G has collapsed and seldom recovers: start again with another --seed or a lower "
            f"learning rate, or train wgan-gp, which collapses least"))

    def _once(self, failure: str, seen: bool, advice: str) -> str | None:
        if not seen or failure in self.said:
            return None
        self.said.add(failure)
        return advice


def _groups(data: Images, by_label: bool) -> list[np.ndarray]:
    """The first images of a data set: those of each label, or all in one group."""
    images = data.images[:ENOUGH]
    if not by_label or data.labels is None:
        return [images]
    labels = data.labels[:ENOUGH]
    return [images[labels == label] for label in np.unique(labels)]


def spread(images: np.ndarray) -> float:
    """How different images are: the root of the mean variance of a pixel, in bytes."""
    return float(np.sqrt(np.var(images.astype(np.float32), axis=0).mean()))


def likeness(images: np.ndarray) -> float:
    """How alike images (N, H, W, C) are in shape: the mean correlation of two of them, up to 1.

    Correlations ignore brightness and contrast. Images of one colour have none and are left out; if
    fewer than two others are left, the result is 0.
    """
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1)
    varied = lengths > 0
    units = flat[varied] / lengths[varied, None]
    n = len(units)
    if n < 2:
        return 0.0
    together = float(np.sum(np.sum(units, axis=0) ** 2))  # of all pairs, each image with itself too
    return (together - n) / (n * (n - 1))
