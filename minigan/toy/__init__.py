"""GANs on points in the plane, where everything can be seen and counted: `minigan toy`.

`protocols` (points, networks and budgets of the papers), `games` (their losses), `player` (the
networks and the step), `plan`, `watching`, `runs` (one seed, several, going on), `report` and
`pictures` (what came out).
"""

from minigan.toy.games import GAMES, Game
from minigan.toy.plan import Plan
from minigan.toy.player import Player
from minigan.toy.protocols import PROTOCOLS, SETS, Protocol
from minigan.toy.report import cell, lines, summary
from minigan.toy.seeds import ToyRun
from minigan.toy.training import floor, score, watch

__all__ = ["GAMES", "Game", "PROTOCOLS", "Plan", "Player", "Protocol", "SETS", "ToyRun", "cell",
           "floor", "lines", "score", "summary", "watch"]
