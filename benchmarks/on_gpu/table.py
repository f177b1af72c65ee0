"""What was measured, as a table in Markdown."""

from __future__ import annotations

from typing import Any, Iterable

from on_gpu.workloads import PRECISIONS, WORKLOADS, Workload

PROTOCOL = 15_625  # steps of batch 64: 20 epochs of 50,000 MNIST images (Lucic et al. 2018)
HEADS = ("workload", "batch", "precision", "captured, ms", "eager, ms", "PyTorch eager, ms",
         "PyTorch graph, ms", "captured / PyTorch eager (target)",
         "captured / PyTorch graph (target)", "15,625 steps, s", "NumPy / captured")

Measured = dict[tuple[str, str, int, str, str], float]  # side, workload, batch, precision, form


def table(rows: Iterable[dict[str, Any]]) -> str:
    """A line for each workload and precision that was measured; ratios under 1 are in our favour.

    rows: as they are in the output; of several of the same thing the last counts.
    """
    ms: Measured = {}
    for row in rows:
        if row.get("kind") == "speed" and "ms" in row:
            key = (row["side"], row["workload"], row["batch"], row["precision"], row["form"])
            ms[key] = row["ms"]
    lines = [_line(HEADS), "| --- " * len(HEADS) + "|"]
    for load in WORKLOADS:
        for precision in PRECISIONS:
            cells = _cells(ms, load, precision)
            if cells:
                lines.append(_line(cells))
    return "\n".join(lines)


def _cells(ms: Measured, load: Workload, precision: str) -> list[str]:
    """The cells of one line; none if nothing was measured on the GPU."""
    def of(side: str, form: str, precision: str = precision) -> float | None:
        return ms.get((side, load.label, load.batch, precision, form))

    captured = of("minigan", "captured")
    eager = of("minigan", "eager")
    theirs = of("pytorch", "eager")
    graph = of("pytorch", "graph")
    if not (captured or eager or theirs or graph):
        return []
    protocol = "-"
    if captured and load.batch == 64:
        protocol = f"{captured * PROTOCOL / 1e3:.1f}"
    return [load.label, str(load.batch), precision,
            _ms(captured), _ms(eager), _ms(theirs), _ms(graph),
            f"{_ratio(captured, theirs)} ({load.eager_target:g})",
            f"{_ratio(captured, graph)} ({load.graph_target:g})",
            protocol,
            _ratio(of("cpu", "eager", "fp32"), captured)]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _ms(value: float | None) -> str:
    return f"{value:.3f}" if value else "-"


def _ratio(a: float | None, b: float | None) -> str:
    return f"{a / b:.2f}" if a and b else "-"
