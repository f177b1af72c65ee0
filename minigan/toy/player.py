"""A GAN on points in the plane: two small networks, a game, and the canonical step."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from minigan.engine import Tensor, grad, no_grad
from minigan.nn import evaluation_mode
from minigan.ops import pack
from minigan.optim import EMA, Adam, Optimizer, RMSprop, clip_weights
from minigan.streams import Stream, Streams
from minigan.toy.games import Game
from minigan.toy.protocols import Protocol


class Player:
    """G and D of a protocol, trained with a game.

    steps: how many there will be, which a falling rate depends on; a step is an update of D, and
    G's follows every `critic_steps`-th. seed: of all random streams. Points go in and come out
    unscaled; networks see them scaled.
    """

    def __init__(self, protocol: Protocol, game: Game, steps: int, seed: int) -> None:
        self.protocol = protocol
        self.game = game
        self.steps = steps
        self.scale = np.float32(protocol.scale)
        self.critic_steps = min(game.critic_steps, protocol.critic_steps)
        self.streams = Streams(seed)

        self.generator, self.critic = protocol.networks(protocol.latent_size, game.packing,
                                                        self.streams)
        self.g_optimizer = self._optimizer(self.generator.parameters())
        self.d_optimizer = self._optimizer(self.critic.parameters())
        self.ema = EMA(self.generator, protocol.ema) if protocol.ema else None

    def _optimizer(self, parameters: Sequence[Tensor]) -> Optimizer:
        if self.game.rate:
            return RMSprop(parameters, self.game.rate)
        return Adam(parameters, self.protocol.rate, self.protocol.betas)

    # A step.

    def step(self, points: np.ndarray) -> dict[str, Tensor]:
        """One update of D, and of G if it is due; the losses, detached. points: (N, 2)."""
        D = self.judge
        G = self.generator
        game = self.game
        self._set_rates()

        x = Tensor(points / self.scale)
        fake = G(self.latent(self.streams["latent"], len(points)))
        d_loss = game.discriminator(D(x), D(fake.detach()))
        if game.penalty:
            d_loss = d_loss + game.weight * self._penalty(x, fake.detach())
        self.d_optimizer.step(grad(d_loss, self.critic.parameters()))
        if game.clip:
            clip_weights(self.critic.parameters(), game.clip)
        d_loss = d_loss.detach()  # D's graph is freed here, before G's is built

        if self.d_optimizer.t % self.critic_steps:
            return {"d_loss": d_loss}
        g_loss = game.generator(D(x), D(fake)) if game.paired else game.generator(D(fake))
        self.g_optimizer.step(grad(g_loss, G.parameters()))
        if self.ema:
            self.ema.update()
        return {"d_loss": d_loss, "g_loss": g_loss.detach()}

    def judge(self, x: Tensor) -> Tensor:
        """D's logits of x (N, 2), pack by pack: (N / packing, 1)."""
        return self.critic(pack(x, self.game.packing))

    def _penalty(self, x: Tensor, fake: Tensor) -> Tensor:
        """The game's penalty, on packs: D has no slope at a single point of a pack."""
        assert self.game.penalty
        real_packs = pack(x, self.game.packing)
        fake_packs = pack(fake, self.game.packing)
        return self.game.penalty(self.critic, real_packs, fake_packs, self.streams["penalty"])

    def _set_rates(self) -> None:
        if self.protocol.falling_rate:
            first = self.game.rate or self.protocol.rate
            rate = first * (1 - self.d_optimizer.t / self.steps)
            self.d_optimizer.lr = rate
            self.g_optimizer.lr = rate

    # Looking.

    def latent(self, stream: Stream, n: int) -> Tensor:
        """n latent vectors, standard normal."""
        return Tensor(stream.normal((n, self.protocol.latent_size)))

    def sample(self, z: Tensor) -> np.ndarray:
        """The points that G, or its moving average, makes of z: float32 (N, 2), on the host."""
        network = self.ema.network if self.ema else self.generator
        with no_grad(), evaluation_mode():
            points: np.ndarray = network(z).numpy() * self.scale
        return points

    def levels(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """D's logits on a grid (H, W); each pack holds the same point several times."""
        points = np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)
        every = np.repeat(points / self.scale, self.game.packing, axis=0)
        with no_grad():
            logits: np.ndarray = self.judge(Tensor(every)).numpy()
        return logits.reshape(x.shape)
