"""The data room: bytes and floats, endless batches, exact resume, idx files, the digits."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import importlib
import importlib.util
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from data_tools import ROOT, SHARED, idx_bytes, needs_mnist, write_set

from minigan.data import Batches, Images, load, places, sets, sources, to_bytes, to_model
from minigan.data.idx import parse_idx, read_contents

DIGITS_CONTENTS = "25f4876f08d86af1a290938d658149c6171f13e35f065511b2fd91870348f822"


class Stream:
    """A stand-in for the engine's random stream, with the state that a checkpoint would keep."""

    def __init__(self, seed: int = 0) -> None:
        self.generator = np.random.Generator(np.random.Philox(seed))
        self.draws = 0

    def permutation(self, n: int) -> np.ndarray:
        self.draws += 1
        return self.generator.permutation(n)


def numbered(count: int, labelled: bool = True) -> Images:
    """Images whose pixels all hold their own index, so that a batch tells who is in it."""
    indices = np.arange(count, dtype=np.uint8)
    pixels = np.broadcast_to(indices[:, None, None, None], (count, 2, 3, 1))
    return Images(np.ascontiguousarray(pixels), indices % 5 if labelled else None)


def members(x: np.ndarray) -> list[int]:
    return [int(value) for value in to_bytes(x)[:, 0, 0, 0]]


# Bytes and floats.

def test_all_256_values_survive_the_round_trip():
    values = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    x = to_model(values)
    assert x.dtype == np.float32 and x.shape == values.shape
    assert x.min() == -1 and x.max() == 1
    np.testing.assert_allclose(x.ravel(), np.arange(256) / 127.5 - 1, atol=1e-7)
    for dtype in (np.float16, np.float32, np.float64):
        back = to_bytes(x.astype(dtype))
        assert back.dtype == np.uint8
        np.testing.assert_array_equal(back, values)


def test_cutting_instead_of_rounding_would_be_wrong():
    values = np.arange(256, dtype=np.uint8)
    cut = ((to_model(values) + 1) * 127.5).astype(np.uint8)
    assert np.count_nonzero(cut != values) == 63


def test_to_bytes_clips_and_leaves_its_input():
    x = np.array([-np.inf, -1.5, -1, 0, 1, 7, np.inf], np.float32)
    kept = x.copy()
    assert to_bytes(x).tolist() == [0, 0, 0, 128, 255, 255, 255]
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("convert, bad, error, says", [
    (to_model, np.zeros(3, np.float32), TypeError, "images: .*uint8.* float32"),
    (to_model, [1, 2], TypeError, "images: .* list"),
    (to_bytes, np.zeros(3, np.uint8), TypeError, "x: .*float.* uint8"),
    (to_bytes, np.array([0, np.nan, np.nan]), ValueError, "x: holds 2 NaN of 3"),
])
def test_conversions_refuse(convert, bad, error, says):
    with pytest.raises(error, match=says):
        convert(bad)


# Images.

def test_images_know_their_size():
    data = numbered(7)
    assert len(data) == 7
    assert data.shape == (2, 3, 1)
    assert data.n_classes == 5
    assert data.labels.dtype == np.int64
    assert "7 of 2x3x1" in repr(data)
    assert numbered(7, labelled=False).n_classes == 0
    assert Images(data.images, np.zeros(7, int), n_classes=10).n_classes == 10


def test_images_keep_their_own_labels():
    labels = np.array([0, 1, 2])
    data = Images(np.zeros((3, 2, 2, 1), np.uint8), labels)
    labels[0] = 9
    assert data.labels.tolist() == [0, 1, 2]


PIXELS = np.zeros((3, 4, 4, 1), np.uint8)


