"""The engine: tensors, ops, and the derivative of a derivative.

If automatic differentiation is new to you, run `examples/01_scalar_graph.py` first: the same idea
on plain numbers. Five ideas carry this file. The first four have a heading each; the fifth is how
the ops in `minigan.ops` are written. The engine itself knows no op.

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
import numbers
from typing import Any, Callable, Iterable, Iterator, Sequence, TypeVar

import numpy as np

from minigan import checks, errors, refusals
from minigan.backend import BY_TYPE, NO_OUT, Array, Out, Shape, backend_of, check_array, default
from minigan.blocks import Block, Hook, State, current
from minigan.reading import noting

# ---------------------------------------------------------------- 1. one clock

# A graph remembers arrays, and arrays can be overwritten: an optimizer does so after every step. So
# both recording and writing take a tick of one clock. Sorting tensors by tick sorts the graph, as
# an op's inputs are older than its result, and a value is stale where its memory was written later
# than the result that was computed from it.

_tick = itertools.count(1).__next__


class Memory:
    """When a piece of memory was last written; views share their base's."""

    written = 0


def mark_written(memories: Iterable[Memory]) -> None:
    """Say that all of this memory was written, at one tick."""
    now = _tick()
    for memory in memories:
        memory.written = now


# ---------------------------------------------------------------- 2. the tensor

# A tensor is an array and the edge of the graph that leads to it: the op that made it, from which
# inputs, with which settings. Its array is NumPy's or CuPy's, and whatever is computed from it runs
# there. It has few methods, as functions of tensors are in `minigan.ops`. What `a + b` calls is
# looked up by name, in the table `CORE` below. The table is always full, because importing any
# module of minigan imports the package first, and with it `minigan.ops`.

