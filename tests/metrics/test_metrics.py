"""The metrics, each in a case whose value is known otherwise, and the judges of digits."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from project import ROOT

import minigan as mg
from minigan.metrics import (class_spreads, classifier_score, copies, copy_test, density_coverage,
                             distances, features, frechet_distance, gaussian, judges,
                             kernel_distance, mmd_squared, nearest_training, one_nearest_neighbour,
                             precision_recall, predictions, probabilities, recognised)
from minigan.metrics.frechet import Gaussian
from minigan.metrics.reference import arrays, reference, summarise

pytestmark = pytest.mark.rounding

SHARED = ROOT.parent / "shared" / "data"
needs_mnist = pytest.mark.skipif(not (SHARED / "mnist").is_dir(), reason="MNIST is not here")


def rng(seed=0):
    return np.random.Generator(np.random.Philox(seed))


@pytest.fixture(scope="module")
def digits():
    return mg.data.load("digits")


# Distances.

def brute(a, b):
    return ((a[:, None].astype(float) - b[None]) ** 2).sum(-1)


def test_blocks_hold_all_pairs_once():
    a, b = rng().normal(size=(2 * distances.ROWS + 7, 3)), rng(1).normal(size=(11, 3))
    rows, found = zip(*((rows, squared.copy()) for rows, squared in distances.blocks(a, b)))
    assert [r.start for r in rows] == [0, distances.ROWS, 2 * distances.ROWS]
    np.testing.assert_allclose(np.concatenate(found), brute(a, b), atol=1e-12)


def test_the_distance_of_equal_vectors_is_not_negative():
    x = rng().normal(100, 1, (50, 64)).astype(np.float32)  # where rounding would make it so
    assert min(squared.min() for _, squared in distances.blocks(x, x)) == 0


def test_nearest_and_radii_are_those_of_a_full_sort():
    a, b = rng().normal(size=(600, 4)), rng(1).normal(size=(90, 4))
    squared, index = distances.nearest(a, b, 3)
    order = brute(a, b).argsort(1)[:, :3]
    np.testing.assert_array_equal(index, order)
    np.testing.assert_allclose(squared, np.take_along_axis(brute(a, b), order, 1), atol=1e-12)
    np.testing.assert_allclose(distances.radii(a, 5), np.sort(brute(a, a), 1)[:, 5], atol=1e-12)


def test_vectors_are_bytes_in_0_to_1_or_floats_as_they_are():
    images = np.array([[0, 51], [255, 102]], np.uint8).reshape(2, 2, 1, 1)
    x = distances.vectors("x", images)
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, [[0, 0.2], [1, 0.4]], rtol=1e-6)
    assert distances.vectors("x", np.ones((2, 3))).dtype == np.float64
    with pytest.raises(ValueError, match=r"real: expected 6 or more vectors.*\(5, 2\)"):
        precision_recall(np.zeros((5, 2)), np.zeros((9, 2)))
    with pytest.raises(ValueError, match="fake: holds values that are not finite"):
        precision_recall(np.zeros((9, 2)), np.full((9, 2), np.nan))


# Two Gaussians.

def test_frechet_of_axis_parallel_gaussians():
    a = Gaussian(np.array([1.0, 2, 3]), np.diag([4.0, 9, 0]))
    b = Gaussian(np.array([1.0, 0, 6]), np.diag([1.0, 16, 25]))
    expected = (0 + 4 + 9) + (2 - 1) ** 2 + (3 - 4) ** 2 + (0 - 5) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-12)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-12)


def test_frechet_of_gaussians_whose_axes_differ():
    """tr (A B)^(1/2) is the sum of the roots of A B's eigenvalues, of a matrix not symmetric."""
    m = rng().normal(size=(2, 6, 6))
    a, b = m @ m.swapaxes(1, 2)
    roots = np.sqrt(np.linalg.eigvals(a @ b).real).sum()
    found = frechet_distance(Gaussian(np.zeros(6), a), Gaussian(np.zeros(6), b))
    assert found == pytest.approx(np.trace(a) + np.trace(b) - 2 * roots, rel=1e-9)
    assert np.abs(a @ b - b @ a).max() > 1


def test_frechet_of_a_set_with_itself_is_0_also_without_full_rank():
    x = gaussian(rng().normal(size=(5, 20)))
    assert 0 <= frechet_distance(x, x) < 1e-9


def test_the_gaussian_of_a_set():
    x = rng().normal(size=(40, 3)).astype(np.float32)
    found = gaussian(x)
    assert found.covariance.dtype == np.float64
    np.testing.assert_allclose(found.mean, x.mean(0), atol=1e-6)
    centred = x - x.mean(0)
    np.testing.assert_allclose(found.covariance, centred.T @ centred / 39, atol=1e-5)


