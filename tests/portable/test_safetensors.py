"""Weights in a safetensors file: they come back as they are, and PyTorch draws with them.

That it does is tested by the page that says how, see `tests/house/test_pages.py`.
"""
from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import minigan as mg
from minigan.portable import safetensors_file

package = pytest.importorskip("safetensors")
reader = pytest.importorskip("safetensors.numpy")


def test_arrays_come_back_as_they_are():
    arrays = {"a": np.float16([[1, 2.5]]), "b": np.arange(3, dtype="uint8"), "c": np.zeros((0, 4)),
              "d": np.array(-5, "int32"), "e": np.ones((2, 4, 3), "f4")[:, ::2],
              "f": np.arange(6, dtype="float32").reshape(2, 3).T, "g": np.array([True, False]),
              "h": np.arange(4, dtype=">f4"), "i": np.array(7)}
    read = reader.load(safetensors_file(arrays, {}))
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype.newbyteorder("=") and read[name].shape == array.shape
        np.testing.assert_array_equal(read[name], array)


def test_the_same_bytes_in_every_process():
    """The package's own order of several entries follows the process's random hashes."""
    code = ("import hashlib; from minigan.portable import safetensors_file; "
            "import numpy as np; facts = {name: name for name in 'abcdefgh'}; "
            "arrays = {name: np.zeros(3, 'f4') for name in 'hgfedcba'}; "
            "print(hashlib.sha256(safetensors_file(arrays, facts)).hexdigest())")
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            for _ in range(2)]
    assert runs[0].stdout == runs[1].stdout


def test_an_exported_generator_and_what_its_file_says(tmp_path):
    path = mg.load().export(tmp_path / "there" / "digits.safetensors")
    weights = mg.load().model.generator.state_dict()
    with package.safe_open(path, "numpy") as file:
        facts = json.loads(file.metadata()["minigan"])
        assert set(file.keys()) == set(weights)
        for name, value in weights.items():
            np.testing.assert_array_equal(file.get_tensor(name), value)
    assert facts["model"] == "cgan" and facts["preset"] == "conv" and facts["step"] == "4000"
    assert json.loads(facts["settings"])["latent_size"] == 64
    assert json.loads(facts["shape"]) == [28, 28, 1]
