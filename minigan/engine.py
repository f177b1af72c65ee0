"""The engine: tensors, ops, and the derivative of a derivative.

If automatic differentiation is new to you, run `examples/01_scalar_graph.py` first: the same idea
on plain numbers. Five ideas carry this file, each under a heading of its own below:

1. One clock stamps recordings and writes, which orders the graph and exposes stale values.
2. The array decides where it is computed; nothing moves between devices unasked.
3. An op is a forward on raw arrays with its backward rules beside it; all ops are in one table.
4. `grad(outputs, inputs)` is the primitive; it walks only the paths from outputs to inputs.
5. A backward rule is written in differentiable ops, so derivatives of any order need no more code.

    x = tensor([1.0, 2.0], requires_grad=True)
    y = sum(x ** 3)
    gx = grad(y, x, create_graph=True)      # 3 x^2
    ggx = grad(sum(gx), x)                  # 6 x
"""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import numbers
from contextvars import ContextVar
from typing import Any, Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from minigan import errors
from minigan.backend import BY_TYPE, Array, backend_of, check_array, default, get_backend
from minigan.blocks import inside
from minigan.reading import noting

Axis = int | tuple[int, ...] | None
Rule = Callable[..., "Tensor"]

# ---------------------------------------------------------------- 1. one clock

_tick = itertools.count(1).__next__  # recording takes a tick, writing takes a tick


class Memory:
    """When a piece of memory was last written; views share their base's."""

    written = 0


# ---------------------------------------------------------------- 2. the tensor