class Tensor:
    """An array that remembers how it was computed.

    data: the array, NumPy's or CuPy's: its device is the tensor's device.
    requires_grad: whether a gradient can flow here; grad: what `backward` has accumulated.
    name: for messages and pictures.

    `t.data` and `t.numpy()` are the memory itself: after writing there, call `t.touch()`.

    Raises:
        TypeError: `data` is not an array of float32, float64, integers or booleans of a known
            device, or is not of floats although `requires_grad` is set.
    """

    __array_ufunc__ = None  # ndarray + Tensor asks the Tensor, which refuses with a clear error
    __array__ = refusals.refuse_conversion

    grad: Tensor | None = None
    name = ""
    op: Op | None = None
    inputs: tuple[Any, ...] = ()
    # (position, input) of the inputs that need a gradient and whose rule is not None: the only
    # edges of the graph that `grad` walks.
    carriers: Sequence[tuple[int, Tensor]] = ()
    settings: dict[str, Any] = {}
    # Made when a view or a write first needs it. A tensor without one shares its memory with no
    # other and was never overwritten; a tensor that has one may be stale, and may be a view.
    memory: Memory | None = None

    def __init__(self, data: Array, requires_grad: bool = False) -> None:
        check_array(data, requires_grad)
        self.data = data
        self.requires_grad = requires_grad
        self.within: Op | None = current.get().within  # the op whose rule made it, if one did
        self.tick = _tick()

    @staticmethod
    def _of_op(data: Array, within: Op | None) -> Tensor:
        """A tensor of what an op made, which needs no check: checks take as long as a small op."""
        y: Tensor = object.__new__(Tensor)
        y.data = data
        y.requires_grad = False
        y.within = within
        y.tick = _tick()
        return y

    @property
    def shape(self) -> Shape:
        """The sizes of its axes."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """How many elements it has."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype:
        """float32, float64, an integer type or bool."""
        return self.data.dtype

    @property
    def device(self) -> str:
        """Where its array is: "numpy" or "cupy"."""
        return backend_of(self.data).device

    @property
    def T(self) -> Tensor:
        """Its axes in reverse order."""
        return CORE["transpose"](self)

    def __add__(self, other: Operand) -> Tensor:
        return CORE["add"](self, other)

    def __radd__(self, other: Operand) -> Tensor:
        return CORE["add"](other, self)

    def __sub__(self, other: Operand) -> Tensor:
        return CORE["subtract"](self, other)

    def __rsub__(self, other: Operand) -> Tensor:
        return CORE["subtract"](other, self)

    def __mul__(self, other: Operand) -> Tensor:
        return CORE["multiply"](self, other)

    def __rmul__(self, other: Operand) -> Tensor:
        return CORE["multiply"](other, self)

    def __truediv__(self, other: Operand) -> Tensor:
        return CORE["divide"](self, other)

    def __rtruediv__(self, other: Operand) -> Tensor:
        return CORE["divide"](other, self)

    def __pow__(self, other: Operand) -> Tensor:
        return CORE["power"](self, other)

    def __rpow__(self, other: Operand) -> Tensor:
        return CORE["power"](other, self)

    def __neg__(self) -> Tensor:
        return CORE["negative"](self)

    def __matmul__(self, other: Tensor) -> Tensor:
        return CORE["matmul"](self, other)

    def __rmatmul__(self, other: Tensor) -> Tensor:
        return CORE["matmul"](other, self)

    def __getitem__(self, index: Any) -> Tensor:
        return CORE["getitem"](self, index)

    __hash__ = object.__hash__  # a tensor is itself, whatever its values
    __eq__ = __ne__ = refusals.refuse_equality
    __lt__ = __le__ = __gt__ = __ge__ = refusals.refuse_order
    __float__ = __int__ = refusals.refuse_number
    __abs__ = refusals.refuse_abs
    __dir__ = refusals.own_names

    def __bool__(self) -> bool:
        return bool(self.item())

    def __len__(self) -> int:
        if self.ndim == 0:
            refusals.refuse_rows()
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        values = np.array2string(self.numpy(), separator=", ", threshold=20, prefix="tensor(")
        return f"tensor({values}, {self.dtype}, {self.device}{', grad' * self.requires_grad})"

    def numpy(self) -> np.ndarray:
        """The values as a NumPy array: this tensor's own memory if it lives on the host."""
        return backend_of(self.data).to_host(self.data)

    def item(self) -> Any:
        """The only element as a Python number.

        Raises:
            ValueError: it has more or fewer elements than one.
        """
        if self.size != 1:
            raise ValueError(f"item: a tensor of shape {self.shape} has {self.size} elements, not "
                             f"one; use t.numpy() or an index")
        return backend_of(self.data).item(self.data)

    def detach(self) -> Tensor:
        """The same memory without its history."""
        alone = Tensor(_noted(self).data)
        alone.memory = _memory(self)
        return alone

    def as_leaf(self) -> Tensor:
        """The same memory as a new leaf: without its history, but requiring a gradient.

        It is what to differentiate with respect to where this tensor was itself computed, or
        requires no gradient.
        """
        leaf = Tensor(_noted(self).data, requires_grad=True)
        leaf.memory = _memory(self)  # overwriting this tensor makes the leaf's graphs stale, too
        return leaf

    def astype(self, dtype: Any) -> Tensor:
        """These values in another dtype; differentiable between float32 and float64.

        Raises:
            TypeError: it is not a dtype that tensors have.
        """
        return CORE["astype"](self, dtype=checks.checked_dtype("astype: dtype", dtype))

    def to(self, device: str) -> Tensor:
        """These values on another device, "numpy" or "cupy"; differentiable.

        Raises:
            BackendError: the device is unknown, or cannot be used here.
        """
        if device == self.device:
            return self
        return CORE["to"](self, device=device)

    def assign(self, value: Tensor | Array | float) -> None:
        """Write new values into this tensor's memory.

        value: a number, or a tensor or an array of the same shape, dtype and device.

        Raises:
            ValueError: the value is another kind of array, or of another shape or dtype.
        """
        new = _noted(value).data if isinstance(value, Tensor) else value
        checks.check_alike("assign: value", new, self.data)
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
        """Add to `.grad` of every leaf below; calling it twice adds twice, as in PyTorch.

        grad: the gradient with respect to this tensor (its "cotangent"), of its shape; by default
        1, for a scalar.

        Raises:
            NotTensorError: the cotangent is not a tensor.
            NotScalarError: this is not a scalar, and there is no cotangent.
        """
        if grad is not None and not isinstance(grad, Tensor):
            raise errors.NotTensorError("backward", "grad", grad)
        _backward(self, grad)


