"""gan:seed written by hand in NumPy: the floor under minigan's engine.

The same array operations as minigan's step, derivatives worked out on paper, with no tensor, no
graph and no dispatch between them; Adam over one flat buffer per network, as minigan packs it. What
minigan takes longer is what its engine costs.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from workloads import BETAS, EPS, LEARNING_RATE, SLOPE

BLOCK = 65_536


class Adam:
    """Adam over a flat buffer that holds all weights of a network."""

    def __init__(self, weights: list[np.ndarray]) -> None:
        self.flat = np.concatenate([w.ravel() for w in weights])
        self.gradient = np.zeros_like(self.flat)
        self.m, self.v, self.t = np.zeros_like(self.flat), np.zeros_like(self.flat), 0
        ends = np.cumsum([w.size for w in weights])
        self.weights, self.slots = [[buffer[end - w.size:end].reshape(w.shape)
                                     for w, end in zip(weights, ends)]
                                    for buffer in (self.flat, self.gradient)]

    def step(self) -> None:
        self.t += 1
        root = (1 - BETAS[1] ** self.t) ** 0.5
        rate, eps = LEARNING_RATE * root / (1 - BETAS[0] ** self.t), EPS * root
        for start in range(0, self.flat.size, BLOCK):
            p, g, m, v = (buffer[start:start + BLOCK]
                          for buffer in (self.flat, self.gradient, self.m, self.v))
            m *= BETAS[0]
            m += (1 - BETAS[0]) * g
            v *= BETAS[1]
            s = g * g
            s *= 1 - BETAS[1]
            v += s
            np.sqrt(v, out=s)
            s += eps
            np.divide(m, s, out=s)
            s *= rate
            p -= s


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


def build(load: dict[str, Any]) -> Callable[[int], tuple[float, float]]:
    """One training step as a function of the batch's number; it returns the two losses."""
    G, D = Adam(load["generator"]), Adam(load["discriminator"])
    (w1, b1, w2, b2), (v1, c1, v2, c2) = G.weights, D.weights
    ones = np.ones(len(load["images"][0]), w1.dtype)
    n = len(ones)

    def discriminate(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        a = x @ v1
        a += c1
        h = leaky(a)
        logit = h @ v2
        logit += c2
        return a, h, logit

    def step(i: int) -> tuple[float, float]:
        z, x = load["noise"][i], load["images"][i]
        a = z @ w1
        a += b1
        h = leaky(a)
        fake = h @ w2
        fake += b2
        fake = np.tanh(fake)

        losses, gradients = [], []
        for images, sign in ((x, -1), (fake, 1)):
            ad, hd, logit = discriminate(images)
            losses.append(softplus(sign * logit).mean())
            g = sign * sigmoid(sign * logit) / n
            ga = gate(g * v2.T, ad)
            gradients.append((images.T @ ga, ones @ ga, hd.T @ g, g.sum()))
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
