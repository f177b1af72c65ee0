"""`minigan models`: list models and presets."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from minigan.commands.options import add_json, print_json

HELP = "list models and presets"


def add_options(parser: argparse.ArgumentParser) -> None:
    """--json."""
    add_json(parser, "a list of models: name, paper, conditional, default_steps, "
                     "default_batch_size, presets (by name: image_shape, settings; the first is "
                     "the default)")


def run(options: argparse.Namespace) -> int:
    """Print each model's paper and presets; returns the exit status."""
    from minigan.models.catalog import find, names
    if options.json:
        print_json([facts(name) for name in names()])
        return 0
    for name in names():
        model = find(name)
        print(f"{name:10} {model.paper}")
        print(f"{'':10} presets: {', '.join(model.presets)}")
    return 0


def facts(name: str) -> dict[str, Any]:
    """A model for --json."""
    from minigan.models.catalog import find
    model = find(name)
    presets = {preset: {"image_shape": model.natural_shape(preset),
                        "settings": dataclasses.asdict(settings)}
               for preset, settings in model.presets.items()}
    return {
        "name": name,
        "paper": model.paper,
        "conditional": model.conditional,
        "default_steps": model.default_steps,
        "default_batch_size": model.default_batch_size,
        "presets": presets,
    }
