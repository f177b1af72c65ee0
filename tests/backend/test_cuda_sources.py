"""Without a GPU: every kernel compiles for one, every name we take from CuPy and cuBLAS is there.

Needs the packages of the extra `cuda-test`; what is not installed is not tested.
"""
from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from minigan.backend.gpu import cublas, device, kernels

FILES = sorted(Path(device.__file__).parent.glob("*.py"))


def compiled(source, *options):
    """(error text, cubin) of NVRTC."""
    nvrtc = pytest.importorskip("cuda.bindings.nvrtc")
    _, program = nvrtc.nvrtcCreateProgram(source.encode(), b"kernels.cu", 0, [], [])
    options = [option.encode() for option in (*kernels.OPTIONS, *options)]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    size = nvrtc.nvrtcGetProgramLogSize(program)[1]
    log = b" " * size
    nvrtc.nvrtcGetProgramLog(program, log)
    if int(status):
        return log.decode(), b""
    cubin = b" " * nvrtc.nvrtcGetCUBINSize(program)[1]
    nvrtc.nvrtcGetCUBIN(program, cubin)
    return log.strip(b" \0").decode(), cubin


@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize("card", ["sm_80", "sm_90"])
def test_all_kernels_compile(card, real):
    log, cubin = compiled(kernels.source(), f"--gpu-architecture={card}", f"-DREAL={real}")
    assert log == "" and cubin[:4] == b"\x7fELF"
    for name in kernels.signatures():
        assert name.encode() + b"\0" in cubin


def test_the_compiler_would_find_a_mistake():
    wrong = kernels.source().replace("y[i] = leaky(x[i], slope);", "y[i] = leaky(x[i], slop);")
    log, cubin = compiled(wrong, "--gpu-architecture=sm_90", "-DREAL=float")
    assert "slop" in log and not cubin


def test_signatures_are_read_from_the_sources():
    found = kernels.signatures()
    assert len(found) == kernels.source().count("KERNEL ") - 1  # its definition
    assert found["leaky_relu"] == ("const REAL *", "REAL", "REAL *", "int")
    assert found["batch_images"][:4] == ("const unsigned char *", "const long long *",
                                         "const word *", "word")
    kinds = {kind for kinds in found.values() for kind in kinds if "*" not in kind}
    assert kinds == {"int", "word", "REAL", "double"}


def attribute(node):
    """a.b.c as "a.b.c", else None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = attribute(node.value)
        return inner and f"{inner}.{node.attr}"
    return None


def names_of_cupy():
    """Everything that the GPU's files take from the module cupy."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                name = attribute(node) or ""
                found = re.fullmatch(r"(?:self\.cupy|cupy|self\.module|module)\.(.+)", name)
                if found:
                    yield found[1]


def test_every_name_is_in_cupy():
    names = set(names_of_cupy())
    assert {"cuda.MemoryPool", "RawModule", "cuda.Stream", "empty"} <= names
    cupy = pytest.importorskip("cupy")
    for name in sorted(names):
        value = cupy
        for part in name.split("."):
            assert hasattr(value, part), f"cupy.{name}"
            value = getattr(value, part)


@pytest.mark.parametrize("name", ["begin_capture", "end_capture", "synchronize", "use", "ptr"])
def test_streams_have(name):
    cupy = pytest.importorskip("cupy")
    assert hasattr(cupy.cuda.Stream, name) or name == "ptr"
    assert {"launch", "upload"} <= set(dir(cupy.cuda.Graph))


def header(name):
    pytest.importorskip("nvidia.cublas")
    spec = find_spec("nvidia.cublas")
    (path,) = (path for place in spec.submodule_search_locations
               for path in Path(place, "include").glob(name))
    return path.read_text("utf-8")


def test_the_numbers_of_cublas():
    text = header("cublas_api.h")
    for name, value in {"CUBLAS_OP_N": cublas.AS_IT_IS, "CUBLAS_OP_T": cublas.TRANSPOSED,
                        "CUBLAS_GEMM_DEFAULT": cublas.DEFAULT_ALGORITHM,
                        "CUBLAS_COMPUTE_32F": cublas.COMPUTE["float32", "fp32"],
                        "CUBLAS_COMPUTE_32F_FAST_TF32": cublas.COMPUTE["float32", "tf32"],
                        "CUBLAS_COMPUTE_64F": cublas.COMPUTE["float64", "fp32"]}.items():
        assert re.search(rf"\b{name}\s*=\s*{value}\s*,", text), name
    for status in cublas.STATUS:
        assert re.search(rf"CUBLAS_STATUS_\w+\s*=\s*{status}\s*[,}}]", text), status


@pytest.mark.parametrize("name", list(cublas.ARGUMENTS))
def test_the_functions_of_cublas(name):
    declared = re.search(rf"\b{name}\(([^;]*)\);", header("cublas_api.h"))
    assert declared and len(declared[1].split(",")) == len(cublas.ARGUMENTS[name])
    pytest.importorskip("cuda.pathfinder")
    assert getattr(cublas.load(), name)