class Tensor:
    """An array that remembers how it was computed.

    data: the array, NumPy's or CuPy's: its device is the tensor's device.
    requires_grad: whether a gradient can flow here; grad: what `backward` has accumulated.
    name: for messages and pictures.

    `t.data` and `t.numpy()` are the memory itself: who writes there calls `t.touch()` afterwards.
    """

    __array_ufunc__ = None  # ndarray + Tensor asks the Tensor, which refuses with a clear error
    __array__ = errors.refuse_conversion

    grad: Tensor | None = None
    name = ""
    op: Op | None = None  # what computed it, from which inputs, with which settings
    inputs: tuple[Any, ...] = ()
    # (position, input) of the inputs that need a gradient and whose rule is not None: the only
    # edges of the graph that `grad` walks.
    carriers: Sequence[tuple[int, Tensor]] = ()
    settings: dict[str, Any] = {}
    # Made when a view or a write first needs it. A tensor that has none shares its memory with no
    # other and was never overwritten; one that has a memory may be stale, and may be a view.
    memory: Memory | None = None

    def __init__(self, data: Array, requires_grad: bool = False) -> None:
        check_array(data, requires_grad)
        self.data = data
        self.requires_grad = requires_grad
        self.within = _state.get().within  # the op whose rule made it, None in a forward pass
        self.tick = _tick()

    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)
    dtype = property(lambda self: self.data.dtype)
    device = property(lambda self: backend_of(self.data).device)
    T = property(lambda self: transpose(self))

    __add__ = lambda self, other: add(self, other)  # noqa: E731
    __radd__ = lambda self, other: add(other, self)  # noqa: E731
    __sub__ = lambda self, other: subtract(self, other)  # noqa: E731
    __rsub__ = lambda self, other: subtract(other, self)  # noqa: E731
    __mul__ = lambda self, other: multiply(self, other)  # noqa: E731
    __rmul__ = lambda self, other: multiply(other, self)  # noqa: E731
    __truediv__ = lambda self, other: divide(self, other)  # noqa: E731
    __rtruediv__ = lambda self, other: divide(other, self)  # noqa: E731
    __pow__ = lambda self, other: power(self, other)  # noqa: E731
    __rpow__ = lambda self, other: power(other, self)  # noqa: E731
    __matmul__ = lambda self, other: matmul(self, other)  # noqa: E731
    __rmatmul__ = lambda self, other: matmul(other, self)  # noqa: E731
    __getitem__ = lambda self, index: getitem(self, index)  # noqa: E731
    __neg__ = lambda self: negative(self)  # noqa: E731
    __len__ = lambda self: len(self.data) if self.ndim else errors.refuse_rows()  # noqa: E731
    __bool__ = lambda self: bool(self.item())  # noqa: E731
    __hash__ = object.__hash__  # a tensor is itself, whatever its values
    __eq__ = __ne__ = errors.refuse_equality
    __lt__ = __le__ = __gt__ = __ge__ = errors.refuse_order
    __float__ = __int__ = errors.refuse_number
    __abs__ = errors.refuse_abs
    __dir__ = errors.own_names

    def __iter__(self) -> Iterator[Tensor]:
        if self.ndim == 0:
            errors.refuse_rows()
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        values = np.array2string(self.numpy(), separator=", ", threshold=20, prefix="tensor(")
        return f"tensor({values}, {self.dtype}, {self.device}{', grad' * self.requires_grad})"

    def numpy(self) -> np.ndarray:
        """The values as a NumPy array: this tensor's own memory if it lives on the host."""
        return backend_of(self.data).to_host(self.data)

    def item(self) -> Any:
        """The only element as a Python number."""
        errors.check_one(self)
        return backend_of(self.data).item(self.data)

    def detach(self) -> Tensor:
        """The same memory without its history."""
        alone = Tensor(_looked_at(self).data)
        alone.memory = _memory(self)
        return alone

    def as_leaf(self) -> Tensor:
        """The same memory without its history, to which a gradient can flow: what to differentiate
        with respect to, where this tensor may itself be computed, or needs no gradient.
        """
        leaf = Tensor(_looked_at(self).data, requires_grad=True)
        leaf.memory = _memory(self)  # who overwrites this tensor makes the leaf's graphs stale too
        return leaf

    def astype(self, dtype: Any) -> Tensor:
        """These values in another dtype; differentiable between float32 and float64."""
        return _astype(self, dtype=errors.checked_dtype("astype: dtype", dtype))

    def to(self, device: str) -> Tensor:
        """These values on another device, "numpy" or "cupy"; differentiable."""
        return self if device == self.device else _to(self, device=device)

    def assign(self, value: Tensor | Array | float) -> None:
        """Write new values of the same shape, dtype and device into this tensor's memory."""
        new = _looked_at(value).data if isinstance(value, Tensor) else value
        errors.check_alike("assign: value", new, self.data)
        backend_of(self.data).assign(self.data, new)
        self.touch()

    def touch(self) -> None:
        """Say that this tensor's memory was written: graphs that had read it become stale."""
        memory = _memory(self)
        notes = noting.get()
        if notes is not None:
            notes.writes(memory)
        memory.written = _tick()

    def backward(self, grad: Tensor | None = None) -> None:
        """Add to `.grad` of every leaf below; calling it twice adds twice, as in PyTorch."""
        if grad is not None:
            errors.check_tensors("backward", grad=grad)
        _backward(self, grad)


for _name in errors.NO_METHODS:
    setattr(Tensor, _name, errors.NoMethod(_name))


def tensor(data: Any, requires_grad: bool = False, dtype: Any = None) -> Tensor:
    """A tensor with its own copy of `data`, on the default device (see `minigan.use`).

    data: numbers, nested lists, or an array of the default device, which keeps its dtype; Python
    floats become float32, whole numbers int64.
    """
    array = _looked_at(data).data if isinstance(data, Tensor) else data
    if dtype is not None:
        dtype = errors.checked_dtype("tensor: dtype", dtype)
    if not hasattr(array, "dtype"):
        kind = errors.kind_of_numbers("tensor: data", array)
        dtype = np.float32 if dtype is None and kind == "f" else dtype
    xp = default() if isinstance(array, np.ndarray) else BY_TYPE.get(type(array), default())
    return Tensor(xp.array(array, dtype=dtype, copy=True), requires_grad)


def _memory(x: Tensor) -> Memory:
    if x.memory is None:
        x.memory = Memory()
    return x.memory


def _looked_at(x: Tensor) -> Tensor:
    """x, whose array is taken without an op: a step that is recorded has to know that."""
    notes = noting.get()
    if notes is not None:
        notes.tensor(x)
    return x