@pytest.mark.parametrize("arguments, error, says", [
    ((PIXELS.astype(np.float32),), TypeError, "images: .*uint8.*float32"),
    ((PIXELS.tolist(),), TypeError, "images: .*list"),
    ((PIXELS[..., 0],), ValueError, r"images: .*\(N, H, W, C\).*\(3, 4, 4\)"),
    ((PIXELS[:0],), ValueError, "images: .*not empty"),
    ((np.zeros((3, 1, 28, 28), np.uint8),), ValueError, "images: .*channels last"),
    ((PIXELS, np.zeros(2, int)), ValueError, r"labels: .*3 images, got \(2,\)"),
    ((PIXELS, np.zeros((3, 1), int)), ValueError, r"labels: .*\(3, 1\)"),
    ((PIXELS, np.zeros(3)), TypeError, "labels: .*integer.*float64"),
    ((PIXELS, [0, 1, 2]), TypeError, "labels: .*list"),
    ((PIXELS, np.array([0, -1, 2])), ValueError, "labels: from -1 to 2"),
    ((PIXELS, np.array([0, 1, 9]), "a", "train", 9), ValueError, "labels: from 0 to 9.*0 to 8"),
    ((PIXELS, None, "a", "train", 10), ValueError, "n_classes: 10"),
])
def test_images_refuse(arguments, error, says):
    with pytest.raises(error, match=says):
        Images(*arguments)


# Batches.

def test_an_epoch_repeats_no_image_and_drops_the_rest():
    stream = Stream()
    batches = Batches(numbered(23), 5, stream)
    assert batches.per_epoch == 4
    assert stream.draws == 0
    orders = []
    for epoch in range(3):
        seen = [index for _ in range(4) for index in members(next(batches)[0])]
        assert stream.draws == epoch + 1
        assert len(set(seen)) == len(seen) == 20
        orders.append(seen)
    assert orders[0] != orders[1] != orders[2]
    assert len(set().union(*map(set, orders))) == 23  # other images are left out each time


def test_an_epoch_that_divides_covers_everything():
    batches = Batches(numbered(24), 6, Stream())
    for _ in range(3):
        seen = [index for _ in range(4) for index in members(next(batches)[0])]
        assert sorted(seen) == list(range(24))


def test_a_batch_is_the_data_in_the_models_range_with_its_labels():
    x, labels = next(Batches(numbered(23), 23, Stream()))
    assert x.dtype == np.float32 and x.shape == (23, 2, 3, 1) and labels.dtype == np.int64
    indices = np.array(members(x))
    np.testing.assert_array_equal(x[:, 1, 2, 0], (indices / 127.5 - 1).astype(np.float32))
    np.testing.assert_array_equal(labels, indices % 5)


def test_a_batch_is_its_readers_own():
    data = numbered(6)
    for x, labels in (next(Batches(data, 6, Stream())) for _ in range(2)):
        x[:] = 0
        labels[:] = 0
    assert members(to_model(data.images)) == list(range(6))
    assert data.labels.tolist() == [0, 1, 2, 3, 4, 0]


def test_unlabelled_batches():
    x, labels = next(iter(Batches(numbered(9, labelled=False), 4, Stream())))
    assert labels is None and x.shape == (4, 2, 3, 1)


def test_the_seed_decides_the_order():
    first, same, other = (members(next(Batches(numbered(40), 40, Stream(seed)))[0])
                          for seed in (1, 1, 2))
    assert first == same != other


@pytest.mark.parametrize("given", [0, 1, 3, 4, 5, 9])
def test_resume_is_exact(given):
    stream = Stream()
    batches = Batches(numbered(23), 5, stream)
    for _ in range(given):
        next(batches)
    state, stream_state = batches.state(), stream.generator.bit_generator.state
    expected = [next(batches) for _ in range(11)]

    again = Stream(seed=99)
    resumed = Batches(numbered(23), 5, again)
    next(resumed)
    resumed.load_state(state)
    again.generator.bit_generator.state = stream_state
    for (x, labels), (new_x, new_labels) in zip(expected, (next(resumed) for _ in range(11))):
        np.testing.assert_array_equal(x, new_x)
        np.testing.assert_array_equal(labels, new_labels)


