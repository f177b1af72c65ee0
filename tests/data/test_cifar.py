"""CIFAR-10: records, the archive as it is published, its unpacked files, and invalid ones."""

from __future__ import annotations

import dataclasses
import hashlib
import lzma
import pickle
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from data_tools import SHARED, needs_cifar, records, write_tar

from minigan.data import load, sets
from minigan.data.cifar import RECORD, parse_batch

SOURCE = sets.SETS["cifar-10"]
TRAIN, (TEST,) = SOURCE.splits["train"], SOURCE.splits["test"]
LABELS = np.arange(18, dtype=np.uint8).reshape(6, 3) % 10
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32, 3), np.uint8)
CONTENTS = {name: records(labels, pixels)
            for name, labels, pixels in zip((*TRAIN, TEST), LABELS, PIXELS)}
MEMBERS = {"cifar-10-batches-bin/batches.meta.txt": b"airplane\n",
           **{f"cifar-10-batches-bin/{name}": held for name, held in CONTENTS.items()}}


def refused(folder: Path, split: str = "train") -> str:
    """The one sentence of a refusal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            load("cifar-10", split, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(params=["cifar-10/cifar-10-binary.tar.gz", "cifar-10-binary.tar.gz",
                        "cifar-10-binary.tar", "cifar-10/cifar-10-batches-bin",
                        "cifar-10-batches-bin", "cifar-10", "."])
def placed(request, nowhere):
    """A data folder with the set, as an archive or unpacked, in each place where it is found."""
    place = nowhere / "root" / request.param
    if ".tar" in place.name:
        write_tar(place, MEMBERS, "w:gz" if place.suffix == ".gz" else "w")
    else:
        place.mkdir(parents=True)
        for name, held in CONTENTS.items():
            (place / name).write_bytes(held)
    return nowhere / "root"


def test_each_form_in_each_place(placed):
    before = sorted(placed.rglob("*"))
    parts = {"train": (LABELS[:5], PIXELS[:5]), "test": (LABELS[5], PIXELS[5])}
    for split, (labels, pixels) in parts.items():
        with pytest.warns(UserWarning, match="not CIFAR-10's original file"):
            data = load("cifar-10", split, placed)
        assert data.images.flags.c_contiguous and data.images.dtype == np.uint8
        np.testing.assert_array_equal(data.images, pixels.reshape(-1, 32, 32, 3))
        np.testing.assert_array_equal(data.labels, labels.ravel())
        assert (data.name, data.split, data.n_classes) == ("cifar-10", split, 10)
        assert data.classes[:3] == ("airplane", "automobile", "bird")
    assert sorted(placed.rglob("*")) == before  # nothing was unpacked to the disk


def test_the_original_is_known_by_its_members(nowhere, monkeypatch):
    sums = {name: hashlib.sha1(held).hexdigest() for name, held in CONTENTS.items()}
    monkeypatch.setitem(sets.SETS, "cifar-10", dataclasses.replace(SOURCE, sums=sums))
    write_tar(nowhere / "cifar-10-binary.tar.gz", MEMBERS)
    assert len(load("cifar10", folder=nowhere)) == 15  # a warning would be an error


def test_missing(nowhere):
    said = refused(nowhere / "root")
    assert "cifar-10-binary.tar.gz or cifar-10-batches-bin" in said
    assert str(nowhere / "root" / "cifar-10") in said and "minigan data get cifar-10" in said


def test_a_missing_batch(nowhere):
    archive = write_tar(nowhere / "cifar-10-binary.tar.gz", {
        name: held for name, held in MEMBERS.items() if "3" not in name})
    assert refused(nowhere) == f"data: {archive} holds no data_batch_3.bin"


@pytest.mark.parametrize("keep", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", ["cifar-10-binary.tar.gz", "cifar-10-binary.tar"])
def test_a_truncated_archive(nowhere, name, keep):
    archive = write_tar(nowhere / name, MEMBERS, "w:gz" if name.endswith("gz") else "w")
    held = archive.read_bytes().rstrip(b"\0")  # a tar ends with zeros that nobody needs
    archive.write_bytes(held[:int(keep * len(held))])
    said = refused(nowhere, "test")
    assert str(archive) in said and ("truncated" in said or "holds no test_batch.bin" in said)


def test_something_else_under_the_name(nowhere):
    archive = nowhere / "cifar-10-binary.tar.gz"
    archive.write_bytes(b"<html>404</html>" * 100)
    assert "damaged or truncated archive, or not an archive" in refused(nowhere)
    write_tar(archive, {"cifar-100-binary/train.bin": b"\0" * 3074})
    assert "holds no data_batch_1.bin, data_batch_2.bin" in refused(nowhere)


class Explosive:
    """Unpickling it would be seen."""

    def __reduce__(self):
        return pytest.fail, ("a pickle was read",)


def test_pickles_are_never_read(nowhere):
    pickles = {f"cifar-10-batches-py/{Path(name).stem}": pickle.dumps(Explosive())
               for name in CONTENTS}
    archive = write_tar(nowhere / "cifar-10-python.tar.gz", pickles)
    assert f"{archive} holds pickles" in refused(nowhere)
    archive.rename(nowhere / "cifar-10-binary.tar.gz")  # under the wrong name
    said = refused(nowhere)
    assert "holds pickles (cifar-10-batches-py/data_batch_1)" in said
    assert "minigan data get cifar-10" in said
    (nowhere / "cifar-10-binary.tar.gz").unlink()
    (nowhere / "cifar-10" / "cifar-10-batches-py").mkdir(parents=True)
    assert "cifar-10-batches-py holds pickles" in refused(nowhere)
    (nowhere / "cifar-10" / "cifar-10-batches-bin").mkdir()  # once more, as .bin
    for name, held in zip(CONTENTS, pickles.values()):
        (nowhere / "cifar-10" / "cifar-10-batches-bin" / name).write_bytes(held)
    assert "not of the binary version" in refused(nowhere)


@pytest.mark.parametrize("held, says", [
    (b"", "has 0 bytes"),
    (CONTENTS[TEST][:-1], f"has {3 * RECORD - 1} bytes, expected a multiple of 3073"),
    (b"\x0a" + CONTENTS[TEST][1:], "has a label 10, expected 0 to 9"),
])
def test_invalid_records(held, says):
    with pytest.raises(ValueError, match=f"some-file {says}"):
        parse_batch(held, 10, Path("some-file"))


def test_folders_and_links_in_an_archive_are_not_batches(nowhere):

    path = nowhere / "cifar-10-binary.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (("data_batch_1.bin", tarfile.DIRTYPE), (TEST, tarfile.SYMTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "../elsewhere"
            archive.addfile(info)
    assert "holds no test_batch.bin" in refused(nowhere, "test")


@needs_cifar
def test_the_real_pictures(nowhere):
    """The first 5,000 and 1,000: red, green and blue are where they belong, and so are labels."""
    held = lzma.decompress((SHARED / "cifar-10/data_batch_1.first5000.bin.xz").read_bytes())
    members = {name: held[i * 1000 * RECORD:(i + 1) * 1000 * RECORD]
               for i, name in enumerate(TRAIN)}
    members[TEST] = lzma.decompress((SHARED / "cifar-10/test_batch.first1000.bin.xz").read_bytes())
    write_tar(nowhere / "cifar-10-binary.tar", members, "w")
    with pytest.warns(UserWarning, match="not CIFAR-10's original file"):
        train, test = load("cifar-10", "train", nowhere), load("cifar-10", "test", nowhere)
    assert train.images.shape == (5000, 32, 32, 3) and test.images.shape == (1000, 32, 32, 3)
    assert [train.classes[label] for label in train.labels[:8]] == [
        "frog", "truck", "truck", "deer", "automobile", "automobile", "bird", "horse"]
    assert train.classes == tuple((SHARED / "cifar-10/batches.meta.txt").read_text().split())
    expected = np.frombuffer(held, np.uint8).reshape(-1, RECORD)[:, 1:].reshape(-1, 3, 32, 32)
    np.testing.assert_array_equal(train.images.transpose(0, 3, 1, 2), expected)
    ships = train.images[train.labels == 8].mean(axis=(0, 1, 2))
    assert ships[2] > ships[1] > ships[0]  # on water and under the sky: blue
