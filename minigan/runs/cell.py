"""A run in a cell of a notebook: its newest samples, its losses, and where the rest is."""

from __future__ import annotations

from minigan.data.places import last_part
from minigan.runs.contents import RunContents, content_of
from minigan.runs.log import Reading
from minigan.system import notebook

CURVES = 540          # pixels of the screen, at most: the width of the losses
LARGE_FILM = 2 << 20  # bytes; the notebook's file would hold them, so the last grid is shown


def of_run(folder: RunContents, film: bool = False) -> str:
    """A run as HTML: what it is, its newest samples beside its losses, the report's path.

    What the folder lacks is left out. film: show how the samples came about, below a bar that says
    what it is.

    Raises:
        OSError, ValueError: the folder holds no run, or a file of it cannot be read.
    """
    shown = []
    moving = content_of(folder.animation)
    grid = content_of(folder.samples / "latest.png")
    if film and 0 < len(moving) <= LARGE_FILM:
        shown.append(notebook.picture(moving, "the samples while it learned"))
    elif grid:
        shown.append(notebook.picture(grid, "the newest samples"))
    losses = content_of(folder.losses)
    if losses:
        shown.append(notebook.picture(losses, "the losses", CURVES))
    path = folder.report if folder.report.is_file() else folder.path
    summary = "" if film else notebook.line(_summary(folder))
    return summary + notebook.beside(*shown) + notebook.link(path.as_posix())


def _summary(folder: RunContents) -> str:
    """A line: what was trained on what, how far it is, the last losses."""
    config = folder.read_config()
    words = f"{config.model} {config.preset} on {last_part(config.data)}"
    readings = [Reading.from_json(record) for record in folder.read_metrics()]
    readings = [reading for reading in readings if reading.losses]
    if not readings:
        return words
    last = readings[-1]
    losses = ", ".join(f"{name} {value:.3f}" for name, value in last.losses.items())
    return f"{words}: step {last.step:,} after {last.seconds:.0f} s, {losses}"
