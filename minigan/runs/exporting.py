"""A generator alone, in a small file: to keep, to send, to ship, or for other programs.

The one in the package is `minigan train cgan`, with the steps and the seed that its own config
names, and `minigan export RUN --out pretrained.npz`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from minigan.data.places import is_folder, last_part
from minigan.models.model import Model
from minigan.runs import checkpoint
from minigan.runs.classes import class_names
from minigan.runs.records import RunConfig
from minigan.system import files

PRETRAINED = Path(__file__).with_name("pretrained.npz")  # digits on request, in the package
DROPPED = {"streams", "losses", "steps", "run", "generation", "owner"}  # of no use without a run
ENDINGS = (".npz", ".onnx", ".safetensors")
# What other programs' files say about the run.
FACTS = ("model", "class", "preset", "settings", "shape", "n_classes", "data", "source",
         "data_crc32", "seed", "step", "holds", "minigan")


def export(model: Model, config: RunConfig, path: Path) -> None:
    """Write a generator: for `minigan.load` to an npz file, else for other programs.

    The weights are those that draw a run's samples: the moving average, if the model keeps one. In
    an npz file they are `rounded`, which no picture shows, and compressed. A folder of pictures is
    named by the last part of its path.

    Raises:
        FileExistsError: there is something at that path.
        RuntimeError: the package that writes such files, onnx or safetensors, cannot be imported.
        ValueError: the generator cannot be written down for other programs; names op and layer.
    """
    content = {".onnx": _onnx, ".safetensors": _safetensors}.get(path.suffix)
    if content is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _export_npz(model, config, path)
        return
    written = content(model, config)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path, exclusive=True) as file:
        file.write(written)


def _export_npz(model: Model, config: RunConfig, path: Path) -> None:
    weights = model.drawing_network().state_dict()
    arrays = {f"generator/{name}": rounded(value) for name, value in weights.items()}
    checkpoint.save(path, arrays, _kept(model, config), compress=True)


def _onnx(model: Model, config: RunConfig) -> bytes:
    from minigan.portable import about, onnx_file, traced
    calls = traced(model)
    facts = _facts(model, config)
    title = (f"A generator of minigan: {model.name}, preset {model.preset}, trained on "
             f"{facts['data']} for {config['step']:,} steps.")
    return onnx_file(calls, facts, about(model, calls, title, class_names(config)))


def _safetensors(model: Model, config: RunConfig) -> bytes:
    from minigan.portable import safetensors_file
    return safetensors_file(model.drawing_network().state_dict(), _facts(model, config))


def _facts(model: Model, config: RunConfig) -> dict[str, str]:
    """FACTS as texts; what is not one, in JSON."""
    kept = _kept(model, config)
    facts = {name: kept[name] for name in FACTS if kept.get(name) is not None}
    names = class_names(config)
    if names:
        facts["class_names"] = names
    return {name: value if isinstance(value, str) else json.dumps(value)
            for name, value in facts.items()}


def _kept(model: Model, config: RunConfig) -> dict[str, Any]:
    """The config of an exported file."""
    kept = {key: value for key, value in config.items() if key not in DROPPED}
    kept["data"] = last_part(config.data)  # the rest of the path means nothing on other machines
    if config.source:
        name = config.source["name"]
        if is_folder(name):
            name = f"./{last_part(name)}"
        kept["source"] = {**config.source, "folder": None, "name": name}

    average = model.ema is not None or config.get("holds") == "average"
    kept["holds"] = "average" if average else "generator"
    return kept


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
