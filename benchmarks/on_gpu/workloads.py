"""Which steps are measured, and how fast they are meant to be."""

from __future__ import annotations

from typing import NamedTuple


class Workload(NamedTuple):
    """A model's training step on batches of noise.

    eager_target, graph_target: the captured step's time over PyTorch's, eager and as its own graph.
    """

    model: str
    preset: str
    batch: int
    eager_target: float
    graph_target: float

    @property
    def label(self) -> str:
        """As bench calls it: model:preset."""
        return f"{self.model}:{self.preset}"


WORKLOADS = [
    Workload("gan", "seed", 64, 0.25, 1.0),
    Workload("wgan-gp", "seed", 64, 0.25, 1.0),
    Workload("dcgan", "wide28", 64, 0.35, 1.1),
    Workload("wgan-gp", "wide28", 64, 0.35, 1.1),
    Workload("dcgan", "torch64", 64, 1.0, 1.3),
    Workload("dcgan", "torch64", 256, 1.0, 1.3),
]
ON_THE_PROCESSOR = WORKLOADS[:4]  # those that a processor makes in the time
PRECISIONS = ("fp32", "tf32")
