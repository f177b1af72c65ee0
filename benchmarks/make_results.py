"""Write RESULTS.md from the files that the measuring scripts left in results/.

    python benchmarks/make_results.py

It measures nothing and takes a second. Every number comes from a file: results/*.jsonl of
`minigan bench`, digits.py, editing.py and toy_table.py; results/published.jsonl, what papers
report; results/notes.jsonl, what was read off a clock or a terminal, with its date. `headlines()`
has the few numbers that other documents may quote; a test holds them to it.
"""

from __future__ import annotations

import json
import math
import textwrap
from pathlib import Path
from typing import Any, Callable, Iterable

from minigan.bench import rows as bench_rows
from minigan.bench.records import Row
from minigan.bench.table import by_workload, floor, legend, markdown
from minigan.metrics import modes
from minigan.metrics.reference import reference
from minigan.toy import Plan, cell
from minigan.toy import floor as real_points
from minigan.toy import summary

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
PAGE = HERE / "RESULTS.md"
RIVALS = {"torch": "PyTorch", "torch-tuned": "tuned PyTorch", "torch-compiled": "torch.compile",
          "jax": "JAX's jit", "autograd": "HIPS/autograd", "by-hand": "by hand",
          "minigan-eager": "minigan op by op"}
UNKNOWN = "not recorded"
Entry = dict[str, Any]


# Reading.

def read(name: str) -> list[Entry]:
    """The lines of a file of results/."""
    return [json.loads(line) for line in (RESULTS / name).read_text("utf-8").splitlines()]


def bench(name: str) -> list[Row]:
    """The rows of `minigan bench` in a file of results/."""
    return bench_rows.latest(bench_rows.read(RESULTS / name))


def notes(what: str) -> dict[str, Entry]:
    """The notes on something, by model."""
    return {note["model"]: note for note in read("notes.jsonl") if note["what"] == what}


def published(table: str) -> list[Entry]:
    """The published rows of a table."""
    return [row for row in read("published.jsonl") if row["table"] == table]


# Writing.

def prose(text: str) -> list[str]:
    """A paragraph, in lines of at most 100 columns."""
    return [*textwrap.wrap(" ".join(text.split()), 100, break_long_words=False,
                           break_on_hyphens=False), ""]


def made_by(command: str, rows: list[Row]) -> list[str]:
    """How something was measured, when and on what, from its rows."""
    dates = {row.facts.date or UNKNOWN for row in rows}
    versions = "" if any(row.versions for row in rows) else f"; package versions: {UNKNOWN}"
    when = f"{', '.join(sorted(dates))}. {'. '.join(legend(rows))}{versions}."
    return [f"`{command}`", "", *prose(when)]


def ratio_cell(row: Row | None, with_range: bool = True) -> str:
    """A ratio, in bold where it is below 1, with its range; empty if not measured."""
    if row is None or row.versus is None:
        return ""
    versus = row.versus
    text = f"{versus.ratio:.2f}"
    text = f"**{text}**" if versus.ratio < 1 else text
    return f"{text} ({versus.low:.2f} to {versus.high:.2f})" if with_range else text


def slower(rows: Iterable[Row], name: Callable[[Row], str]) -> str:
    """Where minigan is slower, by rival, the worst first."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.rival and row.versus and row.versus.ratio >= 1.005:
            found.setdefault(row.rival, []).append(row)
    if not found:
        return "It is not slower anywhere in this table."
    parts = []
    for rival, behind in found.items():
        behind.sort(key=lambda row: -_ratio(row))
        cases = ", ".join(f"{name(row)} {_ratio(row):.2f}" for row in behind)
        parts.append(f"than {RIVALS[rival]} on {cases}")
    return f"**Slower** {'; '.join(parts)}."


def _ratio(row: Row) -> float:
    assert row.versus is not None
    return row.versus.ratio


def _subject(name: str) -> str:
    """A workload's name in a table."""
    return f"{name}, critic" if name.startswith("wgan-gp") else name


