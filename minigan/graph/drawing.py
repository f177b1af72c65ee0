"""A graph as a picture: tensors in, a Figure out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Sequence

from minigan import plot
from minigan.engine import Tensor
from minigan.graph.nodes import layout

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(outputs: Tensor | Sequence[Tensor], path: str | os.PathLike[str] | None = None,
         title: str = "", caption: str = "", **options: Any) -> Figure:
    """The picture of a graph, written to `path` (a .png file) if that is given.

    options: those of `layout`.

    Raises:
        TypeError, ValueError: as `layout`; or path does not end in .png.
    """
    figure = plot.graph(layout(outputs, **options), titles=[title], caption=caption)
    if path is not None:
        plot.save(figure, path)
    return figure