for _name in refusals.NO_METHODS:
    setattr(Tensor, _name, refusals.NoMethod(_name))

Operand = Tensor | float  # numbers are constants


def tensor(data: Any, requires_grad: bool = False, dtype: Any = None) -> Tensor:
    """A tensor with its own copy of `data`, on the default device (see `minigan.use`).

    data: numbers, nested lists, or an array of the default device, which keeps its dtype. Python
    floats become float32, whole numbers int64.

    Raises:
        TypeError: `data` is not made of numbers, or `dtype` is not one that tensors have.
        ValueError: nested lists have several lengths.
    """
    array = _noted(data).data if isinstance(data, Tensor) else data
    if dtype is not None:
        dtype = checks.checked_dtype("tensor: dtype", dtype)
    if not hasattr(array, "dtype"):
        kind = checks.kind_of_numbers("tensor: data", array)
        if dtype is None and kind == "f":
            dtype = np.float32

    xp = default()
    if not isinstance(array, np.ndarray):  # NumPy's come from files and go to any device
        xp = BY_TYPE.get(type(array), xp)
    return Tensor(xp.array(array, dtype=dtype, copy=True), requires_grad)


def _memory(x: Tensor) -> Memory:
    if x.memory is None:
        x.memory = Memory()
    return x.memory


def _noted(x: Tensor) -> Tensor:
    """x, whose array is taken without an op: a step that is being recorded has to know that."""
    notes = noting.get()
    if notes is not None:
        notes.tensor(x)
    return x


# ---------------------------------------------------------------- 3. ops

# An op is the unit of the graph, of profiles and of recorded steps. Its forward knows arrays only,
# its rules know tensors only, and calling it does what is the same for all ops: take the arrays out
# of the tensors, agree on device and dtype, run the forward, and record the result's history.

OPS: dict[str, Op] = {}  # every op by name, yours too: tests and tools look here
CORE: dict[str, Any] = {}  # what the engine itself calls, by name: see `core`
Rule = Callable[..., Tensor]
F = TypeVar("F", bound=Callable[..., Tensor])