def test_a_saved_state_stands_still():
    batches = Batches(numbered(10), 5, Stream())
    next(batches)
    state = batches.state()
    order = state["permutation"].copy()
    for _ in range(6):
        next(batches)
    assert state["position"] == 5
    np.testing.assert_array_equal(state["permutation"], order)


@pytest.mark.parametrize("change, says", [
    ({"permutation": np.arange(9)}, "permutation.*10 images"),
    ({"permutation": np.zeros(10, int)}, "permutation.*10 images"),
    ({"position": 11}, "position 11, expected 0 to 10"),
    ({"position": -1}, "position -1"),
])
def test_a_wrong_state_is_refused_and_changes_nothing(change, says):
    batches = Batches(numbered(10), 5, Stream())
    next(batches)
    before = batches.state()
    with pytest.raises(ValueError, match=says):
        batches.load_state(before | change)
    after = batches.state()
    assert after["position"] == before["position"]
    np.testing.assert_array_equal(after["permutation"], before["permutation"])


def test_too_few_images_and_no_batch():
    with pytest.raises(ValueError, match="data: 30 images, batch_size 64: "):
        Batches(numbered(30), 64, Stream())
    with pytest.raises(ValueError, match="batch_size: 0"):
        Batches(numbered(30), 0, Stream())


# idx files.

@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(5,), (3, 2, 4), (0, 28, 28)])
def test_idx_reads_what_was_written(tmp_path, shape, packed):
    values = (np.arange(np.prod(shape)) * 7 % 256).astype(np.uint8).reshape(shape)
    contents = idx_bytes(values)
    path = tmp_path / "some-file"
    path.write_bytes(gzip.compress(contents) if packed else contents)
    read = parse_idx(read_contents(path), len(shape), path)
    assert read.dtype == np.uint8 and read.shape == shape
    np.testing.assert_array_equal(read, values)


GOOD = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize("contents, says", [
    (b"", "not an idx file"),
    (b"<html>not found</html>", "not an idx file, it starts with '3c 68 74 6d'"),
    (b"\x01" + GOOD[1:], "expected '00 00 08 03'"),
    (GOOD[:2] + b"\x0d" + GOOD[3:], "idx type 0x0d"),
    (idx_bytes(np.zeros(4, np.uint8)), "1 dimensions, expected 3.*swapped"),
    (GOOD[:9], "truncated in the header, 9 of 16 bytes"),
    (GOOD[:-1], r"truncated, 23 values for the sizes \(2, 3, 4\), expected 24"),
    (GOOD + b"\0", "too long, 25 values"),
    (struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**32 - 1] * 3), "truncated, 0 values"),
])
def test_idx_refuses(contents, says):
    with pytest.raises(ValueError, match=f"^some-file: .*{says}"):
        parse_idx(contents, 3, Path("some-file"))


def test_damaged_gzip_names_the_file(tmp_path):
    packed = gzip.compress(GOOD)
    path = tmp_path / "images.gz"
    for damaged in (packed[:-9], packed[:12], packed[:-8] + bytes(8), packed[:10] + b"\xff" * 20):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="images.gz: damaged or truncated gzip"):
            read_contents(path)


# Sets by name.

@pytest.mark.parametrize("place", ["", "mnist", "MNIST/raw"])
@pytest.mark.parametrize("packed", [False, True])
def test_idx_set_is_found_in_each_layout(nowhere, place, packed):
    write_set(nowhere / "root" / place, packed=packed)
    with pytest.warns(UserWarning, match="not MNIST's original file"):
        data = load("mnist", folder=nowhere / "root")
    assert data.images.shape == (12, 2, 3, 1) and data.labels.shape == (12,)
    assert data.images[1, 1, 2, 0] == 11
    assert (data.name, data.split, data.n_classes) == ("mnist", "train", 10)


