"""10: digits by convolutions (DCGAN), and the two lives of batch norm.

The game of example 08 with networks as in Radford et al. 2015, section 3: stride for pooling, ReLU
in G, LeakyReLU in D, batch norm everywhere but on G's output and D's input. In training mode batch
norm looks at the whole batch: a picture depends on its company. In evaluation mode it must not.
"""
import importlib

import numpy as np

import minigan as mg
from minigan import data, losses, nn, optim, plot


# %% Two networks that mirror each other. A 4x4 kernel of stride 2 halves height and width (Conv2d)
# or doubles them (ConvTranspose2d); between 7 and 4 pixels a 3x3 one fits. D's third layer sees the
# whole digit: with two, D would judge strokes. Batch norm would undo a bias: no bias.
def make_networks():
    normal = {"weight_init": nn.init.normal(0.02)}
    four = {"kernel_size": 4, "stride": 2, "padding": 1, "bias": False, **normal}
    three = {**four, "kernel_size": 3}
    G = nn.Sequential(
        nn.Dense(100, 4 * 4 * 128, bias=False, **normal), nn.Reshape(4, 4, 128),
        nn.BatchNorm(128), nn.ReLU(), nn.ConvTranspose2d(128, 64, **three),         # (n, 7, 7, 64)
        nn.BatchNorm(64), nn.ReLU(), nn.ConvTranspose2d(64, 32, **four),           # (n, 14, 14, 32)
        nn.BatchNorm(32), nn.ReLU(), nn.ConvTranspose2d(32, 1, **four), nn.Tanh())  # (n, 28, 28, 1)
    D = nn.Sequential(
        nn.Conv2d(1, 16, **four), nn.LeakyReLU(0.2),                               # (n, 14, 14, 16)
        nn.Conv2d(16, 32, **four), nn.BatchNorm(32), nn.LeakyReLU(0.2),             # (n, 7, 7, 32)
        nn.Conv2d(32, 64, **three), nn.BatchNorm(64), nn.LeakyReLU(0.2),            # (n, 4, 4, 64)
        nn.Flatten(), nn.Dense(4 * 4 * 64, 1, **normal))                            # (n, 1)
    return G, D


# %% Drawing. A forward in training mode also moves the running statistics of evaluation mode.
def draw(G, z, training=False):
    with mg.no_grad():
        return G.train(training)(mg.tensor(z)).numpy()


def in_company(G, z, others, training=False):  # a batch of its own for each z, where it is first
    return np.stack([draw(G, np.concatenate([z[i:i + 1], others[i]]), training)[0]
                     for i in range(len(z))])                                       # (n, 28, 28, 1)


# %% The loop of example 08; it takes four minutes. G's moving average draws, in evaluation mode.
def train(times):
    streams, judge = mg.seed(0), importlib.import_module("08_gan_digits").judge
    G, D = make_networks()
    g_opt, d_opt = (optim.Adam(n.parameters(), 1e-3, betas=(0.5, 0.999)) for n in (G, D))
    average, batches = optim.EMA(G, 0.999), data.Batches(data.load("digits"), 64, streams["data"])
    watched, grids, rows = streams["preview"].normal((500, 100)), [], []
    print("step, losses, and the judge of example 08:")
    for step in range(1, max(times) + 1):
        x = mg.tensor(next(batches)[0])
        fake = G(mg.tensor(streams["latent"].normal((64, 100))))
        d_loss = losses.discriminator(D(x), D(fake.detach()))
        d_opt.step(mg.grad(d_loss, D.parameters()))
        d_loss = d_loss.detach()  # D's graph is freed here, before G's is built
        g_loss = losses.generator(D(fake))
        g_opt.step(mg.grad(g_loss, G.parameters()))
        average.update()
        if step in times:
            pictures = draw(average.network, watched)
            rows.append({"d_loss": d_loss.item(), "g_loss": g_loss.item(), **judge(pictures)})
            grids.append(plot.tile(data.to_bytes(pictures[:36])))
            print(step, *("{}: {:.2f}".format(*row) for row in rows[-1].items()), sep="   ")
    return average.network, watched, grids, rows


# %% The two modes: the same latents alone, among strangers and among near copies of themselves.
def main(quick=False):
    mg.use_threads()  # as `minigan train` does: BLAS on one thread, minigan splits what is large
    times = (1, 4) if quick else (100, 500, 4000)
    G, watched, grids, rows = train(times)
    z, noise = watched[:36], mg.stream("company").normal((36, 63, 100))
    drawn = {"evaluation, alone": in_company(G, z, noise[:, :0]),
             "evaluation, strangers": in_company(G, z, noise),
             "training, strangers": in_company(G, z, noise, training=True),
             "training, near copies": in_company(G, z, z[:, None] + 0.1 * noise, training=True),
             "evaluation, alone again": in_company(G, z, noise[:, :0])}
    alone = drawn["evaluation, alone"]
    far = {name: float(np.sqrt(np.mean((p - alone) ** 2))) for name, p in drawn.items()}
    far["another latent, alone"] = float(np.sqrt(np.mean((alone[1:] - alone[:-1]) ** 2)))
    print("root mean square difference from the first row:",
          *(f"{name:24} {distance:.3f}" for name, distance in far.items()), sep="\n")
    grids += [plot.tile(data.to_bytes(p)) for p in [*drawn.values()][2:]]
    captions = [f"{name}:\n{far[name]:.2f} off" for name in list(drawn)[2:]]
    figure = plot.strip(grids, [f"step {step:,}" for step in times] + captions, height=2.4,
                        title="The same 36 latents: while G learns, and afterwards in both modes")
    print("picture:", plot.save(figure, "runs/examples/10_dcgan_digits.png"))
    return {"rows": rows, "far": far}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Give every nn.BatchNorm in G momentum=0. Does the training change? And what is drawn?
# 2. Leave out batch norm in G (bias=True instead). What have 500 steps led to?
