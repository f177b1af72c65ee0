"""A program as data and as text: what print(mg.capture(...)) shows."""
from __future__ import annotations

import doctest
import importlib

import numpy as np
import pytest
from capture_tools import descent, stepper
from emulated import emulated
from model_tools import small

import minigan as mg
from minigan import ops
from minigan.backend.cpu.capture.program import (Call, Effects, Layout, Output, Program, memory_of,
                                                 peak_bytes)
from minigan.streams import Stream

FOUR = Layout((4,), np.dtype("float64"), True)


@pytest.mark.parametrize("name", ["program", "optimize", "schedule"])
def test_examples_in_docstrings_are_right(name):
    module = importlib.import_module(f"minigan.backend.cpu.capture.{name}")
    names = {}
    finder = doctest.DocTestFinder()
    tests = sorted(finder.find(module, name), key=lambda test: test.lineno or 0)
    assert sum(bool(test.examples) for test in tests) >= {"optimize": 7}.get(name, 1)
    for test in tests:  # the module's own example comes first, and says what the others start from
        test.globs.update(names)
        result = doctest.DocTestRunner(verbose=False).run(test, clear_globs=False)
        assert not result.failed
        if test.name == name:
            names = dict(test.globs)


def test_a_recorded_step_prints_itself():
    w, x = mg.tensor(np.ones((3, 2), "f4")), mg.tensor(np.ones((4, 3), "f4"))
    fast = mg.capture(lambda: {"y": ops.exp(x @ w) * 0.5}, [w, x])
    assert str(fast) == """\
# 3 calls, 3 buffers, at most 64 bytes at a time; not replayed yet
v0 = input                                   # float32 (3, 2)
v1 = input                                   # float32 (4, 3)
v2 = matmul(v1, v0)                          # float32 (4, 2)
v3 = exp(v2)                                 # float32 (4, 2), free v2
v5 = multiply(v3, 0.5)                       # float32 (4, 2), free v3
return v5"""
    fast()
    assert str(fast).startswith("# 3 calls, 3 buffers, at most 64 bytes at a time; replayed as one")


def test_what_an_optimizer_and_a_stream_write_is_shown():
    net, step = descent()
    lines = str(mg.capture(step, net.parameters())).splitlines()
    (update,) = [line for line in lines if line.startswith("Adam()")]
    assert update.endswith("# reads Adam, Adam.gradient, writes v0, v1, Adam.m, Adam.v")
    assert any(line.startswith("matmul(") and "float32 (3, 1), writes Adam.gradient" in line
               for line in lines)  # the gradient is computed where the optimizer keeps it
    rng = Stream(0, "a")
    fast = mg.capture(lambda: {"x": mg.Tensor(rng.normal((2,)))})
    assert "v0 = normal()                                # float32 (2,), writes Stream" in str(fast)


def test_every_kind_of_step_prints_itself():
    model = small("wgan-gp", "seed", n_critic=2)
    step = stepper(model, True)
    for _ in range(5):
        step()
    texts = {kind: str(graph) for kind, graph in step.graphs.items()}
    assert set(texts) == {"critic", "both"}
    assert len(texts["critic"].splitlines()) < len(texts["both"].splitlines())
    for kind, graph in step.graphs.items():
        assert f"# {len(graph.program.calls)} calls, " in texts[kind]


def test_a_graph_of_a_gpu_says_so_in_one_line():
    emulated()
    with mg.use("emulated"):
        x = mg.tensor([1.0, 2.0])
        fast = mg.capture(lambda: {"y": x * 2}, [x])
    assert fast.program is None
    assert "graph" in str(fast) and "emulated" in str(fast) and "\n" not in str(fast)


def test_the_most_bytes_at_a_time_are_counted():
    def peak(*calls, returned=()):
        return peak_bytes(Program(calls, {0: np.ones(4)}, {}, [Output(s, 0) for s in returned]))

    a, b = Call("a", np.sin, (0,), 1, FOUR), Call("b", np.sin, (1,), 2, FOUR, frees=(1,))
    assert peak() == 0 and peak(a) == 32 and peak(a, b) == 64
    assert peak(a, b, Call("c", np.sin, (2,), 3, FOUR, frees=(2,))) == 64
    assert peak(a, b._replace(reused=1)) == 32
    view = Call("view", np.ravel, (1,), 2, FOUR, view_of=1, frees=(1,))
    assert peak(a, view, Call("c", np.sin, (0,), 3, FOUR)) == 64  # the view keeps v1's memory
    assert peak(a, view, Call("c", np.sin, (2,), 3, FOUR, frees=(2,)),
                Call("d", np.sin, (3,), 4, FOUR)) == 64


def test_memory_is_that_of_the_base():
    x = np.ones((2, 2))
    assert memory_of(x[0]) == memory_of(x) == id(x)
    calls = [Call("view", np.ravel, (0,), 1, FOUR, view_of=0), Call("sin", np.sin, (1,), 2, FOUR),
             Call("view", np.ravel, (2,), 3, FOUR, view_of=2)]
    assert Program(calls, {0: x}).memory() == {0: id(x), 1: id(x), 2: -3, 3: -3}


def test_a_long_list_of_memory_is_cut():
    arrays = {slot: np.ones(1) for slot in range(7)}
    call = Call("write", np.sin, effects=Effects(writes=tuple(map(id, arrays.values()))))
    assert str(Program([call], arrays)).endswith("# writes v0, v1, v2, v3 and 3 more")