def mark_written(memories: Iterable[Memory]) -> None:
    """Say that all of this was written."""
    now = _tick()
    for memory in memories:
        memory.written = now


# ---------------------------------------------------------------- 3. ops

OPS: dict[str, Op] = {}  # every op by name: tests and tools look here
Watch = Callable[["Op", "Op | None", Callable[[], Tensor]], Tensor]


class State:
    """What holds for the thread or asyncio task that computes; every block makes one.

    recording: False under no_grad, and in a gradient that will not be differentiated again.
    hooks: the innermost block's first. within: the op whose rule is running.
    """

    __slots__ = ("block", "before", "recording", "hooks", "within")

    def __init__(self, block: Block | None = None, before: State | None = None) -> None:
        self.block = block
        self.before = before
        self.recording = True
        self.hooks: tuple[Watch, ...] = ()
        self.within: Op | None = None
        if block is not None and before is not None:
            self.recording = before.recording if block.recording is None else block.recording
            self.hooks = before.hooks if block.watch is None else (block.watch, *before.hooks)
            self.within = before.within

    def without(self, block: Block) -> State:
        """This state when `block` is left, which may not be the innermost."""
        if self.before is None:
            return self
        if self.block is block:
            return self.before
        rest = State(self.block, self.before.without(block))
        rest.within = self.within
        return rest


_state: ContextVar[State] = ContextVar("what holds in the engine", default=State())


class Block:
    """A `with` block that records or does not, or lets a hook watch; as decorator, of each call.

    It holds for its own thread or asyncio task, and takes back what it set itself, no more, so
    blocks may be left in any order.
    """

    def __init__(self, recording: bool | None = None, watch: Watch | None = None) -> None:
        self.recording = recording
        self.watch = watch

    def __enter__(self) -> State:
        state = State(self, _state.get())
        _state.set(state)
        return state

    def __exit__(self, *error: Any) -> None:
        _state.set(_state.get().without(self))

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return inside(self, function)


class Op:
    """A forward on raw arrays and, for each input, the rule that carries a gradient back.

    forward(xp, *arrays, **settings) -> array, with xp the backend of the arrays;
    rule(gy, y, *inputs, **settings) -> Tensor, with gy the gradient with respect to the output y;
    None in place of a rule where the derivative is zero everywhere. A `joint` rule serves all
    inputs: it gets `wanted`, a tuple of bools, and returns a tuple.

    view: the result may share the first input's memory. broadcasts: NumPy's broadcasting; rules
    return gradients of the broadcast shape, the engine sums them. converts: the result may have
    another dtype or device. out: forward takes `out`, an array for its result, which may be the
    inputs in these positions. public: the name by which people call it, for messages.
    """

    def __init__(self, forward: Callable[..., Array], *rules: Rule | None,
                 joint: Callable[..., Sequence[Tensor | None]] | None = None, view: bool = False,
                 broadcasts: bool = False, converts: bool = False,
                 out: tuple[int, ...] | None = None, public: str = "") -> None:
        self.name = forward.__name__.lstrip("_")
        self.public = public or self.name
        self.forward, self.rules, self.joint = forward, rules, joint
        self.view, self.broadcasts, self.converts, self.out = view, broadcasts, converts, out
        self.__doc__, signature = forward.__doc__, inspect.signature(forward)
        self.__signature__ = signature.replace(parameters=[*signature.parameters.values()][1:])
        OPS[self.name] = self

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __call__(self, *inputs: Any, **settings: Any) -> Tensor:
        state = _state.get()
        if not state.hooks:
            return self._run(inputs, settings, state)
        run = functools.partial(self._run, inputs, settings)
        for watch in state.hooks:
            run = functools.partial(watch, self, state.within, run)
        return run()

    def _run(self, inputs: tuple[Any, ...], settings: dict[str, Any], state: State | None = None
             ) -> Tensor:
        lead = kind = dtype = None  # type: Any  # the first tensor, its device, the float type
        arrays, carriers, mixed = list[Any](), list[Any](), False
        for position, x in enumerate(inputs):
            if not isinstance(x, Tensor):
                arrays.append(x if type(x) is float or type(x) is int else _number(self, x))
                continue
            data = x.data
            arrays.append(data)
            if lead is None:
                lead, kind, dtype = x, type(data), data.dtype
            elif type(data) is not kind:
                raise errors.MixedDevicesError(self.name, inputs)
            elif data.dtype is not dtype and data.dtype != dtype:
                dtype, mixed = _common_dtype(self, dtype, data.dtype), True
            if x.requires_grad and (self.joint or self.rules[position]):
                carriers.append((position, x))
        if lead is None:
            raise errors.OperandError(self.public, inputs[0] if inputs else None)
        if mixed:  # integers beside floats are constants of the float type
            return self(*(x.astype(dtype) if isinstance(x, Tensor) and x.dtype != dtype else x
                          for x in inputs), **settings)
        try:
            result = self.forward(BY_TYPE[kind], *arrays, **settings)
        except (ValueError, IndexError, OverflowError) as error:
            raise errors.ShapesError(self.public, error, inputs, settings) from error
        except TypeError as error:
            raise errors.SettingError(self.public, error, settings) from error
        if type(result) is not kind and isinstance(result, np.generic):
            result = np.asarray(result)  # NumPy makes scalars of 0-d results
        if result.dtype is not dtype and result.dtype != dtype and not self.converts:
            raise errors.NotFloatError(self.name, dtype, result.dtype)
        if state is None:
            state = _state.get()
        y: Tensor = object.__new__(Tensor)
        y.data, y.requires_grad, y.within, y.tick = result, False, state.within, _tick()
        if self.view or result is lead.data:
            y.memory = _memory(lead)
        if carriers and state.recording and result.dtype.kind == "f":
            y.requires_grad, y.op, y.inputs, y.settings = True, self, inputs, settings
            y.carriers = carriers
        return y


