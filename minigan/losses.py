"""Losses of GANs. Each takes the logits of D, of any shape, and returns a scalar tensor.

D's last layer gives a logit s, and the papers' probability is D(x) = sigmoid(s). The logarithms of
the papers are written with softplus(s) = log(1 + e^s), which is finite for every finite logit:

    log D(x) = -softplus(-s)
    log(1 - D(x)) = -softplus(s)

Every loss is to be minimised, so what a paper maximises has the opposite sign here. `real` holds
D's logits of real images, `fake` those of generated ones G(z). A critic f (of WGAN, say) has no
sigmoid: its output is the score itself.

All functions raise a TypeError for an argument that is not a tensor; `tensor(...)` makes one from
an array.
"""

from __future__ import annotations

from minigan.checks import check_one_shape
from minigan.engine import Tensor
from minigan.ops import mean, negative, relu, softplus, square
from minigan.ops.arguments import of_tensors

# ---------------------------------------------------------------- the game of 2014


@of_tensors
def discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """-(mean log D(x) + mean log(1 - D(G(z)))).

    Source: Goodfellow et al. 2014, "Generative adversarial nets", eq. 1 and algorithm 1, where D
    maximises the bracket. At D = 1/2 everywhere the loss is 2 log 2 = 1.386.
    """
    return mean(softplus(negative(real))) + mean(softplus(fake))


@of_tensors
def generator(fake: Tensor) -> Tensor:
    """-mean log D(G(z)): the non-saturating loss.

    Source: Goodfellow et al. 2014, end of section 3. It has the fixed point of `generator_minimax`,
    and a strong gradient early on, when D rejects every generated image.
    """
    return mean(softplus(negative(fake)))


@of_tensors
def generator_minimax(fake: Tensor) -> Tensor:
    """mean log(1 - D(G(z))): the loss of G in algorithm 1.

    Source: Goodfellow et al. 2014, eq. 1. Its gradient vanishes if D is sure that images are fake.
    """
    return negative(mean(softplus(fake)))


# ---------------------------------------------------------------- other games, same networks

@of_tensors
def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """mean (D(x) - 1)^2 / 2 + mean D(G(z))^2 / 2, where D is the score itself, without a sigmoid.

    Source: LSGAN, Mao et al. 2017, "Least squares generative adversarial networks", eq. 9.
    """
    return (mean(square(real - 1)) + mean(square(fake))) / 2


@of_tensors
def least_squares_generator(fake: Tensor) -> Tensor:
    """mean (D(G(z)) - 1)^2 / 2.

    Source: LSGAN, Mao et al. 2017, eq. 9.
    """
    return mean(square(fake - 1)) / 2


@of_tensors
def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """mean max(0, 1 - D(x)) + mean max(0, 1 + D(G(z))), where D is the score itself.

    Source: Lim and Ye 2017, "Geometric GAN"; Miyato et al. 2018, "Spectral normalization for
    generative adversarial networks", eq. 16. Scores beyond the margin of 1 cost nothing.
    """
    return mean(relu(1 - real)) + mean(relu(1 + fake))


@of_tensors
def hinge_generator(fake: Tensor) -> Tensor:
    """-mean D(G(z)): the generator's side of the hinge loss.

    Source: Miyato et al. 2018, eq. 17.
    """
    return negative(mean(fake))


@of_tensors
def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """mean f(G(z)) - mean f(x): its negative estimates the Wasserstein distance W.

    Source: WGAN, Arjovsky et al. 2017, "Wasserstein GAN", eq. 3 and algorithm 1, line 5. It is an
    estimate only if the critic is held 1-Lipschitz, by clipped weights or a gradient penalty.
    """
    return mean(fake) - mean(real)


@of_tensors
def wasserstein_generator(fake: Tensor) -> Tensor:
    """-mean f(G(z)).

    Source: WGAN, Arjovsky et al. 2017, algorithm 1, line 10.
    """
    return negative(mean(fake))


# ---------------------------------------------------------------- games of pairs

@of_tensors
def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """mean softplus(s(G(z)) - s(x)), pair by pair: real images should get the larger logits s.

    Source: RpGAN, Jolicoeur-Martineau 2019, "The relativistic discriminator". real, fake: of one
    shape.

    Raises:
        ValueError: the shapes differ.
    """
    check_one_shape("relativistic_discriminator", real=real, fake=fake)
    return mean(softplus(fake - real))


@of_tensors
def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """mean softplus(s(x) - s(G(z))), pair by pair: the same game from the other side.

    Source: RpGAN, Jolicoeur-Martineau 2019. real, fake: of one shape.

    Raises:
        ValueError: the shapes differ.
    """
    check_one_shape("relativistic_generator", real=real, fake=fake)
    return mean(softplus(real - fake))
