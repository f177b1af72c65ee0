"""Stacked MNIST: which digit is which colour, which are drawn, and that images are made late."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from data_tools import idx_bytes

import minigan as mg
from minigan.data import Batches, Images, Lazy, load, stack, to_model
from minigan.data.stacked_mnist import Stack
from minigan.runs.training_data import fingerprint


def digits(count=40):
    """Digits that show their own label: all pixels of the i-th are i."""
    pixels = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None],
                             (count, 28, 28, 1)).copy()
    return Images(pixels, np.arange(count) % 10, "few", n_classes=10)


def write_mnist(folder, count=20):
    (folder / "mnist").mkdir(parents=True)
    some = digits(count)
    for part in ("train", "t10k"):
        (folder / "mnist" / f"{part}-images-idx3-ubyte").write_bytes(
            idx_bytes(some.images[..., 0]))
        (folder / "mnist" / f"{part}-labels-idx1-ubyte").write_bytes(
            idx_bytes(some.labels.astype(np.uint8)))


def test_the_label_says_which_digit_is_red_green_and_blue():
    few = stack(digits(), 500)
    pixels = few.images[:]
    assert few.shape == (28, 28, 3) and pixels.shape == (500, 28, 28, 3) and len(few) == 500
    np.testing.assert_array_equal(pixels[:, 0, 0], pixels[:, 27, 3])
    np.testing.assert_array_equal(few.labels, pixels[:, 5, 5] % 10 @ np.array([100, 10, 1]))
    assert few.n_classes == 1000 and few.classes[25] == "025" and few.labels.max() > 900
    assert 30 < len(np.unique(pixels)) <= 40, "digits are drawn from all of the set"


def test_a_draw_belongs_to_its_seed():
    def chosen(seed, n=300):
        return stack(digits(), n, seed).images.chosen
    np.testing.assert_array_equal(chosen(3), chosen(3))
    assert (chosen(3) != chosen(4)).mean() > 0.9


def test_pictures_are_made_when_they_are_asked_for():
    full = stack(digits())
    assert isinstance(full.images, Lazy) and len(full) == 128_000
    assert sum(array.nbytes for array in full.images.sources) < 2_000_000
    which = np.array([7, 127_999, 7])
    np.testing.assert_array_equal(full.images[which][0], full.images[7:8][0])
    assert full.images[which].flags.c_contiguous and full.images[:3].dtype == np.uint8
    x, labels = next(Batches(full, 16, mg.seed(1)["data"]))
    order = mg.seed(1)["data"].permutation(128_000)[:16]
    np.testing.assert_array_equal(x, to_model(full.images[order]))
    np.testing.assert_array_equal(labels, full.labels[order])


def test_the_check_sum_sees_digits_draw_and_labels():
    def summed(pixel=0, seed=0, label=0):
        few = digits()
        few.images[3, 0, 0] += pixel
        few.labels[3] += label
        return fingerprint(stack(few, 200, seed))
    assert len({summed(), summed(pixel=1), summed(seed=1), summed(label=1)}) == 4
    assert summed() == summed()


def test_mnist_is_stacked_where_it_is_and_the_packages_digits_otherwise(nowhere):
    with pytest.warns(UserWarning, match="stacked-digits, made of the package's 5,000 digits"):
        ours = load("stacked-mnist")
    assert ours.name == "stacked-digits" and len(ours.images.digits) == 5_000
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what the run's config says is loaded without a word
        again = load(**ours.source)
    assert fingerprint(again) == fingerprint(ours) and again.name == ours.name

    write_mnist(nowhere / "cache")
    with pytest.warns(UserWarning, match="not MNIST's original"):
        full, test = load("stacked-mnist"), load("stacked-mnist", "test")
    assert (full.name, len(full), len(full.images.digits)) == ("stacked-mnist", 128_000, 20)
    assert full.source == {"name": "stacked-mnist", "split": "train", "size": None, "folder": None}
    assert len(test) == 20 and test.split == "test"
    with pytest.raises(FileNotFoundError, match="MNIST's .* are not in"):
        load("stacked-mnist", folder=nowhere / "elsewhere")


def test_a_size_is_that_of_the_digits():
    assert load("stacked-digits", size=8).images[:2].shape == (2, 8, 8, 3)


@pytest.mark.parametrize("base, n, says", [
    (Images(np.zeros((3, 28, 28, 3), np.uint8), np.arange(3), n_classes=10), 5, "grey pictures"),
    (Images(np.zeros((3, 28, 28, 1), np.uint8)), 5, "of 10 classes"),
    (digits(), 0, "n must be a whole number of 1 or more, got 0")])
def test_what_cannot_be_stacked(base, n, says):
    with pytest.raises(ValueError, match=says):
        stack(base, n)


def test_an_empty_stack_is_refused():
    with pytest.raises(ValueError, match="not empty"):
        Images(Stack(digits().images, np.zeros((0, 3), int)))
