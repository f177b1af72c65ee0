"""The graph room: what becomes a node, how it is laid out, and the same as text."""
from __future__ import annotations

import re

import numpy as np
import pytest

import minigan as mg
from minigan import graph, ops, plot
from minigan.graph.coordinates import fit
from minigan.graph.layers import Rows, assign_layers, make_rows
from minigan.graph.ordering import crossings as counted
from minigan.graph.text import escaped


def tensor(shape, name="", seed=0):
    t = mg.tensor(np.random.default_rng(seed).standard_normal(shape), requires_grad=True)
    t.name = name
    return t


def critic(depth=2, width=4, prefix=""):
    """A function and its named weights: depth layers, tanh between them."""
    sizes = [3] + [width] * (depth - 1) + [1]
    weights = []
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        weights.append((tensor((n, m), f"{prefix}{i}.weight", i),
                        tensor((m,), f"{prefix}{i}.bias")))

    def f(x):
        for i, (w, b) in enumerate(weights):
            x = x @ w + b
            x = ops.tanh(x) if i < depth - 1 else x
        return x
    return f, [t for pair in weights for t in pair]


def penalty(depth=2):
    """A gradient penalty with its weights and its input."""
    f, weights = critic(depth)
    x = tensor((5, 3), "x")
    gx = mg.grad(ops.sum(f(x)), x, create_graph=True)
    return ops.mean((ops.norm(gx, axis=1) - 1) ** 2), weights, x


def check(g):
    """Check what holds for every layout: edges go forward, boxes are apart, curves end at boxes."""
    down = g.direction == "down"
    for edge in g.edges:
        a, b = g.nodes[edge.source], g.nodes[edge.target]
        assert a.layer < b.layer
        assert a.y + a.height / 2 < b.y - b.height / 2 if down else (
            a.x + a.width / 2 < b.x - b.width / 2)
        (x0, y0), (x1, y1) = edge.points[0], edge.points[-1]
        if down:
            assert abs(x0 - a.x) <= a.width / 2 and y0 == pytest.approx(a.y + a.height / 2)
            assert abs(x1 - b.x) <= b.width / 2 and y1 == pytest.approx(b.y - b.height / 2)
        ways = [p[1] if down else p[0] for p in edge.points]
        assert ways == sorted(ways)
    for layer in {n.layer for n in g.nodes}:
        row = sorted((n.x, n.width) if down else (n.y, n.height)
                     for n in g.nodes if n.layer == layer)
        for (at, size), (after, next_size) in zip(row, row[1:]):
            assert after - at >= (size + next_size) / 2
    for n in g.nodes:
        assert n.width / 2 <= n.x + 1e-9 and n.x + n.width / 2 <= g.width + 1e-9
        assert n.height / 2 <= n.y + 1e-9 and n.y + n.height / 2 <= g.height + 1e-9
    return g


def kinds(g):
    return sorted(n.kind for n in g.nodes)


def crossings(points):
    """Pairs of straight edges between two rows that cross, by definition."""
    return sum((a - c) * (b - d) < 0 for a, b in points for c, d in points) // 2


# What is drawn.

def test_a_function_and_its_numbers():
    x, w = tensor((3,), "x"), tensor((2, 3), "0.weight")
    y = ops.sum(ops.leaky_relu(1 - x * w * 2, 0.2) ** 3)
    g = check(graph.layout(y))
    assert [n.label for n in g.nodes] == ["x", "0.weight", "*", "* 2", "1 -", "leaky_relu 0.2",
                                          "** 3", "sum"]
    assert kinds(g) == sorted(["leaf", "parameter", *["op"] * 5, "output"])
    assert [n.detail for n in g.nodes][:3] == ["(3,)", "(2,3)", "(2,3)"]
    assert g.nodes[-1].detail == f"{y.item():.4g}" and len(g.edges) == 7


