"""Measuring minigan and its rivals: what `minigan bench` does.

Read in this order: `records` (what goes in and comes out), `workloads` and `operations` (what is
measured), `sides` (by whom), `worker` and `cells` (each side in its own process), `quiet` and
`pairs` (in turn, on a quiet machine), `suite` (which cells, a row for each), `steady` (starts and
long runs), `rows`, `table`, `picture` (what becomes of the rows). `ours` is minigan's own side,
`floor` times a step's matrix products alone, `unlisted` is a network that no preset has.
"""

from minigan.bench.suite import Plan, compare, ops, overhead, steps

__all__ = ["Plan", "compare", "ops", "overhead", "steps"]
