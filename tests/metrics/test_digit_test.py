"""The digit test: real digits pass it, and each of ten bad sets fails where it should."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from bad_sets import BAD_SETS, copied, mostly_ones, noise_for_one_judge, some
from project import ROOT

import minigan as mg
from minigan.data import Images
from minigan.metrics import BOUNDS, digit_test, nearest_training, predictions, probabilities
from minigan.metrics.digits import DigitTest, Row
from minigan.metrics.reference import reference

pytestmark = pytest.mark.rounding

SHARED = ROOT.parent / "shared" / "data"
needs_mnist = pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="MNIST is not here")
PARTS = {"a": ["recognised"], "b": ["least class"], "c": ["precision", "recall"],
         "d": ["copies, median", "copies, near"],
         "e": ["label right", "label right, worst digit", "spread", "spread, worst digit"],
         "": ["Frechet distance", "kernel distance", "density", "coverage", "1-NN accuracy",
              "classifier score"]}


def part(data, start, stop=None):
    return Images(data.images[start:stop], data.labels[start:stop], n_classes=10)


@cache
def small():
    """1,000 of the package's digits as training digits; the other 4,000 are unseen."""
    data = mg.data.load("digits")
    return part(data, 0, 1000), part(data, 1000)


@cache
def full():
    """All the package's digits to learn from, and the test digits that are not in the reference."""
    test = mg.data.load("mnist", "test", SHARED)
    other = mg.Stream(0, "reference").permutation(len(test))[5000:]
    return mg.data.load("digits"), Images(test.images[other], test.labels[other])


@cache
def outcome(make, sets, n):
    training, real = sets()
    return digit_test(make(n, training, real), training.images)


def real_ones(n, training, real):
    return some(real, n)[0]


# Good and bad sets.

def test_real_digits_pass():
    result = outcome(real_ones, small, 500)
    assert result.passed and result.failed == ""
    assert result["recognised"] > 0.9 and result["precision"] > 0.85 and result["recall"] > 0.85
    assert result["least class"] > 0.06 and result["1-NN accuracy"] == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("make", BAD_SETS, ids=lambda make: make.__name__)
def test_a_bad_set_fails(make):
    """In small; that class means look copied shows only beside all 5,000 digits."""
    due = BAD_SETS[make].replace("cd", "c")
    assert set(due) <= set(outcome(make, small, 500).failed)


def test_one_judge_alone_is_sure_of_noise_made_for_it():
    noise = noise_for_one_judge(200, *small())
    first, second = probabilities(noise)
    assert (first.max(1) > 0.9).mean() > 0.95
    assert (predictions(noise)[0] == np.arange(200) % 10).mean() > 0.95
    assert (second.argmax(1) == np.arange(200) % 10).mean() < 0.5


@needs_mnist
@pytest.mark.slow
def test_unseen_test_digits_get_what_the_floors_say():
    training, real = full()
    result = digit_test(real.images, training.images, real.labels)
    assert result.passed
    for row in result.rows:
        assert row.value == pytest.approx(row.floor, abs=2e-3 * max(1, row.floor)), row.name


@needs_mnist
@pytest.mark.slow
@pytest.mark.parametrize("make", BAD_SETS, ids=lambda make: make.__name__)
def test_a_bad_set_fails_in_full(make):
    failed = outcome(make, full, 5000).failed
    assert set(BAD_SETS[make]) <= set(failed)
    assert failed.strip("abcd") == ""


@needs_mnist
@pytest.mark.slow
def test_no_part_but_the_one_sees_some_bad_sets():
    """Neither c nor d could be left out, and some sets beat real digits on the usual score."""
    only = [outcome(make, full, 5000).failed for make in BAD_SETS]
    assert {"c", "d"} <= set(only)
    ones = outcome(mostly_ones, full, 5000)
    assert ones["recall"] > 0.8 and ones["recognised"] > 0.9
    scores = [outcome(make, full, 5000)["classifier score"] for make in BAD_SETS]
    assert sum(score > reference().floors["classifier score"] for score in scores) >= 3


@needs_mnist
@pytest.mark.slow
def test_copies_win_what_is_said_to_reward_copying():
    result, floors = outcome(copied, full, 5000), reference().floors
    for row in result.rows:
        if "rewards copying" in row.note and row.name not in ("Frechet distance", "1-NN accuracy"):
            assert row.value == pytest.approx(floors[row.name], abs=0.25), row.name
    assert result["Frechet distance"] < 2 and result["1-NN accuracy"] < 0.6


# What the result says.

