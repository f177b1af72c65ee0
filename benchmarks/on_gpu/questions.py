"""Questions that only a GPU can answer, each a function that yields rows."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import Any, Callable, Iterator

import numpy as np
from on_gpu import timing
from on_gpu.rows import emit, failure
from on_gpu.timing import Job
from on_gpu.workloads import PRECISIONS

import minigan as mg
from minigan.backend import get_backend
from minigan.geometry import conv_geometry
from minigan.streams import Stream

Rows = Iterator[dict[str, Any]]


def questions() -> None:
    """Ask each; one that fails says how, and the next is asked."""
    mg.use("cupy")
    for ask in QUESTIONS:
        try:
            for row in ask():
                emit(kind="question", question=ask.__name__, **row)
        except Exception as error:
            emit(kind="question", question=ask.__name__, failed=failure(error))


def graphs_of_gemm() -> Rows:
    """Is a product on our cuBLAS handle captured and replayed right, and how exact is TF32?"""
    xp = timing.device()
    a, b = (np.random.default_rng(i).standard_normal((512, 512)).astype("f4") for i in (0, 1))
    exact = a.astype("f8") @ b
    left = mg.Tensor(xp.from_host(a))
    right = mg.Tensor(xp.from_host(b))
    for precision in PRECISIONS:
        xp.set_precision(precision)
        eager = (left @ right).numpy()
        fast = mg.capture(lambda: {"c": left @ right}, [left, right])
        fast()
        left.assign(left.data * 2)
        twice = fast()["c"].numpy() / 2
        left.assign(xp.from_host(a))
        error = np.abs(eager - exact).max() / np.abs(exact).max()
        yield {"precision": precision, "same_bits": bool((twice == eager).all()),
               "error": float(error)}
    xp.set_precision("fp32")


def costs_of_calls() -> Rows:
    """What does one op cost the host: CuPy's ways, ours, PyTorch's?"""
    xp = timing.device()
    cupy = xp.module
    x = cupy.ones((64, 128), "f4")
    y = cupy.empty((64, 128), "f4")
    w = cupy.ones((128, 128), "f4")
    custom = cupy.ElementwiseKernel("T a", "T b", "b = a * 2", "twice")
    yield from _host_costs({
        "cupy add": lambda: x + x,
        "cupy add, out given": lambda: cupy.add(x, x, out=y),
        "cupy ElementwiseKernel": lambda: custom(x, y),
        "cupy matmul": lambda: x @ w,
        "cupy sum": lambda: x.sum(),
        "our kernel": lambda: xp.leaky_relu(x, 0.2),
        "our product": lambda: xp.product(x, w),
        "our sum": lambda: xp.total(x, (0, 1), False),
    })
    import torch
    t = torch.ones(64, 128, device="cuda")
    v = torch.ones(128, 128, device="cuda")
    yield from _host_costs({"torch add": lambda: t + t, "torch mm": lambda: t @ v})


def _host_costs(jobs: dict[str, Job]) -> Rows:
    for name, job in jobs.items():
        yield {"call": name, "host_us": round(timing.host_microseconds(job), 2)}


def costs_of_nodes() -> Rows:
    """What does replaying a graph of n small kernels cost the host and the device?"""
    x = mg.Tensor(timing.device().ones((64, 128), "f4"))

    def chain_of(n: int) -> Callable[[], dict[str, mg.Tensor]]:
        def chain() -> dict[str, mg.Tensor]:
            y = x
            for _ in range(n):
                y = mg.ops.leaky_relu(y, 0.5)
            return {"y": y}
        return chain

    for n in (1, 50, 200):
        chain = chain_of(n)
        chain()
        fast = mg.capture(chain)
        yield {"nodes": n, "host_us": round(timing.host_microseconds(fast), 2),
               "device_us": round(timing.device_microseconds(fast), 2)}


def random_numbers() -> Rows:
    """Are uniforms the host's to the bit, and how far off are normals?"""
    xp = timing.device()
    host = get_backend("numpy")
    there = Stream(1, "a")
    here = Stream(1, "a")

    u = xp.to_host(there.uniform((1000, 1000), xp=xp))
    yield {"uniforms_equal": bool((u == here.uniform((1000, 1000), xp=host)).all())}

    u = xp.to_host(there.normal((1000, 1000), xp=xp))
    v = here.normal((1000, 1000), xp=host)
    units = np.abs(u.astype("f8") - v) / np.spacing(np.abs(v))
    yield {"normals_most_ulp": float(units.max()), "share_above_2": float((units > 2).mean())}

    generator = xp.module.random.default_rng(0)
    out = xp.module.empty((64, 100), "f4")
    generator.standard_normal(dtype="f4", out=out)
    with xp.captured() as graph:
        generator.standard_normal(dtype="f4", out=out)
    draws = []
    for _ in range(2):
        graph.launch()
        draws.append(xp.to_host(out))
    yield {"cupys_generator_advances_under_capture": bool((draws[0] != draws[1]).any())}


