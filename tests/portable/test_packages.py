"""Where a package that writes files is missing, one sentence says how to install it."""
from __future__ import annotations

import sys

import pytest

import minigan as mg
from minigan.portable import check_package


@pytest.mark.parametrize("ending, package", [(".onnx", "onnx"), (".safetensors", "safetensors")])
def test_a_missing_package_is_named_with_how_to_install_it(tmp_path, monkeypatch, ending, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"{package}.numpy", raising=False)
    sentence = f"^export: the package {package} cannot .*python -m pip install {package}$"
    with pytest.raises(RuntimeError, match=sentence):
        mg.load().export(tmp_path / "there" / f"digits{ending}")
    assert not any(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match=sentence):
        check_package(ending)
    check_package(".npz")
