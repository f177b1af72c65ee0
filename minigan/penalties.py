"""Gradient penalties: terms of a critic's loss that contain the critic's own gradient.

The inner gradient, with respect to the images, is recorded (`create_graph=True`). So the outer one,
with respect to the weights, goes through it: double backpropagation, correct for any critic. The
inner pass follows only the path from the critic's output to the images, so it computes no gradients
of weights.

Each penalty is returned without its weight (lambda or gamma); the model multiplies by it:

    c_loss = losses.wasserstein_critic(C(x), C(fake)) + 10 * gradient_penalty(C, x, fake, rng)

Images are (N, ...), of float32 or float64; the critic is a network or a function of such a tensor,
and returns a number, or several, for each of the N images. "||.||" is the Euclidean norm over all
axes but the first; the gradient of the norm at 0 is 0, so every penalty has a finite gradient.
"""

from __future__ import annotations

from typing import Any, Callable

from minigan import checks, errors
from minigan.backend import backend_of
from minigan.engine import Tensor, grad
from minigan.ops import mean, norm, relu, square, sum
from minigan.ops.arguments import Axes, check_floats
from minigan.streams import Stream, check_stream

Critic = Callable[[Tensor], Tensor]


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, rng: Stream,
                     one_sided: bool = False, target: float = 1.0) -> Tensor:
    """mean (||grad f(x_hat)|| - 1)^2 at points between real and generated images.

    x_hat = epsilon x + (1 - epsilon) x_tilde, with one epsilon from U[0, 1] for each sample

    Source: WGAN-GP, Gulrajani et al. 2017, "Improved training of Wasserstein GANs", eq. 3 and
    algorithm 1, lines 4 to 7. real, fake: (N, ...) of one shape. rng: the stream that draws the
    epsilons. one_sided: punish only slopes above the target (section 4, "Two-sided penalty").
    target: the slope to hold; 1 in the paper.

    Raises:
        TypeError: real or fake is not a tensor of floats, rng is not a stream, or the critic
            cannot be called or returns no tensor.
        ValueError: the shapes differ; the critic mixes the samples of a batch (batch norm), so that
            its gradient at one sample depends on the others; or its output does not depend on the
            images.
    """
    _check("gradient_penalty", critic, real=real, fake=fake)
    check_stream("gradient_penalty", rng, "penalty")
    checks.check_one_shape("gradient_penalty", real=real, fake=fake)

    x = real.detach()
    x_tilde = fake.detach()
    one_a_sample = (len(x),) + (1,) * (x.ndim - 1)                # (N, 1, ..., 1)
    epsilon = Tensor(rng.uniform(one_a_sample, dtype=x.dtype, xp=backend_of(x.data)))
    x_hat = x_tilde + epsilon * (x - x_tilde)                     # (N, ...)

    excess = _norms(critic, x_hat) - target                       # (N,)
    if one_sided:
        excess = relu(excess)
    return mean(square(excess))


def dragan(critic: Critic, real: Tensor, rng: Stream, std: float = 0.5, target: float = 1.0
           ) -> Tensor:
    """mean (||grad D(x + delta)|| - k)^2 with delta from N(0, std^2), drawn for each pixel.

    Source: DRAGAN, Kodali et al. 2017, "On convergence and stability of GANs", section 2.5: slopes
    are held near k around real samples only. real: (N, ...). rng: the stream that draws delta. std:
    above 0, the square root of the paper's c, which the user is to fit to the range of the data.
    target: the paper's k.

    Raises:
        TypeError: real is not a tensor of floats, rng is not a stream, or the critic cannot be
            called or returns no tensor.
        ValueError: std is not above 0, the critic mixes the samples of a batch, or its output does
            not depend on the images.
    """
    _check("dragan", critic, real=real)
    check_stream("dragan", rng, "penalty")
    if not (checks.is_number(std) and std > 0):
        raise ValueError(f"dragan: std must be above 0, got {errors.shown(std)}")

    delta = Tensor(rng.normal(real.shape, 0.0, std, dtype=real.dtype, xp=backend_of(real.data)))
    around = real.detach() + delta                                # (N, ...)
    excess = _norms(critic, around) - target                      # (N,)
    return mean(square(excess))


def r1(critic: Critic, real: Tensor) -> Tensor:
    """mean ||grad D(x)||^2 / 2 at real images.

    Source: Mescheder et al. 2018, "Which training methods for GANs do actually converge?", eq. 9.
    real: (N, ...).

    Raises:
        TypeError: real is not a tensor of floats, or the critic cannot be called or returns no
            tensor.
        ValueError: the critic mixes the samples of a batch, or its output does not depend on the
            images.
    """
    _check("r1", critic, real=real)
    return _squared_slopes(critic, real)


def r2(critic: Critic, fake: Tensor) -> Tensor:
    """mean ||grad D(x)||^2 / 2 at generated images.

    Source: Mescheder et al. 2018, eq. 10. fake: (N, ...).

    Raises:
        TypeError: fake is not a tensor of floats, or the critic cannot be called or returns no
            tensor.
        ValueError: the critic mixes the samples of a batch, or its output does not depend on the
            images.
    """
    _check("r2", critic, fake=fake)
    return _squared_slopes(critic, fake)


# ---------------------------------------------------------------- the critic's own gradient

def _slopes(critic: Critic, x: Tensor) -> Tensor:
    """The critic's gradient at each image of x, recorded: (N, ...)."""
    at = x.as_leaf()
    scores = critic(at)
    if not isinstance(scores, Tensor):
        raise TypeError(f"critic: it must return a tensor, got {errors.shown(scores)}")
    try:
        return grad(sum(scores), at, create_graph=True)
    except errors.UnreachedError as error:
        raise ValueError("critic: what it returns does not depend on the images, so it has no "
                         "gradient there (no_grad? detach?)") from error


def _norms(critic: Critic, x: Tensor) -> Tensor:
    """The length of the critic's gradient at each image: (N,)."""
    return norm(_slopes(critic, x), axis=_all_but_first(x))


def _squared_slopes(critic: Critic, x: Tensor) -> Tensor:
    """Half the mean squared length of the critic's gradient: a scalar."""
    squares = square(_slopes(critic, x))                          # (N, ...)
    return mean(sum(squares, axis=_all_but_first(x))) / 2


def _all_but_first(x: Tensor) -> Axes:
    return tuple(range(1, x.ndim))


# ---------------------------------------------------------------- bad input

def _check(penalty: str, critic: Any, **images: Tensor) -> None:
    check_floats(penalty, **images)
    for name, x in images.items():
        if x.ndim < 1:
            raise ValueError(f"{penalty}: {name} must be (N, ...), got the shape {x.shape}")
    if not callable(critic):
        raise TypeError(f"{penalty}: critic must be a network or a function, got "
                        f"{errors.shown(critic)}")
    if not hasattr(critic, "named_modules"):
        return
    for name, module in critic.named_modules():
        if module.mixes_batch:
            raise ValueError(
                f"critic: its part {name}, {type(module).__name__}, mixes the samples of a batch; "
                f"a gradient penalty needs the gradient at each sample alone; use layer norm or no "
                f"normalisation in the critic")
