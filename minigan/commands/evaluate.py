"""`minigan evaluate RUN`: how good a run's digits are, in numbers that a bad set cannot pass.

Of a run on stacked-mnist it counts modes, and goes on where it was stopped.
"""

from __future__ import annotations

import argparse

from minigan.commands.options import add_quiet, add_run, count, natural, run_of

HELP = "judge the digits of a finished run"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, and which samples of it."""
    add_run(parser, "a run folder or a checkpoint file")
    parser.add_argument("--n", type=count, help="how many samples to judge (default: 5000; "
                        "26000 of stacked digits)")
    parser.add_argument("--seed", type=natural, default=0, help="of the samples")
    parser.add_argument("--backend", help="numpy or cupy (default: MINIGAN_BACKEND, else "
                        "numpy)")
    add_quiet(parser, "the report")
    parser.add_argument("--raw", action="store_true", help="judge the generator's own weights, not "
                        "their moving average")


def run(options: argparse.Namespace) -> int:
    """Print the report; returns 0 also where the digit test fails: that is a finding."""
    import minigan
    from minigan.backend.threads import use_threads
    from minigan.training import evaluate
    use_threads()
    if options.backend:
        minigan.use(options.backend)
    found = evaluate(run_of(options), options.n, options.seed, options.raw)
    print("\n".join(found.lines))
    print(f"see {found.picture.as_posix()} and {found.record.as_posix()}")
    return 0
