"""`minigan toy ring|grid|swissroll`: GANs on points in the plane, judged by counting."""

from __future__ import annotations

import argparse

from minigan.commands.options import add_quiet, count, natural, path, threads
from minigan.system.console import remark, say

HELP = "train on points in the plane, and count the modes that are found"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which points, which game, under which protocol, and how often."""
    from minigan.toy import GAMES, PROTOCOLS, SETS
    parser.add_argument("points", choices=SETS, metavar="|".join(SETS), help="what to learn: 8 "
                        "Gaussians on a ring, 25 on a grid, or a spiral")
    parser.add_argument("--loss", default="rpgan-r1-r2", choices=list(GAMES), help="the game that "
                        "G and D play")
    parser.add_argument("--protocol", default="minigan", choices=list(PROTOCOLS), help="whose "
                        "points, networks and budget; those of the papers want patience")
    parser.add_argument("--steps", type=count, help="updates of D (default: the protocol's)")
    parser.add_argument("--seed", type=natural, default=0, help="the first one")
    parser.add_argument("--seeds", type=count, default=1, help="how many, one after another; those "
                        "that are in the folder already are kept")
    parser.add_argument("--out", type=path, help="run folder (default: runs/toy-NAME, after points "
                        "and loss)")
    add_quiet(parser, "the report")
    parser.add_argument("--threads", type=threads, default=1, help="threads to compute with; such "
                        "small networks gain nothing from a second one")


def run(options: argparse.Namespace) -> int:
    """Train, print the report; returns 0 also where modes are missing: that is a finding."""
    from minigan.system.interrupt import exit_status
    from minigan.system.threads import use_threads
    from minigan.toy import Plan, ToyRun, floor, lines
    plan = Plan(options.points, options.loss, options.protocol, options.steps)
    toy = ToyRun(plan, options.out)
    seeds = range(options.seed, options.seed + options.seeds)
    done = len(toy.scores(seeds))
    which = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    use_threads(options.threads)
    remark(f"run folder: {toy.path.as_posix()}")
    remark(f"{plan.describe()}; {which}" + (f", {done} of them done before" if done else ""))
    try:
        toy.train(seeds)
    except KeyboardInterrupt as interruption:
        say(f"interrupted; {len(toy.scores(seeds))} of {len(seeds)} seeds are done, and the same "
            f"command goes on after them")
        return exit_status(interruption)
    say("\n".join(lines(list(toy.scores(seeds).values()), floor(plan), plan.parts)))
    say(f"see {(toy.path / f'seed-{seeds[0]}.png').as_posix()} and "
        f"{(toy.path / 'report.json').as_posix()}")
    return 0