def test_a_number_used_twice_has_two_edges():
    x = tensor((), "x")
    g = check(graph.layout(x * x))
    assert [(e.source, e.target) for e in g.edges] == [(0, 1), (0, 1)]
    assert g.edges[0].points != g.edges[1].points


def test_nodes_of_a_gradient_are_told_apart():
    x = tensor((), "x")
    y = x * ops.tanh(x * x)
    gx = mg.grad(y, x, create_graph=True)
    g = check(graph.layout(gx, names={"x": x}))
    forward = [n.label for n in g.nodes if n.kind == "op"]
    assert forward == ["*", "tanh"]
    assert sum(n.kind == "gradient" for n in g.nodes) >= 6
    assert [n.gradient for n in g.nodes if n.kind == "output"] == [True]
    assert {n.label for n in g.nodes if n.kind == "leaf"} == {"x", "1"}
    assert all(e.gradient == g.nodes[e.target].gradient for e in g.edges)
    assert not any(n.gradient for n in graph.layout(y).nodes)


def test_sums_and_copies_of_gradients_are_gradients_too():
    x = mg.tensor(np.ones((2, 3)), requires_grad=True)
    y = ops.sum(ops.exp(x) + ops.square(x))
    gx = mg.grad(y, x, create_graph=True)                              # adds two contributions up
    assert gx.op.name == "add" and gx.within.name == "add"
    copied = mg.grad(ops.sum(ops.reshape(x, (6,)) * y), x, create_graph=True)
    for g in (gx, copied):
        nodes = graph.layout(g, inputs=[x, y]).nodes
        assert [n.gradient for n in nodes if n.kind == "output"] == [True]
        assert not any(n.kind == "op" for n in nodes if n.label == "+")


def test_a_product_says_which_operand_is_transposed():
    w = tensor((3, 4), "0.weight")
    x = tensor((2, 3), "x")
    gx, gw = mg.grad(ops.sum(ops.tanh(x @ w)), [x, w], create_graph=True)
    labels = {n.label for n in graph.layout([gx, gw]).nodes}
    assert {"@", "@ .T", ".T @"} <= labels


def test_names_constants_and_stops():
    x, c = tensor((3,)), mg.tensor(np.ones(3))
    h = ops.exp(x)
    y = ops.sum(h * c)
    assert [n.label for n in graph.layout(y).nodes][:2] == ["input", "constant"]
    named = graph.layout(y, names={"z": x, "weights": c, "energy": y})
    assert [n.label for n in named.nodes] == ["z", "weights", "exp", "*", "energy = sum"]
    assert [n.label for n in graph.layout(y, constants=False).nodes] == ["input", "exp", "*", "sum"]
    stopped = check(graph.layout(y, inputs=h, constants=False))
    assert [(n.label, n.kind) for n in stopped.nodes] == [("input", "leaf"), ("*", "op"),
                                                          ("sum", "output")]
    only = graph.layout(c, constants=False)
    assert [n.kind for n in only.nodes] == ["leaf"]


def test_a_parameter_is_known_by_its_role_or_its_name():
    layer = mg.nn.Dense(3, 2)
    y = layer(tensor((4, 3), "x").astype("float32"))
    before = graph.layout(y)
    assert kinds(before).count("parameter") == 2
    layer.name_parameters("critic.0")
    labels = {n.label for n in graph.layout(y).nodes if n.kind == "parameter"}
    assert labels == {"critic.0.weight", "critic.0.bias"}
    assert {n.group for n in graph.layout(y).nodes} == {"", "critic.0"}


@pytest.mark.parametrize("outputs, options, error", [
    ([], {}, TypeError), ([1.0], {}, TypeError), (None, {"inputs": [3]}, TypeError),
    (None, {"direction": "up"}, ValueError)])
def test_bad_input_is_named(outputs, options, error):
    y = tensor((), "x") * 2
    with pytest.raises(error, match="layout: "):
        graph.layout(y if outputs is None else outputs, **options)


