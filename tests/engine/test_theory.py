"""Theory as tests: what the papers prove of GANs, found again with minigan's own losses and grad.

The DiracGAN (Mescheder et al. 2018, "Which training methods for GANs do actually converge?") is the
smallest GAN there is: the data are the point 0, G makes the point theta, D(x) = psi x. Both should
end at (0, 0). Near it a step of gradient descent is a linear map, so its eigenvalues decide; they
are measured here by taking one step from two tiny vectors, and compared with the paper's.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np
import pytest

from minigan import losses, ops
from minigan.engine import Tensor, grad, tensor
from minigan.nn import Dense, Sequential, Tanh
from minigan.optim import Adam
from minigan.penalties import gradient_penalty, r1, r2
from minigan.streams import Streams

pytestmark = pytest.mark.rounding


@dataclass(frozen=True)
class Game:
    """The DiracGAN with one of the methods."""

    d_loss: Callable[[Tensor, Tensor], Tensor] = losses.discriminator
    g_loss: Callable[[Tensor], Tensor] = losses.generator_minimax
    penalty: Callable[..., Tensor] | None = None  # (critic, real, fake)
    clip: float = np.inf                          # of psi, after each step
    noise: float = 0.0                            # -noise and +noise are added to all samples

    def played(self, at: np.ndarray) -> tuple[Tensor, Tensor, Callable, Tensor, Tensor]:
        """theta, psi, the critic, real and generated samples (n, 1)."""
        theta, psi = (tensor(value, requires_grad=True) for value in at)
        shifts = tensor(np.array([[-self.noise], [self.noise]] if self.noise else [[0.0]]))
        return theta, psi, lambda x: x * psi, shifts, shifts + theta

    def by_psi(self, at: np.ndarray) -> float:
        """The derivative of D's loss."""
        theta, psi, critic, real, fake = self.played(at)
        loss = self.d_loss(critic(real), critic(fake))
        return grad(loss + self.penalty(critic, real, fake) if self.penalty else loss, psi).item()

    def by_theta(self, at: np.ndarray) -> float:
        """The derivative of G's loss."""
        theta, psi, critic, real, fake = self.played(at)
        return grad(self.g_loss(critic(fake)), theta).item()

    def step(self, at: np.ndarray, rate: float, alternating: bool = False) -> np.ndarray:
        """Gradient descent on both losses: D first and then G, or both from the same place."""
        theta, psi = at
        psi = np.clip(psi - rate * self.by_psi(at), -self.clip, self.clip)
        seen = np.array([theta, psi]) if alternating else at
        return np.array([theta - rate * self.by_theta(seen), psi])

    def run(self, steps: int, rate: float, start: tuple[float, float] = (1.0, 1.0),
            alternating: bool = False) -> np.ndarray:
        """(theta, psi) after each step: (steps + 1, 2)."""
        path = [np.array(start)]
        for _ in range(steps):
            path.append(self.step(path[-1], rate, alternating))
        return np.array(path)

    def matrix(self, rate: float, alternating: bool = False) -> np.ndarray:
        """The linear map that a step is near (0, 0)."""
        return np.stack([self.step(1e-7 * unit, rate, alternating) / 1e-7 for unit in np.eye(2)], 1)


def slope_one(critic, real, fake):
    """WGAN-GP's penalty with lambda = 0.25."""
    return 0.25 * gradient_penalty(critic, real, fake, Streams(0)["penalty"])


GAMMA, SIGMA, CLIP = 0.6, 1.1, 0.5
GAN = Game()
NON_SATURATING = Game(g_loss=losses.generator)
WGAN = Game(losses.wasserstein_critic, losses.wasserstein_generator)
CLIPPED = Game(losses.wasserstein_critic, losses.wasserstein_generator, clip=CLIP)
WGAN_GP = Game(losses.wasserstein_critic, losses.wasserstein_generator, slope_one)
R1 = Game(penalty=lambda critic, real, fake: GAMMA * r1(critic, real))
R2 = Game(g_loss=losses.generator, penalty=lambda critic, real, fake: GAMMA * r2(critic, fake))
NOISY = Game(noise=SIGMA)


def damped(g):
    """Roots of x^2 + g x + 1/4: D's pull towards 0 is g, the game's rotation 1/2."""
    return [-g / 2 + sign * np.emath.sqrt(g * g / 4 - 1 / 4) for sign in (1, -1)]