def op(*rules: Rule | None, **flags: Any) -> Callable[[Callable[..., Array]], Op]:
    """Make a forward an `Op`: `@op(rule_for_a, rule_for_b)` above `def f(xp, a, b): ...`."""
    return lambda forward: Op(forward, *rules, **flags)


def _number(op: Op, x: Any) -> int | float:
    if not isinstance(x, numbers.Real):
        raise errors.OperandError(op.public, x)
    return int(x) if isinstance(x, numbers.Integral) else float(x)  # NumPy's own would be float64


def _common_dtype(op: Op, a: np.dtype, b: np.dtype) -> np.dtype:
    """The float dtype of a pair; integers and booleans are constants beside it."""
    if a != b and a.kind == b.kind == "f":
        raise errors.MixedDtypesError(op.name, a, b)
    return a if a.kind == "f" else b if b.kind == "f" else np.promote_types(a, b)


def no_grad() -> Block:
    """Compute without recording a graph: `with no_grad(): ...`, or as decorator `@no_grad()`.

    It holds for the thread or asyncio task that computes there, and for no other. A task that is
    started inside begins in the same state, as all context variables do; a thread begins recording.
    """
    return Block(recording=False)


def op_hook(watch: Watch) -> Block:
    """Let `watch(op, within, run)` stand around every op; it returns what `run()` returned.

    within: the op whose backward rule is running, None in a forward pass; where `grad` itself adds
    up or copies gradients, outside of any rule, that op. Hooks nest: the innermost block's is
    nearest to the op, and its `run.args` are the op's inputs and settings. Only ops of the block's
    own thread or asyncio task are watched.
    """
    return Block(watch=watch)


def watched() -> bool:
    """Whether a hook stands around the ops that would run now."""
    return bool(_state.get().hooks)


# ---------------------------------------------------------------- 4. the gradient

