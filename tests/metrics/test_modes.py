"""Counting modes: hand-made sets against hand-computed scores, and bad sets that must fail."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minigan as mg
from minigan.data import SwissRoll, grid, ring
from minigan.metrics import ModeScores, curve_scores, mode_scores

pytestmark = pytest.mark.rounding

RING, GRID = ring(), grid()


def real(n=2500, data=RING, seed=0):
    return data.sample(mg.Stream(seed, "data"), n)


def on_ring(points):
    return mode_scores(points, RING.centres, RING.sigma)


def test_counted_by_hand():
    """Two modes, sigma 1, at 0 and at 100 on the x axis; five samples."""
    points = np.array([[0, 0], [3, 0], [3.1, 0], [90, 0], [100, 2]])
    score = mode_scores(points, np.array([[0, 0], [100, 0]]), 1.0)
    assert score.modes == 2 and score.found == 2
    assert score.near == pytest.approx(3 / 5)          # 3 sigma is near, 3.1 is not, 10 is not
    assert score.least_share == pytest.approx(2 / 5)   # one of five is near the second; due: half
    assert score.reverse_kl == pytest.approx(0.6 * math.log(1.2) + 0.4 * math.log(0.8))
    # the first mode's middle is (3, 0): 3, 0, 0.1 from it; the second's is (95, 1): sqrt(26) twice
    assert score.deviation == pytest.approx(3 / math.sqrt(2 * math.log(2)))


def test_real_points_score_what_is_known_of_a_gaussian():
    for data in (RING, GRID):
        score = mode_scores(real(50_000, data), data.centres, data.sigma)
        assert not score.failed and score.found == score.modes == len(data.centres)
        assert score.near == pytest.approx(1 - math.exp(-4.5), abs=0.002)   # 98.9 %
        assert score.reverse_kl < 0.001 and score.least_share > 0.9
        assert score.deviation == pytest.approx(1, abs=0.01)


def test_one_sample_finds_a_mode_and_seven_modes_are_not_eight():
    points = np.repeat(RING.centres[:1], 2500, axis=0)
    points[:7] = RING.centres[1:]
    assert on_ring(points).found == 8
    points[0] += 0.05  # five sigma away
    score = on_ring(points)
    assert score.found == 7 and score.least_share == 0


def biased():
    """93 % of the samples on one mode, 1 % on each other."""
    counts = [2325] + [25] * 7
    return np.concatenate([mode + RING.sigma * np.random.default_rng(0).normal(size=(n, 2))
                           for mode, n in zip(RING.centres, counts)])


@pytest.mark.parametrize("points, fails", [
    (np.repeat(RING.centres, 300, axis=0), ["deviation"]),                        # eight points
    (np.repeat(RING.centres, 300, axis=0) + 0.01, ["deviation"]),                 # beside the modes
    (np.repeat(RING.centres, 300, axis=0)[300:], ["found", "reverse_kl", "least_share",
                                                  "deviation"]),
    (biased(), ["reverse_kl", "least_share"]),
    (RING.centres[0] + 3 * (real() - RING.centres[0]), ["found", "reverse_kl", "least_share",
                                                        "deviation"]),            # all too far out
    (real() + 0.02 * np.random.default_rng(0).normal(size=(2500, 2)), ["deviation"]),
], ids=["eight points", "eight points beside", "seven points", "biased", "scaled", "wide"])
def test_bad_sets_fail_where_they_should(points, fails):
    assert on_ring(points).failed == fails


def test_bounds():
    good = ModeScores(8, 8, 0.9, 0.1, 1 / 3, 0.5)
    assert good.failed == [] and good._replace(deviation=2.0).failed == []
    for field, value in (("found", 7), ("reverse_kl", 0.101), ("least_share", 0.33),
                         ("deviation", 0.49), ("deviation", 2.01)):
        assert good._replace(**{field: value}).failed == [field]
    assert good._replace(near=0.0).failed == []  # is reported, has no bound


def test_the_roll_by_its_parts():
    roll = SwissRoll()
    along = (np.arange(1000, dtype=np.float32) + 0.5) / 1000
    curve = roll.curve(along)
    score = curve_scores(real(5000, roll), curve, roll.sigma)
    assert score.modes == score.found == 20 and not score.failed
    assert score.near == pytest.approx(0.9973, abs=0.002)  # of a Gaussian on a line
    assert score.deviation == pytest.approx(1, abs=0.05)
    half = curve_scores(curve[:500], curve, roll.sigma)
    assert half.found == 10 and half.deviation == 0
    assert half.reverse_kl == pytest.approx(math.log(2))


def test_what_cannot_be_counted():
    for points in (np.zeros((0, 2)), np.full((3, 2), np.nan)):
        with pytest.raises(ValueError, match="points: "):
            mode_scores(points, RING.centres, RING.sigma)
