"""minigan's own side: the step of the model, as `minigan train` makes it."""

from __future__ import annotations

import time
from typing import Any, Callable

import numpy as np

import minigan
from minigan import losses
from minigan.backend import Backend, default
from minigan.backend.allocator import keep_freed_memory
from minigan.bench import floor, operations
from minigan.bench.workloads import build as build_model
from minigan.engine import Tensor, grad, no_grad
from minigan.models.wgan_gp import WGANGP


def start(form: str, threads: int) -> dict[str, str]:
    """Compute on a backend from now on; the versions that count. form: the backend's name."""
    keep_freed_memory()
    minigan.use_threads(threads)
    minigan.use(form)
    versions = {"minigan": minigan.__version__, "numpy": np.__version__}
    return versions if form == "numpy" else {**versions, form: default().describe()}


def build(load: dict[str, Any], form: str) -> Callable[[int], Any]:
    """One training step, as a function of its number; it returns its losses."""
    if load["task"] == "op":
        return operations.build(load)
    model = build_model(load["name"])
    xp = default()
    images = [Tensor(xp.from_host(x)) for x in load["images"]]
    if load["task"] == "gan":
        return lambda i: tuple(model.step(images[i % len(images)]).values())
    assert isinstance(model, WGANGP)
    step = model.critic_step if load["penalty"] else lambda x: plain_critic_step(model, x)
    return lambda i: tuple(step(images[i % len(images)]).values())


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


def floor_of(step: Callable[[int], Any], threads: int) -> dict[str, float] | None:
    """How fast this machine multiplies the matrices of a step, and one large square pair."""
    if default().device != "numpy":
        return None
    return floor.measure(floor.products(step), threads)
