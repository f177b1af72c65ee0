"""02: the same with tensors: many numbers at once, and what broadcasting does to gradients.

`mg.Tensor` holds an array where example 01 held a number; ops, rules and `grad` are the same. New
is broadcasting: a value that the forward repeats gets the sum of the gradients of its copies.
"""
import importlib
import time

import numpy as np

import minigan as mg
from minigan import ops, plot


# %% One call computes f' at all points: each y depends on its own x only, so the gradient of the
# sum of all y holds the derivatives.
def f(x):
    return x * ops.tanh(x * x)


def derivatives(points):
    x = mg.tensor(points, requires_grad=True)
    y = f(x)
    dy = mg.grad(ops.sum(y), x, create_graph=True)
    ddy = mg.grad(ops.sum(dy), x)
    return np.stack([y.numpy(), dy.numpy(), ddy.numpy()])


# %% The same numbers by the engine of example 01, one after another.
def one_by_one(points):
    scalar = importlib.import_module("01_scalar_graph")
    rows = []
    for x in map(scalar.Number, points.tolist()):
        y = scalar.f(x)
        dy = scalar.grad(y, x)
        rows.append([y.value, dy.value, scalar.grad(dy, x).value])
    return np.transpose(rows)


def timed(function, points):
    start = time.perf_counter()
    return function(points), time.perf_counter() - start


# %% Broadcasting: (4, 1) * (3,) repeats both to (4, 3), so each gradient is a sum over the axis
# along which its tensor was repeated. `backward` adds to `.grad` of leaves; `grad` leaves it alone.
def broadcasting():
    column = mg.tensor([[1.0], [2.0], [3.0], [4.0]], requires_grad=True)
    row = mg.tensor([10.0, 20.0, 30.0], requires_grad=True)
    product = column * row
    loss = ops.sum(product)
    by_column, by_row = mg.grad(loss, [column, row])
    print("column", column.shape, "* row", row.shape, "gives", product.shape)
    print("gradient of the column, 10 + 20 + 30 each: ", by_column.numpy().ravel().tolist())
    print("gradient of the row, 1 + 2 + 3 + 4 each:   ", by_row.numpy().tolist())
    print("row.grad after mg.grad:                    ", row.grad)
    numbers = {"by_column": by_column.numpy().ravel().tolist(), "by_row": by_row.numpy().tolist()}
    for times in ("once", "twice"):
        loss.backward()
        numbers[times] = row.grad.numpy().tolist()
        print(f"row.grad after backward() {times + ':':17}", numbers[times])
    return numbers


# %% All of it; in the picture, lines are minigan's and dots differences of f alone.
def main(quick=False):
    points, h = np.linspace(-2.5, 2.5, 51 if quick else 401), 1e-4
    (many, seconds), (single, longer) = timed(derivatives, points), timed(one_by_one, points)
    numbers = {"difference": float(np.abs(many - single).max()), "times_faster": longer / seconds}
    print(f"f, f' and f'' at {len(points)} points at once: {1000 * seconds:.1f} ms")
    print(f"one by one, example 01's engine: {1000 * longer:.1f} ms")
    print(f"largest difference between the two: {numbers['difference']:.0e}")
    numbers.update(broadcasting())
    dots = points[::len(points) // 25]
    left, middle, right = (f(mg.tensor(dots + step)).numpy() for step in (-h, 0, h))
    figure = plot.lines(
        {"f": (points, many[0]), "f'": (points, many[1]), "f''": (points, many[2])},
        dots={"f'": (dots, (right - left) / (2 * h)),
              "f''": (dots, (right - 2 * middle + left) / h ** 2)}, x_label="x",
        title="f(x) = x tanh(x^2) and its derivatives",
        caption="Lines: all points in one call of grad. Dots: central differences of f.")
    print("picture:", plot.save(figure, "runs/examples/02_tensors.png"))
    return numbers


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Give `row` the shape (1, 3) instead of (3,). What shape has its gradient, and what values?
# 2. Leave out create_graph=True. Which line raises, and what does its message say?
