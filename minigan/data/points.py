"""Sets of points in the plane, drawn at random: the modes that a GAN finds can be counted.

    points = minigan.data.ring().sample(minigan.stream("data"), 128)        # float32 (128, 2)

Two protocols are in use, and their counts cannot be compared with each other:
- PacGAN's code, after VEEGAN: ring of radius 1, sigma 0.01; grid in steps of 2, sigma 0.05. A mode
  counts as found when a sample is within 3 sigma of it. Lin et al. 2018, "PacGAN: The power of two
  samples in generative adversarial networks". These are the defaults.
- WGAN-GP's code: ring of radius 2, sigma 0.02, over 1.414; grid in steps of 2, sigma 0.05, over
  2.828; swiss roll with noise 0.25, over 7.5: coordinates of variance 1, or nearly (0.82).
  Gulrajani et al. 2017, "Improved Training of Wasserstein GANs".
"""

from __future__ import annotations

import math
from typing import Any, Callable, Protocol

import numpy as np
from numpy.typing import NDArray

from minigan.backend.registry import get_backend


class Random(Protocol):
    """What points need of a random stream."""

    def integers(self, n: int, shape: tuple[int, ...], /) -> NDArray[np.int64]:
        """Whole numbers from 0 to n - 1."""

    def uniform(self, shape: tuple[int, ...], /, *, xp: Any) -> Any:
        """Uniform numbers in [0, 1), float32 on the device `xp`."""

    def normal(self, shape: tuple[int, ...], /, *, xp: Any) -> Any:
        """Standard normal numbers, float32 on the device `xp`."""


class Mixture:
    """Gaussians of equal weight and width; each is a mode.

    centres: (modes, 2), kept as float32. sigma: the standard deviation of each coordinate around a
    centre.

    Raises:
        ValueError: centres of another shape, or a sigma that is not above 0.
    """

    def __init__(self, centres: Any, sigma: float) -> None:
        self.centres = np.asarray(centres, np.float32)
        if self.centres.ndim != 2 or self.centres.shape[1] != 2 or not len(self.centres):
            raise ValueError(f"centres: expected (modes, 2), got {self.centres.shape}")
        if not 0 < sigma < math.inf:
            raise ValueError(f"sigma: {sigma}, expected a number above 0")
        self.sigma = float(sigma)

    def sample(self, stream: Random, n: int) -> NDArray[np.float32]:
        """n points, float32 (n, 2), on the host like all data."""
        modes = stream.integers(len(self.centres), (n,))
        noise: NDArray[np.float32] = stream.normal((n, 2), xp=get_backend("numpy"))
        return self.centres[modes] + np.float32(self.sigma) * noise


class SwissRoll:
    """A spiral of one and a half turns, t (cos t, sin t) with t from 3/2 pi to 9/2 pi, and noise.

    scikit-learn's swiss roll, seen from above. It has no modes: `centres` is (0, 2). t is uniform,
    so the outer turn has fewer points to its length. noise: the standard deviation of each
    coordinate. scale: all coordinates are divided by it.
    """

    def __init__(self, noise: float = 0.25, scale: float = 7.5) -> None:
        self.noise = noise
        self.scale = scale
        self.centres: NDArray[np.float32] = np.empty((0, 2), np.float32)
        self.sigma = noise / scale

    def sample(self, stream: Random, n: int) -> NDArray[np.float32]:
        """n points, float32 (n, 2), on the host like all data."""
        xp = get_backend("numpy")
        along = stream.uniform((n,), xp=xp)
        noise: NDArray[np.float32] = stream.normal((n, 2), xp=xp)
        return self.curve(along) + np.float32(self.sigma) * noise

    def curve(self, along: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points of the spiral without noise, float32 (n, 2). along: (n,), from 0, inside, to 1."""
        t = np.float32(1.5 * math.pi) * (1 + 2 * along)
        roll = np.stack([t * np.cos(t), t * np.sin(t)], axis=1)                # (n, 2)
        return roll / np.float32(self.scale)


def ring(modes: int = 8, radius: float = 1.0, sigma: float = 0.01) -> Mixture:
    """Modes at equal distances on a circle, the first on the right.

    The angles stop short of a full turn: np.linspace, with both ends, would give one mode twice.

    Raises:
        ValueError: no modes, or a sigma that is not above 0.
    """
    angles = 2 * np.pi * np.arange(modes) / modes
    centres = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)      # (modes, 2)
    return Mixture(centres, sigma)


def grid(side: int = 5, step: float = 2.0, sigma: float = 0.05) -> Mixture:
    """side x side modes around the origin.

    Raises:
        ValueError: no modes, or a sigma that is not above 0.
    """
    line = step * (np.arange(side) - (side - 1) / 2)                           # (side,)
    x, y = np.meshgrid(line, line, indexing="ij")
    centres = np.stack([x, y], axis=-1).reshape(-1, 2)                         # (side^2, 2)
    return Mixture(centres, sigma)


# By name, as `minigan toy` offers them.
POINTS: dict[str, Callable[[], Mixture | SwissRoll]] = {
    "ring": ring,
    "grid": grid,
    "swiss-roll": SwissRoll,
    "wgan-gp-ring": lambda: ring(radius=2 / 1.414, sigma=0.02 / 1.414),
    "wgan-gp-grid": lambda: grid(step=2 / 2.828, sigma=0.05 / 2.828),
}
