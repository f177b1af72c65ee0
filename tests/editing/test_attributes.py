"""Boldness, slant, width and height: of shapes whose values are known, and by a slow way round."""
from __future__ import annotations

import math

import numpy as np
import pytest

import minigan as mg
from minigan.editing import ATTRIBUTES, measure
from minigan.editing.directions import attributes

SIDE = 28


@pytest.fixture(scope="module")
def digits():
    return mg.data.load("digits").images[::125]  # 40 of them


def coverage(inside, finer=8):
    """A picture uint8 (1, 28, 28, 1) of a shape: how much of each pixel is inside of it.

    inside: inside(x, y) of coordinates in pixels, x to the right and y upwards, from the middle.
    """
    at = (np.arange(SIDE * finer) + 0.5) / finer - SIDE / 2
    x, y = np.meshgrid(at, -at)
    share = inside(x, y).reshape(SIDE, finer, SIDE, finer).mean(axis=(1, 3))
    return np.rint(255 * share).astype(np.uint8)[None, :, :, None]


def bar(width, height, slant=0.0):
    return coverage(lambda x, y: (abs(x - slant * y) < width / 2) & (abs(y) < height / 2))


def of(images):
    """The attributes of one picture."""
    return {name: values.item() for name, values in measure(images).items()}


def resampled(picture, slant):
    """A picture whose rows have moved, in straight lines between pixels: its slant grows."""
    height, width = picture.shape
    rows = picture.sum(axis=1, dtype=float)
    middle = rows @ np.arange(height) / rows.sum()
    at = np.arange(width)
    moved = [np.interp(at - slant * (middle - i), at, row, left=0, right=0)
             for i, row in enumerate(picture.astype(float))]
    return np.rint(moved).astype(np.uint8)


def thickened(images):
    """Each pixel becomes the lightest of its 3x3 neighbourhood."""
    framed = np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(framed, (3, 3), axis=(1, 2))
    return windows.max(axis=(3, 4))[..., None]


# Shapes.

@pytest.mark.parametrize("width, height", [(2, 20), (4, 18), (6, 24), (16, 4)])
def test_an_upright_bar(width, height):
    found = of(bar(width, height))
    assert found["slant"] == pytest.approx(0, abs=1e-9)
    assert found["width"] == pytest.approx(0.98 * width)   # one percent is left out at each end
    assert found["height"] == pytest.approx(0.98 * height)
    strip = 2 * width * height / (2 * (width + height))
    assert found["boldness"] == pytest.approx(strip, rel=0.04)  # the corners are cut a little


@pytest.mark.parametrize("slant", [-0.5, -0.2, 0.1, 0.4, 0.75])
def test_a_bar_that_leans(slant):
    found = of(bar(4, 20, slant))
    assert found["slant"] == pytest.approx(slant, abs=0.01)
    assert 4 < found["width"] < 5  # a pixel that it covers in part counts as a whole one, paler
    assert found["height"] == pytest.approx(0.98 * 20, abs=0.1)
    across = 4 / math.hypot(1, slant)  # a stroke's width is measured across it
    assert found["boldness"] == pytest.approx(across * 20 / (across + 20 * math.hypot(1, slant))
                                              * math.hypot(1, slant), rel=0.08)


@pytest.mark.parametrize("boldness", [2, 3, 5])
def test_a_ring_is_as_bold_as_it_is_wide(boldness):
    """Its ink is pi (R^2 - r^2), its outlines are 2 pi (R + r) long: 2 ink / outlines = R - r."""
    inner, outer = 9 - boldness / 2, 9 + boldness / 2
    found = of(coverage(lambda x, y: (np.hypot(x, y) < outer) & (np.hypot(x, y) > inner)))
    assert found["boldness"] == pytest.approx(boldness, rel=0.03)
    assert found["slant"] == pytest.approx(0, abs=0.01)
    assert found["width"] == pytest.approx(found["height"], rel=0.02)


