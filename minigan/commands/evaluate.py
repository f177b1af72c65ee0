"""`minigan evaluate RUN`: how good a run's samples are, in numbers that a bad set cannot pass.

Digits must be recognised. For stacked digits, modes are counted, and an interrupted count goes on
when the command is given again. Other pictures are compared with the data: copies, variety,
distances.
"""

from __future__ import annotations

import argparse

from minigan.commands.options import (add_backend, add_json, add_quiet, add_run, count, natural,
                                      path, run_of)

HELP = "judge the samples of a finished run"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, and which samples of it."""
    add_run(parser, "a run folder or a checkpoint file")
    parser.add_argument(
        "--n", type=count,
        help="how many samples to judge (default: 5000 digits, 26000 stacked digits, 2000 other "
             "pictures)")
    parser.add_argument("--seed", type=natural, default=0, help="seed of the samples")
    parser.add_argument(
        "--data-dir", type=path,
        help="where the files of the run's data set are (default: where they were)")
    add_backend(parser)
    parser.add_argument(
        "--check", action="store_true",
        help="return exit status 1 if a bound is missed, such as those of the digit test; "
             "otherwise a missed bound is a finding, and the status is 0")
    add_json(parser, "the record, which is also in evaluation.json: minigan, model, preset, data, "
                     "step, weights, n, seed, lines (the report), and what was measured: passed, "
                     "failed, rows (part, name, value, n, bound, floor, passed, note), counts of "
                     "stacked digits")
    add_quiet(parser, "the report")
    parser.add_argument(
        "--raw", action="store_true",
        help="judge the generator's own weights, not their moving average")


def run(options: argparse.Namespace) -> int:
    """Print the report; returns the exit status: 1 if a bound is missed and --check is given.

    Raises:
        ValueError: --check is given, and nothing that was measured has a bound.
    """
    import minigan
    from minigan.evaluation import evaluate
    from minigan.system.threads import use_threads
    use_threads()
    if options.backend:
        minigan.use(options.backend)
    result = evaluate(run_of(options), options.n, options.seed, options.raw,
                      data_dir=options.data_dir)

    if options.json:
        print(result.record.read_text(encoding="utf-8"))
    else:
        print("\n".join(result.lines))
        print(f"see {result.picture.as_posix()} and {result.record.as_posix()}")
    if not options.check:
        return 0
    if result.passed is None:
        raise ValueError("--check: nothing that was measured has a bound")
    return 0 if result.passed else 1
