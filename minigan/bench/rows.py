"""Rows on the disk: JSON lines, each one flat object."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from minigan.bench.records import Facts, Floor, LongRun, Memory, Row, Start, Timing, Versus
from minigan.bench.sides import current_name

Record = TypeVar("Record")
ALWAYS = ("workload", "batch", "side", "rival")  # keys of every row, null or not


def append(row: Row, path: Path) -> None:
    """Add a row to a file as one line, written at once: a killed run keeps what it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(to_json(row)) + "\n")


def read(path: Path) -> list[Row]:
    """The rows of a file, with the sides' names of today.

    Raises:
        ValueError: a line is not a row; names it.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            rows.append(from_json(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"{path}, line {number} is not a row written by `minigan bench`"
                             ) from None
    return rows


def latest(rows: list[Row]) -> list[Row]:
    """Of the rows that measure the same thing, the last one."""
    return list({(row.workload, row.batch, row.side, row.rival): row for row in rows}.values())


def to_json(row: Row) -> dict[str, Any]:
    """A row as one flat object; what it does not have is left out."""
    flat: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name == "rival_memory" and value:
            flat.update({f"rival_{key}": number for key, number in value.items()})
        elif isinstance(value, dict) and name != "versions":
            flat.update(value)
        else:
            flat[name] = value

    flat.update(flat.pop("versus", None) or {})
    if row.start is not None:
        flat["first_step_ms"] = flat.pop("ms")
    empty = [key for key, value in flat.items() if value is None or value == {}]
    for key in empty:
        if key not in ALWAYS:
            del flat[key]
    return flat


def from_json(flat: dict[str, Any]) -> Row:
    """The row of such an object."""
    if "first_step_ms" in flat:
        flat = {**flat, "ms": flat["first_step_ms"]}
    timing = _record(Timing, flat)
    if timing is not None:
        timing = replace(timing, versus=_record(Versus, flat))
    return Row(
        workload=flat["workload"],
        batch=flat["batch"],
        side=current_name(flat["side"]),
        rival=current_name(flat["rival"]) if flat.get("rival") else None,
        missing=flat.get("missing"),
        steps=flat.get("steps"),
        losses_apart=flat.get("losses_apart"),
        timing=timing,
        memory=_record(Memory, flat),
        rival_memory=_record(Memory, flat, "rival_"),
        floor=_record(Floor, flat),
        start=_record(Start, flat),
        long_run=_record(LongRun, flat),
        versions=flat.get("versions") or {},
        facts=_record(Facts, flat) or Facts())


def _record(record: type[Record], flat: dict[str, Any], prefix: str = "") -> Record | None:
    """A record of a row, from the keys that are its fields; None if there are no such keys."""
    names = [field.name for field in fields(record)]  # type: ignore[arg-type]
    values = {name: flat[prefix + name] for name in names if prefix + name in flat}
    return record(**values) if values else None
