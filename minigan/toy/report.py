"""The scores of a toy run's seeds in lines for people: mean and range, real points, bounds."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Mapping, NamedTuple, Sequence

from minigan.system.console import plural

if TYPE_CHECKING:
    from minigan.metrics.modes import ModeScores


class Row(NamedTuple):
    """How a field of ModeScores is shown."""

    words: str   # its name in the report
    format: str  # of its numbers
    bound: str   # in words, with names of `minigan.metrics.modes` in braces


ROWS = {
    "found": Row("{parts} found, of {modes}", "{:.3g}", "all"),
    "near": Row("samples within 3 sigma", "{:.1%}", ""),
    "reverse_kl": Row("reverse KL", "{:.3f}", "at most {MAX_REVERSE_KL}"),
    "least_share": Row("least share of the {parts}, over its due", "{:.2f}",
                       "at least {MIN_LEAST_SHARE:.2f}"),
    "deviation": Row("deviation within {parts}, over sigma", "{:.2f}",
                     "{DEVIATIONS[0]} to {DEVIATIONS[1]:.0f}"),
}


def summary(scores: Sequence[ModeScores]) -> dict[str, Any]:
    """Mean and range over the seeds by field, and how many seeds are within all bounds.

    This is report.json: {"seeds": 3, "modes": 8, "found": {"mean": ..., "least": ..., "most": ...},
    ..., "within_bounds": 2}.
    """
    fields = {}
    for name in ROWS:
        values = [float(getattr(score, name)) for score in scores]
        fields[name] = {
            "mean": statistics.fmean(values),
            "least": min(values),
            "most": max(values),
        }
    within = sum(not score.failed for score in scores)
    return {"seeds": len(scores), "modes": scores[0].modes, **fields, "within_bounds": within}


def cell(name: str, numbers: Mapping[str, float]) -> str:
    """A field of `summary` as `mean (least to most)`, or as one number if all seeds agree."""
    as_text = ROWS[name].format.format
    mean = as_text(numbers["mean"])
    least = as_text(numbers["least"])
    most = as_text(numbers["most"])
    return mean if least == most else f"{mean} ({least} to {most})"


def lines(scores: Sequence[ModeScores], real: ModeScores, parts: str = "modes") -> list[str]:
    """The report, one line for each field.

    real: the scores of as many real points, printed for comparison. parts: a word for the modes.
    """
    from minigan.metrics import modes
    ours = summary(scores)
    floor = summary([real])
    head = "mean (range)" if len(scores) > 1 else ""
    table = [("", head, "real points", "bound")]
    for name, row in ROWS.items():
        words = row.words.format(parts=parts, modes=real.modes)
        bound = row.bound.format(**vars(modes))
        table.append((words, cell(name, ours[name]), cell(name, floor[name]), bound))
    return [*_aligned(table),
            f"within all bounds: {ours['within_bounds']} of {plural(len(scores), 'seed')}"]


def _aligned(table: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of texts as lines, with columns as wide as their widest text."""
    widths = [max(map(len, column)) for column in zip(*table)]
    aligned = []
    for row in table:
        cells = [text.ljust(width) for text, width in zip(row, widths)]
        aligned.append("  ".join(cells).rstrip())
    return aligned
