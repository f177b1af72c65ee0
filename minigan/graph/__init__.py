"""Pictures of computation graphs: what to draw, and where."""

from minigan.graph.nodes import (MANY, TOO_MANY, Edge, Layout, Node, arrange, draw, layout, to_dot,
                                 to_mermaid)

__all__ = ["Edge", "Layout", "MANY", "Node", "TOO_MANY", "arrange", "draw", "layout", "to_dot",
           "to_mermaid"]
