"""The processor's fast forms: each equals its plain twin in `backend/base.py`.

Values only: what derivatives these primitives have is the business of the ops above them, whose
rules the op table checks to second order, on the same fast forms.
"""
from __future__ import annotations

import math

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minigan.backend import Backend, get_backend
from minigan.backend.cpu import blocks, winograd
from minigan.geometry import conv_geometry, pair
from minigan.system.threads import use_threads

pytestmark = pytest.mark.rounding

FAST, PLAIN = get_backend("numpy"), Backend("numpy", np, np.ndarray)
SHAPES = [(8, 3, 4, 6), (3, 5, 4, 7), (3, 9, 20, 3), (7, 600), (90, 4), (1000,), (5,), (1, 1),
          (1, 2, 3, 1), (2, 1, 1, 1), (0, 4), (3, 0, 2), ()]
LAYOUTS = {"contiguous": lambda a: a, "transposed": lambda a: np.ascontiguousarray(a.T).T,
           "every other": lambda a: np.repeat(a, 2, 0)[::2] if a.ndim else a,
           "repeated": lambda a: np.broadcast_to(a[:1], a.shape) if a.ndim else a}


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """So that small arrays have several; and one thread again after each test."""
    monkeypatch.setattr(blocks, "BLOCK", 64)
    with threadpool_limits(None):
        yield
        use_threads(1)


def draw(shape, dtype, seed=0):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def same(fast, plain, dtype, count=1):
    """Equal but for rounding in sums of `count` terms of size 1.

    Added one after another, each addition rounds a sum that has grown to the root of the number of
    terms so far: on average together a fifth of `count` roundings.
    """
    assert isinstance(fast, (np.ndarray, np.generic)) and fast.dtype == plain.dtype == dtype
    assert fast.shape == plain.shape
    np.testing.assert_allclose(fast, plain, rtol=1e-5 if dtype == "float32" else 1e-13,
                               atol=np.finfo(dtype).eps * max(20 * count ** 0.5, count))


def factors(shape, dtype):
    """Small shapes that broadcast against `shape`: by channel, by sample, by both, odd ones."""
    yield from {shape[-1:], (1,) * (len(shape) - 1) + shape[-1:],
                shape[:1] + (1,) * (len(shape) - 1),
                shape[:1] + (1,) * (len(shape) - 2) + shape[-1:] if len(shape) > 1 else shape,
                (1,) * len(shape), shape, shape[1:]}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
