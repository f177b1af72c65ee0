"""The backend switch: which backends are known, which is the default, what an import brings."""
from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import stand_in
from project import ROOT

import minigan as mg
from minigan.backend import backend_of, get_backend, registry

QUIET_MODULES = {"cupy", "cupyx", "matplotlib", "tqdm", "threadpoolctl", "torch", "PIL", "scipy"}


def python(code, **environment):
    """What a fresh interpreter prints when it runs `code`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env=environment, timeout=60)
    assert not done.returncode, done.stderr
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def _default_again(monkeypatch):
    """Every test starts with no default and no MINIGAN_BACKEND, whatever others set."""
    monkeypatch.delenv("MINIGAN_BACKEND", raising=False)
    monkeypatch.setattr(registry, "_default", None)


# The switch.

def test_the_default_is_numpy():
    assert registry.default() is get_backend("numpy")
    assert mg.tensor([1.0]).device == "numpy"


def test_use_as_a_call_holds_from_then_on():
    mg.use("stand-in")
    assert mg.tensor([1.0]).device == "stand-in"
    mg.use("numpy")
    assert mg.tensor([1.0]).device == "numpy"


def test_use_as_a_block_holds_inside():
    with mg.use("stand-in") as xp:
        assert xp is get_backend("stand-in") and mg.tensor(1.0).device == "stand-in"
        with mg.use("numpy"):
            assert mg.tensor(1.0).device == "numpy"
        assert mg.tensor(1.0).device == "stand-in"
    assert mg.tensor(1.0).device == "numpy"
    with pytest.raises(ZeroDivisionError), mg.use("stand-in"):
        1 / 0
    assert mg.tensor(1.0).device == "numpy"


@pytest.mark.parametrize("name", ["torch", "", "CuPy", None, 3])
def test_the_error_for_an_unknown_backend_names_the_known_ones(name):
    with mg.use("stand-in"):
        with pytest.raises(mg.BackendError, match=f"backend {name!r} is unknown.* numpy, cupy"):
            mg.use(name)
        assert mg.tensor(1.0).device == "stand-in"  # the switch stays where it was


def test_the_variable_decides_unless_use_was_called(monkeypatch):
    monkeypatch.setenv("MINIGAN_BACKEND", "stand-in")
    assert mg.tensor(1.0).device == "stand-in"
    mg.use("numpy")
    assert mg.tensor(1.0).device == "numpy"
    monkeypatch.setattr(registry, "_default", None)
    monkeypatch.setenv("MINIGAN_BACKEND", "abacus")
    with pytest.raises(mg.BackendError, match="'abacus' is unknown"):
        mg.tensor(1.0)
    with mg.use("numpy"):
        assert mg.tensor(1.0).device == "numpy"


@pytest.mark.parametrize("value, says", [("numpy", "numpy"), ("", "numpy"), ("abacus", "unknown")])
def test_the_variable_in_a_fresh_process(value, says):
    assert says in python("import minigan as mg\n"
                          "try: print(mg.tensor([1.0]).device)\n"
                          "except mg.BackendError as error: print(error)", MINIGAN_BACKEND=value)


def test_an_array_knows_its_backend():
    assert backend_of(np.ones(2)) is get_backend("numpy") and "numpy" in repr(get_backend("numpy"))
    assert np.__version__ in get_backend("numpy").describe()
    for other in ([1.0], 1.0, np.float32(1), None):
        with pytest.raises(TypeError, match="array of a known backend .*numpy"):
            backend_of(other)


def test_a_backend_is_made_when_it_is_first_asked_for(monkeypatch):
    made = []
    monkeypatch.setattr(registry, "_makers", dict(registry._makers))
    monkeypatch.setattr(registry, "_made", dict(registry._made))

    def make():
        made.append(1)
        return stand_in.StandIn()

    registry.register("another", make)
    assert not made
    assert get_backend("another") is get_backend("another") and made == [1]


@pytest.mark.parametrize("xp", [get_backend("numpy"), get_backend("stand-in")], ids=repr)
def test_primitives_agree_with_numpy(xp):
    host = np.random.default_rng(0).standard_normal((4, 3, 2))
    x = xp.from_host(host.copy())
    for axis in ((), (0,), (1,), (0, 1), (1, 2), (0, 1, 2)):
        for keep in (False, True):
            total = xp.to_host(xp.total(x, axis, keep))
            np.testing.assert_allclose(total, host.sum(axis=axis, keepdims=keep), rtol=1e-13)
    product = xp.product(x, xp.from_host(host[0].T.copy()))
    np.testing.assert_allclose(xp.to_host(product), host @ host[0].T, rtol=1e-13)
    outer = xp.product(x[:, :, :1], x[:, :1, :])
    np.testing.assert_allclose(xp.to_host(outer), host[:, :, :1] @ host[:, :1, :], rtol=1e-13)
    one = xp.from_host(np.full((1, 1), 2.5))
    for shape in ((3, 2), (2, 1, 1), (1, 1), (0, 4)):
        np.testing.assert_array_equal(xp.to_host(xp.broadcast_to(one, shape)), np.full(shape, 2.5))
    for shape in ((), (3,)):
        with pytest.raises(ValueError):
            xp.broadcast_to(one, shape)
    back = xp.to_host(x)
    assert type(back) is np.ndarray and back.dtype == host.dtype


def test_what_import_minigan_brings_along():
    """What an import brings makes it slow; seconds would depend on other processes."""
    code = ("import sys, time, numpy\n"
            "start = time.perf_counter()\n"
            "import minigan\n"
            "print(time.perf_counter() - start, *{name.partition('.')[0] for name in sys.modules})")
    seconds, *modules = python(code).split()
    assert not QUIET_MODULES & set(modules)
    assert "minigan" in modules
    print(f"import minigan: {float(seconds):.3f} s after numpy")
