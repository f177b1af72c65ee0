"""A generator alone, in a small file: to keep, to send, to ship.

The one in the package is `minigan train cgan`, with the steps and the seed that its own config
names, and `minigan export RUN --out pretrained.npz`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from minigan.data.places import is_folder, last_part
from minigan.models.model import Model
from minigan.runs import checkpoint

PRETRAINED = Path(__file__).with_name("pretrained.npz")  # digits on request, in the package
DROPPED = {"streams", "losses", "steps", "run", "generation", "owner"}  # of no use without a run


def export(model: Model, config: dict[str, Any], path: Path) -> None:
    """Write what `minigan.load` needs to draw, and nothing else.

    Weights are those that draw a run's samples: the moving average, where the model keeps one. They
    are `rounded`, which no eye sees, and compressed. A folder of pictures is named by the last part
    of its path.
    """
    network = model.generator if model.ema is None else model.ema.network
    arrays = {f"generator/{name}": rounded(value) for name, value in network.state_dict().items()}
    kept = {name: value for name, value in config.items() if name not in DROPPED}
    kept["data"] = last_part(kept["data"])  # where its folder lies is of this machine
    if kept.get("source"):
        name = kept["source"]["name"]
        kept["source"] = {**kept["source"], "folder": None,
                          "name": f"./{last_part(name)}" if is_folder(name) else name}
    average = model.ema is not None or config.get("holds") == "average"
    checkpoint.save(path, arrays, {**kept, "holds": "average" if average else "generator"},
                    compress=True)


def restore(model: Model, arrays: dict[str, np.ndarray]) -> None:
    """Set a fresh model's generator to what `export` wrote."""
    model.generator.load_state_dict({
        name.removeprefix("generator/"): value.astype(np.float32) if value.dtype == np.float16 else
        value for name, value in arrays.items()})
    model.ema = None


def rounded(array: np.ndarray) -> np.ndarray:
    """float16 with 8 significant bits, which compress better than all 11: to the nearest, or even.

    An array that float16 cannot hold stays as it is.
    """
    if array.dtype != np.float32 or not np.abs(array).max(initial=0) < 60_000:
        return array
    bits = array.astype(np.float16).view(np.uint16)
    even = (bits >> np.uint16(3)) & np.uint16(1)
    return ((bits + np.uint16(3) + even) & np.uint16(0xFFF8)).view(np.float16)