# Kernel distance.

def test_mmd_is_the_sum_over_pairs_of_different_vectors():
    x, y = rng().normal(size=(4, 3)), rng(1).normal(size=(5, 3))

    def k(a, b):
        return (a @ b / 3 + 1) ** 3

    within = [np.mean([k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j])
              for s in (x, y)]
    across = np.mean([k(a, b) for a in x for b in y])
    assert mmd_squared(x, y) == pytest.approx(sum(within) - 2 * across, rel=1e-12)


def test_kernel_distance_is_unbiased_and_sees_a_shift():
    """One value has mean 0 on equal distributions, however small the set: a biased one has not."""
    draws = rng().normal(size=(400, 2, 10, 2))
    values = [mmd_squared(x, y) for x, y in draws]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20
    assert min(values) < 0
    same, moved = rng(1).normal(size=(2, 500, 4)), rng(2).normal(0.5, size=(500, 4))
    near, far = kernel_distance(*same, subset=200), kernel_distance(same[0], moved, subset=200)
    assert abs(near.mean) < near.deviation < far.mean / 4
    a, b = np.full((6, 2), 1.0), np.full((6, 2), 3.0)  # two points: k(a, a) + k(b, b) - 2 k(a, b)
    exact = (1 + 1) ** 3 + (9 + 1) ** 3 - 2 * (3 + 1) ** 3
    assert kernel_distance(a, b, subset=4, subsets=3) == pytest.approx((exact, 0))


def test_kernel_distance_is_of_its_seed():
    x, y = rng().normal(size=(2, 60, 3))
    assert kernel_distance(x, y, 20) == kernel_distance(x, y, 20)
    assert kernel_distance(x, y, 20) != kernel_distance(x, y, 20, seed=1)


# Precision, recall, density, coverage.

LINE = np.arange(10.0)[:, None]  # the k-th nearest other of an inner point is ceil(k / 2) away


def test_precision_and_recall_of_points_on_a_line():
    fake = np.array([[-2.0], [-1.6], [4.4], [9.9], [11.1], [50.0]])
    precision, recall = precision_recall(LINE, fake, k=2)
    assert precision == pytest.approx(4 / 6)  # the balls reach from -2 to 11 = 9 + 2
    assert recall == 1                        # that around 50 has radius 40.1 and holds 9.9
    # radii 0.3, 0.2 and 0.3 reach 3, and no other whole number
    assert precision_recall(LINE, np.array([[3.1], [3.2], [3.4]]), k=2) == (1, 0.1)
    assert precision_recall(LINE, LINE + 100, k=2) == (0, 0)
    assert precision_recall(LINE, LINE, k=1) == (1, 1)


def test_a_missing_mode_costs_recall_and_noise_costs_precision():
    left, right = rng().normal(0, 1, (300, 2)), rng(1).normal(50, 1, (300, 2))
    both = np.concatenate([left, right])
    precision, recall = precision_recall(both, rng(2).normal(0, 1, (600, 2)))
    assert precision > 0.9 and 0.4 < recall <= 0.5
    precision, recall = precision_recall(left, np.concatenate([left, right]))
    assert precision == 0.5 and recall == 1


def test_density_and_coverage_of_points_on_a_line():
    # balls of k = 2: [-2, 2], [0, 2], [1, 3], ..., [7, 9], [7, 11]
    density, coverage = density_coverage(LINE, np.array([[1.5], [100.0]]), k=2)
    assert density == pytest.approx(3 / (2 * 2))  # in the balls of 0, 1 and 2
    assert coverage == pytest.approx(3 / 10)
    assert density_coverage(LINE, LINE + 100, k=2) == (0, 0)


def test_density_of_a_set_in_itself_counts_each_point_beside_its_neighbours():
    x = rng().normal(size=(700, 3))
    density, coverage = density_coverage(x, x, k=5)
    assert density == pytest.approx(6 / 5) and coverage == 1


def test_density_and_coverage_of_equal_distributions():
    """1, and 1 minus the chance that none of a real vector's k nearest of both sets is a sample."""
    x, y = rng().normal(size=(2, 2000, 3))
    density, coverage = density_coverage(x, y, k=5)
    assert density == pytest.approx(1, abs=0.03)
    assert coverage == pytest.approx(1 - 2.0 ** -5, abs=0.01)


# Nearest neighbours.

def test_one_nearest_neighbour_tells_sets_that_are_apart_but_not_equal_ones():
    x, y = rng().normal(size=(2, 600, 3))
    assert one_nearest_neighbour(x, y) == pytest.approx(0.5, abs=0.05)
    assert one_nearest_neighbour(x, y + 100) == 1
    assert one_nearest_neighbour(x, x + 1e-6) == 0  # each one's nearest is its copy
    with pytest.raises(ValueError, match="equally many"):
        one_nearest_neighbour(x, y[1:])


