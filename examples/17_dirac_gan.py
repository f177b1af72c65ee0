"""17: the smallest GAN there is, and which methods converge on it.

The data are one point, 0. G makes one point, theta. D is a line, D(x) = psi x. Both should end at
(0, 0): G at the data, D with nothing left to say. Mescheder et al. 2018 ("Which training methods
for GANs do actually converge?") call it the DiracGAN and show that most methods circle around the
goal. Here each is played with minigan's own losses and penalties, by plain gradient descent.
"""
import numpy as np

import minigan as mg
from minigan import losses, penalties, plot

RATE, GAMMA, SIGMA, LAMBDA = 0.1, 0.6, 1.1, 0.25
EPSILON = mg.stream("penalty")


# %% The methods, and for each the paper's eigenvalue of the motion near (0, 0). Without damping it
# is imaginary, a rotation. WGAN-GP has none: its pull towards slope 1 jumps at psi = 0.
def damped(g):
    return -g / 2 + np.emath.sqrt(g * g / 4 - 1 / 4)


def slope_one(critic, real, fake):
    return LAMBDA * penalties.gradient_penalty(critic, real, fake, EPSILON)


GAN = {"d_loss": losses.discriminator, "g_loss": losses.generator_minimax}
WGAN = {"d_loss": losses.wasserstein_critic, "g_loss": losses.wasserstein_generator}
METHODS = {
    "GAN": (GAN, 0.5j),
    "non-saturating": ({**GAN, "g_loss": losses.generator}, 0.5j),
    "WGAN": (WGAN, 1j),
    "WGAN, clipped": ({**WGAN, "clip": 1.0}, 1j),
    "WGAN-GP": ({**WGAN, "penalty": slope_one}, None),
    "instance noise": ({**GAN, "noise": SIGMA}, damped(SIGMA ** 2 / 2)),
    "R1": ({**GAN, "penalty": lambda f, x, fake: GAMMA * penalties.r1(f, x)}, damped(GAMMA)),
    "R2": ({**GAN, "penalty": lambda f, x, fake: GAMMA * penalties.r2(f, fake)}, damped(GAMMA))}


# %% One step of both, from the same place. The noise is +sigma or -sigma; a batch holds both.
def step(at, d_loss, g_loss, penalty=lambda *_: 0, noise=0.0, clip=np.inf):
    theta, psi = (mg.tensor(value, requires_grad=True) for value in at)
    real = mg.tensor([[-noise], [noise]] if noise else [[0.0]], dtype="float64")    # (n, 1)
    fake = real + theta                                                             # (n, 1)
    loss = d_loss(real * psi, fake * psi) + penalty(lambda x: x * psi, real, fake)
    new_psi = np.clip(at[1] - RATE * mg.grad(loss, psi).item(), -clip, clip)
    g_psi = psi
    return np.array([at[0] - RATE * mg.grad(g_loss(fake * g_psi), theta).item(), new_psi])


def play(game, steps):
    path = [np.array([1.0, 1.0])]
    for _ in range(steps):
        path.append(step(path[-1], **game))
    return np.array(path)                                                           # (steps + 1, 2)


# %% Near (0, 0) a step is a matrix: where it takes two tiny vectors. The size of its eigenvalues is
# what it multiplies the distance to (0, 0) by: above 1 that grows, below 1 it shrinks.
def factor(game):
    matrix = np.stack([step(1e-7 * unit, **game) / 1e-7 for unit in np.eye(2)], axis=1)
    return np.abs(np.linalg.eigvals(matrix)).max()


def draw(path, name, ax):
    r = np.hypot(*path.T)
    plot.scatter({}, limit=2.4, title=name, on=ax)
    ax.plot(*path.T, "-o", color=plot.COLOURS[int(r[-1] > 0.01 * r[0])], linewidth=0.9,
            markersize=5, markevery=[-1])
    ax.plot(0, 0, "+", color=plot.INK, markersize=9)
    ax.set_xlabel(f"distance {r[0]:.1f} to {r[-1]:.2g}", size=8.5, color=plot.MUTED)


def main(quick=False):
    times, found, rows = [0, 50, 100, 200] if quick else [0, 100, 300, 500], {}, []
    paths = {name: play(game, times[-1]) for name, (game, _) in METHODS.items()}
    print("distance to (0, 0) after steps", "".join(f"{t:8}" for t in times), "   a step times:")
    for name, (game, eigenvalue) in METHODS.items():
        radii = np.hypot(*paths[name][times].T)
        paper = eigenvalue and abs(1 + RATE * eigenvalue)
        found[name] = {"radii": radii, "factor": paper and factor(game), "paper": paper}
        print(f"{name:30}", "".join(f"{r:8.3f}" for r in radii), "    it jumps" if not paper else
              f"    {found[name]['factor']:.5f}, in theory {paper:.5f}")
    title = "DiracGAN: G's point theta (across) and D's slope psi (up) from (1, 1)"
    caption = "Blue ends at the goal (+), orange does not; the dot is where it is at the end."
    for part, words in zip(np.reshape(list(METHODS), (2, 4)), ((title, ""), ("", caption))):
        figure, axes = plot.panels(4, 2.3, 2.9, *words)
        for name, ax in zip(part, axes):
            draw(paths[name], name, ax)
        rows.append(plot.pixels(figure))
    print("picture:", plot.save(np.concatenate(rows), "runs/examples/17_dirac_gan.png"))
    return found


if __name__ == "__main__":
    main()

# Change this and predict:
# 1. Let G answer D's new slope: g_psi = new_psi. Which methods stop moving away from the goal?
# 2. Let LAMBDA be 1.0: WGAN-GP then comes to rest. Where, and what does that depend on?