def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, create_graph: bool = False,
         unreached: str = "raise") -> Any:
    """Gradients of outputs with respect to inputs: for each x, the sum over outputs of gy^T dy/dx.

    Only the paths from the outputs to the inputs are walked, newest op first; `.grad` is left alone
    and the graph is not consumed.

    outputs, inputs: a Tensor or a sequence; an input may be any tensor of the graph.
    grad_outputs: the cotangents gy, of the outputs' shapes; ones for scalars if left out.
    create_graph: record the gradients too, so that they can be differentiated again.
    unreached: "raise", or "zeros" for the inputs that no path leads to.

    Returns a tuple of tensors that own their memory (a Tensor if `inputs` is a Tensor).

    Raises:
        UnreachedError: no path leads from the outputs to an input.
        StaleGraphError: a value that a rule needs was overwritten after it was recorded.
        NotScalarError: an output is not a scalar and has no cotangent.
    """
    outs, wanted = _tensors("outputs", outputs), _tensors("inputs", inputs)
    errors.check_choice("grad: unreached", unreached, ("raise", "zeros"))
    seeds = _cotangents(outs, grad_outputs)
    targets, handed = {id(x) for x in wanted}, {id(gy) for gy in seeds}
    gradients: dict[int, Tensor] = {}
    results = []
    with Block(recording=create_graph) as state:
        around = state.within  # the op whose rule calls this, None at the outermost
        state.within = around or add
        for y, gy in zip(outs, seeds):
            _accumulate(gradients, y, gy)
        for y, positions in _path(outs, wanted):
            found = gradients.get(id(y)) if id(y) in targets else gradients.pop(id(y), None)
            if found is not None:
                state.within = y.op
                pairs = _pull_back(y, found, positions)
                state.within = around or add
                for x, gx in pairs:
                    _accumulate(gradients, x, gx)
        state.within = around or multiply
        for position, x in enumerate(wanted):
            result = gradients.get(id(x)) if x.requires_grad else None
            if result is None and unreached == "raise":
                raise errors.UnreachedError(position, x, outs)
            if result is None:
                result = Tensor(backend_of(x.data).zeros(x.shape, x.dtype))
            elif result.memory is not None or id(result) in handed:
                result = result * 1  # results share memory with nothing
            handed.add(id(result))
            results.append(result)
    return results[0] if isinstance(inputs, Tensor) else tuple(results)


def _backward(y: Tensor, gy: Tensor | None) -> None:
    leaves = [t for t in _ancestors([y], 0) if t.op is None]
    for leaf, g in zip(leaves, grad([y], leaves or [y], None if gy is None else [gy])):
        with no_grad():
            leaf.grad = g if leaf.grad is None else add(leaf.grad, g)


def _tensors(name: str, given: Any) -> list[Tensor]:
    one = isinstance(given, Tensor) or not isinstance(given, Iterable)
    listed = [given] if one else list(given)
    if not all(isinstance(t, Tensor) for t in listed):
        raise TypeError(f"grad: {name} must be a tensor or a sequence of tensors, got "
                        f"{errors.shown(given)}")
    return listed


def _cotangents(outs: list[Tensor], grad_outputs: Any) -> list[Tensor]:
    if grad_outputs is None:
        errors.check_scalars(outs)
        return [Tensor(backend_of(y.data).ones(y.shape, y.dtype)) for y in outs]
    seeds = _tensors("grad_outputs", grad_outputs)
    errors.check_cotangents(seeds, outs)
    return seeds


def _accumulate(gradients: dict[int, Tensor], x: Tensor, gx: Tensor) -> None:
    so_far = gradients.get(id(x))
    gradients[id(x)] = gx if so_far is None else add(so_far, gx)


def _ancestors(outputs: Sequence[Tensor], oldest: int) -> list[Tensor]:
    """Every tensor below that may carry a gradient and is not older than `oldest`, oldest first.

    An input is older than what was computed of it, so nothing that is older than all of the asked
    inputs can lie between them and the outputs.
    """
    seen: dict[int, Tensor] = {}
    stack = list(outputs)
    while stack:
        y = stack.pop()
        if y.requires_grad and y.tick >= oldest and id(y) not in seen:
            seen[id(y)] = y
            stack.extend([x for _, x in y.carriers])
    return sorted(seen.values(), key=lambda t: t.tick)  # inputs are older than results


def _path(outputs: list[Tensor], inputs: list[Tensor]) -> list[tuple[Tensor, list[int]]]:
    """What lies between inputs and outputs, newest first: tensors, and which of their inputs do."""
    reached, path = {id(x) for x in inputs}, []
    for y in _ancestors(outputs, min((x.tick for x in inputs), default=0)):
        positions = [i for i, x in y.carriers if id(x) in reached]
        if positions:
            reached.add(id(y))
            path.append((y, positions))
    return path[::-1]