class TestPasses:
    """Every pass, at sizes of none, one and several blocks."""

    def test_activations(self, shape, layout, dtype):
        x, gy = LAYOUTS[layout](draw(shape, dtype)), draw(shape, dtype, 1)
        x = np.where(np.abs(x) < 0.05, 0, x).astype(dtype)  # the kink too
        for slope in (0.0, 0.2, 1.0):
            same(FAST.leaky_relu(x, slope), PLAIN.leaky_relu(x, slope), dtype)
            if x.ndim:
                bias = draw(x.shape[-1:], dtype, 2)
                same(FAST.biased(x, bias, slope), PLAIN.biased(x, bias, slope), dtype)
            for a, b in ((gy, x), (LAYOUTS[layout](gy), x), (gy, LAYOUTS[layout](x))):
                same(FAST.gate(a, b, slope), PLAIN.gate(a, b, slope), dtype)
                same(FAST.keep(a, b), PLAIN.keep(a, b), dtype)

    def test_products_with_small_factors(self, shape, layout, dtype):
        a, b = LAYOUTS[layout](draw(shape, dtype)), draw(shape, dtype, 1)
        for small in factors(shape, dtype):
            p, q, r = (draw(small, dtype, seed) for seed in (2, 3, 4))
            same(FAST.scale_shift(a, p, 0), PLAIN.scale_shift(a, p, 0), dtype)
            same(FAST.scale_shift(a, p, r), PLAIN.scale_shift(a, p, r), dtype)
            same(FAST.mix(a, p, b, q, r), PLAIN.mix(a, p, b, q, r), dtype)
            same(FAST.mix(a, p, b, q, r[..., :1] if r.ndim else r),
                 PLAIN.mix(a, p, b, q, r[..., :1] if r.ndim else r), dtype)

    def test_arithmetic(self, shape, layout, dtype):
        a, b = LAYOUTS[layout](draw(shape, dtype)), draw(shape, dtype, 1)
        others = [b, 2.0] + ([a[..., :1], b[(0,) * (len(shape) - 1)]] if shape and a.size else [])
        for threads in (1, 2):
            use_threads(threads)
            for name in ("add", "subtract", "multiply"):
                for other in others:
                    one = getattr(FAST, name)(a, other)
                    np.testing.assert_array_equal(one, getattr(np, name)(a, other))
                    np.testing.assert_array_equal(getattr(FAST, name)(other, a),
                                                  getattr(np, name)(other, a))
                    assert one.dtype == dtype

    def test_blocks_of_flat_arrays(self, shape, layout, dtype):
        a, b = draw(shape, dtype).reshape(-1), draw(shape, dtype, 1).reshape(-1)
        expected = a + b
        FAST.each_block(lambda x, y: np.add(x, y, out=x), [a, b])
        np.testing.assert_array_equal(a, expected)

    def test_sums(self, shape, layout, dtype):
        a, b = LAYOUTS[layout](draw(shape, dtype)), draw(shape, dtype, 1)
        n = len(shape)
        every = tuple(range(n))
        for axis in {every, every[:-1], every[1:], (), every[:1], every[1:-1], every[-1:]}:
            count = max(1, int(np.prod([shape[i] for i in axis])))
            same(FAST.total(a, axis, True), PLAIN.total(a, axis, True), dtype, count)
            same(FAST.dot(a, b, axis), PLAIN.dot(a, b, axis), dtype, count)
            if a.size:
                mean = a.mean(axis=axis, keepdims=True, dtype="float64").astype(dtype)
                same(FAST.variance(a, mean, axis), PLAIN.variance(a, mean, axis), dtype)


def test_passes_have_the_same_bits_on_any_number_of_threads():
    x, gy = draw((9, 4, 4, 6), "float32"), draw((9, 4, 4, 6), "float32", 1)
    row, results = draw((6,), "float32", 2), []
    for threads in (1, 2, 3):
        use_threads(threads)
        results.append([FAST.leaky_relu(x, 0.2), FAST.gate(gy, x, 0.2), FAST.gate(gy, x, 0.0),
                        FAST.keep(gy, np.maximum(x, 0)),
                        FAST.mix(gy, row, x, row, 1), FAST.dot(gy, x, (0, 1, 2)),
                        FAST.variance(x, x[:1, :1, :1], (0, 1, 2)), FAST.dot(gy, x, (1, 2)),
                        FAST.total(x, (0, 1, 2), True)])
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            assert one.tobytes() == other.tobytes()


# Convolutions: (size, kernel, stride, padding), with remainders, gaps, and parts that nobody sees.
CONVOLUTIONS = [
    ((14, 14), 4, 2, 1), ((7, 9), 4, 2, 1), ((7, 7), 5, 1, 2), ((9, 10), 3, 1, 1),
    ((9, 8), 3, 1, 0), ((11, 12), 4, 2, 0), ((10, 11), 5, 2, "same"),
    ((8, 9), 2, 2, 0), ((8, 8), 2, 1, 0), ((13, 14), 6, 2, ((2, 1), (0, 3))),
    ((9, 12), 5, 3, 1), ((12, 9), (4, 6), (2, 3), (1, 2))]


