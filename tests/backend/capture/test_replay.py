"""Replays of recorded steps: one Python function or several threads, and when memory is freed."""
from __future__ import annotations

import gc
import re
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from capture_tools import descent, stepper
from model_tools import small

import minigan as mg
from minigan import errors, ops
from minigan.backend.cpu.capture import schedule
from minigan.backend.cpu.capture.program import Call, Effects, Output, Program
from minigan.backend.cpu.capture.replay import Replay, source
from minigan.system import threads


def test_a_program_made_by_hand_is_run():
    x, y, seen = np.arange(3.0), np.zeros(3), []
    run = Replay(Program([Call("add", np.add, (0, 1), 2),
                          Call("see", seen.append, (2,), effects=Effects(writes=(1,)),
                               frees=(2,)),
                          Call("sin", np.sin, (0,), 3)],
                         {0: x}, {1: 2.0}, [Output(3, y)]), checks=[lambda: seen.append("check")])
    assert run.describe() == "not replayed yet"
    for i in range(3):  # timed, then as a function
        x += 1
        run()
        assert seen.pop(0) == "check" and seen.pop().tolist() == [i + 3, i + 4, i + 5]
        np.testing.assert_array_equal(y, np.sin(x))
    assert run.describe() == "replayed as one Python function"
    assert source(run.program).split("\n    ") == [
        "def replay():", "v2 = f0(v0, v1)", "f1(v2)", "del v2", "v3 = f2(v0)", "r0[...] = v3"]
    assert source(Program([])) == "def replay():\n    pass"


def test_a_check_that_fails_stops_a_replay_before_it_begins():
    made = []

    def fails():
        raise ValueError("on purpose")

    run = Replay(Program([Call("see", lambda: made.append(1))]), [fails])
    with pytest.raises(ValueError, match="on purpose"):
        run()
    assert not made and run.schedule is None


def test_a_replay_is_a_function_that_can_be_read():
    x = mg.tensor([1.0, 2.0])
    fast = mg.capture(lambda: {"y": (x + 1) * (x + 1)}, [x])
    for value in (3.0, 5.0, 7.0):
        x.assign(np.array([value, 0], "float32"))
        np.testing.assert_array_equal(fast()["y"].numpy(), [(value + 1) ** 2, 1])
    head, *calls, result = fast.recording.source().split("\n    ")
    assert head == "def replay():" and re.fullmatch(r"r0\[...\] = v\d+", result)
    assert [re.sub(r"v\d+", "v", call) for call in calls] == [
        "v = f0(v, v)", "v = f1(v, v)", "v = f2(v, v)", "del v", "del v"]


def test_a_replay_that_fails_can_be_repeated():
    fails = []

    @mg.op(None)
    def may_fail(xp, x):
        if fails:
            raise ZeroDivisionError("on purpose")
        return x * 2

    net, step = descent()
    fast = mg.capture(lambda: {**step(), "y": may_fail(net.weight)})
    fast()
    for _ in range(2):  # timed, then as a function
        graph = ops.sum(ops.square(net.weight))
        fails.append(True)
        with pytest.raises(ZeroDivisionError):
            fast()
        fails.clear()
        with pytest.raises(errors.StaleGraphError):
            mg.grad(graph, net.weight)  # the half that was done has written it
        np.testing.assert_array_equal(fast()["y"].numpy(), 2 * net.weight.numpy())


def test_an_array_is_freed_after_the_last_call_that_reads_it(monkeypatch, lanes):
    def peak(run):
        gc.collect()
        tracemalloc.start()
        run()
        now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most, now

    for n in (1, 2):
        threads.use_threads(n)
        model = small("dcgan", "small")
        eager, replayed = stepper(model, False), stepper(model, True)
        for step in (eager, replayed):
            for _ in range(3):
                step()
        (eager_peak, _), (most, left) = peak(eager), peak(replayed)
        # In lanes a call may wait for its turn while what it reads waits with it.
        assert most < (1.15, 1.6)[n - 1] * eager_peak and left < 0.1 * eager_peak
        run = replayed.graphs["both"].recording.run
        groups = tuple(replace(group, reads=()) for group in run.schedule.groups)
        run.schedule = replace(run.schedule, groups=groups)
        monkeypatch.setattr(schedule.Schedule, "pays", lambda self: True)
        assert n == 1 or peak(replayed)[1] > 0.5 * eager_peak  # as it would be without
