"""JAX: the whole step, noise and both Adams included, as one function under jax.jit.

Images are (N, H, W, C), as ours. On a processor JAX uses a thread for each core, so the process is
bound to as many cores as it may have threads.

Activations are those of jax.nn. The derivative of jnp.maximum compares its result with its inputs;
in a fused kernel that computes x a second time, the two differ by rounding, and some gradients are
0 or half of what they should be (seen with JAX 0.10.2).
"""

from __future__ import annotations

import os
from typing import Any, Callable

Step = Callable[[int], Any]
Weights = list[dict[str, Any]]


def start(form: str, threads: int) -> dict[str, str]:
    """Compute on so many cores; returns the version."""
    global jax, jnp
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax
    import jax.numpy as jnp
    return {"jax": jax.__version__}


def value(loss: Any) -> float:
    """A loss as a number; waits for it."""
    return float(loss)


# ---------------------------------------------------------------- layers

def network(layers: list[Any]) -> tuple[Callable[..., Any], Weights]:
    """apply(weights, x, masks) -> y and the new running statistics; and the first weights."""
    trained = [_trained(layer) for layer in layers]

    def apply(weights: Weights, x: Any, masks: Any = ()) -> Any:
        masks = iter(masks)
        moments: list[Any] = []
        for w, layer in zip(weights, layers):
            x = _layer(layer, w, x, masks, moments)
        return x, moments

    return apply, trained


def _trained(layer: Any) -> dict[str, Any]:
    """A layer's weights, by name."""
    arrays = {name: getattr(layer, name) for name in ("weight", "bias", "gamma", "beta")}
    return {name: jnp.asarray(array) for name, array in arrays.items() if array is not None}


