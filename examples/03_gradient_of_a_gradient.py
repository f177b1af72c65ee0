"""03: the gradient of a gradient, which WGAN-GP's penalty needs.

The penalty asks that a critic's slope, the norm of dD/dx, be 1. To train for that, the slope itself
must be differentiated with respect to the weights: through the backward pass. `create_graph=True`
records the backward pass as a graph, and then nothing else is special about it.
"""
import numpy as np

import minigan as mg
from minigan import graph, ops, plot


# %% A critic with two layers. Names are for messages and pictures; "0." and "1." are the layers.
def make_critic(width):
    random = np.random.default_rng(0)
    shapes = {"0.weight": (2, width), "0.bias": (width,), "1.weight": (width, 1), "1.bias": (1,)}
    weights = [mg.tensor(random.normal(size=s), requires_grad=True) for s in shapes.values()]
    for w, name in zip(weights, shapes):
        w.name = name
    return weights


def critic(x, w0, b0, w1, b1):
    return ops.tanh(x @ w0 + b0) @ w1 + b1                                          # (N, 1)


# %% Its slope at each x. No output sees the other rows' inputs: the gradient of the sum is enough.
def slope(x, weights, create_graph):
    gx = mg.grad(ops.sum(critic(x, *weights)), x, create_graph=create_graph)        # (N, 2)
    return ops.norm(gx, axis=1)                                                     # (N,)


# %% The penalty by hand, in 8 lines (Gulrajani et al. 2017, equation 3, without the first terms).
def gradient_penalty(weights, real, fake, random):
    share = mg.tensor(random.uniform(size=(len(real), 1)))                          # one a sample
    between = share * real + (1 - share) * fake
    x = mg.tensor(between, requires_grad=True)
    scores = critic(x, *weights)
    gx = mg.grad(ops.sum(scores), x, create_graph=True)
    norms = ops.norm(gx, axis=1)
    return 10 * ops.mean((norms - 1) ** 2)


# %% What `grad` computes: a hook sees every op. Only the paths to what is asked for are walked.
def count_ops(y, wanted):
    seen = []

    def watch(op, within, run):  # within: the op whose backward rule is running
        seen.append(op.name)
        return run()
    with mg.op_hook(watch):
        mg.grad(y, wanted)
    return len(seen)


def main(quick=False):
    weights, random = make_critic(8), np.random.default_rng(1)
    x = mg.tensor(random.normal(size=(5, 2)), requires_grad=True)
    y = ops.sum(critic(x, *weights))
    pruned, full = count_ops(y, x), count_ops(y, [x, *weights])
    print(f"dD/dx takes {pruned} ops; with the weights' gradients it would be {full}")

    constant, recorded = slope(x, weights, False), slope(x, weights, True)
    nodes = [len(graph.layout(t).nodes) for t in (constant, recorded)]
    print(f"graph of the slope: {nodes[0]} node without create_graph, {nodes[1]} with it")
    try:
        mg.grad(ops.sum(constant), weights[0])
    except ValueError as error:
        print("without it, the slope's gradient raises:\n ", error)

    # The check: move the first weights a little along a direction d and look at the slope.
    d, h = random.normal(size=(2, 8)), 1e-5
    analytic = float((mg.grad(ops.sum(recorded), weights[0]).numpy() * d).sum())
    ahead, behind = (slope(x, [mg.tensor(weights[0].numpy() + s * d), *weights[1:]], False)
                     for s in (h, -h))
    numeric = float((ahead.numpy() - behind.numpy()).sum() / (2 * h))
    print(f"derivative of the slope along d: {analytic:.9f}, by differences {numeric:.9f}")

    real, fake = (mg.tensor(random.normal(size=(5, 2)) + shift) for shift in (0, 3))
    penalty = gradient_penalty(weights, real, fake, random)
    gradients = mg.grad(penalty, weights, unreached="zeros")
    norms = [float(np.linalg.norm(g.numpy())) for g in gradients]
    print(f"penalty {penalty.item():.4f}, norms of its gradients:",
          ", ".join(f"{w.name} {norm:.3f}" for w, norm in zip(weights, norms)))

    pictures = [graph.layout(t, names={"x": x}, constants=False, direction="right")
                for t in (y, constant, recorded)]
    figure = plot.graph(*pictures, titles=["D(x), summed", "Its slope without create_graph: a "
                                           "constant", "Its slope with create_graph=True"])
    print("picture:", plot.save(figure, "runs/examples/03_gradient_of_a_gradient.png"))
    return {"pruned": pruned, "full": full, "nodes": nodes, "analytic": analytic,
            "numeric": numeric, "penalty": penalty.item(), "norms": norms}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. The last bias has gradient 0 and grad needs unreached="zeros". Why does no path lead to it?
# 2. Replace ops.tanh by ops.leaky_relu: which weight's gradient becomes exactly 0, and why?