def _pull_back(y: Tensor, gy: Tensor, positions: list[int]) -> list[tuple[Tensor, Tensor]]:
    """From an op's output to its inputs at those positions: (input, gradient) pairs."""
    op, inputs, settings, pairs = y.op, y.inputs, y.settings, []
    assert op is not None
    for x in (y, *inputs):
        if isinstance(x, Tensor) and x.memory is not None and x.memory.written > y.tick:
            raise errors.StaleGraphError(op.name, x)
    wanted = tuple(i in positions for i in range(len(inputs))) if op.joint else ()
    joint = op.joint(gy, y, *inputs, wanted=wanted, **settings) if op.joint else ()
    for i in positions:
        gx = joint[i] if joint else op.rules[i](gy, y, *inputs, **settings)  # type: ignore[misc]
        if gx is not None:
            shape = inputs[i].data.shape
            pairs.append((inputs[i], gx if gx.data.shape == shape else _sum_to(op, gx, shape)))
    return pairs


def _sum_to(op: Op, g: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Undo broadcasting: add up the axes along which a value of `shape` was repeated."""
    lead = g.ndim - len(shape)
    if not op.broadcasts or lead < 0:
        raise ValueError(f"{op.name}: a rule made {g.shape} for an input of shape {shape}")
    repeated = (i for i in range(g.ndim) if i < lead or g.shape[i] != shape[i - lead] == 1)
    return reshape(sum(g, axis=tuple(repeated)), shape)


# ---------------------------------------------------------------- 5. rules: arithmetic

@op(lambda gy, y, a, b: gy, lambda gy, y, a, b: gy, broadcasts=True, out=(0, 1))
def add(xp, a, b, **out):
    """a + b, broadcast as NumPy does it."""
    return xp.add(a, b, **out)


@op(lambda gy, y, a, b: gy, lambda gy, y, a, b: negative(gy), broadcasts=True, out=(0, 1))
def subtract(xp, a, b, **out):
    """a - b, broadcast as NumPy does it."""
    return xp.subtract(a, b, **out)


@op(lambda gy, y, a, b: gy * b, lambda gy, y, a, b: gy * a, broadcasts=True, out=(0, 1))
def multiply(xp, a, b, **out):
    """a * b, element by element, broadcast as NumPy does it."""
    return xp.multiply(a, b, **out)


@op(lambda gy, y, a, b: gy / b, lambda gy, y, a, b: negative(gy * y) / b, broadcasts=True)
def divide(xp, a, b):
    """a / b, element by element, broadcast as NumPy does it."""
    return xp.divide(a, b)


@op(lambda gy, y, x: negative(gy))
def negative(xp, x):
    """-x."""
    return xp.negative(x)


@op(lambda gy, y, x: gy / x)
def log(xp, x):
    """Natural logarithm of x."""
    return xp.log(x)


@op(lambda gg, g, gy, mask: keep(gg, mask), None, broadcasts=True, out=(0,))
def keep(xp, gy, mask, **out):
    """gy where mask is not 0, else 0: linear in gy, flat in mask, which broadcasts against gy."""
    return xp.keep(gy, mask, **out)


def _power_base_rule(gy: Tensor, y: Tensor, x: Any, n: Any) -> Tensor:
    """n x^(n - 1), and 0 where n is 0, also at x = 0."""
    if isinstance(n, Tensor):
        return keep(gy, n) * n * power(x, _one_less(n, x))
    if n == 0:
        return Tensor(backend_of(gy.data).zeros(gy.shape, gy.dtype))
    return gy * n * power(x, n - 1)


def _power_exponent_rule(gy: Tensor, y: Tensor, x: Any, n: Any) -> Tensor:
    """x^n log(x), and 0 where x is 0 and n is not negative: x^n is 0 there, or jumps at n = 0."""
    if not isinstance(x, Tensor) and x > 0:
        return gy * y * math.log(x)
    return keep(gy, _varies(n, x)) * y * log(_or_one(x, n))


@op(_power_base_rule, _power_exponent_rule, broadcasts=True)
def power(xp, x, n):
    """x ** n, element by element; the derivative with respect to a tensor n needs x >= 0.

    Where x is 0 that derivative is 0 for n >= 0, as in PyTorch; where x is negative it is NaN.
    """
    return xp.multiply(x, x) if type(n) is int and n == 2 else xp.power(x, n)


@op(lambda gy, y, n, x: gy, None, broadcasts=True)
def _one_less(xp, n, x):
    """n - 1, but 0 where x and n are 0: n x^(n - 1) is 0 there, not 0 times infinity."""
    return xp.where((x == 0) & (n == 0), n, n - 1)


@op(lambda gy, y, x, n: keep(gy, _varies(n, x)), None, broadcasts=True)
def _or_one(xp, x, n):
    """x, but 1 where it is 0 and n is not negative."""
    return xp.where((x == 0) & (n >= 0), 1, x).astype(n.dtype)


@op(None, None, broadcasts=True)
def _varies(xp, n, x):
    """1, but 0 where x is 0 and n is not negative."""
    return xp.asarray((x != 0) | (n < 0)).astype(n.dtype)


# ---------------------------------------------------------------- 5. rules: matrix product

# Transposes are flags: ta says that a is given as (K, M) and not (M, K), tb that b is (N, K).

@op(lambda gy, y, a, b, ta, tb: _matmul(b, gy, ta=tb, tb=True) if ta else
    _matmul(gy, b, ta=False, tb=not tb),
    lambda gy, y, a, b, ta, tb: _matmul(gy, a, ta=True, tb=ta) if tb else
    _matmul(a, gy, ta=not ta, tb=False), broadcasts=True, out=())
def _matmul(xp, a, b, ta, tb, **out):
    return xp.product(a.swapaxes(-1, -2) if ta else a, b.swapaxes(-1, -2) if tb else b, **out)


def matmul(a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Tensor:
    """Matrix product (..., M, K) @ (..., K, N) -> (..., M, N); vectors as NumPy treats them.

    transpose_a, transpose_b: take the last two axes of a, of b, in the other order. Of integers the
    product is int64.
    """
    errors.check_matmul(a, b, transpose_a, transpose_b)
    if a.data.dtype.kind != "f":
        a, b = widened(a), widened(b)
    if b.ndim == 1:
        return matmul(a, reshape(b, (-1, 1)), transpose_a)[..., 0]
    if a.ndim == 1:
        return matmul(reshape(a, (1, -1)), b, False, transpose_b)[..., 0, :]
    return _matmul(a, b, ta=transpose_a, tb=transpose_b)


# ---------------------------------------------------------------- 5. rules: sum and shape

def widened(x: Tensor) -> Tensor:
    """Booleans and small integers as int64, so that a sum of them does not wrap, as in NumPy."""
    dtype = x.data.dtype
    return x if dtype.kind == "f" or dtype.itemsize == 8 else x.astype("int64")


def axes_of(x: Tensor, axis: Axis, function: str, name: str = "axis") -> tuple[int, ...]:
    """`axis` (int, tuple or None for all) as a sorted tuple of non-negative axes of x.

    Raises:
        ValueError: x has no such axis, or it is named twice; names the function and the argument.
    """
    if not isinstance(x, Tensor):
        raise errors.OperandError(function, x)
    ndim = x.data.ndim
    if axis is None:
        return tuple(range(ndim))
    try:
        return tuple(sorted(normalize_axis_tuple(axis, ndim)))
    except (TypeError, ValueError):
        raise errors.bad_axis(function, name, axis, x) from None


def spread(gy: Tensor, x: Tensor, axis: tuple[int, ...]) -> Tensor:
    """The adjoint of a sum over `axis`: gy repeated along those axes of x."""
    if axis != tuple(range(len(axis))):  # leading axes broadcast with no place kept for them
        gy = reshape(gy, tuple(1 if i in axis else n for i, n in enumerate(x.shape)))
    return broadcast_to(gy, x.shape)


@op(lambda gy, y, x, axis, keepdims: spread(gy, x, axis))
def _sum(xp, x, axis, keepdims):
    return xp.total(x, axis, keepdims)


def sum(x: Tensor, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Sum over `axis` (int, tuple or None for all axes).

    Of booleans and integers it is int64, as in NumPy and PyTorch: `sum(hits)` counts.
    """
    axes = axes_of(x, axis, "sum")
    return _sum(widened(x), axis=axes, keepdims=keepdims)


@op(lambda gy, y, x, shape: gy, broadcasts=True, view=True)
def _broadcast_to(xp, x, shape):
    return xp.broadcast_to(x, shape)


def broadcast_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """x repeated, without copying, to `shape`."""
    if not isinstance(shape, tuple):
        errors.check_sizes("broadcast_to: shape", shape)
    return x if x.data.shape == shape else _broadcast_to(x, shape=tuple(shape))


@op(lambda gy, y, x, shape: reshape(gy, x.shape), view=True)
def _reshape(xp, x, shape):
    return x.reshape(shape)


def reshape(x: Tensor, shape: int | tuple[int, ...]) -> Tensor:
    """The same elements, in C order, in another shape; one size may be -1."""
    if isinstance(x, Tensor) and x.data.shape == shape:
        return x
    y = _reshape(x, shape=shape)
    if y.data.shape != shape:  # a size was left to NumPy, which takes any negative number for that
        errors.check_sizes("reshape: shape", (shape,) if errors.is_whole(shape) else shape, -1)
    return y


@op(lambda gy, y, x, axes: _transpose(gy, axes=tuple(axes.index(i) for i in range(len(axes)))),
    view=True)
def _transpose(xp, x, axes):
    return x.transpose(axes)


def transpose(x: Tensor, axes: tuple[int, ...] | None = None) -> Tensor:
    """Axes in another order; reversed if `axes` is left out."""
    errors.check_tensors("transpose", x=x)
    if axes is None:
        return _transpose(x, axes=tuple(range(x.ndim))[::-1])
    if not isinstance(axes, (tuple, list)) or not all(map(errors.is_whole, axes)):
        raise TypeError(f"transpose: axes must be a tuple of {x.ndim} ints, got "
                        f"{errors.shown(axes)}")
    return _transpose(x, axes=tuple(a + x.ndim if a < 0 else a for a in axes))


@op(lambda gy, y, x, dtype: gy.astype(x.dtype), converts=True)
def _astype(xp, x, dtype):
    return x.astype(dtype)


@op(lambda gy, y, x, device: gy.to(x.device), converts=True, view=True)
def _to(xp, x, device):
    return get_backend(device).from_host(xp.to_host(x))


# ---------------------------------------------------------------- 5. rules: picking, putting back

@op(lambda gy, y, x, index: _scatter_add(gy, index=index, shape=x.shape, repeats=False), view=True,
    public="getitem")
def _slice(xp, x, index):
    return x[index]


@op(lambda gy, y, x, index: _scatter_add(gy, index=index, shape=x.shape, repeats=True),
    public="getitem")
def _gather(xp, x, index):
    return x[index]


@op(lambda gy, y, values, index, shape, repeats: (_gather if repeats else _slice)(gy, index=index))
def _scatter_add(xp, values, index, shape, repeats):
    return xp.put_add(shape, index, values, repeats)


def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index] as in NumPy: ints, slices, None, Ellipsis, integer or boolean arrays."""
    index, arrays = backend_of(x.data).constant_index(index)
    return (_gather if arrays else _slice)(x, index=index)


def scatter_add(values: Tensor, index: Any, shape: tuple[int, ...]) -> Tensor:
    """Zeros of `shape` with values added at index, repeats summed: the adjoint of getitem.

    Of booleans and integers the result is int64, as that of `sum`.
    """
    errors.check_tensors("scatter_add", values=values)
    values = widened(values)
    index, arrays = backend_of(values.data).constant_index(index)
    errors.check_places(index, shape, values, backend_of(values.data).zeros)
    return _scatter_add(values, index=index, shape=tuple(shape), repeats=arrays)
