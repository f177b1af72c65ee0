"""The benchmark suite: pairs, busy machines, missing rivals, floors, results. Nothing is timed."""
from __future__ import annotations

import json
import os
import sys
import types
from collections import Counter

import numpy as np
import pytest

import minigan as mg
from minigan import blocks, nn, plot
from minigan.backend import get_backend
from minigan.bench import (cells, floor, operations, ours, pairs, quiet, rows, sides, steady, suite,
                           worker, workloads)
from minigan.bench.pairs import PATIENCE, Pairs, measure
from minigan.bench.picture import picture
from minigan.bench.quiet import Reading, cores_of_others
from minigan.bench.records import Floor, Timing, Versus
from minigan.bench.table import table
from minigan.cli import main
from minigan.commands import bench
from minigan.streams import Stream

LAYERS = {"seed": 4, "wide28": 7}


# A busy machine.

def test_cores_used_by_others():
    before = Reading(clock=10.0, everybody=100.0, ours=50.0)
    assert cores_of_others(before, Reading(12.0, 104.0, 53.0)) == 0.5
    assert cores_of_others(before, Reading(12.0, 103.0, 53.5)) == 0  # less than none: rounding
    assert cores_of_others(before, Reading(12.0, None, 53.0)) is None


class Machine:
    """Fabricated readings: each turn takes a second; `others` says what else runs, pair by pair."""

    def __init__(self, others):
        self.others, self.reads, self.clock, self.everybody = others, 0, 0.0, 0.0

    def read(self):
        if self.reads % 2:  # the end of a pair of two seconds
            self.clock += 2
            self.everybody += 2 + 2 * self.others[self.reads // 2 % len(self.others)]
        self.reads += 1
        return Reading(self.clock, self.everybody, self.clock)


def test_busy_pairs_are_discarded_and_counted():
    a, b = iter(range(1, 100)), iter(range(2, 200, 2))
    found = measure([lambda: next(a), lambda: next(b)], 3, Machine([0.0, 0.5, 0.09, 0.11]).read)
    assert found.kept == [(1, 2), (3, 6), (5, 10)] and found.discarded == 2 and found.busy == 0
    assert found.others == pytest.approx([0, 0.09, 0])


def test_sides_take_turns():
    order = []
    measure([lambda: order.append("a") or 1.0, lambda: order.append("b") or 1.0], 3,
            Machine([0.0]).read)
    assert "".join(order) == "ababab"


def test_busy_pairs_can_be_kept_and_are_marked():
    found = measure([lambda: 1.0], 4, Machine([0.5, 0.0]).read, keep_busy=True)
    assert len(found.kept) == 4 and (found.busy, found.discarded) == (2, 0)


def test_it_gives_up_on_a_machine_that_stays_busy():
    machine = Machine([1.0])
    found = measure([lambda: 1.0], 5, machine.read)
    assert found.kept == [] and found.discarded == 5 * PATIENCE and machine.reads == 30
    with pytest.raises(ValueError, match="no quiet moment in 15 tries"):
        found.summary()


def test_all_pairs_count_where_busy_time_is_unknown():
    found = measure([lambda: 1.0], 2, lambda: Reading(0.0, None, 0.0))
    assert len(found.kept) == 2 and found.summary().others is None


def test_the_summary_is_medians_and_the_range_of_ratios():
    found = Pairs([(1.0, 2.0), (3.0, 4.0), (9.0, 3.0)], [0.0, 0.05, 0.02], discarded=4)
    assert found.summary() == Timing(pairs=3, ms=3.0, discarded=4, busy=0, others=0.02,
                                     versus=Versus(rival_ms=3.0, ratio=0.75, low=0.5, high=3.0))
    assert Pairs([(1.0,)], [0.0]).summary().versus is None


def test_a_process_is_charged_for_what_it_computes():
    if not os.path.exists("/proc/self/stat"):
        assert quiet.of_process(os.getpid()) == 0
        return
    before = quiet.of_process(os.getpid())
    until = os.times().user + 0.1
    while os.times().user < until:
        sum(range(10_000))
    assert 0.05 < quiet.of_process(os.getpid()) - before < 5
    assert quiet.of_process(2 ** 22 + 1) == 0  # no such process


# Workloads and their floor.

@pytest.mark.parametrize("name, words", [
    ("gan", "workload is model:preset"), ("gan:no", "'gan:no' is unknown"), ("x:seed", "unknown"),
    ("cgan:conv", "cgan is not measured"), ("gan:seed+plain", "no penalty to leave out")])
def test_unknown_workloads_are_refused(name, words):
    with pytest.raises(ValueError, match=words):
        workloads.split(name)


def test_a_workload_holds_the_random_numbers_of_the_first_steps():
    workload = workloads.prepare("dcgan:keras28", 3)
    model = workloads.build("dcgan:keras28")
    np.testing.assert_array_equal(model.latent(3).numpy(), workload.noise[0])
    np.testing.assert_array_equal(model.latent(3).numpy(), workload.noise[1])
    assert len(workload.kept) == workloads.CHECKED * 3 * 2 and workload.epsilon == []
    first = Stream(workloads.SEED, "dropout").uniform((3, 14, 14, 64)) >= 0.3
    np.testing.assert_array_equal(workload.kept[0], first)
    assert workload.images.shape == (workloads.BATCHES, 3, 28, 28, 1)
    weights = [layer.weight for layer in workload.generator if layer.weight is not None]
    ours = [p.numpy() for p in model.generator.parameters() if p.role == "weight"]
    assert all((a == b).all() for a, b in zip(weights, ours, strict=True))


def test_a_workload_describes_the_geometry():
    workload = workloads.prepare("dcgan:keras28", 2)
    transposed = [x for x in workload.generator if x.kind == "ConvTranspose2d"]
    assert [t.pads for t in transposed] == [((2, 2), (2, 2))] + 2 * [((1, 2), (1, 2))]
    assert [t.out_size for t in transposed] == [(7, 7), (14, 14), (28, 28)]
    assert workloads.prepare("wgan-gp:seed", 2).penalty == 10
    assert workloads.prepare("wgan-gp:seed+plain", 2).penalty == 0


def test_layers_unknown_to_rivals_are_refused():
    with pytest.raises(ValueError, match="does not know the layer Sigmoid"):
        workloads.describe(nn.Sequential(nn.Sigmoid()), mg.tensor([[1.0]]))
    assert "does not know the layer" in workloads.prepare("gan:paper", 2).unknown
    assert workloads.prepare("gan:seed", 2).unknown is None


def test_our_side_is_timed_even_if_rivals_do_not_know_a_layer():
    plan = suite.Plan(1, pairs=1, turn=0.001, keep_busy=True)
    own, rival = suite.steps(["gan:paper"], [2], ["minigan", "torch"], plan)
    assert own.timing.ms > 0 and "a rival does not know the layer" in rival.missing


def products_of(name, batch):
    step = ours.build(workloads.prepare(name, batch), "numpy")
    return floor.products(step.eager)


def test_the_products_of_a_dense_step_are_those_counted_by_hand():
    """G once, D three times, D's weights twice; then back through D and G, weights of G only."""
    n = 5
    assert products_of("gan:seed", n) == Counter({
        (n, 100, 128): 1,                                  # G's first layer
        (n, 128, 784): 1 + 1,                              # G's second; from D back to the image
        (n, 784, 128): 3 + 1, (n, 128, 1): 3,              # D(x), D(fake) twice; back through G
        (784, n, 128): 2, (128, n, 1): 2,                  # D's weights, for x and for fake
        (n, 1, 128): 3,                                    # back through D's last
        (128, n, 784): 1, (100, n, 128): 1})               # G's weights


def test_the_products_of_a_convolutional_step_are_those_counted_by_hand():
    n, a, b = 3, 14 * 14, 7 * 7                            # pixels of the two resolutions
    found = products_of("dcgan:wide28", n)
    assert found == Counter({
        (n, 100, 6272): 1, (100, n, 6272): 1,              # G's dense layer, and its weights
        (n * b, 128, 1024): 1 + 3,                         # G's 128 -> 64; back through D's second
        (n * a, 64, 16): 1 + 1,                            # G's 64 -> 1; from D back to the image
        (n * a, 16, 64): 3 + 1,                            # D's first layer; back through G's last
        (n * b, 1024, 128): 3 + 1,                         # D's second; back through G's first
        (n, 6272, 1): 3, (n, 1, 6272): 3, (6272, n, 1): 2,  # D's last, its input's and weights'
        (16, n * a, 64): 2 + 1, (1024, n * b, 128): 2 + 1})  # weights of D, twice, and of G
    assert floor.work(Counter({(2, 3, 4): 5})) == 2 * 2 * 3 * 4 * 5


def test_the_products_of_batched_and_transposed_factors():
    assert floor.shapes("matmul", [(7, 2, 3), (7, 3, 4)], {}) == [(2, 3, 4)] * 7
    assert floor.shapes("matmul", [(3, 2), (4, 3)], {"ta": True, "tb": True}) == [(2, 3, 4)]
    assert floor.shapes("exp", [(3, 2)], {}) == []


def test_the_floor_is_the_sum_of_its_products(monkeypatch):
    monkeypatch.setattr(floor, "time_of", lambda product: {64: 0.5, 2048: 2.0}[product[0]])
    found = floor.measure(Counter({(64, 10, 10): 3}), 1)
    assert found == Floor(floor_ms=1500, floor_gflops=2 * 64 * 100 * 3 / 1.5 / 1e9,
                          square_gflops=2 * 2048 ** 3 / 2 / 1e9)


def test_a_product_is_timed_by_the_median(monkeypatch):
    clock = iter([0.0, 1.0, 1.0, 6.0, 6.0, 8.0])
    monkeypatch.setattr(floor.time, "perf_counter", lambda: next(clock))
    assert floor.time_of((2, 2, 2)) == 2.0  # of 1, 5 and 2


# minigan's own side.

def test_a_penalty_can_be_left_out():
    full, plain = (ours.build(workloads.prepare(name, 4), "numpy")
                   for name in ("wgan-gp:seed", "wgan-gp:seed+plain"))
    assert len(full(0)) == 2 and len(plain(0)) == 1
    assert ours.value(full(1)[0]) != ours.value(plain(1)[0])  # the same at first, updated otherwise


@pytest.mark.parametrize("name", ["gan:seed", "wgan-gp:seed", "wgan-gp:seed+plain"])
def test_captured_steps_have_the_losses_of_eager_ones(name):
    workload = workloads.prepare(name, 4)
    eager, captured = (ours.build(workload, form) for form in ("numpy", "numpy captured"))
    losses = [[[ours.value(loss) for loss in step(i)] for i in range(6)]
              for step in (eager, captured)]
    assert losses[0] == losses[1] and captured.fast and not eager.fast
    assert len({tuple(row) for row in losses[0]}) == 6


@pytest.mark.parametrize("which", operations.PASSES)
@pytest.mark.parametrize("case", ["dense 784 to 128", "conv 3x3 14x14x48 to 48",
                                  "layer norm 7x7x128"])
def test_single_ops_compute_what_their_pass_says(case, which):
    workload = operations.prepare(case, which, 2)
    found = ours.build(workload, "numpy")(0)
    inputs = [x.shape for x in workload.inputs]
    assert [y.shape for y in found] == {
        "forward": [workload.cotangent.shape], "backward": inputs,
        "double": [*inputs, workload.cotangent.shape]}[which]
    assert ours.value(found[-1]) > 0


def test_the_gpu_is_timed_by_its_own_events():
    """On the stand-in, with events that read a made-up clock."""
    clock = iter([10.0, 25.5])

    class Event:
        def record(self):
            self.at = next(clock)
            order.append("record")

        def synchronize(self):
            order.append("wait")

    order = []
    xp = types.SimpleNamespace(device="stand-in", cuda=types.SimpleNamespace(
        Event=Event, get_elapsed_time=lambda a, b: b.at - a.at))
    assert ours.device_seconds(xp, lambda: order.append("job")) == pytest.approx(0.0155)
    assert order == ["record", "job", "record", "wait"]
    assert ours.device_seconds(get_backend("numpy"), lambda: order.append("job")) >= 0
    assert order[-1] == "job"


def test_a_step_runs_on_the_device(monkeypatch):
    import stand_in  # noqa: F401 registers the device

    import minigan
    with minigan.use("stand-in"):
        step = ours.build(workloads.prepare("gan:seed", 2), "stand-in")
        losses = step(0)
        assert {loss.device for loss in losses} == {"stand-in"}
        assert all(np.isfinite(ours.value(loss)) for loss in losses)
        assert ours.floor_of(step, 1) is None


# The worker, in this process.

class Fake:
    """A side whose steps count."""

    def __init__(self, **more):
        self.__dict__.update(more, made=[], value=float)

    def start(self, form, threads):
        return {"fake": f"{form} {threads}"}

    def build(self, workload, form):
        return lambda i: self.made.append(i) or (i, workload == "what is pickled")


def serve(monkeypatch, capsys, tmp_path, requests, side):
    import io
    import pickle
    (tmp_path / "workload").write_bytes(pickle.dumps("what is pickled"))
    monkeypatch.setattr(worker, "load_module", lambda name: side)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(requests)))
    out = sys.stdout
    worker.main({"module": "fake", "form": "f", "workload": str(tmp_path / "workload"),
                 "threads": 2, "checked": 3})
    monkeypatch.setattr(sys, "stdout", out)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_worker_serves(monkeypatch, capsys, tmp_path):
    side = Fake()
    begun, seconds, memory, ground = serve(monkeypatch, capsys, tmp_path,
                                           ["steps 4", "memory", "floor"], side)
    assert begun["losses"] == [[0, 1], [1, 1], [2, 1]] and begun["versions"] == {"fake": "f 2"}
    assert side.made == list(range(7)) and 0 < seconds < 60 and ground is None
    assert memory["device"] is None and memory["peak"] >= 0
    assert sys.platform != "linux" or memory["peak"] > 1e6 and begun["level"] > 1e6


