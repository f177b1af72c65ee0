"""The one pool of threads, and the allocator's setting: neither may change a single bit."""
from __future__ import annotations

import configparser
import ctypes
import os
import subprocess
import sys
import threading
import time
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import threadpoolctl
from project import ROOT
from threadpoolctl import threadpool_info, threadpool_limits

import minigan as mg
from minigan.backend import get_backend
from minigan.commands import info
from minigan.system import allocator, blas, machine, threads
from minigan.system.threads import default_threads, parallel, use_threads
from minigan.training import Trainer


@pytest.fixture(autouse=True)
def _one_thread_again():
    """Every test leaves the pool and BLAS as it found them."""
    with threadpool_limits(None):
        yield
        use_threads(1)


# The pool.

def test_one_thread_until_somebody_asks_for_more():
    assert threads.threads() == 1
    assert use_threads(3) == threads.threads() == 3
    assert use_threads() == threads.threads() == default_threads()
    assert 1 <= default_threads() <= min(4, os.cpu_count())


@pytest.mark.parametrize("n", [0, -1, 1.0, True, "2"])
def test_an_invalid_number_of_threads_is_refused(n):
    use_threads(2)
    with pytest.raises(ValueError, match=f"threads must be a whole number .*{n!r}"):
        use_threads(n)
    assert threads.threads() == 2


def test_blas_has_one_thread():
    def blas():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    threadpool_limits(2, user_api="blas")
    if blas() != {2}:
        pytest.skip("a BLAS that cannot be told, or only one core")
    use_threads(2)
    assert blas() == {1}


@pytest.mark.parametrize("n_threads", [1, 2, 4])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 50])
def test_every_job_runs_once(n_threads, n):
    use_threads(n_threads)
    done = []
    parallel(done.append, n)
    assert sorted(done) == list(range(n))


def test_jobs_run_side_by_side():
    use_threads(3)
    meeting, names = threading.Barrier(3, timeout=10), set()

    def job(i):
        names.add(threading.get_ident())
        meeting.wait()  # breaks unless three of them are here at once

    parallel(job, 3)
    assert len(names) == 3 and threading.get_ident() in names


@pytest.mark.parametrize("bad", [0, 5, 19])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_an_error_comes_out_when_all_threads_have_stopped(n_threads, bad):
    use_threads(n_threads)
    running, done = [], []

    def job(i):
        running.append(i)
        if i == bad:
            raise ZeroDivisionError(f"job {i}")
        time.sleep(0.002)
        done.append(i)

    with pytest.raises(ZeroDivisionError, match=f"job {bad}"):
        parallel(job, 20)
    assert len(done) == len(running) - 1  # nobody still writes into an array that is given up
    done.clear()
    parallel(done.append, 20)
    assert sorted(done) == list(range(20))


def test_a_busy_pool_keeps_nothing_of_a_job_that_is_done():
    class Job:
        def __call__(self, i):
            pass

    use_threads(2)
    go, job = threading.Event(), Job()
    busy = threads.assist(go.wait)
    try:
        parallel(job, 4)  # the pool's thread has no time to help
        kept = weakref.ref(job)
        del job
        assert kept() is None
    finally:
        go.set()
        busy.finish()


def test_a_job_may_be_parallel_itself():
    code = """
from minigan.system.threads import parallel, use_threads
use_threads(3)
done = []
parallel(lambda i: parallel(lambda k: parallel(lambda m: done.append((i, k, m)), 4), 5), 6)
print(len(set(done)) == len(done) == 120)
"""
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                         env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=20)
    assert out.stdout == "True\n", out.stderr


