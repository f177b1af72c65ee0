"""minigan's own side: the step of the model, as `minigan train` makes it."""

from __future__ import annotations

import functools
import time
from dataclasses import asdict
from typing import Any, Callable

import numpy as np

import minigan
from minigan import losses
from minigan.backend import Backend, default
from minigan.bench import floor, operations
from minigan.bench.records import Floor, Operation, Workload
from minigan.bench.workloads import build as build_model
from minigan.capturing import Captured, Results, capture
from minigan.engine import Tensor, grad, no_grad
from minigan.models.wgan_gp import WGANGP
from minigan.system.allocator import keep_freed_memory


def start(form: str, threads: int) -> dict[str, str]:
    """Compute on a backend from now on; returns the versions of what computes.

    form: the backend's name, with " captured" behind it where steps are captured.
    """
    backend = form.partition(" ")[0]
    keep_freed_memory()
    minigan.use_threads(threads)
    minigan.use(backend)
    versions = {"minigan": minigan.__version__, "numpy": np.__version__}
    if backend != "numpy":
        versions[backend] = default().describe()
    return versions


def build(workload: Workload | Operation, form: str) -> Callable[[int], tuple[Tensor, ...]]:
    """One training step, or pass of an op, as a function of its number; it returns its results."""
    if isinstance(workload, Operation):
        return operations.build(workload)
    return Step(workload, form.endswith("captured"))


class Step:
    """A model's training step on a workload's images, in turn.

    captured: the first step runs op by op, each later one is a replay, as in `minigan train`.
    """

    def __init__(self, workload: Workload, captured: bool) -> None:
        self.model = model = build_model(workload.name)
        self.images = [default().from_host(x) for x in workload.images]
        self.x = Tensor(default().array(self.images[0], copy=True))
        self.captured = captured
        self.fast: Captured | None = None
        self.step: Callable[[Tensor], Results] = model.step
        if workload.task == "critic":
            assert isinstance(model, WGANGP)
            plain = functools.partial(plain_critic_step, model)
            self.step = model.critic_step if workload.penalty else plain

    def __call__(self, i: int) -> tuple[Tensor, ...]:
        self.x.assign(self.images[i % len(self.images)])
        if i and self.captured and self.fast is None:
            self.fast = capture(self.eager, [*self.model.tensors(), self.x])
        step = self.fast or self.eager
        return tuple(step().values())

    def eager(self) -> Results:
        """A step op by op, even if other steps are replays."""
        return self.step(self.x)


def plain_critic_step(model: WGANGP, x: Tensor) -> dict[str, Tensor]:
    """The critic's update without the penalty: what the penalty's cost is compared with."""
    f = model.discriminator
    with no_grad():
        fake = model.generator(model.latent(len(x)))
    distance = losses.wasserstein_critic(f(x), f(fake))
    model.c_optimizer.step(grad(distance, f.parameters(), unreached="zeros"))
    return {"w_estimate": -distance.detach()}


def value(result: Tensor) -> float:
    """A loss as a number, or the mean square of an array; waits for it."""
    if result.size == 1:
        return float(result.item())
    return float(np.square(result.numpy()).mean())


def seconds(job: Callable[[], Any]) -> float:
    """Run a job; returns how long the default device needed for it."""
    return device_seconds(default(), job)


def device_seconds(xp: Backend, job: Callable[[], Any]) -> float:
    """Seconds of a job: wall clock on a processor, CUDA events before and after on a GPU."""
    if xp.device == "numpy":
        began = time.perf_counter()
        job()
        return time.perf_counter() - began
    before = xp.cuda.Event()
    after = xp.cuda.Event()
    before.record()
    job()
    after.record()
    after.synchronize()
    return float(xp.cuda.get_elapsed_time(before, after)) / 1e3


def device_memory() -> int | None:
    """Bytes that the device's pool holds, which never shrinks; None where there is no pool."""
    xp = default()
    if xp.device == "numpy":
        return None
    return int(xp.get_default_memory_pool().total_bytes())


def floor_of(step: Callable[[int], tuple[Tensor, ...]], threads: int) -> dict[str, float] | None:
    """The fields of a `Floor`: how fast this machine multiplies a step's matrices; None on a GPU.
    """
    if default().device != "numpy":
        return None
    once = step.eager if isinstance(step, Step) else functools.partial(step, 0)
    measured: Floor = floor.measure(floor.products(once), threads)
    return asdict(measured)
