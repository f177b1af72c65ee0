"""Optimizers: each class holds the textbook form of one rule, applied to one flat buffer.

An optimizer packs its parameters into one buffer, of which every `p.data` becomes a view, so a step
is a few passes over contiguous memory whatever the number of parameters. The rule runs over blocks
that stay in the processor's cache; it is element by element, so the blocks change no bit.
"""

from __future__ import annotations

import copy
import math
import weakref
from typing import Any, Iterable, Sequence

import numpy as np

from minigan import errors
from minigan.backend import Array, backend_of
from minigan.engine import Tensor
from minigan.reading import reads

ALIGNMENT = 64   # bytes between which slots of the buffer begin


class Optimizer:
    """Packs parameters and applies `rule` to them; subclasses define the rule.

    parameters: tensors with `owner` and `data`, on one device, of one dtype; each may belong to one
    optimizer at most.
    """

    slots: tuple[str, ...] = ()  # names of the running values, each a buffer like the parameters'
    changing: tuple[str, ...] = ("lr",)  # settings that a schedule may change, so part of the state

    def __init__(self, parameters: Iterable[Any], lr: float) -> None:
        name = type(self).__name__
        if isinstance(parameters, Tensor):
            raise TypeError(f"{name}: parameters must be a list of parameters, got one tensor")
        self.parameters = list(parameters)
        self.t = 0
        if not self.parameters:
            raise ValueError(f"{name}: parameters is empty: there is nothing to optimize")
        if not (errors.is_number(lr) and 0 < lr < math.inf):
            raise ValueError(f"{name}: lr must be above 0 and finite, got {errors.shown(lr)}")
        self.lr = lr
        first = self.parameters[0]
        self.xp = backend_of(first.data)
        for i, p in enumerate(self.parameters):
            if not hasattr(p, "owner"):
                raise TypeError(f"{name}: parameters[{i}] must be a Parameter, as a network's "
                                f"parameters() are, got a {type(p).__name__}")
            if any(p is other for other in self.parameters[:i]):
                raise ValueError(f"{name}: parameter {p.name} of shape {p.shape} is given twice")
            if p.owner is not None and p.owner() is not None:
                raise ValueError(f"{name}: parameter {p.name} of shape {p.shape} belongs to "
                                 f"another optimizer already")
            if (type(p.data), p.dtype) != (type(first.data), first.dtype):
                raise ValueError(f"{name}: parameters must share a device and a dtype, got "
                                 f"{first.dtype} on {first.device} and {p.dtype} on {p.device}")
        step = ALIGNMENT // first.dtype.itemsize
        starts = [0]
        for p in self.parameters:
            starts.append(starts[-1] + -(-p.size // step) * step)
        self.values, self.gradient = self._buffer(starts[-1]), self._buffer(starts[-1])
        self._views, self._gradients = [
            [flat[start:start + p.size].reshape(p.shape)
             for start, p in zip(starts, self.parameters)] for flat in (self.values, self.gradient)]
        for p, view in zip(self.parameters, self._views):
            view[...] = p.data
            p.data, p.owner = view, weakref.ref(self)
        self.running = {name: self._buffer(starts[-1]) for name in self.slots}

    def _buffer(self, size: int) -> Array:
        return self.xp.zeros(size, self.parameters[0].dtype)

    def rule(self, p: Array, g: Array, *running: Array) -> None:
        """Change p, and the running values, in place; g is the gradient. All flat, of one size."""
        raise NotImplementedError

    def step(self, grads: Sequence[Tensor] | None = None) -> None:
        """One update, with the given gradients or with each parameter's `.grad`."""
        own = type(self).step is not Optimizer.step  # Python that no replay runs
        reads(self, ("t", "lr") if own else self.xp.live_attributes)
        if grads is None:
            grads = [p.grad for p in self.parameters]
        if len(grads) != len(self.parameters):
            raise ValueError(f"step: {len(grads)} gradients for {len(self.parameters)} parameters")
        for p, g, view, slot in zip(self.parameters, grads, self._views, self._gradients):
            if p.data is not view:
                raise RuntimeError(f"parameter {p.name} of shape {p.shape} was moved out of its "
                                   f"optimizer's buffer; move a network first, then optimize it")
            if not isinstance(g, Tensor):
                raise ValueError(f"step: the gradient of parameter {p.name} of shape {p.shape} is "
                                 f"{'missing' if g is None else f'a {type(g).__name__}'}")
            errors.check_alike(f"step: the gradient of parameter {p.name}", g.data, view)
            self.xp.assign(slot, g.data)
        self.xp.advance(self, "t")
        self.xp.update(self)
        for p in self.parameters:
            p.touch()

    def prepare(self) -> None:
        """Compute the step's own numbers, once before the blocks."""

    def zero_grad(self) -> None:
        """Forget every parameter's `.grad`."""
        for p in self.parameters:
            p.grad = None

    def state_dict(self) -> dict[str, np.ndarray]:
        """What a resumed run needs beside the parameters.

        The step count, int64 (); the settings in `changing`, float64, such as lr (), betas (2,);
        the running values, each flat and of the parameters' dtype.
        """
        settings = {name: np.array(getattr(self, name), np.float64) for name in self.changing}
        state = {name: np.array(self.xp.to_host(flat)) for name, flat in self.running.items()}
        return {"t": np.array(self.t), **settings, **state}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a state that `state_dict` returned; settings that it lacks stay as they are.

        Raises:
            ValueError: entries are missing, unexpected, or of another shape or dtype.
        """
        due = {"t": (), **{name: (flat.shape, flat.dtype) for name, flat in self.running.items()}}
        due.update({name: np.shape(getattr(self, name)) for name in self.changing if name in state})
        given = {name: (value.shape, value.dtype) if name in self.running else value.shape
                 for name, value in state.items()}
        if given != due:
            raise ValueError(f"load_state_dict: {type(self).__name__} needs {due}, got {given}")
        self.t = int(state["t"])
        for name in self.changing:
            if name in state:
                value = state[name].tolist()
                setattr(self, name, tuple(value) if isinstance(value, list) else value)
        for name, flat in self.running.items():
            flat[...] = self.xp.from_host(state[name])

    @property
    def lr(self) -> float:
        """The learning rate; a schedule sets it, and it is kept as Python's own float."""
        return self._lr

    @lr.setter
    def lr(self, rate: float) -> None:
        if not (errors.is_number(rate) and 0 <= rate < math.inf):  # a schedule may end at 0
            raise ValueError(f"{type(self).__name__}: lr must be finite and not below 0, got "
                             f"{errors.shown(rate)}")
        self._lr = float(rate)  # of NumPy's kinds some would widen the arrays that they multiply


class SGD(Optimizer):
    """p <- p - lr * m with m <- momentum * m + g."""

    slots = ("m",)
    changing = ("lr", "momentum")

    def __init__(self, parameters: Iterable[Any], lr: float, momentum: float = 0.0) -> None:
        errors.check_share("SGD: momentum", momentum)
        super().__init__(parameters, lr)
        self.momentum = momentum

    def rule(self, p: Array, g: Array, *running: Array) -> None:
        (m,) = running
        m *= self.momentum
        m += g
        p -= self.lr * m


class RMSprop(Optimizer):
    """p <- p - lr * g / (sqrt(v) + eps) with v <- alpha * v + (1 - alpha) * g^2 (Hinton 2012)."""

    slots = ("v",)
    changing = ("lr", "alpha", "eps")

    def __init__(self, parameters: Iterable[Any], lr: float, alpha: float = 0.99,
                 eps: float = 1e-8) -> None:
        errors.check_share("RMSprop: alpha", alpha)
        errors.check_eps("RMSprop: eps", eps)
        super().__init__(parameters, lr)
        self.alpha, self.eps = alpha, eps

    def rule(self, p: Array, g: Array, *running: Array) -> None:
        (v,) = running
        v *= self.alpha
        v += (1 - self.alpha) * g * g
        p -= self.lr * g / (self.xp.sqrt(v) + self.eps)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1), with exact bias correction.

    m <- beta1 * m + (1 - beta1) * g;  v <- beta2 * v + (1 - beta2) * g^2
    p <- p - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    The factors 1 - beta are left out of m and v and moved onto scalars, as the corrections are:
    two passes fewer.
    """

    slots = ("m", "v")
    changing = ("lr", "betas", "eps")

    def __init__(self, parameters: Iterable[Any], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> None:
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"Adam: betas must be a pair, (beta1, beta2), got "
                             f"{errors.shown(betas)}")
        for name, beta in zip(("beta1", "beta2"), betas):
            errors.check_share(f"Adam: {name}", beta)
        errors.check_eps("Adam: eps", eps)
        super().__init__(parameters, lr)
        self.betas, self.eps = betas, eps

    def prepare(self) -> None:
        beta1, beta2 = self.betas
        self._root = math.sqrt((1 - beta2 ** self.t) / (1 - beta2))
        self._rate = self.lr * self._root * (1 - beta1) / (1 - beta1 ** self.t)

    def rule(self, p: Array, g: Array, *running: Array) -> None:
        m, v = running
        beta1, beta2 = self.betas
        m *= beta1
        m += g
        v *= beta2
        step = g * g
        v += step
        self.xp.sqrt(v, out=step)
        step += self.eps * self._root
        self.xp.divide(m, step, out=step)
        step *= self._rate
        p -= step


class EMA:
    """A copy of a network whose parameters and buffers follow by exponential moving averages.

    average <- average + (1 - decay) * (value - average), where the decay of update t is
    min(decay, (1 + t) / (10 + t)), so that the first updates do not hold on to the initial weights.
    The copy, `ema.network`, is in evaluation mode.
    """

    def __init__(self, network: Any, decay: float = 0.999) -> None:
        errors.check_share("EMA: decay", decay)
        if not hasattr(network, "named_tensors") or not [*network.named_tensors()]:
            raise TypeError(f"EMA: network must be a network with weights, got "
                            f"{errors.shown(network)}")
        self.source, self.decay, self.t = network, decay, 0
        self.network = copy.deepcopy(network).eval()
        self._pairs = [(average, value) for (_, average), (_, value)
                       in zip(self.network.named_tensors(), network.named_tensors())]
        self.xp = backend_of(self._pairs[0][0].data)

    def update(self) -> None:
        """Move the averages towards the network's present values."""
        reads(self, self.xp.live_attributes)
        for average, value in self._pairs:
            self.xp.follow(average.data, value.data, self)
            average.touch()
        self.xp.advance(self, "t")

    def share(self) -> float:
        """How far the next update moves the averages."""
        return 1 - min(self.decay, (1 + self.t) / (10 + self.t))

    def state_dict(self) -> dict[str, np.ndarray]:
        """The averages, the number of updates, int64 (), and the decay, float64 ()."""
        numbers = {"t": np.array(self.t), "decay": np.array(self.decay, np.float64)}
        return {**numbers, **self.network.state_dict()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a state that `state_dict` returned; a decay that it lacks stays as it is."""
        self.network.load_state_dict({name: v for name, v in state.items()
                                      if name not in ("t", "decay")})
        self.t = int(state["t"])
        self.decay = float(state.get("decay", self.decay))


def clip_weights(parameters: Iterable[Any], limit: float,
                 roles: Sequence[str] = ("weight", "bias")) -> None:
    """Limit parameters to [-limit, limit] in place (WGAN, Arjovsky et al. 2017, algorithm 1).

    roles: what is clipped; gains of normalisations are left alone, as a gain near 0 would close its
    channel.
    """
    if not (errors.is_number(limit) and limit > 0):
        raise ValueError(f"clip_weights: limit must be above 0, got {errors.shown(limit)}")
    clipped = list(parameters)
    for i, p in enumerate(clipped):
        if not hasattr(p, "role"):
            raise TypeError(f"clip_weights: parameters[{i}] must be a Parameter, got a "
                            f"{type(p).__name__}")
    for p in clipped:
        if p.role in roles:
            backend_of(p.data).limit(p.data, -limit, limit)
            p.touch()