def spread(values: list[float], digits: int, factor: float = 1) -> str:
    """Mean and range, as 0.62 (0.60 to 0.63); one number where they are alike."""
    mean = sum(values) / len(values)
    texts = [f"{value * factor:.{digits}f}" for value in (mean, min(values), max(values))]
    if texts[1] == texts[2]:
        return texts[0]
    return f"{texts[0]} ({texts[1]} to {texts[2]})"


# Sections.

def steps() -> list[str]:
    """A training step beside PyTorch and others."""
    rows = bench("steps.jsonl")
    body = []
    others = []
    rest = [rival for rival in RIVALS if rival not in ("torch", "torch-tuned")]
    for (name, _), found in by_workload(rows).items():
        own = found[None]
        plain = found["torch"].rival_memory
        assert own.timing and own.memory and plain
        body.append([
            _subject(name),
            f"{own.timing.ms:.3g}",
            floor(own),
            ratio_cell(found["torch"]),
            ratio_cell(found["torch-tuned"]),
            f"{own.memory.above_mb:.0f}, {plain.above_mb:.0f}"])
        cells = [ratio_cell(found.get(rival)) for rival in rest]
        if any(cells):
            others.append([_subject(name), *cells])
    second = [f"{name} {note['torch']:.2f} and {note['torch-tuned']:.2f}"
              for name, note in notes("second run").items()]
    rivals = [row for row in rows if row.rival != "minigan-eager"]
    return [
        "## A training step beside PyTorch", "",
        *prose("""minigan's time divided by the other's, so below 1 (bold) minigan is faster.
               float32, batch 64, each side in its own process, two in turn, medians and ranges of
               pairs. minigan captures its steps, as `minigan train` does. "Tuned" is PyTorch in
               its best eager form (see `rivals/pytorch.py`); the floor is the step's own matrix
               products alone. Memory is above what the imports need."""),
        *markdown(["workload", "minigan, ms", "floor, ms", "/ PyTorch", "/ tuned PyTorch",
                   "MB: minigan, PyTorch"], body), "",
        *prose(slower(rivals, lambda row: row.workload)),
        *prose(f"""A second run, without a file, gave {'; '.join(second)} (plain, tuned):
               differences of this size between runs are to be expected."""),
        "The same beside others, where they can do it:", "",
        *markdown(["workload", *[f"/ {RIVALS[rival]}" for rival in rest]], others), "",
        "![The same ratios as a picture](results/steps.png)", "",
        *made_by("minigan bench --out benchmarks/results/steps", rows)]


def batches() -> list[str]:
    """Other batch sizes."""
    rows = bench("batches.jsonl")
    found = by_workload(rows)
    sizes = sorted({batch for _, batch in found})
    names = list(dict.fromkeys(name for name, _ in found))
    body = [[_subject(name), *[ratio_cell(found[name, size].get("torch-tuned"))
                               for size in sizes]] for name in names]
    return [
        "## Other batch sizes", "",
        *prose("minigan's time / tuned PyTorch's."),
        *markdown(["workload", *[f"batch {size}" for size in sizes]], body), "",
        *prose(slower(rows, lambda row: f"{row.workload} (batch {row.batch})")),
        *made_by("minigan bench --on minigan,torch-tuned --batch-size 16,256 --out "
                 "benchmarks/results/batches", rows)]


def unlisted() -> list[str]:
    """A network that no preset has."""
    rows = bench("unlisted.jsonl")
    found = by_workload(rows)
    body = [[name, ratio_cell(by_rival.get("torch")), ratio_cell(by_rival.get("torch-tuned"))]
            for (name, _), by_rival in found.items()]
    return [
        "## A network that no preset has", "",
        *prose("""3x3 kernels of stride 1, width 48: what a network gets for which no speed code
               was written."""),
        *markdown(["workload", "/ PyTorch", "/ tuned PyTorch"], body), "",
        *prose(slower(rows, lambda row: row.workload)),
        *made_by("minigan bench unlisted:width48 --on minigan,torch,torch-tuned --out "
                 "benchmarks/results/unlisted", rows)]