def test_a_worker_uses_the_clock_of_its_side(monkeypatch, capsys, tmp_path):
    side = Fake(seconds=lambda job: job() or 12.5)
    assert serve(monkeypatch, capsys, tmp_path, ["steps 2"], side)[1] == 12.5
    assert side.made == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("error, words", [
    (NotImplementedError("no\n double backward"), "no double backward"),
    (ImportError("No module named 'thing'"), "No module named 'thing'"),
    (KeyError("x"), "KeyError: 'x'")])
def test_a_worker_says_why_it_cannot(monkeypatch, capsys, tmp_path, error, words):
    def fail(load, form):
        raise error
    assert serve(monkeypatch, capsys, tmp_path, [], Fake(build=fail)) == [{"missing": words}]


# Rivals in processes of their own.

RIVAL = """
def start(form, threads): return {"rival": "1"}
value = float
"""


@pytest.fixture
def rivals(tmp_path):
    """A folder in which `by_hand.py` can be written."""
    folder = tmp_path / "rivals"
    folder.mkdir()
    return folder


def cell(folder, body):
    (folder / "by_hand.py").write_text(RIVAL + body)
    return cells.Cell("by-hand", workloads.prepare("gan:seed", 2), 1, folder)


def test_a_cell_is_a_process_that_runs_steps(rivals):
    with cell(rivals, "def build(load, form):\n"
                      "    import sys, os\n"
                      "    assert 'minigan' not in sys.modules\n"
                      "    assert os.environ['OPENBLAS_NUM_THREADS'] == '1'\n"
                      "    print('chatter')\n"
                      "    return lambda i: (i,)") as found:
        assert found.losses == [[0], [1], [2], [3], [4]] and found.versions == {"rival": "1"}
        assert found.seconds(3) > 0 and found.memory().device_mb is None
        assert found.pid != os.getpid()
    assert found.process.returncode == 0


