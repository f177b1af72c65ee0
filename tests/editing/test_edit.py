"""Edits, the files they are kept in, and whose they are."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from model_tools import small

import minigan as mg
from minigan import plot
from minigan.editing import Edit, arrays_file, check_same, fingerprint, is_same, latents_file, slerp
from minigan.editing.latents_file import Latents

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(scope="module")
def model():
    return mg.load().model


@pytest.fixture(scope="module")
def z():
    return np.random.default_rng(0).normal(size=(3, 64)).astype("float32")


class Along:
    """Stands in for measured directions: along single numbers of z."""
    names = ("slant", "boldness")

    def __getitem__(self, name):
        return np.eye(64)[self.names.index(name)]


@pytest.fixture
def edit(model, z):
    drawn = Edit(model, z, [1, 2, 3]).images
    return Edit(model, z, [1, 2, 3], drawn, Along)


# Edits.

def test_an_edit_draws_what_the_model_draws(model, z, edit):
    due = mg.data.to_bytes(model.sample(mg.tensor(z), [1, 2, 3]).numpy())
    assert np.array_equal(edit.images, due) and len(edit) == 3
    assert edit.error.shape == (3,) and not edit.error.any()
    assert Edit(model, z, [1, 2, 3]).error is None
    other = Edit(model, z, [1, 2, 3], 255 - due)
    values = due / 127.5 - 1
    np.testing.assert_allclose(other.error, 2 * np.sqrt((values ** 2).mean((1, 2, 3))), rtol=1e-5)


def test_moving(z, edit):
    moved = edit.move(slant=-1, boldness=2.5)
    step = np.zeros(64, "float32")
    step[:2] = -1, 2.5
    np.testing.assert_allclose(moved.z, z + step, rtol=1e-6)
    assert moved.z.dtype == np.float32 and np.array_equal(moved.labels, edit.labels)
    assert moved.error.min() > 0 and not edit.error.any()
    back = moved.move(slant=1, boldness=-2.5)
    np.testing.assert_allclose(back.z, z, atol=1e-6)


def test_the_same_hand_for_other_labels(model, z, edit):
    every = edit.relabel()
    assert np.array_equal(every.labels, np.tile(np.arange(10), 3))
    assert np.array_equal(every.z, z.repeat(10, axis=0))
    assert np.array_equal(every.originals, edit.originals.repeat(10, axis=0))
    few = edit.relabel([7, 0]).move(slant=2)
    assert few.labels.tolist() == [7, 0] * 3
    due = Edit(model, few.z[[2]], [7]).images[0]
    assert np.abs(due.astype(int) - few.images[2]).max() <= 1


def test_a_walk_between_two(model, z, edit):
    walk = edit.mix(0, 2, 5)
    assert walk.labels.tolist() == [1, 1, 3, 3, 3] and walk.error is None
    np.testing.assert_array_equal(walk.z[[0, -1]], z[[0, 2]])
    np.testing.assert_allclose(walk.z[2], slerp(z[0], z[2], 0.5), rtol=1e-5, atol=1e-6)


def test_grids(edit):
    def captions(one):
        return [name for name, _ in one._columns()]

    assert captions(edit) == ["original", "inverted"]
    assert captions(edit.move(slant=-1)) == ["original", "inverted", "slant -1"]
    assert captions(edit.move(slant=-1).move(boldness=2))[2:] == ["slant -1"]
    assert captions(edit.move(slant=-1, boldness=2)) == ["original", "inverted", "moved"]
    assert captions(edit.relabel([4, 9])) == ["original", "inverted", "as 4", "as 9"]
    assert captions(edit.relabel([4, 9]).move(slant=1)) == ["original", "inverted", "as 4", "as 9"]
    edit.relabel([4, 9]).move(slant=1).grid()
    twice = edit.relabel([4, 9]).relabel([0, 1])
    assert captions(twice) == ["original", "inverted", "as 0", "as 1"]
    assert {len(images) for _, images in twice._columns()} == {6}
    assert captions(edit.mix(0, 1, 3)) == ["first", "0 %", "50 %", "100 %", "second"]
    assert captions(Edit(edit.model, edit.z, [0, 0, 0])) == ["drawn"]
    figure = edit.relabel([4, 9]).grid(rows=2)
    assert plot.pixels(figure).shape == (24 + (2 * 30 - 2) * 3, (4 * 30 - 2) * 3, 3)
    assert edit._repr_png_()[:4] == b"\x89PNG"


def test_names_of_classes_are_captions(model, z):
    names = [f"kind {label}" for label in range(10)]
    edit = Edit(model, z, [1, 2, 3], class_names=names).relabel([3])
    assert edit._captions == ("as kind 3",)


@pytest.mark.parametrize("wrong, said", [
    (lambda e: e.move(slnt=1), "move: 'slnt' is not a direction; known are slant, boldness"),
    (lambda e: e.move(slant=float("nan")), "must be a number from -1000 to 1000, got nan"),
    (lambda e: e.move(slant=1e300), r"must be a number from -1000 to 1000, got 1e\+300"),
    (lambda e: e.move(slant=-10 ** 400), "move: slant must be a number from -1000 to 1000"),
    (lambda e: e.move(slant="1"), "got '1'"),
    (lambda e: e.relabel([3, 10]), "labels must be from 0 to 9"),
    (lambda e: e.relabel([]), "relabel: give one label or more"),
    (lambda e: e.grid(0), "grid: rows must be a whole number of 1 or more, got 0"),
    (lambda e: e.relabel(["three"]), "labels must be 1 integers"),
    (lambda e: e.mix(0, 3), "mix: b must be a number from 0 to 2, got 3"),
    (lambda e: e.mix(0.5, 1), "mix: a must be a number from 0 to 2, got 0.5"),
    (lambda e: e.mix(0, 1, 1), "mix: steps must be a whole number of 2 or more, got 1"),
    (lambda e: Edit(e.model, e.z), "labels: cgan is conditional and needs 3"),
    (lambda e: Edit(e.model, e.z[:, :9], [1, 2, 3]), r"z must be float32 \(n, 64\), got float32"),
    (lambda e: Edit(e.model, e.z[:0], []), "z must be float32"),
    (lambda e: Edit(e.model, e.z / 0, [1, 2, 3]), "numbers that are not finite"),
    (lambda e: Edit(e.model, e.z, [1, 2, 3], e.images[:2]), "originals must be uint8"),
    (lambda e: Edit(e.model, e.z, [1, 2, 3], list(e.images[:2])), "originals must be uint8"),
])
def test_edits_that_cannot_be(edit, wrong, said):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=said):
        wrong(edit)


def test_without_directions_or_labels(z):
    plain = Edit(small("gan", "seed"), z[:, :1].repeat(100, axis=1))
    assert plain.labels is None and plain.images.shape == (3, 8, 8, 1)
    with pytest.raises(ValueError, match="no directions were measured .* 'slant' is unknown; "
                                         "`minigan directions RUN` measures them"):
        plain.move(slant=1)
    with pytest.raises(ValueError, match="relabel: gan takes no labels"):
        plain.relabel([1])
    assert plain.mix(0, 1, 2).labels is None


# Whose they are.

def test_a_fingerprint_survives_rounding_and_tells_generators_apart(tmp_path, model):
    own = fingerprint(model)
    assert own.shape == (8, 28, 28, 1) and own.dtype == np.uint8
    mg.load().export("copy.npz")
    assert is_same(own, fingerprint(mg.load("copy.npz").model))
    other = mg.load().model
    for weight in other.generator.parameters():
        weight.assign(weight * 1.1)
    assert not is_same(own, fingerprint(other))
    check_same("it", own, model)
    with pytest.raises(ValueError, match="it belongs to another generator.*; `minigan edit` makes"):
        check_same("it", own, other)
    gan = small("gan", "seed")
    assert fingerprint(gan).shape == (8, 8, 8, 1) and not is_same(own, fingerprint(gan))
    assert is_same(fingerprint(gan), fingerprint(gan))
    assert not is_same(own.astype(str), own) and not is_same(own * np.nan, own)
    assert fingerprint(small("gan", "seed", shape=(70, 99, 3))).shape == (8, 35, 50, 3)
    with pytest.raises(ValueError, match="pix2pix starts from images"):
        fingerprint(small("pix2pix", "edges"))


# Files.

def test_a_file_holds_an_edit(edit, tmp_path):
    path = edit.relabel([4, 9]).save("deep/er/mine.npz")
    z, labels, originals = latents_file.read(path, edit.model)
    assert np.array_equal(z, edit.z.repeat(2, axis=0)) and labels.tolist() == [4, 9] * 3
    assert np.array_equal(originals[::2], edit.originals)
    with pytest.raises(FileExistsError):
        edit.save(path)
    with pytest.raises(ValueError, match="must end in .npz, got 'mine'"):
        edit.save("mine")
    plain = Edit(small("gan", "seed"), z[:, :50].repeat(2, axis=1)).save("plain.npz")
    assert latents_file.read(plain, small("gan", "seed"))[1:] == (None, None)
    with pytest.raises(ValueError, match="plain.npz belongs to another generator"):
        latents_file.read(plain, edit.model)


def test_files_that_are_not_latents(edit, tmp_path, monkeypatch):
    model = edit.model
    whole = latents_file.content(model, Latents(edit.z, edit.labels, edit.originals))
    for content in (b"", b"words", whole[:-40], whole[:200]):
        (tmp_path / "x.npz").write_bytes(content)
        with pytest.raises(ValueError, match="is damaged or not a file that `minigan edit` writes"):
            latents_file.read(tmp_path / "x.npz", model)
    with pytest.raises(FileNotFoundError, match="latents: .*gone.npz does not exist"):
        latents_file.read(tmp_path / "gone.npz", model)
    with pytest.raises(ValueError, match="latents: .* is not a file, but a folder"):
        latents_file.read(tmp_path, model)
    np.savez("other.npz", a=1)
    with pytest.raises(ValueError, match="is not a file that `minigan edit` writes"):
        latents_file.read(tmp_path / "other.npz", model)
    (tmp_path / "x.npz").write_bytes(whole)
    monkeypatch.setattr(arrays_file, "MOST", 100)
    with pytest.raises(ValueError, match="its entries declare .* more than 100"):
        latents_file.read(tmp_path / "x.npz", model)


@pytest.mark.parametrize("change, said", [
    (dict(z=np.zeros((3, 64))), "z must be float32"), (dict(z=np.float32(1)), "z must be float32"),
    (dict(labels=np.array([1, 2, 99])), "x.npz: labels must be from 0 to 9"),
    (dict(originals=np.zeros((3, 8, 8, 1), "u1")), "originals must be uint8"),
])
def test_files_whose_arrays_do_not_fit(edit, change, said):
    arrays = dict(z=edit.z, labels=edit.labels, fingerprint=fingerprint(edit.model))
    np.savez("x.npz", **{**arrays, **change})
    with pytest.raises(ValueError, match=said):
        latents_file.read(Path("x.npz"), edit.model)