def single_ops() -> list[str]:
    """Single ops."""
    rows = bench("ops.jsonl")
    passes = ("forward", "backward", "double")
    cases: dict[str, dict[str, Row]] = {}
    for row in rows:
        case, _, which = row.workload.rpartition(", ")
        if row.rival == "torch":
            cases.setdefault(case, {})[which] = row
    body = [[case, *[ratio_cell(found.get(which), with_range=False) for which in passes]]
            for case, found in cases.items()]
    behind = sum(_ratio(row) > 1 for found in cases.values() for row in found.values())
    total = sum(map(len, cases.values()))
    return [
        "## Single ops", "",
        *prose(f"""minigan's time / plain PyTorch's, op by op and not recorded, batch 64. Backward
               is a forward and all gradients; double, the gradients of a gradient. minigan is
               **slower** in {behind} of {total}."""),
        *markdown(["op", *passes], body), "",
        *made_by("minigan bench --ops --on minigan,torch,torch-tuned --out benchmarks/results/ops",
                 rows)]


def overhead() -> list[str]:
    """What the gradient penalty costs."""
    rows = bench("overhead.jsonl")
    sides = list(dict.fromkeys(row.side for row in rows))
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        found.setdefault(row.workload, {})[row.side] = row
    body = [[name, *[ratio_cell(by_side.get(side)) for side in sides]]
            for name, by_side in found.items()]
    return [
        "## What the gradient penalty costs", "",
        *prose("A critic's update with the penalty over one without it, on each side."),
        *markdown(["workload", *[RIVALS.get(side, side) for side in sides]], body), "",
        *made_by("minigan bench --overhead --on minigan,torch --out benchmarks/results/overhead",
                 rows)]


def starts() -> list[str]:
    """From a new process to its first step, and long runs."""
    rows = bench("start.jsonl")
    body = []
    for row in rows:
        assert row.start and row.timing
        numbers = (row.start.numpy_import_ms, row.start.import_ms, row.timing.ms)
        body.append([row.workload, *[f"{number:.0f}" for number in numbers]])
    long = bench("flat.jsonl")
    runs = [[row.workload, f"{row.steps:,}", f"{row.long_run.time_growth:.3f}",
             f"{row.long_run.memory_growth_mb:.1f}"] for row in long if row.long_run]
    return [
        "## Start, and long runs", "",
        "Milliseconds from the first line of a new process:", "",
        *markdown(["workload", "NumPy imported", "minigan imported", "first step done"], body), "",
        *made_by("minigan bench gan:seed dcgan:wide28 dcgan:torch64 --start --out "
                 "benchmarks/results/start", rows),
        "Does a step stay as fast? The last quarter of a long run over the second:", "",
        *markdown(["workload", "steps", "time, last / second quarter", "MB gained since the first"],
                  runs), "",
        *made_by("minigan bench gan:seed wgan-gp:seed --flat --out benchmarks/results/flat", long)]


DIGITS = [  # row of the digit test, words, decimals, factor, unit
    ("recognised", "recognised", 3, 1, ""),
    ("least class", "least class", 1, 100, " %"),
    ("precision", "precision", 2, 1, ""),
    ("recall", "recall", 2, 1, ""),
    ("copies, near", "copies", 1, 100, " %"),
    ("Frechet distance", "Frechet", 1, 1, ""),
    ("label right", "label right", 3, 1, ""),
    ("label right, worst digit", "worst class", 3, 1, ""),
]


