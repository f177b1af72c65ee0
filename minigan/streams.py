"""Seeded random streams: a key made from a seed and a name, and a counter.

The generator is Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"),
read as raw 64-bit words. The words of `numpy.random.Philox` are stable across NumPy versions, its
distributions are not, so uniforms (24 or 53 bits) and normals (Box and Muller 1958) are our own.
A stream's whole state is its counter, which makes saving it trivial and lets a kernel on another
device produce the same numbers.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from minigan.backend import registry
from minigan.backend.base import Array, Backend
from minigan.reading import asks

NAMES = ("init", "data", "latent", "dropout", "penalty")  # what training draws from
PAIRS = 1 << 14      # of normal numbers at a time: new memory takes longer than logarithms
WORDS_PER_BLOCK = 4  # one Philox counter value makes four 64-bit words


class Stream:
    """One named sequence of random numbers; `counter` is the number of blocks drawn so far."""

    def __init__(self, seed: int, name: str) -> None:
        digest = hashlib.sha256(f"minigan stream {name} of seed {seed}".encode()).digest()
        self.name = name
        self.key = np.frombuffer(digest[:16], "<u8").astype(np.uint64)
        self.counter = 0

    @property
    def counter(self) -> int:
        """Philox blocks (of four 64-bit words) drawn so far; writing it winds the stream."""
        return self._counter

    @counter.setter
    def counter(self, value: int) -> None:
        self._counter = int(value)
        self._bits = np.random.Philox(key=self.key, counter=self._counter)

    def words(self, n: int) -> np.ndarray:
        """The next n raw words, uint64 (n,); what is left of the last block is skipped."""
        blocks = -(-n // WORDS_PER_BLOCK)
        with self._bits.lock:  # several threads may draw, each its own words
            self._counter += blocks
        return self._bits.random_raw(blocks * WORDS_PER_BLOCK)[:n]

    def _raw(self, n: int, dtype: np.dtype) -> np.ndarray:
        """The bits of n uniforms: words for float64, halves of words for float32."""
        if dtype == np.float64:
            return self.words(n)
        return self.words(-(-n // 2)).astype("<u8", copy=False).view("<u4")[:n]

    def _unit(self, n: int, dtype: np.dtype) -> np.ndarray:
        """n uniforms in [0, 1) on the host."""
        return _uniforms(self._raw(n, dtype))

    def uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0,
                dtype: Any = np.float32, xp: Backend | None = None) -> Array:
        """Uniform numbers in [low, high), float32 or float64; any device gets the same bits."""
        dtype = _float_dtype("uniform", dtype)
        _check_shape("uniform", shape)
        if not low <= high:
            raise ValueError(f"uniform: low must not be above high, got {low!r} and {high!r}")
        return (xp or registry.default()).uniform(self, shape, low, high, dtype)

    def host_uniform(self, shape: tuple[int, ...], low: float, high: float, dtype: np.dtype
                     ) -> np.ndarray:
        """What `uniform` draws, as a NumPy array."""
        values = self._unit(math.prod(shape), dtype).reshape(shape)
        if (low, high) != (0.0, 1.0):
            below = np.nextafter(dtype.type(high), dtype.type(low))  # rounding must not reach high
            values = np.minimum(values * dtype.type(high - low) + dtype.type(low), below)
        return values

    def normal(self, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0,
               dtype: Any = np.float32, xp: Backend | None = None) -> Array:
        """Normal numbers of `shape`, float32 or float64, by the transform of Box and Muller.

        Devices get the same up to the rounding of log, cos and sin: two units in the last place.
        """
        dtype = _float_dtype("normal", dtype)
        _check_shape("normal", shape)
        return (xp or registry.default()).normal(self, shape, mean, std, dtype)

    def host_normal(self, shape: tuple[int, ...], mean: float, std: float, dtype: np.dtype
                    ) -> np.ndarray:
        """What `normal` draws, as a NumPy array."""
        n = math.prod(shape)
        half = -(-n // 2)
        bits, values = self._raw(2 * half, dtype), np.empty(2 * half, dtype)
        for start in range(0, half, PAIRS):
            one = slice(start, min(start + PAIRS, half))
            other = slice(half + one.start, half + one.stop)
            values[one], values[other] = _normal_pairs(_uniforms(bits[one]), _uniforms(bits[other]))
        values = values[:n].reshape(shape)
        if (mean, std) != (0.0, 1.0):
            values = values * dtype.type(std) + dtype.type(mean)
        return values

    def permutation(self, n: int) -> np.ndarray:
        """The numbers 0 to n - 1 in random order, int64 (n,), on the host."""
        return np.argsort(self.words(n), kind="stable")

    def integers(self, n: int, shape: tuple[int, ...]) -> np.ndarray:
        """Whole numbers from 0 to n - 1, int64, on the host."""
        return (self._unit(math.prod(shape), np.dtype(np.float64)) * n).astype(np.int64).reshape(
            shape)


def _uniforms(bits: np.ndarray) -> np.ndarray:
    """Uniforms in [0, 1), with all the bits that float64, or of halves float32, can hold."""
    if bits.dtype.itemsize == 8:
        return (bits >> np.uint64(11)) * 2.0 ** -53
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0 ** -24)


def _normal_pairs(unit: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two normal numbers of two uniforms, float64 (Box and Muller 1958)."""
    radius = np.sqrt(-2.0 * np.log(1 - unit, dtype=np.float64))  # log of (0, 1]
    if other.dtype == np.float64:
        angle = 2.0 * math.pi * other
        return radius * np.cos(angle), radius * np.sin(angle)
    t = np.tan(np.float32(math.pi) * other, dtype=np.float64)  # cos and sin by tan of half the
    square = t * t                                             # angle, rounded once: devices agree
    radius /= 1 + square
    return radius * (1 - square), radius * (2 * t)


