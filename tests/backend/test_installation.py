"""CuPy missing, broken, or for something else: one sentence each, told by fakes of CuPy."""
from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

import minigan as mg
from minigan.backend import available, get_backend, registry
from minigan.backend.gpu import cublas, installation
from minigan.backend.gpu.device import CupyBackend
from minigan.cli import main


class Refusal(RuntimeError):
    """What a fake of CuPy raises."""


def raises(message):
    def ask(*_):
        raise Refusal(message)
    return ask


def fake_cupy(version="14.2.0", hip=False, driver=lambda: 13000, devices=lambda: 1, cuda=12090,
              compiler=lambda: (12, 9)):
    """An installed cupy. Arguments that are functions are what CuPy calls: they answer or raise."""
    module = ModuleType("cupy")
    module.__version__ = version  # type: ignore[attr-defined]
    module.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        runtime=SimpleNamespace(is_hip=hip, driverGetVersion=driver, getDeviceCount=devices,
                                runtimeGetVersion=lambda: cuda),
        nvrtc=SimpleNamespace(getVersion=compiler))
    return module


CASES = {
    "not installed": (None, ["cupy cannot be imported", 'pip install "cupy-cuda12x[ctk]',
                             'pip install "cupy-cuda13x[ctk]']),
    "too old": (fake_cupy("13.6.0"), ["CuPy 13.6.0 is too old, 14 or newer", "pip install"]),
    "AMD": (fake_cupy(hip=True), ["AMD", "NVIDIA GPU"]),
    "no driver": (fake_cupy(driver=lambda: 0), ["no NVIDIA driver", "install a driver"]),
    "driver fails": (fake_cupy(driver=raises("no libcuda")), ["no libcuda", "install a driver"]),
    "old driver": (fake_cupy(driver=lambda: 11040), [
        "driver is too old: it can do CUDA 11.4", "built for CUDA 12", "525 or newer",
        "package of CUDA 11"]),
    "old driver for 13": (fake_cupy(driver=lambda: 12080, cuda=13000), [
        "CUDA 12.8", "built for CUDA 13", "580 or newer", "package of CUDA 12"]),
    "no device": (fake_cupy(devices=lambda: 0), ["no NVIDIA GPU", "CUDA_VISIBLE_DEVICES"]),
    "devices fail": (fake_cupy(devices=raises("cudaErrorNoDevice")), ["cudaErrorNoDevice"]),
    "no NVRTC": (fake_cupy(compiler=raises("libnvrtc not\nfound")), [
        "NVRTC", "libnvrtc not found", "[ctk]"]),
    "other CUDA": (fake_cupy(compiler=lambda: (13, 0)), [
        "built for CUDA 12", "libraries of CUDA 13", "cupy-cuda13x"]),
}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """No backend is made yet, none is the default, and no other CuPy is installed."""
    monkeypatch.delenv("MINIGAN_BACKEND", raising=False)
    monkeypatch.setattr(registry, "_default", None)
    monkeypatch.setattr(registry, "_made", {"numpy": get_backend("numpy")})
    monkeypatch.setattr(installation, "installed", lambda: ["cupy-cuda12x"])
    monkeypatch.setattr(sys, "platform", "linux")
    types = dict(registry.BY_TYPE)
    yield
    registry.BY_TYPE.clear()
    registry.BY_TYPE.update(types)  # a backend that was made here is not the one of other tests


def one_sentence(sentence):
    assert sentence.startswith('backend "cupy": ') and "\n" not in sentence
    assert sentence.endswith('or stay on the processor with the backend "numpy"')


@pytest.mark.parametrize("module, words", CASES.values(), ids=list(CASES))
@pytest.mark.parametrize("ask", [
    lambda: mg.use("cupy"), lambda: mg.tensor([1.0]).to("cupy"), CupyBackend])
def test_each_problem_is_named(monkeypatch, module, words, ask):
    monkeypatch.setitem(sys.modules, "cupy", module)  # None: importing it raises ImportError
    for _ in range(2):  # every time
        with pytest.raises(mg.BackendError) as caught:
            ask()
    sentence = str(caught.value)
    one_sentence(sentence)
    assert all(word in sentence for word in words), sentence
    assert registry.default() is get_backend("numpy")
    assert available()["numpy"] is get_backend("numpy") and available()["cupy"] == sentence


def test_macos(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(mg.BackendError, match="macOS has no CUDA") as caught:
        CupyBackend()
    one_sentence(str(caught.value))


def test_two_packages(monkeypatch):
    monkeypatch.setattr(installation, "installed", lambda: ["cupy-cuda12x", "cupy-cuda13x"])
    with pytest.raises(mg.BackendError, match="cupy-cuda12x and cupy-cuda13x are both installed.*"
                                              "uninstall cupy-cuda12x cupy-cuda13x") as caught:
        CupyBackend()
    one_sentence(str(caught.value))


def test_which_packages_are_cupy(monkeypatch):
    monkeypatch.undo()
    found = [SimpleNamespace(metadata={"Name": name}) for name in (
        "cupy", "CuPy-CUDA12x", "cupy-cuda112", "cupy-rocm-5-0", "cupy-xarray", "numpy", "cupyx")]
    monkeypatch.setattr("importlib.metadata.distributions", lambda: found)
    assert installation.installed() == ["cupy", "cupy-cuda112", "cupy-cuda12x", "cupy-rocm-5-0"]


@pytest.mark.parametrize("error", [OSError("libcublas.so.12"), ImportError("no cuda.pathfinder"),
                                   RuntimeError("not\nfound")])
def test_no_cublas(monkeypatch, error):
    module = fake_cupy()
    module.ndarray = type("ndarray", (), {})
    module.zeros = module.empty = lambda *_: SimpleNamespace(data=SimpleNamespace(ptr=1))
    module.cuda.Stream = lambda non_blocking: SimpleNamespace(ptr=1, use=lambda: None)

    def missing():
        raise error
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(cublas, "load", missing)
    with pytest.raises(mg.BackendError, match=r"cuBLAS, a library of the CUDA toolkit, .*\[ctk\]"
                       ) as caught:
        CupyBackend()
    one_sentence(str(caught.value))


def test_the_variable_asks_for_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setenv("MINIGAN_BACKEND", "cupy")
    with pytest.raises(mg.BackendError, match="cupy-cuda12x"):
        mg.tensor([1.0])


def test_the_command_says_it_in_one_line(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "cupy", CASES["old driver"][0])
    assert main(["train", "gan", "--steps", "1", "--backend", "cupy"]) == 2
    said = capsys.readouterr().err
    assert said.startswith('minigan: error: backend "cupy": ') and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_cublas_statuses_have_names():
    lib = SimpleNamespace(**{name: (lambda *_: 1) for name in cublas.ARGUMENTS})
    with pytest.raises(RuntimeError, match="cublasCreate_v2: not initialized"):
        cublas.Cublas(lib, 0, (0, 0))


@pytest.mark.parametrize("given", ["fp16", "tf32", None, 32])
def test_precisions_of_the_processor(given):
    with pytest.raises(ValueError, match=f"precision must be 'fp32' .*'numpy', got {given!r}"):
        mg.use("numpy", given) if given else get_backend("numpy").set_precision(given)
    with mg.use("numpy", "fp32") as xp:
        assert xp.precision == "fp32"