def digits() -> list[str]:
    """What the digits are worth."""
    rows = read("digits.jsonl")
    machines = [{**row["environment"], "date": row.get("date")} for row in rows]
    seeds = sorted({row["seed"] for row in rows})
    judges = [f"{note['value']:g}" for note in notes("judge").values()]
    by_clock = [name for name, note in notes("minutes").items() if "clock" in note["how"]]
    early = notes("early")["cgan:conv"]
    other = notes("other settings")["wgan:mlp"]
    fid = {row["name"]: row["fid"] for row in published("mnist")}
    return [
        "## What the digits are worth", "",
        *prose(f"""`minigan train MODEL --preset PRESET` on the embedded digits, then `minigan
               evaluate`: 5,000 samples of the moving average, mean (and range) over seeds
               {_listed(seeds)}. Two judges, classifiers of different architecture, were trained by
               minigan on MNIST digits that are not in the package (`train_judges.py`;
               {' and '.join(judges)} % of the test digits right); "recognised" is what both name
               alike with probability 0.9 or more. The first row is the floor: test digits
               themselves."""),
        *_digits_table(rows), "",
        *prose(f"""The Frechet distance is in the features of our own judge: it is not an FID and
               cannot be compared with one. The minutes are for two quiet cores: for
               {_listed(by_clock)} wall clock of the whole command, for the others steps times the
               time of a step. The conditional GAN is good long before its end: after
               {early['steps']:,} steps, {early['minutes']:g} minutes, {early['recognised']:g} are
               recognised and {early['label right']:g} of the labels are right."""),
        *prose(f"""Before you conclude anything about methods: WGAN-GP had fewer updates of G here
               than DCGAN (a step is one of its critic's, and two make one of G's), `gan` and
               `wgan` see 256 images a step, the others 64, and each had a budget of minutes. In
               the comparison of Lucic et al. 2018, which searched settings for each method,
               WGAN-GP is the worst GAN of the table on MNIST (FID {fid['WGAN-GP']:g};
               {fid['non-saturating GAN']:g} for the non-saturating GAN) and WGAN with clipping is
               the best one ({fid['WGAN with clipping']:g}). So it is here, with large batches and
               a wide bound: {other['settings']} came to {other['recognised']:g} in
               {other['steps']:,} steps (seed {other['seed']})."""),
        "`python benchmarks/digits.py --full`", "",
        *prose(f"""{_machine(machines)}
               The machine was busy, which costs time and changes no sample. cgan, dcgan and
               wgan-gp were trained before steps were captured.""")]


def _digits_table(rows: list[Entry]) -> list[str]:
    """A row for each model, the most recognised first, under one for real digits."""
    real = reference().floors
    minutes = notes("minutes")
    floors = [f"*{real[name] * factor:.{places}f}{unit}*"
              for name, _, places, factor, unit in DIGITS]
    body = [["*real test digits*", "", *floors, ""]]

    models = by_model(rows)
    for name in sorted(models, key=lambda name: -_mean(models[name], "recognised")):
        seeds = models[name]
        model, _, preset = name.partition(":")
        cells = []
        for column, _, places, factor, unit in DIGITS:
            values = [row[column] for row in seeds if column in row]
            cells.append(f"{spread(values, places, factor)}{unit}" if values else "")
        passed = sum(not row["failed"] for row in seeds)
        length = f"{seeds[0]['steps']:,}, {minutes[name]['value']:g}"
        body.append([f"`{model} --preset {preset}`", length, *cells, f"{passed} of {len(seeds)}"])

    words = [words for _, words, *_ in DIGITS]
    return markdown(["model", "steps, minutes", *words, "passes"], body)


def by_model(rows: list[Entry]) -> dict[str, list[Entry]]:
    """Rows of digits by model and preset, as "cgan:conv"."""
    found: dict[str, list[Entry]] = {}
    for row in rows:
        found.setdefault(f"{row['model']}:{row['preset']}", []).append(row)
    return found


def _mean(rows: list[Entry], name: str) -> float:
    return sum(row[name] for row in rows) / len(rows)


def _listed(things: Iterable[Any]) -> str:
    """Words in a sentence: a, b and c."""
    *most, last = map(str, things)
    return f"{', '.join(most)} and {last}" if most else last


def _machine(rows: list[Entry]) -> str:
    """Date, processor and versions that all rows share."""
    def all_of(name: str) -> str:
        return ", ".join(sorted({str(row[name]) for row in rows if row.get(name)})) or UNKNOWN

    return (f"Date: {all_of('date')}. {all_of('processor')}; BLAS: {all_of('blas')}; "
            f"Python {all_of('python')}; NumPy {all_of('numpy')}.")


POINTS = ("found", "near", "reverse_kl", "least_share", "deviation")


