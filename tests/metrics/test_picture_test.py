"""The picture test: its features see what a person would, and bad sets fail where they should."""

from __future__ import annotations

import numpy as np
import pytest

import minigan as mg
from minigan.metrics.feature_distances import distance_rows, scale_of
from minigan.metrics.gist import gist, reduced
from minigan.metrics.pictures import BOUNDS, Real, picture_test
from minigan.metrics.thumbnails import nearest_pictures, thumbnails
from minigan.metrics.translation import translation_test
from minigan.system.threads import use_threads

RNG = np.random.default_rng(0)
N = 300


@pytest.fixture(autouse=True)
def _one_thread():
    """As in the command, where BLAS has no threads of its own."""
    use_threads(1)


def noise(*shape):
    return RNG.integers(0, 256, shape, np.uint8)


def spoiled(images, sigma):
    """With normal noise of so many grey levels."""
    return np.clip(images + RNG.normal(0, sigma, images.shape), 0, 255).round().astype(np.uint8)


def blurred(images, times=1):
    for _ in range(times):
        wide = np.pad(images.astype(float), ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        h, w = images.shape[1:3]
        images = sum(wide[:, i:i + h, j:j + w] for i in range(3) for j in range(3)) / 9
    return images.round().astype(np.uint8)


def coloured(images):
    """Digits in colours of their own on grounds of their own."""
    ink = RNG.uniform(0.6, 1, (len(images), 1, 1, 3))
    ground = RNG.uniform(0, 0.4, (len(images), 1, 1, 3))
    share = images / 255
    return (255 * (share * ink + (1 - share) * ground)).astype(np.uint8)


@pytest.fixture(scope="module", params=["28 grey", "20 coloured"])
def real(request):
    """Pictures and labels: N to compare with, and all others."""
    digits = mg.data.load("digits", size=int(request.param.split()[0]))
    images = digits.images if "grey" in request.param else coloured(digits.images)
    order = np.random.default_rng(1).permutation(len(images))
    return images[order], digits.labels[order]


# Features.

@pytest.mark.parametrize("shape, size", [
    ((28, 28, 1), 16 + 192), ((64, 64, 3), 48 + 192), ((1, 1, 1), 16), ((2, 3, 2), 32 + 64),
    ((5, 9, 4), 64 + 192), ((3, 1, 1), 16), ((4, 4, 1), 16 + 128)])
def test_features_of_any_pictures(shape, size):
    images = noise(7, *shape)
    found = gist(images)
    assert found.shape == (7, size) and found.dtype == np.float32 and np.isfinite(found).all()
    np.testing.assert_allclose(gist(images[[3, 1]]), found[[3, 1]], rtol=1e-5, atol=1e-6)
    many = gist(np.concatenate([images] * 50))  # more than a block
    np.testing.assert_allclose(many[-7:], found, rtol=1e-5, atol=1e-6)
    before = images.copy()
    gist(images)
    np.testing.assert_array_equal(images, before)


def test_what_the_features_are():
    flat = np.full((1, 8, 8, 1), 51, np.uint8)
    np.testing.assert_allclose(gist(flat), [[0.2] * 16 + [0] * 192], atol=1e-6)
    stripes = np.zeros((1, 8, 8, 1), np.uint8)
    stripes[:, :, ::2] = 255  # columns: every pixel differs from the right one, none from below
    right, below, one, other = gist(stripes)[0, 16:80].reshape(4, 16)
    np.testing.assert_allclose([right, one, other], 1, rtol=1e-5)
    np.testing.assert_allclose(below, 0, atol=1e-6)
    np.testing.assert_allclose(gist(stripes)[0, 80:144], 0, atol=1e-6)  # grey at half the size
    turned = gist(stripes.swapaxes(1, 2))[0, 16:80].reshape(4, 16)
    np.testing.assert_allclose(turned, [below, right, one, other], atol=1e-6)
    for wrong in (np.zeros((3, 8, 8), np.uint8), np.zeros((3, 8, 8, 1)), np.zeros((0, 8, 8, 1),
                                                                                  np.uint8)):
        with pytest.raises(ValueError, match="images: expected uint8"):
            gist(wrong)


@pytest.mark.parametrize("height, width", [(4, 4), (3, 5), (14, 14), (28, 20), (30, 41), (1, 1)])
def test_areas(height, width):
    """By counting: every pixel of a picture blown up so far that the areas are whole pixels."""
    x = RNG.uniform(0, 1, (2, 28, 20, 3)).astype("f")
    large = x.astype(float).repeat(height, axis=1).repeat(width, axis=2)
    due = large.reshape(2, height, 28, width, 20, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(reduced(x, height, width), due, rtol=1e-5, atol=1e-6)


def test_the_scale():
    features = np.array([[0, 0, 5], [2, 4, 5]], "f")
    scale = scale_of(features)
    np.testing.assert_allclose(scale(features), [[-1, -1, 0], [1, 1, 0]])
    np.testing.assert_allclose(scale.unit, [1, 2, 0.25])  # a quarter of the median


# Distances: each fault is seen, and more of it as more.

def distances(images, real):
    """Frechet and kernel distance, and the floor of both."""
    frechet, kernel = distance_rows(images, Real(real))[:2]
    return frechet.value, kernel.value, frechet.floor, kernel.floor


def test_distances_are_large_and_ordered(real):
    images, labels = real
    known, rest = images[:N], images[N:2 * N]
    pool, pool_labels = images[2 * N:], labels[2 * N:]
    chosen = RNG.integers(0, N, N)
    half = pool[pool_labels < 5][:N]
    weights = np.where(pool_labels < 2, 10.0, 1.0)
    unequal = pool[RNG.choice(len(pool), N, p=weights / weights.sum())]
    average = ((rest.astype(int) + rest[chosen]) // 2).astype(np.uint8)
    measured = {name: distances(made, known) for name, made in {
        "real": rest, "noise 15": spoiled(rest, 15), "noise 40": spoiled(rest, 40),
        "static": noise(*rest.shape), "blur": blurred(rest), "more blur": blurred(rest, 3),
        "half of the classes": half, "other shares": unequal, "averages of two": average,
        "ten pictures": rest[chosen % 10], "one picture": rest[chosen * 0]}.items()}
    _, _, frechet_floor, kernel_floor = measured["real"]
    for which, floor, margin in ((0, frechet_floor, 0.2 * frechet_floor), (1, kernel_floor, 0.05)):
        found = {name: values[which] for name, values in measured.items()}
        assert abs(found["real"] - floor) < margin
        for name in found.keys() - {"real"}:
            assert found[name] > floor + margin, (which, name, found[name], floor)
        assert 1.5 * found["noise 15"] < found["noise 40"] < found["static"] / 3
        assert 1.5 * found["blur"] < found["more blur"]
        assert found["half of the classes"] < found["ten pictures"] < found["one picture"]


def test_other_rows_see_what_is_missing_and_what_is_not_real(real):
    images, labels = real
    known, rest = images[:2 * N], images[2 * N:3 * N]
    rows = {row.name: row for row in distance_rows(rest, Real(known))}
    assert all(abs(row.value - row.floor) < 0.1 for row in rows.values())
    few = {row.name: row.value for row in distance_rows(rest[np.arange(N) % 10], Real(known))}
    assert few["recall"] < 0.1 and few["coverage"] < 0.2 and few["1-NN accuracy"] > 0.9
    bad = {row.name: row.value for row in distance_rows(spoiled(rest, 60), Real(known))}
    assert bad["precision"] < 0.2 and bad["density"] < 0.2 and bad["1-NN accuracy"] > 0.9
    assert bad["kernel distance"] > 100 * abs(rows["kernel distance"].floor)


# Copies and collapse: what has bounds.

def test_real_pictures_pass(real):
    images, _ = real
    for training, unseen in ((images[:N], None), (images[:N], Real(images[3 * N:4 * N]))):
        found = picture_test(images[N:2 * N], Real(training), unseen=unseen)
        assert found.passed and found.failed == "", [row for row in found.rows if not row.passed]
        assert found["copies, median"] == pytest.approx(1, abs=0.1)
        assert found["spread"] == pytest.approx(1, abs=0.1)


def test_bad_sets_fail_where_they_should(real):
    images, _ = real
    training, rest = images[:N], images[N:2 * N]
    chosen = RNG.integers(0, N, N)
    moved = np.pad(training, ((0, 0), (1, 0), (1, 0), (0, 0)), mode="edge")[:, :-1, :-1]
    half = np.concatenate([rest[:N // 2], training[:N // 2]])
    for name, made, part in (
            ("copies", training, "a"), ("noisy copies", spoiled(training, 8), "a"),
            ("moved copies", moved, "a"), ("half are copies", half, "a"),
            ("one picture", rest[chosen * 0], "b"), ("ten pictures", rest[chosen % 10], "b"),
            ("grey", np.full_like(rest, 90), "b"), ("one copy", training[chosen * 0], "ab"),
            ("half are one picture", np.concatenate([rest[:N // 2], rest[[0] * (N // 2)]]), "b")):
        found = picture_test(made, Real(training))
        assert set(part) <= set(found.failed), (name, found.lines())
        assert ("a" in part) == ("a" in found.failed), (name, found.lines())


def test_nearest_training_pictures(real):
    images, _ = real
    training = images[:100]
    order = RNG.permutation(100)[:30]
    found = picture_test(spoiled(training[order], 4), Real(training))
    np.testing.assert_array_equal(found.nearest, order)
    x = thumbnails(training)
    distances, places = nearest_pictures(x, x)
    np.testing.assert_array_equal(places, np.arange(100))
    assert distances.max() < 0.05  # rounding
    flat = x.reshape(100, -1)
    due = np.linalg.norm(flat[:, None] - flat[None], axis=2)
    np.fill_diagonal(due, np.inf)
    distances, places = nearest_pictures(x, x, np.arange(100))
    assert (places != np.arange(100)).all()
    assert (distances <= due.min(1) + 1e-3).all()  # the nine shifts can only be nearer


def test_thumbnails_hold_what_can_be_compared():
    assert thumbnails(noise(3, 28, 28, 1)).shape == (3, 28, 28, 1)
    assert thumbnails(noise(3, 64, 64, 3)).shape == (3, 18, 18, 3)
    assert thumbnails(noise(3, 5, 200, 1)).shape == (3, 5, 32, 1)
    big = np.kron(noise(2, 18, 18, 3), np.ones((1, 4, 4, 1), np.uint8))
    np.testing.assert_allclose(thumbnails(big) * 255, big[:, ::4, ::4], atol=0.01)


def test_pictures_that_are_in_the_data_twice():
    digits = mg.data.load("digits", size=14).images
    training = np.concatenate([digits[:60], digits[:40]])
    found = picture_test(digits[200:300], Real(training))
    assert found.passed
    (row,) = [row for row in found.rows if row.name == "copies, near"]
    assert "80% of them are left out" in row.note
    assert not picture_test(training, Real(training)).passed
    same = np.repeat(digits[:1], 20, 0)  # nothing to compare with
    found = picture_test(digits[:20], Real(same))
    assert [row.name for row in found.rows if row.part] == []


# Few of them, and numbers beside them.

@pytest.mark.parametrize("count, n", [(40, 100), (4, 4), (9, 5), (400, 7)])
def test_few_pictures(count, n):
    digits = mg.data.load("digits", size=14)
    order = np.random.default_rng(2).permutation(5000)
    images = digits.images[order]
    found = picture_test(images[1000:1000 + n], Real(images[:count], digits.labels[order][:count]))
    assert all(np.isfinite(row.value) for row in found.rows)
    (row,) = [row for row in found.rows if row.name == "Frechet distance"]
    assert row.n == min(n, count // 2) and "over 5 draws" in row.note
    assert len(found.nearest) == n


def test_the_same_seed_gives_the_same_numbers(real):
    images, labels = real
    found = [picture_test(images[N:N + 50], Real(images[:80], labels[:80]), seed=seed).record()
             for seed in (3, 3, 4)]
    assert found[0] == found[1] != found[2]


def test_bounds():
    digits = mg.data.load("digits", size=14).images
    found = picture_test(digits[:50], Real(digits[50:100]), bounds={"spread": 3.0})
    assert found.failed == "b"
    assert {row.name: row.bound for row in found.rows if row.bound is not None} == {
        **BOUNDS, "spread": 3.0}
    with pytest.raises(ValueError, match="bounds: 'fid' is unknown; known are copies, near"):
        picture_test(digits[:50], Real(digits[50:100]), bounds={"fid": 1.0})
    for few, name in ((digits[:3], "images"), (digits[:9], "training")):
        with pytest.raises(ValueError, match=f"{name}: expected 4 or more pictures, got 3"):
            picture_test(few, Real(digits[:9] if name == "images" else digits[:3]))
    with pytest.raises(ValueError, match=r"training: pictures of \(28, 28, 1\) beside samples of"):
        picture_test(digits, Real(mg.data.load("digits").images))
    with pytest.raises(ValueError, match="unseen: pictures of"):
        picture_test(digits, Real(digits), unseen=Real(mg.data.load("digits").images))


# Classes.

def test_requested_classes(real):
    images, labels = real
    training = Real(images[:1000], labels[:1000])
    made, asked = images[2000:2600], labels[2000:2600]
    names = [f"digit {i}" for i in range(10)]
    found = {row.name: row for row in picture_test(made, training, asked, names=names).rows}
    right = found["label right"]
    assert right.value == pytest.approx(right.floor, abs=0.06) and right.value > 0.6
    wrong = np.where(asked == 3, 4, asked)  # every 3 was asked for as a 4
    found = {row.name: row for row in picture_test(made, training, wrong, names=names).rows}
    assert found["label right, worst"].note == "class digit 4"
    assert found["label right, worst"].value < 0.7
    one = made.copy()
    one[asked == 7] = one[asked == 7][0]  # each 7 is the same one
    found = {row.name: row for row in picture_test(one, training, asked, names=names).rows}
    assert found["spread, worst class"].value == pytest.approx(0, abs=0.02)
    assert found["spread, worst class"].note.startswith("class digit 7: ")


def test_a_class_that_is_never_drawn(real):
    images, labels = real
    training = Real(images[:1000], labels[:1000])
    made, own = images[2000:2600], labels[2000:2600]
    found = {row.name: row for row in picture_test(made, training, names="abcdefghij").rows}
    assert found["least class"].value > 0.6
    found = {row.name: row for row in picture_test(made[own != 6], training,
                                                   names="abcdefghij").rows}
    assert found["least class"].value < 0.35 < found["least class"].floor
    assert found["least class"].note.startswith("class g: ")


# Models that start from pictures.

def test_translations():
    digits = mg.data.load("digits", size=16).images
    truth, mean = digits[:200], digits[:200].mean(0, keepdims=True).astype(np.uint8)
    inputs = truth.copy()
    inputs[:, :, 8:] = 0
    rows = {row.name: row for row in translation_test(inputs, truth, truth, False).rows}
    assert rows["error"].value == 0 and rows["error"].passed
    due = np.abs(inputs.astype(float) - truth).mean() / 255
    assert rows["error"].bound == pytest.approx(due, rel=1e-5)
    found = translation_test(inputs, inputs, truth, True)
    assert found.passed and found["error"] == pytest.approx(due, rel=1e-5)  # no worse
    worse = 255 - truth
    assert translation_test(inputs, worse, truth, True).failed == "a"
    blurry = translation_test(inputs, np.repeat(mean, 200, 0), truth, True)
    assert blurry["error"] == pytest.approx(blurry["error of the mean"], abs=0.01)
    assert blurry["Frechet distance"] > 0.8
    with pytest.raises(ValueError, match="images: expected 4 or more pictures, got 3"):
        translation_test(inputs[:3], truth[:3], truth[:3], True)
