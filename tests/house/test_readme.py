"""What README.md tells people to type has to work, and what it promises to exist has to exist."""

from __future__ import annotations

import re
import textwrap

from project import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_training_loop_is_the_one_that_is_captured():
    loop, captured = re.findall(r"```python\n(.*?)```", README, re.S)
    assert "range(5_000)" in loop and "range(5_000)" in captured
    setting, eager = loop.split("for i in range(5_000):")
    bits = []
    for way in (eager, captured.partition("for i in range(5_000):")[2]):
        names: dict = {}
        exec(compile(setting, "README.md", "exec"), names)
        names["fast"] = names["mg"].capture(names["step"])
        losses = []
        for _ in range(4):
            exec(compile(textwrap.dedent(way), "README.md", "exec"), names)
            losses.append([names["found"][name].item() for name in ("d_loss", "g_loss")])
        weights = [p.numpy().tobytes() for network in "GD" for p in names[network].parameters()]
        bits.append((losses, weights))
        assert names["d_opt"].t == names["g_opt"].t == 4
    assert bits[0] == bits[1] and len({d for d, _ in losses}) == 4


def test_every_file_that_it_names_exists():
    linked = re.findall(r"\]\(([^)#]+)\)", README)
    rooms = re.findall(r"`((?:minigan|examples)/[\w./]+)`", README)
    for path in {*linked, *rooms}:
        assert (ROOT / path).exists(), path


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
