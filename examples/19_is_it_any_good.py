"""19: is it any good? Seven sets of digits, and why no single number can tell.

Judged as by `minigan evaluate`: two classifiers that minigan trained on other digits name them, and
neighbours are counted in what one of the two sees. Every usual number is passed by some bad set, so
the digit test asks for all of these at once:
    a  recognised by both judges     b  the rarest digit's share
    c  precision and recall          d  not copied: distance to the nearest training digit
"""
import numpy as np

import minigan as mg
from minigan import data, plot
from minigan.metrics import digit_test

COLUMNS = {"recognised": "recog.", "least class": "rarest", "precision": "precis.",
           "recall": "recall", "copies, median": "distance", "classifier score": "score",
           "Frechet distance": "Frechet"}


# %% Half of the digits are what a GAN could have learned from, and copied; the others are new.
def halves():
    digits = data.load("digits")
    for part in np.split(mg.Stream(0, "halves").permutation(len(digits)), 2):
        yield digits.images[part], digits.labels[part]


# %% A digit that is moved by a pixel is the same digit. These are moved by up to `most`.
def moved(images, most, random):
    by = random.integers(-most, most + 1, (len(images), 2))
    return np.stack([np.roll(x, shift, axis=(0, 1)) for x, shift in zip(images, by)])


# %% Seven sets of n digits. Each of the last five wins something.
def make_sets(training, labels, new, new_labels, n, random):
    mate = np.empty(n, int)                       # another digit of the same class
    for k in range(10):
        mate[labels[:n] == k] = np.roll(np.flatnonzero(labels[:n] == k), 1)
    first = np.stack([new[new_labels == k][0] for k in range(10)])
    rare = np.flatnonzero(new_labels != 1)[:n // 11]
    ones = np.resize(np.flatnonzero(new_labels == 1), n - len(rare))
    asked = np.arange(n) % 10
    return {"real, new": new[:n],
            "a GAN's": mg.load().sample(n, labels=asked, seed=0),  # the one in the package
            "copies": moved(training[:n], 1, random),
            "means of two": ((training[:n].astype(int) + training[mate]) // 2).astype(np.uint8),
            "one a class": moved(first[asked], 2, random),
            "mostly ones": random.permutation(new[np.concatenate([ones, rare])]),
            "half noise": np.where(asked[:, None, None, None] < 5, new[:n],
                                   random.integers(0, 256, new[:n].shape)).astype(np.uint8)}


# %% The table, and the first of each set.
def main(quick=False):
    mg.use_threads()
    n, random = 250 if quick else 2500, np.random.default_rng(0)
    (training, labels), (new, new_labels) = halves()
    print(f"{'':14}", *(f"{head:>8}" for head in COLUMNS.values()), "  fails")
    found, grids, captions = {}, [], []
    for name, images in make_sets(training, labels, new, new_labels, n, random).items():
        result = digit_test(images, training)
        found[name] = {**{row: result[row] for row in COLUMNS}, "failed": result.failed}
        numbers = (f"{found[name][row]:8.{1 if row == 'Frechet distance' else 2}f}"
                   for row in COLUMNS)
        print(f"{name:14}", *numbers, f"  {result.failed or '-'}")
        grids.append(plot.tile(images[:48], 6))
        captions.append(f"{name}:\n" + (f"fails at {result.failed}" if result.failed else "passes"))
    for row, best in (("classifier score", max), ("Frechet distance", min), ("recognised", max)):
        bad = best((n for n in found if found[n]["failed"]), key=lambda n: found[n][row])
        print(f"best bad {row}: {bad}, {found[bad][row]:.2f}; real: {found['real, new'][row]:.2f}")
    figure = plot.strip(grids, captions, "Is it any good? The digit test of seven sets",
                        height=2.9)
    print("picture:", plot.save(figure, "runs/examples/19_is_it_any_good.png"))
    return found


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Ask the GAN for nothing but sevens: asked = np.full(n, 7). Which of the numbers get better?
# 2. Move the copies by up to 4 pixels instead of 1. Are they copies? Where does the set fail now?
