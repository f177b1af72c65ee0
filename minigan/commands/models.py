"""`minigan models`: list models and presets."""

from __future__ import annotations

import argparse

HELP = "list models and presets"


def add_options(parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(options: argparse.Namespace) -> int:
    """Print a paper and its presets a model."""
    from minigan.models.catalog import find, names
    for name in names():
        model = find(name)
        print(f"{name:10} {model.paper}\n{'':10} presets: {', '.join(model.presets)}")
    return 0
