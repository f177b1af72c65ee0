"""04: write an op, let gradcheck find the mistake in it, repair it.

The op is softsign, y = x / (1 + |x|), whose derivative is 1 / (1 + |x|)^2. The mistake is the most
common one: the derivative's values are right, but they were computed as a constant, outside the
ops. Training works, the first derivative is right, and a gradient penalty would silently be wrong.
"""
import numpy as np

import minigan as mg
from minigan import gradcheck, ops, plot


# %% An op is a forward on raw arrays (xp is NumPy or CuPy) under the rule that carries a gradient
# back. This rule uses a helper that is itself an op, with None as its rule: "I am a constant".
@mg.op(None)
def constant_slope(xp, x):
    return 1 / (1 + xp.abs(x)) ** 2


@mg.op(lambda gy, y, x: gy * constant_slope(x))
def softsign_wrong(xp, x):
    return x / (1 + xp.abs(x))


# %% Repaired: the rule is written in ops, so it can be differentiated, as often as you like.
@mg.op(lambda gy, y, x: gy / ops.square(1 + ops.abs(x)))
def softsign(xp, x):
    return x / (1 + xp.abs(x))


# %% gradcheck compares each order with differences along random directions, and raises if one is
# wrong. In float64, and away from 0: |x| has a kink there, across which differences are wrong.
def check(function):
    x = mg.tensor(np.array([-2.0, -0.5, 0.5, 1.0]))
    x.name = "x"
    try:
        checks, verdict = gradcheck.check_grads(function, [x]), "passes"
    except gradcheck.GradientError as error:
        checks, verdict = None, "is wrong:"
        report = str(error)
    else:
        report = "\n".join(map(str, checks))
    print(f"{function.name} {verdict}")
    print("  " + report.replace("\n", "\n  "))
    return verdict == "passes"


# %% What the two say about the second derivative, beside differences of the op's own values.
def second_derivative(function, points):
    x = mg.tensor(points, requires_grad=True)
    dy = mg.grad(ops.sum(function(x)), x, create_graph=True)
    return mg.grad(ops.sum(dy), x, unreached="zeros").numpy()


def main(quick=False):
    passes = {function.name: check(function) for function in (softsign_wrong, softsign)}
    points = np.linspace(-3, 3, 200)  # 0 is not among them
    wrong, right = (second_derivative(f, points) for f in (softsign_wrong, softsign))
    h, some = 1e-4, points[4::8]
    left, middle, ahead = (softsign(mg.tensor(some + step)).numpy() for step in (-h, 0, h))
    numeric = (ahead - 2 * middle + left) / h ** 2
    errors = {"wrong": float(np.abs(wrong[4::8] - numeric).max()),
              "right": float(np.abs(right[4::8] - numeric).max())}
    print("largest error of the second derivative: "
          f"wrong rule {errors['wrong']:.2f}, repaired {errors['right']:.0e}")
    figure = plot.lines({"repaired": (points, right), "wrong": (points, wrong)},
                        dots={"repaired": (some, numeric)}, x_label="x",
                        title="The second derivative of softsign, by two rules",
                        caption="Dots: differences. Both rules give the same first derivative.")
    print("picture:", plot.save(figure, "runs/examples/04_check_your_own_op.png"))
    return {"passes": passes, "errors": errors}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Put 0.0 among the points that `check` uses. What does gradcheck say, and is the op wrong?
# 2. Multiply the repaired rule by 1.001. At which order does gradcheck see it first?
