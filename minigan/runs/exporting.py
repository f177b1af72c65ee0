"""A generator alone, in a small file: to keep, to send, to ship.

The one in the package is `minigan train cgan`, with the steps and the seed that its own config
names, and `minigan export RUN --out pretrained.npz`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minigan.data.places import is_folder, last_part
from minigan.models.model import Model
from minigan.runs import checkpoint
from minigan.runs.records import RunConfig

PRETRAINED = Path(__file__).with_name("pretrained.npz")  # digits on request, in the package
DROPPED = {"streams", "losses", "steps", "run", "generation", "owner"}  # of no use without a run


def export(model: Model, config: RunConfig, path: Path) -> None:
    """Write what `minigan.load` needs to draw, and nothing else.

    The weights are those that draw a run's samples: the moving average, if the model keeps one.
    They are `rounded`, which no picture shows, and compressed. A folder of pictures is named by the
    last part of its path.
    """
    network = model.generator if model.ema is None else model.ema.network
    arrays = {f"generator/{name}": rounded(value) for name, value in network.state_dict().items()}

    kept = {key: value for key, value in config.items() if key not in DROPPED}
    kept["data"] = last_part(config.data)  # the rest of the path means nothing on other machines
    if config.source:
        name = config.source["name"]
        if is_folder(name):
            name = f"./{last_part(name)}"
        kept["source"] = {**config.source, "folder": None, "name": name}

    average = model.ema is not None or config.get("holds") == "average"
    kept["holds"] = "average" if average else "generator"
    checkpoint.save(path, arrays, kept, compress=True)


def restore(model: Model, arrays: dict[str, np.ndarray]) -> None:
    """Set a fresh model's generator to the weights that `export` wrote."""
    weights = {}
    for name, value in arrays.items():
        if value.dtype == np.float16:
            value = value.astype(np.float32)
        weights[name.removeprefix("generator/")] = value
    model.generator.load_state_dict(weights)
    model.ema = None


def rounded(array: np.ndarray) -> np.ndarray:
    """An array as float16 with 8 significant bits, which compress better than all 11.

    Values are rounded to the nearest, ties to even. An array that is not float32, or whose values
    float16 cannot hold, stays as it is.
    """
    if array.dtype != np.float32 or not np.abs(array).max(initial=0) < 60_000:
        return array
    bits = array.astype(np.float16).view(np.uint16)
    even = (bits >> np.uint16(3)) & np.uint16(1)
    nearest = bits + np.uint16(3) + even
    return (nearest & np.uint16(0xFFF8)).view(np.float16)
