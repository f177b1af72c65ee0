"""Pictures of computation graphs: of a function, or of its gradient, which is a graph, too.

    draw(y, "graph.png")                                # y and everything it was computed from
    gx = grad(y, x, create_graph=True)
    draw(gx, "gradient.png", names={"x": x})            # what backward rules made looks different
    print(to_dot(gx)), print(to_mermaid(gx))            # the same as text for other tools

Reading order: layers, ordering, coordinates and layered (where to draw a graph, without knowing of
tensors), collapsing and nodes (what to draw of tensors), drawing, text.
"""

from minigan.graph.drawing import draw
from minigan.graph.layered import Edge, Layout, Node, arrange
from minigan.graph.nodes import MANY, TOO_MANY, layout
from minigan.graph.text import to_dot, to_mermaid

__all__ = ["Edge", "Layout", "MANY", "Node", "TOO_MANY", "arrange", "draw", "layout", "to_dot",
           "to_mermaid"]
