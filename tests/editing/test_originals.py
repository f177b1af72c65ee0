"""Picture files as a model's pictures, and the words for what was done to them."""
from __future__ import annotations

import numpy as np
import pytest
from drawn import broken, digit, scan, seven, transparent
from model_tools import small
from PIL import Image

import minigan as mg
from minigan.editing import paper
from minigan.editing.originals import Originals

pytestmark = pytest.mark.usefixtures("alone")

PLACED = "its strokes placed as in the model's pictures"
INVERTED = "inverted, as it is dark on light"


@pytest.fixture(scope="module")
def digits():
    reader = Originals(mg.load().model)
    assert reader.layout is not None
    return reader


def alike(pixels, other):
    """How alike two pictures are, as a correlation."""
    return np.corrcoef(pixels.ravel().astype(float), np.asarray(other).ravel())[0, 1]


def test_how_digits_lie_in_their_pictures(digits):
    side, y, x = digits.layout
    assert side == 20 and abs(y - 14) < 0.5 and abs(x - 14) < 0.5  # as MNIST's authors made them
    real = mg.data.load("digits").images[:500]
    assert paper.layout_of(real).side == 20
    assert paper.layout_of(255 - real) is None and paper.layout_of(real.repeat(3, 3)) is None
    assert paper.layout_of(0 * real) is None


def test_a_digit_of_the_right_size_stays_as_it_is(digits, tmp_path):
    digit().save("seven.png")
    read = digits.read(tmp_path / "seven.png")
    assert np.array_equal(read.pixels[..., 0], np.asarray(digit())) and read.done == ()
    Image.fromarray(255 - np.asarray(digit())).save("dark.png")
    dark = digits.read(tmp_path / "dark.png")
    assert np.array_equal(dark.pixels, read.pixels) and dark.done == (INVERTED,)
    digit().resize((280, 280)).save("large.png")
    large = digits.read(tmp_path / "large.png")
    assert large.done == ("resized from 280x280",) and alike(large.pixels, digit()) > 0.95


@pytest.mark.parametrize("make, done", [
    (scan, ("resized from 320x240", INVERTED, PLACED)),
    (lambda folder: transparent(folder, (0, 0, 0)),
     ("resized from 90x60", "its transparent parts filled", INVERTED, PLACED)),
    (lambda folder: transparent(folder, (255, 255, 255)),
     ("resized from 90x60", "its transparent parts filled", PLACED)),
])
def test_a_drawing_on_paper_becomes_light_on_dark(digits, tmp_path, make, done):
    read = digits.read(make(tmp_path))
    assert read.done == done and read.pixels.shape == (28, 28, 1)
    assert np.median(paper.border(read.pixels[None])) == 0 and read.pixels.max() == 255
    assert paper.fits(read.pixels, digits.layout)
    assert alike(read.pixels, digit()) > 0.8


def test_of_an_animation_the_first_picture_is_read_and_it_is_said(digits, tmp_path):
    frames = [digit(), Image.new("L", (28, 28), 9)]
    for name in ("moving.gif", "moving.png"):
        frames[0].save(name, save_all=True, append_images=frames[1:])
        read = digits.read(tmp_path / name)
        assert np.array_equal(read.pixels[..., 0], np.asarray(digit()))
        assert read.done[0] == "the first picture of an animation"
    whole = (tmp_path / "moving.gif").read_bytes()
    frames[0].save("still.gif")
    begins = len((tmp_path / "still.gif").read_bytes())
    (tmp_path / "cut.gif").write_bytes(whole[:begins + 2])
    for name in ("cut.gif", "still.gif"):
        assert digits.read(tmp_path / name).pixels.any()
    assert digits.read(tmp_path / "still.gif").done == ()


def test_as_it_is(tmp_path):
    plain = Originals(mg.load().model, as_is=True)
    read = plain.read(scan(tmp_path))
    assert read.done == ("cut to its middle square", "resized from 320x240")
    assert read.pixels[0, -1, 0] > 180
    seven((40, 40), (15, 8, 26, 33), 4, (200, 30, 30), (255, 255, 255), "RGB").save("red.png")
    red = plain.read(tmp_path / "red.png")
    assert red.done == ("resized from 40x40", "turned to grey")
    assert 50 <= red.pixels.min() <= 90  # about 0.299 * 200 + 0.587 * 30 + 0.114 * 30


def test_faces_are_cut_and_resized_only(tmp_path):
    seven((60, 40), (20, 8, 30, 33), 4, 0, 250).save("grey.png")
    seven((60, 40), (20, 8, 30, 33), 4, (200, 30, 30), (255, 255, 255), "RGB").save("red.png")
    colour = Originals(small("dcgan", "torch64"))
    red, grey = colour.read_all(["red.png", "grey.png"])
    assert red.pixels.shape == (16, 16, 3) and grey.pixels.shape == (16, 16, 3)
    assert red.done == grey.done == ("cut to its middle square", "resized from 60x40")
    assert np.array_equal(grey.pixels[..., 0], grey.pixels[..., 2])
    wide = Originals(small("gan", "seed", shape=(8, 12, 1)), as_is=True).read(tmp_path / "red.png")
    assert wide.pixels.shape == (8, 12, 1)
    with pytest.raises(ValueError, match="files have 1 or 3 channels, gan's pictures have 2"):
        Originals(small("gan", "seed", shape=(8, 8, 2))).read(tmp_path / "red.png")


def test_a_folder(digits, tmp_path):
    folder = tmp_path / "mine"
    (folder / "deep").mkdir(parents=True)
    for name in ("10.png", "9.png", ".hidden.png", "deep/1.png"):
        digit().save(folder / name)
    (folder / "notes.txt").write_text("seven")
    assert [each.path.name for each in digits.read_all([folder])] == ["9.png", "10.png", "1.png"]
    broken(folder)
    with pytest.warns(UserWarning, match=r"pictures: 1 of 4 in .*mine are left out: broken.png "
                                         r"\(broken\)$"):
        assert len(digits.read_all([folder])) == 3


@pytest.mark.parametrize("make, said", [
    (broken, r"broken.png cannot be used \(broken\); pictures are files in the formats BMP, GIF"),
    (lambda folder: folder / "gone.png", "gone.png does not exist"),
    (lambda folder: _text(folder), r"words.txt cannot be used \(not a picture\)"),
    (lambda folder: folder / "empty", "there is no picture in the folder .*empty"),
    (lambda folder: broken(folder / "empty").parent,
     r"none of the 1 in .*empty can be used, such as broken.png"),
    (lambda folder: _blank(folder, 50, 240),
     "blank.png cannot be used .blank: its pixels are all alike.; --as-is"),
    (lambda folder: _blank(folder, 28, 255), "blank.png cannot be used .blank"),
    (lambda folder: _blank(folder, 28, 0), "blank.png cannot be used .blank"),
])
def test_pictures_that_cannot_be_used(digits, tmp_path, make, said):
    (tmp_path / "empty").mkdir()
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        digits.read_all([make(tmp_path)])


def _text(folder):
    (folder / "words.txt").write_text("seven")
    return folder / "words.txt"


def _blank(folder, size, level):
    Image.new("L", (size, size), level).save(folder / "blank.png")
    return folder / "blank.png"
