"""Finding out what a step reads from Python: in its function's code, and in what that code names.

Networks, optimizers and models say themselves that they are read (`backend.reading`). What else a
step reads, nobody says. So its function is looked at: the names in its code, what it finds under
them, and of objects found there those attributes that some code of the step names.
"""

from __future__ import annotations

import dis
import random
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from types import (BuiltinFunctionType, CodeType, FunctionType, MemberDescriptorType, MethodType,
                   ModuleType)
from typing import Any, Callable, Container, Iterable, Iterator

import numpy as np

from minigan.backend import Backend
from minigan.capturing.compared import CONTAINERS, MISSING, PLAIN, equal
from minigan.capturing.noted import Noted, answered
from minigan.engine import Tensor
from minigan.reading import EVERYTHING, evaluating, noting

CODE = (ModuleType, type, FunctionType, BuiltinFunctionType, MethodType)
CONTENT = attrgetter("cell_contents")
RANDOM = (random.Random, np.random.Generator, np.random.RandomState)
SLOTS = (MemberDescriptorType,)
MOST = 256  # entries of a list or dict that is compared


class Explorer(Noted):
    """What one step reads, as those who are read say it, and as its function's code shows."""

    def __init__(self, began: int, keep: Callable[[Any], None]) -> None:
        super().__init__(began, keep)
        self._seen: dict[int, Any] = {}            # by id, so that they stay alive
        self._names: set[str] = set()              # of attributes, in any code of the step
        self._objects: dict[int, tuple[str, Any]] = {}  # by id: what to call it, and an object
        self._space: dict[str, Any] | None = None  # the globals of the step's function

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
            self.unmark()

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

    def _attributes(self, name: str, owner: Any, anew: Container[str]) -> None:
        attributes = vars(owner)
        if not anew:
            where = self.networks if hasattr(owner, "named_modules") else self.others
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
                self.others.add(what, value)
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
            self.draws(what, source.getstate)
        else:
            self.draws(what, partial(getattr, getattr(source, "_bit_generator"), "state"))

    def _function(self, function: Any) -> None:
        """What a function of the step finds under the names in its code.

        It may also be a partial one, a method, or an object that can be called.
        """
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
        given += function.__defaults__ or ()
        given += (function.__kwdefaults__ or {}).values()
        for value in given:
            self._found(f"what {function.__name__} is given", value)
        self._around(function)
        self._globals(function.__globals__, codes)

    def _around(self, function: FunctionType) -> None:
        """What a function finds under names of the functions around it."""
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            ask = partial(CONTENT, cell)
            self.answer(name, ask, id(cell), partial(setattr, cell, "cell_contents"))
            self._found(name, answered(ask))

    def _globals(self, space: dict[str, Any], codes: list[CodeType]) -> None:
        """What code finds among its globals."""
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
            if (id(value), key) in self.known:
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
