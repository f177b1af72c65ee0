"""What README.md tells people to type has to work, and what it promises to exist has to exist."""

from __future__ import annotations

import re
import textwrap

from project import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_has_150_lines_at_most():
    assert len(README.splitlines()) <= 150


def test_its_training_loop_has_the_same_bits_recorded_or_not():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.S)
    setting, loop = code.split("for i in range(5_000):\n")
    bits = []
    for step in ("fast", "step"):
        names: dict = {}
        exec(compile(setting, "README.md", "exec"), names)
        losses = []
        for _ in range(4):
            exec(compile(textwrap.dedent(loop).replace("fast()", f"{step}()"), "README.md", "exec"),
                 names)
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
    assert {"train", "sample", "evaluate"} <= commands
    for command in commands:
        assert command in _parser([]).format_help()
