"""15: a walk through the latent space of a trained generator, and arithmetic with what it means.

The generator is the small one that comes with minigan; mg.load("runs/cgan-001") would be yours. It
was told which digit to draw, so the latent vector z is left with how to draw it: `slerp` leads from
one hand to another, and a direction that is found on threes alone makes every digit bold.
"""
import numpy as np

import minigan as mg
from minigan import data, plot
from minigan.training import slerp

MODEL = mg.load()  # with a path: of any run


def draw(z, label):
    """Pictures u8 (n, 28, 28, 1) of one digit."""
    return data.to_bytes(MODEL.model.sample(mg.tensor(z), np.full(len(z), label)).numpy())


# %% Two ways from one z to another. Nearly all latents that G was trained on have the same length;
# the middle of the straight line is shorter, and what it draws is more alike from pair to pair.
def compare_ways(z):
    a, b = np.split(z, 2)
    ways = {"an end": a, "straight": ((a + b) / 2).astype("float32"), "slerp": slerp(a, b, 0.5)}
    found = {}
    for way, middle in ways.items():
        length = np.linalg.norm(middle, axis=1).mean()
        alike = draw(middle, 3).std(axis=0).mean()
        found[way] = (length, alike)
        print(f"middle of {way:9} length {length:.1f}, pictures of threes differ by {alike:.1f}")
    return found


# %% Two measures of handwriting, from a picture's ink (28, 28) in [0, 1].
def boldness(pictures):
    return pictures[..., 0].mean(axis=(1, 2)) / 255


def slant(pictures):
    """How far a stroke moves right for each pixel up: minus cov(x, y) / var(y) of the ink."""
    ink = pictures[..., 0] / pictures.sum(axis=(1, 2))[..., None]                # sums to 1
    y, x = np.mgrid[:28, :28]
    x = x - (ink * x).sum(axis=(1, 2), keepdims=True)                           # (n, 28, 28)
    y = y - (ink * y).sum(axis=(1, 2), keepdims=True)
    return -(ink * x * y).sum(axis=(1, 2)) / (ink * y * y).sum(axis=(1, 2))


# %% Arithmetic: the mean z of the boldest threes minus that of the thinnest is a direction.
def direction(z, measure, share=10):
    order = np.argsort(measure(draw(z, 3)))
    few = len(z) // share
    way = z[order[-few:]].mean(axis=0) - z[order[:few]].mean(axis=0)
    return way / np.linalg.norm(way)


def along(z, way, k):
    """z with its part along `way` replaced by k."""
    return (z + (k - z @ way)[:, None] * way).astype("float32")


def main(quick=False):
    n, ks = (300 if quick else 1500), (-3.0, -1.5, 0.0, 1.5, 3.0)
    z, others = (MODEL.model.latent_from(mg.Stream(seed, "walk"), count).numpy()
                 for seed, count in ((0, n), (1, 20)))
    found = {"ways": compare_ways(z[:200])}
    grids = [plot.tile(MODEL.interpolate(5, 7, labels=[2, 3, 4, 5, 9], seed=11)
                       .reshape(-1, 28, 28, 1), columns=7)]
    for name, measure in {"boldness": boldness, "slant": slant}.items():
        way = direction(z, measure)
        print(f"\n{name} of each digit, {', '.join(f'{k:g}' for k in ks)} along it:")
        table = np.array([[measure(draw(along(others, way, np.full(20, k)), label)).mean()
                           for k in ks] for label in range(10)])
        for label in (0, 3, 7):
            print(f"  {label}: " + "  ".join(f"{value:5.2f}" for value in table[label]))
        found[name] = table
        grids.append(plot.tile(np.concatenate(
            [draw(along(others[label:label + 1].repeat(5, axis=0), way, np.array(ks)), label)
             for label in (0, 3, 4, 7, 9)]), columns=5))
    figure = plot.strip(grids, ["walks: a row each, by slerp", "bolder, as threes get bolder",
                                "slanted, as threes get slanted"], height=1.973,
                        title="One latent vector a row, and what is done to it")
    print("picture:", plot.save(figure, "runs/examples/15_latent_walk.png"))
    return found


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Find the direction on ones in place of threes. Does it still make sevens bold? Slanted?
# 2. Add both directions at once: how much bolder do the digits get, compared with one alone?
