"""What README.md tells people to type has to work, and what it promises to exist has to exist."""

from __future__ import annotations

import re
from pathlib import Path

HOUSE = Path(__file__).parent.parent
README = (HOUSE / "README.md").read_text(encoding="utf-8")


def test_the_training_loop_runs():
    loop, captured = re.findall(r"```python\n(.*?)```", README, re.S)
    assert "range(5_000)" in loop
    names: dict = {}
    exec(compile(loop.replace("range(5_000)", "range(3)"), "README.md", "exec"), names)
    assert names["step"] == 2 and 0 < names["d_loss"].item() < 10
    exec(compile(captured, "README.md", "exec"), names)
    assert names["found"].keys() == {"d_loss", "g_loss"} and names["model"].g_optimizer.t == 1


def test_every_file_that_it_names_exists():
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    rooms = re.findall(r"`((?:minigan|examples)/[\w./]+)`", README)
    for path in {*linked, *rooms}:
        assert (HOUSE / path).exists(), path


def test_every_function_that_it_names_exists():
    import minigan as mg
    for dotted in set(re.findall(r"`mg\.([a-z_.]+[a-zA-Z_])", README)):
        value = mg
        for part in dotted.split("."):
            value = getattr(value, part)


def test_every_command_that_it_names_is_one():
    from minigan.cli import _parser
    commands = set(re.findall(r"minigan (train|sample|info|models|resume|evaluate)\b", README))
    assert {"train", "sample", "info"} <= commands
    for command in commands:
        assert command in _parser([]).format_help()