@pytest.mark.parametrize("body, words", [
    ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
    ("def build(load, form): raise NotImplementedError('dense only')", "^dense only$"),
    ("import os, sys\nprint('last words', file=sys.stderr)\nos._exit(3)", "status 3: last words"),
    ("def build(load, form): return lambda i: 1 / 0", "ZeroDivisionError")])
def test_a_missing_rival_has_a_reason(rivals, body, words):
    with pytest.raises(cells.Missing, match=words):
        cell(rivals, body)


def test_a_missing_rival_file_says_to_clone(rivals):
    with pytest.raises(cells.Missing, match="clone minigan .* --rivals"):
        cells.Cell("torch", workloads.prepare("gan:seed", 2), 1, rivals)


def test_rivals_are_where_a_clone_has_them():
    if not sides.RIVALS.is_dir():
        pytest.skip("an installed copy has no benchmarks")
    for name, side in sides.SIDES.items():
        assert side.module.startswith("minigan.") or (sides.RIVALS / side.module).is_file(), name


# Losses.

def told(*losses):
    return types.SimpleNamespace(side="one", losses=[list(step) for step in losses])


def test_other_losses_are_another_computation():
    steps = told((1.0, 100.0), (1.0, 2.0))
    assert suite.check_losses(steps, told((1.0, 100.01), (1.0, 2.0))) == pytest.approx(1e-4)
    assert suite.check_losses(steps, told((1.0, 100.0), (1.0, 2.0004))) == pytest.approx(2e-4)
    with pytest.raises(ValueError, match="differ by 3.0e-03 in step 2"):
        suite.check_losses(steps, told((1.0, 100.0), (1.0, 2.006)))
    for other in ((1.01, 2.0), (float("nan"), 2.0)):
        with pytest.raises(ValueError, match="one does not compute what one does"):
            suite.check_losses(told((1.0, 2.0)), told(other))
    with pytest.raises(ValueError, match="other results"):
        suite.check_losses(told((1.0,)), told((1.0, 2.0)))


