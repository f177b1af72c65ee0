"""The packages that write files for other programs; imported when one is written."""

from __future__ import annotations

from typing import Any


def onnx_package() -> Any:
    """The package onnx.

    Raises:
        RuntimeError: it cannot be imported; says how to install it.
    """
    try:
        import onnx
    except ImportError as error:
        raise _missing("onnx", error) from error
    return onnx


def safetensors_package() -> Any:
    """The package safetensors.numpy.

    Raises:
        RuntimeError: it cannot be imported; says how to install it.
    """
    try:
        import safetensors.numpy
    except ImportError as error:
        raise _missing("safetensors", error) from error
    return safetensors.numpy


def check_package(ending: str) -> None:
    """Check that files whose names end so can be written. ending: such as ".onnx".

    Raises:
        RuntimeError: the package that writes them cannot be imported; says how to install it.
    """
    if ending in PACKAGES:
        PACKAGES[ending]()


def _missing(name: str, error: ImportError) -> RuntimeError:
    return RuntimeError(f"export: the package {name} cannot be imported ({error}); install it with "
                        f"python -m pip install {name}")


PACKAGES = {".onnx": onnx_package, ".safetensors": safetensors_package}
