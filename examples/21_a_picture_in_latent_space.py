"""21: which latent draws this picture? A search for it, and ten digits by the hand that wrote one.

A GAN learns the way from latents to pictures, and none back. The way back is a search (Zhu et al.
2016, "Generative Visual Manipulation on the Natural Image Manifold"): the best of many random
latents, then gradient descent on the error, in z instead of weights, with a prior that keeps z as
long as G knows it. `minigan edit` does the same. The pen's digits below are surely new to G.
"""
import numpy as np

import minigan as mg
from minigan import data, editing, metrics, nn, ops, optim, plot

G = editing.Drawing(mg.load().model)    # z and labels to pictures in [-1, 1]; or of a run of yours
HANDS = [(0.7, 0.0), (0.9, 0.4), (1.5, 0.1), (1.2, -0.2)]  # bold: pixels; slant: right for up
STROKES = [  # of the digits: corners as xy on a grid of ten by ten
    "50 20 13 16 29 59 89 96 93 80 50", "42 60 59", "12 20 70 93 85 38 09 99",
    "11 40 90 93 45 44 95 99 49 08", "60 06 96/70 69", "90 20 14 54 95 98 49 08",
    "80 31 06 19 69 96 74 25 06", "00 90 75 49", "50 11 13 95 97 49 19 06 83 82 50",
    "92 60 20 03 15 45 91/91 89"]


def rms(a, b):
    return np.sqrt(np.mean((a - b) ** 2, axis=(1, 2, 3)))


# %% A pen, whose ink at a pixel depends on how far the nearest stroke is: u8 (28, 28, 1).
def written(digit, bold, slant):
    y, x = np.mgrid[:28, :28].astype("float64")
    away = np.full((28, 28), np.inf)
    for stroke in STROKES[digit].split("/"):
        p = (np.array([list(corner) for corner in stroke.split()], float) - 4.5) * [1.5, 1.95]
        p = 13.5 + p - [slant, 0] * p[:, 1:]
        for _ in range(3):  # corners are cut off (Chaikin 1974)
            cut = [p[:-1] * 0.75 + p[1:] * 0.25, p[:-1] * 0.25 + p[1:] * 0.75]
            p = np.concatenate([p[:1], np.stack(cut, axis=1).reshape(-1, 2), p[-1:]])
        for (ax, ay), (dx, dy) in zip(p, np.diff(p, axis=0)):
            t = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)).clip(0, 1)
            away = np.minimum(away, np.hypot(x - ax - t * dx, y - ay - t * dy))
    return np.uint8(255 * (bold + 0.5 - away).clip(0, 1))[..., None]


# %% The search. All pictures are one batch; each z gets the gradient of its own error only.
def search(pictures, labels, prior=0.03, steps=200, draws=500):
    """z (n, 64), and the RMS errors of the nearest draw and of z's picture, each (n,)."""
    images = data.to_model(pictures)
    some = G.latents(mg.Stream(0, "draws"), draws).numpy()
    drawn = [G.images(some, np.full(draws, k)) for k in range(10)]
    nearest = np.stack([rms(drawn[k], image) for k, image in zip(labels, images)])  # (n, draws)
    z = nn.Parameter(some[nearest.argmin(axis=1)])
    x, y, optimizer = mg.tensor(images), G.labels(labels, len(labels)), optim.Adam([z], 0.05)
    for _ in range(steps):
        error = ops.mean(ops.square(G(z, y) - x), axis=(1, 2, 3))               # (n,)
        loss = ops.sum(error + prior * ops.square(ops.mean(ops.square(z), axis=1) - 1))
        optimizer.step(mg.grad(loss, [z]))
    return z.numpy(), nearest.min(axis=1), rms(G.images(z.numpy(), labels), images)


# %% The same hand, other digits: z stays, the label changes.
def ten_digits(pictures, z):
    """Pictures (n, 10, 28, 28, 1), the share that is as asked, the rs of boldness and slant."""
    labels = np.tile(np.arange(10), len(z))
    ten = G.pixels(z.repeat(10, axis=0), labels)
    as_asked = (metrics.predictions(ten) == labels).all(axis=0).mean()  # both judges name it
    before, after = (editing.measure(images) for images in (pictures, ten))
    means = {name: values.reshape(-1, 10).mean(axis=1) for name, values in after.items()}
    same = [np.corrcoef(before[name], means[name])[0, 1] for name in ("boldness", "slant")]
    return ten.reshape(-1, 10, 28, 28, 1), as_asked, *same


# %% What is it worth? The floor: pictures that G can draw. The ceiling: the nearest of the draws.
def main(quick=False):
    mg.use_threads()
    pen = np.stack([written(k, *hand) for hand in HANDS[:1 if quick else 4] for k in range(10)])
    n, labels, digits = len(pen), np.arange(len(pen)) % 10, data.load("digits")
    own = G.pixels(G.latents(mg.Stream(1, "own"), n).numpy(), labels)
    cases = {"G's own": (own, labels, 0.03), "the pen's": (pen, labels, 0.03),
             "trained on": (digits.images[:n], digits.labels[:n], 0.03),
             "label + 1": (pen, (labels + 1) % 10, 0.03),
             "no prior": (pen, labels, 0.0), "prior 0.3": (pen, labels, 0.3)}
    few, found, grids = {"steps": 20, "draws": 50} if quick else {}, {}, []
    print("RMS error: nearest  found  |z|  as asked  r of boldness  of slant")
    for name, (pictures, wanted, prior) in cases.items():
        z, nearest, error = search(pictures, wanted, prior, **few)
        ten, *numbers = ten_digits(pictures, z)
        found[name] = [nearest.mean(), error.mean(), np.linalg.norm(z, axis=1).mean(), *numbers]
        print("{:11} {:6.3f} {:6.3f} {:4.1f} {:9.0%} {:14.2f} {:9.2f}".format(name, *found[name]))
        rows = np.concatenate([pen[:, None], G.pixels(z, labels)[:, None], ten], axis=1)
        grids.append(plot.tile(rows[np.array([2, 13, 25, 37]) % n].reshape(-1, 28, 28, 1), 12))
    figure = plot.strip([grids[4], grids[1]], ["no prior", "prior 0.03"], height=1.5,
                        title="Written, found, and what its z draws as 0 to 9")
    print("picture:", plot.save(figure, "runs/examples/21_a_picture_in_latent_space.png"))
    return found


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Write larger: [2.1, 2.1] for [1.5, 1.95]. Is it found? Do ten digits still come out of it?
# 2. Begin at one and the same z: draws=1. How much worse is what is found? Are ten digits worse?