@pytest.mark.parity
@pytest.mark.parametrize("name, form", [
    ("gan:seed", "plain"), ("gan:seed", "tuned"), ("wgan-gp:seed", "plain"),
    ("wgan-gp:seed+plain", "plain"), ("dcgan:wide28", "plain"), ("wgan-gp:wide28", "tuned"),
    ("dcgan:keras28", "plain"), (workloads.UNLISTED, "tuned")])
def test_pytorch_computes_the_same(name, form, monkeypatch):
    pytest.importorskip("torch")
    if not sides.RIVALS.is_dir():
        pytest.skip("an installed copy has no benchmarks")
    monkeypatch.syspath_prepend(str(sides.RIVALS))
    import pytorch
    pytorch.start(form, 1)
    workload = workloads.prepare(name, 2)
    mine, theirs = ours.build(workload, "numpy"), pytorch.build(cells.for_rivals(workload), form)
    found = [told(*[[side.value(loss) for loss in step(i)] for i in range(workloads.CHECKED)])
             for side, step in ((ours, mine), (pytorch, theirs))]
    assert suite.check_losses(*found) < 0.01  # and step by step


@pytest.mark.parity
@pytest.mark.parametrize("which", operations.PASSES)
def test_pytorch_computes_the_same_ops(which, monkeypatch):
    pytest.importorskip("torch")
    if not sides.RIVALS.is_dir():
        pytest.skip("an installed copy has no benchmarks")
    monkeypatch.syspath_prepend(str(sides.RIVALS))
    import pytorch
    for case in operations.CASES:
        workload = operations.prepare(case, which, 2)
        built = [ours.build(workload, "plain"), pytorch.build(cells.for_rivals(workload), "plain")]
        found = [[side.value(y) for y in step(0)] for side, step in zip((ours, pytorch), built)]
        assert found[0] == pytest.approx(found[1], rel=1e-3), case


