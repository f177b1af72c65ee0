"""What a recorded step read from Python, and whether that is still what it was.

Before each replay everything is compared that may have decided what was computed. That must cost a
few microseconds, so what is compared lies in lists that Python compares by itself: the attributes
of objects as the dicts that they are kept in, beside copies of these dicts; those of networks only
if any network's attribute was set since. Only where something differs, `changes` looks closer and
puts it into words.
"""

from __future__ import annotations

import dis
import random
from contextlib import contextmanager
from functools import partial
from operator import attrgetter, is_
from types import (BuiltinFunctionType, CodeType, FunctionType, MemberDescriptorType, MethodType,
                   ModuleType)
from typing import Any, Callable, Container, Iterable, Iterator, NamedTuple

import numpy as np

from minigan.backend import Backend
from minigan.backend.reading import EVERYTHING, Question, evaluating, noting, settings
from minigan.compared import CONTAINERS, MISSING, PLAIN, Compared, change, equal
from minigan.engine import Memory, Tensor

CODE = (ModuleType, type, FunctionType, BuiltinFunctionType, MethodType)
DATA, FLAG, CONTENT = map(attrgetter, ("data", "requires_grad", "cell_contents"))
RANDOM = (random.Random, np.random.Generator, np.random.RandomState)
SLOTS = (MemberDescriptorType,)
MOST = 256  # entries of a list or dict that is compared


class Left(NamedTuple):
    """A tensor that the step makes and leaves somewhere; what is there now, and to put it there."""

    tensor: Any
    get: Callable[[], Any]
    put: Callable[[Any], None]


