"""What a classifier's probabilities say about samples: the score, and who is recognised."""

from __future__ import annotations

import numpy as np

SURE = 0.9  # a judge recognises a digit at this probability or more


def classifier_score(probabilities: np.ndarray) -> float:
    """exp of the mean over samples of KL(p(y | x) || p(y)), from 1 to the number of classes.

    High when each sample is surely of one class and all classes are equally frequent; ten pictures
    are enough for 10, so it never stands alone. probabilities: one classifier's (N, K), rows that
    sum to 1. Source: Salimans et al. 2016, section 4, there with the Inception network, so numbers
    in papers are no measure for this one.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not len(p) or np.abs(p.sum(1) - 1).max() > 1e-3 or p.min() < 0:
        raise ValueError(f"probabilities: expected (N, K) with rows that sum to 1, got {p.shape}")
    terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / (p.mean(0) + (p.mean(0) == 0))), 0)
    return float(np.exp(terms.sum(1).mean()))


def recognised(probabilities: np.ndarray, sure: float = SURE) -> np.ndarray:
    """The class that all judges name, each at probability `sure` or more; -1 where they do not.

    probabilities: (J, N, K), J judges. Returns int64 (N,). One judge alone can be fooled by noise;
    two of different architecture are not fooled by the same noise.
    """
    named = probabilities.argmax(-1)
    agreed = (named == named[0]).all(0) & (probabilities.max(-1) >= sure).all(0)
    return np.where(agreed, named[0], -1)
