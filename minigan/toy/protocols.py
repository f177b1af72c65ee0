"""The protocols of the papers, by name: points, networks, optimizer, budget and counting.

A number of modes means little without its protocol: on the same points, the GAN of VEEGAN's table
finds 1 mode of 8, and that of PacGAN's table 6.3. In all protocols 2,500 samples are counted as in
`minigan.metrics.modes`, and the ring has 8 modes (linspace over a full turn gives 7, one twice).

- `minigan`: the points of the next two papers, scaled to unit variance for the networks; small
  networks and a budget of minutes on a processor: two hidden layers of 128 for the ring, three for
  the grid, which has more modes that are closer together; two updates of D for one of G where the
  papers take five. The rate falls to 0 and a moving average of G is judged, because large steps
  cannot hit points within 1 % of the ring's radius.
- `veegan`: Srivastava et al. 2017 and their notebook for the ring: 254 numbers in a latent vector,
  two hidden layers of 128, batches of 500, 20,000 steps. (VEEGAN itself, with its third network,
  is not here: this is what its baselines are trained with.)
- `pacgan`: Lin et al. 2018 and their code: batch norm in G, no biases before it, maxout in D,
  batches of 100 packs of m points, 400 epochs over 100,000 points drawn once (here: drawn for each
  batch). 400,000 steps take hours on a processor; --steps takes fewer.
- `wgan-gp`: Gulrajani et al. 2017 and their code `gan_toy`: their scaled points, three hidden
  layers of 512, batches of 256, 100,000 updates of G. The critic's level sets are their figure 2.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, Callable

from minigan.data.points import POINTS, Mixture, SwissRoll
from minigan.nn import BatchNorm, Dense, Maxout, Module, ReLU, Sequential, init
from minigan.streams import Streams

Points = Mixture | SwissRoll
Networks = Callable[[int, int, Streams], tuple[Module, Module]]

SETS = ("ring", "grid", "swissroll")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Everything but the game that G and D play, on one set.

    networks: called with the size of a latent vector, the number of points in a pack, and the
    streams; returns G and D. points: a name in `minigan.data.POINTS`.
    """

    networks: Networks
    latent_size: int
    batch: int
    rate: float
    betas: tuple[float, float]
    steps: int                   # updates of D
    points: str = "ring"
    scale: float = 1.0           # points are divided by it before networks see them
    falling_rate: bool = False   # linearly, to 0 after the last step
    ema: float = 0.0             # decay of the moving average of G that is judged; 0: G itself
    critic_steps: int = 5        # updates of D for one of G, at most
    samples: int = 2_500         # that are counted

    def data(self) -> Points:
        """The points."""
        return POINTS[self.points]()


def dense(width: int, layers: int, latent_size: int, packing: int, streams: Streams
          ) -> tuple[Module, Module]:
    """Hidden ReLU layers of one width, in both networks."""
    rng = streams["init"]

    def network(n_in: int, n_out: int) -> Module:
        modules: list[Module] = []
        n = n_in
        for _ in range(layers):
            modules.append(Dense(n, width, weight_init=init.he_uniform, rng=rng))
            modules.append(ReLU())
            n = width
        modules.append(Dense(width, n_out, rng=rng))
        return Sequential(*modules)

    generator = network(latent_size, 2)
    critic = network(2 * packing, 1)
    return generator, critic


def maxout(latent_size: int, packing: int, streams: Streams) -> tuple[Module, Module]:
    """PacGAN's: G 4 x 400 with batch norm and ReLU, D 3 x 200 maxout of 5; N(0, 0.02^2)."""
    settings: dict[str, Any] = {"weight_init": init.normal(0.02), "rng": streams["init"]}
    generator: list[Module] = []
    for n in (latent_size, 400, 400, 400):
        generator.append(Dense(n, 400, bias=False, **settings))
        generator.append(BatchNorm(400))
        generator.append(ReLU())

    critic: list[Module] = []
    for n in (2 * packing, 200, 200):
        critic.append(Maxout(n, 200, 5, **settings))

    generator.append(Dense(400, 2, **settings))
    critic.append(Dense(200, 1, **settings))
    return Sequential(*generator), Sequential(*critic)


def _on(names: tuple[str, str, str], protocol: Protocol, **own: dict[str, Any]
        ) -> dict[str, Protocol]:
    """A protocol for each set, by its name. names: of the three sets' points in
    `minigan.data.POINTS`. own: by set, the fields that are different on it.
    """
    by_set = {}
    for points, name in zip(SETS, names):
        by_set[points] = dataclasses.replace(protocol, points=name, **own.get(points, {}))
    return by_set


PAPERS = ("ring", "grid", "swiss-roll")
WGAN_GP = ("wgan-gp-ring", "wgan-gp-grid", "swiss-roll")
DEEPER = {"networks": partial(dense, 128, 3), "rate": 3e-3, "steps": 7_000}

MINIGAN = Protocol(partial(dense, 128, 2), latent_size=2, batch=128, rate=2e-3, betas=(0.5, 0.99),
                   steps=4_000, critic_steps=2, falling_rate=True, ema=0.99)
VEEGAN = Protocol(partial(dense, 128, 2), latent_size=254, batch=500, rate=1e-3,
                  betas=(0.5, 0.999), steps=20_000)
PACGAN = Protocol(maxout, latent_size=2, batch=100, rate=1e-4, betas=(0.8, 0.999), steps=400_000)
GULRAJANI = Protocol(partial(dense, 512, 3), latent_size=2, batch=256, rate=1e-4, betas=(0.5, 0.9),
                     steps=500_000)

PROTOCOLS = {
    "minigan": _on(PAPERS, MINIGAN, ring={"scale": 0.5 ** 0.5}, grid={"scale": 8 ** 0.5, **DEEPER},
                   swissroll=DEEPER),
    "veegan": _on(PAPERS, VEEGAN),
    "pacgan": _on(PAPERS, PACGAN),
    "wgan-gp": _on(WGAN_GP, GULRAJANI),
}