ATTRIBUTES = ("boldness", "slant", "width", "height")


def editing() -> list[str]:
    """Real digits in latent space."""
    rows = read("editing.jsonl")
    found, other, ten = [next(row for row in rows if row["what"] == what)
                         for what in ("inversion", "settings", "relabel")]
    hand = _listed(f"{ten[name]:.2f} ({name})" for name in ATTRIBUTES)
    return [
        "## Real digits in latent space", "",
        *prose(f"""`minigan edit` on {found['n']} test digits of MNIST, {found['n'] // 10} a class,
               which are not in the package, with its generator. Errors are the root of the mean
               square on [-1, 1], the mean over pictures: **{found['error']:.3f}** after the
               descent, {found['nearest']:.3f} for the nearest of the draws (the ceiling) and
               {found['own']:.3f} for the generator's own pictures (the floor). The worst digit has
               {found['worst']:.2f}. The latents have the length {found['length']:.2f}, at most
               {found['longest']:.2f}; {found['due']:.2f} is due. In {found['named']:.1%} of the
               pictures found, both judges see the digit. With half of the steps the error is
               {other['error, 100 steps']:.3f}, with a judge's features
               {other['error, judge']:.3f}. Without labels, the right one is found for
               {other['label found']:.0%} (error {other['error, label looked for']:.3f})."""),
        *prose(f"""With the ten labels, both judges see the digit asked for in
               **{ten['named']:.1%}** of {ten['n']:,} pictures, {ten['named, worst digit']:.0%} for
               the worst digit. Is it the same hand? Correlations with the original, within pairs
               of a digit and a label: {hand}."""),
        *prose("""What changes in these digits along directions of attributes, from an amount of -2
               to 2; in brackets the same in standard deviations of drawn digits:"""),
        *_moves_table([row for row in rows if row["what"] == "move"]), "",
        *prose(f"""{found['n']} digits took {found['seconds']:.0f} s on {found['threads']} threads,
               {found['processor_seconds']:.0f} s of processor time."""),
        "`python benchmarks/editing.py`, with MNIST in `MINIGAN_DATA`", "",
        *prose(_machine([{**row["environment"], "date": row["date"]} for row in rows]))]


def _moves_table(rows: list[Entry]) -> list[str]:
    """A row for each direction: what changes, in the attributes' units and in spreads."""
    body = []
    for row in rows:
        cells = [f"{row[name]:+.2f} ({row[f'{name}, spreads']:+.2f})" for name in ATTRIBUTES]
        body.append([row["direction"], *cells])
    return markdown(["direction", *ATTRIBUTES], body)


def points() -> list[str]:
    """Points in the plane."""
    rows = read("toy.jsonl")
    spent = sum(row["processor_seconds"] for row in rows) / 60
    least, most = modes.DEVIATIONS
    near = 1 - math.exp(-4.5)  # of a Gaussian in the plane, within 3 sigma
    lines = [
        "## Points in the plane", "",
        "![Level sets of the critic and samples over time](../examples/pictures/toy-grid.png)", "",
        *prose(f"""{rows[0]['seeds']} seeds a row, mean (range). A mode is found if one of 2,500
               samples is within 3 sigma of it; {near:.1%} of real points are so near to one. A row
               is within bounds where all modes are found, the reverse KL is at most
               {modes.MAX_REVERSE_KL:g}, the least mode has {modes.MIN_LEAST_SHARE:.2f} of its due
               or more, and the deviation within modes is {least:g} to {most:g} of the true one:
               eight *points* would score 8 of 8 and 100 %. The rows in italics are
               published; their networks, budgets and trials are their papers' own (presets
               `veegan` and `pacgan`, which were not trained for this table).""")]
    for name in dict.fromkeys(row["points"] for row in rows):
        lines += [*_points_table(name, [row for row in rows if row["points"] == name]), ""]
    sources = dict.fromkeys(row["source"] for row in [*published("ring"), *published("grid")])
    return [
        *lines,
        *prose(f"Published rows: {_listed(sources)}."),
        f"`python benchmarks/toy_table.py --seeds {rows[0]['seeds']}`", "",
        *prose(f"{_machine(rows)} {spent:.0f} minutes of processor time.")]