class Op:
    """A forward on raw arrays and, for each input, the rule that carries a gradient back.

    forward(xp, *arrays, **settings) -> array, with xp the backend of the arrays;
    rule(gy, y, *inputs, **settings) -> Tensor, with gy the gradient with respect to the output y;
    None in place of a rule where the derivative is zero everywhere. A `joint` rule serves all
    inputs: it gets `wanted`, a tuple of bools, and returns a tuple.

    What the array module refuses in a forward needs no check of its own: its ValueError, IndexError
    or OverflowError becomes a ShapesError, its TypeError a SettingError, both with the op's name.

    view: the result may share the first input's memory. broadcasts: NumPy's broadcasting; rules
    return gradients of the broadcast shape, the engine sums them. converts: the result may have
    another dtype or device. out: whether the forward takes `out`, an array for its result, and
    which inputs that may be (see `Out` in `backend/base.py`). public: the name by which people call
    it, for messages.
    """

    def __init__(self, forward: Callable[..., Array], *rules: Rule | None,
                 joint: Callable[..., Sequence[Tensor | None]] | None = None, view: bool = False,
                 broadcasts: bool = False, converts: bool = False,
                 out: Out = NO_OUT, public: str = "") -> None:
        self.name = forward.__name__.lstrip("_")
        self.public = public or self.name
        self.forward = forward
        self.rules = rules
        self.joint = joint
        self.view = view
        self.broadcasts = broadcasts
        self.converts = converts
        self.out = out

        self.__name__ = self.name
        self.__doc__ = forward.__doc__
        signature = inspect.signature(forward)
        without_xp = [*signature.parameters.values()][1:]
        self.__signature__ = signature.replace(parameters=without_xp)
        OPS[self.name] = self

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def __call__(self, *inputs: Any, **settings: Any) -> Tensor:
        state = current.get()
        if not state.hooks:
            return self._run(inputs, settings, state)

        run = functools.partial(self._run, inputs, settings)
        for hook in state.hooks:
            run = functools.partial(hook, self, state.within, run)
        return run()

    def _run(self, inputs: tuple[Any, ...], settings: dict[str, Any], state: State | None = None
             ) -> Tensor:
        # The arrays; the first tensor, whose device and float type are everybody's; the edges.
        arrays: list[Any] = []
        carriers: list[tuple[int, Tensor]] = []
        lead = array_type = dtype = None  # type: Any
        mixed = False
        for position, x in enumerate(inputs):
            if not isinstance(x, Tensor):
                arrays.append(x if type(x) is float or type(x) is int else _number(self, x))
                continue
            data = x.data
            arrays.append(data)
            if lead is None:
                lead = x
                array_type = type(data)
                dtype = data.dtype
            elif type(data) is not array_type:
                raise errors.MixedDevicesError(
                    self.name, [x.device for x in inputs if isinstance(x, Tensor)])
            elif data.dtype is not dtype and data.dtype != dtype:
                dtype = _common_dtype(self, dtype, data.dtype)
                mixed = True
            if x.requires_grad and (self.joint or self.rules[position]):
                carriers.append((position, x))
        if lead is None:
            raise errors.OperandError(self.public, inputs[0] if inputs else None)
        if mixed:  # integers beside floats are constants of the float type
            return self(*[_as_constant(x, dtype) for x in inputs], **settings)

        try:
            result = self.forward(BY_TYPE[array_type], *arrays, **settings)
        except (ValueError, IndexError, OverflowError) as error:
            raise errors.ShapesError(self.public, error, inputs, settings) from error
        except TypeError as error:
            raise errors.SettingError(self.public, error, settings) from error
        if type(result) is not array_type and isinstance(result, np.generic):
            result = np.asarray(result)  # NumPy makes scalars of 0-d results
        if result.dtype is not dtype and result.dtype != dtype and not self.converts:
            raise errors.NotFloatError(self.name, dtype, result.dtype)

        if state is None:
            state = current.get()
        y = Tensor._of_op(result, state.within)
        if self.view or result is lead.data:
            y.memory = _memory(lead)
        if carriers and state.recording and result.dtype.kind == "f":
            y.requires_grad = True
            y.op = self
            y.inputs = inputs
            y.settings = settings
            y.carriers = carriers
        return y


def op(*rules: Rule | None, **flags: Any) -> Callable[[Callable[..., Array]], Op]:
    """Make a forward an `Op`: `@op(rule_for_a, rule_for_b)` above `def f(xp, a, b): ...`."""
    def make(forward: Callable[..., Array]) -> Op:
        return Op(forward, *rules, **flags)
    return make


def core(function: F) -> F:
    """Let the engine itself call a function of `minigan.ops`, by its name: `a + b` calls "add".

    This is a table of its own, so that an op of yours may have any name and changes no operator.
    """
    CORE[function.__name__] = function
    return function


def _number(op: Op, x: Any) -> int | float:
    """A constant operand as a Python number: NumPy's own would make a float64 of a float32."""
    if not isinstance(x, numbers.Real):
        raise errors.OperandError(op.public, x)
    if isinstance(x, numbers.Integral):
        return int(x)
    return float(x)


def _common_dtype(op: Op, a: np.dtype, b: np.dtype) -> np.dtype:
    """The float dtype of a pair; integers and booleans are constants beside it."""
    if a != b and a.kind == b.kind == "f":
        raise errors.MixedDtypesError(op.name, a, b)
    if a.kind == "f":
        return a
    if b.kind == "f":
        return b
    return np.promote_types(a, b)


def _as_constant(x: Any, dtype: np.dtype) -> Any:
    if isinstance(x, Tensor) and x.dtype != dtype:
        return x.astype(dtype)
    return x


# Two things hold for a whole block of code and not for one op: whether a graph is recorded, and
# which hooks watch. The blocks themselves are in `blocks.py`.

def no_grad() -> Block:
    """Compute without recording a graph: `with no_grad(): ...`, or as decorator `@no_grad()`.

    It holds for the thread or asyncio task that computes there, and for no other. A task that is
    started inside begins in the same state, as with all context variables; a thread begins
    recording.
    """
    return Block(recording=False)


