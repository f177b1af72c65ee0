"""Rows as a picture: ratios with their ranges, or the curves of long runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minigan import plot
from minigan.bench.records import Row
from minigan.bench.rows import latest
from minigan.bench.workloads import PLAIN

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def picture(rows: list[Row]) -> Figure | None:
    """A line a workload with its ratios; of long runs the curves; None if nothing was measured."""
    rows = latest(rows)
    if any(row.long_run for row in rows):
        return _long_runs(rows)
    if any(row.versus for row in rows):
        return _ratios(rows)
    return None


def _ratios(rows: list[Row]) -> Figure:
    series: dict[str, dict[str, tuple[float, float, float]]] = {}
    for row in rows:
        if row.versus and row.rival:
            rival = row.rival.removesuffix(PLAIN)
            numbers = (row.versus.ratio, row.versus.low, row.versus.high)
            series.setdefault(rival, {})[_name(row)] = numbers

    first = next(row for row in rows if row.versus)
    where = f"{first.facts.processor}, threads: {first.facts.threads}"
    ranges = "Dots are medians, lines the whole range of the pairs."
    if any(row.rival and row.rival.endswith(PLAIN) for row in rows):
        title = "A critic's update with the penalty over one without"
        caption = f"{ranges} {where}"
    else:
        title = f"Time of {first.side} over that of each rival"
        caption = f"Left of 1.0 {first.side} is faster. {ranges} {where}"
    return plot.ranges(series, title=title, level=1.0, caption=caption)


def _long_runs(rows: list[Row]) -> Figure:
    figure, (left, right) = plot.panels(2, 5.0, 3.4, title="Does a step stay what it costs?")
    runs = {_name(row): row.long_run for row in rows if row.long_run}
    times = {name: (run.at, run.ms_of_blocks) for name, run in runs.items()}
    memory = {name: (run.at, run.mb_of_blocks) for name, run in runs.items()}
    for axes, curves, title in ((left, times, "ms a step"), (right, memory, "MB, peak so far")):
        plot.lines(curves, title=title, x_label="step", on=axes,
                   from_zero=True)  # flat is flat only on a scale that begins at 0
    return figure


def _name(row: Row) -> str:
    return row.workload if row.batch == 64 else f"{row.workload}, batch {row.batch}"
