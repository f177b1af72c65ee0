"""`minigan evaluate` of a run on stacked digits: what it counts, in pieces, and what it writes."""

from __future__ import annotations

import json

import numpy as np
import pytest

import minigan as mg
from minigan import data
from minigan.cli import main
from minigan.evaluation import mode_count
from minigan.evaluation.evaluating import STACKED_N
from minigan.metrics import stacked_modes as metric
from minigan.models.catalog import find
from minigan.runs import trained
from minigan.training import Trainer, evaluate

N = 25


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of one step; its folder."""
    folder = tmp_path_factory.mktemp("runs") / "gan"
    images = data.load("stacked-digits")
    model = find("gan")("seed", images.shape, 0, images.n_classes, latent_size=8)
    return Trainer(model, images, 4, folder, threads=1).fit(1).folder.path


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(trained, "BLOCK", 10)
    monkeypatch.setattr(mode_count, "BLOCK", 10)


def test_what_is_written_is_what_the_metric_counts(run):
    found = evaluate(run, N, seed=3)
    images = mg.load(run).sample(N, seed=3)
    due = [metric.mode_count(rule) for rule in metric.count_modes(images)]
    floor = [metric.mode_count(rule) for rule in
             metric.real_counts(data.load("digits").images, N, 3)]
    record = json.loads(found.record.read_text())
    assert found.passed is None and (record["n"], record["seed"], record["step"]) == (N, 3, 1)
    assert [row["rule"] for row in record["rows"]] == ["strided", "pooled", "both"]
    for row, own, real in zip(record["rows"], due, floor):
        assert (row["n"], row["found"]) == (own.n, own.found)
        assert row["floor"]["found"] == real.found
        assert row["kl"] == (pytest.approx(own.kl) if own.n else None)
    assert "gan seed trained on stacked-digits, step 1: 25 samples" in found.lines[0]
    assert found.lines[-1].startswith("of 25 samples, not 26,000") and STACKED_N == metric.N_PAPERS
    assert found.picture.is_file() and not (run / mode_count.PART).exists()


class Stop(Exception):
    pass


def test_a_stopped_count_goes_on_where_it_was(run, small_blocks, monkeypatch):
    trained, judged = mg.load(run), []

    def counting(images, stop_after=None):
        if len(judged) == stop_after:
            raise Stop
        judged.append(len(images))
        return metric_count(images)

    metric_count = metric.count_modes
    whole = metric_count(trained.sample(N))
    monkeypatch.setattr(metric, "count_modes", lambda images: counting(images, 2))
    with pytest.raises(Stop):
        mode_count.count(trained, run, N, 0, False)
    assert judged == [10, 10] and json.loads((run / mode_count.PART).read_text())["done"] == 20
    monkeypatch.setattr(metric, "count_modes", counting)
    np.testing.assert_array_equal(mode_count.count(trained, run, N, 0, False), whole)
    assert judged == [10, 10, 5]
    monkeypatch.setattr(metric, "real_counts", lambda *more: whole)  # the floor, told by hand
    found = evaluate(run, N)  # a kill after the last block has lost nothing either
    assert judged == [10, 10, 5] and not (run / mode_count.PART).exists()
    assert json.loads(found.record.read_text())["rows"][0]["found"] == (whole[0] > 0).sum()


@pytest.mark.parametrize("change", [{"seed": 1}, {"n": 26}, {"weights": 0}, {"done": 7},
                                    {"counts": "?"}])
def test_counts_of_other_samples_are_not_gone_on_with(run, change):
    part, counts = run / mode_count.PART, np.zeros((3, 1000), int)
    counts[:2, 5] = 10
    key = mode_count._key(mg.load(run), N, 0, False)
    saved = {**key, "done": 10, "counts": counts.tolist()}
    part.write_text(json.dumps(saved))
    np.testing.assert_array_equal(mode_count._counted(part, key)[0], counts)
    part.write_text(json.dumps({**saved, **change}))
    assert mode_count._counted(part, key) is None
    part.write_text(json.dumps(saved)[:50])
    assert mode_count._counted(part, key) is None
    part.unlink()


def test_the_picture_has_red_squares_with_green_down_and_blue_across(monkeypatch):
    shown = []
    monkeypatch.setattr(mode_count.plot, "strip", lambda shows, *rest, **more: shown.append(shows))
    counts = np.ones((3, 1000), int) * 10
    counts[0, 716] = 30
    counts[0, 204] = 0
    mode_count.picture_of_counts(np.zeros((60, 28, 28, 3), np.uint8), counts, "")
    (samples, sheet), = shown
    assert samples.shape == (6 * 30 - 2, 8 * 30 - 2, 3) and sheet.shape == (21, 54)
    assert sheet[11 + 1, 2 * 11 + 6] == 1 and sheet[0, 2 * 11 + 4] == -1
    assert np.sort(np.abs(sheet).ravel())[-3] < 0.01


def test_the_command(run, capsys):
    assert main(["evaluate", str(run), "--n", "5"]) == 0
    out = capsys.readouterr().out
    assert "WGAN-GP 959 / 0.73" in out and "digit test" not in out
    assert out.endswith("evaluation.json\n")


def test_what_is_refused(run, tmp_path):
    images = data.stack(data.load("digits", size=8), 40, name="stacked-digits")
    model = find("gan")("seed", images.shape, 0, 1000, latent_size=8)
    small = Trainer(model, images, 4, tmp_path / "small", threads=1).fit(0).folder.path
    with pytest.raises(ValueError, match="made in Python, 'stacked-digits'"):
        evaluate(small, N)
    with pytest.raises(ValueError, match="bounds: counts of the modes"):
        evaluate(run, N, bounds={"recognised": 0.5})


def test_a_resumed_run_trains_on_the_same_stack(run):
    trainer = Trainer.resume(run)
    assert trainer.step == 1 and trainer.data.name == "stacked-digits"
    assert len(trainer.data) == 128_000
