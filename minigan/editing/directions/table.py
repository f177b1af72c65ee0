"""What moves along directions, as a table to print."""

from __future__ import annotations

import numpy as np

from minigan.editing.directions.record import Directions

FOUND = {"attributes": "r", "pca": "variance", "weights": "value"}  # what `strength` is
UNITS = {"boldness": " pixels", "slant": "", "width": " pixels", "height": " pixels"}


def table(directions: Directions) -> list[str]:
    """Lines: how strong each direction is, and what changes from amount -2 to 2 along it.

    Attributes change by so many of their spreads, the picture by so much on a scale of [-1, 1].
    """
    columns = [max(8, len(each)) for each in directions.attributes]
    first = max(9, *(len(name) for name in directions.names))
    lines: list[str] = []
    kind = ""
    for i, name in enumerate(directions.names):
        if directions.kinds[i] != kind:
            kind = directions.kinds[i]
            heads = [f"{attribute:>{width}}" for attribute, width in
                     zip(directions.attributes, columns)]
            lines.append("  ".join([f"{'direction':<{first}}", f"{FOUND[kind]:>8}", *heads,
                                    f"{'picture':>7}"]))
        moves = directions.moves(name)
        cells = [f"{moves[attribute]:>+{width}.2f}" for attribute, width in
                 zip(directions.attributes, columns)]
        lines.append("  ".join([f"{name:<{first}}", f"{directions.strength[i]:>8.3g}", *cells,
                                f"{directions.change[i]:>7.2f}"]))
    return [*lines, *_notes(directions)]


def _notes(directions: Directions) -> list[str]:
    """What the columns are, in words."""
    notes = ["changes from amount -2 to 2 of the same latents; picture: root mean square on a "
             "scale of [-1, 1]"]
    spreads = [f"{name} {spread:.2g}{UNITS.get(name, '')}" for name, spread in
               zip(directions.attributes, directions.spread)]
    if spreads:
        notes.append(f"attributes in spreads (the standard deviation within classes): "
                     f"{', '.join(spreads)}")
    explained = {"attributes": "r: of predicted and measured, within classes, on unseen draws",
                 "pca": "variance: the share of the first layer's that the component has",
                 "weights": "value: the singular value of the first layer's weight"}
    notes += [explained[kind] for kind in FOUND if kind in directions.kinds]
    samples = directions.in_sample[np.isfinite(directions.in_sample)]
    if samples.size:
        seen = ", ".join(f"{each:.2f}" for each in samples)
        notes.append(f"r on the draws of the regression itself: {seen}")
    return notes