EIGENVALUES = {  # of the gradient field at (0, 0), with f'(0) = 1/2 and f''(0) = -1/4
    "gan": (GAN, [0.5j, -0.5j]),
    "non-saturating": (NON_SATURATING, [0.5j, -0.5j]),
    "wgan": (WGAN, [1j, -1j]),
    "r1": (R1, damped(GAMMA)),
    "r2": (R2, damped(GAMMA)),
    "instance noise": (NOISY, damped(SIGMA ** 2 / 2)),
}
EACH = pytest.mark.parametrize("game, due", EIGENVALUES.values(), ids=EIGENVALUES)
ORDER = pytest.mark.parametrize("alternating", [False, True], ids=["simultaneous", "alternating"])


def sorted_by_angle(values):
    return sorted(values, key=lambda value: value.imag)


def radius(path):
    return np.hypot(*path.T)


# ---------------------------------------------------------------- DiracGAN: eigenvalues

@EACH
def test_the_eigenvalues_are_the_papers(game, due):
    rate = 0.1
    found = np.linalg.eigvals((game.matrix(rate) - np.eye(2)) / rate)
    np.testing.assert_allclose(sorted_by_angle(found), sorted_by_angle(due), atol=1e-6)


@EACH
def test_only_damping_pulls_inwards(game, due):
    """Simultaneous steps without damping leave the circle, |1 + i h w| > 1; alternating ones, two
    shears, have determinant 1 and turn on it for ever."""
    rate, damping = 0.1, -np.real(due[0])
    apart, in_turn = (np.abs(np.linalg.eigvals(game.matrix(rate, alternating)))
                      for alternating in (False, True))
    np.testing.assert_allclose(apart, np.abs(1 + rate * np.array(due)), atol=1e-7)
    np.testing.assert_allclose(in_turn, np.sqrt(1 - 2 * rate * damping), atol=1e-7)
    assert (apart.max() < 1) == (in_turn.max() < 1 - 1e-6) == (damping > 0)


# ---------------------------------------------------------------- DiracGAN: trajectories

@ORDER
@pytest.mark.parametrize("game", [R1, R2, NOISY], ids=["r1", "r2", "instance noise"])
def test_r1_r2_and_instance_noise_converge(game, alternating):
    """From far away, and at the end as fast as the eigenvalues say."""
    rate = 0.2
    path = game.run(250, rate, alternating=alternating)
    assert radius(path)[0] > 1.4 and radius(path)[-1] < 1e-4
    late = np.argmax(radius(path) < 0.01)
    predicted = np.linalg.matrix_power(game.matrix(rate, alternating), 30) @ path[late]
    np.testing.assert_allclose(path[late + 30], predicted, rtol=0, atol=1e-6)
    assert 1e-5 < radius(path)[late + 30] < 0.005


@pytest.mark.parametrize("game, slope", [(GAN, lambda u: 1 / (1 + np.exp(-u))),
                                         (WGAN, lambda u: 1)], ids=["gan", "wgan"])
def test_gan_and_wgan_leave_with_every_simultaneous_step(game, slope):
    """Both move by the same factor s, at right angles to (theta, psi): r^2 grows by 1 + (h s)^2."""
    path = game.run(100, 0.2)
    grown = radius(path)[1:] ** 2 / radius(path)[:-1] ** 2
    np.testing.assert_allclose(grown, 1 + (0.2 * slope(path[:-1].prod(axis=1))) ** 2, rtol=1e-12)
    assert grown.min() > 1


@pytest.mark.parametrize("game", [GAN, WGAN], ids=["gan", "wgan"])
def test_gan_and_wgan_circle_when_they_alternate(game):
    r = radius(game.run(300, 0.2, (1.0, 0.0), alternating=True))
    assert 0.8 < r.min() and r.max() < 1.25
    assert r[-100:].max() == pytest.approx(r[:100].max(), rel=0.02)


def test_the_non_saturating_gan_ends_on_a_ring():
    """A step adds (h/2)^2 r^2 to r^2, the losses' curvature takes h u^2 away, with u = theta psi,
    whose square is r^4 / 8 on average: they balance at r^2 = 2 h, from inside and from outside."""
    rate = 0.2
    for start in (0.5, 0.9):
        r = radius(NON_SATURATING.run(350, rate, (start, 0.0)))
        assert r[-40:].mean() == pytest.approx(np.sqrt(2 * rate), rel=0.05)


@ORDER
def test_clipping_bounds_wgan_but_it_circles(alternating):
    """psi goes from limit to limit, and when G passes 0 it does so at full speed."""
    path = CLIPPED.run(500, 0.05, alternating=alternating)
    late = path[-300:]
    assert np.abs(path[1:, 1]).max() == CLIP
    assert late[:, 1].max() == pytest.approx(CLIP, rel=0.01)
    assert late[:, 1].min() == pytest.approx(-CLIP, rel=0.01)
    assert radius(late).min() > 0.95 * CLIP
    assert (np.diff(np.sign(late[:, 0])) != 0).sum() >= 4


