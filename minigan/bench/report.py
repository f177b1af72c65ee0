"""Rows as JSON lines, as a table, and as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigan import plot
from minigan.bench.sides import present
from minigan.system.console import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = dict[str, Any]
Key = tuple[str, int]
Notes = dict[str, dict[str, None]]  # why something was not measured, and which sides that are
FACTS = ("processor", "threads", "blas", "python")


def add(row: Row, path: Path) -> None:
    """Append a row to a file, as one line written at once: a killed run keeps what it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def load(path: Path) -> list[Row]:
    """The rows of such a file.

    Raises:
        ValueError: a line is no row; names it.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            row["workload"]
            row["side"], row["rival"] = present(row["side"]), present(row.get("rival"))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"{path}, line {number}, is no row of minigan bench") from None
        rows.append(row)
    return rows


def latest(rows: list[Row]) -> list[Row]:
    """Of rows that measure the same, the last."""
    return list({(r["workload"], r.get("batch"), r["side"], r.get("rival")): r
                 for r in rows}.values())


def table(rows: list[Row]) -> str:
    """The ratios as a Markdown table, a row a workload, with notes under it."""
    rows = latest(rows)
    if any("at" in row for row in rows):
        return flat_table(rows)
    if any("first_step_ms" in row for row in rows):
        return start_table(rows)
    rivals = list(dict.fromkeys(row["rival"] for row in rows if row.get("rival")))
    by_key: dict[Key, dict[Any, Row]] = {}
    for row in rows:
        by_key.setdefault((row["workload"], row["batch"]), {})[row["rival"]] = row
    notes: Notes = {}
    paired = any(str(rival).endswith("+plain") for rival in rivals)
    subject = "step" if paired else rows[0]["side"]
    head = ["workload", "batch", *([] if paired else [f"{subject}, ms", "floor, ms"]),
            *([f"{r.removesuffix('+plain')}: penalty / plain" if paired else f"{subject} / {r}"
               for r in rivals]), *([] if paired else ["MB above import"])]
    lines = [head, ["---"] * len(head)]
    for (name, batch), found in by_key.items():
        lines.append([name, str(batch)]
                     + ([] if paired else [_time(found, notes), _floor(found.get(None, {}))])
                     + [_ratio(found.get(rival), notes) for rival in rivals]
                     + ([] if paired else [_memory(found)]))
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n".join([text, "", *_legend(rows), *_said(notes)])


def _time(found: dict[Any, Row], notes: Notes) -> str:
    row = found.get(None, {})
    if "ms" not in row:
        return _missing(row, notes)
    return f"{row['ms']:.3g}" + "*" * bool(row.get("busy"))


def _floor(row: Row) -> str:
    if "floor_ms" not in row or "ms" not in row:
        return "-"
    return f"{row['floor_ms']:.3g} ({row['floor_ms'] / row['ms']:.0%})"


def _ratio(row: Row | None, notes: Notes) -> str:
    if row is None:
        return ""
    if "ratio" not in row:
        return _missing(row, notes)
    return f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})" + "*" * bool(row["busy"])


def _missing(row: Row, notes: Notes) -> str:
    if row:
        sides = notes.setdefault(row.get("missing", "not measured"), {})
        sides[row["rival"] or row["side"]] = None
    return "-"


def _said(notes: Notes) -> list[str]:
    """A line a reason, with all whom it keeps out."""
    return [f"-: {', '.join(sides)}: {reason}" for reason, sides in notes.items()]


def _memory(found: dict[Any, Row]) -> str:
    """Of the subject and of each rival, by the name of its column."""
    own = found.get(None, {}).get("above_mb")
    rest = [f"{rival} {row['rival_above_mb']:.0f}" for rival, row in found.items()
            if rival and "rival_above_mb" in row]
    return ", ".join(([] if own is None else [f"{own:.0f}"]) + rest) or "-"


def _legend(rows: list[Row]) -> list[str]:
    """What all rows share, and how they were come by."""
    known = {fact: sorted({str(row[fact]) for row in rows if row.get(fact)}) for fact in FACTS}
    versions: dict[str, str] = {}
    for row in rows:
        versions.update(row.get("versions") or {})
    pairs = [row["pairs"] for row in rows if "pairs" in row]
    others = [row["others"] for row in rows if row.get("others") is not None]
    square = [row["square_gflops"] for row in rows if "square_gflops" in row]
    lines = [f"{', '.join(known['processor'])}; threads: {', '.join(known['threads'])}; BLAS: "
             f"{', '.join(known['blas'])}; Python {', '.join(known['python'])}"
             + "".join(f"; {name} {version}" for name, version in versions.items())]
    if pairs:
        discarded = sum(row.get("discarded", 0) for row in rows)
        least = f"{min(pairs)} to " * (max(pairs) > min(pairs))
        lines.append(f"Medians of {least}{plural(max(pairs), 'pair')} in turn, ranges of the ratio "
                     f"in brackets; {plural(discarded, 'pair')} discarded because others were "
                     f"computing"
                     + (f"; others used {max(others):.2f} cores at most (median of a row)"
                        if others else ""))
    if square:
        lines.append(f"Floor: the workload's own matrix products alone, and its share of a step; "
                     f"a product of 2048 x 2048 makes {max(square):.0f} GFLOP/s here")
    if any(row.get("busy") for row in rows):
        lines.append("*: measured while others were computing (--keep-busy)")
    return lines


def start_table(rows: list[Row]) -> str:
    """From a new process to the first step."""
    lines = ["| workload | import of NumPy, ms | + minigan | to the first step's end |",
             "| --- | --- | --- | --- |"]
    notes: Notes = {}
    for row in rows:
        if "first_step_ms" in row:
            lines.append("| {workload} | {numpy_import_ms:.0f} | {import_ms:.0f} | "
                         "{first_step_ms:.0f} |".format(**row))
        else:
            lines.append(f"| {row['workload']} | | | {_missing(row, notes)} |")
    return "\n".join([*lines, "", *_legend(rows), *_said(notes)])


def flat_table(rows: list[Row]) -> str:
    """Long runs: the last quarter beside the second."""
    lines = ["| workload | steps | ms a step | last / second quarter | MB gained after the first |",
             "| --- | --- | --- | --- | --- |"]
    notes: Notes = {}
    for row in rows:
        if "at" in row:
            lines.append(f"| {row['workload']} | {row['steps']} | {row['ms_of_blocks'][-1]:.3g} | "
                         f"{row['time_growth']:.3f} | {row['memory_growth_mb']:.1f} |")
        else:
            lines.append(f"| {row['workload']} | {row['steps']} | {_missing(row, notes)} | | |")
    return "\n".join([*lines, "", *_legend(rows), *_said(notes)])


def picture(rows: list[Row]) -> Figure | None:
    """The ratios with their ranges, a line a workload; of long runs the curves; None if empty."""
    rows = latest(rows)
    runs = [row for row in rows if "at" in row]
    if runs:
        figure, (left, right) = plot.panels(2, 5.0, 3.4, title="Does a step stay what it costs?")
        for on, numbers, title in ((left, "ms_of_blocks", "ms a step"),
                                   (right, "mb_of_blocks", "MB, peak so far")):
            plot.lines({_name(r): (r["at"], r[numbers]) for r in runs}, title=title, x_label="step",
                       from_zero=True, on=on)  # flat is flat only on a scale that begins at 0
        return figure
    found = [row for row in rows if "ratio" in row]
    if not found:
        return None
    series: dict[str, dict[str, tuple[float, float, float]]] = {}
    for row in found:
        series.setdefault(row["rival"], {})[_name(row)] = row["ratio"], row["low"], row["high"]
    penalty = any(name.endswith("+plain") for name in series)
    subject = found[0]["side"]
    return plot.ranges(
        {name.removesuffix("+plain"): values for name, values in series.items()},
        title="A critic's update with the penalty over one without" if penalty else
        f"Time of {subject} over that of each rival", level=1.0,
        caption=("" if penalty else f"Left of 1.0 {subject} is faster. ")
        + "Dots are medians, lines the whole range of the pairs. "
        + "{processor}, threads: {threads}".format(**found[0]))


def _name(row: Row) -> str:
    return row["workload"] + ("" if row["batch"] == 64 else f", batch {row['batch']}")
