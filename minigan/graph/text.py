"""A graph as text for other tools: Graphviz's dot, and Mermaid, which GitHub draws."""

from __future__ import annotations

from typing import Any, Sequence

from minigan import plot
from minigan.engine import Tensor
from minigan.graph.layered import Node
from minigan.graph.nodes import layout


def to_dot(outputs: Tensor | Sequence[Tensor], **options: Any) -> str:
    """The graph in the language of Graphviz. options: those of `layout`.

    Raises:
        TypeError, ValueError: as `layout`.
    """
    graph = layout(outputs, **options)
    direction = "TB" if graph.direction == "down" else "LR"
    lines = ["digraph minigan {",
             f"  rankdir={direction};",
             '  node [shape=box, style="rounded,filled", fontname="Helvetica"];']
    for i, node in enumerate(graph.nodes):
        words = "\\n".join(_quoted(word) for word in _words(node))
        fill = plot.FILL[node.look]
        edge = plot.EDGE[node.look]
        bold = ", penwidth=3" if node.kind == "output" else ""
        lines.append(f'  n{i} [label="{words}", fillcolor="{fill}", color="{edge}"{bold}];')
    for e in graph.edges:
        lines.append(f"  n{e.source} -> n{e.target};")
    lines.append("}")
    return "\n".join(lines) + "\n"


def to_mermaid(outputs: Tensor | Sequence[Tensor], **options: Any) -> str:
    """The graph in the language of Mermaid. options: those of `layout`.

    Raises:
        TypeError, ValueError: as `layout`.
    """
    graph = layout(outputs, **options)
    direction = "TD" if graph.direction == "down" else "LR"
    lines = [f"graph {direction}"]
    for i, node in enumerate(graph.nodes):
        words = "<br>".join(escaped(word) for word in _words(node))
        lines.append(f'  n{i}["{words}"]:::{node.look}')
    for e in graph.edges:
        lines.append(f"  n{e.source} --> n{e.target}")
    for look in sorted({node.look for node in graph.nodes}):
        lines.append(f"  classDef {look} fill:{plot.FILL[look]},stroke:{plot.EDGE[look]}")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text with every character that Mermaid might read as markup written as #NUMBER;."""
    return "".join(c if c.isalnum() or c in " .,()_=:" else f"#{ord(c)};" for c in text)


def _quoted(text: str) -> str:
    """Text as it is written inside dot's quotation marks."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _words(node: Node) -> list[str]:
    """The lines of a box."""
    return [node.label, node.detail] if node.detail else [node.label]