def _points_table(name: str, rows: list[Entry]) -> list[str]:
    real = real_points(Plan(name))
    floors = summary([real])
    body = [["*real points*", *[cell(field, floors[field]) for field in POINTS], ""]]
    for row in rows:
        body.append([row["loss"], *[cell(field, row[field]) for field in POINTS],
                     f"{row['within_bounds']} of {row['seeds']}"])
    for row in published(name):
        kl = f"{row['reverse_kl']:.2f}" if "reverse_kl" in row else ""
        body.append([f"*{row['name']}*", f"{row['found']:g}", f"{row['near']:g}%", kl, "", "", ""])
    return markdown([f"{name}, {real.modes} modes", "modes found", "within 3 sigma", "reverse KL",
                     "least share", "deviation", "within bounds"], body)


def stacked() -> list[str]:
    """Stacked MNIST: the recipe, and what papers report."""
    body = [[row["name"], row["modes"], row["kl"], row["source"], row["how"]]
            for row in published("stacked")]
    chance = 999 / (2 * 26_000)
    return [
        "## A thousand modes: stacked MNIST", "",
        *prose("""Three digits are the red, green and blue of one picture, so there are 1,000 kinds
               of it, and a classifier can count how many a generator makes. **Not yet run in
               full**: this is a recipe for a GPU, of PacGAN's length (128,000 pictures, 50 epochs
               of batches of 64), with 26,000 samples judged."""),
        "```",
        "minigan data get mnist",
        "minigan train dcgan --preset wide28 --data stacked-mnist --steps 100000 --backend cupy "
        "--out runs/stacked-dcgan",
        "minigan train wgan-gp --preset wide28 --data stacked-mnist --steps 100000 --backend cupy "
        "--out runs/stacked-wgan-gp",
        "minigan resume runs/stacked-dcgan          # after any stop, to the same bits",
        "minigan evaluate runs/stacked-dcgan        # the same command goes on after any stop",
        "```", "",
        "On a processor, to see that it works:", "",
        "```",
        "minigan train dcgan --data stacked-mnist --steps 300 --out runs/stacked-smoke",
        "minigan evaluate runs/stacked-smoke --n 1000",
        "```", "",
        *prose("""`--data stacked-mnist` is 128,000 pictures, always the same ones, of MNIST where
               it has been downloaded (`minigan data get mnist`); otherwise of the 5,000 digits in
               the package. It then says so and calls the set `stacked-digits`: its numbers are not
               those of papers."""),
        *prose(f"""A judge names the digit of each colour. `evaluate` prints modes and the reverse
               KL from equal shares, in nats, by three rules (either judge's word, as in papers;
               both alike at 0.9 or more), and beside each its floor, what as many pictures of real
               digits get. 26,000 even samples find all 1,000 and have a KL of about 999 / 52,000 =
               {chance:.3f} from chance alone, so the best published value is close to the end of
               this scale. Counts depend on the classifier and say nothing of quality, copies, or
               variety within a mode."""),
        *markdown(["published, of 1,000", "modes", "KL", "reported in", "samples, classifier"],
                  body), "",
        *prose("""Networks, classifiers and lengths of training differ from row to row: PacGAN has
               1,000 in its own paper and 992 in R3GAN's. Packing and RpGAN with R1 and R2 are in
               `minigan toy`, not yet among the models of pictures, so this recipe has no row for
               them.""")]


