"""Optimizers: each class holds the textbook form of one rule, applied to one flat buffer.

An optimizer packs its parameters into one buffer, and every `p.data` becomes a view of it. So a
step is a few passes over contiguous memory, however many parameters there are. The rule runs over
blocks that stay in the processor's cache; it works element by element, so the blocks change no bit.

    optimizer = Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer.step(mg.grad(loss, network.parameters()))

`Optimizer` says how to write your own.
"""

from __future__ import annotations

import copy
import math
import weakref
from typing import Any, ClassVar, Iterable, Sequence

import numpy as np

from minigan import checks, errors
from minigan.backend import Array, backend_of
from minigan.engine import Tensor
from minigan.reading import reads

ALIGNMENT = 64  # bytes; every parameter begins at a multiple of them

# A class that overrides one of these has another rule than its parent's kernel computes.
RULE = frozenset({"kernel", "rule", "prepare", "slots"})


class Optimizer:
    """Packs parameters into one buffer and applies `rule` to it.

    parameters: an iterable of `Parameter`s on one device and of one float dtype. They stay the same
    objects; their arrays move into the buffer. Each may belong to one optimizer at a time.
    lr: the learning rate, above 0 and finite. A schedule may set the attribute `lr` between steps,
    to 0 as well.

    To write your own, subclass it and define `rule`:

        class Signum(Optimizer):
            slots = ("m",)                          # one running value a parameter

            def rule(self, p, g, *running):
                (m,) = running
                m *= 0.9
                m += 0.1 * g
                p -= self.lr * self.xp.sign(m)

    slots: names of the running values; each is a flat buffer like the parameters', zeros at first.
    changing: names of the settings that a schedule may change; `state_dict` saves them.
    rule: gets blocks of the buffers, in any order, so an element may depend only on those at the
    same place in the other buffers.
    prepare: computes the numbers that are the same for all blocks of a step. `self.t`, which counts
    the steps, is 1 in the first.
    kernel: the name of the CUDA kernel that computes the rule, if there is one. A subclass does not
    always inherit it, see `device_kernel`. Without one the rule works on a GPU as well, but a step
    with it cannot be captured there.

    A replay repeats the recorded calls of the backend and runs no other Python. So everything that
    a step writes must go through the backend's `assign`, `limit`, `update`, `follow` or `advance`;
    whatever Python writes otherwise, such as `self.t += 1`, is missing from a replay. `step` keeps
    to that, and calls `rule` and `prepare` through `update`, so these two may write.

    Raises:
        TypeError: parameters holds something that is not a Parameter.
        ValueError: there are no parameters, one is given twice or belongs to another optimizer,
            they differ in device or dtype, or lr is out of range.
    """

    slots: tuple[str, ...] = ()
    changing: tuple[str, ...] = ("lr",)
    kernel: ClassVar[str | None] = None

    def __init__(self, parameters: Iterable[Any], lr: float) -> None:
        name = type(self).__name__
        if isinstance(parameters, Tensor):
            raise TypeError(f"{name}: parameters must be a list of parameters, got one tensor")
        self.parameters = list(parameters)
        self.t = 0
        if not self.parameters:
            raise ValueError(f"{name}: parameters is empty: there is nothing to optimize")
        if not (checks.is_number(lr) and 0 < lr < math.inf):
            raise ValueError(f"{name}: lr must be above 0 and finite, got {errors.shown(lr)}")
        self.lr = lr
        _check_parameters(name, self.parameters)
        self.xp = backend_of(self.parameters[0].data)

        starts, size = _slots(self.parameters)
        self.values = self._buffer(size)
        self.gradient = self._buffer(size)
        self._views = self._cut(self.values, starts)
        self._gradients = self._cut(self.gradient, starts)
        for p, view in zip(self.parameters, self._views):
            view[...] = p.data
            p.data = view
            p.owner = weakref.ref(self)
        self.running = {name: self._buffer(size) for name in self.slots}

    def _buffer(self, size: int) -> Array:
        return self.xp.zeros(size, self.parameters[0].dtype)

    def _cut(self, flat: Array, starts: list[int]) -> list[Array]:
        """Each parameter's part of a flat buffer, in the parameter's shape."""
        return [flat[start:start + p.size].reshape(p.shape)
                for start, p in zip(starts, self.parameters)]

    # The rule.

    def rule(self, p: Array, g: Array, *running: Array) -> None:
        """Change p, and the running values, in place.

        p: values of parameters, g: their gradient, running: one array for each of `slots`; all flat
        and of one size and dtype. `self.xp` has the functions of their array module.

        Raises:
            NotImplementedError: the subclass defines no rule.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no rule")

    def prepare(self) -> None:
        """Compute the numbers of this step, once before `rule` goes through the blocks."""

    def device_kernel(self) -> str | None:
        """The kernel that computes this rule on a device; None if only Python knows the rule.

        It is the kernel of the first class, from the optimizer's own upwards, that defines any name
        in `RULE`. So a subclass that changes the rule does not silently run its parent's kernel.
        """
        if not RULE.isdisjoint(vars(self)):
            return None
        deciding = next(each for each in type(self).__mro__ if not RULE.isdisjoint(vars(each)))
        kernel: str | None = vars(deciding).get("kernel")
        return kernel

    # A step.

    def step(self, grads: Sequence[Tensor] | None = None) -> None:
        """One update of all parameters.

        grads: a gradient for each parameter, in their order, as `grad(loss, parameters)` returns
        them; by default each parameter's `.grad`, which `loss.backward()` sets.

        Raises:
            ValueError: a gradient is missing, or of another shape, dtype or device than its
                parameter, or there are more or fewer gradients than parameters.
            RuntimeError: a parameter was moved out of the buffer, by `network.to` for instance.
        """
        own = type(self).step is not Optimizer.step  # its Python is missing from replays
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
            checks.check_alike(f"step: the gradient of parameter {p.name}", g.data, view)
            self.xp.assign(slot, g.data)

        self.xp.advance(self, "t")
        self.xp.update(self)
        for p in self.parameters:
            p.touch()

    def zero_grad(self) -> None:
        """Forget every parameter's `.grad`."""
        for p in self.parameters:
            p.grad = None

    # Saving and loading.

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything besides the parameters that a resumed run needs.

        The step count, int64 (); the settings in `changing`, float64, such as lr (), betas (2,);
        the running values, each flat and of the parameters' dtype.
        """
        state = {"t": np.array(self.t)}
        for name in self.changing:
            state[name] = np.array(getattr(self, name), np.float64)
        for name, flat in self.running.items():
            state[name] = np.array(self.xp.to_host(flat))
        return state

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a state that `state_dict` returned; settings that it lacks do not change.

        Raises:
            ValueError: entries are missing, unexpected, or of another shape or dtype.
        """
        due: dict[str, Any] = {"t": ()}
        due.update({name: (flat.shape, flat.dtype) for name, flat in self.running.items()})
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
        """The learning rate, a Python float; a schedule may set it.

        Raises:
            ValueError: it is set to something that is not a finite number of 0 or more.
        """
        return self._lr

    @lr.setter
    def lr(self, rate: float) -> None:
        self._lr = _checked_rate(type(self).__name__, rate)


