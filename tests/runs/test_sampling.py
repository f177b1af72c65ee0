"""Drawing from what was trained: latent walks, small files, the shipped digits."""
from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from model_tools import build, no_samples, no_summary

import minigan as mg
from minigan import data
from minigan.runs import checkpoint
from minigan.runs import trained as trained_runs
from minigan.runs.exporting import PRETRAINED, rounded
from minigan.runs.pictures import Pictures
from minigan.streams import Stream
from minigan.training import Trainer, load, slerp

pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture(scope="module")
def few():
    whole = data.load("digits")
    return data.Images(whole.images[:60], whole.labels[:60], "few", n_classes=10)


@pytest.fixture
def trained(few, monkeypatch):
    """A run of a few steps of any model, loaded again."""
    monkeypatch.setattr(Pictures, "draw_samples", no_samples)
    monkeypatch.setattr(Pictures, "draw_summary", no_summary)

    def of(name, preset, out="run", **settings):
        Trainer(build(name, preset, **settings), few, 8, out, threads=1).fit(3)
        return load(out)
    return of


def test_many_images_are_made_a_block_at_a_time(trained, monkeypatch):
    loaded, sizes = trained("cgan", "mlp"), []
    whole, labels = loaded.sample(23, seed=5), np.arange(23) % 10
    draw = loaded.model.sample
    monkeypatch.setattr(trained_runs, "BLOCK", 10)
    monkeypatch.setattr(loaded.model, "sample", lambda z, labels, raw: (
        sizes.append((len(z), len(labels))), draw(z, labels, raw))[1])
    for few in (loaded.sample(23, seed=5), loaded.sample(23, labels, seed=5)):
        assert few.shape == whole.shape and np.abs(few.astype(int) - whole).max() <= 1
    assert sizes == [(10, 10), (10, 10), (3, 3)] * 2


# Walks.

def test_slerp_keeps_to_the_sphere():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 100))
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
    for t in (0.0, 0.25, 0.5, 1.0):
        c = slerp(a, b, t)
        angle = np.arccos((a * b).sum(1))
        np.testing.assert_allclose(np.linalg.norm(c, axis=1), 1)
        np.testing.assert_allclose(np.arccos(np.clip((a * c).sum(1), -1, 1)), t * angle, atol=1e-7)
    assert np.linalg.norm((a + b) / 2, axis=1).max() < 0.85  # the straight line does not


def test_slerp_at_its_ends_and_edges():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4, 7)).astype("float32")
    assert np.array_equal(slerp(a, b, 0.0), a) and np.array_equal(slerp(a, b, 1.0), b)
    assert slerp(a, b, 0.3).dtype == np.float32
    np.testing.assert_allclose(slerp(a, a, 0.3), a, rtol=1e-6)
    np.testing.assert_allclose(slerp(a, 3 * a, 0.5), 2 * a, rtol=1e-6)
    np.testing.assert_allclose(slerp(a, -a, 0.5), 0 * a, atol=1e-6)  # no direction is the right one
    assert np.array_equal(slerp(0 * a, b, 1.0), b) and np.isfinite(slerp(0 * a, b, 0.4)).all()
    walk = slerp(a[:, None], b[:, None], np.linspace(0, 1, 6, dtype="float32")[:, None])
    assert walk.shape == (4, 6, 7) and np.array_equal(walk[:, 2], slerp(a, b, np.float32(0.4)))


def test_a_walk(trained):
    loaded = trained("gan", "seed")
    walks = loaded.interpolate(4, 7, seed=3)
    assert walks.shape == (4, 7, 28, 28, 1) and walks.dtype == np.uint8
    z = loaded.model.latent_from(Stream(3, "sample"), 4)
    ends = data.to_bytes(loaded.model.sample(z).numpy())
    assert np.array_equal(walks[:, 0], ends)
    assert np.array_equal(walks[:, -1], np.roll(ends, -1, axis=0))  # a round trip
    middle = slerp(z.numpy()[:1], z.numpy()[1:2], np.float32(0.5))
    due = data.to_bytes(loaded.model.sample(mg.tensor(middle)).numpy())[0]
    assert np.abs(walks[0, 3].astype(int) - due).max() <= 1
    assert np.array_equal(walks, loaded.interpolate(4, 7, seed=3))
    assert not np.array_equal(walks, loaded.interpolate(4, 7, seed=4))


def test_a_walk_keeps_its_label(trained):
    loaded = trained("cgan", "mlp")
    walks = loaded.interpolate(3, 4, labels=[5, 0, 9])
    z = loaded.model.latent_from(Stream(0, "sample"), 3)
    ends = [data.to_bytes(loaded.model.sample(z, labels).numpy())
            for labels in ([5, 0, 9], [9, 5, 0])]
    assert np.array_equal(walks[:, 0], ends[0])
    assert np.array_equal(walks[:, -1], np.roll(ends[1], -1, axis=0))
    assert np.array_equal(loaded.interpolate(11, 2),
                          loaded.interpolate(11, 2, labels=[*range(10), 0]))
    assert not np.array_equal(walks, loaded.interpolate(3, 4, labels=[5, 0, 9], raw=True))
    for labels, said in (([1, 2], "must be 3 integers"), ([1, 2, 10], "from 0 to 9, got 1 to 10")):
        with pytest.raises(ValueError, match=said):
            loaded.interpolate(3, 4, labels=labels)


