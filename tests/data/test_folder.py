"""Folders of pictures: what becomes of each kind, what is left out, labels, sizes, the commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data_tools import ROOT
from PIL import Image

from minigan.cli import main
from minigan.data import folder as folders
from minigan.data import load, pictures

RNG = np.random.default_rng(0)
RED = np.full((64, 64, 3), (200, 30, 10), np.uint8)


def noise(*shape):
    return RNG.integers(0, 256, shape, np.uint8)


def write(path: Path, array, **settings) -> Path:
    """A picture file of an array; the name says the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(path, **settings)
    return path


def only(folder: Path, size: int | None = None) -> np.ndarray:
    """The only picture of a folder."""
    (picture,) = load(folder, size=size).images
    return picture


def refused(folder: Path, size: int | None = None) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load(folder, size=size)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# One picture.

def test_a_picture_of_the_size_keeps_its_pixels(tmp_path):
    for array in (noise(64, 64, 3), noise(64, 64)):
        write(tmp_path / "a.png", array)
        np.testing.assert_array_equal(only(tmp_path, 64).squeeze(), array)
        np.testing.assert_array_equal(only(tmp_path).squeeze(), array)  # its own size


@pytest.mark.parametrize("height, width", [(64, 90), (91, 64), (64, 64)])
def test_the_middle_square_is_cut_out(tmp_path, height, width):
    array = noise(height, width, 3)
    write(tmp_path / "a.png", array)
    top, left = (height - 64) // 2, (width - 64) // 2
    np.testing.assert_array_equal(only(tmp_path, 64), array[top:top + 64, left:left + 64])


