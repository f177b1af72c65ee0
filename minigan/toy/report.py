"""What the seeds of a toy run scored, in lines for people: mean and range, real points, bounds."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Sequence

from minigan.system.console import plural

if TYPE_CHECKING:
    from minigan.metrics.modes import ModeScores

# By field of ModeScores: what it is called, how its numbers look, and what is asked of it.
ROWS = {
    "found": ("{parts} found, of {modes}", "{:.3g}", "all"),
    "near": ("samples within 3 sigma", "{:.1%}", ""),
    "reverse_kl": ("reverse KL", "{:.3f}", "at most {MAX_REVERSE_KL}"),
    "least_share": ("least share of the {parts}, over its due", "{:.2f}",
                    "at least {MIN_LEAST_SHARE:.2f}"),
    "deviation": ("deviation within {parts}, over sigma", "{:.2f}",
                  "{DEVIATIONS[0]} to {DEVIATIONS[1]:.0f}"),
}


def summary(scores: Sequence[ModeScores]) -> dict[str, Any]:
    """Mean and range over the seeds by field, and how many seeds are within all bounds."""
    fields: dict[str, Any] = {}
    for name in ROWS:
        values = [float(getattr(score, name)) for score in scores]
        fields[name] = {"mean": statistics.fmean(values), "least": min(values), "most": max(values)}
    return {"seeds": len(scores), "modes": scores[0].modes, **fields,
            "within_bounds": sum(not score.failed for score in scores)}


def cell(name: str, numbers: dict[str, float]) -> str:
    """A field of `summary` as `mean (least to most)`, as one number where all seeds agree."""
    mean, least, most = (ROWS[name][1].format(numbers[key]) for key in ("mean", "least", "most"))
    return mean if least == most else f"{mean} ({least} to {most})"


def lines(scores: Sequence[ModeScores], real: ModeScores, parts: str = "modes") -> list[str]:
    """The report, a row a field.

    real: what as many real points score, printed as the floor. parts: what the modes are called.
    """
    from minigan.metrics import modes
    found, floor = summary(scores), summary([real])
    table: list[tuple[str, ...]] = [
        ("", "mean (range)" if len(scores) > 1 else "", "real points", "bound")]
    for name, (words, _, bound) in ROWS.items():
        table.append((words.format(parts=parts, modes=real.modes),
                      *(cell(name, numbers[name]) for numbers in (found, floor)),
                      bound.format(**vars(modes))))
    widths = [max(map(len, column)) for column in zip(*table)]
    rows = ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip()
            for row in table]
    return [*rows, f"within all bounds: {found['within_bounds']} of "
            f"{plural(len(scores), 'seed')}"]