def private_pool() -> Rows:
    """Does eager work between replays corrupt them: with our pool, and with CuPy's common one?"""
    yield {"pool": "own", "corrupted": _corrupted(own=True)}
    yield {"pool": "common", "corrupted": _corrupted(own=False)}


def _corrupted(own: bool) -> bool:
    xp = timing.device()
    cupy = xp.module
    x = cupy.arange(100_000, dtype="f4")
    out = cupy.empty(100_000, "f4")

    def chain() -> None:
        cupy.add(cupy.multiply(x, 2) + 1, 1, out=out)

    chain()
    if own:
        with xp.captured() as graph:
            chain()
    else:
        xp.stream.begin_capture()
        chain()
        graph = xp.stream.end_capture()
    kept = [cupy.zeros(100_000, "f4") for _ in range(8)]  # may get what the capture freed
    xp.synchronize()
    if own:
        graph.launch()
    else:
        graph.launch(xp.stream)
    overwritten = any(bool(xp.to_host(array).any()) for array in kept)
    due = 2 * np.arange(100_000, dtype="f4") + 2
    return overwritten or bool(np.abs(xp.to_host(out) - due).max())


def convolutions() -> Rows:
    """Patches and a product against cuDNN (PyTorch, NHWC): 4x4, stride 2, forward and gradients."""
    import torch

    torch.backends.cudnn.benchmark = True
    xp = timing.device()
    for n, size, c_in, c_out in ((64, 14, 64, 128), (64, 32, 64, 128), (64, 8, 256, 512)):
        ours = _our_family(n, size, c_in, c_out)
        theirs = _their_family(n, size, c_in, c_out)
        for precision in PRECISIONS:
            xp.set_precision(precision)
            torch.backends.cudnn.allow_tf32 = precision == "tf32"
            for name in ours:
                mine = timing.device_microseconds(ours[name])
                cudnn = timing.device_microseconds(_on_our_stream(theirs[name]))
                yield {"op": name, "x": [n, size, size, c_in], "c_out": c_out,
                       "precision": precision, "minigan_us": round(mine, 1),
                       "cudnn_us": round(cudnn, 1)}
    xp.set_precision("fp32")


def _our_family(n: int, size: int, c_in: int, c_out: int) -> dict[str, Job]:
    """The three functions of `ops.conv` on arrays of ones."""
    xp = timing.device()
    g = conv_geometry("bench", (size, size), (4, 4), 2, 1, 1)
    x = xp.ones((n, size, size, c_in), "f4")
    w = xp.ones((4, 4, c_in, c_out), "f4")
    y = xp.ones((n, *g.out_size, c_out), "f4")
    return {"conv2d": lambda: xp.conv2d(x, w, g),
            "conv_transpose2d": lambda: xp.conv_transpose2d(y, w, g),
            "conv2d_weight": lambda: xp.conv2d_weight(x, y, g)}


def _their_family(n: int, size: int, c_in: int, c_out: int) -> dict[str, Job]:
    """The same by cuDNN, in its best layout."""
    import torch

    def ones(*shape: int) -> Any:
        return torch.ones(*shape, device="cuda").to(memory_format=torch.channels_last)

    x = ones(n, c_in, size, size)
    w = ones(c_out, c_in, 4, 4)
    y = ones(n, c_out, size // 2, size // 2)

    def backward(of_x: bool, of_w: bool) -> Any:
        return torch.ops.aten.convolution_backward(
            y, x, w, None, [2, 2], [1, 1], [1, 1], False, [0, 0], 1, [of_x, of_w, False])

    return {"conv2d": lambda: torch.nn.functional.conv2d(x, w, None, 2, 1),
            "conv_transpose2d": lambda: backward(True, False),
            "conv2d_weight": lambda: backward(False, True)}


def _on_our_stream(job: Job) -> Job:
    """PyTorch computes on its own stream; let our synchronize wait for it too."""
    import torch

    stream = torch.cuda.ExternalStream(timing.device().stream.ptr)

    def run() -> Any:
        with torch.cuda.stream(stream):
            return job()
    return run


FIRST_STEP = """
import time
began = time.perf_counter()
import sys
sys.path[:0] = {path!r}
from on_gpu.speed import ours
from on_gpu.timing import device
ours({name!r}, {preset!r}, 64, True)()
device().synchronize()
print(time.perf_counter() - began)
"""


def first_run() -> Rows:
    """How many seconds to the end of the first step, with no kernel compiled yet?"""
    for name, preset in (("gan", "mlp"), ("dcgan", "wide28"), ("wgan-gp", "wide28")):
        code = FIRST_STEP.format(path=sys.path[:2], name=name, preset=preset)
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True,
                                  env={**os.environ, "CUPY_CACHE_DIR": cache})
        seconds = done.stdout.strip().splitlines()[-1:] or [done.stderr[-300:]]
        yield {"workload": f"{name}:{preset}", "seconds_with_empty_cache": seconds[0]}


QUESTIONS = (graphs_of_gemm, costs_of_calls, costs_of_nodes, random_numbers, private_pool,
             convolutions, first_run)