# Layers that are collapsed.

def test_layers_of_a_large_graph_become_boxes():
    loss, weights, x = penalty(depth=6)
    gradients = mg.grad(loss, weights[:-1], create_graph=True)
    whole = check(graph.layout(gradients, collapse=False))
    assert len(whole.nodes) > graph.MANY
    boxes = check(graph.layout(gradients))
    assert len(boxes.nodes) < len(whole.nodes) / 2
    assert sum(n.kind == "output" for n in boxes.nodes) == len(gradients)
    assert "x" in {n.label for n in boxes.nodes}
    piles = [n for n in boxes.nodes if n.members > 1]
    assert {f"layer {i}" for i in range(6)} <= {n.label for n in piles}
    assert {n.kind for n in piles} == {"op", "gradient"}
    first = next(n for n in piles if n.label == "layer 0")
    assert first.kind == "op" and first.detail == "3 ops: matmul, tanh" and first.members == 5


def test_a_gradient_belongs_to_the_layer_whose_values_it_reads():
    w, v, x = tensor((3, 4), "0.weight"), tensor((4, 1), "2.weight"), tensor((5, 3), "x")
    y = ops.sum(ops.leaky_relu(x @ w) @ v)
    gx = mg.grad(y, x, create_graph=True)
    loss = ops.sum(ops.exp(gx))  # forward again, of a gradient
    made = {(n.label, n.gradient): n.group for n in graph.layout(loss).nodes}
    assert made["@", False] == "0"  # what leaky_relu made is not in it: its rule reads its input
    assert made["gate 0.01", True] == "0" and made["exp", False] == ""
    assert {n.group for n in graph.layout(y).nodes if n.kind == "output"} == {"2"}


def test_a_network_used_twice_gives_no_cycle():
    f, _ = critic(depth=2, prefix="critic.")
    back = tensor((1, 3), "glue")
    x = tensor((5, 3), "x")
    g = check(graph.layout(ops.sum(f(f(x) @ back)), collapse=True))
    assert [n.label for n in g.nodes].count("critic.0") == 2


def test_random_groups_never_make_a_cycle():
    random = np.random.default_rng(0)
    for _ in range(30):
        pool = [tensor((), f"{random.integers(3)}.w{i}") for i in range(4)]
        leaves = list(pool)
        for _ in range(25):
            a, b = random.integers(len(pool), size=2)
            pool.append(pool[a] * pool[b])
        g = check(graph.layout(pool[-1], collapse=True))
        assert g.nodes and sum(n.kind == "output" for n in g.nodes) == 1
        assert len(leaves) == 4


# The layout itself.

def test_random_graphs_keep_every_rule():
    random = np.random.default_rng(1)
    for count in (1, 2, 10, 40):
        for direction in ("down", "right"):
            nodes = [graph.Node("n" * int(random.integers(1, 20)), detail="d" * int(i % 3))
                     for i in range(count)]
            pairs = {tuple(sorted(random.integers(count, size=2))) for _ in range(2 * count)}
            edges = [(int(a), int(b)) for a, b in sorted(pairs) if a != b]
            order = random.permutation(count)  # edges need not follow the nodes' order
            edges = [(int(order[a]), int(order[b])) for a, b in edges]
            g = check(graph.arrange(nodes, edges, direction))
            assert len(g.edges) == len(edges) and len(g.nodes) == count


