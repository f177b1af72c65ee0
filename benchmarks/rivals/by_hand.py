"""gan:seed written by hand in NumPy: the floor under minigan's engine.

The same array operations as minigan's step, with derivatives worked out on paper, and no tensor,
graph or dispatch between them; Adam over one flat buffer per network, as minigan packs it. The time
that minigan takes longer is what its engine costs.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, Callable

import numpy as np

SLOPE = 0.01    # of the leaky ReLU
BLOCK = 65_536  # weights that Adam updates at a time


def start(form: str, threads: int) -> dict[str, str]:
    """The version; the number of threads is BLAS's, set in this process's environment."""
    return {"numpy": np.__version__}


def value(loss: float) -> float:
    """A loss as a number, which it is already."""
    return loss


class Adam:
    """Adam over a flat buffer that holds all weights of a network."""

    def __init__(self, weights: list[np.ndarray], workload: Any) -> None:
        self.rate = workload.learning_rate
        self.betas = workload.betas
        self.eps = workload.eps
        self.flat = np.concatenate([w.ravel() for w in weights])
        self.gradient = np.zeros_like(self.flat)
        self.m = np.zeros_like(self.flat)
        self.v = np.zeros_like(self.flat)
        self.t = 0
        shapes = [w.shape for w in weights]
        self.weights = views(self.flat, shapes)
        self.slots = views(self.gradient, shapes)

    def step(self) -> None:
        """Update all weights by the gradients in their slots."""
        self.t += 1
        beta1, beta2 = self.betas
        root = (1 - beta2 ** self.t) ** 0.5
        rate = self.rate * root / (1 - beta1 ** self.t)
        eps = self.eps * root
        for start in range(0, self.flat.size, BLOCK):
            p, g, m, v = (buffer[start:start + BLOCK]
                          for buffer in (self.flat, self.gradient, self.m, self.v))
            m *= beta1
            m += (1 - beta1) * g
            v *= beta2
            s = g * g
            s *= 1 - beta2
            v += s
            np.sqrt(v, out=s)
            s += eps
            np.divide(m, s, out=s)
            s *= rate
            p -= s


def views(buffer: np.ndarray, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Arrays of these shapes, one after another in a flat buffer."""
    found = []
    start = 0
    for shape in shapes:
        end = start + math.prod(shape)
        found.append(buffer[start:end].reshape(shape))
        start = end
    return found


def keep_freed_memory() -> None:
    """The two calls of glibc's mallopt that minigan makes too: see its `system/allocator.py`."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(-3, 1 << 30)
        mallopt(-1, 2**31 - 1)
    except (OSError, AttributeError):
        pass  # another C library


def weights_of(layers: list[Any]) -> list[np.ndarray]:
    """Weights and biases of the dense layers, in turn."""
    dense = [layer for layer in layers if layer.kind == "Dense"]
    return [array for layer in dense for array in (layer.weight, layer.bias)]


def leaky(x: np.ndarray) -> np.ndarray:
    """Leaky ReLU."""
    return np.maximum(x, x * SLOPE)


def gate(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The gradient of leaky(x), given that of its result."""
    slope = (x > 0).astype(g.dtype)
    np.maximum(slope, SLOPE, out=slope)
    slope *= g
    return slope


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + e^x), without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x), without overflow."""
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def build(workload: Any, form: str) -> Callable[[int], tuple[float, float]]:
    """One training step as a function of its number; it returns the two losses."""
    if workload.name != "gan:seed":
        raise NotImplementedError("only gan:seed is written by hand")
    keep_freed_memory()
    G = Adam(weights_of(workload.generator), workload)
    D = Adam(weights_of(workload.discriminator), workload)
    images = [x.reshape(len(x), -1) for x in workload.images]
    first = workload.noise
    random = np.random.Generator(np.random.Philox(0))
    shape = (workload.batch, workload.latent)
    w1, b1, w2, b2 = G.weights
    v1, c1, v2, c2 = D.weights
    ones = np.ones(len(images[0]), w1.dtype)
    n = len(ones)

    def discriminate(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        a = x @ v1
        a += c1
        h = leaky(a)
        logit = h @ v2
        logit += c2
        return a, h, logit

    def step(i: int) -> tuple[float, float]:
        x = images[i % len(images)]
        z = first[i] if i < len(first) else random.standard_normal(shape, "float32")
        a = z @ w1
        a += b1
        h = leaky(a)
        fake = h @ w2
        fake += b2
        fake = np.tanh(fake)

        losses = []
        gradients = []
        for batch, sign in ((x, -1), (fake, 1)):
            ad, hd, logit = discriminate(batch)
            losses.append(softplus(sign * logit).mean())
            g = sign * sigmoid(sign * logit) / n
            ga = gate(g * v2.T, ad)
            gradients.append((batch.T @ ga, ones @ ga, hd.T @ g, g.sum()))
        for slot, of_real, of_fake in zip(D.slots, *gradients):
            slot[...] = of_real + of_fake
        D.step()

        ad, hd, logit = discriminate(fake)
        g_loss = softplus(-logit).mean()
        g = -sigmoid(-logit) / n
        gx = (gate(g * v2.T, ad) @ v1.T) * (1 - fake * fake)
        ga = gate(gx @ w2.T, a)
        for slot, gradient in zip(G.slots, (z.T @ ga, ones @ ga, h.T @ gx, ones @ gx)):
            slot[...] = gradient
        G.step()
        return float(losses[0] + losses[1]), float(g_loss)

    return step