def op_hook(hook: Hook) -> Block:
    """Let `hook(op, within, run)` stand around every op; it returns what `run()` returned.

    within: the op whose backward rule is running, None in a forward pass; where `grad` itself adds
    up or copies gradients, outside any rule, that op. Hooks nest: the innermost block's is nearest
    to the op, and its `run.args` are the op's inputs and settings. Only ops of the block's own
    thread or asyncio task are watched.
    """
    return Block(hook=hook)


# ---------------------------------------------------------------- 4. the gradient

# A gradient is pulled back through the graph, from the outputs to the inputs that were asked for:
# an op's rules turn the gradient of its result into gradients of its inputs, and what arrives at a
# tensor along several paths is added up. The walk takes the newest tensor first: what was computed
# from a tensor is newer than it, so its gradient is complete when its own op's rules are asked.

def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, create_graph: bool = False,
         unreached: str = "raise") -> Any:
    """Gradients of outputs with respect to inputs: for each x, the sum over outputs of gy^T dy/dx.

    Only the paths from the outputs to the inputs are walked, newest op first; `.grad` is left alone
    and the graph is not consumed.

    outputs, inputs: a Tensor or a sequence; an input may be any tensor of the graph.
    grad_outputs: for each output the gradient gy that reaches it from what is computed later (its
    "cotangent"), of the output's shape; by default 1, for scalars.
    create_graph: record the gradients too, so that they can be differentiated again.
    unreached: "raise", or "zeros" for the inputs that no path leads to.

    Returns a tuple of tensors that own their memory (a Tensor if `inputs` is a Tensor).

    Raises:
        UnreachedError: no path leads from the outputs to an input.
        StaleGraphError: a value that a rule needs was overwritten after it was recorded.
        NotScalarError: an output is not a scalar and has no cotangent.
        TypeError: something other than tensors is given.
        ValueError: a cotangent does not fit its output, or `unreached` is another word.
    """
    outs = _tensors("outputs", outputs)
    wanted = _tensors("inputs", inputs)
    checks.check_choice("grad: unreached", unreached, ("raise", "zeros"))
    seeds = _cotangents(outs, grad_outputs)

    with Block(recording=create_graph) as state:
        gradients = _pull_all(outs, wanted, seeds, state)
        results = []
        handed = {id(gy) for gy in seeds}
        for position, x in enumerate(wanted):
            gx = gradients.get(id(x)) if x.requires_grad else None
            if gx is None and unreached == "raise":
                raise errors.UnreachedError(position, x, outs)
            if gx is None:
                gx = Tensor(backend_of(x.data).zeros(x.shape, x.dtype))
            elif gx.memory is not None or id(gx) in handed:
                gx = gx * 1  # results share memory with nothing
            handed.add(id(gx))
            results.append(gx)
    return results[0] if isinstance(inputs, Tensor) else tuple(results)


def _pull_all(outs: list[Tensor], wanted: list[Tensor], seeds: list[Tensor], state: State
              ) -> dict[int, Tensor]:
    """The gradients of those wanted tensors that a path leads to, by the tensors' ids."""
    around = state.within  # the op whose rule calls `grad`, None at the outermost
    adding = around or CORE["add"]
    targets = {id(x) for x in wanted}
    gradients: dict[int, Tensor] = {}

    state.within = adding
    for y, gy in zip(outs, seeds):
        _accumulate(gradients, y, gy)
    for y, positions in _path(outs, wanted):
        if id(y) in targets:
            found = gradients.get(id(y))
        else:
            found = gradients.pop(id(y), None)  # its memory is free for the next ones
        if found is None:
            continue
        state.within = y.op
        pairs = _pull_back(y, found, positions)
        state.within = adding
        for x, gx in pairs:
            _accumulate(gradients, x, gx)

    state.within = around or CORE["multiply"]  # the op that copies the results
    return gradients


def _backward(y: Tensor, gy: Tensor | None) -> None:
    leaves = [t for t in _ancestors([y], 0) if t.op is None]
    cotangents = None if gy is None else [gy]
    gradients = grad([y], leaves or [y], cotangents)
    with no_grad():
        for leaf, g in zip(leaves, gradients):
            leaf.grad = g if leaf.grad is None else leaf.grad + g


