"""`minigan bench`: compare minigan with rivals, or measure one of its own costs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Iterator

from minigan.commands.options import add_quiet, count, path, positive, suggest, threads
from minigan.system.console import plural, remark

if TYPE_CHECKING:
    from minigan.bench.records import Row

HELP = "measure training steps, compared with rivals"
SIDES = "minigan,torch,torch-tuned,torch-compiled,jax,autograd,by-hand"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to measure, compared with what, and how often."""
    from minigan.bench.pairs import PATIENCE
    from minigan.bench.quiet import QUIET
    from minigan.bench.sides import RIVALS
    from minigan.bench.sides import SIDES as known
    from minigan.bench.workloads import UNLISTED, WORKLOADS
    sides = "; ".join(f"{name} ({side.about})" for name, side in known.items())
    parser.description = (
        "Time training steps. Each side runs in its own process; two take turns, and only the "
        "ratio within a pair counts. Pairs during which other processes used more than "
        f"{QUIET} cores are discarded. A rival that is not installed, or does not know a network, "
        "has no numbers; the reason is under the table, and the exit status is 1 only if nothing "
        f"at all could be measured. Sides: {sides}.")
    names = parser.add_argument(
        "workloads", metavar="MODEL:PRESET", nargs="*",
        help=f"what to measure (default: {' '.join(WORKLOADS)}; {UNLISTED} is a network that no "
             "preset has)")
    suggest(names, (*WORKLOADS, UNLISTED))
    parser.add_argument(
        "--on", default=SIDES,
        help="sides; the first one is compared with each of the others")
    other = parser.add_mutually_exclusive_group()
    other.add_argument(
        "--ops", nargs="?", const="", metavar="WORD",
        help="single ops instead: forward, backward, double backward (only those with WORD in "
             "their name)")
    other.add_argument(
        "--overhead", action="store_true",
        help="each side's critic update with the gradient penalty compared with one without it")
    other.add_argument(
        "--start", action="store_true",
        help="from a new process to the end of its first step")
    other.add_argument(
        "--flat", nargs="?", const=10_000, type=count, metavar="STEPS",
        help="time and memory over a long run of the first side (10000 steps if left out)")
    other.add_argument(
        "--show", type=path, metavar="FILE",
        help="measure nothing; make the table and the picture of a file of results")
    parser.add_argument("--batch-size", default="64", metavar="N[,N...]", help="images a step")
    parser.add_argument(
        "--threads", type=threads, help="threads of each side (default: all cores, 4 at most)")
    parser.add_argument(
        "--pairs", type=count, default=21,
        help=f"quiet pairs a cell; after {PATIENCE} times as many busy ones it gives up")
    parser.add_argument(
        "--turn", type=positive, default=0.3, help="seconds that a turn takes, at least")
    parser.add_argument(
        "--keep-busy", action="store_true", help="keep pairs of a busy machine, and mark them")
    add_quiet(parser, "the table")
    parser.add_argument(
        "--rivals", type=path,
        help=f"folder of the rivals (default: benchmarks/{RIVALS.name} of the clone; the installed "
             "package has none)")
    parser.add_argument(
        "--out", type=path, default=Path("runs/bench"),
        help="FILE of results: JSON lines are added to FILE.jsonl, the picture is FILE.png")


def run(options: argparse.Namespace) -> int:
    """Measure, print each row when it is done and then the table; returns the exit status.

    Raises:
        ValueError: an option is wrong, or the file of --show is not one of results.
    """
    from minigan import plot
    from minigan.bench import rows
    from minigan.bench.picture import picture
    from minigan.bench.table import table
    out = options.out
    if out.suffix in (".jsonl", ".png"):
        out = out.with_suffix("")
    lines = out.with_name(f"{out.name}.jsonl")
    image = out.with_name(f"{out.name}.png")

    measured = []
    if options.show:
        measured = rows.read(options.show)
        image = options.show.with_suffix(".png")
    else:
        for row in measurements(options):
            measured.append(row)
            rows.append(row, lines)
            if not (row.missing and row.rival):  # the table says why a rival is missing
                remark(progress(row))

    remark("")
    print(table(measured))
    figure = picture(measured)
    if figure is not None:
        print(f"\npicture: {plot.save(figure, image).as_posix()}")
    if not options.show:
        print(f"results: {lines.as_posix()}")
    return 0 if any(not row.missing for row in measured) else 1


def measurements(options: argparse.Namespace) -> Iterator[Row]:
    """Check all options, say what will happen, then give the rows one by one.

    Raises:
        ValueError: an option is wrong; names it.
    """
    from minigan.bench import Plan, ops, overhead, sides, steady, steps, workloads
    from minigan.system.threads import default_threads
    on = [sides.current_name(name) for name in options.on.split(",")]
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
        workloads.split(name + workloads.PLAIN if options.overhead else name)

    of_ops = options.ops is not None
    if len(batches) > 1 and (of_ops or options.overhead or options.start or options.flat):
        raise ValueError(f"--batch-size: only training steps take several, got "
                         f"{options.batch_size}")
    if of_ops and options.workloads:
        raise ValueError("--ops measures no workloads; after --ops goes a word of the ops' names")

    plan = Plan(
        threads=options.threads or default_threads(),
        pairs=options.pairs,
        turn=options.turn,
        keep_busy=options.keep_busy,
        rivals=options.rivals)
    remark(f"{plural(plan.threads, 'thread')} each, {plural(plan.pairs, 'pair')} a cell")
    if of_ops:
        return ops(batches[0], on, plan, options.ops)
    if options.overhead:
        return overhead(names, batches[0], on, plan)
    if options.start:
        return steady.start(names, batches[0], plan)
    if options.flat:
        return steady.flat(names, batches[0], on[0], options.flat, plan)
    return steps(names, batches, on, plan)


def batch_sizes(text: str) -> list[int]:
    """Batch sizes from a text such as 16,64,256; each is at least 2, which batch norm needs.

    Raises:
        ValueError: one is not a whole number of 2 or more.
    """
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 1 for part in parts):
        raise ValueError(f"--batch-size must be whole numbers of 2 or more, such as 64 or 16,256, "
                         f"got {text!r}")
    return [int(part) for part in parts]


def progress(row: Row) -> str:
    """A row as a line of text."""
    name = f"{row.workload}, batch {row.batch}, {row.side}"
    if row.rival:
        name += f" / {row.rival}"
    return f"{name}: {_numbers(row)}"


def _numbers(row: Row) -> str:
    if row.missing:
        return f"- ({row.missing})"
    if row.long_run:
        run = row.long_run
        return (f"{plural(row.steps or 0, 'step')}, last / second quarter {run.time_growth:.3f}, "
                f"{run.memory_growth_mb:+.1f} MB")
    timing = row.timing
    assert timing is not None
    if row.start:
        return (f"first step ends {timing.ms:.0f} ms after start, import "
                f"{row.start.import_ms:.0f}")

    quiet = f"{plural(timing.pairs, 'pair')}, {timing.discarded} discarded"
    if timing.busy:
        quiet += f", {timing.busy} busy"
    if timing.versus:
        versus = timing.versus
        return (f"{versus.ratio:.3f} ({versus.low:.2f} to {versus.high:.2f}), {timing.ms:.3g} / "
                f"{versus.rival_ms:.3g} ms ({quiet})")
    floor = f", floor {row.floor.floor_ms:.3g} ms" if row.floor else ""
    above = row.memory.above_mb if row.memory else None
    memory = "" if above is None else f", {above:.0f} MB"
    return f"{timing.ms:.3g} ms{floor}{memory} ({quiet})"