@pytest.mark.parametrize("name", ["autograd", "by-hand"])
def test_other_rivals_compute_the_same(name, monkeypatch):
    if not sides.RIVALS.is_dir():
        pytest.skip("an installed copy has no benchmarks")
    if name == "autograd":
        pytest.importorskip("autograd")
    monkeypatch.syspath_prepend(str(sides.RIVALS))
    rival = __import__(sides.SIDES[name].module.removesuffix(".py"))
    for known in ("gan:seed", "wgan-gp:seed")[:2 if name == "autograd" else 1]:
        workload = workloads.prepare(known, 4)
        mine = ours.build(workload, "numpy")
        theirs = rival.build(cells.for_rivals(workload), "plain")
        for i in range(workloads.CHECKED):
            assert [float(x) for x in theirs(i)] == pytest.approx(
                [ours.value(x) for x in mine(i)], abs=1e-5)


# Reports.

def flat(rival=None, workload="gan:seed", **more):
    """A row as it is written."""
    base = {"workload": workload, "batch": 64, "side": "minigan", "rival": rival, "processor": "P",
            "threads": 2, "blas": "B", "python": "3", "pairs": 21, "discarded": 1, "busy": 0,
            "others": 0.02, "ms": 2.0}
    if rival:
        base.update(ratio=0.8, low=0.7, high=0.9, rival_ms=2.5, rival_above_mb=100.0,
                    versions={rival: "9.9"})
    else:
        base.update(above_mb=8.0, floor_ms=1.0, floor_gflops=90.0, square_gflops=150.0)
    return {**base, **more}


