"""The loss curves of a run: one picture, with the panels that its model defines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Sequence

from minigan import plot
from minigan.models.model import Model
from minigan.runs.log import Reading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Series = dict[str, tuple[list[int], list[float]]]  # by loss: the steps, and its values


def curves(model: Model, readings: Sequence[Reading]) -> Figure | None:
    """The losses as they were read, and what normal curves look like; None if there are none."""
    series = _series(readings)
    if not series:
        return None

    title = f"{model.name} {model.preset}"
    panels = [panel for panel in model.panels if series.keys() & set(panel.names)]
    if not panels:  # the model's losses have other names: all in one plot
        return plot.loss_curves(_chosen(series, sorted(series)), model.normal_curve, title)
    if len(panels) == 1:
        (panel,) = panels
        return plot.loss_curves(_chosen(series, panel.names), model.normal_curve, title,
                                levels=panel.levels)

    figure, axes = plot.panels(len(panels), 4.0, 3.2, title, model.normal_curve)
    for ax, panel in zip(axes, panels):
        plot.loss_curves(_chosen(series, panel.names), title=panel.title, levels=panel.levels,
                         on=ax)
    return figure


def _series(readings: Sequence[Reading]) -> Series:
    """One curve for each loss; not every step updates G, so curves can have different steps."""
    series: Series = {}
    for reading in readings:
        for name in sorted(reading.losses):
            steps, values = series.setdefault(name, ([], []))
            steps.append(reading.step)
            values.append(reading.losses[name])
    return series


def _chosen(series: Series, names: Sequence[str]) -> Series:
    return {name: series[name] for name in names if name in series}
