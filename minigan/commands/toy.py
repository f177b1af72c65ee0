"""`minigan toy ring|grid|swissroll`: GANs on points in the plane, judged by counting."""

from __future__ import annotations

import argparse

from minigan.commands.options import add_quiet, count, natural, path, threads
from minigan.system.console import remark, say

HELP = "train on points in the plane, and count the modes that are found"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which points, which game, under which protocol, and how often."""
    from minigan.toy import GAMES, PROTOCOLS, SETS
    parser.add_argument(
        "points", choices=SETS, metavar="|".join(SETS),
        help="what to learn: 8 Gaussians on a ring, 25 on a grid, or a spiral")
    parser.add_argument(
        "--loss", default="rpgan-r1-r2", choices=list(GAMES), help="the game that G and D play")
    parser.add_argument(
        "--protocol", default="minigan", choices=list(PROTOCOLS),
        help="whose points, networks and budget; those of the papers take much longer")
    parser.add_argument(
        "--steps", type=count, help="updates of D (default: as many as the protocol has)")
    parser.add_argument("--seed", type=natural, default=0, help="the first seed")
    parser.add_argument(
        "--seeds", type=count, default=1,
        help="how many seeds, one after another; those already in the folder are kept")
    parser.add_argument(
        "--out", type=path,
        help="run folder (default: runs/toy-NAME, named after points and loss)")
    add_quiet(parser, "the report")
    parser.add_argument(
        "--threads", type=threads, default=1,
        help="threads to compute with; such small networks gain nothing from a second one")


def run(options: argparse.Namespace) -> int:
    """Train and print the report; returns 0 even if modes are missing: that is a finding."""
    from minigan.system.interrupt import exit_status
    from minigan.system.threads import use_threads
    from minigan.toy import Plan, ToyRun, floor, lines
    plan = Plan(options.points, options.loss, options.protocol, options.steps)
    toy = ToyRun(plan, options.out)
    seeds = range(options.seed, options.seed + options.seeds)
    use_threads(options.threads)

    named = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    done = len(toy.scores(seeds))
    if done:
        named += f", {done} of them done before"
    remark(f"run folder: {toy.path.as_posix()}")
    remark(f"{plan.describe()}; {named}")
    try:
        toy.train(seeds)
    except KeyboardInterrupt as interruption:
        say(f"interrupted; {len(toy.scores(seeds))} of {len(seeds)} seeds are done, and the same "
            f"command goes on with the others")
        return exit_status(interruption)

    scores = list(toy.scores(seeds).values())
    say("\n".join(lines(scores, floor(plan), plan.parts)))
    picture = toy.path / f"seed-{seeds[0]}.png"
    report = toy.path / "report.json"
    say(f"see {picture.as_posix()} and {report.as_posix()}")
    return 0