def pictures(n, seed=0):
    """Random uint8 pictures (n, 12, 12, 1) with an empty rim of two pixels."""
    return np.pad(rng(seed).integers(0, 256, (n, 8, 8, 1), dtype=np.uint8),
                  ((0, 0), (2, 2), (2, 2), (0, 0)))


def test_a_copy_is_found_wherever_it_was_moved_by_a_pixel():
    training = pictures(30)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            moved = np.roll(training, (dy, dx), (1, 2))
            np.testing.assert_array_equal(copies.shifted(training, dy, dx), moved)
            found, index = nearest_training(moved[::-1], training)
            assert found.max() < 5e-3 and found.dtype == np.float32
            np.testing.assert_array_equal(index, np.arange(30)[::-1])
    found, _ = nearest_training(np.roll(training, 2, 1), training)
    assert found.min() > 1


def test_pixels_shifted_out_are_lost_and_black_comes_in():
    x = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3, 1)
    assert copies.shifted(x, 1, -1)[0, :, :, 0].tolist() == [[0, 0, 0], [2, 3, 0], [5, 6, 0]]
    with pytest.raises(ValueError, match="samples and training must be uint8"):
        nearest_training(x / 255, x)


def test_distances_of_pictures_are_of_pixels_from_0_to_1():
    black, grey = np.zeros((1, 4, 4, 1), np.uint8), np.full((1, 4, 4, 1), 51, np.uint8)
    # moved by a pixel, a row or a column or both of the 16 pixels have become black
    assert nearest_training(grey, black)[0][0] == pytest.approx(np.sqrt(9 * 0.04), rel=1e-5)


def test_the_copy_test_compares_with_unseen_images():
    unseen = np.linspace(1, 3, 1001)
    same = copy_test(unseen, unseen)
    assert same.median == 1 and same.near == pytest.approx(0.01, abs=1e-3)
    few = copy_test(np.full(10, 1.5), unseen)
    assert few.median == 0.75 and few.near == 0
    assert copy_test(np.linspace(0, 2, 100), unseen).near == pytest.approx(0.51, abs=0.01)
    assert copy_test(unseen, np.quantile(unseen, np.linspace(0, 1, 101))) == same


def test_spread_is_the_mean_distance_of_two_of_a_class():
    images = np.zeros((5, 2, 2, 1), np.uint8)
    images[1, 0, 0], images[2, 0, :] = 255, 255
    labels = np.array([0, 0, 0, 1, 3])
    found = class_spreads(images, labels, 4)
    assert found[0] == pytest.approx((1 + 2 ** 0.5 + 1) / 3)
    assert np.isnan(found[1:]).all()  # nobody, or one alone
    x = rng().integers(0, 256, (700, 3, 2, 1), dtype=np.uint8)  # more than one block
    flat = x.reshape(700, -1) / 255
    exact = np.sqrt(brute(flat, flat)).sum() / (700 * 699)
    assert class_spreads(x, np.zeros(700, int), 1)[0] == pytest.approx(exact, rel=1e-5)


# Classifiers.

def test_the_score_counts_classes():
    assert classifier_score(np.eye(7)) == pytest.approx(7)
    assert classifier_score(np.full((5, 4), 0.25)) == pytest.approx(1)
    assert classifier_score(np.eye(4)[[0, 0, 0]]) == pytest.approx(1)
    p = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert classifier_score(p) == pytest.approx(np.exp(0.9 * np.log(1.8) + 0.1 * np.log(0.2)))
    with pytest.raises(ValueError, match="rows that sum to 1"):
        classifier_score(np.ones((3, 2)))


def test_recognised_is_what_all_judges_are_sure_of():
    sure, unsure, other = [0.95, 0.05], [0.85, 0.15], [0.02, 0.98]
    p = np.array([[sure, sure, sure, other], [sure, unsure, other, other]])
    assert recognised(p).tolist() == [0, -1, -1, 1]
    assert recognised(p, 0.8).tolist() == [0, 0, -1, 1]


@pytest.mark.parametrize("images, error, says", [
    (np.zeros((3, 28, 28), np.uint8), ValueError, r"images: .*\(3, 28, 28\)"),
    (np.zeros((3, 32, 32, 1), np.uint8), ValueError, r"\(3, 32, 32, 1\)"),
    (np.zeros((3, 28, 28, 1), int), TypeError, "images: .*int64"),
    (np.full((3, 28, 28, 1), 255.0), ValueError, r"images: .*\[-1, 1\].* 255"),
    (np.full((3, 28, 28, 1), np.nan), ValueError, r"images: .*\[-1, 1\]"),
])
def test_the_judges_refuse(images, error, says):
    for judge in (probabilities, features):
        with pytest.raises(error, match=says):
            judge(images)


