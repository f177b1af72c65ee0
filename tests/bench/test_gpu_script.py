"""benchmarks/gpu.py as far as it goes without a GPU: its table, its time limits, its rivals."""
from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from emulated import emulated
from project import ROOT

import minigan as mg
from minigan.nn import count_parameters

FOLDER = ROOT / "benchmarks"
sys.path.insert(0, str(FOLDER))
gpu = __import__("gpu")
from on_gpu import questions, speed, timing  # noqa: E402
from on_gpu.workloads import WORKLOADS  # noqa: E402


def row(side, form, ms, workload="gan:seed", batch=64, precision="fp32"):
    return {"kind": "speed", "side": side, "workload": workload, "batch": batch, "ms": ms,
            "precision": precision, "form": form}


def test_the_table():
    rows = [{"kind": "facts", "device": "x"}, row("minigan", "captured", 0.1),
            row("minigan", "eager", 2.0), row("pytorch", "eager", 1.0),
            row("pytorch", "graph", 0.125), row("cpu", "eager", 2.5),
            {**row("pytorch", "graph", 0), "workload": "dcgan:wide28", "failed": "out of memory"},
            row("minigan", "captured", 4.0, "dcgan:torch64", 256, "tf32")]
    lines = gpu.table(rows).splitlines()
    assert lines[2] == ("| gan:seed | 64 | fp32 | 0.100 | 2.000 | 1.000 | 0.125 | 0.10 (0.25) | "
                        "0.80 (1) | 1.6 | 25.00 |")
    assert lines[3] == ("| dcgan:torch64 | 256 | tf32 | 4.000 | - | - | - | - (1) | - (1.3) | - | "
                        "- |")
    assert len(lines) == 4 and all(line.count("|") == 12 for line in lines)


def test_parts_are_cut_short_and_what_they_found_is_kept(tmp_path, monkeypatch, capsys):
    script = tmp_path / "part.py"
    script.write_text("import sys, time\nprint('{\"kind\": \"facts\", \"n\": 1}', flush=True)\n"
                      "print('noise', flush=True)\n"
                      "time.sleep(60 if sys.argv[2] == 'cpu' else 0)\n"
                      "sys.exit(3 if sys.argv[2] == 'tests' else 0)\n")
    monkeypatch.setattr(gpu, "__file__", str(script))
    output = tmp_path / "rows.jsonl"
    for part in ("cpu", "tests", "facts"):
        gpu.run(part, 2, output)
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert [r["kind"] for r in rows] == ["facts", "part", "facts", "part", "facts"]
    assert rows[1]["cut"] is True and rows[1]["rows"] == 1
    assert rows[3] == {"kind": "part", "part": "tests", "status": 3, "rows": 1, "cut": False}


def test_all_parts_have_a_function_and_time():
    assert all(callable(part.run) for part in gpu.PARTS.values())
    assert all(0 < part.share <= 1 for part in gpu.PARTS.values()) and gpu.LIMIT == 540
    done = subprocess.run([sys.executable, FOLDER / "gpu.py", "--help"], capture_output=True,
                          text=True, check=True)
    assert "nine minutes" in done.stdout or "--output" in done.stdout


def test_without_a_gpu_one_sentence_is_all(tmp_path):
    """A package cupy that cannot be imported comes before one that can."""
    (tmp_path / "cupy.py").write_text("raise ImportError('none here')\n")
    output = tmp_path / "results" / "rows.jsonl"
    path = os.pathsep.join([str(tmp_path), str(FOLDER.parent)])
    done = subprocess.run([sys.executable, FOLDER / "gpu.py", "--output", output, "--seconds", "9"],
                          capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTHONPATH": path})
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("no GPU, so nothing is measured: ") and "cupy" in done.stderr
    assert not output.parent.exists()


def test_questions_that_the_emulated_gpu_can_answer(monkeypatch):
    xp = emulated()
    monkeypatch.setattr(timing, "device", lambda: xp)
    monkeypatch.setattr(timing, "host_microseconds", lambda job: job() and 1.0)
    monkeypatch.setattr(timing, "device_microseconds", lambda job: job() and 1.0)
    with mg.use("emulated"):
        for found in questions.graphs_of_gemm():
            assert found["same_bits"] is True and found["error"] < 1e-5
        assert [found["nodes"] for found in questions.costs_of_nodes()] == [1, 50, 200]


@pytest.mark.parametrize("captured", [False, True])
def test_our_side(captured):
    emulated()
    before = mg.backend.default().device
    try:
        step = speed.ours("wgan-gp", "seed", 4, captured, "emulated")
        rounds = timing.milliseconds(step, lambda: None, 0.01)
    finally:
        mg.use(before)
    assert rounds["steps"] == 50 and rounds["low"] <= rounds["ms"] <= rounds["high"]
    assert step.model.c_optimizer.t == 72
    assert bool(step.graphs["both"]) is captured


@pytest.mark.parametrize("name, preset", [load[:2] for load in WORKLOADS[:5]])
def test_the_rival_is_the_same_model(name, preset):
    torch = pytest.importorskip("torch")
    from rivals.pytorch_gpu import Rival
    model = speed.build(name, preset)
    images = torch.rand(8, model.shape[2], *model.shape[:2])
    rival = Rival(model, images, 2, torch.contiguous_format)
    for ours, theirs in ((model.generator, rival.G), (model.discriminator, rival.D)):
        assert count_parameters(ours) == sum(p.numel() for p in theirs.parameters())
    fake = rival.G(rival.noise())
    assert fake.shape == (2, model.shape[2], *model.shape[:2]) and rival.D(fake).shape == (2, 1)
    if preset != "torch64":
        before = [p.detach().clone() for p in (*rival.G.parameters(), *rival.D.parameters())]
        for _ in range(5):
            rival.step()
        after = [*rival.G.parameters(), *rival.D.parameters()]
        assert not any(torch.equal(a, b) for a, b in zip(before, after)
                       if b.ndim > 1)
        assert set(rival.losses) == {"d_loss", "g_loss"}
        assert all(torch.isfinite(loss) for loss in rival.losses.values())