def convolution(x: Any, w: Any, layer: Any) -> Any:
    """Images (N, H, W, C) with kernels (KH, KW, C_in, C_out)."""
    return jax.lax.conv_general_dilated(x, w, layer.stride, layer.pads,
                                        dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _layer(layer: Any, w: dict[str, Any], x: Any, masks: Any, moments: list[Any]) -> Any:
    kind = layer.kind
    if kind == "Dense":
        y = x @ w["weight"]
    elif kind == "Conv2d":
        y = convolution(x, w["weight"], layer)
    elif kind == "ConvTranspose2d":
        images = jax.ShapeDtypeStruct((len(x), *layer.out_size, w["weight"].shape[2]), x.dtype)
        y, = jax.linear_transpose(lambda at: convolution(at, w["weight"], layer), images)(x)
    elif kind in ("BatchNorm", "LayerNorm"):
        axes = tuple(range(x.ndim - 1)) if kind == "BatchNorm" else (1, 2, 3)
        mean = x.mean(axes, keepdims=True)
        var = x.var(axes, keepdims=True)
        if kind == "BatchNorm":
            n = x.size / x.shape[-1]
            moments.append((mean.ravel(), var.ravel() * n / (n - 1)))
        return (x - mean) * (w["gamma"] * jax.lax.rsqrt(var + layer.eps)) + w["beta"]
    elif kind == "Dropout":
        return x * next(masks) / (1 - layer.rate)
    elif kind == "ReLU":
        return jax.nn.relu(x)
    elif kind == "LeakyReLU":
        return jax.nn.leaky_relu(x, layer.slope)
    elif kind == "Tanh":
        return jnp.tanh(x)
    elif kind == "Flatten":
        return x.reshape(len(x), -1)
    elif kind == "Reshape":
        return x.reshape(len(x), *layer.to)
    elif kind == "Upsample":
        return x.repeat(layer.scale, 1).repeat(layer.scale, 2)
    elif kind == "AvgPool2d":
        n, height, width, _ = x.shape
        size = layer.size
        return x.reshape(n, height // size, size, width // size, size, -1).mean((2, 4))
    else:
        raise NotImplementedError(f"the layer {kind}")
    return y + w["bias"] if "bias" in w else y


# ---------------------------------------------------------------- steps

def build(workload: Any, form: str) -> Step:
    """One step as a function of its number; it returns its results."""
    if workload.task == "op":
        raise NotImplementedError("JAX is measured on whole steps")
    G, g_weights = network(workload.generator)
    D, d_weights = network(workload.discriminator)
    dropouts = [layer for layer in workload.discriminator if layer.kind == "Dropout"]
    rates = [layer.rate for layer in dropouts]
    shapes = [layer.shape for layer in dropouts]
    batch = workload.batch
    b1, b2 = workload.betas
    images = [jnp.asarray(x) for x in workload.images]
    momentum = 0.1

    def by_pass(kept: list[Any]) -> list[list[Any]]:
        """Masks of a step, for each of D's three passes."""
        n = len(rates)
        return [kept[j * n:(j + 1) * n] for j in range(3)]

    def draw(key: Any) -> dict[str, Any]:
        """The random numbers of a step."""
        z, e, *m = jax.random.split(key, 2 + 3 * len(rates))
        kept = [jax.random.uniform(k, (batch, *shape)) >= rate
                for k, rate, shape in zip(m, rates * 3, shapes * 3)]
        return {"noise": jax.random.normal(z, (batch, workload.latent)),
                "epsilon": jax.random.uniform(e, (batch, 1, 1, 1)),
                "kept": by_pass(kept)}

    def given(i: int) -> dict[str, Any]:
        """The same of the first steps, which the workload gives."""
        n = 3 * len(rates)
        epsilon = workload.epsilon[i] if workload.epsilon else 0.0
        return {"noise": jnp.asarray(workload.noise[i]),
                "epsilon": jnp.asarray(epsilon),
                "kept": by_pass(workload.kept[i * n:(i + 1) * n])}

    def adam(weights: Any, gradients: Any, state: Any) -> Any:
        m, v, t = state
        t = t + 1
        m = jax.tree.map(lambda a, g: b1 * a + (1 - b1) * g, m, gradients)
        v = jax.tree.map(lambda a, g: b2 * a + (1 - b2) * g * g, v, gradients)
        weights = jax.tree.map(
            lambda w, a, b: w - workload.learning_rate * (a / (1 - b1 ** t))
            / (jnp.sqrt(b / (1 - b2 ** t)) + workload.eps), weights, m, v)
        return weights, (m, v, t)

    def running(statistics: Any, *passes: Any) -> Any:
        for moments in passes:
            statistics = jax.tree.map(lambda old, new: old + momentum * (new - old), statistics,
                                      moments)
        return statistics

    def gan(state: Any, x: Any, drawn: Any) -> Any:
        g, d, g_adam, d_adam, g_running, d_running = state
        fake, of_g = G(g, drawn["noise"])

        def d_loss(d: Any) -> Any:
            real, of_real = D(d, x, drawn["kept"][0])
            logits, of_fake = D(d, fake, drawn["kept"][1])
            return (jax.nn.softplus(-real).mean() + jax.nn.softplus(logits).mean(),
                    (of_real, of_fake))

        (loss_d, (of_real, of_fake)), gradients = jax.value_and_grad(d_loss, has_aux=True)(d)
        d, d_adam = adam(d, gradients, d_adam)

        def g_loss(g: Any) -> Any:
            logits, moments = D(d, G(g, drawn["noise"])[0], drawn["kept"][2])
            return jax.nn.softplus(-logits).mean(), moments

        (loss_g, again), gradients = jax.value_and_grad(g_loss, has_aux=True)(g)
        g, g_adam = adam(g, gradients, g_adam)
        return (g, d, g_adam, d_adam, running(g_running, of_g),
                running(d_running, of_real, of_fake, again)), (loss_d, loss_g)

    def critic(state: Any, x: Any, drawn: Any) -> Any:
        g, d, g_adam, d_adam, g_running, d_running = state
        fake, of_g = G(g, drawn["noise"])
        x_hat = drawn["epsilon"] * x + (1 - drawn["epsilon"]) * fake

        def loss(d: Any) -> Any:
            distance = D(d, x)[0].mean() - D(d, fake)[0].mean()
            if not workload.penalty:
                return -distance, (distance,)
            slopes = jax.grad(lambda at: D(d, at)[0].sum())(x_hat)
            norms = jnp.sqrt((slopes ** 2).sum((1, 2, 3)))
            penalty = ((norms - 1) ** 2).mean()
            return -distance + workload.penalty * penalty, (distance, penalty)

        (_, losses), gradients = jax.value_and_grad(loss, has_aux=True)(d)
        d, d_adam = adam(d, gradients, d_adam)
        return (g, d, g_adam, d_adam, running(g_running, of_g), d_running), losses

    one = {"gan": gan, "critic": critic}[workload.task]
    with_given = jax.jit(one, donate_argnums=0)

    def drawing(state: Any, key: Any, x: Any) -> Any:
        key, now = jax.random.split(key)
        state, losses = one(state, x, draw(now))
        return state, key, losses

    with_drawn = jax.jit(drawing, donate_argnums=(0, 1))

    def zeros(weights: Any) -> Any:
        return (jax.tree.map(jnp.zeros_like, weights), jax.tree.map(jnp.zeros_like, weights),
                jnp.zeros(()))

    def running_start(layers: list[Any]) -> list[Any]:
        sizes = [len(layer.gamma) for layer in layers if layer.kind == "BatchNorm"]
        return [(jnp.zeros(n), jnp.ones(n)) for n in sizes]

    state = (g_weights, d_weights, zeros(g_weights), zeros(d_weights),
             running_start(workload.generator), running_start(workload.discriminator))
    key = jax.random.key(0)
    checked = len(workload.noise)

    def step(i: int) -> Any:
        nonlocal state, key
        x = images[i % len(images)]
        if i < checked:
            state, losses = with_given(state, x, given(i))
        else:
            state, key, losses = with_drawn(state, key, x)
        return losses

    return step
