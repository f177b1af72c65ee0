"""Threads, asyncio tasks and forked processes: what one sets, computes or holds is its own."""
from __future__ import annotations

import asyncio
import contextvars
import hashlib
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from project import ROOT
from threadpoolctl import threadpool_limits

import minigan as mg
from minigan import capturing, nn, ops
from minigan.backend import get_backend
from minigan.system import threads
from minigan.system.lock import locked
from minigan.system.threads import LARGE_PRODUCT, use_threads
from minigan.system.turn import no_warnings

PATIENCE = 60  # seconds for what takes milliseconds, on a busy machine


@pytest.fixture(autouse=True)
def _one_thread_of_blas():
    """As in training: BLAS's own threads would wait for one another, and for ours."""
    with threadpool_limits(None):
        use_threads(1)
        yield
        use_threads(1)


def side_by_side(*jobs):
    """Run each job in a thread of its own, all from the same moment on; returns their results."""
    start = threading.Barrier(len(jobs))

    def run(job):
        start.wait(PATIENCE)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [found.result(PATIENCE) for found in [pool.submit(run, job) for job in jobs]]


class Elsewhere:
    """A thread that is inside a block for as long as this one is inside `with Elsewhere(block)`."""

    def __init__(self, block):
        self.block, self.inside, self.go = block, threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        with self.block:
            self.inside.set()
            self.go.wait(PATIENCE)

    def __enter__(self):
        self.thread.start()
        assert self.inside.wait(PATIENCE)

    def __exit__(self, *error):
        self.go.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


def leaf(*shape):
    values = np.random.default_rng(0).uniform(0.5, 2.0, shape)
    return mg.tensor(values, requires_grad=True)


# Recording and hooks.

def test_no_grad_in_another_thread_is_not_ours():
    x = leaf(2)
    with Elsewhere(mg.no_grad()):
        y = ops.sum(x * x)
    np.testing.assert_array_equal(mg.grad(y, x).numpy(), 2 * x.numpy())


def test_overlapping_blocks_of_two_threads_leave_nothing_behind():
    x, first = leaf(2), Elsewhere(mg.no_grad())
    first.__enter__()
    second = mg.no_grad()
    with second:
        first.__exit__()
        assert not (x * 2.0).requires_grad
    assert (x * 2.0).requires_grad


def test_a_hook_sees_the_ops_of_its_own_thread():
    x, seen = leaf(2), []
    with Elsewhere(mg.op_hook(lambda op, within, run: seen.append(op.name) or run())):
        mg.grad(ops.sum(x * x), x)
    assert seen == []


def test_a_gradient_in_another_thread_names_no_rule_of_ours(private_ops):
    inside, go = threading.Event(), threading.Event()

    def rule(gy, y, x):
        inside.set()
        assert go.wait(PATIENCE)
        return gy

    waiting, x = mg.op(rule)(lambda xp, x: xp.negative(x)), leaf(2)
    thread = threading.Thread(target=lambda: mg.grad(ops.sum(waiting(x)), x))
    thread.start()
    try:
        assert inside.wait(PATIENCE)
        assert ops.exp(x).within is None and ops.exp(x).requires_grad
    finally:
        go.set()
        thread.join(PATIENCE)


@pytest.fixture
def private_ops(monkeypatch):
    from minigan import engine
    monkeypatch.setattr(engine, "OPS", dict(engine.OPS))


def test_asyncio_tasks_take_turns_without_taking_each_others_blocks():
    x, order, seen = leaf(2), [], []

    async def silent(name):
        with mg.no_grad():
            for _ in range(3):
                order.append(name)
                assert not (x * 2.0).requires_grad
                await asyncio.sleep(0)

    async def watched(name):
        with mg.op_hook(lambda op, within, run: seen.append(op.name) or run()):
            for _ in range(3):
                order.append(name)
                assert ops.exp(x).requires_grad
                await asyncio.sleep(0)

    async def plain(name):
        for _ in range(3):
            order.append(name)
            assert mg.grad(ops.sum(x * x), x).shape == (2,) and (x * 2.0).requires_grad
            await asyncio.sleep(0)

    @mg.no_grad()
    async def decorated():
        for _ in range(3):
            await asyncio.sleep(0)
            assert not (x * 2.0).requires_grad
        return "returned"

    async def main():
        found = await asyncio.gather(silent("a"), watched("b"), plain("c"), silent("d"),
                                     decorated())
        assert found[-1] == "returned" and (x * 2.0).requires_grad

    asyncio.run(main())
    assert order == list("abcd") * 3 and seen == ["exp"] * 3