class Noted:
    """What one step read, noted down while it is recorded.

    began: the tick at which that began: a tensor of an earlier one was there before.
    keep: called with the array of each tensor that was there before.
    """

    def __init__(self, began: int, keep: Callable[[Any], None]) -> None:
        self.began = began
        self._keep = keep
        self._seen: dict[int, Any] = {}           # by id, so that they stay alive
        self._tensors: dict[int, Tensor] = {}     # those that were there before, by id
        self._used: set[int] = set()              # ids of those that an op read
        self._gradients: dict[int, Any] = {}      # what their `grad` was, by id
        self._marks: dict[Memory, int] = {}       # when memory that the step writes was written
        self._networks = Compared()               # attributes of networks
        self._others = Compared()
        self._settings = settings.count           # as long as that stays, networks have not changed
        self._asked: list[Question] = []
        self._answers: list[Any] = []
        self._questions: list[str] = []
        self._putting: list[Callable[[Any], None] | None] = []
        self._known: set[Any] = set()
        self._names: set[str] = set()             # of attributes, in any code of the step
        self._objects: dict[int, tuple[str, Any]] = {}  # by id: what to call it, and an object
        self._random: list[tuple[str, Question, Any]] = []  # generators' states
        self._space: dict[str, Any] | None = None  # the globals of the step's function
        self._arrays: list[Any] = []              # of the tensors, and whether gradients flow there
        self._flags: list[bool] = []

    # Noting down.

    @contextmanager
    def noting(self, step: Callable[[], Any], tensors: Iterable[Tensor]) -> Iterator[None]:
        """Note down what is read inside, and what the step's function finds under its names."""
        for tensor in tensors:
            self.tensor(tensor)
        before = noting.set(self)
        try:
            self.answer("evaluation_mode around the step", lambda: evaluating.get() > 0)
            self._function(step)
            self._look_into_objects()
            yield
        finally:
            noting.reset(before)
            for memory, written in self._marks.items():
                memory.written = written  # recording writes nothing

    def tensor(self, tensor: Tensor) -> None:
        """A tensor: the array that it holds, and whether a gradient can flow to it."""
        if id(tensor) in self._tensors or tensor.tick >= self.began:
            return
        self._tensors[id(tensor)] = tensor
        self._gradients[id(tensor)] = tensor.grad
        self._arrays.append(tensor.data)
        self._flags.append(tensor.requires_grad)
        self._keep(tensor.data)

    def used(self, tensor: Tensor) -> None:
        """A tensor that an op reads."""
        self.tensor(tensor)
        self._used.add(id(tensor))

    def writes(self, memory: Memory) -> None:
        """Memory that is about to be marked as written."""
        self._marks.setdefault(memory, memory.written)

    def owner(self, owner: Any, anew: Container[str] = ()) -> None:
        """An object's attributes, but those that every replay reads anew; of a network all parts'.
        """
        if id(owner) in self._seen:
            return
        self._seen[id(owner)] = owner
        kind = type(owner).__name__
        if not hasattr(owner, "named_modules"):
            return self._attributes(kind, owner, anew)
        for path, part in owner.named_modules():
            if part is owner:
                self._attributes(kind, part, anew)
            elif id(part) not in self._seen:
                self._seen[id(part)] = part
                self._attributes(f"{path!r} of {kind}, a {type(part).__name__},", part, anew)
            self._methods(part, {"forward"})
        self._look_into_objects()

    def answer(self, what: str, ask: Question, key: Any = None,
               put: Callable[[Any], None] | None = None) -> None:
        """What a question is answered with.

        key: what tells the question from others, else `what`. put: changes the answer.
        """
        key = what if key is None else key
        if key not in self._known:
            answer = _answered(ask)
            self._known.add(key)
            self._questions.append(what)
            self._asked.append(ask)
            self._answers.append(answer)
            self._putting.append(put)

    def _attributes(self, name: str, owner: Any, anew: Container[str]) -> None:
        attributes = vars(owner)
        if not anew:
            where = self._networks if hasattr(owner, "named_modules") else self._others
            where.add(name, attributes, owner)
        elif anew is not EVERYTHING:
            for key in attributes:
                if key not in anew and not key.startswith("_"):  # such as `_lr`, where `lr` lies
                    self._attribute(f"{key} of {name}", owner, key)
        for key, value in attributes.items():
            self._value(f"{key} of {name}", value, compared=not anew)

    def _attribute(self, what: str, owner: Any, key: str) -> None:
        self.answer(what, partial(getattr, owner, key, MISSING), (id(owner), key),
                    partial(setattr, owner, key))

    def _value(self, what: str, value: Any, compared: bool = True) -> None:
        """A value that was found under a name: look into it, where it is a list or a dict.

        compared: whether its entries must stay what they are, not only the tensors among them.
        """
        if isinstance(value, Tensor):
            self.tensor(value)
        elif isinstance(value, CONTAINERS) and len(value) <= MOST and id(value) not in self._seen:
            self._seen[id(value)] = value
            if compared and not isinstance(value, tuple):
                self._others.add(what, value)
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in items:
                self._value(f"{what}[{key!r}]", item, compared)
        elif isinstance(value, RANDOM):
            self._draws(what, value)
        elif not isinstance(value, (*PLAIN, *CODE, *CONTAINERS, np.ndarray, Backend)):
            self._objects.setdefault(id(value), (what, value))

    def _draws(self, what: str, source: Any) -> None:
        """A source of random numbers, from which no replay would draw."""
        if isinstance(source, random.Random):
            state: Question = source.getstate
        else:
            state = partial(getattr, getattr(source, "_bit_generator"), "state")
        self._random.append((what, state, repr(state())))

    def _function(self, function: Any) -> None:
        """What a function of the step finds under the names in its code."""
        given: list[Any] = []
        while isinstance(function, partial):
            given += [*function.args, *function.keywords.values()]
            function = function.func
        if not isinstance(function, (FunctionType, MethodType)):
            function = getattr(type(function), "__call__", None) and function.__call__
        owner = getattr(function, "__self__", None)
        function = getattr(function, "__func__", function)
        if not isinstance(function, FunctionType) or id(function) in self._seen:
            return
        self._seen[id(function)] = function
        if self._space is None:
            self._space = function.__globals__
        codes = list(_codes(function.__code__))
        self._names.update(name for code in codes for name in code.co_names)
        if owner is not None:
            self._value(type(owner).__name__, owner)
        given += [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        for value in given:
            self._found(f"what {function.__name__} is given", value)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            ask = partial(CONTENT, cell)
            self.answer(name, ask, id(cell), partial(setattr, cell, "cell_contents"))
            self._found(name, _answered(ask))
        space = function.__globals__
        for name in {name for code in codes for name in _globals_of(code) if name in space}:
            self.answer(name, partial(space.get, name, MISSING), (id(space), name),
                        partial(space.__setitem__, name))
            self._found(name, space[name])

    def _found(self, name: str, value: Any) -> None:
        """What a function finds under a name."""
        bound = getattr(value, "__self__", None)  # as with `from random import random`
        if isinstance(value, FunctionType) and value.__globals__ is self._space:
            self._function(value)
        elif isinstance(value, BuiltinFunctionType) and isinstance(bound, RANDOM):
            self._draws(name, bound)
        elif isinstance(value, (ModuleType, type)):
            self._objects.setdefault(id(value), (name, value))
        elif not isinstance(value, CODE):
            self._value(name, value)

    def _look_into_objects(self) -> None:
        """Those attributes of the objects found so far that any code found so far names.

        An attribute may be another object, and a method more code, which names more.
        """
        looked = (0, 0)
        while looked != (len(self._names), len(self._objects)):
            looked = (len(self._names), len(self._objects))
            for name, value in list(self._objects.values()):
                self._named(name, value)

    def _named(self, name: str, value: Any) -> None:
        """Those attributes of an object that are named in the code, and what its methods read."""
        if hasattr(value, "named_modules") and not isinstance(value, type):
            return self.owner(value)
        if isinstance(value, (ModuleType, type)):
            return self._constants(name, value)
        held = getattr(value, "__dict__", {})
        for key in sorted(self._names):
            if (id(value), key) in self._known:
                continue
            of_class = getattr(type(value), key, None)
            if key not in held and not isinstance(of_class, (property, *SLOTS, *PLAIN[:-1])):
                continue
            try:
                found = getattr(value, key)
                if not equal(found, getattr(value, key)):
                    continue  # a property that makes a new thing each time
                self._attribute(f"{key} of {name}", value, key)
            except Exception:  # of a property: then this is not the one that the code reads
                continue
            self._value(f"{key} of {name}", found)
        self._methods(value, self._names)

    def _constants(self, name: str, space: Any) -> None:
        """Numbers and texts that a module or a class holds; modules within a module, too."""
        held = vars(space)
        for key in sorted(self._names & held.keys()):
            value, what = held[key], f"{key} of {name}"
            if isinstance(value, PLAIN):
                self._attribute(what, space, key)
            elif isinstance(value, ModuleType):
                self._objects.setdefault(id(value), (what, value))
            elif isinstance(source := getattr(value, "__self__", None), RANDOM):
                self._draws(what, source)

    def _methods(self, value: Any, names: set[str]) -> None:
        """What those of an object's methods read that are of the step's own module."""
        for name in sorted(names):
            method = getattr(type(value), name, None)
            if isinstance(method, FunctionType) and method.__globals__ is self._space:
                self._function(getattr(value, name))

    # When the step has been recorded.

    def written(self) -> list[Memory]:
        """What the step writes."""
        return list(self._marks)

    def left(self) -> list[Left]:
        """Tensors made in the step that it leaves behind, as attributes or under its own names.

        Where such a tensor takes the place of one that the step had read, it is how the step hands
        something on to the next, which a replay cannot do: that is left to `changes`.
        """
        found = []
        pairs = [*zip(self._networks.live, self._networks.copies),
                 *zip(self._others.live, self._others.copies)]
        for live, copy in pairs:
            for key, value in live.items() if isinstance(live, dict) else ():
                if self._is_left(copy.get(key), value):
                    found.append(Left(value, partial(live.get, key),
                                      partial(live.__setitem__, key)))
                    copy[key] = value
        for i, (ask, put) in enumerate(zip(self._asked, self._putting)):
            value = _answered(ask)
            if put is not None and self._is_left(self._answers[i], value):
                found.append(Left(value, ask, put))
                self._answers[i] = value
        for tensor in self._tensors.values():
            if self._is_left(self._gradients[id(tensor)], tensor.grad):
                found.append(Left(tensor.grad, partial(getattr, tensor, "grad"),
                                  partial(setattr, tensor, "grad")))
                self._gradients[id(tensor)] = tensor.grad
        return found

    def _is_left(self, before: Any, now: Any) -> bool:
        return (isinstance(now, Tensor) and now.tick >= self.began
                and not (isinstance(before, Tensor) and id(before) in self._used))

    # Before a replay.

    def same(self) -> bool:
        """Whether nothing differs; False may also mean that something is only written otherwise.

        What is looked at here is in no cache after a step, so it should be little.
        """
        tensors = self._tensors.values()
        try:
            return (self._settings == settings.count
                    and self._others.live == self._others.copies
                    and all(map(is_, map(DATA, tensors), self._arrays))
                    and list(map(FLAG, tensors)) == self._flags
                    and [ask() for ask in self._asked] == self._answers)
        except Exception:  # of things that cannot be compared, such as two arrays
            return False

    def changes(self) -> str:
        """What has changed, in words; empty if nothing has."""
        now = settings.count
        found = [*self._networks.changes(), *self._others.changes(), *self._changes()]
        if not found:
            self._settings = now
        more = f"; and {len(found) - 2} more" if len(found) > 2 else ""
        return "; ".join(found[:2]) + more

    def _changes(self) -> Iterator[str]:
        for tensor, array, flag in zip(self._tensors.values(), self._arrays, self._flags):
            what = f"the tensor {tensor.name or 'without a name'} of shape {tensor.shape}"
            if tensor.data is not array:
                yield f"{what} holds another array (write new values with assign)"
            if tensor.requires_grad != flag:
                yield f"requires_grad of {what} became {tensor.requires_grad}"
        for what, ask, answer in zip(self._questions, self._asked, self._answers):
            yield from change(what, answer, _answered(ask))

    def carried(self) -> str:
        """Whether the step adds gradients to those of the step before, in words; empty if not."""
        for tensor in self._tensors.values():
            if tensor.grad is not None and tensor.grad is not self._gradients[id(tensor)]:
                return (f"grad of the tensor {tensor.name or 'without a name'} of shape "
                        f"{tensor.shape} is added to what the step before left there")
        for what, state, before in self._random:
            if repr(state()) != before:
                return (f"it draws random numbers from {what}; draw them from a stream of minigan, "
                        f"as minigan.stream(...).uniform(...)")
        return ""


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _globals_of(code: CodeType) -> set[str]:
    """The names that code looks up among the globals."""
    return {str(line.argval) for line in dis.get_instructions(code)
            if line.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL")}


def _answered(ask: Question) -> Any:
    try:
        return ask()
    except ValueError:  # the cell is empty
        return MISSING
