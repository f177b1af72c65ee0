"""Passes over a program, each on small ones made by hand, and what they do to recorded steps."""
from __future__ import annotations

import functools
from collections import Counter

import numpy as np
import pytest
from capture_tools import descent, same

import minigan as mg
from minigan import ops
from minigan.backend import get_backend
from minigan.backend.cpu import blocks, convolution, winograd
from minigan.backend.cpu.capture import optimize
from minigan.backend.cpu.capture.optimize import (fold_constants, forward_stores,
                                                  free_after_last_use, remove_dead_calls,
                                                  reuse_buffers, share_common_parts)
from minigan.backend.cpu.capture.program import Call, Effects, Layout, Output, Program
from minigan.streams import Stream

NUMPY = get_backend("numpy")
TWO = Layout((2, 2), np.dtype("float64"), True)


def program(*calls, inputs=(0,), constants=None, returned=()):
    """A program whose inputs are 2 x 2 arrays."""
    return Program(calls, {slot: np.ones((2, 2)) for slot in inputs}, constants or {},
                   [Output(slot, np.zeros((2, 2))) for slot in returned])


def names(program):
    return [call.op for call in program.calls]


# Each pass alone.

@pytest.fixture(params=[step.__name__ for step in optimize.PASSES])
def step(request):
    return getattr(optimize, request.param)


def test_no_pass_changes_its_argument(step, monkeypatch):
    monkeypatch.setattr(optimize, "LARGE", 0)
    x = np.ones((2, 2))
    before = program(Call("add", np.add, (5, 5), 6, TWO),
                     Call("part", np.exp, (0,), 1, TWO, shareable=True),
                     Call("part", np.exp, (0,), 2, TWO, shareable=True),
                     Call("sin", np.sin, (2,), 3, TWO, out=(0,)),
                     Call("dead", np.sin, (2,), 7, TWO, out=(0,)),
                     Call("cos", np.cos, (3,), 4, TWO, out=(0,)),
                     Call("assign", functools.partial(np.copyto, x), (4,), target=x,
                          effects=Effects(writes=(id(x),))),
                     constants={5: 2.0}, returned=[3])
    calls, constants, inputs = list(before.calls), dict(before.constants), dict(before.inputs)
    after = step(before)
    assert list(before.calls) == calls and before.constants == constants
    assert before.inputs.keys() == inputs.keys()
    assert after is not before and after.outputs == before.outputs
    assert after.calls != calls or after.constants != constants  # there was something to do


def test_constants_are_folded_through_each_other_but_not_what_has_effects():
    noted = Effects(writes=(1,))
    folded = fold_constants(program(
        Call("add", np.add, (1, 2), 3), Call("exp", np.negative, (3,), 4),
        Call("draw", np.negative, (1,), 5, effects=noted),
        Call("reads", np.negative, (1,), 6, effects=Effects(reads=(1,))),
        Call("add", np.add, (0, 4), 7), constants={1: 2.0, 2: 3.0}, returned=[7]))
    assert names(folded) == ["draw", "reads", "add"]
    assert folded.constants == {1: 2.0, 2: 3.0, 3: 5.0, 4: -5.0}


def test_dead_calls_go_with_all_that_only_they_read():
    left = remove_dead_calls(program(
        Call("exp", np.exp, (0,), 3), Call("sin", np.sin, (3,), 4),
        Call("cos", np.cos, (1,), 5), Call("draw", np.cos, (2,), 6, effects=Effects(writes=(1,))),
        inputs=(0, 1), constants={2: 1.0, 7: 2.0}, returned=[5]))
    assert names(left) == ["cos", "draw"]
    assert set(left.inputs) == {1} and left.constants == {2: 1.0}


def part(slot, output, run=np.sin):
    return Call("part", run, (slot,), output, TWO, shareable=True)


@pytest.mark.parametrize("calls, left", [
    ([part(0, 1), part(0, 2)], 2),
    ([part(0, 1), part(9, 2)], 3),                                       # of another input
    ([part(0, 1), part(0, 2, np.cos)], 3),                               # another function
    ([part(0, 1), part(0, 2)._replace(shareable=False)], 3)])
def test_parts_are_shared_if_function_and_inputs_are_the_same(calls, left):
    shared = share_common_parts(program(
        *calls, Call("add", np.add, (1, 2), 3, TWO), inputs=(0, 9), returned=[3]))
    assert len(shared.calls) == left
    assert shared.calls[-1].inputs == ((1, 1) if left == 2 else (1, 2))


