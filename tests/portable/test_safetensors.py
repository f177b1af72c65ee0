"""Weights in a safetensors file: the package reads them, and PyTorch draws with them.

That it does is tested by the page that says how, see `tests/house/test_pages.py`.
"""
from __future__ import annotations

import json

import numpy as np
import pytest

import minigan as mg
from minigan.portable import safetensors_file


def written(path, content):
    path.write_bytes(content)
    return path


def test_the_layout_of_the_specification():
    arrays = {"b": np.array([True, False, True]),
              "w": np.arange(6, dtype="float32").reshape(2, 3).T, "n": np.array(7)}
    content = safetensors_file(arrays, {"model": "gan"})
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8:8 + length]), content[8 + length:]
    assert length % 8 == 0 and header["__metadata__"] == {"model": "gan"}
    assert header["n"] == {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}
    assert header["w"] == {"dtype": "F32", "shape": [3, 2], "data_offsets": [8, 32]}
    assert header["b"] == {"dtype": "BOOL", "shape": [3], "data_offsets": [32, 35]}
    assert np.frombuffer(data[8:32], "<f4").tolist() == [0, 3, 1, 4, 2, 5] and len(data) == 35


def test_the_package_reads_what_was_written(tmp_path):
    reader = pytest.importorskip("safetensors.numpy")
    arrays = {"a": np.float16([[1, 2.5]]), "b": np.arange(3, dtype="uint8"), "c": np.zeros((0, 4)),
              "d": np.array(-5, "int32"), "e": np.ones((2, 4, 3), "f4")[:, ::2]}
    read = reader.load_file(written(tmp_path / "x", safetensors_file(arrays, {})))
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype and read[name].shape == array.shape
        np.testing.assert_array_equal(read[name], array)


def test_an_exported_generator_and_what_its_file_says(tmp_path):
    path = mg.load().export(tmp_path / "there" / "digits.safetensors")
    package = pytest.importorskip("safetensors")
    weights = mg.load().model.generator.state_dict()
    with package.safe_open(path, "numpy") as file:
        facts = file.metadata()
        assert set(file.keys()) == set(weights)
        for name, value in weights.items():
            np.testing.assert_array_equal(file.get_tensor(name), value)
    assert facts["model"] == "cgan" and facts["preset"] == "conv" and facts["step"] == "4000"
    assert json.loads(facts["settings"])["latent_size"] == 64
    assert json.loads(facts["shape"]) == [28, 28, 1]
