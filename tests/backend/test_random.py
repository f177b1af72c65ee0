"""Random streams: known answers, exact resume, and distributions."""
from __future__ import annotations

import numpy as np
import pytest
from stand_in import StandInArray

import minigan as mg
from minigan.backend import get_backend
from minigan.streams import Stream, Streams

# Philox4x64-10, from Random123's kat_vectors: counter and key, then the block that they make.
ONES = 2**64 - 1
KNOWN_ANSWERS = [
    (0, (0, 0), "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
    (2**256 - 1, (ONES, ONES), "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 "
                               "a09caebf594f0ba0"),
]


def stream(seed=0, name="test"):
    return Stream(seed, name)


@pytest.mark.parametrize("counter, key, answer", KNOWN_ANSWERS)
def test_known_answers(counter, key, answer):
    expected = [int(word, 16) for word in answer.split()]
    before = (counter - 1) % 2**256  # NumPy counts up before it makes a block
    key = np.array(key, np.uint64)
    assert np.random.Philox(counter=before, key=key).random_raw(4).tolist() == expected
    ours = stream()
    ours.key = key
    ours.counter = before
    assert ours.words(4).tolist() == expected
    assert ours.words(1).tolist() != expected[:1]


def test_words_are_philox_words_whatever_the_draws():
    whole = np.random.Philox(key=stream(5).key).random_raw(400)
    ours, read = stream(5), 0
    for n in (1, 4, 5, 0, 13, 64, 3, 100):
        np.testing.assert_array_equal(ours.words(n), whole[read:read + n])
        read += -(-n // 4) * 4  # what is left of a block is skipped
        assert ours.counter == read // 4


def test_these_bits_never_change():
    """Written down once: other versions, machines and NumPys must draw the same."""
    assert stream(1, "latent").words(2).tolist() == [15079137218050040260, 12407985397372311203]


DRAWS = [
    lambda s: s.uniform((3,)), lambda s: s.uniform((2, 3), dtype=np.float64),
    lambda s: s.normal((5,)), lambda s: s.normal((7, 1), dtype=np.float64), lambda s: s.normal(()),
    lambda s: s.permutation(9), lambda s: s.integers(10, (4,)), lambda s: s.words(3),
    lambda s: s.uniform((0, 2)), lambda s: s.normal((1,), mean=3.0, std=0.5)]


@pytest.mark.parametrize("n", range(len(DRAWS) + 1))
def test_a_saved_state_resumes_exactly(n):
    streams = Streams(3)
    for draw in DRAWS[:n]:
        draw(streams["latent"])
    state = streams.state()
    expected = [draw(streams["latent"]) for draw in DRAWS]
    for resumed in (Streams(3), streams):  # in a new process, and back in this one
        resumed.load_state(state)
        for draw, values in zip(DRAWS, expected):
            np.testing.assert_array_equal(draw(resumed["latent"]), values)


def test_a_state_is_small_plain_and_complete():
    streams = Streams(3)
    streams["latent"].normal((64, 100))
    streams["my own"].uniform((8,))
    state = streams.state()
    assert state == {"init": 0, "data": 0, "latent": 800, "dropout": 0, "penalty": 0, "my own": 1}
    assert all(type(counter) is int for counter in state.values())
    other = Streams(3)
    other.load_state(state)
    np.testing.assert_array_equal(other["my own"].words(4), streams["my own"].words(4))


def test_the_same_seed_gives_the_same_bits():
    for draw in DRAWS:
        np.testing.assert_array_equal(draw(stream(7)), draw(stream(7)))
    mg.seed(7)
    first = mg.stream("latent").normal((10,))
    mg.stream("latent").normal((10,))
    assert mg.seed(7)["latent"] is mg.stream("latent")
    np.testing.assert_array_equal(mg.stream("latent").normal((10,)), first)


def test_streams_do_not_disturb_one_another():
    alone, together = Streams(7), Streams(7)
    for name in ("init", "data", "dropout"):
        together[name].normal((100,))
    np.testing.assert_array_equal(alone["latent"].words(8), together["latent"].words(8))


def test_names_and_seeds_make_different_streams():
    keys = {Stream(seed, name).key.tobytes() for seed in range(50) for name in ("a", "b", "a1")}
    assert len(keys) == 150
    a, b = stream(1, "a").normal((10_000,)), stream(1, "b").normal((10_000,))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.04


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform_numbers(dtype):
    u = stream().uniform((1000, 200), dtype=dtype)
    assert u.dtype == dtype and u.shape == (1000, 200)
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 1 / 2) < 0.003 and abs(u.var() - 1 / 12) < 0.001
    counts, _ = np.histogram(u, bins=10, range=(0, 1))
    assert np.all(abs(counts - 20_000) < 600)
    assert abs(np.corrcoef(u[:-1].ravel(), u[1:].ravel())[0, 1]) < 0.01
    v = stream().uniform((1000,), -3.0, 5.0, dtype)
    assert v.dtype == dtype and -3 <= v.min() < -2.9 and 4.9 < v.max() < 5


@pytest.mark.parametrize("dtype, bits", [(np.float32, 24), (np.float64, 53)])
def test_the_extremes_stay_inside(monkeypatch, dtype, bits):
    for word, u in ((0, 0.0), (ONES, 1 - 2.0 ** -bits)):
        monkeypatch.setattr(Stream, "words", lambda self, n, w=word: np.full(n, w, np.uint64))
        assert stream().uniform((2,), dtype=dtype).tolist() == [u, u]
        assert np.isfinite(stream().normal((4,), dtype=dtype)).all()
        assert stream().integers(10, (2,)).tolist() == [int(u * 10)] * 2
        for low, high in ((-1.0, 1.0), (1.0, 2.0), (0.0, 0.02), (-0.05, 0.05), (1e3, 1e3 + 1)):
            v = stream().uniform((2,), low, high, dtype)
            assert np.all((dtype(low) <= v) & (v < dtype(high))), (low, high, v)


def test_bounds_in_the_wrong_order_are_refused():
    with pytest.raises(ValueError, match="low .*high, got 1.0 and -1.0"):
        stream().uniform((2,), 1.0, -1.0)
    assert stream().uniform((2,), 3.0, 3.0).tolist() == [3, 3]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_numbers(dtype):
    z = stream().normal((400, 500), dtype=dtype)
    assert z.dtype == dtype and z.shape == (400, 500)
    assert abs(z.mean()) < 0.01 and abs(z.var() - 1) < 0.015
    assert abs((z ** 3).mean()) < 0.03 and abs((z ** 4).mean() - 3) < 0.1
    for bound, share in ((1, 0.6827), (2, 0.9545), (3, 0.9973)):
        assert abs((abs(z) < bound).mean() - share) < 0.004
    half = z.size // 2
    for power in (1, 2):  # the two halves come from the same pairs, and are independent
        a, b = z.ravel()[:half] ** power, z.ravel()[half:] ** power
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.01
    w = stream().normal((1000,), 5.0, 0.1, dtype)
    assert w.dtype == dtype and abs(w.mean() - 5) < 0.02 and abs(w.std() - 0.1) < 0.02


@pytest.mark.parametrize("n", [0, 1, 2, 7, 1000])
def test_a_permutation_has_every_number_once(n):
    p = stream().permutation(n)
    assert p.dtype == np.int64 and sorted(p) == list(range(n))
    assert n < 7 or p.tolist() != list(range(n)) and p.tolist() != stream(1).permutation(n).tolist()


def test_every_place_is_equally_likely():
    s = stream()
    at = np.array([s.permutation(5) for _ in range(2000)])
    counts = np.array([np.bincount(column, minlength=5) for column in at.T])
    assert np.all(abs(counts - 400) < 90)


def test_whole_numbers():
    k = stream().integers(6, (100, 60))
    assert k.dtype == np.int64 and k.shape == (100, 60)
    assert np.all(abs(np.bincount(k.ravel(), minlength=6) - 1000) < 150) and k.max() == 5


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1,), (3,), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shapes(shape, dtype):
    for draw in (Stream.uniform, Stream.normal):
        for settings in ((), (2.0, 3.0)):
            values = draw(stream(), shape, *settings, dtype=dtype)
            assert type(values) is np.ndarray and values.shape == shape and values.dtype == dtype
    assert stream().integers(3, shape).shape == shape


def test_the_same_noise_on_every_device():
    xp = get_backend("stand-in")
    for draw in (Stream.uniform, Stream.normal):
        there = draw(stream(), (3, 4), xp=xp)
        assert type(there) is StandInArray
        np.testing.assert_array_equal(there.get(), draw(stream(), (3, 4)))
        with mg.use("stand-in"):
            assert type(draw(stream(), (2,))) is StandInArray
            assert type(draw(stream(), (2,), xp=get_backend("numpy"))) is np.ndarray


@pytest.mark.parametrize("dtype", [np.float16, np.int64, "complex64", bool])
def test_other_dtypes_are_refused(dtype):
    for draw in (Stream.uniform, Stream.normal):
        with pytest.raises(TypeError, match=f"{draw.__name__}: dtype must be float32 or float64"):
            draw(stream(), (2,), dtype=dtype)


@pytest.mark.parametrize("seed", [1.0, "1", None, True])
def test_a_seed_is_an_int(seed):
    with pytest.raises(TypeError, match="seed must be an int"):
        mg.seed(seed)
    assert Streams(np.int64(3)).seed == 3
    np.testing.assert_array_equal(Streams(np.int64(3))["a"].key, Streams(3)["a"].key)
