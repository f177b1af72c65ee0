"""What the docstring of minigan.commands asks of each command."""
from __future__ import annotations

import argparse
import importlib
import inspect

import pytest
from project import HOUSE

from minigan.cli import COMMANDS

FOLDER = HOUSE / "commands"


def test_every_command_is_in_the_list():
    files = {path.stem for path in FOLDER.glob("*.py") if "\nHELP = " in path.read_text("utf-8")}
    assert files == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_what_the_contract_asks(name):
    command = importlib.import_module(f"minigan.commands.{name}")
    assert command.HELP[0].islower() and not command.HELP.endswith(".")
    assert command.__doc__.startswith(f"`minigan {name}")
    assert list(inspect.signature(command.add_options).parameters) == ["parser"]
    assert list(inspect.signature(command.run).parameters) == ["options"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_a_help_text(name):
    command = importlib.import_module(f"minigan.commands.{name}")
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    for each in parsers(parser):
        for action in each._actions:
            assert action.help or isinstance(action, argparse._SubParsersAction), action.dest


def parsers(parser):
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from parsers(inner)
