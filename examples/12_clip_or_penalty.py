"""12: what clipped weights do to a critic, and what a gradient penalty does instead.

As in section 3 of the WGAN-GP paper (Gulrajani et al. 2017): the generator stands still, it makes
real points with noise added, and critics are trained to the end. A perfect one has slope 1 almost
everywhere between real and generated points (proposition 1). Clipping makes critics too flat or too
steep by powers of ten, and simple: they see a box where there are eight heaps. It takes a minute.
"""
import numpy as np

import minigan as mg
from minigan import losses, nn, ops, optim, penalties, plot

SIGMA, BATCH, LAMBDA = 0.05, 256, 10
ANGLES = 2 * np.pi * np.arange(8) / 8
CENTRES = 2 * np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype("float32")  # (8, 2)
CLIPS = {"clip 0.01": 0.01, "penalty": None, "clip 0.1": 0.1, "clip 0.001": 0.001}


# %% Real points on a ring, and those of the generator that stands still.
def points(streams, n):
    real = CENTRES[streams["data"].integers(8, (n,))] + streams["data"].normal((n, 2), 0, SIGMA)
    fake = CENTRES[streams["latent"].integers(8, (n,))] + streams["latent"].normal((n, 2))
    return mg.tensor(real), mg.tensor(fake)


# %% A critic and its training: lines 3 to 7 of the WGAN paper's Algorithm 1 (RMSprop at 0.00005 for
# a bound of 0.01, others in proportion), or lines 3 to 9 of the WGAN-GP paper's.
def train(clip, steps):
    streams, sizes = mg.seed(0), (2, 128, 128, 128)
    hidden = [layer for n, m in zip(sizes, sizes[1:])
              for layer in (nn.Dense(n, m, weight_init=nn.init.he_uniform), nn.ReLU())]
    f = nn.Sequential(*hidden, nn.Dense(128, 1))
    w = f.parameters()
    opt = optim.RMSprop(w, clip / 200) if clip else optim.Adam(w, 1e-3, betas=(0.5, 0.9))
    for _ in range(steps):
        real, fake = points(streams, BATCH)
        loss = losses.wasserstein_critic(f(real), f(fake))
        if not clip:
            loss += LAMBDA * penalties.gradient_penalty(f, real, fake, streams["penalty"])
        opt.step(mg.grad(loss, w))
        if clip:
            optim.clip_weights(w, clip)
    return f


# %% A yardstick. Its slope is 1 everywhere, so by definition W is at least what it estimates.
def minus_distance_to_nearest_centre(x):                                            # (..., 2)
    distances = ops.norm(ops.expand_dims(x, -2) - mg.tensor(CENTRES), axis=-1)      # (..., 8)
    return -ops.min(distances, axis=-1, keepdims=True)                              # (..., 1)


# %% What a critic estimates, its slopes on lines between real and fake points, and its levels.
def look(f):
    streams = mg.Streams(1)
    real, fake = points(streams, 4096)
    between = mg.tensor(fake + mg.tensor(streams["penalty"].uniform((4096, 1))) * (real - fake),
                        requires_grad=True)
    slopes = ops.norm(mg.grad(ops.sum(f(between)), between), axis=1).numpy()
    xx, yy = np.meshgrid(*[np.linspace(-3.5, 3.5, 101, dtype="float32")] * 2)
    with mg.no_grad():
        estimate = -losses.wasserstein_critic(f(real), f(fake)).item()
        levels = f(mg.tensor(np.stack([xx, yy], axis=2))).numpy()[:, :, 0]
    numbers = dict(zip(("low", "median", "high"), np.quantile(slopes, (0.1, 0.5, 0.9)).tolist()))
    numbers |= {"estimate": estimate, "over": estimate / float(slopes.max())}
    return numbers, slopes, (xx, yy, levels)


def main(quick=False):
    mg.use_threads()  # as `minigan train` does: BLAS on one thread, minigan splits what is large
    critics = {name: train(clip, 20 if quick else 4000) for name, clip in CLIPS.items()}
    seen = {name: look(f) for name, f in critics.items()}
    seen["yardstick"] = look(minus_distance_to_nearest_centre)
    weights = {name: np.concatenate([p.numpy().ravel() for p in f.parameters()
                                     if p.shape == (128, 128)]) for name, f in critics.items()}
    print("               slope:                   estimate   the same over   hidden weights")
    print("critic          10 %  median    90 %      of W     largest slope   at the bound")
    for name, (numbers, _, _) in seen.items():
        clip = CLIPS.get(name)
        numbers["bound"] = float(np.mean(np.abs(weights[name]) > 0.99 * clip)) if clip else 0.0
        print("{:12} {low:7.2g} {median:7.2g} {high:7.2g} {estimate:9.2g} {over:13.2f}"
              " {bound:16.0%}".format(name, **numbers))

    figure, axes = plot.panels(5, 3.0, 3.5, "Critics of the same points: levels, slopes, weights")
    for ax, name in zip(axes, ("clip 0.01", "clip 0.1", "penalty")):
        plot.level_sets(*seen[name][2], CENTRES, name, "blue: f is high, dots: modes", on=ax)
    plot.histogram({name: np.log10(seen[name][1] + 1e-12) for name in CLIPS}, bins=90,
                   title="Slopes", x_label="log10 of the slope: 0 is right", on=axes[3])
    plot.histogram({name: weights[name] / weights[name].std() for name in list(CLIPS)[:2]},
                   bins=99, title="Hidden weights", x_label="in standard deviations", on=axes[4])
    axes[4].set(xlim=(-4, 4))
    print("picture:", plot.save(figure, "runs/examples/12_clip_or_penalty.png"))
    return {name: numbers for name, (numbers, _, _) in seen.items()}


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Make LAMBDA 0.1, as the authors' code has it for such points. Which numbers lose their meaning?
# 2. Give the critics eight hidden layers instead of three. Which of the four still learn?
