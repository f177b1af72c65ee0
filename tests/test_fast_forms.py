"""The processor's fast forms: each equals its plain twin in `backend/base.py`.

Values only: what derivatives these primitives have is the business of the ops above them, whose
rules the op table checks to second order, on the same fast forms.
"""
from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minigan.backend import Backend, cpu_passes, get
from minigan.backend.threads import use_threads

FAST, PLAIN = get("numpy"), Backend("numpy", np, np.ndarray)
SHAPES = [(8, 3, 4, 6), (3, 5, 4, 7), (3, 9, 20, 3), (7, 600), (90, 4), (1000,), (5,), (1, 1),
          (1, 2, 3, 1), (2, 1, 1, 1), (0, 4), (3, 0, 2), ()]
LAYOUTS = {"contiguous": lambda a: a, "transposed": lambda a: np.ascontiguousarray(a.T).T,
           "every other": lambda a: np.repeat(a, 2, 0)[::2] if a.ndim else a,
           "repeated": lambda a: np.broadcast_to(a[:1], a.shape) if a.ndim else a}


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """So that small arrays have several; and one thread again after each test."""
    monkeypatch.setattr(cpu_passes, "BLOCK", 64)
    with threadpool_limits(None):
        yield
        use_threads(1)


def draw(shape, dtype, seed=0):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def same(fast, plain, dtype, count=1):
    """Equal but for rounding in sums of `count` terms."""
    assert isinstance(fast, (np.ndarray, np.generic)) and fast.dtype == plain.dtype == dtype
    assert fast.shape == plain.shape
    np.testing.assert_allclose(fast, plain, rtol=1e-5 if dtype == "float32" else 1e-13,
                               atol=20 * np.finfo(dtype).eps * count ** 0.5)


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
            for a, b in ((gy, x), (LAYOUTS[layout](gy), x), (gy, LAYOUTS[layout](x))):
                same(FAST.gate(a, b, slope), PLAIN.gate(a, b, slope), dtype)

    def test_products_with_small_factors(self, shape, layout, dtype):
        a, b = LAYOUTS[layout](draw(shape, dtype)), draw(shape, dtype, 1)
        for small in factors(shape, dtype):
            p, q, r = (draw(small, dtype, seed) for seed in (2, 3, 4))
            same(FAST.scale_shift(a, p, 0), PLAIN.scale_shift(a, p, 0), dtype)
            same(FAST.scale_shift(a, p, r), PLAIN.scale_shift(a, p, r), dtype)
            same(FAST.mix(a, p, b, q, r), PLAIN.mix(a, p, b, q, r), dtype)
            same(FAST.mix(a, p, b, q, r[..., :1] if r.ndim else r),
                 PLAIN.mix(a, p, b, q, r[..., :1] if r.ndim else r), dtype)

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
        results.append([FAST.leaky_relu(x, 0.2), FAST.gate(gy, x, 0.2),
                        FAST.mix(gy, row, x, row, 1), FAST.dot(gy, x, (0, 1, 2)),
                        FAST.variance(x, x[:1, :1, :1], (0, 1, 2)), FAST.dot(gy, x, (1, 2)),
                        FAST.total(x, (0, 1, 2), True)])
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            assert one.tobytes() == other.tobytes()
