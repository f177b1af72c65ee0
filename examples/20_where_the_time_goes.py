"""20: where the time of a WGAN-GP step goes, and what `grad` saves by leaving things out.

A hook sees every op, forward or within another op's backward rule. Nearly all of a step's time goes
into the multiplications of its products, and those can be counted: the same on every machine. Then
the same step is made without pruning, as by a program that computes the critic's weight gradients
wherever it passes: to the same numbers. (`minigan profile` has such a table in milliseconds.)
"""
import math

import numpy as np

import minigan as mg
from minigan import losses, ops, plot
from minigan.profiler import profile


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
    wanted = G.parameters()
    g_loss = losses.wasserstein_generator(D(G(z)))
    for_generator = mg.grad(g_loss, [*wanted, *also])[:len(wanted)]
    return [g.numpy() for g in (*for_critic, *for_generator)]


# %% How many multiplications an op makes. The three faces of a convolution have equally many.
def multiplications(name, inputs, settings, y):
    if "conv" in name:
        weight = y if name == "conv2d_weight" else inputs[1]                 # (KH, KW, C_in, C_out)
        return len(inputs[0]) * math.prod(settings["g"].out_size) * weight.size
    if name in ("matmul", "affine"):
        return y.size * inputs[0].shape[-2 if settings.get("ta") else -1]
    return y.size


def look(networks, inputs, prune):
    made = {}  # op: millions of multiplications going forward, and in backward rules

    def watch(op, within, run):
        y = run()
        made.setdefault(op.name, [0.0, 0.0])[within is not None] += multiplications(
            op.name, *run.args, y) / 1e6
        return y
    with profile() as found, mg.op_hook(watch):
        result = gradients(*networks, *inputs, prune)
    return result, made, {"millions": sum(map(sum, made.values())), "peak_mb": found.peak / 1e6,
                          "ops": sum(row.calls for row in found.rows())}


def main(quick=False):
    n = 4 if quick else 64
    networks = make_networks(4 if quick else 32)
    streams = mg.Streams(0)
    inputs = (mg.tensor(streams["data"].uniform((n, 28, 28, 1), -1, 1)),
              mg.tensor(streams["latent"].normal((n, 100))),
              mg.tensor(streams["penalty"].uniform((n, 1, 1, 1))))
    (right, pruned, a), (same, whole, b) = (look(networks, inputs, way) for way in (True, False))
    apart = float(max(np.abs(g - h).max() for g, h in zip(right, same)))
    print(f"{'a step':30} {'pruned':>9} {'not':>9}")
    for key, words in (("millions", "million multiplications"), ("ops", "ops"),
                       ("peak_mb", "MB at the peak")):
        print(f"{words:30} {a[key]:9.1f} {b[key]:9.1f}")
    print(f"largest difference of a gradient: {apart:.0e}\n")

    top = sorted(whole, key=lambda name: -sum(whole[name]))[:6]
    print(f"{'millions of op':30} {'forward':>9} {'backward':>9} {'not pruned':>11}")
    for name in top:
        print(f"{name:30} {pruned[name][0]:9.1f} {pruned[name][1]:9.1f} {whole[name][1]:11.1f}")
    figure = plot.bars(top, {label: {"forward": [made[name][0] for name in top],
                                     "in backward rules": [made[name][1] for name in top]}
                             for label, made in (("million multiplications, pruned", pruned),
                                                 ("not pruned", whole))},
                       title="A critic's and a generator's gradient in WGAN-GP", same_scale=True,
                       caption="The six ops with the most multiplications.")
    print("picture:", plot.save(figure, "runs/examples/20_where_the_time_goes.png"))
    return {"pruned": a, "whole": b, "apart": apart, "top": top, "made": (pruned, whole)}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Leave the penalty out of the loss, but compute it: which multiplications are saved?
# 2. Take create_graph=False: what becomes of the peak, and what of the critic's gradient?