def result(*names, **more):
    """The same as a record."""
    return rows.from_json(flat(*names, **more))


def unmeasured(missing, *names, **more):
    """A row of what could not be measured."""
    row = flat(*names, **more)
    gone = ("ms", "pairs", "discarded", "busy", "others", "ratio", "low", "high", "rival_ms",
            "rival_above_mb")
    return rows.from_json({**{key: row[key] for key in row if key not in gone},
                           "missing": missing})


def test_rows_are_added_line_by_line_and_read_again(tmp_path):
    path = tmp_path / "new" / "rows.jsonl"
    for row in (result(), result("torch")):
        rows.append(row, path)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [flat(), flat("torch")]
    assert rows.read(path) == [result(), result("torch")]
    path.write_text(path.read_text() + "half a row {\n")
    with pytest.raises(ValueError, match="line 3 is not a row written by `minigan bench`"):
        rows.read(path)


def test_rows_of_every_kind_are_written_as_they_were_read():
    kinds = [flat(), flat("torch", device_mb=3.0), flat("torch", rival_device_mb=3.0),
             flat(first_step_ms=812.0, import_ms=420.0, numpy_import_ms=90.0), dict(LONG_RUN)]
    kinds[3].pop("ms")
    for kind in kinds:
        assert rows.to_json(rows.from_json(kind)) == kind


def test_committed_results_are_read_and_written_with_their_keys():
    if not sides.RIVALS.is_dir():
        pytest.skip("an installed copy has no benchmarks")
    for name in ("steps", "batches", "unlisted", "ops", "overhead", "start", "flat"):
        path = sides.RIVALS.parent / "results" / f"{name}.jsonl"
        written = [json.loads(line) for line in path.read_text().splitlines()]
        again = [rows.to_json(row) for row in rows.read(path)]
        names = {"side", "rival"}  # which have the present names
        for before, after in zip(written, again, strict=True):
            assert {k: v for k, v in before.items() if k not in names} == {
                k: v for k, v in after.items() if k not in names}


def test_the_table_has_a_row_a_workload_and_reasons_under_it():
    found = [result(), result("torch"), unmeasured("no such package", "jax"),
             result(workload="dcgan:wide28", busy=3), result("torch", "dcgan:wide28", ratio=1.25)]
    lines = table(found).splitlines()
    assert lines[0] == ("| workload | batch | minigan, ms | floor, ms | minigan / torch | "
                        "minigan / jax | MB above import |")
    assert lines[2] == ("| gan:seed | 64 | 2 | 1 (50%) | 0.80 (0.70 to 0.90) | - | "
                        "8, torch 100 |")
    assert lines[3].startswith("| dcgan:wide28 | 64 | 2* | 1 (50%) | 1.25 (0.70 to 0.90) |  |")
    text = "\n".join(lines)
    for words in ("-: jax: no such package", "threads: 2", "torch 9.9", "21 pairs", "4 pairs disc",
                  "150 GFLOP/s", "*: measured while"):
        assert words in text


def test_a_later_row_replaces_an_earlier_one():
    assert "0.66" in table([result(), result("torch"), result("torch", ratio=0.66)])
    assert len(rows.latest([result("torch"), result("torch"), result("torch", batch=16)])) == 2


