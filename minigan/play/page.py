"""The page: a trained generator with all that draws with it, as one HTML file.

It opens from the file system and loads nothing. What it does there is in `browser/`, one idea a
file, in the order of SCRIPTS.
"""

from __future__ import annotations

import base64
import html
import json
import string
from pathlib import Path
from typing import Any

from minigan.editing.directions.attributes import ATTRIBUTES, why_not
from minigan.editing.directions.record import Directions
from minigan.editing.drawing import Drawing
from minigan.editing.inversion import LEARNING_RATE, PRIOR
from minigan.play.generator import described
from minigan.play.words import words
from minigan.runs.classes import names_of_all
from minigan.runs.trained import Loaded
from minigan.streams import Stream

BROWSER = Path(__file__).with_name("browser")
SCRIPTS = ("arrays", "convolution", "ops", "generator", "latents", "tasks", "attributes",
           "inversion", "canvas", "strokes", "reading", "state", "pad", "sliders", "classes",
           "field", "twin", "page")
DRAWS = 2000      # pictures to compare with, over all labels; a quarter is enough to begin
LOOKED_AT = 64    # pictures that are drawn to see whether they show strokes


def page(trained: Loaded, directions: Directions | None = None) -> str:
    """The page of a trained model, HTML. directions: those to show sliders for.

    Raises:
        ValueError: the model starts from images, or its generator has an op that the page does not
            know.
    """
    model = trained.model
    generator, weights = described(model)
    drawing = Drawing(model)
    strokes = _shows_strokes(drawing)
    names = _class_names(trained)
    data = {
        "generator": generator,
        "latent": drawing.latent_size,
        "limit": drawing.limit,
        "directions": _as_list(directions),
        "classes": names,
        "strokes": strokes,
        "corners": 3,
        "label": min(3, len(names) - 1) if names else 0,
        "cells": 7 if model.shape[0] <= 32 else 5,
        "search": {"prior": PRIOR, "size": drawing.size, "learning_rate": LEARNING_RATE,
                   "draws": DRAWS, "seed": 0},
    }
    said = words(trained, names, strokes, drawing.latent_size)
    parts = {name: html.escape(text) for name, text in said.items()}
    parts.update(
        style=_file("style.css"),
        script="\n".join([_file(f"{name}.js") for name in SCRIPTS]),
        data=in_script(data),
        weights=base64.b64encode(weights).decode(),
        high=str(model.shape[0]), wide=str(model.shape[1]),
        kind=" ".join(["strokes"] * strokes + ["plain"] * (not names)))
    return string.Template(_file("page.html")).substitute(parts)


def in_script(document: Any) -> str:
    """JSON that can stand inside a script element: no text in it can end the element."""
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _file(name: str) -> str:
    return (BROWSER / name).read_text("utf-8").strip()


def _shows_strokes(drawing: Drawing) -> bool:
    """Whether what the model draws are light strokes on a dark ground, as a pen makes them."""
    return not why_not(drawing.pixels(*drawing.some(Stream(0, "play"), LOOKED_AT)))


def _class_names(trained: Loaded) -> list[str]:
    """A name for each label; [] for a model without labels."""
    if not trained.model.conditional:
        return []
    return names_of_all(trained.class_names, trained.model.n_classes)


def _as_list(directions: Directions | None) -> list[dict[str, Any]]:
    """Directions for JSON, measured attributes first."""
    if directions is None:
        return []
    pairs = sorted(zip(directions.names, directions.vectors), key=lambda pair: _place(pair[0]))
    return [{"name": name, "vector": [round(float(x), 6) for x in vector]}
            for name, vector in pairs]


def _place(name: str) -> int:
    return ATTRIBUTES.index(name) if name in ATTRIBUTES else len(ATTRIBUTES)
