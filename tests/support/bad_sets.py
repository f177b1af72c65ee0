"""Ten sets of pictures that are no good samples of digits, each of which wins some metric.

Each function makes n of them, u8 (n, 28, 28, 1), from labelled training digits (what a GAN learned
from) and real ones (what nobody learned from).
"""

from __future__ import annotations

import numpy as np

import minigan as mg
from minigan.metrics import copies
from minigan.metrics.judges import judges


def rng(seed=0):
    return np.random.Generator(np.random.Philox(seed))


def as_bytes(x):
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)


def some(data, n):
    """n of them without repetition, as far as there are as many; pictures and labels."""
    chosen = rng().permutation(len(data))[np.arange(n) % len(data)]
    return data.images[chosen], data.labels[chosen]


def class_means(n, training, real):
    """Ten pictures: the mean of each class, with contrast. Wins the classifier score."""
    means = np.stack([training.images[training.labels == k].mean(0) for k in range(10)])
    return as_bytes((means - 64) * 2.2)[np.arange(n) % 10]


def one_of_a_class(n, training, real):
    """One real digit of each class, moved by up to two pixels. Everybody recognises them."""
    ten = np.stack([real.images[real.labels == k][0] for k in range(10)])
    wide = np.pad(ten, ((0, 0), (2, 2), (2, 2), (0, 0)))
    return np.stack([wide[i % 10, top:top + 28, left:left + 28]
                     for i, (top, left) in enumerate(rng().integers(0, 5, (n, 2)))])


def copied(n, training, real):
    """The training digits themselves. Win every distance between distributions."""
    return some(training, n)[0]


def copied_and_moved(n, training, real):
    """The training digits, a pixel lower."""
    return copies.shifted(some(training, n)[0], 1, 0)


def copied_with_noise(n, training, real):
    """The training digits with noise of 15 grey levels."""
    images = some(training, n)[0]
    return as_bytes(images + rng(1).normal(0, 15, images.shape))


def means_of_two(n, training, real):
    """Means of two training digits of a class: not copied, recognised, blurred."""
    images, labels = some(training, n)
    made = np.empty_like(images)
    for k in range(10):
        own = np.flatnonzero(labels == k)
        made[own] = as_bytes(images[own] / 2 + images[np.roll(own, 1)] / 2)
    return made


def gaussian_of_class(n, training, real, components=60):
    """Drawn from a Gaussian in the plane of each class's first principal components."""
    labels, made = rng().permutation(np.arange(n) % 10), np.empty((n, 784))
    for k in range(10):
        own = training.images[training.labels == k].reshape(-1, 784).astype(float)
        _, scales, axes = np.linalg.svd(own - own.mean(0), full_matrices=False)
        axes = axes[:components] * scales[:components, None] / np.sqrt(len(own))
        wanted = labels == k
        made[wanted] = own.mean(0) + rng(k).normal(size=(wanted.sum(), len(axes))) @ axes
    return as_bytes(made.reshape(n, 28, 28, 1))


def mostly_ones(n, training, real):
    """Real digits, but 91 % of them ones."""
    images, labels = some(real, len(real))
    ones, others = images[labels == 1], images[labels != 1]
    count = round(0.91 * n)
    mixed = np.concatenate([ones[np.arange(count) % len(ones)], others[:n - count]])
    return mixed[rng(1).permutation(n)]


def half_noise(n, training, real):
    """Every second one real, every second one uniform noise. Wins recall."""
    images = some(real, n)[0].copy()
    images[1::2] = rng(1).integers(0, 256, images[1::2].shape)
    return images


def noise_for_one_judge(n, training, real, steps=15):
    """Noise tuned until the first judge is sure of a digit: the gradient's sign, step by step."""
    x = rng().uniform(-1, 1, (n, 28, 28, 1)).astype(np.float32)
    wanted, (judge, _) = np.arange(n) % 10, judges()
    for start in range(0, n, 250):
        block = slice(start, start + 250)
        for _ in range(steps):
            images = mg.tensor(x[block], requires_grad=True)
            loss = mg.ops.softmax_cross_entropy(judge(images), wanted[block]) * len(images)
            x[block] = np.clip(x[block] - 0.1 * np.sign(mg.grad(loss, images).numpy()), -1, 1)
    return mg.data.to_bytes(x)


# Each with the parts of the digit test that refuse it.
BAD_SETS = {class_means: "cd", one_of_a_class: "c", copied: "d", copied_and_moved: "d",
            copied_with_noise: "d", means_of_two: "c", gaussian_of_class: "c", mostly_ones: "b",
            half_noise: "c", noise_for_one_judge: "a"}