def problem(size, kernel, stride, padding, dtype, images=3, channels=5):
    """A geometry, and x, w, y for it: 4 channels out."""
    g = conv_geometry("test", size, pair("kernel", kernel, 1), stride, padding, 1)
    shapes = (images, *size, channels), (*g.kernel, channels, 4), (images, *g.out_size, 4)
    return g, *(draw(shape, dtype, seed) for seed, shape in enumerate(shapes))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size, kernel, stride, padding", CONVOLUTIONS)
def test_the_convolution_family_in_blocks(size, kernel, stride, padding, dtype):
    for images, channels in ((0, 5), (1, 1), (1, 5), (3, 3), (20, 5), (20, 2)):
        g, x, w, y = problem(size, kernel, stride, padding, dtype, images, channels)
        for a, b in ((x, y), (x[::-1], np.asfortranarray(y))):
            same(FAST.conv2d(a, w, g), PLAIN.conv2d(a, w, g), dtype, 200)
            same(FAST.conv_transpose2d(b, w, g), PLAIN.conv_transpose2d(b, w, g), dtype, 200)
            same(FAST.conv2d_weight(a, b, g), PLAIN.conv2d_weight(a, b, g), dtype,
                 max(images * math.prod(g.out_size), 1))
        rows = PLAIN.patches(x, g)
        same(FAST.patches(x, g), rows, dtype)
        same(FAST.fold(rows, g, channels), PLAIN.fold(rows, g, channels), dtype, 20)


@pytest.mark.parametrize("kept", [0, 1 << 20])  # numbers: in groups of a few images, or all at once
@pytest.mark.parametrize("many", [0, 1 << 20])  # tiles: multiplied block by block, or all at once
@pytest.mark.parametrize("m", [2, 3, 4])
@pytest.mark.parametrize("size, kernel, stride, padding", CONVOLUTIONS[:-2])
def test_the_convolution_family_by_winograd(monkeypatch, size, kernel, stride, padding, m, many,
                                            kept):
    monkeypatch.setattr(winograd, "KEPT", kept)
    monkeypatch.setattr(winograd, "MANY_TILES", many)
    monkeypatch.setattr(winograd, "GROUP", 20_000)
    r = -(-kernel // stride)
    for dtype in ("float64", "float32") if r <= m + 1 else ():
        for images in (1, 20):
            g, x, w, y = problem(size, kernel, stride, padding, dtype, images)
            results = [winograd.conv2d(FAST.part, x, w, g, m),
                       winograd.conv_transpose2d(FAST.part, y, w, g, m),
                       winograd.conv2d_weight(FAST.part, x, y, g, m)]
            plain = [PLAIN.conv2d(x, w, g), PLAIN.conv_transpose2d(y, w, g),
                     PLAIN.conv2d_weight(x, y, g)]
            for one, other in zip(results, plain):
                assert one.dtype == other.dtype and one.shape == other.shape
                error = np.linalg.norm(one - other) / np.linalg.norm(other)
                # Up to 9 and 42 roundings, by the order of the sums within BLAS; wrong is 1e-3 on.
                assert error < (40 if m + r < 6 else 200) * np.finfo(dtype).eps


@pytest.mark.parametrize("many", [0, 1024])
def test_convolutions_have_the_same_bits_on_any_number_of_threads(monkeypatch, many):
    monkeypatch.setattr(winograd, "MANY_TILES", many)
    monkeypatch.setattr(blocks, "SHARED", 0)
    for size, channels in ((14, (64, 128)), (28, (48, 48))):
        g = conv_geometry("test", (size, size), (3, 3), 1, 1, 1)
        x, w, y = (draw(shape, "float32") for shape in (
            (20, size, size, channels[0]), (3, 3, *channels), (20, size, size, channels[1])))
        results = []
        for threads in (1, 2, 3):
            use_threads(threads)
            results.append([FAST.conv2d(x, w, g), FAST.conv_transpose2d(y, w, g),
                            FAST.conv2d_weight(x, y, g)])
        for others in results[1:]:
            for one, other in zip(results[0], others, strict=True):
                assert one.tobytes() == other.tobytes()
