"""JAX: the whole step, noise and both Adams included, as one function under jax.jit.

Images are (N, H, W, C), as ours. On a processor JAX takes as many threads as it has cores, so the
process is held to as many cores as it may have threads.

Activations are jax.nn's: the derivative of jnp.maximum compares its result with its inputs, and in
a fused kernel that computes x a second time these differ by rounding, so that some gradients are 0
or half of what they should be (seen with JAX 0.10.2).
"""

from __future__ import annotations

import os
from typing import Any, Callable

Step = Callable[[int], Any]
Weights = list[dict[str, Any]]


def start(form: str, threads: int) -> dict[str, str]:
    """Compute on so many cores; the version."""
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

def network(layers: list[dict[str, Any]]) -> tuple[Callable[..., Any], Weights]:
    """apply(weights, x, masks) -> y and the new running statistics; and the first weights."""
    trained = [{name: jnp.asarray(layer[name]) for name in ("weight", "bias", "gamma", "beta")
                if layer.get(name) is not None} for layer in layers]
    shapes = [{name: layer[name] for name in layer if name not in trained[i]}
              for i, layer in enumerate(layers)]

    def apply(weights: Weights, x: Any, masks: Any = ()) -> Any:
        masks, moments = iter(masks), []
        for w, layer in zip(weights, shapes):
            x = _layer(layer, w, x, masks, moments)
        return x, moments

    return apply, trained


def convolution(x: Any, w: Any, layer: dict[str, Any]) -> Any:
    """Images (N, H, W, C) with kernels (KH, KW, C_in, C_out)."""
    return jax.lax.conv_general_dilated(x, w, layer["stride"], layer["pads"],
                                        dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _layer(layer: dict[str, Any], w: dict[str, Any], x: Any, masks: Any, moments: list[Any]) -> Any:
    kind = layer["kind"]
    if kind == "Dense":
        y = x @ w["weight"]
    elif kind == "Conv2d":
        y = convolution(x, w["weight"], layer)
    elif kind == "ConvTranspose2d":
        images = jax.ShapeDtypeStruct((len(x), *layer["size"], w["weight"].shape[2]), x.dtype)
        y, = jax.linear_transpose(lambda at: convolution(at, w["weight"], layer), images)(x)
    elif kind in ("BatchNorm", "LayerNorm"):
        axes = tuple(range(x.ndim - 1)) if kind == "BatchNorm" else (1, 2, 3)
        mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        if kind == "BatchNorm":
            moments.append((mean.ravel(), var.ravel() * (x.size / x.shape[-1])
                            / (x.size / x.shape[-1] - 1)))
        return (x - mean) * (w["gamma"] * jax.lax.rsqrt(var + layer["eps"])) + w["beta"]
    elif kind == "Dropout":
        return x * next(masks) / (1 - layer["rate"])
    else:
        return {
            "ReLU": lambda: jax.nn.relu(x), "Tanh": lambda: jnp.tanh(x),
            "LeakyReLU": lambda: jax.nn.leaky_relu(x, layer["slope"]),
            "Flatten": lambda: x.reshape(len(x), -1),
            "Reshape": lambda: x.reshape(len(x), *layer["to"]),
            "Upsample": lambda: x.repeat(layer["scale"], 1).repeat(layer["scale"], 2),
            "AvgPool2d": lambda: x.reshape(
                len(x), x.shape[1] // layer["size"], layer["size"], x.shape[2] // layer["size"],
                layer["size"], -1).mean((2, 4))}[kind]()
    return y + w["bias"] if "bias" in w else y


# ---------------------------------------------------------------- steps

def build(load: dict[str, Any], form: str) -> Step:
    """One step as a function of its number; it returns its results."""
    if load["task"] == "op":
        raise NotImplementedError("JAX is measured on whole steps")
    G, g_weights = network(load["generator"])
    D, d_weights = network(load["discriminator"])
    rates = [layer["rate"] for layer in load["discriminator"] if layer["kind"] == "Dropout"]
    shapes = [layer["shape"] for layer in load["discriminator"] if layer["kind"] == "Dropout"]
    batch, (b1, b2) = load["batch"], load["betas"]
    images = [jnp.asarray(x) for x in load["images"]]
    norms = [[len(layer["gamma"]) for layer in load[name] if layer["kind"] == "BatchNorm"]
             for name in ("generator", "discriminator")]
    momentum = 0.1

    def draw(key: Any) -> dict[str, Any]:
        """The random numbers of a step."""
        z, e, *m = jax.random.split(key, 2 + 3 * len(rates))
        kept = [jax.random.uniform(k, (batch, *shape)) >= rate for k, rate, shape
                in zip(m, rates * 3, shapes * 3)]
        return {"noise": jax.random.normal(z, (batch, load["latent"])),
                "epsilon": jax.random.uniform(e, (batch, 1, 1, 1)),
                "kept": [kept[i:i + len(rates)] for i in range(0, len(kept), len(rates) or 1)]
                or [[]] * 3}

    def given(i: int) -> dict[str, Any]:
        """The same of the first steps."""
        n = 3 * len(rates)
        kept = load["kept"][i * n:(i + 1) * n]
        return {"noise": jnp.asarray(load["noise"][i]),
                "epsilon": jnp.asarray(load["epsilon"][i]) if load["epsilon"] else jnp.zeros(()),
                "kept": [kept[j:j + len(rates)] for j in range(0, n, len(rates) or 1)] or [[]] * 3}

    def adam(weights: Any, gradients: Any, state: Any) -> Any:
        m, v, t = state
        t = t + 1
        m = jax.tree.map(lambda a, g: b1 * a + (1 - b1) * g, m, gradients)
        v = jax.tree.map(lambda a, g: b2 * a + (1 - b2) * g * g, v, gradients)
        weights = jax.tree.map(
            lambda w, a, b: w - load["learning_rate"] * (a / (1 - b1 ** t))
            / (jnp.sqrt(b / (1 - b2 ** t)) + load["eps"]), weights, m, v)
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
            if not load["penalty"]:
                return -distance, (distance,)
            slopes = jax.grad(lambda at: D(d, at)[0].sum())(x_hat)
            norms = jnp.sqrt((slopes ** 2).sum((1, 2, 3)))
            penalty = ((norms - 1) ** 2).mean()
            return -distance + load["penalty"] * penalty, (distance, penalty)

        (_, losses), gradients = jax.value_and_grad(loss, has_aux=True)(d)
        d, d_adam = adam(d, gradients, d_adam)
        return (g, d, g_adam, d_adam, running(g_running, of_g), d_running), losses

    one = {"gan": gan, "critic": critic}[load["task"]]
    with_given = jax.jit(one, donate_argnums=0)

    def drawing(state: Any, key: Any, x: Any) -> Any:
        key, now = jax.random.split(key)
        state, losses = one(state, x, draw(now))
        return state, key, losses

    with_drawn = jax.jit(drawing, donate_argnums=(0, 1))

    def zeros(weights: Any) -> Any:
        return (jax.tree.map(jnp.zeros_like, weights), jax.tree.map(jnp.zeros_like, weights),
                jnp.zeros(()))

    state = (g_weights, d_weights, zeros(g_weights), zeros(d_weights),
             *([(jnp.zeros(n), jnp.ones(n)) for n in sizes] for sizes in norms))
    key = jax.random.key(0)
    checked = len(load["noise"])

    def step(i: int) -> Any:
        nonlocal state, key
        x = images[i % len(images)]
        if i < checked:
            state, losses = with_given(state, x, given(i))
        else:
            state, key, losses = with_drawn(state, key, x)
        return losses

    return step
