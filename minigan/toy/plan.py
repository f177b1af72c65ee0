"""What a toy run trains: points, game, protocol and number of steps, checked."""

from __future__ import annotations

import dataclasses

from minigan.checks import check_choice
from minigan.system.console import plural
from minigan.toy.games import GAMES, Game
from minigan.toy.protocols import PROTOCOLS, SETS, Points, Protocol


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a toy run trains.

    points, loss, protocol: names in `SETS`, `GAMES` and `PROTOCOLS`. steps: updates of D; None for
    as many as the protocol has.

    Raises:
        ValueError: a name is not known, or steps is not a whole number of 1 or more.
    """

    points: str
    loss: str = "rpgan-r1-r2"
    protocol: str = "minigan"
    steps: int | None = None

    def __post_init__(self) -> None:
        check_choice("points", self.points, SETS)
        check_choice("loss", self.loss, list(GAMES))
        check_choice("protocol", self.protocol, list(PROTOCOLS))
        if self.steps is None:
            protocol, _ = self.terms
            object.__setattr__(self, "steps", protocol.steps)
        elif type(self.steps) is not int or self.steps < 1:
            raise ValueError(f"steps must be a whole number of 1 or more, got {self.steps!r}")

    @property
    def terms(self) -> tuple[Protocol, Game]:
        """The protocol and the game by these names."""
        return PROTOCOLS[self.protocol][self.points], GAMES[self.loss]

    @property
    def data(self) -> Points:
        """The points to learn."""
        protocol, _ = self.terms
        return protocol.data()

    @property
    def parts(self) -> str:
        """What is counted, in words."""
        return "modes" if len(self.data.centres) else "parts of the roll"

    @property
    def name(self) -> str:
        """A short name, which the folder gets, too; the usual protocol is left out."""
        name = f"{self.points}-{self.loss}"
        return name if self.protocol == "minigan" else f"{self.protocol}-{name}"

    def describe(self) -> str:
        """A line that says what is trained."""
        protocol, game = self.terms
        packs = f" packs of {game.packing}" if game.packing > 1 else ""
        steps = plural(self.steps or protocol.steps, "step")
        return (f"{self.points} by {self.loss} ({game.paper}), protocol {self.protocol}, "
                f"{steps} of {protocol.batch}{packs}")
