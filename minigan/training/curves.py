"""The loss curves of a run: one picture, with a panel for each thing that matters for its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Sequence

from minigan import plot
from minigan.models.model import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves(model: Model, records: Sequence[dict[str, Any]]) -> Figure | None:
    """What metrics.jsonl holds, and under it what a normal curve looks like; None if nothing."""
    series: dict[str, tuple[list[int], list[float]]] = {}
    for record in records:
        for name in sorted(record.keys() - {"step", "seconds"}):  # not every step updates G
            steps, values = series.setdefault(name, ([], []))
            steps.append(record["step"])
            values.append(record[name])
    if not series:
        return None
    return plot.loss_curves(dict(sorted(series.items())), model.normal_curve,
                            f"{model.name} {model.preset}")