def test_old_results_are_read_under_the_present_names(tmp_path):
    """minigan's sides were once named after their backends."""
    path = tmp_path / "old.jsonl"
    before = (flat(), flat("torch"), flat("numpy+plain"), flat("numpy-eager"))
    path.write_text("".join(json.dumps({**row, "side": "numpy"}) + "\n" for row in before))
    found = rows.read(path)
    assert {row.side for row in found} == {"minigan"}
    assert [row.rival for row in found] == [None, "torch", "minigan+plain", "minigan-eager"]
    if sides.RIVALS.is_dir():
        kept = rows.read(sides.RIVALS.parent / "results" / "steps.jsonl")
        assert {row.side for row in kept} == {"minigan"}


def test_a_shared_reason_is_printed_once():
    gone = "No module named 'torch'"
    found = [row for name in ("gan:seed", "dcgan:wide28") for row in (
        result(workload=name), unmeasured(gone, "torch", name),
        unmeasured(gone, "torch-tuned", name))]
    notes = [line for line in table(found).splitlines() if line.startswith("-:")]
    assert notes == ["-: torch, torch-tuned: No module named 'torch'"]


def test_the_picture_shows_every_ratio():
    figure = picture([result(), result("torch"), result("jax", ratio=1.9, low=1.5, high=2.0)])
    assert (plot.pixels(figure) < 250).any(axis=2).sum() > 3000
    dots = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert dots == [0.8, 1.9] and picture([result()]) is None


LONG_RUN = {"workload": "gan:seed", "batch": 64, "side": "minigan", "rival": None, "steps": 2,
            "at": [1, 2], "ms_of_blocks": [1.0, 1.1], "mb_of_blocks": [50.0, 50.0],
            "others_of_blocks": [0.0, 0.0], "time_growth": 1.1, "memory_growth_mb": 0.0}


def test_long_runs_and_starts_have_tables_of_their_own():
    run = rows.from_json(LONG_RUN)
    assert "| gan:seed | 2 | 1.1 | 1.100 | 0.0 |" in table([run])
    axes = picture([run]).axes
    assert [len(ax.lines) for ax in axes] == [1, 1] and {ax.get_ylim()[0] for ax in axes} == {0}
    start = result(first_step_ms=812.0, import_ms=420.0, numpy_import_ms=90.0)
    assert "| gan:seed | 90 | 420 | 812 |" in table([start])


# Modes, with tiny budgets.

def test_a_suite_of_two_sides(rivals):
    (rivals / "by_hand.py").write_text(RIVAL + "def build(load, form):\n"
                                       "    return lambda i: (1.0, 2.0)")
    plan = suite.Plan(1, pairs=1, turn=0.001, keep_busy=True, rivals=rivals)
    first, wrong, absent = suite.steps(["gan:seed"], [2], ["minigan", "by-hand", "torch"], plan)
    assert first.timing.ms > 0 and first.memory.above_mb >= 0 and 0 < first.floor.floor_ms
    assert first.versions["numpy"] == np.__version__ and first.facts.threads == 1
    assert "does not compute what minigan does" in wrong.missing and "clone" in absent.missing


def test_the_overhead_of_a_penalty():
    plan = suite.Plan(1, pairs=1, turn=0.001, keep_busy=True)
    row, = suite.overhead(["wgan-gp:seed"], 2, ["minigan"], plan)
    assert row.rival == "minigan+plain" and row.versus.ratio > 0
    assert "minigan: penalty / plain" in table([row])


def test_a_long_run_in_blocks(monkeypatch):
    monkeypatch.setattr(steady, "BLOCKS", 4)
    row, = steady.flat(["gan:seed"], 2, "minigan", 8, suite.Plan(1, pairs=1))
    run = row.long_run
    assert run.at == [2, 4, 6, 8] and min(run.ms_of_blocks) > 0
    assert run.time_growth == run.ms_of_blocks[3] / run.ms_of_blocks[1]
    assert run.memory_growth_mb == run.mb_of_blocks[3] - run.mb_of_blocks[0] >= 0


def test_a_start_is_timed_from_a_new_process():
    row, = steady.start(["gan:seed"], 2, suite.Plan(1, pairs=1, keep_busy=True))
    assert 0 < row.start.numpy_import_ms < row.start.import_ms < row.timing.ms


# The command.

