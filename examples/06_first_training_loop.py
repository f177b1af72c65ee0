"""06: the first training loop: a network learns a curve, by three optimizers at three rates.

A step is always the same three lines: compute the loss, take its gradient, let the optimizer move
the weights. What the optimizer does with the gradient decides how far a thousand such steps lead:
SGD walks down it, RMSprop divides each weight's part by its usual size, Adam averages it as well.
"""
import numpy as np

import minigan as mg
from minigan import nn, ops, optim, plot

OPTIMIZERS = {"SGD": optim.SGD, "RMSprop": optim.RMSprop, "Adam": optim.Adam}
RATES = (0.0005, 0.005, 0.05)
GRID = np.linspace(-2, 2, 201, dtype=np.float32).reshape(-1, 1)                     # (201, 1)


# %% What is to be learnt, from examples only: 64 points of the curve a step.
def curve(x):
    return np.sin(3 * x) * np.exp(-x * x / 4)


def examples(n):
    x = mg.stream("data").uniform((n, 1), -2, 2)
    return mg.tensor(x), mg.tensor(curve(x))


# %% The network. Biases that differ from the start let its 32 first units bend at different x.
def make_network():
    apart = nn.init.uniform(1.0)
    return nn.Sequential(nn.Dense(1, 32, bias_init=apart), nn.Tanh(),
                         nn.Dense(32, 32, bias_init=apart), nn.Tanh(), nn.Dense(32, 1))


def learnt(network):
    with mg.no_grad():
        return network(mg.tensor(GRID)).numpy()


# %% The training loop. The seed gives every run the same first weights and the same examples.
def train(optimizer, rate, steps):
    mg.seed(0)
    network, errors = make_network(), []
    opt = optimizer(network.parameters(), rate)
    for step in range(steps + 1):
        if step % 10 == 0:
            errors.append(float(np.mean((learnt(network) - curve(GRID)) ** 2)))
        x, y = examples(64)
        loss = ops.mean_squared_error(network(x), y)
        opt.step(mg.grad(loss, network.parameters()))
    return learnt(network), errors


# %% All nine runs. A rate that suits one optimizer is useless for another, so each is judged at its
# best: a comparison at one common rate only shows whom that rate suits.
def main(quick=False):
    steps = 50 if quick else 1000
    print(make_network())
    print(f"mean squared error after {steps:,} steps, by rate (median of the last ten readings)")
    print("rate     ", *(f"{rate:10}" for rate in RATES))
    table, best, curves = {}, {}, {}
    for name, optimizer in OPTIMIZERS.items():
        runs = [train(optimizer, rate, steps) for rate in RATES]
        table[name] = [float(np.median(errors[-10:])) for _, errors in runs]
        print(f"{name:9}", *(f"{error:10.5f}" for error in table[name]))
        i = int(np.argmin(table[name]))
        outputs, errors = runs[i]
        best[f"{name} at {RATES[i]}"] = 10 * np.arange(len(errors)), errors
        curves[name] = GRID[:, 0], outputs[:, 0]
    print(f"the same before the first step: {errors[0]:.5f}")

    figure, (left, right) = plot.panels(2, width=5.0, height=3.8)
    plot.lines(best, title="Mean squared error, each at its best rate", x_label="step", log=True,
               on=left)
    plot.lines(curves, title=f"What they have learnt after {steps:,} steps", x_label="x", on=right,
               dots={"the curve": (GRID[::5, 0], curve(GRID[::5, 0]))})
    print("picture:", plot.save(figure, "runs/examples/06_first_training_loop.png"))
    return {"errors": table, "start": errors[0]}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Give SGD a momentum of 0.9. Which of the three rates then gives what 0.05 gave before?
# 2. Leave out both bias_init: all first units then bend at x = 0. Who still learns the curve?
