"""Losses of GANs, from logits: finite for every finite logit, because log(sigmoid) never appears.

D(x) below is a probability, sigmoid of the logit; log D(x) = -softplus(-logit) and
log(1 - D(x)) = -softplus(logit).
"""

from __future__ import annotations

from minigan.engine import Tensor, negative
from minigan.errors import check_tensors
from minigan.ops import mean, relu, softplus, square


def discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-(mean log D(x) + mean log(1 - D(G(z)))): what D minimises.

    Source: Goodfellow et al. 2014, eq. 1 and algorithm 1. real, fake: logits of any shape.
    """
    check_tensors("discriminator", real=real, fake=fake)
    return mean(softplus(negative(real))) + mean(softplus(fake))


def generator(fake: Tensor) -> Tensor:
    """-mean log D(G(z)): the non-saturating loss of G (Goodfellow et al. 2014, end of section 3).

    It has the same fixed point as the minimax loss and strong gradients early on.
    """
    check_tensors("generator", fake=fake)
    return mean(softplus(negative(fake)))


def generator_minimax(fake: Tensor) -> Tensor:
    """mean log(1 - D(G(z))): the loss of G in algorithm 1 (Goodfellow et al. 2014, eq. 1)."""
    check_tensors("generator_minimax", fake=fake)
    return negative(mean(softplus(fake)))


# ---------------------------------------------------------------- other games, same networks

def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """mean (D(x) - 1)^2 / 2 + mean D(G(z))^2 / 2 (LSGAN, Mao et al. 2017, eq. 9)."""
    check_tensors("least_squares_discriminator", real=real, fake=fake)
    return (mean(square(real - 1)) + mean(square(fake))) / 2


def least_squares_generator(fake: Tensor) -> Tensor:
    """mean (D(G(z)) - 1)^2 / 2 (LSGAN, Mao et al. 2017, eq. 9)."""
    check_tensors("least_squares_generator", fake=fake)
    return mean(square(fake - 1)) / 2


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))) (Lim and Ye 2017; Miyato et al. 2018)."""
    check_tensors("hinge_discriminator", real=real, fake=fake)
    return mean(relu(1 - real)) + mean(relu(1 + fake))


def hinge_generator(fake: Tensor) -> Tensor:
    """-mean D(G(z)): the generator's side of the hinge loss."""
    check_tensors("hinge_generator", fake=fake)
    return negative(mean(fake))


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """mean f(G(z)) - mean f(x): its negative estimates W (Arjovsky et al. 2017, eq. 3).

    Only with a critic that is held 1-Lipschitz, by clipped weights or by a gradient penalty.
    """
    check_tensors("wasserstein_critic", real=real, fake=fake)
    return mean(fake) - mean(real)


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-mean f(G(z)) (Arjovsky et al. 2017, algorithm 1, line 10)."""
    check_tensors("wasserstein_generator", fake=fake)
    return negative(mean(fake))


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """mean softplus(D(G(z)) - D(x)), pair by pair (RpGAN, Jolicoeur-Martineau 2019)."""
    _check_pairs("relativistic_discriminator", real, fake)
    return mean(softplus(fake - real))


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """mean softplus(D(x) - D(G(z))), pair by pair: the same game from the other side."""
    _check_pairs("relativistic_generator", real, fake)
    return mean(softplus(real - fake))


def _check_pairs(loss: str, real: Tensor, fake: Tensor) -> None:
    check_tensors(loss, real=real, fake=fake)
    if real.shape != fake.shape:
        raise ValueError(f"{loss}: relativistic losses compare pairs: real has shape {real.shape}, "
                         f"fake {fake.shape}")