def test_rows_parts_and_floors():
    training, real = small()
    images, labels = real.images[:300], real.labels[:300]
    plain, asked = (digit_test(images, training.images, given) for given in (None, labels))
    for result, parts in ((plain, "abcd"), (asked, "abcde")):
        names = [row.name for key in [*parts, ""] for row in result.rows if row.part == key]
        assert names == [name for key in [*parts, ""] for name in PARTS[key]]
        assert names == [row.name for row in result.rows]
    assert {row.name: row.bound for row in asked.rows if row.bound is not None} == BOUNDS
    assert {row.name: row.floor for row in asked.rows} == reference().floors
    assert {row.n for row in asked.rows} == {300}
    distances, nearest = nearest_training(images, training.images)
    np.testing.assert_array_equal(asked.nearest, nearest)
    np.testing.assert_array_equal(asked.distances, distances)


def test_requested_labels_are_those_both_judges_see():
    training, real = small()
    images, labels = real.images[:400], real.labels[:400].copy()
    right = (predictions(images) == labels).all(0)
    assert digit_test(images, training.images, labels)["label right"] == right.mean() > 0.95
    labels[labels == 7] = 1  # whoever asks for a 1 gets a 7 in every second case
    found = digit_test(images, training.images, labels)
    assert 0.4 < found["label right, worst digit"] < 0.6 and "e" in found.failed
    assert next(r.note for r in found.rows if r.name == "label right, worst digit") == "digit 1"


def test_one_picture_a_class_has_no_spread():
    training, real = small()
    ten = np.stack([real.images[real.labels == k][0] for k in range(10)])
    found = digit_test(np.tile(ten, (20, 1, 1, 1)), training.images, np.tile(np.arange(10), 20))
    assert found["spread, worst digit"] == pytest.approx(0, abs=1e-2) and "e" in found.failed
    assert found["label right, worst digit"] >= 0


def test_bounds_are_arguments():
    training, real = small()
    images = real.images[:200]
    assert digit_test(images, training.images, bounds={"recognised": 0.999}).failed == "a"
    assert digit_test(images, training.images, bounds={"copies, near": -0.1}).failed == "d"
    assert digit_test(images, training.images, bounds={"precision": 1.1, "recall": 1.1,
                                                       "least class": 1}).failed == "bc"


def test_a_row_passes_on_its_bound_and_nan_does_not():
    def row(name, value, bound):
        return Row("a", name, value, 5, bound, None)
    assert row("recall", 0.5, 0.5).passed and not row("recall", 0.49, 0.5).passed
    assert row("copies, near", 0.03, 0.03).passed and not row("copies, near", 0.04, 0.03).passed
    assert row("density", -9, None).passed
    assert not row("recall", np.nan, 0.5).passed and not row("copies, near", np.nan, 0.5).passed
    rows = row("recall", 0.1, 0.5), Row("c", "precision", np.nan, 5, 0.5, 0.9)
    result = DigitTest(rows, np.zeros(5, int), np.zeros(5))
    assert result.failed == "ac" and not result.passed and result["recall"] == 0.1
    json.dumps(result.record(), allow_nan=False)


def test_lines_hold_every_number_with_bound_floor_and_n():
    result = outcome(real_ones, small, 500)
    lines = result.lines()
    assert len(lines) == 1 + len(result.rows)
    for line, row in zip(lines[1:], result.rows):
        assert line.startswith(f"{row.part:3}{row.name}") and "N = 500" in line
        assert f"{row.value:.3f}"[:4] in line and row.note in line
        assert ("FAILS" in line, " ok " in line) == (False, row.bound is not None)
        if row.name in ("precision", "recall", "Frechet distance", "kernel distance", "coverage"):
            assert "test digits" in line and "rewards copying: see the copy row" in line
    assert any("FAILS" in line for line in outcome(copied, small, 500).lines())


@pytest.mark.parametrize("change, says", [
    ({"images": np.zeros((300, 32, 32, 1), np.uint8)}, r"images: .*200 or more.*\(300, 32, 32, 1"),
    ({"images": np.zeros((199, 28, 28, 1), np.uint8)}, r"images: .*200 or more.*\(199, "),
    ({"images": np.zeros((300, 28, 28, 1), np.float32)}, "images: .*uint8.*float32"),
    ({"labels": np.zeros(299, int)}, r"labels: expected 300 integers, got int64 \(299,\)"),
    ({"labels": np.zeros(300)}, "labels: expected 300 integers, got float64"),
    ({"bounds": {"reknown": 1}}, "bounds: 'reknown' is unknown; known are recognised, least"),
])
def test_bad_arguments_are_refused(change, says):
    training, real = small()
    given = {"images": real.images[:300], "training": training.images, "labels": None, **change}
    with pytest.raises(ValueError, match=says):
        digit_test(**given)
