"""GANs on points in the plane, where everything can be seen and counted: `minigan toy`.

Read `protocols` (points, networks and budgets of the papers) and `games` (their losses) first, then
`plan` (what is trained), `player` (the networks and the step), `report` and `pictures` (what came
out), `training` (one seed) and `seeds` (several, and going on).
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