def _checked_rate(name: str, rate: float) -> float:
    if not (checks.is_number(rate) and 0 <= rate < math.inf):  # a schedule may end at 0
        raise ValueError(f"{name}: lr must be finite and not below 0, got {errors.shown(rate)}")
    return float(rate)  # NumPy's float64 would widen the float32 arrays that it multiplies


def _check_parameters(name: str, parameters: list[Any]) -> None:
    """Raise unless they can share a buffer: each once, free, on one device, of one dtype."""
    first = parameters[0]
    seen = set()
    for i, p in enumerate(parameters):
        if not hasattr(p, "owner"):
            raise TypeError(f"{name}: parameters[{i}] must be a Parameter, as a network's "
                            f"parameters() are, got a {type(p).__name__}")
        if id(p) in seen:
            raise ValueError(f"{name}: parameter {p.name} of shape {p.shape} is given twice")
        seen.add(id(p))
        if p.owner is not None and p.owner() is not None:
            raise ValueError(f"{name}: parameter {p.name} of shape {p.shape} belongs to another "
                             f"optimizer already")
        if (type(p.data), p.dtype) != (type(first.data), first.dtype):
            raise ValueError(f"{name}: parameters must share a device and a dtype, got "
                             f"{first.dtype} on {first.device} and {p.dtype} on {p.device}")


