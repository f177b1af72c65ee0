"""Points in the plane: where the modes are, how wide and frequent, and that the stream decides."""

from __future__ import annotations

import numpy as np
import pytest
from stand_in import StandInArray

import minigan as mg
from minigan.data import POINTS, Mixture, SwissRoll, grid, ring
from minigan.streams import Stream


def distances(points, centres):
    return np.linalg.norm(points[:, None] - centres, axis=2)


def test_the_ring_has_eight_modes_and_no_mode_twice():
    made = ring()
    assert made.centres.shape == (8, 2) and made.centres.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(made.centres, axis=1), 1, rtol=1e-6)
    apart = distances(made.centres, made.centres) + 9 * np.eye(8)
    np.testing.assert_allclose(apart.min(axis=1), 2 * np.sin(np.pi / 8), rtol=1e-6)
    assert made.centres[0].tolist() == [1, 0] and made.sigma == 0.01
    assert distances(ring(5, 3.0).centres, np.zeros((1, 2))).ravel() == pytest.approx([3] * 5)


def test_the_grid_has_25_modes():
    made = grid()
    line = [-4, -2, 0, 2, 4]
    assert made.centres.tolist() == [[x, y] for x in line for y in line] and made.sigma == 0.05
    assert grid(2, 1.0).centres.tolist() == [[-.5, -.5], [-.5, .5], [.5, -.5], [.5, .5]]


def test_the_scalings_of_wgan_gp():
    made = POINTS["wgan-gp-ring"]()
    assert len(made.centres) == 8 and made.sigma == pytest.approx(0.014144, abs=1e-6)
    assert made.centres[2].tolist() == pytest.approx([0, 1.414427], abs=1e-6)
    made = POINTS["wgan-gp-grid"]()
    assert made.centres.max() == pytest.approx(1.414427, abs=1e-6)
    assert made.sigma == pytest.approx(0.017680, abs=1e-6)
    assert POINTS["swiss-roll"]().sigma == pytest.approx(1 / 30)


@pytest.mark.parametrize("name", list(POINTS))
def test_samples(name):
    made, n = POINTS[name](), 20_000
    points = made.sample(Stream(0, "data"), n)
    assert type(points) is np.ndarray and points.dtype == np.float32 and points.shape == (n, 2)
    np.testing.assert_array_equal(points, made.sample(Stream(0, "data"), n))
    assert (points != made.sample(Stream(1, "data"), n)).mean() > 0.99
    variance = {"ring": 0.5, "grid": 8, "swiss-roll": 0.82}.get(name, 1)
    assert points.var(axis=0) == pytest.approx(variance, rel=0.06)


@pytest.mark.parametrize("name", [name for name in POINTS if name != "swiss-roll"])
def test_modes_are_equally_likely_and_of_the_width_they_say(name):
    made, n = POINTS[name](), 50_000
    points, modes = made.sample(Stream(0, "data"), n), len(made.centres)
    away = distances(points, made.centres)
    nearest = away.argmin(axis=1)
    due = n / modes
    assert np.abs(np.bincount(nearest, minlength=modes) - due).max() < 5 * due ** 0.5
    offsets = (points - made.centres[nearest]) / made.sigma
    assert offsets.std(axis=0) == pytest.approx(1, abs=0.02)
    assert offsets.mean(axis=0) == pytest.approx(0, abs=0.03)
    within = (away.min(axis=1) <= 3 * made.sigma).mean()
    assert within == pytest.approx(1 - np.exp(-4.5), abs=0.002)  # of a Gaussian in two dimensions


def test_the_swiss_roll_is_a_spiral():
    clean = SwissRoll(noise=0.0).sample(Stream(0, "data"), 20_000) * 7.5
    t = np.linalg.norm(clean, axis=1)  # the radius is the angle
    assert 1.5 * np.pi <= t.min() < 4.72 and 14.13 < t.max() <= 4.5 * np.pi * (1 + 1e-6)
    np.testing.assert_allclose(clean, np.stack([t * np.cos(t), t * np.sin(t)], 1), atol=2e-4)
    assert np.histogram(t, 10)[0].min() > 1800  # uniform
    made = SwissRoll()
    noisy = made.sample(Stream(0, "data"), 20_000)
    assert (noisy - clean / 7.5).std() == pytest.approx(made.sigma, rel=0.02)
    assert made.centres.shape == (0, 2)


def test_points_are_made_on_the_host_wherever_arrays_are_made():
    with mg.use("stand-in"):
        assert type(mg.Stream(0, "data").normal((2,))) is StandInArray
        for make in POINTS.values():
            assert type(make().sample(mg.Stream(0, "data"), 3)) is np.ndarray


def test_odd_numbers_of_points():
    for make in POINTS.values():
        for n in (0, 1, 3):
            assert make().sample(Stream(0, "data"), n).shape == (n, 2)


@pytest.mark.parametrize("centres, sigma, says", [
    (np.zeros((3, 3)), 1, r"centres: expected \(modes, 2\), got \(3, 3\)"),
    (np.zeros((0, 2)), 1, "centres: "),
    ([[0, 0]], 0, "sigma: 0, expected a number above 0"),
    ([[0, 0]], float("nan"), "sigma: nan"),
])
def test_mixtures_refuse(centres, sigma, says):
    with pytest.raises(ValueError, match=says):
        Mixture(centres, sigma)


def test_wgan_gp_takes_points():
    from minigan.models.wgan_gp import WGANGP
    model = WGANGP("toy", shape=(1, 1, 2), streams=mg.seed(0), width=16)
    x = POINTS["wgan-gp-ring"]().sample(mg.stream("data"), 32).reshape(-1, 1, 1, 2)
    losses = model.step(mg.tensor(x))
    assert np.isfinite(losses["w_estimate"].item()) and losses["penalty"].item() > 0