def faces() -> list[str]:
    """New pictures found by a generator that was trained on a folder of them."""
    row = read("editing-faces.jsonl")[-1]
    rows = [["the generator's own pictures (floor)", f"{row['floor']:.3f}"],
            ["pictures of the training", f"{row['error_of_known']:.3f}"],
            ["**new pictures**", f"**{row['error']:.3f}**"],
            ["instead of a twin, the nearest picture of the training",
             f"{row['nearest_known']:.3f}"],
            ["the nearest of 500 draws (ceiling)", f"{row['nearest_draw']:.3f}"],
            ["the mean picture", f"{row['mean_picture']:.3f}"]]
    minutes = row["training_seconds"] / 60
    return [
        "## New faces in latent space", "",
        *prose(f"""Olivetti faces (AT&T Laboratories Cambridge), 40 people, 400 pictures: one of
               each person is held out, so the {row['new']} new pictures are of people that the
               generator has seen. A {row['model']} of {row['size']}x{row['size']} was trained on
               the other 360 and their mirror images ({row['step']:,} steps of 32 pictures, four
               layers, {minutes:.0f} minutes on two busy cores), and the new ones were inverted
               with the default settings ({row['processor_seconds']:.0f} s of processor time).
               Errors are root mean squares on [-1, 1]."""),
        *markdown(["", "error"], rows), "",
        *prose(f"""So the twin is nearer than any picture that the generator was trained on, and
               hardly further than for those: it does not draw from memory. Looked at: the light,
               glasses, beards and the set of a face come back, with less contrast; turned heads,
               wide open mouths and reflections do not. The latents are as long
               ({row['length']:.1f} on average) as those that it was trained on
               ({math.sqrt(row['latent']):.0f}). The first three directions of PCA have
               {100 * sum(row['pca'][:3]):.0f} % of the first layer's variance; they change light
               against dark hair and glasses, where the light comes from, and brightness. The faces
               are of real people, so none is shown."""),
        *prose("""`minigan train dcgan --data FOLDER --size 64 --layers 4 --learning-rate 0.0004
               --batch-size 32`, stopped by Ctrl-C, then `python benchmarks/editing_faces.py RUN
               --trained FOLDER --new FOLDER`"""),
        *prose(_machine([{**row, **row["environment"]}]))]


SECTIONS = (steps, batches, unlisted, single_ops, overhead, starts, digits, editing, faces, points,
            stacked)


def text() -> str:
    """The whole page."""
    lines = [
        "# Results", "",
        *prose("""Written by `python benchmarks/make_results.py` from the files in `results/`; do
               not edit. Each section says when and on what it was measured, and the command that
               measures it again; [README](README.md) says how.""")]
    for section in SECTIONS:
        lines += section()
    return "\n".join(lines).rstrip() + "\n"


def headlines() -> dict[str, str]:
    """Numbers that other documents may quote, by name.

    A document quotes one as `0.70<!-- steps / torch, least -->`.
    """
    found = {}
    for rival in ("torch", "torch-tuned"):
        ratios = {row.workload: _ratio(row) for row in bench("steps.jsonl") if row.rival == rival}
        found[f"steps / {rival}, least"] = f"{min(ratios.values()):.2f}"
        found[f"steps / {rival}, most"] = f"{max(ratios.values()):.2f}"
        for name, ratio in ratios.items():
            found[f"{name} / {rival}"] = f"{ratio:.2f}"
    for row in bench("steps.jsonl"):
        if row.rival is None and row.timing:
            found[f"{row.workload}, ms"] = f"{row.timing.ms:.3g}"
    for name, rows in by_model(read("digits.jsonl")).items():
        found[f"{name}, recognised"] = f"{_mean(rows, 'recognised'):.2f}"
        if "label right" in rows[0]:
            found[f"{name}, label right"] = f"{_mean(rows, 'label right'):.2f}"
    for row in read("editing.jsonl"):
        if row["what"] == "inversion":
            found["editing, error"] = f"{row['error']:.2f}"
            found["editing, own"] = f"{row['own']:.3f}"
        if row["what"] == "relabel":
            found["editing, named"] = f"{row['named']:.2f}"
    for name, note in notes("minutes").items():
        found[f"{name}, minutes"] = f"{note['value']:g}"
    row = read("editing-faces.jsonl")[-1]
    for name in ("error", "floor", "nearest_draw", "nearest_known"):
        found[f"faces, {name.replace('_', ' ')}"] = f"{row[name]:.2f}"
    return found


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
    print(f"{PAGE}: {len(text().splitlines())} lines")