def test_walks_that_cannot_be(trained):
    loaded = trained("gan", "seed")
    for rows, columns, said in ((0, 3, "rows .* 1 or more, got 0"),
                                (2.5, 3, "rows .* got 2.5"), (2, 1, "columns .* 2 or more")):
        with pytest.raises(ValueError, match=said):
            loaded.interpolate(rows, columns)
    with pytest.raises(ValueError, match="starts from images, there is nothing between"):
        trained("pix2pix", "edges", "other").interpolate()


# Small files.

def test_rounding():
    x = np.random.default_rng(0).normal(size=5000).astype("float32")
    r = rounded(x)
    assert r.dtype == np.float16 and not (r.view(np.uint16) & 7).any()  # three bits are free
    assert 0.0035 < np.abs(r.astype("float32") / x - 1).max() <= 2 ** -8 + 2 ** -11
    assert np.array_equal(rounded(r.astype("float32")), r)
    half = np.array([1 + 2 ** -8, 1 + 3 * 2 ** -8, -1 - 2 ** -8], "float32")  # ties
    assert np.array_equal(rounded(half), [1, 1 + 4 * 2 ** -8, -1])
    for kept in (np.array([1e5], "f"), np.array([np.inf], "f"), np.array([3]), np.array([.1])):
        assert rounded(kept) is kept
    assert rounded(np.zeros((0, 3), "f")).shape == (0, 3)


@pytest.mark.parametrize("name, preset", [("gan", "mlp"), ("gan", "seed"), ("cgan", "conv"),
                                          ("pix2pix", "edges"), ("wgan-gp", "conv28")])
def test_an_exported_generator_draws_the_same(few, trained, name, preset):
    loaded = trained(name, preset)
    path = loaded.export("deep/er/g.npz")
    assert path == Path("deep/er/g.npz")
    assert 4 * path.stat().st_size < Path("run/checkpoint.npz").stat().st_size
    again = mg.load(path)
    assert repr(again) == repr(loaded)
    images = few if name == "pix2pix" else None
    ours, theirs = (model.sample(6, images=images).astype(int) for model in (again, loaded))
    assert np.abs(ours - theirs).max() <= 8 and np.abs(ours - theirs).mean() < 0.6
    if loaded.model.ema is not None:
        with pytest.raises(ValueError, match="raw: this file holds the moving average of the"):
            again.sample(2, raw=True)
    else:
        assert np.array_equal(again.sample(6, raw=True, images=images), ours)
    second = again.export("second.npz")  # nothing is lost in a copy
    assert second.read_bytes() == path.read_bytes()
    with zipfile.ZipFile(path) as file:
        assert all(name.startswith(("generator/", "config.json")) for name in file.namelist())


def test_an_exported_file_tells_of_no_folder(few, trained):
    few.source = {"name": "mnist", "split": "train", "folder": "secret place"}
    try:
        path = trained("gan", "seed").export("g.npz")
    finally:
        few.source = None
    config = checkpoint.load(path)[1]
    assert config["source"] == {"name": "mnist", "split": "train", "folder": None}
    assert not {"streams", "losses"} & config.keys()


def test_exports_that_cannot_be(trained):
    loaded = trained("gan", "seed")
    Path("there.npz").write_text("mine")
    with pytest.raises(FileExistsError, match="there.npz exists"):
        loaded.export("there.npz")
    with pytest.raises(ValueError, match="must end in .npz, .onnx or .safetensors, got 'g.bin'"):
        loaded.export("g.bin")
    assert Path("there.npz").read_text() == "mine" and not Path("g.bin").exists()
    arrays, config = checkpoint.load(loaded.export("g.npz"))
    arrays.pop("generator/0.bias")
    checkpoint.save(Path("h.npz"), arrays, config)
    with pytest.raises(ValueError, match="h.npz does not fit this version .*0.bias is missing"):
        mg.load("h.npz")


# The digits in the package.

def test_the_pretrained_digits():
    assert 100_000 < PRETRAINED.stat().st_size <= 500_000
    loaded = mg.load()
    assert loaded.config["model"] == "cgan" and loaded.config["data"] == "digits"
    digits = loaded.sample(200, seed=1)
    real = data.load("digits")
    # A nearest-mean judge, which is right about 4 of 5 real digits: these are digits as asked for.
    means = np.stack([real.images[real.labels == label].mean(axis=0) for label in range(10)])
    apart = ((digits[:, None].astype("float32") - means) ** 2).sum(axis=(2, 3, 4))
    right = (apart.argmin(axis=1) == np.arange(200) % 10).mean()
    assert right > 0.75
    assert len({image.tobytes() for image in digits}) == 200
