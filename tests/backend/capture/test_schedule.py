"""Calls on several threads: what waits for what, what goes first, the same bits in any order."""
from __future__ import annotations

from dataclasses import replace
from threading import get_ident
from time import sleep

import numpy as np
import pytest
from capture_tools import both_kinds, everything, same, trained
from model_tools import LIGHT

import minigan as mg
from minigan.backend.cpu.capture import optimize, schedule
from minigan.backend.cpu.capture.lanes import Lanes
from minigan.backend.cpu.capture.program import Call, Effects, Program
from minigan.system import threads


# What waits for what.

def waiting(*calls):
    """For each call, those that wait for it; slot 0 is an array, whose memory is called m."""
    x = np.zeros(2)
    given = {"m": id(x)}
    calls = [call._replace(effects=Effects(*[tuple(given.get(m, m) for m in pieces)
                                             for pieces in call.effects])) for call in calls]
    return schedule.dependencies(Program(calls, {0: x}))


READ = Call("read", np.sin, (0,), 1)
WRITE = Call("write", np.sin, effects=Effects(writes=("m",)))
DRAW = Call("draw", np.sin, effects=Effects(writes=(7,)))


@pytest.mark.parametrize("calls, after", [
    ([READ, READ._replace(output=2)], [[], []]),
    ([READ, READ._replace(inputs=(1,), output=2)], [[1], []]),
    ([READ, WRITE], [[1], []]), ([WRITE, READ], [[1], []]), ([WRITE, WRITE], [[1], []]),
    ([READ, WRITE, READ._replace(output=2)], [[1], [2], []]),
    ([DRAW, DRAW, WRITE], [[1], [], []]),
    ([READ._replace(view_of=0), READ._replace(inputs=(1,), output=2), WRITE], [[1, 2], [2], []]),
    ([READ, READ._replace(inputs=(1,), output=2), READ._replace(inputs=(1,), output=3, reused=1)],
     [[1, 2], [2], []])])
def test_calls_wait_for_results_and_for_memory_in_turn(calls, after):
    assert waiting(*calls) == after


def test_a_schedule_knows_how_far_the_end_is():
    calls = [Call("a", np.exp, (0,), 1), Call("b", np.exp, (1,), 2, frees=(1,)),
             Call("c", np.exp, (0,), 3), Call("d", np.add, (2, 3), 4, frees=(2, 3))]
    found = schedule.schedule(Program(calls, {0: np.zeros(2)}), [1e-3, 2e-3, 4e-3, 1e-6])
    assert [[call.op for call in group.calls] for group in found.groups] == [
        ["a"], ["b"], ["c"], ["d"]]
    assert [group.waits for group in found.groups] == [0, 1, 0, 2]
    assert [group.after for group in found.groups] == [(1,), (3,), (3,), ()]
    np.testing.assert_allclose([group.rank for group in found.groups],
                               [3.001e-3, 2.001e-3, 4.001e-3, 1e-6])
    assert [group.heavy for group in found.groups] == [True, True, True, False]
    assert found.readers == {1: 1, 2: 1, 3: 1}


# Models, in lanes.

@pytest.mark.parametrize("name, preset", LIGHT)
@pytest.mark.parametrize("n", [2, 3])
def test_lanes_make_the_same_bits(lanes, name, preset, n):
    threads.use_threads(n)
    settings = both_kinds(name)
    eager, eager_losses, _ = trained(name, preset, False, **settings)
    replayed, losses, step = trained(name, preset, True, **settings)
    same(everything(replayed), everything(eager))
    assert losses == eager_losses
    assert all(graph.recording.run.schedule.pays() for graph in step.graphs.values())


def shuffled(lanes, random):
    """Make a schedule's groups one by one, in a random order in which none comes too early."""
    waits, values = lanes._waits, lanes._values
    ready = [g for g, n in enumerate(waits) if n == 0]
    made = 0
    while ready:
        group = lanes._groups[ready.pop(random.integers(len(ready)))]
        for call in group.calls:
            value = call.run(*[values[slot] for slot in call.inputs])
            if call.output is not None:
                values[call.output] = value
        made += 1
        for h in group.after:
            waits[h] -= 1
            if not waits[h]:
                ready.append(h)
    assert made == len(lanes._groups)


@pytest.fixture
def shuffle(monkeypatch):
    """Let lanes make a random share of the calls in groups, and these in random order."""
    random, grouped = np.random.default_rng(0), schedule.group_calls

    def start(heavy):
        monkeypatch.setattr(optimize, "LARGE", 0)
        monkeypatch.setattr(schedule, "group_calls", lambda after, _: grouped(
            after, random.random(len(after)) < heavy))
        monkeypatch.setattr(schedule.Schedule, "pays", lambda self: True)
        monkeypatch.setattr(Lanes, "run", lambda self: shuffled(self, random))

    return start