def test_the_variable_comes_before_the_cache(nowhere, monkeypatch):
    write_set(nowhere / "cache" / "mnist", count=5, split="test")
    write_set(nowhere / "variable" / "mnist", count=6, split="test")
    with pytest.warns(UserWarning):
        assert len(load("mnist", "test")) == 5
        monkeypatch.setenv("MINIGAN_DATA", str(nowhere / "variable"))
        assert len(load("mnist", "test")) == 6


def test_fashion_is_found_where_the_system_puts_it(nowhere, monkeypatch):
    folder = write_set(nowhere / "system", packed=True)
    moved = dataclasses.replace(sets.SETS["fashion-mnist"], fixed=(folder,))
    monkeypatch.setitem(sets.SETS, "fashion-mnist", moved)
    with pytest.warns(UserWarning, match="Fashion-MNIST"):
        assert len(load("fashion-mnist")) == 12


def test_missing_files_are_named_with_every_place(nowhere, monkeypatch):
    monkeypatch.setenv("MINIGAN_DATA", str(nowhere / "variable"))
    with pytest.raises(FileNotFoundError) as caught:
        load("mnist", "test")
    said = str(caught.value)
    assert "t10k-images-idx3-ubyte" in said and "--data digits" in said and "\n" not in said
    for place in ("variable", "variable/mnist", "variable/MNIST/raw", "cache/mnist"):
        assert str(nowhere / place) in said


def test_a_given_folder_is_the_only_one_searched(nowhere):
    write_set(nowhere / "cache" / "mnist")
    with pytest.raises(FileNotFoundError) as caught:
        load("mnist", folder=nowhere / "elsewhere")
    assert "cache" not in str(caught.value)


def test_labels_without_images_are_not_a_set(nowhere):
    folder = write_set(nowhere / "root")
    (folder / "train-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError):
        load("mnist", folder=folder)


def test_images_and_labels_of_different_number(nowhere):
    folder = write_set(nowhere / "root")
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(11, np.uint8)))
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="12 images .* 11 labels"):
        load("mnist", folder=folder)


def test_letters_keep_their_classes(nowhere):
    folder = write_set(nowhere / "root")
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.arange(15, 27, dtype=np.uint8)))
    with pytest.warns(UserWarning):
        assert load("mnist", folder=folder).n_classes == 27


def test_one_sets_files_are_not_taken_for_anothers(nowhere, monkeypatch):
    folder = write_set(nowhere / "root")
    own = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    known = dataclasses.replace(sets.SETS["mnist"], sums=own)
    monkeypatch.setitem(sets.SETS, "mnist", known)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load("mnist", folder=folder)) == 12
    with pytest.raises(ValueError, match="is MNIST's file, not Fashion-MNIST's"):
        load("fashion-mnist", folder=folder)


def test_unknown_names_and_splits():
    with pytest.raises(ValueError, match="'mnits', known are digits, mnist, fashion-mnist"):
        load("mnits")
    with pytest.raises(ValueError, match="split: 'test'.*only 'train'"):
        load("digits", "test")
    with pytest.raises(ValueError, match="split: 'valid', expected one of train, test"):
        load("mnist", "valid")


@pytest.mark.parametrize("system, variable, expected", [
    ("unix.Unix", "XDG_CACHE_HOME", "chosen/minigan"),
    ("unix.Unix", None, "home/.cache/minigan"),
    ("macos.MacOS", None, "home/Library/Caches/minigan"),
    ("windows.Windows", None, "local/minigan"),
])
def test_cache_folder_follows_the_platform(tmp_path, monkeypatch, system, variable, expected):
    """The folders of earlier versions, so that what these downloaded is found."""
    module, name = system.split(".")
    system_folders = importlib.import_module(f"platformdirs.{module}")
    monkeypatch.setattr(platformdirs, "PlatformDirs", getattr(system_folders, name))
    if module == "windows":
        monkeypatch.setattr(system_folders, "get_win_folder", lambda csidl: str(tmp_path / "local"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "chosen"))
    assert places.cache_folder() == tmp_path / expected


