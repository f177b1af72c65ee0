"""Figures: the only room that imports matplotlib. Arrays and layouts in, a Figure or pixels out."""

from minigan.plot.charts import (CELL, COLOURS, DPI, EDGE, EM, FAINT, FILL, INK, LARGEST, MEANING,
                                 MUTED, PAPER, bars, graph, histogram, image_grid, level_sets,
                                 lines, loss_curves, panels, pixels, png, ranges, save, scatter,
                                 strip, tile, visible, words)

__all__ = ["CELL", "COLOURS", "DPI", "EDGE", "EM", "FAINT", "FILL", "INK", "LARGEST", "MEANING",
           "MUTED", "PAPER", "bars", "graph", "histogram", "image_grid", "level_sets", "lines",
           "loss_curves", "panels", "pixels", "png", "ranges", "save", "scatter", "strip", "tile",
           "visible", "words"]