def test_a_fainter_stroke_is_as_bold():
    picture = bar(4, 20)
    assert of(picture // 2)["boldness"] == pytest.approx(of(picture)["boldness"], rel=0.01)


def test_where_a_picture_stands_does_not_matter():
    picture = bar(4, 18, 0.3)
    moved = np.roll(picture, (3, -5), axis=(1, 2))
    for name in ATTRIBUTES:
        assert of(moved)[name] == pytest.approx(of(picture)[name], abs=1e-9)


# Digits.

@pytest.mark.parametrize("by", [-0.4, 0.3])
def test_sheared_digits_have_another_slant_and_the_same_height(digits, by):
    room = np.pad(digits, ((0, 0), (0, 0), (10, 10), (0, 0)))
    sheared = np.stack([resampled(picture[..., 0], by) for picture in room])[..., None]
    before = measure(room)
    after = measure(sheared)
    np.testing.assert_allclose(after["slant"], before["slant"] + by, atol=0.02)
    np.testing.assert_allclose(after["height"], before["height"], atol=0.05)
    np.testing.assert_allclose(after["width"], before["width"], atol=1)


def test_thickened_digits_are_bolder(digits):
    before = measure(digits)
    after = measure(thickened(digits))
    growth = after["boldness"] - before["boldness"]
    assert growth.min() > 1.3 and growth.max() < 4  # 2 across, 2.8 along a diagonal
    assert (after["width"] > before["width"]).all()
    assert abs(after["slant"] - before["slant"]).max() < 0.15


def by_hand(picture):
    """Slant, width and height of one picture (H, W), pixel by pixel, as Morpho-MNIST has them."""
    ink = [(i, j, value / 255) for (i, j), value in np.ndenumerate(picture) if value]
    total = math.fsum(p for _, _, p in ink)
    my = math.fsum(p * i for i, _, p in ink) / total
    mx = math.fsum(p * j for _, j, p in ink) / total
    u11 = math.fsum(p * (i - my) * (j - mx) for i, j, p in ink)
    u02 = math.fsum(p * (i - my) ** 2 for i, _, p in ink)
    slant = -u11 / u02
    across = [(j + slant * (i - my), p) for i, j, p in ink]
    return slant, reach(across, total), reach([(i, p) for i, _, p in ink], total)


def reach(points, total):
    """How far ink at these places reaches, a pixel wide each, without a percent at each end."""
    fine = np.linspace(-60, 90, 15001)
    share = np.zeros(len(fine))
    for at, p in points:
        share += p * np.clip(fine - (at - 0.5), 0, 1) / total
    return fine[np.searchsorted(share, 0.99)] - fine[np.searchsorted(share, 0.01)]


def test_slant_width_and_height_by_hand(digits):
    few = digits[:8]
    found = measure(few)
    due = np.array([by_hand(picture[..., 0]) for picture in few])
    np.testing.assert_allclose(found["slant"], due[:, 0], atol=1e-9)
    np.testing.assert_allclose(found["height"], due[:, 2], atol=0.02)
    np.testing.assert_allclose(found["width"], due[:, 1], atol=0.02)


def skeleton_thickness(picture, finer=4):
    """Morpho-MNIST's: twice the mean distance to the ground along the skeleton, four times finer.

    The skeleton is where no neighbour is further from the ground.
    """
    side = len(picture)
    at = (np.arange(side * finer) + 0.5) / finer - 0.5
    across = np.stack([np.interp(at, np.arange(side), row) for row in picture.astype(float)])
    fine = np.stack([np.interp(at, np.arange(side), column) for column in across.T], axis=1)
    inside = np.pad(fine >= fine.max() / 2, 1)
    near = np.lib.stride_tricks.sliding_window_view(np.pad(inside, 1), (3, 3)).any(axis=(2, 3))
    ground = np.argwhere(near & ~inside)
    stroke = np.argwhere(inside)
    away = np.square(stroke[:, None] - ground).sum(axis=2).min(axis=1)
    distance = np.zeros(inside.shape)
    distance[inside] = np.sqrt(away)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(distance, 1), (3, 3))
    ridge = inside & (distance >= windows.max(axis=(2, 3)))
    return 2 * distance[ridge].mean() / finer


def test_boldness_is_the_thickness_along_a_skeleton(digits):
    few = digits[::2]
    due = [skeleton_thickness(picture[..., 0]) for picture in few]
    found = measure(few)["boldness"]
    assert np.corrcoef(found, due)[0, 1] > 0.9
    assert np.mean(found / due) == pytest.approx(1, abs=0.15)


# Special pictures.

def test_a_picture_without_ink_has_nothing():
    found = measure(np.zeros((2, 5, 6, 1), np.uint8))
    assert all((values == 0).all() and values.shape == (2,) for values in found.values())
    assert list(found) == list(ATTRIBUTES)
    assert measure(np.zeros((0, 5, 6, 1), np.uint8))["slant"].shape == (0,)


def test_ink_in_a_single_row_does_not_lean():
    picture = np.zeros((1, 9, 9), np.uint8)
    picture[0, 4, 2:7] = 200
    found = of(picture)
    assert found["slant"] == 0 and found["width"] == pytest.approx(0.98 * 5)
    assert found["height"] == pytest.approx(0.98)
    picture[0, 5, 6] = 1  # hardly any ink: the slant is extreme, the rest stays as it was
    assert of(picture)["height"] == pytest.approx(0.98, abs=0.02)
    assert all(math.isfinite(value) for value in of(picture).values())


def test_colours_count_by_their_mean(digits):
    grey = digits[:3]
    assert of(np.repeat(grey[:1], 3, axis=3)) == pytest.approx(of(grey[:1]))
    red = np.concatenate([grey, 0 * grey, 0 * grey], axis=3)
    np.testing.assert_allclose(measure(red)["slant"], measure(grey)["slant"])
    assert of(grey[:1, :, :, 0]) == of(grey[:1])


def test_blocks_change_nothing(digits, monkeypatch):
    whole = measure(digits)
    monkeypatch.setattr(attributes, "BLOCK", 7)
    for name, values in measure(digits).items():
        np.testing.assert_allclose(values, whole[name], rtol=1e-12)


@pytest.mark.parametrize("images", [np.zeros((2, 4, 4, 1)), np.zeros((4, 4), np.uint8),
                                    np.zeros((2, 0, 4, 1), np.uint8)])
def test_other_arrays_are_refused(images):
    with pytest.raises(ValueError, match=r"images: expected uint8 \(n, H, W, C\)"):
        measure(images)


def test_what_shows_no_strokes(digits):
    assert attributes.why_not(digits) == ""
    assert "3 channels" in attributes.why_not(digits.repeat(3, axis=3))
    assert "grey level 255 at their borders" in attributes.why_not(255 - digits)
    noise = np.random.default_rng(0).integers(0, 255, (9, 8, 8, 1)).astype(np.uint8)
    assert "grey level" in attributes.why_not(noise)