# The embedded digits.

@pytest.mark.parametrize("name", ["digits", "mnist5k"])
def test_embedded_digits(name):
    data = load(name)
    assert data.images.shape == (5000, 28, 28, 1) and data.images.dtype == np.uint8
    assert data.labels.dtype == np.int64
    assert np.bincount(data.labels).tolist() == [500] * 10
    assert (data.name, data.split, data.n_classes) == ("digits", "train", 10)
    packed = data.images.tobytes() + data.labels.astype(np.uint8).tobytes()
    assert hashlib.sha256(packed).hexdigest() == DIGITS_CONTENTS


def test_embedded_digits_are_shuffled():
    firsts = load().labels.reshape(50, 100)
    assert min(len(set(block)) for block in firsts) == 10  # sorted blocks would hold one class


def test_without_the_embedded_file_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "EMBEDDED", tmp_path / "digits.npz")
    with pytest.raises(FileNotFoundError, match="embedded digits are missing.*--data"):
        load()


@needs_mnist
def test_embedded_digits_are_the_first_500_of_each_class_of_mnist():
    train, digits = load("mnist", folder=SHARED), load()
    first = np.concatenate([np.flatnonzero(train.labels == digit)[:500] for digit in range(10)])
    expected = {(int(train.labels[i]), train.images[i].tobytes()) for i in first}
    given = {(int(label), image.tobytes()) for label, image in zip(digits.labels, digits.images)}
    assert given == expected and len(given) == 5000


@needs_mnist
@pytest.mark.parametrize("split, count, firsts", [
    ("train", 60000, [5, 0, 4, 1, 9, 2, 1, 3]),
    ("test", 10000, [7, 2, 1, 0, 4, 1, 4, 9]),
])
def test_full_mnist(split, count, firsts):
    data = load("mnist", split, SHARED)
    assert data.images.shape == (count, 28, 28, 1)
    assert data.labels[:8].tolist() == firsts
    if split == "train":
        assert data.images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
        assert data.images.std() / 255 == pytest.approx(0.3081, abs=5e-5)


# The script that packed them.

@pytest.fixture(scope="module")
def make_digits():
    path = ROOT / "benchmarks" / "make_digits.py"
    if not path.is_file():
        pytest.skip("an installed copy has no benchmarks")
    spec = importlib.util.spec_from_file_location("make_digits", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_packing_leaves_no_trace_of_the_clock(make_digits, tmp_path, monkeypatch):
    arrays = {"images": np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1),
              "labels": np.array([2, 0, 1], np.uint8)}
    packed = make_digits.pack(arrays)
    monkeypatch.setattr(zipfile.time, "localtime", lambda *_: (2001, 2, 3, 4, 5, 6, 0, 0, 0))
    assert make_digits.pack(arrays) == packed
    path = tmp_path / "packed.npz"
    path.write_bytes(packed)
    with np.load(path) as file:
        assert sorted(file) == ["images", "labels"]
        np.testing.assert_array_equal(file["images"], arrays["images"])
    for archive in (path, sources.EMBEDDED):
        with zipfile.ZipFile(archive) as entries:
            assert {entry.date_time for entry in entries.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_packing_order_undone_is_sorted_by_class(make_digits):
    order = make_digits.shuffled(5000)
    labels = np.empty(5000, int)
    labels[order] = load().labels
    np.testing.assert_array_equal(labels, np.repeat(np.arange(10), 500))


def test_another_source_is_refused(make_digits, tmp_path):
    path = tmp_path / "mnist_5k.csv.gz"
    path.write_bytes(gzip.compress(b"0,0,1\n"))
    with pytest.raises(ValueError, match="SHA-256"):
        make_digits.read_source(path)
