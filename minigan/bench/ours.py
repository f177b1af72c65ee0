"""minigan's own side: the step of the model, as `minigan train` makes it."""

from __future__ import annotations

import functools
import time
from typing import Any, Callable

import numpy as np

import minigan
from minigan import losses
from minigan.backend import Backend, default
from minigan.bench import floor, operations
from minigan.bench.workloads import build as build_model
from minigan.capturing import Captured, Results, capture
from minigan.engine import Tensor, grad, no_grad
from minigan.models.wgan_gp import WGANGP
from minigan.system.allocator import keep_freed_memory


def start(form: str, threads: int) -> dict[str, str]:
    """Compute on a backend from now on; the versions that count.

    form: the backend's name, "captured" behind it where steps are captured.
    """
    backend = form.partition(" ")[0]
    keep_freed_memory()
    minigan.use_threads(threads)
    minigan.use(backend)
    versions = {"minigan": minigan.__version__, "numpy": np.__version__}
    return versions if backend == "numpy" else {**versions, backend: default().describe()}


def build(load: dict[str, Any], form: str) -> Callable[[int], Any]:
    """One training step, as a function of its number; it returns its losses."""
    if load["task"] == "op":
        return operations.build(load)
    return Step(load, form.endswith("captured"))


class Step:
    """A model's training step on the images of a load, in turn.

    captured: the first runs op by op, from the second on each is a replay, as in `minigan train`.
    """

    def __init__(self, load: dict[str, Any], captured: bool) -> None:
        self.model = model = build_model(load["name"])
        self.images = [default().from_host(x) for x in load["images"]]
        self.x = Tensor(default().array(self.images[0], copy=True))
        self.captured = captured
        self.fast: Captured | None = None
        self.step: Callable[[Tensor], Results] = model.step
        if load["task"] == "critic":
            assert isinstance(model, WGANGP)
            self.step = model.critic_step if load["penalty"] else functools.partial(
                plain_critic_step, model)

    def __call__(self, i: int) -> tuple[Tensor, ...]:
        self.x.assign(self.images[i % len(self.images)])
        if i and self.captured and self.fast is None:
            self.fast = capture(self.eager, [*self.model.tensors(), self.x])
        return tuple((self.fast or self.eager)().values())

    def eager(self) -> Results:
        """A step op by op, whatever the others are."""
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
    """A loss as a number, of an array the mean of its squares; waits for it."""
    return float(result.item() if result.size == 1 else np.square(result.numpy()).mean())


def seconds(job: Callable[[], Any]) -> float:
    """Run a job: how long the default device needs for it."""
    return device_seconds(default(), job)


def device_seconds(xp: Backend, job: Callable[[], Any]) -> float:
    """By the clock on the processor, by CUDA events before and after on a GPU."""
    if xp.device == "numpy":
        began = time.perf_counter()
        job()
        return time.perf_counter() - began
    before, after = xp.cuda.Event(), xp.cuda.Event()
    before.record()
    job()
    after.record()
    after.synchronize()
    return float(xp.cuda.get_elapsed_time(before, after)) / 1e3


def device_memory() -> int | None:
    """Bytes that the device's pool holds, which never shrinks; None where there is no pool."""
    xp = default()
    return None if xp.device == "numpy" else int(xp.get_default_memory_pool().total_bytes())


def floor_of(step: Any, threads: int) -> dict[str, float] | None:
    """How fast this machine multiplies the matrices of a step, and one large square pair."""
    if default().device != "numpy":
        return None
    return floor.measure(floor.products(getattr(step, "eager", lambda: step(0))), threads)
