"""What an exported file says about its generator, in words."""
from __future__ import annotations

from types import SimpleNamespace

import pytest
from model_tools import small
from portable_tools import lively

import minigan as mg
from minigan.portable import about
from minigan.portable.about import noise


@pytest.mark.parametrize("draw, words", [
    (lambda stream, n: stream.normal((n, 3)), "standard normal"),
    (lambda stream, n: stream.uniform((n, 3), -1.0, 1.0), "uniform in [-1, 1]"),
    (lambda stream, n: stream.normal((n, 3), 1.0, 2.0), "drawn as the model's `latent_from` does"),
])
def test_from_which_numbers_latents_are_drawn(draw, words):
    model = SimpleNamespace(latent_from=lambda stream, n: mg.Tensor(draw(stream, n)))
    assert noise(model).startswith(words)


def test_what_goes_in_and_what_comes_out():
    model, calls = lively("cgan", "conv")
    names = [f"digit {i}" for i in range(10)]
    lines = about(model, calls, "A title.", names).splitlines()
    assert lines[0] == "A title." and lines[2] == "z: float32 (N, 64), standard normal."
    assert lines[3].startswith("labels: int64 (N,), from 0 to 9: digit 0, digit 1, ")
    assert lines[4].startswith("Result: images, float32 (N, 8, 8, 1) in [-1, 1]")
    calls = lively("pix2pix", "edges")[1]
    text = about(small("pix2pix", "edges"), calls, "", ())
    assert "images: float32 (N, 8, 8, 1) in [-1, 1], what the model starts from." in text