def _slots(parameters: list[Any]) -> tuple[list[int], int]:
    """Where each parameter begins in the buffer, and the buffer's size; in elements, aligned."""
    step = ALIGNMENT // parameters[0].dtype.itemsize
    starts = []
    end = 0
    for p in parameters:
        starts.append(end)
        end += -(-p.size // step) * step
    return starts, end


# ---------------------------------------------------------------- the rules

class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (Polyak 1964) if one is given.

    m <- momentum * m + g
    p <- p - lr * m

    lr: above 0; often 0.01 to 0.1. momentum: in [0, 1); 0 (the default) is plain descent. PyTorch's
    form: the learning rate is outside of m, and there is no dampening.

    Raises:
        ValueError: lr or momentum is out of range; see `Optimizer` for the parameters.
    """

    slots = ("m",)
    changing = ("lr", "momentum")
    kernel = "sgd"

    def __init__(self, parameters: Iterable[Any], lr: float, momentum: float = 0.0) -> None:
        checks.check_share("SGD: momentum", momentum)
        super().__init__(parameters, lr)
        self.momentum = momentum

    def rule(self, p: Array, g: Array, *running: Array) -> None:
        (m,) = running
        m *= self.momentum
        m += g
        p -= self.lr * m


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton 2012, "Neural networks for machine learning", lecture 6.5).

    v <- alpha * v + (1 - alpha) * g^2
    p <- p - lr * g / (sqrt(v) + eps)

    lr: above 0; WGAN takes 5e-5. alpha: in [0, 1), how much of the mean square is kept at each
    step; the lecture says 0.9, PyTorch and we 0.99. eps: 0 or more, outside of the root.

    Raises:
        ValueError: lr, alpha or eps is out of range; see `Optimizer` for the parameters.
    """

    slots = ("v",)
    changing = ("lr", "alpha", "eps")
    kernel = "rmsprop"

    def __init__(self, parameters: Iterable[Any], lr: float, alpha: float = 0.99,
                 eps: float = 1e-8) -> None:
        checks.check_share("RMSprop: alpha", alpha)
        checks.check_eps("RMSprop: eps", eps)
        super().__init__(parameters, lr)
        self.alpha = alpha
        self.eps = eps

    def rule(self, p: Array, g: Array, *running: Array) -> None:
        (v,) = running
        v *= self.alpha
        v += (1 - self.alpha) * g * g
        p -= self.lr * g / (self.xp.sqrt(v) + self.eps)


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1).

    m <- beta1 * m + (1 - beta1) * g
    v <- beta2 * v + (1 - beta2) * g^2
    p <- p - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    lr: above 0; the paper's alpha, 0.001. betas: two numbers in [0, 1), the paper's (0.9, 0.999);
    DCGAN takes (0.5, 0.999), WGAN-GP (0, 0.9). eps: 0 or more, added to the corrected root.

    The stored m and v leave the factors 1 - beta out; these and the corrections 1 - beta^t are part
    of two numbers that are computed once a step: two passes fewer, and the same update.

    Raises:
        ValueError: lr, betas or eps is out of range; see `Optimizer` for the parameters.
    """

    slots = ("m", "v")
    changing = ("lr", "betas", "eps")
    kernel = "adam"

    def __init__(self, parameters: Iterable[Any], lr: float = 1e-3,
                 betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8) -> None:
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ValueError(f"Adam: betas must be a pair, (beta1, beta2), got "
                             f"{errors.shown(betas)}")
        checks.check_share("Adam: beta1", betas[0])
        checks.check_share("Adam: beta2", betas[1])
        checks.check_eps("Adam: eps", eps)
        super().__init__(parameters, lr)
        self.betas = betas
        self.eps = eps

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


# ---------------------------------------------------------------- averages and clipping

class EMA:
    """A copy of a network that follows it by exponential moving averages.

    average <- average + (1 - d) * (value - average),  d = min(decay, (1 + t) / (10 + t))

    The warm-up of d, which is TensorFlow's, lets the first averages leave the initial weights soon.
    On averages in GANs see Yazici et al. 2019, "The unusual effectiveness of averaging in GAN
    training".

    network: the network to follow; its parameters and buffers are averaged. decay: in [0, 1); with
    0.999 an average looks back over about 1000 updates. The copy, `ema.network`, is in evaluation
    mode; `ema.t` counts the updates.

    Raises:
        TypeError: network is not a network, or has no weights.
        ValueError: decay is not in [0, 1).
    """

    def __init__(self, network: Any, decay: float = 0.999) -> None:
        checks.check_share("EMA: decay", decay)
        if not hasattr(network, "named_tensors") or not [*network.named_tensors()]:
            raise TypeError(f"EMA: network must be a network with weights, got "
                            f"{errors.shown(network)}")
        self.source = network
        self.decay = decay
        self.t = 0
        self.network = copy.deepcopy(network).eval()
        averages = [tensor for _, tensor in self.network.named_tensors()]
        values = [tensor for _, tensor in network.named_tensors()]
        self._pairs = list(zip(averages, values))
        self.xp = backend_of(averages[0].data)

    def update(self) -> None:
        """Move the averages towards the network's current values."""
        reads(self, self.xp.live_attributes)
        for average, value in self._pairs:
            self.xp.follow(average.data, value.data, self)
            average.touch()
        self.xp.advance(self, "t")

    def share(self) -> float:
        """1 - d: how far the next update moves the averages towards the values."""
        return 1 - min(self.decay, (1 + self.t) / (10 + self.t))

    def state_dict(self) -> dict[str, np.ndarray]:
        """The number of updates, int64 (), the decay, float64 (), and the averages by name."""
        numbers = {"t": np.array(self.t), "decay": np.array(self.decay, np.float64)}
        return {**numbers, **self.network.state_dict()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a state that `state_dict` returned; if it has no decay, that does not change.

        Raises:
            ValueError: averages are missing, unexpected, or of another shape or dtype.
        """
        averages = {name: value for name, value in state.items() if name not in ("t", "decay")}
        self.network.load_state_dict(averages)
        self.t = int(state["t"])
        self.decay = float(state.get("decay", self.decay))


def clip_weights(parameters: Iterable[Any], limit: float,
                 roles: Sequence[str] = ("weight", "bias")) -> None:
    """Limit parameters to [-limit, limit] in place (WGAN, Arjovsky et al. 2017, algorithm 1).

    parameters: `Parameter`s, a critic's for instance. limit: above 0; the paper's c, 0.01. roles:
    which parameters are clipped. Gains of normalisations ("gain") are left alone, as a gain near 0
    would close its channel.

    Raises:
        TypeError: parameters holds something that is not a Parameter.
        ValueError: limit is not above 0.
    """
    if not (checks.is_number(limit) and limit > 0):
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
