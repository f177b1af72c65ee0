"""11: digits on request: a conditional GAN, and what it learns when D does not see the label.

Conditional GAN (Mirza and Osindero 2014): the game of example 10 in which both networks are also
told a label y, so that G can be asked for a digit. It is D that makes G listen: only a D that sees
the label can tell that a well-drawn 3 is not the 8 that was asked for. So everything runs twice,
the second time with a D that is told nothing. It takes four minutes.
"""
import numpy as np

import minigan as mg
from minigan import data, losses, nn, ops, optim, plot

DIGITS = data.load("digits")
ONE_HOT = np.eye(10, dtype="float32")  # ONE_HOT[labels] has a row for each label: one 1, nine 0
RUNS = {"D sees the label": 1, "D does not see it": 0}  # what D's label is multiplied by


# %% A label is ten more features: of a vector, or of every pixel of a picture.
def join(x, y):
    y = ops.reshape(y, (len(y),) + (1,) * (x.ndim - 2) + (10,))
    return ops.concatenate([x, ops.broadcast_to(y, x.shape[:-1] + (10,))], axis=-1)


# %% The networks. G is told y beside its noise; D at every layer, as in the DCGAN authors' code.
class Told(nn.Sequential):
    def forward(self, x, y):
        for layer in self.layers:
            x = layer(join(x, y))
        return x


def make_networks():
    four = {"kernel_size": 4, "stride": 2, "padding": 1, "weight_init": nn.init.normal(0.02)}
    three = {**four, "kernel_size": 3}
    G = Told(nn.Sequential(
        nn.Dense(64 + 10, 4 * 4 * 128), nn.Reshape(4, 4, 128), nn.BatchNorm(128), nn.ReLU(),
        nn.ConvTranspose2d(128, 64, **three), nn.BatchNorm(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, **four), nn.BatchNorm(32), nn.ReLU(),
        nn.ConvTranspose2d(32, 1, **four), nn.Tanh()))
    D = Told(
        nn.Sequential(nn.Conv2d(1 + 10, 16, **four), nn.LeakyReLU(0.2)),
        nn.Sequential(nn.Conv2d(16 + 10, 32, **four), nn.BatchNorm(32), nn.LeakyReLU(0.2)),
        nn.Sequential(nn.Conv2d(32 + 10, 64, **three), nn.BatchNorm(64), nn.LeakyReLU(0.2),
                      nn.Flatten()), nn.Dense(4 * 4 * 64 + 10, 1))
    return G, D


# %% The paper's equation 2 in the loop of example 08: fakes have the labels of the real batch.
def train(seen, steps):
    streams = mg.seed(0)
    G, D = make_networks()
    g_opt, d_opt = (optim.Adam(n.parameters(), 1e-3, betas=(0.5, 0.999)) for n in (G, D))
    average, batches = optim.EMA(G, 0.998), data.Batches(DIGITS, 64, streams["data"])
    for _ in range(steps):
        x, labels = next(batches)
        x, y = mg.tensor(x), mg.tensor(ONE_HOT[labels])
        fake = G(mg.tensor(streams["latent"].normal((64, 64))), y)
        d_loss = losses.discriminator(D(x, y * seen), D(fake.detach(), y * seen))
        d_opt.step(mg.grad(d_loss, D.parameters()))
        d_loss = d_loss.detach()  # D's graph is freed here, before G's is built
        g_loss = losses.generator(D(fake, y * seen))
        g_opt.step(mg.grad(g_loss, G.parameters()))
        average.update()
    return average.network


# %% Naming the digits: the label of the nearest of the 5,000 real ones, right for 94 in 100.
def name(pictures):
    real = data.to_model(DIGITS.images).reshape(-1, 784)
    return DIGITS.labels[((real * real).sum(axis=1) - 2 * pictures @ real.T).argmin(axis=1)]


def main(quick=False):
    mg.use_threads()  # as `minigan train` does: BLAS on one thread, minigan splits what is large
    rows, found, grids, captions = 10 if quick else 100, {}, [], []
    z = mg.tensor(np.repeat(mg.Stream(0, "preview").normal((rows, 64)), 10, axis=0))
    asked = np.tile(np.arange(10), rows)
    head = 255 - DIGITS.images[[np.flatnonzero(DIGITS.labels == d)[0] for d in range(10)]]
    for run, seen in RUNS.items():
        G = train(seen, 2 if quick else 2000)
        with mg.no_grad():
            pictures = G(z, mg.tensor(ONE_HOT[asked])).numpy()
        names = name(pictures.reshape(-1, 784)).reshape(rows, 10)
        found[run] = {"right": float((names == np.arange(10)).mean()),
                      "alike": float(np.mean([np.bincount(row).max() / 10 for row in names]))}
        captions.append("{}:\n{right:.0%} named as asked, {alike:.0%} of a row named alike".format(
            run, **found[run]))
        grids.append(plot.tile(np.concatenate([head, data.to_bytes(pictures[:80])]), 10))
    print(*captions, sep="\n")
    figure = plot.strip(grids, captions, "Digits on request: a label a column", height=3.6)
    print("picture:", plot.save(figure, "runs/examples/11_digits_on_request.png"))
    return found


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Tell D everything and G nothing: multiply G's y by 0 in `train` and in `main`. What is drawn?
# 2. Give all pictures the labels of others, ONE_HOT[labels[::-1]] in `train`. What is learnt now?
