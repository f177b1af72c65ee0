"""The floor under a step: its own matrix products, timed alone on this machine's BLAS.

A convolution counts as the product of its patch rows with its kernels. A step near its floor can
only become faster with fewer products; one far from it spends its time elsewhere.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from typing import Any, Callable

import numpy as np

from minigan.bench.records import Floor
from minigan.engine import Op, Tensor, op_hook

SQUARE = 2048        # rows of the large square product
LEAST = 0.1          # seconds for which each product is repeated
Product = tuple[int, int, int]  # M, K, N of (M, K) @ (K, N)


def products(step: Callable[[], Any]) -> Counter[Product]:
    """The products of one step, and how many times each is made."""
    made: Counter[Product] = Counter()

    def watch(op: Op, within: Op | None, run: Any) -> Tensor:
        inputs, settings = run.args  # no other hook is between the engine and this one
        sizes = [getattr(x, "shape", ()) for x in inputs]
        made.update(shapes(op.name, sizes, settings))
        return run()

    with op_hook(watch):
        step()
    return made


def shapes(name: str, inputs: list[tuple[int, ...]], settings: dict[str, Any]) -> list[Product]:
    """The products of an op with inputs of these shapes; most ops have none."""
    if name in ("matmul", "affine"):
        *stack, m, k = inputs[0]
        if settings.get("ta"):
            m, k = k, m
        n = inputs[1][-2] if settings.get("tb") else inputs[1][-1]
        return [(m, k, n)] * math.prod(stack)
    if name == "conv2d":  # x, w -> y
        batch = inputs[0][0]
        kh, kw, c_in, c_out = inputs[1]
        oh, ow = settings["g"].out_size
        return [(batch * oh * ow, kh * kw * c_in, c_out)]
    if name == "conv_transpose2d":  # y, w -> x
        batch, oh, ow, _ = inputs[0]
        kh, kw, c_in, c_out = inputs[1]
        return [(batch * oh * ow, c_out, kh * kw * c_in)]
    if name == "conv2d_weight":  # x, y -> w
        c_in = inputs[0][-1]
        batch, oh, ow, c_out = inputs[1]
        kh, kw = settings["g"].kernel
        return [(kh * kw * c_in, batch * oh * ow, c_out)]
    return []


def measure(made: Counter[Product], threads: int) -> Floor:
    """Time the products that were made, and one large square one, on `threads` threads of BLAS."""
    from threadpoolctl import threadpool_limits
    with threadpool_limits(threads, user_api="blas"):
        seconds = sum(count * time_of(product) for product, count in made.items())
        square = time_of((SQUARE, SQUARE, SQUARE))
    return Floor(
        floor_ms=seconds * 1e3,
        floor_gflops=work(made) / max(seconds, 1e-9) / 1e9,
        square_gflops=2 * SQUARE ** 3 / square / 1e9)


def work(made: Counter[Product]) -> float:
    """Floating-point operations of these products: two for each multiplication."""
    return sum(2.0 * m * k * n * count for (m, k, n), count in made.items())


def time_of(product: Product) -> float:
    """Seconds of one product: the median of as many as fit into LEAST seconds, three or more."""
    m, k, n = product
    a = np.ones((m, k), "float32")
    b = np.ones((k, n), "float32")
    out = np.ones((m, n), "float32")
    np.matmul(a, b, out=out)
    times: list[float] = []
    while len(times) < 3 or (sum(times) < LEAST and len(times) < 2000):
        began = time.perf_counter()
        np.matmul(a, b, out=out)
        times.append(time.perf_counter() - began)
    return statistics.median(times)