def _tensors(name: str, given: Any) -> list[Tensor]:
    if isinstance(given, Tensor) or not isinstance(given, Iterable):
        listed = [given]
    else:
        listed = list(given)
    if not all(isinstance(t, Tensor) for t in listed):
        raise TypeError(f"grad: {name} must be a tensor or a sequence of tensors, got "
                        f"{errors.shown(given)}")
    return listed


def _cotangents(outs: list[Tensor], grad_outputs: Any) -> list[Tensor]:
    if grad_outputs is None:
        for y in outs:
            if y.size != 1:
                raise errors.NotScalarError(y)
        return [Tensor(backend_of(y.data).ones(y.shape, y.dtype)) for y in outs]
    seeds = _tensors("grad_outputs", grad_outputs)
    if len(seeds) != len(outs):
        raise ValueError(f"grad: {len(seeds)} grad_outputs for {len(outs)} outputs")
    for i, (gy, y) in enumerate(zip(seeds, outs)):
        checks.check_alike(f"grad: grad_outputs[{i}]", gy.data, y.data)
    return seeds


def _accumulate(gradients: dict[int, Tensor], x: Tensor, gx: Tensor) -> None:
    so_far = gradients.get(id(x))
    gradients[id(x)] = gx if so_far is None else so_far + gx


def _ancestors(outputs: Sequence[Tensor], oldest: int) -> list[Tensor]:
    """Every tensor below that may carry a gradient and is not older than `oldest`, oldest first.

    An input is older than what was computed from it, so nothing older than all of the wanted inputs
    can lie between them and the outputs.
    """
    seen: dict[int, Tensor] = {}
    stack = list(outputs)
    while stack:
        y = stack.pop()
        if y.requires_grad and y.tick >= oldest and id(y) not in seen:
            seen[id(y)] = y
            stack.extend([x for _, x in y.carriers])
    return sorted(seen.values(), key=lambda t: t.tick)


def _path(outputs: list[Tensor], inputs: list[Tensor]) -> list[tuple[Tensor, list[int]]]:
    """The tensors between inputs and outputs, newest first, each with the positions of those of its
    own inputs that lead to one of `inputs`.
    """
    oldest = min((x.tick for x in inputs), default=0)
    reached = {id(x) for x in inputs}
    path = []
    for y in _ancestors(outputs, oldest):
        positions = [i for i, x in y.carriers if id(x) in reached]
        if positions:
            reached.add(id(y))
            path.append((y, positions))
    return path[::-1]


def _pull_back(y: Tensor, gy: Tensor, positions: list[int]) -> list[tuple[Tensor, Tensor]]:
    """From an op's output to its inputs at those positions: (input, gradient) pairs."""
    op = y.op
    inputs = y.inputs
    assert op is not None
    for x in (y, *inputs):
        if isinstance(x, Tensor) and x.memory is not None and x.memory.written > y.tick:
            raise errors.StaleGraphError(op.name, x)

    if op.joint:
        wanted = tuple([i in positions for i in range(len(inputs))])
        joint = op.joint(gy, y, *inputs, wanted=wanted, **y.settings)
    pairs = []
    for i in positions:
        if op.joint:
            gx = joint[i]
        else:
            gx = op.rules[i](gy, y, *inputs, **y.settings)  # type: ignore[misc]  # it is not None
        if gx is None:
            continue
        shape = inputs[i].data.shape
        if gx.data.shape != shape:
            gx = _sum_to(op, gx, shape)
        pairs.append((inputs[i], gx))
    return pairs


def _sum_to(op: Op, g: Tensor, shape: Shape) -> Tensor:
    """Undo broadcasting: add up the axes along which a value of `shape` was repeated."""
    lead = g.ndim - len(shape)
    if not op.broadcasts or lead < 0:
        raise ValueError(f"{op.name}: a rule made {g.shape} for an input of shape {shape}")
    repeated = [i for i in range(g.ndim) if i < lead or g.shape[i] != shape[i - lead] == 1]
    return CORE["reshape"](CORE["sum"](g, tuple(repeated)), shape)
