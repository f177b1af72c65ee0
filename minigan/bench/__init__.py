"""Measuring minigan and its rivals: what `minigan bench` does.

Read in this order: `workloads` (what is measured), `worker` and `cells` (one process a cell),
`quiet` and `pairs` (in turn, on a quiet machine), `suite` (which cells), `report` (table, picture).
`floor` times a step's matrix products alone, `operations` single ops, `steady` starts and long
runs; `ours` is minigan's own side, `sides` says where the others are.
"""

from minigan.bench.suite import Plan, compare, ops, overhead, steps

__all__ = ["Plan", "compare", "ops", "overhead", "steps"]
