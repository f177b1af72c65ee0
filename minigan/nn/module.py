"""Networks: a `Module` owns parameters, buffers and other modules, found among its attributes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator

import numpy as np

from minigan.backend import Array, backend_of, get_backend
from minigan.engine import Tensor
from minigan.reading import evaluating, noting, reads, settings


class Parameter(Tensor):
    """A tensor that is trained.

    role: "weight", "bias" or "gain" (the gamma of a normalisation): weight clipping and others
    treat roles differently. owner: the optimizer that packed it, if any.
    """

    def __init__(self, data: Array, role: str = "weight") -> None:
        super().__init__(data, requires_grad=True)
        self.role = role
        self.owner: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        twin = Parameter(self.data.copy(), self.role)  # a copy belongs to no optimizer
        twin.name = self.name
        return twin


@contextmanager
def evaluation_mode() -> Iterator[None]:
    """Let every module compute in evaluation mode inside, whatever its own mode is.

    It holds for the thread or asyncio task that computes there, and changes no module: others may
    train the same network meanwhile.
    """
    evaluating.set(evaluating.get() + 1)
    try:
        yield
    finally:
        evaluating.set(max(0, evaluating.get() - 1))  # 0 where another thread closes a generator


class Mode:
    """The attribute `Module.training`: a module's own flag, and False inside `evaluation_mode`."""

    def __get__(self, module: Module | None, kind: type) -> bool:
        if module is None:
            return True  # what modules begin with
        return bool(module.__dict__.get("training", True)) and not evaluating.get()

    def __set__(self, module: Module, mode: bool) -> None:
        module.__dict__["training"] = mode


class Module:
    """A function with state. Subclasses set attributes in `__init__` and define `forward`.

    A `Parameter` attribute is trained; a plain `Tensor` attribute is a buffer: saved and moved, but
    not trained; a Module, or a list of Modules, is a part.
    """

    training = Mode()
    mixes_batch = False  # whether a sample's output depends on the other samples of its batch
    then_leaky_relu: Callable[[Tensor, float], Tensor] | None = None  # both at once, where one can

    def __init_subclass__(cls) -> None:
        if "forward" in vars(cls):  # one of its own: what its base says of itself need not hold
            for name in ("leak", "then_leaky_relu"):
                if name not in vars(cls):
                    setattr(cls, name, getattr(Module, name))

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        settings.count += 1

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        settings.count += 1

    def leak(self) -> float | None:
        """The slope below 0 of a (leaky) ReLU, None of everything else."""
        return None

    def forward(self, *inputs: Any) -> Tensor:
        """The function itself."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def __call__(self, *inputs: Any) -> Tensor:
        if noting.get() is not None:  # asked here and not in `reads`, as calls are many
            reads(self)
        return self.forward(*inputs)

    # What belongs to a module, with names such as "0.weight".

    def children(self) -> Iterator[tuple[str, Module]]:
        """The direct parts, by name."""
        for name, value in vars(self).items():
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, (list, tuple)):
                for i, part in enumerate(value):
                    if isinstance(part, Module):
                        yield f"{name}.{i}", part

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all parts, the parts' parts included."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters and buffers, by name, in the order in which they were made.

        One that several modules share comes once, under its first name: it is one thing to train.
        """
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Tensor) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}" if prefix else name, value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """What is trained, by name."""
        for name, value in self.named_tensors():
            if isinstance(value, Parameter):
                yield name, value

    def parameters(self) -> list[Parameter]:
        """What is trained."""
        return [p for _, p in self.named_parameters()]

    def name_parameters(self, prefix: str) -> None:
        """Write each parameter's full name into it, for messages and pictures."""
        for name, p in self.named_parameters():
            p.name = f"{prefix}.{name}" if prefix else name

    # Modes.

    def train(self, mode: bool = True) -> Module:
        """Training mode: batch norm uses its batch's statistics, dropout drops.

        The mode is the network's, for all threads alike; `evaluation_mode` is one's own.
        """
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Evaluation mode: batch norm uses its running statistics, dropout does nothing."""
        return self.train(False)

    # Saving, loading, moving.

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and buffers on the host, by name."""
        return {name: t.numpy().copy() for name, t in self.named_tensors()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Write saved values into all parameters and buffers; all or nothing.

        Raises:
            ValueError: entries are missing, unexpected, or of another shape or dtype; names them.
        """
        own = dict(self.named_tensors())
        problems = [f"{name} is missing" for name in own if name not in state]
        problems += [f"{name} is unexpected" for name in state if name not in own]
        problems += [f"{name} is {state[name].dtype} {state[name].shape}, not {t.dtype} {t.shape}"
                     for name, t in own.items() if name in state
                     and (state[name].shape, state[name].dtype) != (t.shape, t.dtype)]
        if problems:
            raise ValueError(f"load_state_dict: the state does not fit this "
                             f"{type(self).__name__}: {'; '.join(problems)}")
        for name, t in own.items():
            t.assign(backend_of(t.data).from_host(np.asarray(state[name])))

    def to(self, device: str) -> Module:
        """Move all parameters and buffers to a device, in place; make the optimizer afterwards."""
        target = get_backend(device)
        return self._rehome(lambda a: target.from_host(np.array(backend_of(a).to_host(a))))

    def astype(self, dtype: Any) -> Module:
        """Convert all parameters and buffers, in place; make the optimizer afterwards."""
        if np.dtype(dtype).kind != "f":
            raise TypeError(f"astype: a network computes in float32 or float64, got {dtype}")
        return self._rehome(lambda a: a.astype(dtype))

    def _rehome(self, move: Callable[[Array], Array]) -> Module:
        for _, t in self.named_tensors():
            t.data = move(t.data)
            t.memory = None
            t.touch()
        return self

    # Looking at it.

    def describe(self) -> str:
        """The arguments to show in `repr`."""
        return ""

    def __repr__(self) -> str:
        rows = [(name, module) for name, module in self.named_modules()
                if module is self or not list(module.children())]
        if len(rows) == 1:
            return f"{type(self).__name__}({self.describe()})"
        shown = [(f"  {name}: {module!r}", count_parameters(module)) for name, module in rows[1:]]
        width = max(len(text) for text, _ in shown)
        lines = [f"{text:<{width}}  {count:>12,}" if count else text for text, count in shown]
        total = f"{count_parameters(self):>{width + 14},} parameters"
        return "\n".join([f"{type(self).__name__}(", *lines, total, ")"])


def count_parameters(module: Module) -> int:
    """How many numbers are trained."""
    return sum(p.size for p in module.parameters())


class Sequential(Module):
    """Modules one after another: `Sequential(Dense(2, 8), ReLU(), Dense(8, 1))`.

    A layer's bias and the (leaky) ReLU that follows it are one pass over the numbers.
    """

    def __init__(self, *layers: Module) -> None:
        for i, layer in enumerate(layers):
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential: layer {i} must be a Module, got {layer!r}")
        self.layers = list(layers)
        self.name_parameters("")

    def children(self) -> Iterator[tuple[str, Module]]:
        return ((str(i), layer) for i, layer in enumerate(self.layers))

    def forward(self, x: Tensor) -> Tensor:
        rest = self.layers[::-1]
        while rest:
            layer = rest.pop()
            slope = rest[-1].leak() if rest else None
            if layer.then_leaky_relu is None or slope is None:
                x = layer(x)
            else:
                x = layer.then_leaky_relu(x, slope)
                rest.pop()
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, i: int) -> Module:
        return self.layers[i]