@pytest.mark.parametrize("name, preset", [("gan", "mlp"), ("wgan", "mlp"), ("wgan-gp", "conv28"),
                                          ("dcgan", "keras28"), ("cgan", "conv")])
@pytest.mark.parametrize("heavy, careless", [(1.0, False), (0.3, False), (1.0, True)])
def test_every_order_that_keeps_the_waits_gives_the_same_bits(monkeypatch, shuffle, name, preset,
                                                              heavy, careless):
    """Careless: without the waits for memory that is read and written in turn."""
    if careless:
        careful = schedule.dependencies
        monkeypatch.setattr(schedule, "dependencies", lambda program: careful(replace(
            program, calls=[call._replace(effects=Effects()) for call in program.calls])))
    eager, losses, _ = trained(name, preset, False, **both_kinds(name))
    shuffle(heavy)
    replayed, found, _ = trained(name, preset, True, **both_kinds(name))
    if careless:
        with pytest.raises(AssertionError):
            same(everything(replayed), everything(eager))
    else:
        same(everything(replayed), everything(eager))
        assert found == losses


def test_a_view_is_read_before_its_memory_is_written(shuffle):
    p, x = mg.tensor([[1.0, 2.0], [3.0, 4.0]]), mg.tensor([5.0, 6.0])

    def step():
        row = p[1]                     # a view
        y = row * 2
        p.assign(p * 0 + x)
        return {"y": y, "z": row * 3}  # of the same view, which has been written

    shuffle(1.0)
    fast = mg.capture(step, [p, x])
    fast()
    for i in range(20):
        p.assign(np.full((2, 2), i, "f4"))
        assert [t.numpy().tolist() for t in fast().values()] == [[2 * i, 2 * i], [15, 18]]


@pytest.mark.parametrize("seed", range(20))
def test_groups_keep_who_waits_for_whom(seed):
    random = np.random.default_rng(seed)
    n = 40
    after = [sorted({*random.integers(i + 1, n, 2).tolist()}) if i + 1 < n else []
             for i in range(n)]
    heavy = random.random(n) < 0.3
    groups, following = schedule.group_calls(after, heavy)
    assert sorted(i for group in groups for i in group) == [*range(n)] and len(groups) < n
    group_of = {i: g for g, group in enumerate(groups) for i in group}
    assert all(group == sorted(group) and not heavy[group[1:]].any() for group in groups)
    due = {(group_of[i], group_of[j]) for i in range(n) for j in after[i]}
    assert {(g, h) for g, waiting in enumerate(following) for h in waiting} == {
        (g, h) for g, h in due if g != h}
    assert all(g < h for g, waiting in enumerate(following) for h in waiting)  # so no circle


def test_a_light_call_joins_the_last_that_it_waits_for():
    after = [[2, 4], [3], [3], [4], [5], []]  # 0 -> 2 -> 3 -> 4 -> 5, 0 -> 4, 1 -> 3
    heavy = np.array([True, True, False, False, True, False])
    groups, following = schedule.group_calls(after, heavy)
    assert groups == [[0, 2], [1], [3], [4, 5]]  # 3 waits for 0 and 1, neither of which is the last
    assert following == [[2, 3], [2], [3], []]


def test_lanes_are_for_long_calls_and_more_than_one_thread():
    def pays(n, seconds):
        threads.use_threads(n)
        calls = [Call("nothing", int) for _ in seconds]
        return schedule.schedule(Program(calls), seconds).pays()

    assert pays(2, [1e-3, 1e-5]) and not pays(1, [1e-3, 1e-5]) and not pays(2, [1e-4] * 10)
    assert not pays(2, [3e-4] + [5e-5] * 10) and not pays(2, [])


@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("in_helper", [False, True])
def test_an_error_in_a_lane_is_raised_by_the_replay(lanes, kind, in_helper):
    threads.use_threads(2)
    fails, main = [], get_ident()

    @mg.op(None)
    def may_fail(xp, x):
        helps = get_ident() != main
        if fails and helps == in_helper:
            raise kind("on purpose")
        sleep(0.0 if helps else 0.02)
        return x + 1

    x = mg.tensor([1.0])
    fast = mg.capture(lambda: {str(i): may_fail(x * i) for i in range(6)})
    for _ in range(2):
        fast()
    fails.append(True)
    with pytest.raises(kind, match="on purpose"):
        fast()
    fails.clear()
    assert [y.item() for y in fast().values()] == [1, 2, 3, 4, 5, 6]