def test_a_part_of_what_was_written_since_is_made_again():
    before = program(part(0, 1), part(0, 2), part(0, 4), Call("add", np.add, (2, 4), 3, TWO),
                     returned=[3, 1])
    write = Call("assign", np.copyto, (1,), effects=Effects(writes=(id(before.inputs[0]),)))
    between = Program([before.calls[0], write, *before.calls[1:]], before.inputs, {},
                      before.outputs)
    assert [call.output for call in share_common_parts(between).calls] == [1, None, 2, 3]


def test_a_part_that_is_a_result_is_made_and_views_follow_what_is_shared():
    assert len(share_common_parts(program(part(0, 1), part(0, 2), returned=[1, 2])).calls) == 2
    view = Call("view", np.ravel, (2,), 3, TWO, view_of=2)
    shared = share_common_parts(program(part(0, 1), part(0, 2), view, returned=[3]))
    assert shared.calls[-1].inputs == (1,) and shared.calls[-1].view_of == 1
    assert shared.memory()[3] == shared.memory()[1]


def copied(slot, target):
    return Call("assign", functools.partial(np.copyto, target), (slot,), target=target,
                effects=Effects(writes=(id(target),)))


def test_a_result_is_computed_where_it_would_be_copied():
    target = np.zeros((2, 2))
    forwarded = forward_stores(program(Call("exp", np.exp, (0,), 1, TWO, out=()),
                                       copied(1, target)))
    (call,) = forwarded.calls
    assert call.op == "exp" and call.inputs == (0,) and call.output is None
    call.run(np.ones((2, 2)))
    np.testing.assert_array_equal(target, np.exp(np.ones((2, 2))))


@pytest.mark.parametrize("why", ["no out", "read twice", "returned", "read between", "not C order"])
def test_a_store_stays_where_it_cannot_be_earlier(why):
    target = np.zeros((2, 2)).T[:, ::-1] if why == "not C order" else np.zeros((2, 2))
    calls = [Call("exp", np.exp, (0,), 1, TWO, out=None if why == "no out" else ()),
             copied(1, target)]
    if why == "read between":
        calls.insert(1, Call("sin", np.sin, (), 2, TWO, effects=Effects(reads=(id(target),))))
    if why == "read twice":
        calls.append(Call("sin", np.sin, (1,), 2, TWO))
    before = program(*calls, returned=[1] if why == "returned" else [])
    assert list(forward_stores(before).calls) == calls


def test_slots_are_freed_after_their_last_use_but_not_what_is_given_or_returned():
    freed = free_after_last_use(program(
        Call("exp", np.exp, (0,), 2, TWO), Call("add", np.add, (2, 2), 3, TWO),
        Call("add", np.add, (2, 1), 4, TWO), Call("add", np.add, (3, 4), 5, TWO),
        constants={1: 2.0}, returned=[3, 5]))
    assert [call.frees for call in freed.calls] == [(), (), (2,), (4,)]


@pytest.mark.parametrize("change, reused", [
    ({}, 1), ({"out": None}, None), ({"out": ()}, None),
    ({"layout": TWO._replace(shape=(4,))}, None),
    ({"layout": TWO._replace(contiguous=False)}, None),
    ({"inputs": (1, 1)}, None), ({"inputs": (0,)}, None)])
def test_a_result_is_written_over_an_input_of_its_layout(monkeypatch, change, reused):
    monkeypatch.setattr(optimize, "LARGE", 0)
    call = Call("sin", np.sin, (1,), 2, TWO, out=(0,))._replace(**change)
    after = reuse_buffers(program(Call("exp", np.exp, (0,), 1, TWO), call, returned=[2]))
    assert after.calls[-1].reused == reused
    monkeypatch.setattr(optimize, "LARGE", 4)  # small results stay in the cache anyway
    after = reuse_buffers(program(Call("exp", np.exp, (0,), 1, TWO), call, returned=[2]))
    assert after.calls[-1].reused is None


def test_stages_name_each_pass_and_end_as_optimize_does():
    x = mg.tensor([1.0, 2.0])
    fast = mg.capture(lambda: {"y": (x + 1) * (x + 1)}, [x])
    seen = dict(optimize.stages(fast.recording.traced))
    assert list(seen) == ["traced", *[step.__name__ for step in optimize.PASSES]]
    assert str(seen["reuse_buffers"]) == str(fast.program)
    assert seen["traced"] is fast.recording.traced


# Recorded steps.

