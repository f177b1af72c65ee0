"""01: an engine for derivatives of any order, in 45 lines and with nothing but `math`.

A number remembers the op and the numbers that it came from: that is a graph. Each op has a rule
that carries a gradient from its result back to its inputs. The whole trick is that the rules use
the numbers' own ops: so a gradient is again a number with a graph, to be differentiated again.
"""
import math

from minigan import graph, plot

# %% The ops: how to compute each, and its rule, from the gradient g of the result y to those of the
# inputs. Every +, * and - in a rule is one of these ops again.
OPS = {
    "+": (lambda a, b: a + b, lambda g, y, a, b: (g, g)),
    "*": (lambda a, b: a * b, lambda g, y, a, b: (g * b, g * a)),
    "negative": (lambda a: -a, lambda g, y, a: (-g,)),
    "tanh": (math.tanh, lambda g, y, a: (g * (1 - y * y),)),
}


class Number:
    made = 0  # a clock: inputs are older than results

    def __init__(self, value, op="", inputs=()):
        Number.made += 1
        self.value, self.op, self.inputs, self.tick = value, op, inputs, Number.made

    __add__ = __radd__ = lambda a, b: apply("+", a, b)
    __mul__ = __rmul__ = lambda a, b: apply("*", a, b)
    __neg__ = lambda a: apply("negative", a)  # noqa: E731
    __rsub__ = lambda a, b: apply("+", b, -a)  # noqa: E731


def apply(op, *inputs):
    inputs = [x if isinstance(x, Number) else Number(x) for x in inputs]
    return Number(OPS[op][0](*(x.value for x in inputs)), op, inputs)


def below(y):  # every number that y was computed from, and y itself, oldest first
    found, stack = {}, [y]
    while stack:
        n = stack.pop()
        if n.tick not in found:
            found[n.tick] = n
            stack += n.inputs
    return [found[t] for t in sorted(found)]


def grad(y, x):  # dy/dx: from y back to the oldest number, each op's rule once
    gradients = {y: Number(1.0)}
    for n in reversed(below(y)):
        if n.op and n in gradients:
            for a, g in zip(n.inputs, OPS[n.op][1](gradients[n], n, *n.inputs)):
                gradients[a] = gradients[a] + g if a in gradients else g
    return gradients[x]


# %% A function, and its picture.
def f(x):
    return x * apply("tanh", x * x)


def picture(y, x, clock):  # the graph of y; what is younger than `clock` was made by rules
    numbers, nodes = below(y), []
    for n in numbers:
        made = "gradient" if n.tick > clock else "op"
        kind = "output" if n is y else made if n.op else "leaf"
        nodes.append(graph.Node("x" if n is x else n.op or "1", kind,
                                f"{n.value:.4g}" if n.op or n is x else "", n.tick > clock))
    return graph.arrange(nodes, [(numbers.index(a), i) for i, n in enumerate(numbers)
                                 for a in n.inputs], direction="right")


# %% Its derivative, and the derivative of that, beside differences.
def main(quick=False):
    h, rows = 1e-4, []
    print("     x       f(x)      f'(x)  difference     f''(x)  difference")
    for x in map(Number, (-1.5, -0.5, 2.0, 0.7)):
        y = f(x)
        dy = grad(y, x)
        ddy = grad(dy, x)
        left, right = f(Number(x.value - h)).value, f(Number(x.value + h)).value
        rows.append([x.value, y.value, dy.value, (right - left) / (2 * h), ddy.value,
                     (right - 2 * y.value + left) / h ** 2])
        print("{:6.1f} {:10.6f} {:10.6f}  {:10.6f} {:10.6f}  {:10.6f}".format(*rows[-1]))
    nodes = [len(below(n)) for n in (y, dy, ddy)]
    print("numbers in the graphs of f, f' and f'':", *nodes)
    figure = plot.graph(picture(y, x, y.tick), picture(dy, x, y.tick),
                        titles=["f(x) = x tanh(x^2)", "f'(x), made by the rules of the same ops"])
    print("picture:", plot.save(figure, "runs/examples/01_scalar_graph.png"))
    return {"rows": rows, "nodes": nodes}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. In the rule of tanh write Number(1 - y.value ** 2) for (1 - y * y). Is f' right? And f''?
# 2. Differentiate ten times. How many numbers has the last graph?