def test_a_task_begins_with_its_creators_state_and_changes_its_own():
    x = leaf(2)

    async def task():
        assert not (x * 2.0).requires_grad
        with mg.no_grad():
            await asyncio.sleep(0)

    async def main():
        with mg.no_grad():
            started = asyncio.create_task(task())
        await started
        assert (x * 2.0).requires_grad

    asyncio.run(main())


def test_an_asynchronous_generator_cannot_be_decorated():
    with pytest.raises(TypeError, match="numbers is an asynchronous generator"):
        @mg.no_grad()
        async def numbers():
            yield 1


def test_eight_threads_with_all_kinds_of_blocks():
    x = leaf(3, 4)
    expected = mg.grad(ops.sum(ops.tanh(x) * x), x).numpy()

    def gradients():
        for _ in range(100):
            y = ops.sum(ops.tanh(x) * x)
            np.testing.assert_array_equal(mg.grad(y, x).numpy(), expected)

    def silent():
        for _ in range(400):
            with mg.no_grad():
                assert not ops.tanh(x).requires_grad

    def watched():
        for _ in range(150):
            seen = []
            with mg.op_hook(lambda op, within, run: seen.append(op.name) or run()):
                y = ops.sum(ops.exp(x))
            assert seen == ["exp", "sum"] and y.requires_grad

    def second_order():
        for _ in range(40):
            g = mg.grad(ops.sum(x ** 3), x, create_graph=True)
            np.testing.assert_allclose(mg.grad(ops.sum(g), x).numpy(), 6 * x.numpy(), rtol=1e-15)

    side_by_side(*[gradients, silent, watched, second_order] * 2)
    assert (x * 2.0).requires_grad


# Recorded steps.

def small_step(seed):
    """A training step of a new network, with everything that a step draws, makes and counts."""
    streams = mg.Streams(seed)
    net = nn.Sequential(nn.Dense(6, 8), nn.BatchNorm(8), nn.LeakyReLU(0.2), nn.Dense(8, 1))
    for p in net.parameters():
        p.assign(streams["init"].normal(p.shape, std=0.3))
    optimizer = mg.optim.Adam(net.parameters(), 1e-2)

    def step():
        x = mg.Tensor(streams["data"].normal((16, 6)))
        loss = ops.mean((net(x) - 1.0) ** 2)
        optimizer.step(mg.grad(loss, net.parameters()))
        return {"loss": loss.detach()}

    return net, step


def trained(seed, captured, n=12):
    """The bits of a network after n steps."""
    net, step = small_step(seed)
    step()
    tensors = [tensor for _, tensor in net.named_tensors()]
    run = capturing.capture(step, tensors) if captured else step
    for _ in range(n):
        loss = run()["loss"].item()
    return loss, *[value.tobytes() for value in net.state_dict().values()]


def test_a_recording_holds_what_its_own_thread_computes():
    _, step = small_step(0)
    step()
    go, stop = threading.Event(), threading.Event()

    def other():
        x, xp = leaf(5), mg.tensor(0.0)
        while not stop.is_set():
            y = ops.sum(ops.exp(x) + 1.0)
            mg.grad(y, x)
            y.item()  # which a recorded step may not do
            mg.tensor(np.zeros(3)).assign(1.0)
            mg.Stream(0, "other").normal((4,))
            go.set()
        return xp

    thread = threading.Thread(target=other)
    thread.start()
    try:
        assert go.wait(PATIENCE)
        sources = [capturing.capture(step).recording.source() for _ in range(10)]
    finally:
        stop.set()
        thread.join(PATIENCE)
    alone = capturing.capture(step).recording.source()
    assert [source.count("\n") for source in sources] == [alone.count("\n")] * 10


