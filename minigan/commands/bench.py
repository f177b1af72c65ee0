"""`minigan bench`: minigan beside its rivals, or one of its own costs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Iterator

from minigan.commands.options import add_quiet, count, path, positive, suggest, threads
from minigan.system.console import plural, remark

HELP = "measure training steps beside rivals"
SIDES = "minigan,torch,torch-tuned,torch-compiled,jax,autograd,by-hand"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What, beside whom, how often."""
    from minigan.bench.pairs import PATIENCE
    from minigan.bench.quiet import QUIET
    from minigan.bench.sides import RIVALS
    from minigan.bench.sides import SIDES as known
    from minigan.bench.workloads import UNLISTED, WORKLOADS
    parser.description = (
        "Time training steps: one process a cell, two in turn, and only the ratio within a pair "
        "counts. Pairs during which other processes used more than "
        f"{QUIET} cores are discarded. A rival that is not installed, or does not know a network, "
        "has no numbers and its reason under the table; the exit status is 1 only if nothing at "
        "all could be measured. Sides: "
        + "; ".join(f"{name} ({side.about})" for name, side in known.items()) + ".")
    what = parser.add_argument("workloads", metavar="MODEL:PRESET", nargs="*", help="what to "
                               f"measure (default: {' '.join(WORKLOADS)}; {UNLISTED} is a net that "
                               "no preset has)")
    suggest(what, (*WORKLOADS, UNLISTED))
    parser.add_argument("--on", default=SIDES, help="sides, the first of which is compared with "
                        "each of the others")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--ops", nargs="?", const="", metavar="WORD", help="single ops instead: "
                       "forward, backward, double backward (of those with WORD in their name)")
    other.add_argument("--overhead", action="store_true", help="each side's critic update with the "
                       "gradient penalty over one without")
    other.add_argument("--start", action="store_true", help="from a new process to the end of its "
                       "first step")
    other.add_argument("--flat", nargs="?", const=10_000, type=count, metavar="STEPS", help="time "
                       "and memory over a long run of the first side (10000 steps if left out)")
    other.add_argument("--show", type=path, metavar="FILE", help="measure nothing: table and "
                       "picture of a file of results")
    parser.add_argument("--batch-size", default="64", metavar="N[,N...]", help="images a step")
    parser.add_argument("--threads", type=threads, help="threads of every side (default: all "
                        "cores, 4 at most)")
    parser.add_argument("--pairs", type=count, default=21, help="quiet pairs a cell; after "
                        f"{PATIENCE} times as many busy ones it gives up")
    parser.add_argument("--turn", type=positive, default=0.3, help="seconds a turn, at least")
    parser.add_argument("--keep-busy", action="store_true", help="keep pairs of a busy machine, "
                        "and mark them")
    add_quiet(parser, "the table")
    parser.add_argument("--rivals", type=path, help=f"folder of the rivals (default: {RIVALS.name} "
                        "of the clone's benchmarks; the installed package has none)")
    parser.add_argument("--out", type=path, default=Path("runs/bench"), help="FILE of results: "
                        "JSON lines are added to FILE.jsonl, the picture is FILE.png")


def run(options: argparse.Namespace) -> int:
    """Measure, print each row as it comes and then the table; returns the exit status."""
    from minigan import plot
    from minigan.bench import report
    out = options.out.with_suffix("") if options.out.suffix in (".jsonl", ".png") else options.out
    lines, image = (out.with_name(out.name + end) for end in (".jsonl", ".png"))
    if options.show:
        rows = report.load(options.show)
        image = options.show.with_suffix(".png")
    else:
        rows = []
        for row in measurements(options):
            rows.append(row)
            report.add(row, lines)
            if "missing" not in row or not row["rival"]:  # why a rival is missing, the table says
                remark(progress(row))
    remark("")
    print(report.table(rows))
    figure = report.picture(rows)
    if figure is not None:
        print(f"\npicture: {plot.save(figure, image).as_posix()}")
    if not options.show:
        print(f"results: {lines.as_posix()}")
    return 0 if any("missing" not in row for row in rows) else 1


def measurements(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Check all options, say what will happen, then give the rows one by one."""
    from minigan.bench import Plan, ops, overhead, sides, steady, steps, workloads
    from minigan.system.threads import default_threads
    on = [str(sides.present(name)) for name in options.on.split(",")]
    sides.check(on)
    batches = batch_sizes(options.batch_size)
    if not 0 < options.turn <= 60:
        raise ValueError(f"--turn must be above 0 and at most 60 seconds, got {options.turn}")
    if options.rivals is not None and not options.rivals.is_dir():
        raise ValueError(f"--rivals must be a folder, got {str(options.rivals)!r}")
    names = options.workloads or list(workloads.WORKLOADS)
    if options.overhead and not options.workloads:
        names = [name for name in names if name.startswith("wgan-gp")]
    for name in names:
        workloads.split(name + workloads.PLAIN * options.overhead)
    if len(batches) > 1 and (options.ops is not None or options.overhead or options.start
                             or options.flat):
        raise ValueError(f"--batch-size: several of them only for steps, got {options.batch_size}")
    if options.ops is not None and options.workloads:
        raise ValueError("--ops measures no workloads; name a part of the op's name after --ops")
    plan = Plan(options.threads or default_threads(), options.pairs, options.turn,
                options.keep_busy, options.rivals)
    remark(f"{plural(plan.threads, 'thread')} each, {plural(plan.pairs, 'pair')} a cell")
    if options.ops is not None:
        return ops(batches[0], on, plan, options.ops)
    if options.overhead:
        return overhead(names, batches[0], on, plan)
    if options.start:
        return steady.start(names, batches[0], plan)
    if options.flat:
        return steady.flat(names, batches[0], on[0], options.flat, plan)
    return steps(names, batches, on, plan)


def batch_sizes(text: str) -> list[int]:
    """Batch sizes as 16,64,256; two images at least, which batch norm needs."""
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 1 for part in parts):
        raise ValueError(f"--batch-size must be whole numbers of 2 or more, as 64 or 16,256, "
                         f"got {text!r}")
    return [int(part) for part in parts]


def progress(row: dict[str, Any]) -> str:
    """A row as a line of text."""
    whom = f"{row['workload']}, batch {row['batch']}, {row['side']}" + (
        f" / {row['rival']}" if row.get("rival") else "")
    if "missing" in row:
        return f"{whom}: - ({row['missing']})"
    if "at" in row:
        steps = plural(row["steps"], "step")
        return (f"{whom}: {steps}, last / second quarter {row['time_growth']:.3f}, "
                f"{row['memory_growth_mb']:+.1f} MB")
    if "first_step_ms" in row:
        return (f"{whom}: first step ends {row['first_step_ms']:.0f} ms after start, import "
                f"{row['import_ms']:.0f}")
    quiet = f"{plural(row['pairs'], 'pair')}, {row['discarded']} discarded" + (
        f", {row['busy']} busy" if row["busy"] else "")
    if row["rival"] is None:
        floor = f", floor {row['floor_ms']:.3g} ms" if "floor_ms" in row else ""
        return f"{whom}: {row['ms']:.3g} ms{floor}, {row['above_mb']:.0f} MB ({quiet})"
    return (f"{whom}: {row['ratio']:.3f} ({row['low']:.2f} to {row['high']:.2f}), {row['ms']:.3g} "
            f"/ {row['rival_ms']:.3g} ms ({quiet})")
