"""Gradient penalties: terms of a critic's loss that contain the critic's own gradient.

The inner gradient, with respect to images, is recorded (`create_graph=True`), so the outer one,
with respect to weights, goes through it: real double backprop, for any critic. Only the path from
the output to the images is walked, so the inner pass computes no weight gradients.
"""

from __future__ import annotations

from typing import Any, Callable

from minigan import errors
from minigan.backend import backend_of
from minigan.engine import Tensor, grad, sum
from minigan.ops import mean, norm, relu, square
from minigan.streams import Stream

Critic = Callable[[Tensor], Tensor]


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, rng: Stream,
                     one_sided: bool = False, target: float = 1.0) -> Tensor:
    """mean (||grad of f at x_hat||_2 - 1)^2, without its weight lambda.

    Source: WGAN-GP, Gulrajani et al. 2017, eq. 3 and algorithm 1, lines 4 to 7:
    x_hat = epsilon x + (1 - epsilon) x_tilde, with one epsilon ~ U[0, 1] per sample; the norm is
    taken over all axes but the first; where the gradient is 0 the penalty is finite, with gradient
    0. real, fake: (N, ...) of one shape.
    one_sided: only slopes above the target are punished (section 5, "Two-sided penalty").

    Raises:
        ValueError: the shapes differ, or the critic mixes the samples of a batch (batch norm):
            then its gradient at one sample depends on the others, and the penalty has no meaning.
    """
    _check("gradient_penalty", critic, real=real, fake=fake)
    _check_stream("gradient_penalty", rng)
    if real.shape != fake.shape:
        raise ValueError(f"gradient_penalty: real has shape {real.shape} and fake {fake.shape}")
    epsilon = Tensor(rng.uniform((len(real),) + (1,) * (real.ndim - 1), dtype=real.dtype,
                                 xp=backend_of(real.data)))
    x_hat = fake.detach() + epsilon * (real.detach() - fake.detach())
    excess = _norms(critic, x_hat) - target
    return mean(square(relu(excess) if one_sided else excess))


def dragan(critic: Critic, real: Tensor, rng: Stream, std: float = 0.5, target: float = 1.0
           ) -> Tensor:
    """mean (||grad of D at x + delta||_2 - k)^2, delta ~ N(0, std^2), without its weight lambda.

    Source: DRAGAN, Kodali et al. 2017, "On convergence and stability of GANs", section 2.5: slopes
    are held near k (`target`) around real samples only. The paper leaves std, the square root of
    its c, to be tuned to the data's range. real: (N, ...).

    Raises:
        ValueError: the critic mixes the samples of a batch, or std is not above 0.
    """
    _check("dragan", critic, real=real)
    _check_stream("dragan", rng)
    if not (errors.is_number(std) and std > 0):
        raise ValueError(f"dragan: std must be above 0, got {errors.shown(std)}")
    delta = Tensor(rng.normal(real.shape, 0.0, std, dtype=real.dtype, xp=backend_of(real.data)))
    return mean(square(_norms(critic, real.detach() + delta) - target))


def r1(critic: Critic, real: Tensor) -> Tensor:
    """mean ||grad of D at real samples||^2 / 2, without its weight gamma.

    Source: Mescheder et al. 2018, "Which training methods for GANs do actually converge?", eq. 9.
    """
    _check("r1", critic, real=real)
    return _squared_slopes(critic, real)


def r2(critic: Critic, fake: Tensor) -> Tensor:
    """mean ||grad of D at generated samples||^2 / 2, without its weight gamma (eq. 10)."""
    _check("r2", critic, fake=fake)
    return _squared_slopes(critic, fake)


def _squared_slopes(critic: Critic, x: Tensor) -> Tensor:
    """Half the mean of the squared length of that gradient."""
    return mean(sum(square(_slopes(critic, x)), axis=tuple(range(1, x.ndim)))) / 2


def _slopes(critic: Critic, x: Tensor) -> Tensor:
    """The critic's gradient with respect to each sample of x, recorded: (N, ...)."""
    at = x.as_leaf()
    judged = critic(at)
    if not isinstance(judged, Tensor):
        raise TypeError(f"critic: it must return a tensor, got {errors.shown(judged)}")
    try:
        return grad(sum(judged), at, create_graph=True)
    except errors.UnreachedError as error:
        raise ValueError("critic: what it returns does not depend on the images, so it has no "
                         "gradient there (no_grad? detach?)") from error


def _norms(critic: Critic, x: Tensor) -> Tensor:
    """The length of that gradient at each sample: (N,)."""
    return norm(_slopes(critic, x), axis=tuple(range(1, x.ndim)))


def _check_stream(penalty: str, rng: Any) -> None:
    if not isinstance(rng, Stream):
        raise TypeError(f"{penalty}: rng must be a stream, such as "
                        f"minigan.stream('penalty'), got {errors.shown(rng)}")


def _check(penalty: str, critic: Any, **images: Tensor) -> None:
    errors.check_floats(penalty, **images)
    for name, x in images.items():
        if x.ndim < 1:
            raise ValueError(f"{penalty}: {name} must be (N, ...), got the shape {x.shape}")
    if not callable(critic):
        raise TypeError(f"{penalty}: critic must be a network or a function, got "
                        f"{errors.shown(critic)}")
    parts = critic.named_modules() if hasattr(critic, "named_modules") else ()
    for name, part in parts:
        if part.mixes_batch:
            raise ValueError(
                f"critic: its part {name}, {type(part).__name__}, mixes the samples of a batch; a "
                f"gradient penalty needs the gradient at each sample alone; use layer norm or no "
                f"normalisation in the critic")