@pytest.mark.parametrize("captured", [(False, False), (True, True), (True, False)])
def test_two_trainings_in_two_threads_have_the_bits_of_each_alone(captured):
    alone = [trained(seed, flag) for seed, flag in enumerate(captured)]
    for _ in range(3):
        both = side_by_side(*[lambda seed=seed, flag=flag: trained(seed, flag)
                              for seed, flag in enumerate(captured)])
        assert both == alone


# Sampling during training.

def test_evaluation_mode_is_a_threads_own():
    net = nn.Sequential(nn.BatchNorm(2), nn.Dropout(0.5))
    with Elsewhere(nn.evaluation_mode()):
        assert net.training and all(layer.training for layer in net.layers)
    with nn.evaluation_mode():
        with nn.evaluation_mode():
            assert not net.training
        assert not any(layer.training for layer in net.layers)
        net.train()
        assert not net.training
    assert net.training and nn.Module.training is True
    net.eval()
    with nn.evaluation_mode():
        pass
    assert not net.training


def test_a_generator_that_another_thread_closes_leaves_nothing_there():
    def generator():
        with nn.evaluation_mode(), mg.no_grad(), mg.use("numpy"):
            yield

    def close():
        found.close()
        with nn.evaluation_mode():
            assert not nn.Dropout(0.5).training
        return nn.Dropout(0.5).training, (leaf(2) * 2.0).requires_grad

    found = generator()
    side_by_side(lambda: next(found))  # that thread's own state ends with it
    assert side_by_side(close) == [(True, True)]


def test_evaluation_mode_may_be_left_in_another_order():
    net, first, second = nn.Dropout(0.5), nn.evaluation_mode(), nn.evaluation_mode()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not net.training
    second.__exit__(None, None, None)
    assert net.training


def digits(n=64):
    images = np.random.default_rng(0).integers(0, 256, (n, 8, 8, 1), dtype=np.uint8)
    return mg.data.Images(images, name="noise")


def stepper(seed, captured, ema=0.0):
    """A model with batch norm and dropout, and what trains it by a step."""
    from minigan.training.stepping import Stepper
    model = mg.models.GAN("mlp", shape=(8, 8, 1), streams=seed, latent_size=6, ema=ema)
    batches = mg.data.Batches(digits(), 16, model.streams["data"])
    return model, Stepper(model, batches, get_backend("numpy"), captured)


