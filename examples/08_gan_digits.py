"""08: the loop of example 07 on real handwritten digits, watched while they appear.

New are larger networks, with three things that help them: batch norm in G (example 10 takes it
apart), dropout in D, which has only 5,000 digits to learn from and must not know them by heart, and
a moving average of G's weights, which draws steadier pictures than G itself. It takes two minutes.
"""
import numpy as np

import minigan as mg
from minigan import data, losses, nn, optim, plot

DIGITS = data.load("digits")  # 5,000 of MNIST, bytes, (28, 28, 1) each


# %% The two networks: 100 numbers of noise to a picture in [-1, 1], a picture to a logit.
def make_networks():
    G = nn.Sequential(
        nn.Dense(100, 256), nn.BatchNorm(256), nn.LeakyReLU(0.2),
        nn.Dense(256, 512), nn.BatchNorm(512), nn.LeakyReLU(0.2),
        nn.Dense(512, 784), nn.Tanh(), nn.Reshape(28, 28, 1))
    D = nn.Sequential(
        nn.Flatten(), nn.Dense(784, 512), nn.LeakyReLU(0.2), nn.Dropout(0.3),
        nn.Dense(512, 256), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Dense(256, 1))
    return G, D


# %% Two numbers for what the eye sees, 1.00 for real digits. `nearest`: how far a picture is from
# the nearest real one; far above 1 is noise, near 0 are copies. `spread`: how far the pictures are
# from one another; near 0 is a collapse. (How good digits are takes more than that: example 19.)
def distances(a, b):
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)                             # (n, 784)
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * (a @ b.T)    # (n, m)
    return np.sqrt(np.maximum(squares, 0))


def judge(pictures):
    real = data.to_model(DIGITS.images)
    some, others = real[::10], real[np.arange(len(real)) % 10 > 0]  # 500 stand for the real ones
    near = [np.median(distances(p, others).min(axis=1)) for p in (pictures, some)]
    apart = [distances(p, p).mean() for p in (pictures, some)]
    return {"nearest": near[0] / near[1], "spread": apart[0] / apart[1]}


# %% The training loop. The pictures are always drawn from the same 500 latents, shown are 36.
def main(quick=False):
    mg.use_threads()  # as `minigan train` does: BLAS on one thread, minigan splits what is large
    times = (1, 4) if quick else (1, 100, 300, 1000, 3000, 6000)
    streams = mg.seed(0)
    G, D = make_networks()
    g_opt = optim.Adam(G.parameters(), 8e-4, betas=(0.5, 0.999))
    d_opt = optim.Adam(D.parameters(), 8e-4, betas=(0.5, 0.999))
    average = optim.EMA(G, 0.999)
    batches = data.Batches(DIGITS, 64, streams["data"])
    watched = mg.tensor(streams["preview"].normal((500, 100)))
    grids, rows = [], []
    print("  step   D's loss   G's loss   nearest   spread")
    for step in range(1, max(times) + 1):
        x = mg.tensor(next(batches)[0])
        z = mg.tensor(streams["latent"].normal((64, 100)))
        fake = G(z)
        d_loss = losses.discriminator(D(x), D(fake.detach()))
        d_opt.step(mg.grad(d_loss, D.parameters()))
        d_loss = d_loss.detach()  # D's graph is freed here, before G's is built
        g_loss = losses.generator(D(fake))
        g_opt.step(mg.grad(g_loss, G.parameters()))
        average.update()
        if step in times:
            with mg.no_grad():
                pictures = average.network(watched).numpy()
            rows.append({"d_loss": d_loss.item(), "g_loss": g_loss.item(), **judge(pictures)})
            grids.append(plot.tile(data.to_bytes(pictures[:36]), columns=6))
            print("{:6} {d_loss:10.2f} {g_loss:10.2f} {nearest:9.2f} {spread:8.2f}".format(
                step, **rows[-1]))

    figure = plot.strip(grids, [f"step {step:,}" for step in times], height=2.4,
                        title="The same 36 latents while G learns to draw")
    print("picture:", plot.save(figure, "runs/examples/08_gan_digits.png"))
    return {"steps": times, "rows": rows}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Leave out both nn.Dropout in D. Which losses and which number tell that D knows the digits?
# 2. Draw with G itself, `G(watched)`, in place of the average. What do the numbers say, what you?
