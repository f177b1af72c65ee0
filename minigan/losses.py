"""Losses of GANs, from logits: finite for every finite logit, because log(sigmoid) never appears.

D(x) below is a probability, sigmoid of the logit; log D(x) = -softplus(-logit) and
log(1 - D(x)) = -softplus(logit).
"""

from __future__ import annotations

from minigan.engine import Tensor, negative
from minigan.ops import mean, softplus


def discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-(mean log D(x) + mean log(1 - D(G(z)))): what D minimises.

    Source: Goodfellow et al. 2014, eq. 1 and algorithm 1. real, fake: logits of any shape.
    """
    return mean(softplus(negative(real))) + mean(softplus(fake))


def generator(fake: Tensor) -> Tensor:
    """-mean log D(G(z)): the non-saturating loss of G (Goodfellow et al. 2014, end of section 3).

    It has the same fixed point as the minimax loss and strong gradients early on.
    """
    return mean(softplus(negative(fake)))


def generator_minimax(fake: Tensor) -> Tensor:
    """mean log(1 - D(G(z))): the loss of G in algorithm 1 (Goodfellow et al. 2014, eq. 1)."""
    return negative(mean(softplus(fake)))
