"""Wrong files under right names: one sentence each, from the command, and nothing is written."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from data_tools import SHARED, idx_bytes, needs_mnist, write_set, write_tar
from PIL import Image

from minigan.cli import main
from minigan.data import sets

IMAGES, LABELS = sets.IDX_SPLITS["train"]
FASHION = Path("/usr/share/datasets/fashion-mnist")


@pytest.fixture
def here(nowhere, monkeypatch):
    monkeypatch.chdir(nowhere)
    return nowhere


@pytest.fixture
def refusal(here, capsys):
    """The one sentence with which training is refused."""
    def train(name, *more, model="gan"):
        before = sorted(here.rglob("*"))
        assert main(["train", model, "--data", str(name), "--steps", "1", *more]) == 2
        said = capsys.readouterr()
        assert said.out == "" and len(said.err.splitlines()) == 1, said
        assert said.err.startswith("minigan: error: ") and sorted(here.rglob("*")) == before
        return said.err
    return train


def test_labels_named_as_images_and_the_other_way_round(here, refusal):
    folder = write_set(here / "mnist")
    images, labels = folder / IMAGES, folder / LABELS
    whole = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    said = refusal("mnist", "--data-dir", ".")
    assert f"{IMAGES}: 1 dimensions, expected 3 (images have 3, labels 1: are the files" in said
    images.write_bytes(whole)
    labels.write_bytes(whole)
    with pytest.warns(UserWarning, match="not MNIST's original"):  # of the images
        said = refusal("mnist", "--data-dir", ".")
    assert f"{LABELS}: 3 dimensions, expected 1" in said


def test_the_test_parts_labels_beside_the_train_parts_images(here, refusal):
    folder = write_set(here / "mnist")
    (folder / LABELS).write_bytes(idx_bytes(np.zeros(5, np.uint8)))
    with pytest.warns(UserWarning):
        assert "12 images in " in refusal("mnist", "--data-dir", ".")


def test_fashion_under_mnists_name(here, refusal, monkeypatch):
    folder = write_set(here / "mnist", packed=True)
    own = {path.stem: hashlib.md5(gzip.decompress(path.read_bytes())).hexdigest()
           for path in folder.iterdir()}
    fashion = dataclasses.replace(sets.SETS["fashion-mnist"], sums=own)
    monkeypatch.setitem(sets.SETS, "fashion-mnist", fashion)
    said = refusal("mnist", "--data-dir", ".")
    assert f"{IMAGES}.gz is Fashion-MNIST's file, not MNIST's" in said


@pytest.mark.skipif(not FASHION.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_real_fashion_under_mnists_name(refusal):
    assert "is Fashion-MNIST's file, not MNIST's" in refusal("mnist", "--data-dir", str(FASHION))


@needs_mnist
def test_the_real_mnist_under_fashions_name(refusal):
    said = refusal("fashion-mnist", "--data-dir", str(SHARED / "mnist"))
    assert "is MNIST's file, not Fashion-MNIST's" in said


@pytest.mark.parametrize("keep", [0, 1, 5, 30, 90, -9, -1])
def test_a_truncated_gz(here, refusal, keep):
    folder = write_set(here / "mnist", packed=True)
    path = folder / f"{IMAGES}.gz"
    whole = path.read_bytes()
    assert len(whole) > 100
    path.write_bytes(whole[:keep])
    said = refusal("mnist", "--data-dir", ".")
    assert f"{IMAGES}.gz: " in said and ("truncated" in said or "not an idx file" in said)


def test_a_page_of_a_login_under_the_name(here, refusal):
    folder = write_set(here / "mnist", packed=True)
    (folder / f"{IMAGES}.gz").write_bytes(b"<!DOCTYPE html><title>Wi-Fi</title>")
    assert f"{IMAGES}.gz: not an idx file, it starts with" in refusal("mnist", "--data-dir", ".")


def test_the_pickles_of_cifar(here, refusal):
    write_tar(here / "cifar-10-python.tar.gz",
              {"cifar-10-batches-py/data_batch_1": pickle.dumps({"data": 0})})
    said = refusal("cifar-10", "--data-dir", ".")
    assert "cifar-10-python.tar.gz holds pickles" in said and "data get cifar-10" in said


def test_a_data_folder_that_is_not_there(here, refusal):
    for name in ("mnist", "fashion-mnist", "cifar-10"):
        said = refusal(name, "--data-dir", "nowhere")
        assert f"nowhere/{name}" in said and f"minigan data get {name}" in said
        assert "--data digits" in said


def test_pictures_without_classes_for_a_conditional_model(here, refusal):
    for i in range(3):
        (here / "faces" / "all").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((28, 28), np.uint8)).save(here / "faces" / "all" / f"{i}.png")
    said = refusal("faces", model="cgan")
    assert "cgan is conditional and needs labels" in said
    assert "those of a folder of pictures are its sub-" in said


def test_pictures_of_a_size_that_the_model_does_not_make(here, refusal):
    (here / "faces").mkdir()
    Image.fromarray(np.zeros((30, 30), np.uint8)).save(here / "faces" / "1.png")
    said = refusal("faces", model="pix2pix")
    assert "multiples of 4" in said and "30x30" in said
