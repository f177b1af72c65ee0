"""Figures and pixels: arrays and layouts in, a matplotlib Figure or a PNG file out.

    save(tile(images, columns=10), "samples.png")            # uint8 pixels, written exactly
    save(lines({"f": (xs, ys)}, title="f"), "f.png")         # a matplotlib Figure

Every function except those for pixels returns a Figure, which a notebook displays by itself and
`save` writes; nothing here shows anything, or touches pyplot. Functions with an argument `on` also
draw onto an Axes of `panels`, to put several plots into one picture.

Reading order: raster (pixels), settings (matplotlib's, not the user's), saving, style (the look of
all), curves, charts, pictures, graphs. No other room imports matplotlib, and these do so inside
their functions, so that pixels are written without it.
"""

from minigan.plot.charts import bars, histogram, level_sets, ranges, scatter
from minigan.plot.curves import lines, loss_curves
from minigan.plot.graphs import EDGE, EM, FILL, LARGEST, MEANING, graph
from minigan.plot.pictures import image_grid, strip
from minigan.plot.raster import CELL, tile, visible
from minigan.plot.saving import pixels, png, save, words
from minigan.plot.style import COLOURS, DPI, FAINT, INK, MUTED, PAPER, panels

__all__ = ["CELL", "COLOURS", "DPI", "EDGE", "EM", "FAINT", "FILL", "INK", "LARGEST", "MEANING",
           "MUTED", "PAPER", "bars", "graph", "histogram", "image_grid", "level_sets", "lines",
           "loss_curves", "panels", "pixels", "png", "ranges", "save", "scatter", "strip", "tile",
           "visible", "words"]
