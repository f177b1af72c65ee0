"""09: the same code on the GPU: training steps on NumPy and on CuPy, compared and timed.

The array decides where it is computed: `mg.use("cupy")` makes new arrays on the GPU, and what is
computed from them stays there. Nothing else changes, not even the random numbers: they come from
the same streams. So the results may differ by rounding alone, and the same step in float64 tells
how much that is. Without a GPU the processor's half runs, and a sentence says what is missing.
"""
import time

import numpy as np

import minigan as mg
from minigan import data, losses, nn, optim, plot


# %% Two networks of some width, and their training step. Not one line of it names a device.
def make_step(width, dtype="float32"):
    streams = mg.seed(0)
    G = nn.Sequential(nn.Dense(100, width), nn.LeakyReLU(0.2), nn.Dense(width, 784), nn.Tanh(),
                      nn.Reshape(28, 28, 1))
    D = nn.Sequential(nn.Flatten(), nn.Dense(784, width), nn.LeakyReLU(0.2), nn.Dense(width, 1))
    g_opt = optim.Adam(G.astype(dtype).parameters(), 1e-3, betas=(0.5, 0.999))
    d_opt = optim.Adam(D.astype(dtype).parameters(), 1e-3, betas=(0.5, 0.999))
    batches = data.Batches(data.load("digits"), 64, streams["data"])

    def step():
        x = mg.tensor(next(batches)[0], dtype=dtype)  # from here on it is on the device
        z = mg.tensor(streams["latent"].normal((64, 100)), dtype=dtype)
        fake = G(z)
        d_loss = losses.discriminator(D(x), D(fake.detach()))
        d_grads = mg.grad(d_loss, D.parameters())
        d_opt.step(d_grads)
        d_loss = d_loss.detach()  # D's graph is freed here, before G's is built
        g_loss = losses.generator(D(fake))
        g_grads = mg.grad(g_loss, G.parameters())
        g_opt.step(g_grads)
        return d_loss, g_loss.detach(), *d_grads, *g_grads
    return step


# %% What the steps compute, losses and gradients, and how far two runs are apart. It is rounding at
# first. Once a unit of LeakyReLU is on the other side of its kink, they part for good; the machine
# decides whether that happens within these steps.
def results(device, dtype, steps):
    with mg.use(device):
        step = make_step(128, dtype)
        return [[t.numpy() for t in step()] for _ in range(steps)]


def differences(found, expected):  # a step: relative to the largest number of each tensor
    return [max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(*step))
            for step in zip(found, expected)]


# %% A GPU works while Python goes on: read the clock only after `synchronize`.
def milliseconds(device, width):
    with mg.use(device) as xp:
        step, times = make_step(width), []
        for _ in range(9):  # the first two warm up
            start = time.perf_counter()
            step()
            xp.synchronize()
            times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times[2:]))


def main(quick=False, device="cupy"):
    mg.use_threads()  # as `minigan train` does: BLAS on one thread, minigan splits what is large
    widths, steps = ((16, 32), 3) if quick else ((128, 512, 1024, 1536, 2048), 100)
    devices, missing = ["numpy", device], ""
    try:
        with mg.use(device) as xp:
            print(xp.describe())
    except mg.BackendError as error:
        devices, missing = ["numpy"], str(error)
        print(missing)
    expected = results("numpy", "float32", steps)
    runs = {"float64": ("numpy", "float64")} | {name: (name, "float32") for name in devices[1:]}
    found = {name: differences(results(*run, steps), expected) for name, run in runs.items()}
    for name, v in found.items():
        print(f"{name} and NumPy's float32 differ by {v[0]:.0e} in step 1, {v[-1]:.0e} in {steps}")
    table = {name: [milliseconds(name, width) for width in widths] for name in devices}
    print("ms a step", *(f"   width {width:4}" for width in widths))
    for name, row in table.items():
        print(f"{name:9}", *(f"{ms:13.2f}" for ms in row))
    figure, (left, right) = plot.panels(2, width=5.0, height=3.6)
    plot.lines({name: (range(1, steps + 1), values) for name, values in found.items()}, log=True,
               title="Largest difference from NumPy in float32", x_label="step", on=left)
    plot.lines({name: (widths, row) for name, row in table.items()}, title="Milliseconds a step",
               x_label="width of the networks", on=right)
    print("picture:", plot.save(figure, "runs/examples/09_same_code_on_the_gpu.png"))
    return {"missing": missing, "differences": found, "ms": table}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Put nn.Tanh() in place of both nn.LeakyReLU(0.2). Do the runs still part?
# 2. Let step return *D.parameters() instead of *d_grads. How far apart are they after one step?
