"""The profiler: its rows add up, memory is counted once, and the hook always leaves."""
from __future__ import annotations

import time

import numpy as np
import pytest

import minigan as mg
from minigan import blocks, ops, plot
from minigan.commands.profile import timed_optimizers
from minigan.profiler import OUTSIDE, Cost, Row, folded, profile


def rows_of(found):
    return {row.name: row for row in found.rows()}


def calls(row):
    return [row.forward.calls, row.backward.calls]


def seconds(row):
    return [row.forward.seconds, row.backward.seconds]


def made(row):
    return [row.forward.made, row.backward.made]


def held(row):
    return [row.forward.held, row.backward.held]


def test_the_rows_add_up_to_the_clock():
    model = mg.models.WGANGP("seed")
    x = mg.tensor(np.zeros((8, 28, 28, 1), "float32"))
    began = time.perf_counter()
    with profile() as found, timed_optimizers(found, model):
        model.critic_step(x)
    around = time.perf_counter() - began
    rows = found.rows()
    assert sum(row.seconds for row in rows) == pytest.approx(found.seconds, rel=1e-9)
    assert 0 < found.seconds <= around
    assert rows[-1].name == OUTSIDE and 0 < rows[-1].seconds < found.seconds
    seconds = [row.seconds for row in rows[:-1]]
    assert seconds == sorted(seconds, reverse=True)
    assert calls(rows_of(found)["Adam.step"]) == [1, 0] and not rows_of(found)["Adam.step"].is_op


def test_calls_are_those_of_the_hook_forward_and_backward():
    w = mg.tensor(np.ones((3, 2)), requires_grad=True)
    x = mg.tensor(np.ones((4, 3)))
    with profile() as found:
        mg.grad(ops.sum(ops.square(x @ w)), w)
    rows = rows_of(found)
    assert calls(rows["matmul"]) == [1, 1]  # x @ w, and x.T @ gy
    assert calls(rows["square"]) == [1, 2]  # its rule: gy * x * 2
    assert "multiply" not in rows          # what a rule calls is counted for its op


def test_time_is_counted_once_and_where_it_is_spent(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(clock)))
    with profile() as found:           # 0
        with found.timed("outer"):     # 1
            with found.timed("inner"):  # 2, 3
                pass
        # 4, and 5 at the end
    rows = rows_of(found)
    assert seconds(rows["inner"]) == [1, 0] and seconds(rows["outer"]) == [2, 0]
    assert found.seconds == 5 and seconds(rows[OUTSIDE]) == [2, 0]


def test_memory_is_that_of_results_and_views_are_free():
    x = mg.tensor(np.ones((100, 10)))
    with profile() as found:
        a = ops.square(x)                      # 8,000 bytes, kept
        b = ops.reshape(a, (10, 100))          # a view
        for _ in range(3):
            ops.exp(x)                         # 8,000 bytes, freed at once
        ops.reshape(x, (1000,))                # a view of what was there before
    rows = rows_of(found)
    assert made(rows["square"]) == [8000, 0] and made(rows["exp"]) == [24000, 0]
    assert made(rows["reshape"]) == [0, 0] and b.shape == (10, 100)
    assert found.peak == 16000
    assert sum(row.held for row in found.rows()) == found.peak
    assert held(rows["exp"]) == held(rows["square"]) == [8000, 0]


def test_what_backward_holds_is_told_apart():
    x = mg.tensor(np.ones(1000), requires_grad=True)
    with profile() as found:
        kept = mg.grad(ops.sum(ops.exp(x)), x, create_graph=True)
    assert kept.shape == (1000,) and held(rows_of(found)["exp"])[1] == 8000


def test_sums_and_copies_of_gradients_are_backward_but_not_rules():
    x = mg.tensor(np.ones((2, 3)), requires_grad=True)
    y = ops.sum(ops.exp(x) + ops.reshape(ops.reshape(x, (6,)), (2, 3)))
    z = ops.sum(ops.reshape(x, (6,)))
    with profile() as found:
        mg.grad(y, x)
    rows = rows_of(found)
    assert calls(rows["add"]) == [0, 1] and calls(rows["exp"]) == [0, 1]
    assert calls(rows["reshape"]) == [0, 2]
    with profile() as found:
        mg.grad(z, x)
    rows = rows_of(found)
    assert calls(rows["reshape"]) == [0, 1] and calls(rows["multiply"]) == [0, 1]