def test_smaller_pictures_are_averages_and_not_every_fourth_pixel(tmp_path):
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::4] = 255
    write(tmp_path / "a.png", stripes)
    inner = only(tmp_path, 64)[4:-4, 4:-4]
    assert inner.max() < 90 and inner.mean() == pytest.approx(255 / 4, abs=2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path, orientation):
    upright = np.zeros((64, 64, 3), np.uint8)
    upright[:8], upright[:, :8] = (255, 0, 0), (0, 0, 255)  # red above, blue on the left
    # How a camera must have stored it, for a viewer that turns it as the EXIF standard says.
    stored = {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
              5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 8: np.rot90(upright, -1),
              7: upright[::-1, ::-1].transpose(1, 0, 2)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    write(tmp_path / "a.png", np.ascontiguousarray(stored), exif=exif)
    np.testing.assert_array_equal(only(tmp_path, 64), upright)


def test_a_large_jpeg(tmp_path):
    """It is decoded at a fraction of its size, and hardly differs from the long way."""
    y, x = np.mgrid[:256, :350]
    array = np.stack([127 + 120 * np.sin(x / 9), 127 + 120 * np.cos(y / 9), x / 2], 2)
    path = write(tmp_path / "a.jpeg", array.astype(np.uint8), quality=95)
    with Image.open(path) as image:
        long_way = np.asarray(pictures._square(image, 64)).astype(int)
    assert np.abs(only(tmp_path, 64) - long_way).mean() < 5 < long_way.std() / 10


def test_what_is_transparent_lies_on_white(tmp_path):
    colour = np.dstack([RED, np.zeros((64, 64), np.uint8)])
    colour[:32, :, 3], colour[32:40, :, 3] = 255, 51  # opaque, a fifth, nothing
    write(tmp_path / "rgba" / "a.png", colour)
    faint = np.rint(0.2 * RED[0, 0] + 0.8 * 255)
    grey = np.dstack([np.full((64, 64), 40, np.uint8), colour[..., 3]])
    write(tmp_path / "la" / "a.png", grey)
    indexed = Image.new("P", (64, 64), 0)
    indexed.putpalette([200, 30, 10, 1, 2, 3])
    indexed.paste(1, (0, 32, 64, 64))
    write(tmp_path / "p" / "a.png", indexed, transparency=1)
    for kind, rows in (("rgba", [RED[0, 0], faint, [255] * 3]),
                       ("la", [[40], [0.2 * 40 + 0.8 * 255], [255]]),
                       ("p", [RED[0, 0], [255] * 3, [255] * 3])):
        picture = only(tmp_path / kind, 64)
        for row, due in zip((0, 35, 63), rows):
            np.testing.assert_allclose(picture[row], np.tile(due, (64, 1)), atol=1, err_msg=kind)
    edges = write(tmp_path / "edge" / "a.png", colour.repeat(2, 0).repeat(2, 1))
    above = only(edges.parent, 64)[:30].astype(int)
    assert np.abs(above - RED[0, 0]).max() < 4  # no dark fringe from what was transparent


def test_palettes_and_cmyk_become_rgb(tmp_path):
    indexed = Image.new("P", (64, 64), 1)
    indexed.putpalette([0, 0, 0, 200, 30, 10])
    for name in ("a.png", "a.gif"):
        write(tmp_path / name / name, indexed)
        np.testing.assert_array_equal(only(tmp_path / name, 64), RED)
    write(tmp_path / "cmyk" / "a.tif", Image.fromarray(RED).convert("CMYK"))
    np.testing.assert_allclose(only(tmp_path / "cmyk", 64), RED, atol=2)


def test_sixteen_bits_become_eight(tmp_path):
    deep = (np.arange(64, dtype=np.uint16)[None].repeat(64, 0) * 1040)
    for name in ("a.png", "a.tif"):
        write(tmp_path / name / name, Image.fromarray(deep))
        np.testing.assert_array_equal(only(tmp_path / name, 64)[..., 0], deep // 257)


def test_black_and_white_is_grey(tmp_path):
    array = noise(64, 64) > 127
    write(tmp_path / "a.png", Image.fromarray(array))
    np.testing.assert_array_equal(only(tmp_path, 64)[..., 0], array * 255)


def test_pictures_of_two_lenses(tmp_path):
    """Some cameras put several pictures into one JPEG, which Pillow then calls MPO."""
    Image.fromarray(RED).save(tmp_path / "a.jpg", "MPO", save_all=True,
                              append_images=[Image.fromarray(255 - RED)])
    assert np.abs(only(tmp_path, 64).astype(int) - RED).max() < 10


def test_of_an_animation_the_first_frame(tmp_path):
    frames = [Image.fromarray(np.full((64, 64, 3), value, np.uint8)) for value in (50, 150)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert set(only(tmp_path, 64).ravel()) == {50}


# A folder.

def test_the_set_is_grey_only_if_all_pictures_are(tmp_path):
    grey, colour = noise(64, 64), noise(64, 64, 3)
    write(tmp_path / "1.png", grey)
    write(tmp_path / "2.png", grey)
    assert load(tmp_path, size=64).shape == (64, 64, 1)
    path = write(tmp_path / "3.png", colour)
    data = load(tmp_path, size=64)
    assert data.shape == (64, 64, 3) and data.images.flags.c_contiguous
    np.testing.assert_array_equal(data.images[0], np.dstack([grey] * 3))
    np.testing.assert_array_equal(data.images[2], colour)
    path.write_bytes(path.read_bytes()[:2000])  # its header still tells of colour
    with pytest.warns(UserWarning, match="1 broken"):
        data = load(tmp_path, size=64)
    assert data.images.shape == (2, 64, 64, 1)
    np.testing.assert_array_equal(data.images[1, :, :, 0], grey)


def test_the_order_is_that_of_the_paths_whatever_the_disk_says(tmp_path, monkeypatch):
    names = ["B.png", "a.png", "a/z.png", "a10.png", "a2.png", "a-1/b.png"]
    for value, name in enumerate(sorted(names, key=lambda name: Path(name).parts)):
        write(tmp_path / name, np.full((8, 8), value, np.uint8))
    walk = os.walk

    def shuffled(*arguments, **settings):
        for place, below, files in walk(*arguments, **settings):
            below.reverse()
            yield place, below, files[::-1]

    monkeypatch.setattr(folders.os, "walk", shuffled)
    assert load(tmp_path).images[:, 0, 0, 0].tolist() == list(range(6))


def mixed(folder: Path) -> Path:
    """A folder with something of everything, three pictures among it."""
    for name in ("1.png", "2.JPG", "no-suffix"):
        write(folder / name, RED, format="JPEG" if name.endswith("G") else "PNG")
    whole = write(folder / "whole.png", noise(100, 100, 3)).read_bytes()
    (folder / "whole.png").write_bytes(whole[:5000])
    (folder / "empty.png").write_bytes(b"")
    (folder / "header.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    write(folder / "tiny.png", RED[:63])
    (folder / "notes.txt").write_text("no picture")
    (folder / "labels.csv").write_text("neither")
    Image.fromarray(np.zeros((64, 64), np.float32)).save(folder / "floats.tif")
    (folder / ".hidden.png").write_bytes(b"as the metadata of another system")
    (folder / ".thumbnails").mkdir()
    write(folder / ".thumbnails" / "1.png", noise(64, 64, 3))
    return folder


def test_what_cannot_be_used_is_left_out_and_counted(tmp_path):
    with pytest.warns(UserWarning) as told:
        data = load(mixed(tmp_path / "mixed"), size=64)
    assert len(told) == 1 and str(told[0].message) == (
        f"data: 3 pictures of {tmp_path / 'mixed'} are used, 7 files are left out: 3 broken "
        "(empty.png, header.jpg, whole.png), 2 not a picture (labels.csv, notes.txt), 1 of floats "
        "(floats.tif), 1 smaller than 64x64 (tiny.png)")
    assert told[0].filename == __file__
    assert data.images.shape == (3, 64, 64, 3)
    assert np.abs(data.images.astype(int) - RED).max() < 10


def test_when_none_is_left(tmp_path):
    folder = mixed(tmp_path / "mixed")
    assert refused(folder, 101) == (
        f"data: no picture in {folder} can be used (left out: 5 smaller than 101x101 (1.png, "
        "2.JPG, no-suffix, ...), 2 broken (empty.png, header.jpg), 2 not a picture (labels.csv, "
        "notes.txt), 1 of floats (floats.tif))")
    (tmp_path / "empty" / "below").mkdir(parents=True)
    assert refused(tmp_path / "empty", 64) == (
        f"data: no picture in {tmp_path / 'empty'} can be used, it has no files")


def test_every_way_of_breaking_a_file_leaves_the_others(tmp_path):
    for kind in ("png", "jpg", "gif", "bmp", "webp", "tif", "ppm"):
        whole = write(tmp_path / f"0.{kind}", noise(32, 32, 3)).read_bytes()
        for i in range(1, 9):
            damaged = bytearray(whole)
            for place in RNG.integers(0, len(whole), 30):
                damaged[place] ^= RNG.integers(1, 256)
            (tmp_path / f"{i}.{kind}").write_bytes(damaged)
            (tmp_path / f"{i}-cut.{kind}").write_bytes(whole[:len(whole) * i // 10])
    with pytest.warns(UserWarning, match=r"are left out: \d+ broken"):
        data = load(tmp_path, size=32)
    assert 7 <= len(data) < 7 * 17 and data.shape == (32, 32, 3)


def test_a_picture_of_too_many_pixels(tmp_path, monkeypatch):
    write(tmp_path / "1.png", RED)
    write(tmp_path / "2.png", noise(200, 200, 3))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    with pytest.warns(UserWarning, match="1 too large"):
        assert len(load(tmp_path, size=64)) == 1


@pytest.mark.skipif(os.name != "posix", reason="links need permission elsewhere")
def test_links_are_followed_but_not_in_circles(tmp_path):
    write(tmp_path / "there" / "1.png", RED)
    write(tmp_path / "faces" / "2.png", RED)
    (tmp_path / "faces" / "a").symlink_to(tmp_path / "there")
    (tmp_path / "faces" / "b").symlink_to(tmp_path / "faces")
    (tmp_path / "faces" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert len(load(tmp_path / "faces", size=64)) == 2


def test_its_own_size(tmp_path):
    write(tmp_path / "1.png", noise(20, 20, 3))
    assert load(tmp_path).shape == (20, 20, 3)
    write(tmp_path / "2.png", noise(30, 40, 3))
    assert refused(tmp_path) == (f"--size: the pictures in {tmp_path} are 20x20 to 40x30; "
                                 "choose one size for all, such as --size 64")
    (tmp_path / "1.png").unlink()
    assert "are 40x30; choose" in refused(tmp_path)


# Labels.

def test_sub_folders_are_classes(tmp_path):
    for i, name in enumerate(["cats/1.png", "cats/deep/2.png", "dogs/1.png", "Ants/1.png"]):
        write(tmp_path / name, np.full((8, 8), i, np.uint8))
    (tmp_path / "empty").mkdir()
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "read.me").write_text("no class, as it has no picture")
    with pytest.warns(UserWarning, match="1 not a picture"):
        data = load(tmp_path)
    assert data.classes == ("Ants", "cats", "dogs") and data.n_classes == 3
    assert data.images[:, 0, 0, 0].tolist() == [3, 0, 1, 2]
    assert data.labels.tolist() == [0, 1, 1, 2]
    write(tmp_path / "loose.png", np.zeros((8, 8), np.uint8))
    with pytest.warns(UserWarning):
        data = load(tmp_path)
    assert len(data) == 5 and data.labels is None and data.classes == ()


def test_a_single_sub_folder_is_not_a_class(tmp_path):
    write(tmp_path / "images" / "1.png", RED)
    data = load(tmp_path)
    assert len(data) == 1 and data.labels is None and data.n_classes == 0


def test_numbers_in_names_of_classes_go_by_size(tmp_path):
    names = ["0", "1", "10", "11", "2", "b10", "B9", "b9", "a", "01", "Z", "1.5", "\u0663"]
    for value, name in enumerate(names):
        write(tmp_path / name / "1.png", np.full((8, 8), value, np.uint8))
    data = load(tmp_path)
    assert data.classes == ("0", "01", "1", "1.5", "2", "\u0663", "10", "11", "a", "B9", "b9",
                            "b10", "Z")
    for value, name in enumerate(names):  # each picture's label is that of its folder
        (i,) = np.flatnonzero(data.images[:, 0, 0, 0] == value)
        assert data.classes[data.labels[i]] == name
    assert data.images[:, 0, 0, 0].tolist() == [  # the pictures themselves stay in words' order
        value for value, _ in sorted(enumerate(names), key=lambda row: row[1])]


def test_labels_by_another_order_of_the_classes(tmp_path):
    for name in ("2", "10", "1"):
        write(tmp_path / name / "1.png", noise(8, 8))
    data = load(tmp_path)
    assert data.classes == ("1", "2", "10") and data.labels.tolist() == [0, 2, 1]
    words = data.ordered(["1", "10", "2"])
    assert words.classes == ("1", "10", "2") and words.labels.tolist() == [0, 1, 2]
    assert words.source == data.source and words.images is data.images
    with pytest.raises(ValueError, match="has the classes 1, 2, 10, not 1, 3"):
        data.ordered(["1", "3"])


def refusing(monkeypatch, name, call):
    """Let the system refuse to list a folder, as if the user had no right to read it."""
    real = getattr(os, call)

    def strict(path, *arguments, **settings):
        if Path(os.fspath(path)).name == name:
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path, *arguments, **settings)
    monkeypatch.setattr(os, call, strict)


def test_a_class_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    for name in ("cats/1.png", "dogs/1.png", "secret/1.png"):
        write(tmp_path / name, noise(8, 8))
    refusing(monkeypatch, "secret", "scandir")
    with pytest.warns(UserWarning) as told:
        data = load(tmp_path)
    assert data.classes == ("cats", "dogs")
    assert [str(warning.message) for warning in told] == [
        f"data: 2 pictures of {tmp_path} are used, 1 file is left out: 1 that cannot be read "
        "(secret)"]
    refusing(monkeypatch, tmp_path.name, "scandir")
    with pytest.raises(PermissionError, match=tmp_path.name):
        load(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    for name in ("1.png", "2.png", "3.png"):
        write(tmp_path / name, noise(8, 8))
    opened = Image.open

    def strict(path, *arguments, **settings):
        if path.name == "2.png":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **settings)
    monkeypatch.setattr(Image, "open", strict)
    with pytest.warns(UserWarning, match=r"left out: 1 that cannot be read \(2.png\)$"):
        assert len(load(tmp_path)) == 2


# What is not there, and sizes.

def test_paths(tmp_path, monkeypatch):
    write(tmp_path / "faces" / "1.png", RED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for name in ("faces", Path("faces"), "./faces", "faces/", "~/faces", str(tmp_path / "faces")):
        data = load(name)
        assert data.name == "faces"  # the path is nobody's business
        assert data.source == {"name": str(tmp_path / "faces"), "split": "train", "folder": None,
                               "size": 64}
    assert load("faces", folder=tmp_path).source == data.source
    monkeypatch.chdir(tmp_path / "faces")
    for name in (".", "../faces", "./", "../faces/."):
        assert load(name).name == "faces" and load(name).source == data.source
    monkeypatch.chdir(tmp_path)
    Path("faces").rename("moved")
    with pytest.raises(FileNotFoundError, match="faces is not there, expected a folder"):
        load(**data.source)
    assert load(**{**data.source, "folder": tmp_path / "moved"}).name == "moved"
    with pytest.raises(FileNotFoundError, match="1.png is a file, expected a folder of pictures"):
        load("moved/1.png")
    with pytest.raises(ValueError, match="unknown set 'faces', known are .* folders of pictures"):
        load("faces")
    with pytest.raises(ValueError, match="unknown set ''"):
        load("")
    with pytest.raises(ValueError, match="split: 'test', a folder of pictures has only 'train'"):
        load("moved", "test")


@pytest.mark.parametrize("size", [0, -1, 2.5, "64", True])
def test_invalid_sizes(size, tmp_path):
    for name in ("digits", tmp_path):
        with pytest.raises(ValueError, match=f"size: {size!r}, expected a whole number of 1 or"):
            load(name, size=size)


def test_known_sets_at_another_size():
    small, large, same = (load("digits", size=size) for size in (14, 64, 28))
    own = load("digits")
    assert small.shape == (14, 14, 1) and large.shape == (64, 64, 1)
    assert own.source == {"name": "digits", "split": "train", "folder": None, "size": None}
    assert large.source == {**own.source, "size": 64}
    np.testing.assert_array_equal(same.images, own.images)
    np.testing.assert_array_equal(large.labels, own.labels)
    for data in (small, large):  # the same digits: as bright, and alike when seen from afar
        assert data.images.mean() == pytest.approx(own.images.mean(), rel=0.05)
    blocks = own.images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    assert np.abs(small.images[..., 0] - blocks).mean() < 8


@pytest.mark.parametrize("shape, size", [((28, 28), 64), ((32, 32), 20), ((11, 15), 8),
                                         ((9, 9), 100)])
def test_many_images_at_once_as_one_picture_at_a_time(shape, size):
    images = noise(3, *shape, 2)
    resized = pictures.resize(images, size)
    for i in range(3):
        for c in range(2):
            one = np.asarray(pictures._square(Image.fromarray(images[i, :, :, c]), size))
            assert np.abs(resized[i, :, :, c].astype(int) - one).max() <= 1


def test_colours_keep_apart_at_another_size():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    images[..., 0], images[..., 2] = 250, 40
    large = pictures.resize(images, 16)
    np.testing.assert_array_equal(large, np.tile(np.uint8([250, 0, 40]), (2, 16, 16, 1)))


def test_a_set_that_would_fill_the_memory(tmp_path, monkeypatch):
    write(tmp_path / "1.png", noise(64, 64, 3))
    monkeypatch.setattr(pictures, "memory", lambda: 4 * 64 * 64)
    assert refused(tmp_path, 64) == (
        "data: 1 images of 64x64x3 need 0.0 GB, more than half of this machine's 0.0 GB: take "
        "fewer of them or a smaller size")
    assert load(tmp_path, size=32).shape == (32, 32, 3)
    write(tmp_path / "1.png", noise(64, 64))
    assert load(tmp_path, size=64).shape == (64, 64, 1)  # a third
    with pytest.raises(ValueError, match="5,000 images of 100000x100000x1 need 50000.0 GB"):
        load("digits", size=100_000)
    monkeypatch.setattr(pictures, "memory", lambda: None)
    assert len(load(tmp_path, size=64)) == 1


def test_the_machines_memory_is_known():
    found = pictures.memory()
    assert found is None or 2**28 < found < 2**50


# The commands.

QUICK = ["--steps", "1", "--batch-size", "2", "--threads", "1", "--out", "out"]


def test_training_on_a_folder(alone):
    done = subprocess.run(
        [sys.executable, "-m", "minigan", "train", "gan", "--preset", "seed", "--data",
         mixed(alone / "mixed"), "--size", "32", *QUICK],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == (
        f"minigan: warning: data: 4 pictures of {alone / 'mixed'} are used, 6 files are left out: "
        "3 broken (empty.png, header.jpg, whole.png), 2 not a picture (labels.csv, notes.txt), "
        "1 of floats (floats.tif)\n")
    assert "on mixed (4 images 32x32x3)" in done.stdout
    config = json.loads(Path("out/config.json").read_text("utf-8"))
    assert config["source"] == {"name": str(alone / "mixed"), "split": "train", "folder": None,
                                "size": 32}


def test_digits_for_the_64_pixel_presets(alone):
    from minigan.models.catalog import find
    shape = load("digits", size=64).shape
    for name in ("dcgan", "wgan-gp"):
        model = find(name)("paper64", shape, 0, width=2)
        assert model.sample(model.latent(1)).shape == (1, 64, 64, 1)
    assert main(["train", "gan", "--preset", "seed", "--size", "64", *QUICK]) == 0
    assert json.loads(Path("out/config.json").read_text("utf-8"))["shape"] == [64, 64, 1]


def test_models_that_start_from_pictures_find_them_again(alone):
    from minigan.training import load as load_run
    for i in range(4):
        write(alone / "faces" / f"{i}.png", noise(40, 50, 3))
    assert main(["train", "pix2pix", "--data", "faces", "--size", "8", *QUICK,
                 "--width", "4"]) == 0
    assert load_run("out").sample(2).shape == (2, 8, 8, 3)
    (alone / "faces").rename("moved")
    with pytest.raises(ValueError, match="its data set .*faces' is not here"):
        load_run("out").sample(2)
    assert main(["sample", "out", "--n", "2", "--data-dir", "moved"]) == 0


def test_a_conditional_model_on_sub_folders(alone, capsys):
    for name in ("cats/1.png", "cats/2.png", "dogs/1.png"):
        write(alone / "pets" / name, noise(8, 8, 3))
    assert main(["train", "cgan", "--data", "pets", *QUICK]) == 0
    config = json.loads(Path("out/config.json").read_text("utf-8"))
    assert config["n_classes"] == 2
    write(alone / "pets" / "loose.png", noise(8, 8, 3))
    capsys.readouterr()
    assert main(["train", "cgan", "--data", "pets", *QUICK, "--overwrite"]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and "cgan is conditional and needs labels" in said
    assert sorted(path.name for path in alone.iterdir()) == ["out", "pets"]  # nothing overwritten


@pytest.mark.parametrize("arguments, says", [
    (["--size", "0"], "argument --size: must be 1 or more, got 0"),
    (["--size", "big"], "argument --size: 'big' is not a whole number"),
    (["--data", "nowhere/faces"], "faces is not there, expected a folder of pictures"),
    (["--data", "nowhere"], "unknown set 'nowhere'"),
    (["--data", "."], "can be used, it has no files"),
])
def test_the_command_refuses(alone, capsys, arguments, says):
    try:
        status = main(["train", "gan", *arguments])
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr().err
    assert status == 2 and len(said.splitlines()) == 1 and says in said
    assert list(alone.iterdir()) == []
