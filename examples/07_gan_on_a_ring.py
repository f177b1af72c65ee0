"""07: Algorithm 1 of the first GAN paper on a ring of eight modes: a collapse, and what cures it.

The data are 8 Gaussians (sigma 0.05) on a circle of radius 2, so that everything can be seen and
counted. The same program runs twice. First D learns ten times slower than G: G puts all it has on
the one place that D believes in, D notices at last, G moves on, and so from place to place. Then
both learn equally fast: all eight modes are found, though G keeps trembling around them. (At which
step depends on the machine: rounding decides the way, not where it leads.)
"""
import numpy as np

import minigan as mg
from minigan import losses, nn, optim, plot

RADIUS, SIGMA = 2.0, 0.05
ANGLES = 2 * np.pi * np.arange(8) / 8  # linspace(0, 2 pi, 8) would have both ends, which are one
CENTRES = RADIUS * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype("float32")    # (8, 2)
RATES = {"slow D": (1e-3, 1e-4), "equal": (1e-3, 1e-3)}  # learning rates of G and of D


# %% The data, and how to judge points. One is good within 3 sigma of a mode; a mode is found if a
# third of its due, 1/24 of all points, is good there; `width` is that of the good ones, in sigmas.
def real(stream, n):
    centres = mg.tensor(CENTRES[stream.integers(8, (n,))])                          # (n, 2)
    return centres + mg.tensor(stream.normal((n, 2), 0, SIGMA))


def judge(points):
    distance = np.linalg.norm(points[:, None] - CENTRES, axis=2)                    # (n, 8)
    nearest, good = distance.argmin(axis=1), distance.min(axis=1) <= 3 * SIGMA
    share = np.bincount(nearest[good], minlength=8) / len(points)
    width = np.sqrt((distance.min(axis=1)[good] ** 2).sum() / (2 * max(good.sum(), 1)))
    return {"modes": int((share >= 1 / 24).sum()), "good": good.mean(), "width": width / SIGMA}


# %% The two networks: noise to points, and points to a logit that says "real".
def network(n_in, n_out):
    return nn.Sequential(nn.Dense(n_in, 128), nn.ReLU(), nn.Dense(128, 128), nn.ReLU(),
                         nn.Dense(128, n_out))


# %% Algorithm 1 (Goodfellow et al. 2014) with k = 1; one batch of noise serves both updates.
def train(g_rate, d_rate, times):
    streams = mg.seed(0)
    G, D = network(2, 2), network(2, 1)
    g_opt = optim.Adam(G.parameters(), g_rate, betas=(0.5, 0.999))
    d_opt = optim.Adam(D.parameters(), d_rate, betas=(0.5, 0.999))
    watched = mg.tensor(streams["preview"].normal((10_000, 2)))  # always the same noise
    clouds = {}
    for step in range(max(times) + 1):
        if step in times:
            with mg.no_grad():
                clouds[step] = G(watched).numpy()
        x = real(streams["data"], 128)
        z = mg.tensor(streams["latent"].normal((128, 2)))
        fake = G(z)
        d_loss = losses.discriminator(D(x), D(fake.detach()))
        d_opt.step(mg.grad(d_loss, D.parameters()))
        d_loss = d_loss.detach()  # D's graph is freed here, before G's is built
        g_loss = losses.generator(D(fake))
        g_opt.step(mg.grad(g_loss, G.parameters()))
    return clouds


# %% A picture of two clouds: real points blue, generated ones over them orange.
def density(*clouds):
    edges, picture = np.linspace(-2.8, 2.8, 101), np.full((100, 100, 3), 255.0)
    for points, colour in zip(clouds, ((37, 99, 168), (217, 98, 43))):
        count = np.histogram2d(-points[:, 1], points[:, 0], (edges, edges))[0]
        picture += (1 - np.exp(-count / 1.5))[:, :, None] * (colour - picture)
    return picture.astype("uint8")


def main(quick=False):
    mg.use_threads()  # as `minigan train` does: BLAS on one thread, minigan splits what is large
    times = (0, 30) if quick else (0, 250, 500, 1000, 2000, 3000, 4000)
    clouds = {name: train(*rates, times) for name, rates in RATES.items()}
    data = real(mg.stream("yardstick"), 10_000).numpy()
    found = {name: [judge(clouds[name][step]) for step in times] for name in RATES}
    yardstick, rows = judge(data), list(zip(times, *found.values()))
    print("            slow D: modes, within 3 sigma    equal: modes, within 3 sigma, width")
    for step, slow, equal in rows:
        print(f"step {step:5} {slow['modes']:13} {slow['good']:16.1%}"
              f" {equal['modes']:14} {equal['good']:16.1%} {equal['width']:6.2f}")
    print("real points {modes:45} {good:16.1%} {width:6.2f}".format(**yardstick))
    figure = plot.strip(
        [plot.tile(np.stack([density(data, clouds[name][step]) for name in RATES]), 1, gap=6)
         for step in times],
        [f"step {step:,}:\n{a['modes']} and {b['modes']} modes" for step, a, b in rows],
        title="A GAN on a ring: above, D learns too slowly; below, as fast as G",
        caption="Blue: real points. Orange: generated points, drawn over them.", height=2.6)
    print("picture:", plot.save(figure, "runs/examples/07_gan_on_a_ring.png"))
    return {"steps": times, "real": yardstick, **found}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Make ANGLES with np.linspace(0, 2 * np.pi, 8). How many modes does `judge` find?
# 2. Let D learn ten times faster than G, (1e-4, 1e-3). Does it collapse, stop, or take longer?
