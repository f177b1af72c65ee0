"""The games: what D and G minimise, and what limits D; each paper is one entry.

The step itself (`minigan.toy.player`) is the same for all of them.
"""

from __future__ import annotations

import dataclasses
from typing import Callable

from minigan import losses
from minigan.engine import Tensor
from minigan.ops import concatenate
from minigan.penalties import Critic, dragan, gradient_penalty, r1
from minigan.streams import Stream

Penalty = Callable[[Critic, Tensor, Tensor, Stream], Tensor]


@dataclasses.dataclass(frozen=True)
class Game:
    """A loss for each side, from D's logits; penalty, clipping and packing limit D.

    discriminator: takes the logits of real and of generated points. generator: takes those of
    generated points or, if `paired`, both. weight: of the penalty. packing: how many points D
    judges at once. critic_steps: updates of D for each of G, unless the protocol has fewer. clip:
    the bound of D's weights; 0 for none. rate: of RMSprop, in place of the protocol's Adam.
    """

    paper: str
    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[..., Tensor]
    paired: bool = False
    penalty: Penalty | None = None
    weight: float = 0.0
    packing: int = 1
    critic_steps: int = 1
    clip: float = 0.0
    rate: float = 0.0


def both_sides(critic: Critic, real: Tensor, fake: Tensor, rng: Stream) -> Tensor:
    """R1 + R2, computed as one: twice the mean over the union of two batches of one size."""
    return 2 * r1(critic, concatenate([real, fake], axis=0))


def real_side(critic: Critic, real: Tensor, fake: Tensor, rng: Stream) -> Tensor:
    """R1: at real points only."""
    return r1(critic, real)


def around_real(critic: Critic, real: Tensor, fake: Tensor, rng: Stream) -> Tensor:
    """DRAGAN's penalty, with noise of half the deviation of points at unit variance."""
    return dragan(critic, real, rng, std=0.5)


GAN = (losses.discriminator, losses.generator)
WASSERSTEIN = (losses.wasserstein_critic, losses.wasserstein_generator)

GAMES = {
    "gan": Game("Goodfellow et al. 2014, non-saturating", *GAN),
    "lsgan": Game("Mao et al. 2017", losses.least_squares_discriminator,
                  losses.least_squares_generator),
    "hinge": Game("Lim and Ye 2017", losses.hinge_discriminator, losses.hinge_generator),
    "wgan": Game("Arjovsky et al. 2017, clipped weights", *WASSERSTEIN, critic_steps=5, clip=0.1,
                 rate=5e-4),
    "wgan-gp": Game("Gulrajani et al. 2017, lambda 0.1 as in their code for points", *WASSERSTEIN,
                    penalty=gradient_penalty, weight=0.1, critic_steps=5),
    "dragan": Game("Kodali et al. 2017, lambda 10", *GAN, penalty=around_real, weight=10.0),
    "r1": Game("Mescheder et al. 2018, gamma 0.05", *GAN, penalty=real_side, weight=0.05),
    "rpgan-r1-r2": Game("Huang et al. 2024 (R3GAN), gamma 0.03", losses.relativistic_discriminator,
                        losses.relativistic_generator, paired=True, penalty=both_sides,
                        weight=0.03),
    "pacgan2": Game("Lin et al. 2018, packs of 2", *GAN, packing=2),
    "pacgan3": Game("Lin et al. 2018, packs of 3", *GAN, packing=3),
    "pacgan4": Game("Lin et al. 2018, packs of 4", *GAN, packing=4),
}
