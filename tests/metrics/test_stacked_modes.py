"""Modes of stacked digits: closed forms, which colour is which place, real digits, and bad sets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minigan.data import load, stack
from minigan.metrics.stacked_modes import N_MODES, RULES, count_modes, mode_count, real_counts, seen

pytestmark = pytest.mark.rounding


def test_equal_counts_are_all_modes_at_no_distance():
    assert mode_count(np.full(N_MODES, 26)) == (26_000, 1000, 0.0)


def test_one_mode_is_log_1000_away():
    counts = np.zeros(N_MODES, int)
    counts[417] = 26_000
    n, found, kl = mode_count(counts)
    assert (n, found) == (26_000, 1) and kl == pytest.approx(math.log(1000), rel=1e-12)


def test_the_kl_is_that_of_the_generator_from_uniform_and_not_the_other_way():
    """99 equal modes: log(1000 / 99) nats. The other direction would be infinite."""
    counts = np.zeros(N_MODES, int)
    counts[:99] = 10
    assert mode_count(counts).kl == pytest.approx(math.log(1000 / 99), rel=1e-12)
    counts = np.ones(N_MODES, int)
    counts[0] = 1001
    due = 0.5005 * math.log(500.5) + 999 / 2000 * math.log(0.5)
    assert mode_count(counts).kl == pytest.approx(due, rel=1e-12)


def test_even_samples_have_the_kl_that_their_number_makes():
    counts = np.bincount(np.random.default_rng(0).integers(0, N_MODES, 26_000), minlength=N_MODES)
    assert mode_count(counts).kl == pytest.approx(999 / 52_000, rel=0.1)


def test_nothing_counted_has_no_kl():
    n, found, kl = mode_count(np.zeros(N_MODES, int))
    assert (n, found) == (0, 0) and math.isnan(kl)


@pytest.mark.parametrize("counts", [np.ones(3), np.ones((2, 3), int), np.array([1, -1]),
                                    np.zeros(0, int)])
def test_invalid_counts(counts):
    with pytest.raises(ValueError, match="counts: expected integers of 0 or more"):
        mode_count(counts)


def test_red_is_the_hundreds_and_every_rule_sees_clear_digits():
    digits = load("digits")
    clear = [np.flatnonzero(digits.labels == d)[:6] for d in (3, 1, 7)]
    named = [seen(digits.images[of]) for of in clear]
    best = [of[(rows == d).all(0)][0] for of, rows, d in zip(clear, named, (3, 1, 7))]
    picture = np.concatenate([digits.images[i] for i in best], axis=-1)[None]
    counts = count_modes(np.repeat(picture, 2, axis=0))
    assert counts.shape == (len(RULES), N_MODES) and counts.sum() == 6
    assert (counts[:, 317] == 2).all()


def test_the_floor_is_what_the_pictures_themselves_get():
    digits = load("digits").images[:30]
    floor = real_counts(digits, 50, seed=4)
    assert floor[0].sum() == floor[1].sum() == 50 and 0.6 * 50 < floor[2].sum() <= 50
    assert (real_counts(digits, 50, seed=5) != floor).any()
    some = load("digits")
    some.images, some.labels = some.images[:30], some.labels[:30]
    pictures = stack(some, 50)
    pictures.images.chosen[:] = np.arange(150).reshape(50, 3) % 30
    due = np.array([seen(digits)[:, of] for of in pictures.images.chosen])     # (50, 3, 3)
    counts = count_modes(pictures.images[:])
    for rule, rows in enumerate(due.swapaxes(0, 1)):
        whole = rows[(rows >= 0).all(1)]
        np.testing.assert_array_equal(
            counts[rule], np.bincount(whole @ [100, 10, 1], minlength=N_MODES))


def test_specks_are_modes_for_one_judge_and_hardly_any_for_both():
    specks = np.random.default_rng(0).random((60, 28, 28, 3)) < 0.15
    counts = count_modes(specks.astype(np.uint8) * 255)
    assert counts[0].sum() == counts[1].sum() == 60 and counts[2].sum() <= 6
    assert max(mode_count(rule).found for rule in counts[:2]) >= 10


@pytest.mark.parametrize("shape", [(4, 28, 28, 1), (4, 32, 32, 3), (28, 28, 3), (0, 28, 28, 3)])
def test_invalid_stacked_digits(shape):
    with pytest.raises(ValueError, match="images: expected stacked digits"):
        count_modes(np.zeros(shape, np.uint8))
