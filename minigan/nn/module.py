"""Networks: a `Module` owns parameters, buffers and other modules, found among its attributes."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping

import numpy as np

from minigan.backend import Array, backend_of, get_backend
from minigan.blocks import evaluating
from minigan.checks import check_state
from minigan.engine import Tensor
from minigan.reading import noting, reads, settings


class Parameter(Tensor):
    """A tensor that is trained.

    data: an array of float32 or float64, on any backend. role: "weight", "bias" or "gain" (the
    gamma of a normalisation); weight clipping, for one, treats them differently. `owner` refers to
    the optimizer that packed it, if there is one.
    """

    def __init__(self, data: Array, role: str = "weight") -> None:
        super().__init__(data, requires_grad=True)
        self.role = role
        self.owner: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        twin = Parameter(self.data.copy(), self.role)  # a copy belongs to no optimizer
        twin.name = self.name
        return twin


class Mode:
    """The attribute `Module.training`: a module's own flag, and False inside `evaluation_mode`."""

    def __get__(self, module: Module | None, owner: type) -> bool:
        if module is None:
            return True  # the mode that modules begin with
        return bool(module.__dict__.get("training", True)) and not evaluating.get()

    def __set__(self, module: Module, mode: bool) -> None:
        module.__dict__["training"] = mode


class Module:
    """A function with state. Subclasses set attributes in `__init__` and define `forward`.

    What an attribute holds decides what it is:

    - a `Parameter` is trained, saved and moved;
    - a plain `Tensor` is a buffer: saved and moved, but not trained;
    - a Module, or a list or tuple of them, is a part; its tensors have names such as "part.weight";
    - anything else is a setting.

    To write a layer of your own:

        from minigan.backend import default

        class Scale(Module):                        # x: (..., size) -> (..., size)
            def __init__(self, size):               # super().__init__() is not needed
                self.scale = Parameter(default().ones(size, "float32"), "gain")

            def forward(self, x):
                return x * self.scale

    forward: computes with ops (`minigan.ops`) and other modules, so every derivative exists. It
    takes random numbers from a `Stream` and asks `self.training` for the mode. A recorded step runs
    no Python when it is replayed. So forward writes to buffers with `Tensor.assign`, under
    `no_grad`, as `BatchNorm` does, and sets no attributes.
    mixes_batch: set it to True if a sample's output depends on the other samples of its batch;
    gradient penalties refuse such a critic.
    describe: the settings to show in `repr`.
    then_leaky_relu, leak: only for speed. A layer that can compute leaky_relu(self(x), slope) in
    one pass defines `then_leaky_relu(x, slope)`; `Sequential` calls it if the next layer's `leak()`
    returns a slope. A subclass with a `forward` of its own does not inherit either.
    """

    training = Mode()
    mixes_batch = False
    then_leaky_relu: Callable[[Tensor, float], Tensor] | None = None

    def __init_subclass__(cls) -> None:
        if "forward" not in vars(cls):
            return
        for name in ("leak", "then_leaky_relu"):  # the base's are true of its own forward only
            if name not in vars(cls):
                setattr(cls, name, getattr(Module, name))

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        settings.count += 1

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        settings.count += 1

    def leak(self) -> float | None:
        """The slope below 0 if this is a (leaky) ReLU, else None."""
        return None

    def forward(self, *inputs: Any) -> Tensor:
        """The function itself.

        Raises:
            NotImplementedError: the subclass defines no forward.
        """
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
                for i, child in enumerate(value):
                    if isinstance(child, Module):
                        yield f"{name}.{i}", child

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all its parts, and their parts."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(_joined(prefix, name))

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Parameters and buffers, by name, in the order in which they were made.

        A tensor that several modules share is listed once, under its first name.
        """
        seen: set[int] = set()
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Tensor) and id(value) not in seen:
                    seen.add(id(value))
                    yield _joined(prefix, name), value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The parameters, by name."""
        for name, value in self.named_tensors():
            if isinstance(value, Parameter):
                yield name, value

    def parameters(self) -> list[Parameter]:
        """The parameters, in the order of `named_tensors`."""
        return [p for _, p in self.named_parameters()]

    def name_parameters(self, prefix: str) -> None:
        """Write each parameter's full name into it, for messages and pictures."""
        for name, p in self.named_parameters():
            p.name = _joined(prefix, name)

    # Modes.

    def train(self, mode: bool = True) -> Module:
        """Training mode: batch norm uses its batch's statistics, dropout drops.

        The mode is the network's, in all threads; `evaluation_mode` holds in one thread or task.
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

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Write saved values into all parameters and buffers; all or nothing.

        Raises:
            ValueError: entries are missing, unexpected, or of another shape or dtype; names them.
        """
        own = dict(self.named_tensors())
        check_state(f"load_state_dict: the state does not fit this {type(self).__name__}", own,
                    state)
        for name, t in own.items():
            t.assign(backend_of(t.data).from_host(np.asarray(state[name])))

    def to(self, device: str) -> Module:
        """Move all parameters and buffers to a device, in place; make the optimizer afterwards.

        device: a backend's name, "numpy" or "cupy".

        Raises:
            BackendError: there is no such backend, or it cannot be used on this machine.
        """
        target = get_backend(device)

        def move(array: Array) -> Array:
            return target.from_host(np.array(backend_of(array).to_host(array)))

        return self._rehome(move)

    def astype(self, dtype: Any) -> Module:
        """Convert all parameters and buffers, in place; make the optimizer afterwards.

        dtype: "float32" or "float64".

        Raises:
            TypeError: dtype is something else.
        """
        if np.dtype(dtype).kind != "f":
            raise TypeError(f"astype: a network computes in float32 or float64, got {dtype}")
        return self._rehome(lambda array: array.astype(dtype))

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
        name = type(self).__name__
        rows = [(path, module) for path, module in self.named_modules()
                if module is not self and not list(module.children())]
        if not rows:
            return f"{name}({self.describe()})"
        shown = [(f"  {path}: {module!r}", count_parameters(module)) for path, module in rows]
        width = max(len(text) for text, _ in shown)
        lines = [f"{text:<{width}}  {count:>12,}" if count else text for text, count in shown]
        total = f"{count_parameters(self):>{width + 14},} parameters"
        return "\n".join([f"{name}(", *lines, total, ")"])


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def count_parameters(module: Module) -> int:
    """How many numbers the parameters hold."""
    return sum(p.size for p in module.parameters())


class Sequential(Module):
    """Modules one after another: `Sequential(Dense(2, 8), ReLU(), Dense(8, 1))`.

    layers: any number of modules of one argument; with none, the output is the input.
    `len(network)` and `network[i]` are those of the list `network.layers`. A layer's bias and the
    (leaky) ReLU that follows it are computed in one pass.

    Raises:
        TypeError: a layer is not a Module.
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
        rest = self.layers[::-1]  # the next layer last
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
