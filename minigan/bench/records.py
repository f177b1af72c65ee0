"""What travels through the measurements, as records with names.

A workload goes in: a `Workload` (a training step, its networks as `Layer`s) or an `Operation` (one
op). A `Row` comes out: what was measured of one side, alone or beside a rival. They are JSON only
on the disk, where a row is one flat object a line (`rows` reads and writes them).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray
Pads = tuple[tuple[int, int], tuple[int, int]]  # ((top, bottom), (left, right))


# What is measured.

@dataclass(frozen=True)
class Layer:
    """A layer with its first weights and its settings; None where its kind has no such thing."""

    kind: str                              # the name of the class in minigan.nn
    shape: tuple[int, ...]                 # of its input, without the batch
    weight: Array | None = None            # float32, in minigan's layout
    bias: Array | None = None
    gamma: Array | None = None
    beta: Array | None = None
    stride: tuple[int, int] | None = None
    pads: Pads | None = None
    out_size: tuple[int, int] | None = None  # height and width that a ConvTranspose2d makes
    eps: float | None = None
    momentum: float | None = None
    slope: float | None = None             # of LeakyReLU
    rate: float | None = None              # of Dropout
    scale: int | None = None               # of Upsample
    size: int | None = None                # of AvgPool2d
    to: tuple[int, ...] | None = None      # of Reshape


@dataclass(frozen=True)
class Workload:
    """A training step, with all that a rival needs to make the same one.

    The random numbers are those of the first steps, in the order in which minigan draws them.
    """

    name: str                              # "gan:seed", or "wgan-gp:seed+plain"
    task: str                              # "gan": D's and G's update; "critic": a critic's alone
    batch: int                             # images a step
    images: Array                          # float32 (batches, batch, H, W, C), used in turn
    latent: int                            # numbers in a latent vector
    learning_rate: float                   # of Adam, as the next two
    betas: tuple[float, float]
    eps: float
    penalty: float                         # weight of the gradient penalty; 0 leaves it out
    generator: list[Layer]
    discriminator: list[Layer]
    noise: list[Array]                     # a step each: float32 (batch, latent)
    epsilon: list[Array]                   # a step each: (batch, 1, 1, 1), of a critic
    kept: list[Array]                      # bool: what dropout keeps in D, call by call
    unknown: str | None = None             # why no rival can make it; ours can


@dataclass(frozen=True)
class Operation:
    """One op on given inputs."""

    name: str                              # "dense 784 to 128, forward"
    op: str                                # its name in minigan.ops
    which: str                             # "forward", "backward" or "double"
    batch: int
    inputs: list[Array]                    # float32; the first has the batch in front
    settings: dict[str, Any]               # the op's keyword arguments
    cotangent: Array                       # float32, of the result's shape
    direction: Array                       # float32, of the first input's shape
    task: str = "op"


# What was measured.

@dataclass(frozen=True)
class Facts:
    """Where and when a row was measured."""

    date: str | None = None                # as 2026-11-26
    processor: str | None = None
    blas: str | None = None
    python: str | None = None
    threads: int | None = None             # of each side


@dataclass(frozen=True)
class Versus:
    """One side beside another, pair by pair."""

    rival_ms: float                        # median
    ratio: float                           # median of the first side's time over the other's
    low: float                             # the least ratio of a pair
    high: float                            # the greatest


@dataclass(frozen=True)
class Timing:
    """What the quiet turns of one or two sides say."""

    pairs: int                             # turns of one side, or pairs of two, that count
    ms: float                              # median of the first side, milliseconds a step
    discarded: int = 0                     # pairs left out because others were computing
    busy: int = 0                          # pairs that count although others were computing
    others: float | None = None            # cores used by others (median); None if not known
    versus: Versus | None = None


@dataclass(frozen=True)
class Memory:
    """Megabytes of a process."""

    peak_mb: float | None = None           # the most since the first steps
    above_mb: float | None = None          # the same above what the imports need
    device_mb: float | None = None         # what a GPU's pool holds


@dataclass(frozen=True)
class Floor:
    """The matrix products of a step, alone."""

    floor_ms: float
    floor_gflops: float                    # what these products reach, a second
    square_gflops: float                   # what one large square product reaches


@dataclass(frozen=True)
class Start:
    """Milliseconds from a new process to its imports; a row's timing has its first step's end."""

    numpy_import_ms: float
    import_ms: float                       # NumPy's included


@dataclass(frozen=True)
class LongRun:
    """A long run, block by block."""

    at: list[int]                          # steps done at the end of each block
    ms_of_blocks: list[float]              # milliseconds a step
    mb_of_blocks: list[float]              # peak so far
    others_of_blocks: list[float]          # cores used by others
    time_growth: float                     # median of the last quarter over that of the second
    memory_growth_mb: float                # gained since the end of the first quarter


@dataclass(frozen=True)
class Row:
    """One measurement. A row without timing and long run has the reason in `missing`."""

    workload: str
    batch: int
    side: str
    rival: str | None = None               # None: the side alone
    missing: str | None = None
    steps: int | None = None               # of a long run
    losses_apart: float | None = None      # of the first steps, relative; 0 if both are the same
    timing: Timing | None = None
    memory: Memory | None = None           # of the side
    rival_memory: Memory | None = None
    floor: Floor | None = None
    start: Start | None = None
    long_run: LongRun | None = None
    versions: dict[str, str] = field(default_factory=dict)  # of the side, or of its rival
    facts: Facts = Facts()

    @property
    def versus(self) -> Versus | None:
        """The comparison with the rival, if there is one."""
        return None if self.timing is None else self.timing.versus

    @property
    def busy(self) -> bool:
        """Whether pairs count during which others were computing."""
        return self.timing is not None and self.timing.busy > 0
