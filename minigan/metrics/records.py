"""What a test of samples takes, real pictures, and what it returns: a table of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

# Rows whose value must not be above the bound; all others must not be below it.
AT_MOST = {"copies, near", "alike", "error"}


class Real(NamedTuple):
    """Real pictures: uint8 (M, H, W, C) or a `minigan.data.Lazy`, and labels (M,) or None."""

    images: Any
    labels: np.ndarray | None = None


@dataclass(frozen=True)
class Row:
    """One number of a test."""

    part: str                    # of the test, "a" to "e"; empty where no verdict depends on it
    name: str
    value: float
    n: int                       # samples that it was computed from
    bound: float | None = None   # None: only for comparison
    floor: float | None = None   # what real pictures get
    note: str = ""               # what it was compared with, what it cannot see

    @property
    def passed(self) -> bool:
        """Whether the value is within the bound: True without a bound, False for NaN."""
        if self.bound is None:
            return True
        if self.name in AT_MOST:
            return bool(self.value <= self.bound)
        return bool(self.value >= self.bound)

    def line(self) -> str:
        """The row as a line of a table."""
        bound = floor = verdict = note = ""
        if self.bound is not None:
            sign = "<=" if self.name in AT_MOST else ">="
            bound = f"{sign} {self.bound:.2f}"
            verdict = "ok" if self.passed else "FAILS"
        if self.floor is not None:
            floor = _number(self.floor)
        if self.note:
            note = f"; {self.note}"
        return (f"{self.part:3}{self.name:25}{_number(self.value):>7}{bound:>9}{floor:>7}  "
                f"{verdict:7}N = {self.n:,}{note}")

    def record(self) -> dict[str, Any]:
        """The row for JSON, which has no NaN and no infinity: these become None."""
        return {
            "part": self.part,
            "name": self.name,
            "value": self.value if np.isfinite(self.value) else None,
            "n": self.n,
            "bound": self.bound,
            "floor": self.floor,
            "passed": self.passed,
            "note": self.note,
        }


@dataclass(frozen=True)
class Result:
    """All numbers of one set of samples, and each sample's nearest training picture."""

    rows: tuple[Row, ...]
    nearest: np.ndarray    # int64 (N,): indices into the training pictures
    distances: np.ndarray  # float32 (N,): to it

    def __getitem__(self, name: str) -> float:
        """The value of the row of that name.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if row.name == name:
                return row.value
        raise KeyError(name)

    @property
    def failed(self) -> str:
        """The parts that fail, such as "ac"; empty if the samples pass."""
        parts = {row.part for row in self.rows if not row.passed}
        return "".join(sorted(parts))

    @property
    def passed(self) -> bool:
        """Whether every row is within its bound."""
        return not self.failed

    def lines(self) -> list[str]:
        """A table for people: every number with bound, floor, N, and what it was compared with."""
        head = f"   {'':25}{'samples':>7}{'bound':>9}{'floor':>7}"
        return [head, *[row.line() for row in self.rows]]

    def record(self) -> dict[str, Any]:
        """The same for a JSON file."""
        rows = [row.record() for row in self.rows]
        return {"passed": self.passed, "failed": self.failed, "rows": rows}


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