def bits(model):
    return {name: value.tobytes() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_sampling_beside_training_disturbs_neither(captured, ema):
    alone, step = stepper(1, captured, ema)
    z = alone.latent_from(mg.Stream(0, "sample"), 4)
    due = {alone.sample(z).numpy().tobytes()}
    for _ in range(30):
        step()
        due.add(alone.sample(z).numpy().tobytes())

    model, step = stepper(1, captured, ema)
    found, done = [], threading.Event()

    def train():
        try:
            for _ in range(30):
                step()
        finally:
            done.set()

    def sample():
        while not done.is_set():
            found.append(model.sample(z).numpy().tobytes())

    side_by_side(train, sample, sample)
    assert bits(model) == bits(alone)
    assert model.generator.training and len(found) > 2
    assert set(found) <= due  # each is of a whole number of steps


def test_a_recorded_step_is_not_replayed_in_evaluation_mode():
    net, x = nn.Sequential(nn.BatchNorm(3), nn.Dense(3, 1)), leaf(8, 3).astype("float32").detach()
    z = mg.tensor(np.ones((2, 3), np.float32))

    def step():
        with nn.evaluation_mode():  # a sample inside the step is part of it
            seen = ops.mean(net(z))
        return {"loss": ops.mean(net(x)), "seen": seen}

    step()
    fast = capturing.capture(step, [x, z, *[tensor for _, tensor in net.named_tensors()]])
    with Elsewhere(nn.evaluation_mode()):
        fast()
    with nn.evaluation_mode(), pytest.raises(capturing.ChangedError, match="evaluation_mode"):
        fast()
    net.train(False)
    with pytest.raises(capturing.ChangedError, match="training of"):
        fast()


@pytest.mark.parametrize("captured", [False, True])
def test_two_models_trained_side_by_side_have_the_bits_of_each_alone(captured):
    def train(seed):
        model, step = stepper(seed, captured)
        for _ in range(25):
            step()
        return bits(model)

    alone = [train(seed) for seed in (1, 2)]
    assert side_by_side(lambda: train(1), lambda: train(2)) == alone


# Where new arrays are made.

@pytest.fixture
def stand_in():
    """A second device, and NumPy as the process's own afterwards."""
    import stand_in  # noqa: F401  (makes it known)
    yield
    mg.use("numpy")


def device():
    return mg.tensor([1.0]).device


def test_a_block_of_use_is_a_threads_own(stand_in):
    with Elsewhere(mg.use("stand-in")):  # called here, entered there
        pass
    mg.use("numpy")

    class Using:
        def __enter__(self):
            self.block = mg.use("stand-in")
            self.block.__enter__()
            assert device() == "stand-in"

        def __exit__(self, *error):
            assert device() == "stand-in"
            self.block.__exit__(*error)

    with Elsewhere(Using()):
        assert device() == "numpy"
        mg.use("numpy")
    assert device() == "numpy"


def test_a_call_of_use_is_for_all_threads(stand_in):
    def anywhere():
        return [device(), *side_by_side(device, device)]

    mg.use("stand-in")
    assert anywhere() == ["stand-in"] * 3
    kept = mg.use("numpy")  # as a notebook keeps the value of a cell
    assert anywhere() == ["numpy"] * 3 and kept is not None
    elsewhere = contextvars.copy_context().run(lambda: mg.use("stand-in"))
    assert repr(elsewhere) == "<use of stand-in>"  # a cell of a notebook, in a context of its own
    assert anywhere() == ["stand-in"] * 3
    mg.use("numpy")
    side_by_side(lambda: mg.use("stand-in"))
    assert anywhere() == ["stand-in"] * 3
    with mg.use("numpy"):
        assert anywhere() == ["numpy", "stand-in", "stand-in"]
        mg.use("stand-in")
        mg.use("numpy")  # until the block ends, and here only
        assert anywhere() == ["numpy", "stand-in", "stand-in"]
    assert anywhere() == ["stand-in"] * 3


def test_blocks_of_use_may_be_left_in_another_order(stand_in):
    mg.use("numpy")
    first = mg.use("stand-in")
    first.__enter__()
    second = mg.use("numpy")
    second.__enter__()
    mg.use("stand-in")
    assert device() == "stand-in"
    first.__exit__(None, None, None)
    assert device() == "stand-in"  # chosen inside of the second, which goes on
    second.__exit__(None, None, None)
    assert device() == "numpy"
    with first, first:
        assert device() == "stand-in"
    assert device() == "numpy"


def test_many_blocks_of_use_side_by_side(stand_in):
    def using(name):
        for _ in range(300):
            with mg.use(name):
                assert device() == name

    def plain():
        for _ in range(1500):
            assert device() == "numpy"

    mg.use("numpy")
    side_by_side(*[lambda: using("stand-in"), plain, lambda: using("numpy"), plain] * 2)


def test_tasks_have_blocks_of_use_of_their_own(stand_in):
    async def using(name):
        with mg.use(name):
            for _ in range(3):
                await asyncio.sleep(0)
                assert device() == name

    async def main():
        await asyncio.gather(using("stand-in"), using("numpy"), using("stand-in"))
        assert device() == "numpy"

    mg.use("numpy")
    asyncio.run(main())


def test_a_precision_holds_where_its_backend_does(monkeypatch):
    xp = get_backend("numpy")
    monkeypatch.setattr(xp, "precisions", ("fp32", "tf32"), raising=False)
    with mg.use("numpy", "tf32"):
        assert [xp.precision, *side_by_side(lambda: xp.precision)] == ["tf32", "fp32"]
        with mg.use("numpy"):
            assert xp.precision == "tf32"
        with mg.use("numpy", "fp32"):
            assert xp.precision == "fp32"
    assert xp.precision == "fp32"
    mg.use("numpy", "tf32")
    assert [xp.precision, *side_by_side(lambda: xp.precision)] == ["tf32", "tf32"]
    mg.use("numpy", "fp32")


def test_each_backend_is_made_once(monkeypatch):
    import time

    from minigan.backend import registry
    monkeypatch.setattr(registry, "_makers", dict(registry._makers))
    monkeypatch.setattr(registry, "_made", dict(registry._made))
    monkeypatch.setattr(registry, "BY_TYPE", dict(registry.BY_TYPE))

    def make():
        time.sleep(0.01)
        return registry.Backend("slow", np, type("Slow", (), {}))

    registry.register("slow", make)
    found = side_by_side(*[lambda: registry.get_backend("slow")] * 4)
    assert len({id(backend) for backend in found}) == 1


# Forked processes.

def in_a_fork(job):
    """What job() returns in a forked process: bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # several threads are the point
        reader, writer = os.pipe()
        child = os.fork()
    if child == 0:
        try:
            os.write(writer, job())
        finally:
            os._exit(0)
    os.close(writer)
    try:
        assert select.select([reader], [], [], PATIENCE)[0], "the forked process hangs"
        return os.read(reader, 1 << 16)
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def large_product():
    a = np.random.default_rng(0).standard_normal((600, 300)).astype(np.float32)
    assert a.size * 600 > LARGE_PRODUCT  # shared by all threads
    return get_backend("numpy").product(a, a.T).tobytes()


can_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@can_fork
def test_a_forked_process_computes_on_a_pool_of_its_own():
    use_threads(3)
    due = large_product()

    def child():
        assert large_product() == due and threads.threads() == 3
        meeting, done = threading.Barrier(3, timeout=PATIENCE), []

        def job(i):
            meeting.wait()  # breaks unless three threads are here at once
            done.append(i)

        threads.parallel(job, 3)
        model, step = stepper(1, True)
        for _ in range(4):
            step()
        return bytes(sorted(done)) + hashlib.sha256(repr(bits(model)).encode()).digest()

    here = child()
    assert in_a_fork(child) == here and here[:3] == bytes(range(3))
    assert large_product() == due  # and the parent's pool goes on


@can_fork
def test_a_process_forked_during_a_step_of_another_thread_does_not_wait_for_it():
    model, _ = stepper(1, False)
    z = model.latent_from(mg.Stream(0, "sample"), 2)
    due = model.sample(z).numpy().tobytes()
    with Elsewhere(model.turn):
        assert in_a_fork(lambda: model.sample(z).numpy().tobytes()) == due
    with model.turn:
        assert in_a_fork(lambda: model.sample(z).numpy().tobytes()) == due
    assert model.sample(z).numpy().tobytes() == due


@can_fork
def test_a_forked_process_holds_no_lock(tmp_path):
    path = tmp_path / "config.json"
    path.write_text("{}")
    (wait, go), (begins, begun) = os.pipe(), os.pipe()
    with locked(path, "it"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                os.close(go)
                os.write(begun, b"!")
                os.read(wait, 1)  # until the parent closes the other end
            finally:
                os._exit(0)
        assert os.read(begins, 1) == b"!"
        with pytest.raises(RuntimeError, match="it is being trained by another process"):
            with locked(path, "it"):
                pass
    try:
        with locked(path, "it"):  # though the child lives on
            assert os.waitpid(child, os.WNOHANG) == (0, 0)
    finally:
        os.close(go)
        os.waitpid(child, 0)
        for end in (wait, begins, begun):
            os.close(end)


PROCESSES = """
import multiprocessing, sys
import numpy as np
import minigan as mg
from minigan.system import threads


def job(seed):
    net = mg.nn.Sequential(mg.nn.Dense(3, 4), mg.nn.Tanh(), mg.nn.Dense(4, 1))
    x = mg.tensor(np.full((2, 3), seed, "float32"))
    gradients = mg.grad(mg.ops.sum(net(x)), net.parameters())
    a = np.full((600, 300), seed, "float32")
    return len(gradients), float(mg.backend.get_backend("numpy").product(a, a.T)[0, 0])


if __name__ == "__main__":
    mg.use_threads(2)
    job(1)
    with mg.no_grad(), multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        pass  # recording is off here only
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        print(pool.map(job, [1, 2, 3]) == [job(seed) for seed in (1, 2, 3)])
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_processes_of_every_kind_compute(method, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PROCESSES)
    out = subprocess.run([sys.executable, "-W", "ignore", str(script), method], text=True,
                         capture_output=True, timeout=3 * PATIENCE,
                         env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert out.stdout == "True\n", out.stderr


# What else the whole process shares.

def test_helpers_compute_under_the_callers_errstate():
    use_threads(2)
    for _ in range(5):
        meeting = threading.Barrier(2, timeout=PATIENCE)

        def job(i):
            meeting.wait()
            np.exp(np.full(3, 1e4))

        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error")
            threads.parallel(job, 2)


def test_threads_that_draw_from_one_stream_get_different_numbers():
    stream = mg.Stream(3, "data")
    due = mg.Stream(3, "data").words(4 * 4 * 100).reshape(-1, 4)
    found = side_by_side(*[lambda: [stream.words(4) for _ in range(100)]] * 4)
    drawn = np.concatenate([np.array(words) for words in found])
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, due))
    assert stream.counter == len(due)


