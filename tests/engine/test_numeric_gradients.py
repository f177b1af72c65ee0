"""Every loss and every penalty on every kind of network: gradients against central differences.

test_models.py does this for each preset's own losses at its own size; here each network, at small
width, plays every game, and the penalties are derived through it a second time.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
import pytest
from model_tools import LARGE, PRESETS, batch, check_gradients, in_float64, small

import minigan as mg
from minigan import losses, ops, penalties
from minigan.models.model import Model

pytestmark = pytest.mark.rounding

EACH = pytest.mark.parametrize("name, preset", PRESETS, ids=[":".join(row) for row in PRESETS])
CRITICS = [losses.discriminator, losses.least_squares_discriminator, losses.hinge_discriminator,
           losses.wasserstein_critic, losses.relativistic_discriminator]
GENERATORS = [losses.generator, losses.generator_minimax, losses.least_squares_generator,
              losses.hinge_generator, losses.wasserstein_generator,
              losses.relativistic_generator]


class Game:
    """A model's networks on a batch, as functions that give the same when called again."""

    def __init__(self, name: str, preset: str) -> None:
        self.model: Model = in_float64(small(name, preset))
        self.x, labels = batch(self.model, 4, dtype="float64")
        if name == "pix2pix":
            self.start = self.given = (self.model.condition(self.x),)
        else:
            self.given = (labels,) if self.model.conditional else ()
            self.start = (self.model.latent(4), *self.given)
        self.rewind()
        self.fake = self.generated().detach()
        last = [p for p in self.D.parameters() if p.ndim > 1][-1]
        last.assign(last.data / np.std(self.logits(self.x).data))  # no game is decided

    @property
    def D(self) -> Any:
        return self.model.discriminator

    def rewind(self) -> None:
        """The same dropout masks and the same epsilons again."""
        for stream in self.model.streams.values():
            stream.counter = 0

    def generated(self) -> mg.Tensor:
        return self.model.generator(*self.start)

    def logits(self, images: mg.Tensor) -> mg.Tensor:
        order = (*self.given, images) if self.model.name == "pix2pix" else (images, *self.given)
        return self.D(*order)

    def check(self, loss: Callable[[], mg.Tensor], network: Any, together: bool) -> None:
        """Compare the loss's gradients with differences of it."""
        def again() -> mg.Tensor:
            self.rewind()
            return loss()

        parameters = network.parameters()
        gradients = mg.grad(again(), parameters, unreached="zeros")
        assert max(np.linalg.norm(g.data) for g in gradients) > 1e-3
        check_gradients(lambda: again().item(), parameters, gradients, together)


def called(loss: Callable[..., Any], real: mg.Tensor, fake: mg.Tensor) -> mg.Tensor:
    """A generator's loss takes fake logits; a relativistic one, and a critic's, real ones too."""
    both = loss in CRITICS or loss is losses.relativistic_generator
    return loss(real, fake) if both else loss(fake)


@EACH
def test_every_game(name, preset):
    """All weights of a network are moved at once: the games differ at the logits only."""
    game = Game(name, preset)
    for loss in CRITICS:
        game.check(lambda: called(loss, game.logits(game.x), game.logits(game.fake)), game.D,
                   together=True)
    for loss in GENERATORS:
        game.check(lambda: called(loss, game.logits(game.x), game.logits(game.generated())),
                   game.model.generator, together=True)


def test_the_games_are_all_there_are():
    assert {loss.__name__ for loss in CRITICS + GENERATORS} == {
        name for name, value in vars(losses).items() if callable(value)
        and value.__module__ == losses.__name__ and not name.startswith("_")}


def mixes(model: Model) -> bool:
    return any(part.mixes_batch for _, part in model.discriminator.named_modules())


UNMIXED = [row for row in PRESETS if not mixes(small(*row))]


def usual_slope(game: Game) -> float:
    """The median of the slopes that the gradient penalty looks at: half are above, half below."""
    game.rewind()
    epsilon = game.model.streams["penalty"].uniform((4, 1, 1, 1), dtype="float64")
    x_hat = mg.tensor(epsilon * game.x.data + (1 - epsilon) * game.fake.data, requires_grad=True)
    game.rewind()
    gradient = mg.grad(ops.sum(game.logits(x_hat)), x_hat).data
    return float(np.median(np.linalg.norm(gradient.reshape(4, -1), axis=1)))


PENALTIES = {
    "two-sided": lambda game, target: penalties.gradient_penalty(
        game.logits, game.x, game.fake, game.model.streams["penalty"], target=target),
    "one-sided": lambda game, target: penalties.gradient_penalty(
        game.logits, game.x, game.fake, game.model.streams["penalty"], True, target),
    "dragan": lambda game, target: penalties.dragan(
        game.logits, game.x, game.model.streams["penalty"], target=target),
    "r1": lambda game, target: penalties.r1(game.logits, game.x),
    "r2": lambda game, target: penalties.r2(game.logits, game.fake),
}


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name, preset", UNMIXED, ids=[":".join(row) for row in UNMIXED])
def test_every_penalty(name, preset, penalty):
    """In a critic's loss, as trained, weight by weight; two slopes are above the target."""
    game = Game(name, preset)
    target, punish = usual_slope(game), PENALTIES[penalty]
    game.check(lambda: losses.discriminator(game.logits(game.x), game.logits(game.fake))
               + 10 * punish(game, target), game.D, (name, preset) in LARGE)
    game.rewind()
    assert punish(game, target).item() > 1e-5


def test_networks_of_every_kind_take_penalties():
    parts = {type(part).__name__ for row in UNMIXED
             for _, part in small(*row).discriminator.named_modules()}
    assert {"Dense", "Conv2d", "LayerNorm", "Dropout", "Maxout", "LeakyReLU", "ReLU",
            "Flatten"} <= parts