@ORDER
def test_wgan_gp_circles(alternating):
    """The penalty holds psi away from 0, where it should end: the force is 2 lambda there, which
    theta has to overcome before psi can change its sign."""
    path = WGAN_GP.run(400, 0.05, alternating=alternating)
    theta, psi = path[-300:].T
    turned = np.flatnonzero(np.diff(np.sign(psi)) != 0)
    assert len(turned) >= 3
    assert np.abs(theta[turned]).min() > 2 * 0.25
    assert radius(path[-300:]).min() > 0.3


def test_wgan_gp_with_a_large_weight_rests_at_the_wrong_place():
    """Where theta is in balance with that force, at 2 lambda, psi comes to 0 from above."""
    def four_times(critic, real, fake):
        return 4 * slope_one(critic, real, fake)

    path = Game(WGAN.d_loss, WGAN.g_loss, four_times).run(250, 0.1)
    np.testing.assert_allclose(path[-1], [2 * 4 * 0.25, 0], atol=1e-3)
    assert path[-1, 1] > 0


# ---------------------------------------------------------------- the optimal discriminator

def test_the_optimal_discriminator_is_p_over_p_plus_q():
    """Goodfellow et al. 2014, proposition 1, and its loss log 4 - 2 JSD (their theorem 1)."""
    real, fake = np.repeat(np.arange(4), [1, 2, 5, 8]), np.repeat(np.arange(4), [8, 4, 3, 1])
    p, q = np.bincount(real) / 16, np.bincount(fake) / 16
    logits = tensor(np.zeros(4), requires_grad=True)
    for _ in range(200):
        loss = losses.discriminator(logits[real], logits[fake])
        logits = tensor(logits.numpy() - 6 * grad(loss, logits).numpy(), requires_grad=True)
    np.testing.assert_allclose(ops.sigmoid(logits).numpy(), p / (p + q), rtol=1e-8)
    jsd = ((p * np.log(2 * p / (p + q))).sum() + (q * np.log(2 * q / (p + q))).sum()) / 2
    assert loss.item() == pytest.approx(np.log(4) - 2 * jsd, rel=1e-12)


# ---------------------------------------------------------------- a critic between two points

def critic_loss(critic, weight, real, fake, stream):
    distance = losses.wasserstein_critic(critic(real), critic(fake))
    return distance + weight * gradient_penalty(critic, real, fake, stream)


@pytest.mark.parametrize("weight", [1, 10, 1000])
def test_a_linear_critic_between_two_points_ends_at_slope_one_and_at_their_distance(weight):
    """-d s + lambda (s - 1)^2 is least at s = 1 + d / (2 lambda): a little above 1, the less the
    larger lambda is; the loss is then -d - d^2 / (4 lambda)."""
    real, fake, distance = tensor(np.array([[1.5]])), tensor(np.array([[-0.5]])), 2
    slope = tensor(np.array([[0.3]]), requires_grad=True)
    for _ in range(50):
        loss = critic_loss(lambda x: x @ slope, weight, real, fake, Streams(0)["penalty"])
        slope = tensor(slope.numpy() - 0.3 / weight * grad(loss, slope).numpy(),
                       requires_grad=True)
    assert slope.item() == pytest.approx(1 + distance / (2 * weight), rel=1e-9)
    assert loss.item() == pytest.approx(-distance - distance ** 2 / (4 * weight), rel=1e-9)


def test_a_networks_slope_is_the_same_all_along_the_way():
    """Any critic's difference is d times the mean of its slopes along the segment, so that every
    one of them has the same best value, here 1 + 2 / (2 * 10), and points along the segment."""
    streams = Streams(0)
    real, fake = (tensor(np.array([point] * 32)) for point in ((1.5, 1.0), (0.3, -0.6)))
    critic = Sequential(Dense(2, 16, rng=streams["init"]), Tanh(),
                        Dense(16, 1, rng=streams["init"])).astype("float64")
    optimizer = Adam(critic.parameters(), 0.02, (0.5, 0.9))
    for _ in range(250):
        loss = critic_loss(critic, 10, real, fake, streams["penalty"])
        optimizer.step(grad(loss, critic.parameters()))
    way = real.numpy()[0] - fake.numpy()[0]
    at = tensor(fake.numpy()[0] + np.linspace(0, 1, 21)[:, None] * way, requires_grad=True)
    slopes = grad(ops.sum(critic(at)), at).numpy()                                   # (21, 2)
    np.testing.assert_allclose(slopes, np.broadcast_to(1.1 * way / 2, (21, 2)), atol=0.08)
    assert loss.item() == pytest.approx(-2.1, rel=0.01)
