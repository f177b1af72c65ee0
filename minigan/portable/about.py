"""What a file says about its generator, for people."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from minigan.models.model import Model
from minigan.portable.calls import Traced
from minigan.streams import Stream

DRAWN = 1000  # latents by which a model's noise is described
BATCH_TEXT = "N may be any number of 1 or more."


def about(model: Model, traced: Traced, title: str, class_names: Sequence[str]) -> str:
    """A few lines: what the generator is, what goes in, and what comes out.

    title: which run it is from. class_names: in the order of labels, where they are known.
    """
    lines = [title, ""]
    start = next(iter(traced.inputs))
    if start == "z":
        lines.append(f"z: float32 {_sizes(traced, start)}, {noise(model)}.")
    else:
        lines.append(f"images: float32 {_sizes(traced, start)} in [-1, 1], what the model starts "
                     f"from.")
    if "labels" in traced.inputs:
        names = f": {', '.join(class_names)}" if class_names else ""
        lines.append(f"labels: int64 (N,), from 0 to {model.n_classes - 1}{names}.")
    lines.append(f"Result: images, float32 {_sizes(traced, traced.output)} in [-1, 1]; "
                 f"(x + 1) * 127.5 is their brightness from 0 to 255.")
    lines.append(BATCH_TEXT)
    return "\n".join(lines)


def noise(model: Model) -> str:
    """From which numbers a model's latents are drawn, in words."""
    z = model.latent_from(Stream(0, "about"), DRAWN).numpy()
    if np.abs(z).max() <= 1:
        return "uniform in [-1, 1]"
    if abs(z.mean()) < 0.1 and abs(z.std() - 1) < 0.1:
        return "standard normal"
    return "drawn as the model's `latent_from` does it"


def _sizes(traced: Traced, name: str) -> str:
    return f"({', '.join(map(str, traced.shape_of(name)))})"