def test_a_new_stream_is_one_for_all_threads():
    streams = mg.Streams(0)
    assert len({id(found) for found in side_by_side(*[lambda: streams["mine"]] * 8)}) == 1


def test_no_warning_filter_is_left_behind():
    before = list(warnings.filters)

    def silent():
        for _ in range(200):
            with no_warnings():
                warnings.warn("nobody hears this")

    side_by_side(*[silent] * 4)
    assert list(warnings.filters) == before


def test_a_gpu_computes_on_one_stream_in_every_thread():
    from minigan.backend.gpu.device import CupyBackend
    used = []
    xp = object.__new__(CupyBackend)
    xp._threads, xp._recording, xp._recorder = threading.local(), None, 0
    xp.stream = SimpleNamespace(use=lambda: used.append(threading.get_ident()))
    xp.module = SimpleNamespace(exp=np.exp)

    def compute():
        assert xp.exp(0.0) == xp.exp(0.0) == 1.0
        return threading.get_ident()

    idents = [compute(), *side_by_side(compute, compute)]
    assert sorted(set(idents)) == sorted(set(used)) and len(used) == 3


def test_a_gpu_refuses_other_threads_while_a_step_is_recorded():
    from minigan.backend.gpu.recording import GraphCapture
    xp = object.__new__(GraphCapture)
    xp.device, xp._recording, xp._recorder = "gpu", object(), threading.get_ident()
    xp.enter()
    with pytest.raises(RuntimeError, match="another thread records a step on gpu"):
        side_by_side(xp.enter)


@pytest.mark.parametrize("capture", [False, True])
def test_two_trainers_side_by_side_leave_the_runs_of_each_alone(capture, quick):
    from minigan.runs import checkpoint
    data = digits()

    def fit(seed, out):
        model = mg.models.GAN("mlp", shape=data.shape, streams=seed, latent_size=6)
        trainer = mg.Trainer(model, data, 16, out=out, threads=2, capture=capture)
        trainer.fit(12)
        trainer.fit(3)
        arrays, _ = checkpoint.load(trainer.folder.checkpoint)
        return {name: array.tobytes() for name, array in arrays.items()}

    alone = [fit(seed, f"alone-{seed}") for seed in (1, 2)]
    assert side_by_side(lambda: fit(1, "both-1"), lambda: fit(2, "both-2")) == alone