def _check_shape(function: str, shape: Any) -> None:
    """Raise a ValueError unless shape is a tuple of whole numbers, none negative."""
    if not isinstance(shape, (tuple, list)) or not all(
            isinstance(n, (int, np.integer)) and n >= 0 for n in shape):
        raise ValueError(f"{function}: shape must be a tuple of whole numbers of 0 or more, got "
                         f"{shape!r}")


def _float_dtype(what: str, dtype: Any) -> np.dtype:
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"{what}: dtype must be float32 or float64, got {dtype}")
    return dtype


class Streams(dict[str, Stream]):
    """All streams of one seed, by name: `streams["latent"].normal((64, 100))`."""

    def __init__(self, seed: int) -> None:
        if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool):
            raise TypeError(f"seed must be an int, got {seed!r}")
        super().__init__()
        self.seed = int(seed)
        for name in NAMES:
            self[name] = Stream(self.seed, name)

    def __missing__(self, name: str) -> Stream:
        return self.setdefault(name, Stream(self.seed, name))  # one, whichever threads ask

    def state(self) -> dict[str, int]:
        """What a checkpoint has to hold: each stream's counter, by name."""
        return {name: stream.counter for name, stream in self.items()}

    def load_state(self, counters: dict[str, int]) -> None:
        """Wind every stream to a state that `state` returned."""
        for name, counter in counters.items():
            self[name].counter = counter


_current = Streams(0)


def seed(n: int) -> Streams:
    """Start all default streams anew from seed n; the same seed gives the same bits.

    The default streams are the whole process's, as in PyTorch: threads that draw from the same one
    get different numbers, and which of them gets which depends on who comes first. For the same
    bits in every run, give each thread `Streams` of its own.
    """
    global _current
    _current = Streams(n)
    return _current


def stream(name: str) -> Stream:
    """The default stream of that name, of the last `seed` (0 if there was none)."""
    asks("what mg.seed made", lambda: _current)
    return _current[name]
