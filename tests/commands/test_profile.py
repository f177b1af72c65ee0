"""`minigan profile`: which form each convolution took."""
from __future__ import annotations

import json

import pytest

from minigan.cli import main

STEP = ("profile", "wgan-gp", "--preset", "conv28", "--batch-size", "4", "--steps", "1",
        "--threads", "1")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_form_of_each_convolution_is_printed(capsys):
    assert main([*STEP]) == 0
    lines = capsys.readouterr().out.splitlines()
    outer = next(line for line in lines if "28x28x1 -> 14x14x16, 4x4 stride 2" in line)
    assert outer.startswith("conv2d ") and "PATCHES" in outer
    inner = next(line for line in lines if "7x7x32 -> 14x14x16, 4x4 stride 2" in line)
    assert inner.startswith("conv_transpose2d ") and "PHASES" in inner
    assert any(line.startswith("PHASES: one product for all phases") for line in lines)


def test_json_says_the_form_and_why(capsys):
    assert main([*STEP, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    found = {(row["kind"], row["sizes"]): row for row in document["convolutions"]}
    row = found["conv_transpose2d", "7x7x32 -> 14x14x16, 4x4 stride 2"]
    assert row["form"] == "PHASES" and "stride divides the kernel" in row["why"]
    assert row["images"] == 4 and row["calls"] >= 2 and row["ms"] > 0
    ms = sum(row["ms"] for row in document["convolutions"])
    assert ms < document["ms"]