@pytest.fixture
def winograd_step(monkeypatch):
    """Makes a step of convolutions in Winograd's form, whose weights change between two of them."""
    monkeypatch.setattr(winograd, "tile_size", lambda *sizes: 4)
    convolution.plan.cache_clear()

    def make():
        x, w = (mg.tensor(Stream(0, name).normal(shape), requires_grad=True)
                for name, shape in (("x", (3, 8, 8, 2)), ("w", (4, 4, 2, 3))))

        def step():
            before = ops.conv2d(x, w, stride=2, padding=1)
            gradients = mg.grad(ops.sum(ops.square(before)), [x, w])
            w.assign(w.detach() - 0.01 * gradients[1])
            after = ops.conv2d(x, w, stride=2, padding=1)
            return {"x": gradients[0], "after": after.detach()}

        return step, w

    yield make
    convolution.plan.cache_clear()


def parts_of(fast):
    """How often a replay makes each part of an op."""
    return Counter(call.op for call in fast.program.calls if call.shareable)


def test_a_part_is_made_once_until_what_it_reads_is_written(winograd_step):
    results = []
    for captured in (False, True):
        step, w = winograd_step()
        run = mg.capture(step, [w]) if captured else step
        results.append([{key: value.numpy().copy() for key, value in run().items()}
                        for _ in range(3)])
    assert parts_of(run) == {"of_x": 1, "of_w": 2, "of_y": 1, "conv2d": 2, "conv_transpose2d": 1,
                             "conv2d_weight": 1}
    for one, other in zip(*results):
        same(one, other)


def test_a_part_of_an_ops_own_array_is_no_call(winograd_step):
    @mg.op(None)
    def through_a_copy(xp, x):
        g = ops.conv.conv_geometry("test", x.shape[1:3], (4, 4), 2, 1, 1)
        return xp.conv2d(x + 1, np.ones((4, 4, 2, 3), x.dtype), g)

    x = mg.tensor(Stream(0, "x").normal((3, 8, 8, 2)))
    fast = mg.capture(lambda: {"y": through_a_copy(x)}, [x])
    assert not parts_of(fast)
    x.assign(x.numpy() * 2)
    np.testing.assert_array_equal(fast()["y"].numpy(), through_a_copy(x).numpy())


def test_results_that_nobody_reads_are_not_computed():
    def calls(results):
        net, step = descent()
        step()
        recorded = mg.capture(lambda: {key: value for key, value in step().items()
                                       if key in results}, net.parameters())
        return Counter(call.op for call in recorded.program.calls)

    assert calls(["loss"]) - calls([]) == {"square": 1, "mean": 1}


def test_gradients_are_computed_where_their_optimizer_keeps_them():
    net, step = descent()
    fast = mg.capture(step, net.parameters())
    kept = [call for call in fast.program.calls if call.target is not None]
    assert {call.target.shape for call in kept} == {p.shape for p in net.parameters()}
    stored = [call.target.ndim for call in kept if call.op == "assign"]
    assert 2 not in stored and stored  # sums, of biases, are copied


@pytest.mark.parametrize("step", [
    lambda x, m: x.assign(x @ m),                                      # reads what it would write
    lambda x, m: (y := x @ m, z := x * 2, x.assign(y), z)[-1],         # read in between
    lambda x, m: (y := m @ m, z := x[0] * 2, x.assign(y), z)[-1],      # by a view
    lambda x, m: (v := x[0], y := m @ m, z := v * 2, x.assign(y), z)[-1],
    lambda x, m: (y := m @ m, x.assign(m), x.assign(y))[1],            # written in between
    lambda x, m: (y := m @ m, x.assign(y), y)[-1],                     # read afterwards too
    lambda x, m: (y := m @ m, x.assign(y), y * 2)[-1],
    lambda x, m: x.assign(2),                                          # a number
    lambda x, m: x.T.assign(ops.leaky_relu(m, 0.5)),                   # in another order
    lambda x, m: x[0].assign(ops.sum(m @ m, 0))])
def test_what_is_computed_in_place_is_what_would_be_copied(monkeypatch, step):
    monkeypatch.setattr(blocks, "BLOCK", 1)
    after = []
    for captured in (False, True):
        x, m = mg.tensor([[1.0, 2.0], [3.0, 4.0]]), mg.tensor([[0.5, 1.0], [-1.0, 0.25]])

        def run(x=x, m=m):
            y = step(x, m)
            return {} if y is None else {"y": y}

        call = mg.capture(run, [x, m]) if captured else run
        found = [[x.numpy().tolist(), *(y.numpy().tolist() for y in call().values())]
                 for _ in range(3)]
        after.append(found)
    assert after[0] == after[1]


