"""13: WGAN-GP on the digits, line by line beside the paper, and how to read its curves.

Algorithm 1 of Gulrajani et al. 2017: the tags at the right are its line numbers. The penalty stands
here in full; `mg.penalties.gradient_penalty` is the same. Unlike the losses of the first GANs, two
of the three curves mean something: the picture says what is normal. It takes five minutes.
"""
import numpy as np

import minigan as mg
from minigan import data, losses, nn, ops, optim, plot

LAMBDA, N_CRITIC, M = 10, 5, 64
ALPHA, BETAS = 1e-3, (0.5, 0.9)  # paper: 0.0001 and (0, 0.9), for days instead of minutes


# %% The networks. The critic ends in any number, not in a probability, and has no batch norm: its
# slope at one picture must not depend on the others (example 10).
def make_networks():
    four = {"kernel_size": 4, "stride": 2, "padding": 1, "weight_init": nn.init.he_uniform}
    three = {**four, "kernel_size": 3}
    G = nn.Sequential(
        nn.Dense(100, 4 * 4 * 64), nn.Reshape(4, 4, 64), nn.BatchNorm(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, **three), nn.BatchNorm(32), nn.ReLU(),
        nn.ConvTranspose2d(32, 16, **four), nn.BatchNorm(16), nn.ReLU(),
        nn.ConvTranspose2d(16, 1, **four), nn.Tanh())
    D = nn.Sequential(
        nn.Conv2d(1, 16, **four), nn.LeakyReLU(0.2), nn.Conv2d(16, 32, **four), nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, **three), nn.LeakyReLU(0.2), nn.Flatten(), nn.Dense(4 * 4 * 64, 1))
    return G, D


# %% The critic's half of Algorithm 1, for all M samples at once.
def critic_step(G, D, opt, x, streams):
    z = mg.tensor(streams["latent"].normal((M, 100)))                                # line 4
    epsilon = mg.tensor(streams["penalty"].uniform((M, 1, 1, 1)))                    # line 4
    with mg.no_grad():
        x_tilde = G(z)                                                               # line 5
    x_hat = mg.tensor(epsilon * x + (1 - epsilon) * x_tilde, requires_grad=True)     # line 6
    gradient = mg.grad(ops.sum(D(x_hat)), x_hat, create_graph=True)                  # line 7
    slope = ops.norm(gradient, axis=(1, 2, 3))                                       # line 7
    minus_w = losses.wasserstein_critic(D(x), D(x_tilde))                            # line 7
    loss = minus_w + LAMBDA * ops.mean((slope - 1) ** 2)                             # line 7
    opt.step(mg.grad(loss, D.parameters()))                                          # line 9
    return -minus_w.item(), ops.mean(slope).item()


# %% The generator's half.
def generator_step(G, D, opt, streams):
    z = mg.tensor(streams["latent"].normal((M, 100)))                                # line 11
    loss = losses.wasserstein_generator(D(G(z)))                                     # line 12
    opt.step(mg.grad(loss, G.parameters()))                                          # line 12
    return loss.item()


# %% The loop. As in example 08, a moving average of G, which is not in the paper, draws.
def main(quick=False):
    mg.use_threads()  # as `minigan train` does: BLAS on one thread, minigan splits what is large
    times = (0, 1, 2) if quick else (0, 10, 100, 300, 1000, 2000)
    streams = mg.seed(0)
    G, D = make_networks()
    g_opt = optim.Adam(G.parameters(), ALPHA, BETAS)
    c_opt = optim.Adam(D.parameters(), ALPHA, BETAS)
    average, batches = optim.EMA(G, 0.998), data.Batches(data.load("digits"), M, streams["data"])
    watched = mg.tensor(streams["preview"].normal((64, 100)))
    grids, rows = [], []
    print("  step   W's estimate   slope   G's loss")
    for step in range(max(times) + 1):                                               # line 1
        for _ in range(N_CRITIC):                                                    # line 2
            x = mg.tensor(next(batches)[0])                                          # line 4
            w, slope = critic_step(G, D, c_opt, x, streams)                          # lines 3 to 9
        g_loss = generator_step(G, D, g_opt, streams)                                # lines 11, 12
        average.update()
        rows.append((w, slope, g_loss))
        if step in times:
            print(f"{step:6} {w:14.2f} {slope:7.2f} {g_loss:10.2f}")
            with mg.no_grad():
                grids.append(plot.tile(data.to_bytes(average.network(watched).numpy())))
    print("normal:   jumps up,  near 1    any sign,\n        then falls              drifts")

    figure, axes = plot.panels(5, 3.2, 3.9, "WGAN-GP: which curve is normal?",
                               "Curves: every step thin, the running median bold.")
    for ax, step, grid in zip(axes, times[-3::2], grids[-3::2]):
        ax.imshow(grid, cmap="gray")
        ax.set_axis_off()
        ax.set_title(f"Step {step:,}", loc="left", size=9.5, weight="bold", color=plot.INK, pad=9)
    titles = ("W's estimate jumps up, then falls", "The slope stays near 1",
              "G's loss drifts, and says nothing")
    for ax, title, values in zip(axes[2:], titles, np.transpose(rows)):
        plot.loss_curves({"": (np.arange(len(rows)), values)}, title=title, on=ax)
    axes[2].set(yscale="log", ylim=(0.3, 50))
    print("picture:", plot.save(figure, "runs/examples/13_wgan_gp_digits.png"))
    return {"rows": [rows[step] for step in times]}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Leave out create_graph=True. What raises? If nothing does, what becomes of the three curves?
# 2. Let the last layer start with bias_init=nn.init.constant(100). Which curves move, how far?