def test_the_command_measures_prints_and_draws(tmp_path, capsys):
    out = tmp_path / "found"
    assert main(["bench", "gan:seed", "--on", "minigan", "--threads", "1", "--batch-size", "2",
                 "--pairs", "1", "--turn", "0.001", "--keep-busy", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "1 thread each, 1 pair a cell" in said and "| gan:seed | 2 |" in said
    assert [row.workload for row in rows.read(tmp_path / "found.jsonl")] == ["gan:seed"]


def test_missing_rivals_are_named_once(tmp_path, capsys):
    (tmp_path / "rivals").mkdir()
    for on, status in (("minigan,torch,jax", 0), ("torch,jax", 1)):
        assert main(["bench", "gan:seed", "dcgan:small", "--on", on, "--threads", "1",
                     "--batch-size", "2", "--pairs", "1", "--turn", "0.001", "--keep-busy",
                     "--rivals", str(tmp_path / "rivals"), "--out", str(tmp_path / on)]) == status
        said = capsys.readouterr().out
        assert said.count("pytorch.py is not there") == 1 + (status == 1) * 2, said
        assert said.count("jax_jit.py is not there") == (status == 0)


def test_a_quiet_command_prints_the_table_only(tmp_path, capsys):
    assert main(["bench", "gan:seed", "--on", "minigan", "--threads", "1", "--batch-size", "2",
                 "--pairs", "1", "--turn", "0.001", "--keep-busy", "--quiet", "--out",
                 str(tmp_path / "found")]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("| workload | batch |") and said.err == ""


def test_the_command_shows_a_file(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    rows.append(result("torch"), path)
    assert main(["bench", "--show", str(path)]) == 0
    assert "0.80 (0.70 to 0.90)" in capsys.readouterr().out and (tmp_path / "rows.png").exists()


@pytest.mark.parametrize("arguments, words", [
    (["--on", "minigan,tensorflow"], "'tensorflow' is unknown; known are minigan, minigan-eager"),
    (["--on", "numpy,numpy"], "each once"), (["gan:none"], "workload 'gan:none' is unknown"),
    (["--batch-size", "1"], "--batch-size must be whole numbers of 2 or more"),
    (["--batch-size", "16,x"], "--batch-size must be"),
    (["--turn", "0"], "--turn: must be above 0"),
    (["--rivals", "nowhere"], "--rivals must be a folder"),
    (["--overhead", "gan:seed"], "gan has no penalty"),
    (["--ops", "dense", "gan:seed"], "unrecognized|--ops"),
    (["--batch-size", "2,4", "--start"], "only training steps take several"),
    (["--show", "nowhere.jsonl"], "nowhere.jsonl: no such file")])
def test_bad_input_is_one_sentence_and_nothing_is_written(arguments, words, tmp_path, capsys,
                                                          monkeypatch):
    monkeypatch.chdir(tmp_path)
    import re
    try:
        status = main(["bench", *arguments])
    except SystemExit as ended:
        status = ended.code
    said = capsys.readouterr()
    assert status == 2 and len(said.err.splitlines()) == 1 and re.search(words, said.err), said.err
    assert said.out == "" and not list(tmp_path.iterdir())


def test_a_row_as_a_line():
    assert bench.progress(result("torch")) == (
        "gan:seed, batch 64, minigan / torch: 0.800 (0.70 to 0.90), 2 / 2.5 ms (21 pairs, "
        "1 discarded)")
    assert bench.progress(unmeasured("why", "jax")).endswith("jax: - (why)")
    assert bench.progress(result()).endswith("2 ms, floor 1 ms, 8 MB (21 pairs, 1 discarded)")


def test_profile_prints_a_table_and_draws(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["profile", "wgan-gp", "--preset", "seed", "--batch-size", "4", "--steps", "2",
                 "--threads", "1"]) == 0
    said = capsys.readouterr().out
    assert "wgan-gp seed, 4 images of 28x28x1" in said and "affine" in said and "Adam.step" in said
    assert (tmp_path / "runs" / "profile-wgan-gp-seed.png").exists()
    assert blocks.current.get().hooks == ()
    assert main(["profile", "nothing"]) == 2
    assert "model 'nothing' is unknown" in capsys.readouterr().err


def test_pairs_and_patience_are_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    assert f"after {pairs.PATIENCE} times as many" in " ".join(capsys.readouterr().out.split())