OVER = [(op, i) for op in mg.engine.OPS.values() for i in op.out or ()]


@pytest.mark.parametrize("op, position", OVER, ids=lambda x: getattr(x, "name", x))
@pytest.mark.parametrize("block", [16, 65_536])
@pytest.mark.parametrize("slope", [0.0, 0.25])
def test_ops_give_the_same_bits_over_an_input(monkeypatch, op, position, block, slope):
    monkeypatch.setattr(blocks, "BLOCK", block)
    random = np.random.default_rng(0)
    shape, small = (3, 4, 5, 6), (1, 1, 1, 6)
    shapes = {"mix": [shape, small, shape, small, small], "bias_leaky_relu": [shape, (6,)],
              "leaky_relu": [shape]}
    settings = {"slope": slope} if "leaky" in op.name or op.name == "gate" else {}
    inputs = [random.standard_normal(due).astype("f4")
              for due in shapes.get(op.name, [shape] * 2)]
    due = op.forward(NUMPY, *[x.copy() for x in inputs], **settings)
    copies = [x.copy() for x in inputs]
    found = op.forward(NUMPY, *copies, **settings, out=copies[position])
    assert found is copies[position] and found.tobytes() == due.tobytes()
    for i, (x, copy) in enumerate(zip(inputs, copies)):
        assert i == position or copy.tobytes() == x.tobytes()
    out = np.full(shape, np.nan, "f4")
    assert op.forward(NUMPY, *inputs, **settings, out=out) is out and out.tobytes() == due.tobytes()


def test_most_ops_that_can_do_it_are_written_over_an_input():
    assert {op.name for op, _ in OVER} >= {"add", "multiply", "subtract", "gate", "keep",
                                           "leaky_relu", "bias_leaky_relu", "mix"}


@pytest.mark.parametrize("step, reused", [
    (lambda x, m: (a := x @ m, a * 2)[-1], 1),
    (lambda x, m: (a := x @ m, a * a)[-1], 0),                                # both inputs
    (lambda x, m: (a := x @ m, b := a * 2, a - b)[-1], 1),                    # a is read again
    (lambda x, m: (a := x @ m, v := a[0], b := a * 2, b + v)[-1], 1),         # by a view
    (lambda x, m: (a := x @ m, v := a.T, a * v)[-1], 0),                      # beside its view
    (lambda x, m: (a := x @ m, ops.sum(a * 2, 0) * 2)[-1], 2),
    (lambda x, m: (a := ops.sum(x @ m, 0), a * m)[-1], 0),                    # of another shape
    (lambda x, m: x * 2 + m, 1),                                              # x itself stays
    (lambda x, m: (a := m + m, a.T + x)[-1], 0),                              # a view
    (lambda x, m: (a := x @ m, b := a * 2, c := b * 3, d := b - c, d)[-1], 2),
    (lambda x, m: (a := m.T + x.T, a * 2)[-1], 0),                            # in another order
    (lambda x, m: ops.reshape(x @ m, (1, 4)) * 2, 1),                         # a view, of nothing
    (lambda x, m: (a := x @ m, b := ops.reshape(a, (4,)) * 2, c := a * 3, b[0] + c)[-1], 2),
    (lambda x, m: x[0] * 2, 0),                                               # of what was there
    (lambda x, m: (m * 2) * x, 1)])
def test_a_result_is_written_over_what_nobody_reads_any_more(monkeypatch, step, reused):
    monkeypatch.setattr(optimize, "LARGE", 0)
    x, m = mg.tensor([[1.0, 2.0], [3.0, 4.0]]), mg.tensor([[0.5, 1.0], [-1.0, 0.25]])
    fast = mg.capture(lambda: {"y": step(x, m)}, [x, m])
    assert sum(call.reused is not None for call in fast.program.calls) == reused
    for _ in range(3):
        x.assign(x.data * 2)
        np.testing.assert_array_equal(fast()["y"].numpy(), step(x, m).numpy())


def test_a_result_of_the_step_is_not_written_over(monkeypatch):
    monkeypatch.setattr(optimize, "LARGE", 0)
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]])
    whole = mg.capture(lambda: (y := x @ x, {"y": y, "z": y * 2})[-1], [x])
    view = mg.capture(lambda: (y := x @ x, {"row": y[0], "z": y * 2})[-1], [x])
    assert whole()["y"].numpy().tolist() == [[7, 10], [15, 22]]
    assert view()["row"].numpy().tolist() == [7, 10]
