"""22: directions in the latent space: what bold, slanted and wide are to a generator.

From what is measured (InterFaceGAN, Shen et al. 2020): a linear regression of an attribute on z has
a direction; the others are kept still by making it orthogonal to theirs. Without any measurement:
the principal components of what the first layer says (GANSpace, Harkonen et al. 2020), and the
singular vectors of its weight (SeFa, Shen and Zhou 2021). What each moves, and what stays, is
measured on pictures. `minigan directions` finds all of these, `minigan edit --slant -1` uses them.
"""
import numpy as np

import minigan as mg
from minigan import editing, metrics, plot
from minigan.editing.directions import unsupervised

G = editing.Drawing(mg.load().model)        # z and labels to pictures; or of a run of yours
NAMES = editing.ATTRIBUTES                  # boldness, slant, width, height


def measured(z, labels):
    """The attributes of G's pictures, (n, 4)."""
    return np.stack([*editing.measure(G.pixels(z, labels)).values()], axis=1)


# %% Regression, with the mean of each digit removed first: a 1 is narrow because it is a 1.
def regression(z, values, labels):
    """The weights (64, 4) of the attributes, and what they are to explain (n, 4)."""
    means = np.stack([values[labels == k].mean(axis=0) for k in range(10)])
    wanted = values - means[labels]
    return np.linalg.lstsq(z - z.mean(axis=0), wanted, rcond=None)[0], wanted


# %% What lies in the span of the other three is taken away from each: their predictions stay.
def alone(weights):
    """Unit directions (4, 64)."""
    found = []
    for k, own in enumerate(weights.T):
        others = np.delete(weights, k, axis=1)
        rest = own - others @ np.linalg.lstsq(others, own, rcond=None)[0]
        found.append(rest / np.linalg.norm(rest))
    return np.array(found)


# %% What moves: G's pictures at z - 2 v and at z + 2 v, for z that no regression has seen.
def moved(z, labels, v):
    """The mean change of each attribute (4,), the share of digits that both judges still name."""
    down, up = ((z + amount * v).astype("float32") for amount in (-2, 2))
    change = (measured(up, labels) - measured(down, labels)).mean(axis=0)
    named = [metrics.predictions(G.pixels(end, labels)) == labels for end in (down, up)]
    return change, np.all(named, axis=1).mean()


# %% Four directions with a name, boldness as it was regressed, and six that have not even a sign.
def main(quick=False):
    mg.use_threads()
    n, few = (128, 40) if quick else (2000, 300)
    z, labels = G.latents(mg.Stream(0, "draws"), n + few).numpy(), np.arange(n + few) % 10
    values = measured(z, labels)
    weights, wanted = regression(z[:n], values[:n], labels[:n])
    _, unseen = regression(z[n:], values[n:], labels[n:])
    r = [np.corrcoef(z[n:] @ w, own)[0, 1] for w, own in zip(weights.T, unseen.T)]
    ways = dict(zip(NAMES, alone(weights)))
    ways["plain boldness"] = weights[:, 0] / np.linalg.norm(weights[:, 0])
    for by, vectors in (("weight", unsupervised.by_weights(G, 3)[0]),
                        ("pca", unsupervised.by_pca(G, z[:n], labels[:n], 3)[0])):
        ways.update({f"{by}{k}": v for k, v in enumerate(vectors, 1)})
    print("r of prediction and measurement on new pictures: ",
          ", ".join(f"{name} {value:.2f}" for name, value in zip(NAMES, r)))
    print("from -2 to 2, in spreads ", *(f"{name:>8}" for name in NAMES), "  still that digit")
    table = {}
    for name, v in ways.items():
        change, same = moved(z[n:], labels[n:], v)
        table[name] = [*change / wanted.std(axis=0), same]
        print(f"{name:25}", *(f"{value:8.2f}" for value in table[name][:4]), f"{same:18.0%}")
    cosine = abs(ways["pca1"] @ ways["slant"])
    print(f"pca1 and slant, found without knowing of each other: cosine {cosine:.2f}")
    grids, names = [], [*ways]
    for three in (names[:3], names[5:8], names[8:]):
        rows = [G.pixels(z[k:k + 1] + np.outer(np.arange(-2, 3), ways[name]), np.full(5, k))
                for name in three for k in (3, 7)]
        grids.append(plot.tile(np.concatenate(rows), columns=5))
    captions = ["boldness, slant and width,\nby regression",
                "weight1, weight2, weight3,\nby SVD of a weight",
                "pca1, pca2, pca3,\nby PCA of a layer"]
    figure = plot.strip(grids, captions, "From -2 to 2 along nine directions", height=2.4)
    print("picture:", plot.save(figure, "runs/examples/22_directions.png"))
    return {"r": r, "table": table, "cosine": cosine}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Leave the digits' means in: wanted = values - values.mean(axis=0). Which attribute suffers?
# 2. Move three times as far: (-6, 6). Do boldness and slant go on? Is it still that digit?
