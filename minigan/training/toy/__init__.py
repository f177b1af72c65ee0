"""GANs on points in the plane, where everything can be seen and counted: `minigan toy`.

`protocols` (points, networks and budgets of the papers), `games` (their losses), `player` (the
networks and the step), `plan`, `watching`, `runs` (one seed, several, going on), `report` and
`pictures` (what came out).
"""

from minigan.training.toy.games import GAMES, Game
from minigan.training.toy.plan import Plan
from minigan.training.toy.player import Player
from minigan.training.toy.protocols import PROTOCOLS, SETS, Protocol
from minigan.training.toy.report import cell, lines, summary
from minigan.training.toy.runs import ToyRun
from minigan.training.toy.watching import floor, score, watch

__all__ = ["GAMES", "Game", "PROTOCOLS", "Plan", "Player", "Protocol", "SETS", "ToyRun", "cell",
           "floor", "lines", "score", "summary", "watch"]
