"""What a classifier's probabilities say about samples: the score, and which are recognised."""

from __future__ import annotations

import numpy as np

SURE = 0.9  # a judge recognises a digit at this probability or more


def classifier_score(probabilities: np.ndarray) -> float:
    """The classifier's (in papers the Inception) score, from 1 to K:

        exp( mean over samples of KL(p(y | x) || p(y)) ),
        KL   = sum over classes of p(y | x) log(p(y | x) / p(y))
        p(y) = mean over samples of p(y | x)

    It is high when each sample is clearly of one class and all classes are equally frequent. Ten
    pictures, one of each class, get the best score, so it is never used alone. probabilities: one
    classifier's (N, K), rows that sum to 1. Source: Salimans et al. 2016, section 4, there with the
    Inception network, so numbers in papers cannot be compared with this one.

    Raises:
        ValueError: not (N, K), or rows that are not probabilities.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not len(p) or np.abs(p.sum(1) - 1).max() > 1e-3 or p.min() < 0:
        raise ValueError(f"probabilities: expected (N, K) with rows that sum to 1, got {p.shape}")
    share = p.mean(0)                                   # p(y)
    share = np.where(share > 0, share, 1)               # p log p is 0 where p is:
    safe = np.where(p > 0, p, 1)                        # the logarithm must only be finite there
    terms = p * np.log(safe / share)
    divergence = terms.sum(1)                           # KL of each sample
    return float(np.exp(divergence.mean()))


def recognised(probabilities: np.ndarray, sure: float = SURE) -> np.ndarray:
    """The class that all judges name, each at probability `sure` or more; -1 where they do not.

    probabilities: (J, N, K), J judges. Returns int64 (N,). One judge alone can be fooled by noise;
    two of different architecture are not fooled by the same noise.
    """
    named = probabilities.argmax(-1)                    # (J, N)
    alike = (named == named[0]).all(0)
    certain = (probabilities.max(-1) >= sure).all(0)
    return np.where(alike & certain, named[0], -1)
