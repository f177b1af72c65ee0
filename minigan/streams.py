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
from minigan.checks import check_sizes
from minigan.errors import shown
from minigan.reading import asks

NAMES = ("init", "data", "latent", "dropout", "penalty")  # what training draws from
PAIRS = 1 << 14      # pairs of normal numbers made at a time, as new memory costs more than logs
WORDS_PER_BLOCK = 4  # one Philox counter value makes four 64-bit words

# ---------------------------------------------------------------- one stream


class Stream:
    """One named sequence of random numbers.

    name: any text; streams of one seed and several names are independent.
    counter: how many Philox blocks (of four 64-bit words) were drawn so far; setting it moves
    the stream there. It is the whole state.
    """

    def __init__(self, seed: int, name: str) -> None:
        digest = hashlib.sha256(f"minigan stream {name} of seed {seed}".encode()).digest()
        self.name = name
        self.key = np.frombuffer(digest[:16], "<u8").astype(np.uint64)
        self.counter = 0

    @property
    def counter(self) -> int:
        """Philox blocks drawn so far; setting it moves the stream there."""
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

    def uniform(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0,
                dtype: Any = np.float32, xp: Backend | None = None) -> Array:
        """Uniform numbers in [low, high); all devices get the same bits.

        dtype: float32 or float64. xp: the backend whose array it becomes, by default the one of
        `minigan.use`.

        Raises:
            ValueError: shape is not a tuple of whole numbers, or low is above high.
            TypeError: dtype is something else.
        """
        dtype = _float_dtype("uniform", dtype)
        check_sizes("uniform: shape", shape)
        if not low <= high:
            raise ValueError(f"uniform: low must not be above high, got {low!r} and {high!r}")
        return (xp or registry.default()).uniform(self, shape, low, high, dtype)

    def normal(self, shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0,
               dtype: Any = np.float32, xp: Backend | None = None) -> Array:
        """Normal numbers, by the transform of Box and Muller.

        All devices get the same up to the rounding of log, cos and sin: two units in the last
        place. dtype, xp: as in `uniform`.

        Raises:
            ValueError: shape is not a tuple of whole numbers.
            TypeError: dtype is something else.
        """
        dtype = _float_dtype("normal", dtype)
        check_sizes("normal: shape", shape)
        return (xp or registry.default()).normal(self, shape, mean, std, dtype)

    def permutation(self, n: int) -> np.ndarray:
        """The numbers 0 to n - 1 in random order, int64 (n,), on the host."""
        return np.argsort(self.words(n), kind="stable")

    def integers(self, n: int, shape: tuple[int, ...]) -> np.ndarray:
        """Whole numbers from 0 to n - 1, int64, on the host."""
        units = self._unit(math.prod(shape), np.dtype(np.float64))
        return (units * n).astype(np.int64).reshape(shape)

    # What the two distributions are on the host; backends call these.

    def host_uniform(self, shape: tuple[int, ...], low: float, high: float, dtype: np.dtype
                     ) -> np.ndarray:
        """What `uniform` draws, as a NumPy array."""
        values = self._unit(math.prod(shape), dtype).reshape(shape)
        if (low, high) == (0.0, 1.0):
            return values
        number = dtype.type
        below = np.nextafter(number(high), number(low))  # rounding must not reach high
        return np.minimum(values * number(high - low) + number(low), below)

    def host_normal(self, shape: tuple[int, ...], mean: float, std: float, dtype: np.dtype
                    ) -> np.ndarray:
        """What `normal` draws, as a NumPy array."""
        n = math.prod(shape)
        half = -(-n // 2)
        bits = self._raw(2 * half, dtype)
        values = np.empty(2 * half, dtype)
        for start in range(0, half, PAIRS):
            first = slice(start, min(start + PAIRS, half))
            second = slice(half + first.start, half + first.stop)
            pairs = _normal_pairs(_uniforms(bits[first]), _uniforms(bits[second]))
            values[first], values[second] = pairs
        values = values[:n].reshape(shape)
        if (mean, std) == (0.0, 1.0):
            return values
        return values * dtype.type(std) + dtype.type(mean)

    def _unit(self, n: int, dtype: np.dtype) -> np.ndarray:
        """n uniforms in [0, 1) on the host."""
        return _uniforms(self._raw(n, dtype))

    def _raw(self, n: int, dtype: np.dtype) -> np.ndarray:
        """The bits of n uniforms: words for float64, halves of words for float32."""
        if dtype == np.float64:
            return self.words(n)
        words = self.words(-(-n // 2))
        return words.astype("<u8", copy=False).view("<u4")[:n]


def _uniforms(bits: np.ndarray) -> np.ndarray:
    """Uniforms in [0, 1): float64 of 53 of 64 bits, or float32 of 24 of 32 bits."""
    if bits.dtype.itemsize == 8:
        return (bits >> np.uint64(11)) * 2.0 ** -53
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0 ** -24)


def _normal_pairs(unit: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two normal numbers from two uniforms, float64 (Box and Muller 1958).

    From float32, cos and sin come from the tan of half the angle, rounded once, so devices agree.
    """
    radius = np.sqrt(-2.0 * np.log(1 - unit, dtype=np.float64))  # the log of (0, 1]
    if other.dtype == np.float64:
        angle = 2.0 * math.pi * other
        return radius * np.cos(angle), radius * np.sin(angle)

    t = np.tan(np.float32(math.pi) * other, dtype=np.float64)
    square = t * t
    radius /= 1 + square
    return radius * (1 - square), radius * (2 * t)


def _float_dtype(function: str, dtype: Any) -> np.dtype:
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"{function}: dtype must be float32 or float64, got {dtype}")
    return dtype


# ---------------------------------------------------------------- all streams of a seed

class Streams(dict[str, Stream]):
    """All streams of one seed, by name: `streams["latent"].normal((64, 100))`.

    seed: a whole number; a stream of any other name than `NAMES` is made when it is asked for.

    Raises:
        TypeError: the seed is something else.
    """

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
        """Move every stream to where it was when `state` returned these counters."""
        for name, counter in counters.items():
            self[name].counter = counter


_current = Streams(0)


def seed(n: int) -> Streams:
    """Start all default streams again from seed n; the same seed gives the same bits.

    The default streams are the whole process's, as in PyTorch: threads that draw from the same one
    get different numbers, and which of them gets which depends on who comes first. For the same
    bits in every run, give each thread its own `Streams`.

    Raises:
        TypeError: n is not an int.
    """
    global _current
    _current = Streams(n)
    return _current


def stream(name: str) -> Stream:
    """The default stream of that name, of the last `seed` (0 if there was none)."""
    asks("what mg.seed made", lambda: _current)
    return _current[name]


def check_stream(what: str, rng: Any, name: str) -> None:
    """Check that rng is a stream. what: who asks, for the message. name: the usual stream's there.

    Raises:
        TypeError: it is not a stream.
    """
    if not isinstance(rng, Stream):
        raise TypeError(f"{what}: rng must be a stream, such as minigan.stream({name!r}), got "
                        f"{shown(rng)}")


def stream_or_default(what: str, rng: Stream | None, name: str) -> Stream:
    """The given stream or, if there is none, the default stream of that name.

    Raises:
        TypeError: rng is neither a stream nor None.
    """
    if rng is None:
        return stream(name)
    check_stream(what, rng, name)
    return rng
