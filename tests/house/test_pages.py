"""The short pages beside the examples: their Python runs, commands parse, links exist."""
from __future__ import annotations

import re
import shlex

import numpy as np
import pytest
from project import EXAMPLES

import minigan as mg
from minigan.cli import _parser

PAGES = ["COMMANDS.md", "EXTENDING.md", "FROM_PYTORCH.md", "OWN_NETWORKS.md", "OWN_PICTURES.md"]


def blocks(text, language):
    """What stands between the fences of a language, "" for none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M)
    return [code for name, code in fenced if name == language]


@pytest.mark.parametrize("page", PAGES)
def test_its_python_runs_from_top_to_bottom(page, alone, capfd):
    text = (EXAMPLES / page).read_text("utf-8")
    names: dict = {}
    code = blocks(text, "python")
    assert code or page == "COMMANDS.md"
    for block in code:
        exec(compile(block, page, "exec"), names)
    if page == "EXTENDING.md":
        assert names["trainer"].step == 20 and names["again"].step == 20
        assert names["pictures"].shape == (16, 28, 28, 1)
        assert type(names["again"].model) is names["SmoothGAN"]
    if page == "OWN_PICTURES.md":
        assert mg.load("runs/noise").config["step"] == 4


def from_pytorch(*positions):
    """The names that these pieces of code for other packages define."""
    code = blocks((EXAMPLES / "FROM_PYTORCH.md").read_text("utf-8"), "py")
    names: dict = {}
    for position in positions:
        exec(compile(code[position], "FROM_PYTORCH.md", "exec"), names)
    return names


def test_weights_go_over_from_pytorch_as_the_page_says():
    pytest.importorskip("torch")
    names = from_pytorch(0)
    assert names["found"].shape == (2, 16, 16, 5)  # of the last pair, and all pairs agree


def test_a_generator_draws_under_onnxruntime_as_the_page_says(alone):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("safetensors")
    names = from_pytorch(1, 2)
    wanted = mg.load().model.sample(mg.tensor(names["z"]), np.arange(10)).numpy()
    np.testing.assert_allclose(names["images"], wanted, atol=1e-5)


def test_a_generator_draws_in_pytorch_as_the_page_says(alone):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    pytest.importorskip("safetensors")
    draw = from_pytorch(1, 3)["draw"]
    z = np.random.default_rng(0).standard_normal((10, 64), "float32")
    wanted = mg.load().model.sample(mg.tensor(z), np.arange(10)).numpy()
    images = draw(torch.from_numpy(z), torch.arange(10)).numpy()
    np.testing.assert_allclose(images, wanted, atol=1e-5)


@pytest.mark.parametrize("page", PAGES)
def test_its_commands_parse(page):
    text = (EXAMPLES / page).read_text("utf-8")
    lines = [line.partition("#")[0] for block in blocks(text, "") for line in block.splitlines()]
    lines += re.findall(r"`(minigan [a-z][^`]*)`", text)
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("minigan ")]
    for command in commands:
        if not {"NAME", "RUN", "MODEL", "COMMAND"} & {*command} and command != ["resume"]:
            _parser(command).parse_args(command)
    assert commands or page in ("OWN_NETWORKS.md", "FROM_PYTORCH.md")


@pytest.mark.parametrize("page", PAGES)
def test_its_links_exist_and_the_index_links_to_it(page):
    for link in re.findall(r"\]\(([^)#]+)\)", (EXAMPLES / page).read_text("utf-8")):
        assert (EXAMPLES / link).exists(), link
    assert f"]({page})" in (EXAMPLES / "README.md").read_text("utf-8")
    assert f"](examples/{page})" in (EXAMPLES.parent / "README.md").read_text("utf-8")