@pytest.mark.parametrize("m, k, n", [(2500, 70, 64), (64, 70, 2500), (300, 2000, 40), (3, 2, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_products_have_the_same_bits_on_any_number_of_threads(m, k, n, dtype):
    random, xp = np.random.default_rng(0), get_backend("numpy")
    a, b = (random.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n)))
    results = []
    for n_threads in (1, 2, 3):
        use_threads(n_threads)
        results += [xp.product(a, b), xp.product(b.T, a.T).T]
    for result in results[2::2]:
        assert result.dtype == dtype and result.tobytes() == results[0].tobytes()
    for result in results[3::2]:
        assert result.tobytes() == results[1].tobytes()
    exact = a.astype(np.float64) @ b.astype(np.float64)
    for result in results[:2]:
        np.testing.assert_allclose(result, exact, atol=100 * np.finfo(dtype).eps * k ** 0.5)


# BLAS on one thread.

class FakeController:
    """A threadpoolctl that finds a BLAS with so many threads, or none."""

    libraries: list = []
    obedient = True

    def select(self, user_api):
        assert user_api == "blas"
        return self

    def info(self):
        return [dict(library) for library in self.libraries]

    def limit(self, limits):
        for library in self.libraries:
            if self.obedient:
                library["num_threads"] = limits


@pytest.fixture
def fake(monkeypatch):
    class Fake(FakeController):
        libraries = [{"user_api": "blas", "internal_api": "openblas", "version": "0.3.31",
                      "num_threads": 8, "threading_layer": "pthreads", "architecture": "Zen"}]

    monkeypatch.setattr(threadpoolctl, "ThreadpoolController", Fake)
    return Fake


def test_blas_is_put_back_on_one_thread_with_a_warning(fake):
    use_threads(2)
    assert fake.libraries[0]["num_threads"] == 1
    threads.guard_blas()  # says nothing
    fake.libraries[0]["num_threads"] = 8
    with pytest.warns(UserWarning, match="openblas on 8 threads.*; it is back on one thread now"):
        threads.guard_blas()
    assert fake.libraries[0]["num_threads"] == 1
    threads.guard_blas()
    fake.libraries[0]["num_threads"], fake.obedient = 8, False
    with pytest.warns(UserWarning, match="cannot be put back on one; .*train with one thread"):
        threads.guard_blas()


def test_the_end_of_somebody_elses_limit_is_noticed():
    with threadpool_limits(2, user_api="blas"):
        if not [found for found in blas.libraries() if found["num_threads"] == 2]:
            pytest.skip("a BLAS that cannot be told, or only one core")
        block = threadpool_limits(2, user_api="blas")
        use_threads(2)
        threads.guard_blas()
        block.restore_original_limits()
        with pytest.warns(UserWarning, match="something has set BLAS to compute with threads"):
            threads.guard_blas()
        assert {found["num_threads"] for found in blas.libraries()} == {1}


def test_a_run_looks_at_blas_when_it_begins_and_when_it_saves(fake, quick):
    trainer = Trainer(mg.models.GAN("seed"), mg.data.load("digits"), out="run", threads=2)
    fake.libraries[0]["num_threads"] = 4
    with pytest.warns(UserWarning, match="openblas on 4 threads"):
        trainer.fit(1)
    trainer.fit(1)
    fake.libraries[0]["num_threads"] = 3
    with pytest.warns(UserWarning, match="openblas on 3 threads"):
        trainer.save()


def test_every_helper_sets_a_limit_that_is_each_threads_own(fake, monkeypatch):
    limited = []
    monkeypatch.setattr(fake, "info", lambda self: [
        {**self.libraries[0], "num_threads": 1 if threading.get_ident() in limited else 8}])
    monkeypatch.setattr(fake, "limit", lambda self, limits: limited.append(threading.get_ident()))
    fake.libraries[0]["threading_layer"] = "openmp"
    use_threads(3)
    meeting, seen = threading.Barrier(3, timeout=30), []

    def job(i):
        meeting.wait()
        seen.append(threading.get_ident())

    parallel(job, 3)
    assert len(set(seen)) == 3 and set(seen) <= set(limited)


def test_where_no_blas_is_found_one_thread_is_the_default_and_a_person_is_told(fake, monkeypatch):
    fake.libraries = []
    monkeypatch.setattr(blas, "built_with", lambda: ("scipy-openblas", "0.3.99"))
    monkeypatch.setattr(machine, "built_with", blas.built_with)
    monkeypatch.setattr(threadpoolctl, "__version__", "3.4.0")
    assert default_threads() == use_threads() == 1
    threads.guard_blas()  # nothing can go wrong on one thread
    told = get_backend("numpy").notice()
    assert "scipy-openblas 0.3.99" in told and "threadpoolctl is 3.4.0 (3.5 or newer" in told
    assert machine.environment()["blas"] == "scipy-openblas 0.3.99"
    found = info.facts()
    assert found["blas"][0]["threads"] is None and found["threads"] == 1
    (row,) = [line for line in info.lines(found) if line.startswith("BLAS:")]
    assert row.endswith("scipy-openblas 0.3.99, which was not found and cannot be limited to one "
                        "thread")
    with pytest.warns(UserWarning, match="no BLAS was found that could be limited"):
        assert use_threads(2) == 2  # they are used if asked for
    threads.guard_blas()  # once is enough


def test_accelerate_keeps_its_threads_and_minigan_has_its_own(fake, monkeypatch):
    fake.libraries = []
    monkeypatch.setattr(blas, "built_with", lambda: ("accelerate", "unknown"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert default_threads() == use_threads() == 4
    assert "which keeps threads of its own beside minigan's" in get_backend("numpy").notice()


def test_numpy_says_what_it_was_built_with(monkeypatch):
    assert all(isinstance(part, str) and part for part in blas.built_with())
    for answer in ({}, None, {"Build Dependencies": {}}):
        monkeypatch.setattr(np, "show_config", lambda mode, answer=answer: answer)
        assert blas.built_with() == ("unknown", "")


def test_the_declared_threadpoolctl_finds_numpys_blas():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    assert f"threadpoolctl>={blas.NEEDED}" in config["options"]["install_requires"].split()


def test_two_threads_may_change_the_number_of_threads_at_once():
    before = threading.active_count()
    changers = [threading.Thread(target=lambda: [use_threads(n) for n in (3, 2, 4) * 5])
                for _ in range(4)]
    for changer in changers:
        changer.start()
    for _ in range(50):
        done = []
        parallel(done.append, 20)
        assert sorted(done) == list(range(20))
    for changer in changers:
        changer.join(60)
    use_threads(1)
    ends = time.monotonic() + 30
    while threading.active_count() > before and time.monotonic() < ends:
        time.sleep(0.01)
    assert threading.active_count() <= before  # no helper is left waiting for a queue of its own


# The allocator.

def test_the_allocator_says_whether_it_was_set(monkeypatch):
    calls = []

    def mallopt(what, value):
        calls.append((what, value))
        return 1

    monkeypatch.delenv("MINIGAN_ALLOCATOR", raising=False)
    monkeypatch.setattr(allocator.sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=mallopt))
    assert allocator.keep_freed_memory() is True
    assert sorted(calls) == [(-8, 1), (-3, 1 << 30), (-1, 2**31 - 1)]
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=lambda *_: 0))
    assert allocator.keep_freed_memory() is False
    monkeypatch.setattr(ctypes, "CDLL", lambda name: SimpleNamespace())  # no glibc
    assert allocator.keep_freed_memory() is False
    monkeypatch.setattr(ctypes, "CDLL", lambda name: 1 / 0)  # not even asked
    for platform, wish in (("darwin", ""), ("win32", ""), ("linux", "system")):
        monkeypatch.setattr(allocator.sys, "platform", platform)
        monkeypatch.setenv("MINIGAN_ALLOCATOR", wish)
        assert allocator.keep_freed_memory() is False


FAULTS = """
import resource, sys
import numpy as np
from minigan.system.allocator import keep_freed_memory
print(keep_freed_memory() if "keep" in sys.argv else None)
for _ in range(3):
    [np.ones(1 << 18) for _ in range(8)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    [np.ones(1 << 18) for _ in range(8)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's mallopt")
def test_freed_memory_is_kept():
    def faults(*arguments):
        out = subprocess.run([sys.executable, "-c", FAULTS, *arguments], capture_output=True,
                             text=True, env={**os.environ, "PYTHONPATH": str(ROOT),
                                             "MINIGAN_ALLOCATOR": ""}, timeout=30)
        said, count = out.stdout.split()
        return said, int(count)

    said, kept = faults("keep")
    if said == "False":
        pytest.skip("another C library")
    assert said == "True" and 20 * kept < faults()[1]
