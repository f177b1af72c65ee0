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

from minigan.engine import Op, Tensor, op_hook

SQUARE = 2048        # rows of the large square product
LEAST = 0.1          # seconds that each product is repeated for
Product = tuple[int, int, int]  # (M, K) @ (K, N)


def products(step: Callable[[], Any]) -> Counter[Product]:
    """The products of one step, and how often each is made."""
    found: Counter[Product] = Counter()

    def watch(op: Op, within: Op | None, run: Any) -> Tensor:
        inputs, settings = run.args  # no other hook stands between the engine and this one
        found.update(shapes(op.name, [getattr(x, "shape", ()) for x in inputs], settings))
        return run()

    with op_hook(watch):
        step()
    return found


def shapes(name: str, inputs: list[tuple[int, ...]], settings: dict[str, Any]) -> list[Product]:
    """The products of an op that is given inputs of these shapes."""
    if name in ("matmul", "affine"):
        (m, k), (_, n) = inputs[0][-2:], inputs[1][-2:]
        m, k = (k, m) if settings.get("ta") else (m, k)
        n = inputs[1][-2] if settings.get("tb") else n
        return [(m, k, n)] * math.prod(inputs[0][:-2])
    if name == "conv2d":  # x, w -> y
        (batch, *_), (kh, kw, c_in, c_out) = inputs[:2]
        return [(batch * math.prod(settings["g"].out_size), kh * kw * c_in, c_out)]
    if name == "conv_transpose2d":  # y, w -> x
        (batch, oh, ow, _), (kh, kw, c_in, c_out) = inputs[:2]
        return [(batch * oh * ow, c_out, kh * kw * c_in)]
    if name == "conv2d_weight":  # x, y -> w
        (batch, *_, c_in), (_, oh, ow, c_out) = inputs[:2]
        return [(math.prod(settings["g"].kernel) * c_in, batch * oh * ow, c_out)]
    return []


def measure(found: Counter[Product], threads: int) -> dict[str, float]:
    """Milliseconds of all those products on `threads` threads of BLAS, and their GFLOP/s.

    square: the GFLOP/s of one large square product, which no other product exceeds by much.
    """
    from threadpoolctl import threadpool_limits
    with threadpool_limits(threads, user_api="blas"):
        seconds = sum(count * time_of(product) for product, count in found.items())
        square = time_of((SQUARE, SQUARE, SQUARE))
    return {"floor_ms": seconds * 1e3, "floor_gflops": work(found) / max(seconds, 1e-9) / 1e9,
            "square_gflops": 2 * SQUARE ** 3 / square / 1e9}


def work(found: Counter[Product]) -> float:
    """Floating-point operations of those products, two for each multiplication."""
    return sum(2.0 * m * k * n * count for (m, k, n), count in found.items())


def time_of(product: Product) -> float:
    """Seconds of one product: the median of what fits into LEAST seconds, three at least."""
    m, k, n = product
    a, b, out = (np.ones(size, "float32") for size in ((m, k), (k, n), (m, n)))
    np.matmul(a, b, out=out)
    times: list[float] = []
    while len(times) < 3 or (sum(times) < LEAST and len(times) < 2000):
        began = time.perf_counter()
        np.matmul(a, b, out=out)
        times.append(time.perf_counter() - began)
    return statistics.median(times)