def test_the_hook_leaves_after_an_exception_and_the_time_is_there():
    with pytest.raises(ZeroDivisionError), profile() as found:
        ops.exp(mg.tensor([1.0]))
        1 / 0
    assert blocks.current.get().hooks == ()
    assert found.seconds > 0 and calls(rows_of(found)["exp"]) == [1, 0]
    with pytest.raises(ValueError), profile() as found:
        mg.tensor(np.ones(2)) + mg.tensor(np.ones(3))
    assert blocks.current.get().hooks == () and calls(rows_of(found)["add"]) == [1, 0]


def test_optimizers_are_timed_only_inside():
    model = mg.models.GAN("mlp")
    with profile() as found, timed_optimizers(found, model):
        assert "step" in vars(model.g_optimizer) and "update" in vars(model.ema)
        model.step(mg.tensor(np.zeros((4, 28, 28, 1), "float32")))
    assert "step" not in vars(model.g_optimizer) and "update" not in vars(model.ema)
    rows = rows_of(found)
    assert calls(rows["Adam.step"]) == [2, 0] and calls(rows["EMA.update"]) == [1, 0]


def row(name, ms):
    return Row(name, Cost(ms, 1, 10, 1), Cost(ms, 2, 0, 1))


def test_small_rows_are_one_row_and_nothing_is_lost():
    rows = [row("a", 5), row("b", 3), row("c", 2), row("d", 1), row(OUTSIDE, 1)]
    few = folded(rows, 3)
    assert [r.name for r in few] == ["a", "b", "2 others", OUTSIDE]
    assert few[2] == Row("2 others", Cost(3, 2, 20, 2), Cost(3, 4, 0, 2))
    assert sum(r.seconds for r in few) == sum(r.seconds for r in rows)
    assert folded(rows, 4) == rows


def test_the_table_and_the_picture_show_a_step():
    x = mg.tensor(np.ones((50, 20)), requires_grad=True)
    with profile() as found:
        for _ in range(4):
            mg.grad(ops.sum(ops.tanh(x)), x)
    lines = found.table(repeats=4).splitlines()
    cells = next(line.split() for line in lines if line.startswith("tanh"))
    assert cells[1] == "1" and float(cells[3]) == pytest.approx(
        rows_of(found)["tanh"].forward.seconds / 4 * 1e3, abs=1e-3)
    assert lines[-1].split()[2] == f"{found.seconds / 4 * 1e3:.3f}"
    figure = found.picture("Title", "Caption", repeats=4)
    assert (plot.pixels(figure) < 250).any(axis=2).sum() > 5000
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert sum(widths) == pytest.approx(found.seconds / 4 * 1e3)


def test_the_stand_in_is_waited_for():
    from stand_in import counted
    with mg.use("stand-in"), counted() as counts:
        x = mg.tensor([1.0, 2.0])
        with profile() as found:
            ops.exp(ops.exp(x))
    assert counts["synchronize"] == 2 and calls(rows_of(found)["exp"]) == [2, 0]


def convolutions_profiled():
    x = mg.tensor(np.ones((4, 8, 8, 3), "float32"))
    w = mg.tensor(np.ones((4, 4, 3, 5), "float32"), requires_grad=True)
    with profile() as found:
        for _ in range(2):
            mg.grad(ops.sum(ops.conv2d(x, w, stride=2, padding=1)), w)
    return found


def test_convolutions_are_counted_for_their_plans():
    found = convolutions_profiled()
    rows = found.convolutions()
    assert {(row.plan.kind, row.plan.label): row.calls for row in rows} == {
        ("conv2d", "PATCHES"): 2, ("conv2d_weight", "PATCHES"): 2}
    assert all(row.seconds > 0 for row in rows)
    backward = rows_of(found)["conv2d"].backward.seconds
    weight = next(row for row in rows if row.plan.kind == "conv2d_weight")
    assert weight.seconds == pytest.approx(backward)


def test_the_table_and_the_picture_say_which_form_each_convolution_took():
    found = convolutions_profiled()
    head, *rows, _, legend = found.convolutions_table(repeats=2).splitlines()
    assert head.split() == ["convolution", "sizes", "form", "calls", "ms", "share"]
    line = next(row for row in rows if row.startswith("conv2d "))
    assert "8x8x3 -> 4x4x5, 4x4 stride 2" in line and line.split()[-4:-2] == ["PATCHES", "1"]
    assert legend == "PATCHES: a product with patch rows (im2col)"
    short = found.convolutions_table(repeats=2, limit=1).splitlines()
    assert short[2].startswith("1 others") and len(short) == 5
    figure = found.picture("Title", "Caption.")
    assert "Convolutions, by form: PATCHES 100 % of their time." in " ".join(
        text.get_text().replace("\n", " ") for text in figure.texts)
    with profile() as without:
        ops.exp(mg.tensor([1.0]))
    assert without.convolutions_table() == ""
