"""20: where the time of a WGAN-GP step goes, and what `grad` saves by leaving things out.

The profiler stands on the engine's hook: it sees every op, the time it takes, the memory that it
makes, and in whose backward rule it runs. Then the same step is made without pruning, as by a
program that computes the critic's weight gradients wherever it passes: to the same numbers.
"""
import numpy as np

import minigan as mg
from minigan import losses, ops, plot
from minigan.profiler import profile

STEPS, BATCH = 10, 64


# %% The preset `conv28` of WGAN-GP: three convolutions each way, no norm in the critic.
def make_networks(width):
    model = mg.models.WGANGP("conv28", width=width, streams=0)
    return model.generator, model.discriminator


# %% One critic's and one generator's gradient. also: gradients that are computed for nobody.
def gradients(G, D, x, z, epsilon, prune):
    weights = D.parameters()
    also = [] if prune else weights
    with mg.no_grad():
        fake = G(z)                                                          # (N, 28, 28, 1)
    x_hat = mg.tensor(epsilon * x + (1 - epsilon) * fake, requires_grad=True)
    # The inner gradient: the penalty needs that of the image, not those of the weights.
    slope, *_ = mg.grad(ops.sum(D(x_hat)), [x_hat, *also], create_graph=True)  # (N, 28, 28, 1)
    penalty = ops.mean((ops.norm(slope, axis=(1, 2, 3)) - 1) ** 2)
    loss = losses.wasserstein_critic(D(x), D(fake)) + 10 * penalty
    for_critic = mg.grad(loss, weights)
    # The generator's gradient goes through the critic and needs none of its weights'.
    g_loss = losses.wasserstein_generator(D(G(z)))
    wanted = G.parameters()
    for_generator = mg.grad(g_loss, [*wanted, *also])[:len(wanted)]
    return [g.numpy() for g in (*for_critic, *for_generator)]


# %% Both in turn, so that what else the machine does hits both; of each the fastest step counts.
def fastest(networks, inputs, steps):
    best = {}
    for _ in range(steps):
        for prune in (True, False):
            with profile() as found:
                result = gradients(*networks, *inputs, prune)
            if prune not in best or found.seconds < best[prune][0].seconds:
                best[prune] = found, result
    return best


# %% A profile in four numbers: the rows add up to the clock, what is no op included.
def numbers(found):
    return {"ms": found.seconds * 1e3, "ops": sum(sum(row.calls) for row in found.rows()),
            "peak_mb": found.peak / 1e6, "sum_ms": sum(row.total for row in found.rows()) * 1e3}


def main(quick=False):
    n, steps = (4, 1) if quick else (BATCH, STEPS)
    networks = make_networks(4 if quick else 32)
    streams = mg.Streams(0)
    inputs = (mg.tensor(streams["data"].uniform((n, 28, 28, 1), -1, 1)),
              mg.tensor(streams["latent"].normal((n, 100))),
              mg.tensor(streams["penalty"].uniform((n, 1, 1, 1))))
    best = fastest(networks, inputs, steps)
    (pruned, right), (whole, same) = best[True], best[False]
    a, b = numbers(pruned), numbers(whole)
    apart = max(np.abs(g - h).max() for g, h in zip(right, same))

    print(f"{'a step':24} {'pruned':>9} {'not':>9}")
    for key, words in (("ms", "milliseconds"), ("ops", "ops"), ("peak_mb", "MB at the peak")):
        print(f"{words:24} {a[key]:9.1f} {b[key]:9.1f}")
    print(f"largest difference of a gradient: {apart:.0e}\n")

    rows = {found: {row.name: row for row in found.rows()} for found in (pruned, whole)}
    top = [row.name for row in whole.rows()[:9]]
    print(f"{'ms of op':24} {'forward':>9} {'backward':>9} {'not pruned':>11}")
    bars = {found: np.array([[s * 1e3 for s in rows[found][name].seconds]
                             if name in rows[found] else [0, 0] for name in top])
            for found in rows}
    for i, name in enumerate(top):
        forward, backward = bars[pruned][i]
        print(f"{name:24} {forward:9.2f} {backward:9.2f} {bars[whole][i, 1]:11.2f}")
    figure = plot.bars(top, {
        label: {"forward": bars[found][:, 0], "backward": bars[found][:, 1]}
        for label, found in (("ms of a step, pruned", pruned), ("not pruned", whole))},
        title="A critic's and a generator's gradient in WGAN-GP", same_scale=True,
        caption="Each op's own time, and that of its backward rule; the nine most expensive ops.")
    print("picture:", plot.save(figure, "runs/examples/20_where_the_time_goes.png"))
    return {"pruned": a, "whole": b, "apart": float(apart), "top": top}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Leave the penalty out of the loss, but compute it: whose backward rule is called less often?
# 2. Take create_graph=False: what becomes of the peak, and what of the critic's gradient?
