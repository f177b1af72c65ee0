"""HIPS/autograd: NumPy functions that are traced and differentiated, on the dense networks."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Callable

import autograd.numpy as np
from autograd import value_and_grad

Weights = list[tuple[Any, Any]]


def start(form: str, threads: int) -> dict[str, str]:
    """The version; the number of threads is set in this process's environment."""
    return {"autograd": version("autograd")}


def value(loss: Any) -> float:
    """A loss as a number."""
    return float(loss)


def apply(layers: list[Any], weights: Weights, x: Any) -> Any:
    """A network's output."""
    dense = iter(weights)
    for layer in layers:
        if layer.kind == "Dense":
            w, b = next(dense)
            x = np.dot(x, w) + b
        elif layer.kind == "LeakyReLU":
            x = np.maximum(x, x * np.float32(layer.slope))
        elif layer.kind == "Tanh":
            x = np.tanh(x)
    return x


def weights_of(layers: list[Any]) -> Weights:
    """Weight and bias of each dense layer."""
    return [(layer.weight, layer.bias) for layer in layers if layer.kind == "Dense"]


def softplus(x: Any) -> Any:
    """log(1 + e^x)."""
    return np.logaddexp(np.float32(0), x)


class Adam:
    """The textbook form, weight by weight."""

    def __init__(self, weights: Weights, workload: Any) -> None:
        self.rate = workload.learning_rate
        self.b1, self.b2 = workload.betas
        self.eps = workload.eps
        self.t = 0
        self.state = [[(np.zeros_like(p), np.zeros_like(p)) for p in layer] for layer in weights]

    def step(self, weights: Weights, gradients: Any) -> Weights:
        """The updated weights."""
        self.t += 1
        updated = []
        for layer, slopes, states in zip(weights, gradients, self.state):
            row = []
            for j, (p, g) in enumerate(zip(layer, slopes)):
                m, v = states[j]
                m = self.b1 * m + (1 - self.b1) * g
                v = self.b2 * v + (1 - self.b2) * g * g
                states[j] = m, v
                row.append(p - self.rate * (m / (1 - self.b1 ** self.t))
                           / (np.sqrt(v / (1 - self.b2 ** self.t)) + self.eps))
            updated.append(tuple(row))
        return updated


def build(workload: Any, form: str) -> Callable[[int], Any]:
    """One step as a function of its number; it returns its results."""
    if workload.task == "op":
        raise NotImplementedError("HIPS/autograd is measured on whole steps")
    kinds = {layer.kind for layer in [*workload.generator, *workload.discriminator]}
    if not kinds <= {"Dense", "LeakyReLU", "Tanh", "Flatten", "Reshape"}:
        raise NotImplementedError("HIPS/autograd has no fast convolution: dense networks only")
    G = workload.generator
    D = workload.discriminator
    g = weights_of(G)
    d = weights_of(D)
    g_adam = Adam(g, workload)
    d_adam = Adam(d, workload)
    images = [x.reshape(len(x), -1) for x in workload.images]
    random = np.random.default_rng(0)
    size = (workload.batch, workload.latent)
    checked = len(workload.noise)

    def noise(i: int) -> Any:
        if i < checked:
            return workload.noise[i]
        return random.standard_normal(size, "float32")

    def d_loss(d: Weights, x: Any, fake: Any) -> Any:
        return np.mean(softplus(-apply(D, d, x))) + np.mean(softplus(apply(D, d, fake)))

    def g_loss(g: Weights, d: Weights, z: Any) -> Any:
        return np.mean(softplus(-apply(D, d, apply(G, g, z))))

    def gan(i: int) -> Any:
        nonlocal g, d
        z = noise(i)
        loss_d, gradients = value_and_grad(d_loss)(d, images[i % len(images)], apply(G, g, z))
        d = d_adam.step(d, gradients)
        loss_g, gradients = value_and_grad(g_loss)(g, d, z)
        g = g_adam.step(g, gradients)
        return loss_d, loss_g

    last: list[Any] = []  # distance and penalty of the latest pass, left here by the loss

    def critic_loss(d: Weights, x: Any, fake: Any, x_hat: Any) -> Any:
        distance = np.mean(apply(D, d, x)) - np.mean(apply(D, d, fake))
        last[:] = [distance]
        if not workload.penalty:
            return -distance
        slopes = value_and_grad(lambda at: np.sum(apply(D, d, at)))(x_hat)[1]
        penalty = np.mean((np.sqrt(np.sum(slopes ** 2, axis=1)) - 1) ** 2)
        last.append(penalty)
        return -distance + np.float32(workload.penalty) * penalty

    def critic(i: int) -> Any:
        nonlocal d
        x = images[i % len(images)]
        fake = apply(G, g, noise(i))
        if i < checked:
            epsilon = workload.epsilon[i].reshape(-1, 1)
        else:
            epsilon = random.random((len(x), 1), "float32")
        x_hat = epsilon * x + (1 - epsilon) * fake
        _, gradients = value_and_grad(critic_loss)(d, x, fake, x_hat)
        d = d_adam.step(d, gradients)
        return [getattr(value, "_value", value) for value in last]

    return {"gan": gan, "critic": critic}[workload.task]
