"""gan:seed written by hand in NumPy: the floor under minigan's engine.

The same array operations as minigan's step, derivatives worked out on paper, with no tensor, no
graph and no dispatch between them; Adam over one flat buffer per network, as minigan packs it. What
minigan takes longer is what its engine costs.
"""

from __future__ import annotations

import ctypes
from typing import Any, Callable

import numpy as np

SLOPE, BLOCK = 0.01, 65_536


def start(form: str, threads: int) -> dict[str, str]:
    """Threads are BLAS's, set in the environment of this process; the version."""
    return {"numpy": np.__version__}


def value(loss: float) -> float:
    """A loss as a number, which it is."""
    return loss


class Adam:
    """Adam over a flat buffer that holds all weights of a network."""

    def __init__(self, weights: list[np.ndarray], load: dict[str, Any]) -> None:
        self.rate, self.betas, self.eps = load["learning_rate"], load["betas"], load["eps"]
        self.flat = np.concatenate([w.ravel() for w in weights])
        self.gradient = np.zeros_like(self.flat)
        self.m, self.v, self.t = np.zeros_like(self.flat), np.zeros_like(self.flat), 0
        ends = np.cumsum([w.size for w in weights])
        self.weights, self.slots = [[buffer[end - w.size:end].reshape(w.shape)
                                     for w, end in zip(weights, ends)]
                                    for buffer in (self.flat, self.gradient)]

    def step(self) -> None:
        self.t += 1
        beta1, beta2 = self.betas
        root = (1 - beta2 ** self.t) ** 0.5
        rate, eps = self.rate * root / (1 - beta1 ** self.t), self.eps * root
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


def keep_freed_memory() -> None:
    """The two calls of glibc's mallopt that minigan makes too: see its `backend/allocator.py`."""
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(-3, 1 << 30), mallopt(-1, 2**31 - 1)
    except (OSError, AttributeError):
        pass  # another C library


def leaky(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, x * SLOPE)


def gate(g: np.ndarray, x: np.ndarray) -> np.ndarray:
    slope = (x > 0).astype(g.dtype)
    np.maximum(slope, SLOPE, out=slope)
    slope *= g
    return slope


def softplus(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def build(load: dict[str, Any], form: str) -> Callable[[int], tuple[float, float]]:
    """One training step as a function of its number; it returns the two losses."""
    if load["name"] != "gan:seed":
        raise NotImplementedError("only gan:seed is written by hand")
    keep_freed_memory()
    G, D = (Adam([layer[name] for layer in load[net] if layer["kind"] == "Dense"
                  for name in ("weight", "bias")], load) for net in ("generator", "discriminator"))
    images = [x.reshape(len(x), -1) for x in load["images"]]
    random, shape = np.random.Generator(np.random.Philox(0)), (load["batch"], load["latent"])
    (w1, b1, w2, b2), (v1, c1, v2, c2) = G.weights, D.weights
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
        z = load["noise"][i] if i < len(load["noise"]) else random.standard_normal(shape, "float32")
        a = z @ w1
        a += b1
        h = leaky(a)
        fake = h @ w2
        fake += b2
        fake = np.tanh(fake)

        losses, gradients = [], []
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