def test_avoidable_crossings_are_avoided():
    # Two combs, given entangled: 0..4 to 9..5, each row reversed.
    nodes = [graph.Node(str(i)) for i in range(10)]
    g = check(graph.arrange(nodes, [(i, 9 - i) for i in range(5)]))
    assert crossings([(g.nodes[e.source].x, g.nodes[e.target].x) for e in g.edges]) == 0
    assert all(g.nodes[e.source].x == pytest.approx(g.nodes[e.target].x) for e in g.edges)
    tree = [graph.Node(str(i)) for i in range(15)]
    edges = [((i - 1) // 2, i) for i in (14, 7, 3, 9, 1, 12, 5, 11, 2, 8, 13, 4, 10, 6)]
    g = check(graph.arrange(tree, edges))
    for layer in (0, 1, 2):
        assert crossings([(g.nodes[e.source].x, g.nodes[e.target].x) for e in g.edges
                          if g.nodes[e.source].layer == layer]) == 0


def test_an_edge_bends_where_it_passes_a_layer():
    edges = [(0, 1), (1, 2), (0, 2)]
    layers, longest_paths = assign_layers(3, edges)
    assert layers == [0, 1, 2] and longest_paths == {(0, 1), (1, 2)}
    rows = make_rows(layers, edges)
    assert rows.rows == [[0], [1, 3], [2]] and rows.bends == [[], [], [3]]
    assert rows.above == [[], [0], [1, 3], [0]] and rows.below == [[1, 3], [2], [], [2]]
    assert (rows.nodes, rows.slots) == (3, 4)


def test_an_input_lies_just_above_its_first_result():
    layers, _ = assign_layers(4, [(0, 1), (1, 2), (3, 2)])
    assert layers == [0, 1, 2, 1]


def test_counting_crossings_agrees_with_the_definition():
    random = np.random.default_rng(2)
    for _ in range(20):
        ends = random.integers(8, size=(12, 2))
        below = [[] for _ in range(16)]
        for a, b in ends:
            below[a].append(8 + b)
        position = [float(i % 8) for i in range(16)]
        rows = [list(range(8)), list(range(8, 16))]
        slots = Rows(rows, [], below, [], 16)
        assert counted(slots, position) == crossings(ends.tolist())


def test_the_fit_is_the_least_squares_fit():
    random = np.random.default_rng(3)
    for _ in range(50):
        wishes, weights = random.normal(size=6), random.uniform(0.5, 3, size=6)
        fitted = np.array(fit(wishes.tolist(), weights.tolist()))
        assert (np.diff(fitted) >= -1e-12).all()
        cost = (weights * (fitted - wishes) ** 2).sum()
        for _ in range(20):  # no other non-decreasing sequence is nearer
            other = np.sort(fitted + 0.05 * random.normal(size=6))
            assert (weights * (other - wishes) ** 2).sum() >= cost - 1e-12


def test_a_long_edge_is_straight():
    nodes = [graph.Node(str(i)) for i in range(12)]
    g = check(graph.arrange(nodes, [(i, i + 1) for i in range(11)] + [(0, 11)]))
    long = next(e for e in g.edges if (e.source, e.target) == (0, 11))
    assert len(long.points) == 22 and len({round(x, 6) for x, _ in long.points[1:-1]}) == 1
    assert np.ptp([n.x for n in g.nodes[1:-1]]) < 0.2


def test_a_cycle_is_refused_and_an_empty_graph_is_not():
    with pytest.raises(ValueError, match="cycle"):
        graph.arrange([graph.Node("a"), graph.Node("b")], [(0, 1), (1, 0)])
    assert graph.arrange([], []).nodes == []


def test_a_chain_of_ten_thousand():
    x = tensor((), "x")
    y = x
    for _ in range(10_000):
        y = ops.tanh(y)
    g = graph.layout(y, collapse=False)
    assert len(g.nodes) == 10_001 and max(n.layer for n in g.nodes) == 10_000
    assert [n.detail for n in graph.layout(y).nodes][1] == "9,999 ops"
    assert ink(plot.graph(graph.layout(y))) > 1000
    y = x
    for _ in range(2_500):
        y = ops.tanh(y)
    gx = graph.layout(mg.grad(y, x, create_graph=True), collapse=False)
    assert len(gx.nodes) > 10_000 and all(
        gx.nodes[e.source].layer < gx.nodes[e.target].layer for e in gx.edges)


# Pictures and text.

def ink(figure):
    return int((plot.pixels(figure) < 250).any(axis=2).sum())


@pytest.mark.parametrize("direction", ["down", "right"])
def test_the_picture_is_drawn(tmp_path, direction):
    loss, weights, x = penalty()
    path = tmp_path / "graph.png"
    figure = graph.draw(loss, path, title="Penalty", caption="Of a critic.", direction=direction)
    assert path.read_bytes().startswith(b"\x89PNG") and ink(figure) > 20_000
    texts = {t.get_text() for t in figure.axes[0].texts}
    assert {"Penalty", "Of a critic.", "forward", "backward", "parameter", "0.weight"} <= texts
    drawn = plot.pixels(figure).astype(int) @ [1 << 16, 1 << 8, 1]
    for kind in ("op", "gradient", "parameter"):
        assert (drawn == int(plot.FILL[kind][1:], 16)).sum() > 500


def test_several_graphs_share_a_picture():
    x = tensor((), "x")
    y = ops.tanh(x)
    pair = [graph.layout(t) for t in (y, mg.grad(y, x, create_graph=True))]
    one, both = plot.graph(pair[0]), plot.graph(*pair, titles=["f", "f'"])
    assert ink(both) > 2 * ink(one) * 0.9
    assert {"f", "f'"} <= {t.get_text() for t in both.axes[0].texts}


def test_a_long_caption_stays_within_the_picture():
    loss, _, _ = penalty()
    figure = plot.graph(graph.layout(loss), caption="Of a critic. " * 20)
    figure.draw_without_rendering()
    right = [text.get_window_extent().x1 for text in figure.axes[0].texts]
    assert max(right) < figure.bbox.x1


def test_a_huge_picture_is_drawn_smaller():
    nodes = [graph.Node("a long label", detail="and a detail") for _ in range(300)]
    figure = plot.graph(graph.arrange(nodes, [(i, i + 1) for i in range(299)]))
    assert max(figure.get_size_inches()) <= plot.LARGEST * (1 + 1e-9)


def test_graphviz_text():
    x = tensor((3,), 'a "quoted" name')
    gx = mg.grad(ops.sum(ops.tanh(x)), x, create_graph=True)
    g, text = graph.layout(gx), graph.to_dot(gx)
    assert text.startswith("digraph minigan {") and text.endswith("}\n") and text.isascii()
    assert len(re.findall(r"^  n\d+ \[label=", text, re.M)) == len(g.nodes)
    assert re.findall(r"^  n(\d+) -> n(\d+);$", text, re.M) == [
        (str(e.source), str(e.target)) for e in g.edges]
    assert '[label="a \\"quoted\\" name\\n(3,)"' in text
    assert text.count(plot.FILL["gradient"]) == sum(n.gradient and n.kind != "leaf"
                                                    for n in g.nodes)
    assert text.count("penwidth=3") == 1 and "rankdir=LR" in graph.to_dot(gx, direction="right")


def test_mermaid_text():
    x = tensor((3,), "x")
    y = ops.sum(x * 2)
    text = graph.to_mermaid(y)
    assert text.splitlines()[:4] == ["graph TD", '  n0["x<br>(3,)"]:::leaf',
                                     '  n1["#42; 2<br>(3,)"]:::op',
                                     f'  n2["sum<br>{escaped(f"{y.item():.4g}")}"]:::op']
    assert "  n0 --> n1" in text and "  n1 --> n2" in text and text.count("classDef") == 2
    gx = mg.grad(ops.sum(ops.tanh(x)), x, create_graph=True)
    assert ":::gradient" in graph.to_mermaid(gx) and graph.to_mermaid(gx).isascii()


def test_a_layout_keeps_no_tensor_alive():
    import weakref
    x = tensor((3,), "x")
    y = ops.exp(x)
    watched = weakref.ref(y)
    g = graph.layout(y)
    del y
    assert watched() is None and len(g.nodes) == 2
