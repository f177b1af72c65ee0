"""Train the two judges of digits and write minigan/metrics/judges.npz.

    python benchmarks/train_judges.py --mnist FOLDER

FOLDER (or one of minigan's usual data folders) holds MNIST's four original files. The judges learn
from the 55,000 training digits that are not among the package's 5,000, each moved by up to one
pixel at random, and are measured on the 10,000 test digits after their weights have been rounded to
float16. About a minute for each on one core. Everything is seeded: the same machine, NumPy and
number of threads give the same bits.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from make_digits import pack

import minigan as mg
from minigan.metrics import judges
from minigan.system.allocator import keep_freed_memory

EPOCHS = 8
BATCH = 100
RATE = 2e-3
SHIFT = 1      # pixels, at most
LEAST = 0.99  # accuracy on the test digits, after rounding


def unseen(train: mg.data.Images) -> mg.data.Images:
    """MNIST's training digits without the first 500 of each class, those of minigan's `digits`."""
    assert train.labels is not None
    kept = np.concatenate([np.flatnonzero(train.labels == digit)[500:] for digit in range(10)])
    return mg.data.Images(train.images[kept], train.labels[kept], "mnist", n_classes=10)


def moved(x: np.ndarray, rng: mg.Stream) -> np.ndarray:
    """Each image (N, H, W, C) in [-1, 1] moved by up to SHIFT pixels, black where it came from."""
    n, h, w, _ = x.shape
    wide = np.pad(x, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), constant_values=-1)
    top, left = rng.integers(2 * SHIFT + 1, (2, n, 1, 1))
    image = np.arange(n)[:, None, None]
    row = top + np.arange(h)[:, None]
    column = left + np.arange(w)
    return wide[image, row, column]


def train(judge: judges.Judge, digits: mg.data.Images, rng: mg.Stream) -> dict[str, np.ndarray]:
    """The judge's weights, a moving average over the last steps; Adam, a rate that falls to 0."""
    batches = mg.data.Batches(digits, BATCH, rng)
    optimizer = mg.optim.Adam(judge.parameters())
    average = mg.optim.EMA(judge, 0.995)
    steps = EPOCHS * batches.per_epoch
    began = time.monotonic()
    for step in range(steps):
        x, labels = next(batches)
        optimizer.lr = RATE * (1 - step / steps)
        loss = mg.ops.softmax_cross_entropy(judge(mg.tensor(moved(x, rng))), labels)
        optimizer.step(mg.grad(loss, judge.parameters()))
        average.update()
        if (step + 1) % batches.per_epoch == 0:
            print(f"  step {step + 1} of {steps}: loss {loss.item():.3f}, "
                  f"{time.monotonic() - began:.0f} s", flush=True)
    return average.network.state_dict()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the two judges of digits.")
    parser.add_argument("--mnist", type=Path, help="folder with MNIST's files")
    parser.add_argument("--output", type=Path, default=judges.WEIGHTS)
    options = parser.parse_args()

    digits = unseen(mg.data.load("mnist", "train", options.mnist))
    test = mg.data.load("mnist", "test", options.mnist)
    mg.use_threads(1)
    keep_freed_memory()
    weights = {}
    for seed, (name, build) in enumerate(judges.ARCHITECTURES.items(), 1):
        judge = build(mg.Stream(seed, "init"))
        print(f"{name}: {mg.nn.count_parameters(judge):,} weights, {len(digits):,} digits")
        state = train(judge, digits, mg.Stream(seed, "data"))
        weights |= {f"{name}/{key}": value.astype(np.float16) for key, value in state.items()}
    options.output.write_bytes(pack(weights))
    judges.WEIGHTS = options.output
    right = judges.predictions(test.images) == test.labels
    for name, share in zip(judges.ARCHITECTURES, right.mean(1)):
        print(f"{name}: {share:.2%} of {len(test):,} test digits right, in float16")
    print(f"both: {right.all(0).mean():.2%}; {options.output.name}: "
          f"{options.output.stat().st_size:,} bytes")
    assert right.mean(1).min() >= LEAST, f"a judge must know {LEAST:.0%} of the test digits"


if __name__ == "__main__":
    main()