def test_the_judges_know_digits_that_they_never_saw(digits):
    """The package's own: no judge was trained on them."""
    images, labels = digits.images[:1000], digits.labels[:1000]
    assert ((predictions(images) == labels).mean(1) > 0.985).all()
    assert (recognised(probabilities(images)) >= 0).mean() > 0.94


def test_bytes_and_floats_are_judged_alike_and_one_by_one(digits):
    images = digits.images[:judges.BLOCK + 3]
    p, f = probabilities(images), features(images)
    assert p.shape == (2, len(images), 10) and p.dtype == f.dtype == np.float32
    assert f.shape == (len(images), 64) and f.min() == 0 and f.std() > 0.5
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-5)
    for dtype in (np.float32, np.float64):
        x = mg.data.to_model(images).astype(dtype)
        np.testing.assert_allclose(probabilities(x), p, atol=1e-6)
    np.testing.assert_allclose(probabilities(images[5:6]), p[:, 5:6], atol=1e-5)
    np.testing.assert_allclose(features(images[-1:]), f[-1:], atol=1e-3)


def test_the_two_judges_are_different_networks():
    first, second = ([type(layer).__name__ for layer in judge.body.layers]
                     for judge in judges.judges())
    assert first != second and "AvgPool2d" in second and "AvgPool2d" not in first
    assert [mg.nn.count_parameters(judge) for judge in judges.judges()] == [37_002, 106_234]


@needs_mnist
@pytest.mark.slow
def test_the_judges_know_99_of_100_test_digits():
    test = mg.data.load("mnist", "test", SHARED)
    right = predictions(test.images) == test.labels
    assert (right.mean(1) >= 0.99).all() and right.all(0).mean() > 0.988


# What real digits are.

def test_the_reference_hangs_together():
    r = reference()
    assert r.features.shape == (3000, 64) and r.features.dtype == np.float32
    assert np.abs(r.features.mean(0) - r.gaussian.mean).max() < 0.15
    np.testing.assert_array_equal(r.gaussian.covariance, r.gaussian.covariance.T)
    assert np.linalg.eigvalsh(r.gaussian.covariance).min() > -1e-9
    assert (np.diff(r.distances) >= 0).all() and r.distances.shape == (101,)
    assert frechet_distance(r.gaussian, gaussian(r.features)) < 1
    assert 0.4 < r.floors["1-NN accuracy"] < 0.6 and r.floors["recognised"] > 0.95


@needs_mnist
@pytest.mark.slow
def test_the_reference_is_that_of_a_random_half_of_the_test_digits(digits):
    test = mg.data.load("mnist", "test", SHARED)
    half = mg.Stream(0, "reference").permutation(10_000)[:5_000]
    found, _ = nearest_training(test.images[half], digits.images)
    made = summarise(test.images[half], test.labels[half], found, reference().floors)
    kept = arrays(reference())
    assert kept.keys() == arrays(made).keys()
    for name, value in arrays(made).items():
        np.testing.assert_allclose(kept[name], value, rtol=1e-3, atol=1e-2, err_msg=name)


# The script that trained the judges.

@pytest.fixture
def script(monkeypatch):
    path = ROOT / "benchmarks" / "train_judges.py"
    if not path.is_file():
        pytest.skip("an installed copy has no benchmarks")
    monkeypatch.syspath_prepend(str(path.parent))
    spec = importlib.util.spec_from_file_location("train_judges", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_training_digits_are_moved_by_a_pixel_at_most(script):
    x = mg.data.to_model(pictures(500))
    moved = script.moved(x, mg.Stream(0, "data"))
    shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    same = np.array([(moved == np.roll(x, shift, (1, 2))).all((1, 2, 3)) for shift in shifts])
    assert (same.sum(0) == 1).all() and (same.sum(1) > 30).all()


def test_a_judge_learns(script, monkeypatch, digits):
    monkeypatch.setattr(script, "EPOCHS", 1)
    judge = judges.strided(mg.Stream(1, "init"))
    judge.load_state_dict(script.train(judge, digits, mg.Stream(1, "data")))
    x = mg.data.to_model(digits.images[:500])
    right = judge.eval()(mg.tensor(x)).numpy().argmax(1) == digits.labels[:500]
    assert right.mean() > 0.8


@needs_mnist
def test_the_judges_never_saw_the_digits_of_the_package(script, digits):
    kept = script.unseen(mg.data.load("mnist", "train", SHARED))
    assert len(kept) == 55_000
    assert not {x.tobytes() for x in kept.images} & {x.tobytes() for x in digits.images}
