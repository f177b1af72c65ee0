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
        losses = record.keys() - {"step", "seconds", "warning"}
        for name in sorted(losses):  # not every step updates G
            steps, values = series.setdefault(name, ([], []))
            steps.append(record["step"])
            values.append(record[name])
    if not series:
        return None
    title = f"{model.name} {model.preset}"
    panels = [panel for panel in model.panels if series.keys() & set(panel.names)]
    if len(panels) < 2:  # one plot: of that panel, or of all losses of a model that names others
        names, levels = (panels[0].names, panels[0].levels) if panels else (sorted(series), {})
        return plot.loss_curves({name: series[name] for name in names if name in series},
                                model.normal_curve, title, levels=levels)
    figure, axes = plot.panels(len(panels), 4.0, 3.2, title, model.normal_curve)
    for ax, panel in zip(axes, panels):
        plot.loss_curves({name: series[name] for name in panel.names if name in series},
                         title=panel.title, levels=panel.levels, on=ax)
    return figure
