"""Finding out what a step reads from Python: in its function's code, and in what that code names.

Networks, optimizers and models report themselves that they are read (`minigan.reading`). Nothing
reports what else a step reads, so its function is examined: the names in its code, the values under
these names, and of an object among them the attributes that any code of the step names.

    function -> its variables -> those of their attributes that code names -> methods -> more code

Nothing is called except properties. Each is read twice, and one that returns something new each
time is left alone.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, Container, Iterable, Iterator

import numpy as np

from minigan.backend import Backend
from minigan.blocks import evaluating
from minigan.capturing.code import attributes_named, callee, cells_named, globals_named
from minigan.capturing.guards import Guards, answered
from minigan.capturing.snapshots import CONTAINERS, MISSING, PLAIN, equal
from minigan.engine import Memory, Tensor
from minigan.reading import EVERYTHING, Notes, Question, noting

CODE = (ModuleType, type, FunctionType, BuiltinFunctionType, MethodType)
RANDOM = (random.Random, np.random.Generator, np.random.RandomState)
SIMPLE = (bool, int, float, complex, str, bytes)  # defaults that a class holds for its objects
CONTENT = attrgetter("cell_contents")
MOST_ENTRIES = 256  # of a list or dict that is compared


class Explorer(Notes):
    """Finds what one step reads, and adds it to the step's guards."""

    def __init__(self, guards: Guards) -> None:
        self.guards = guards
        self._seen: dict[int, Any] = {}                 # by id, so that they stay alive
        self._names: set[str] = set()                   # of attributes, in any code of the step
        self._objects: dict[int, tuple[str, Any]] = {}  # by id: what to call it, and an object
        self._space: dict[str, Any] | None = None       # the globals of the step's function

    @contextmanager
    def noting(self, step: Any, tensors: Iterable[Tensor]) -> Iterator[None]:
        """Note what is read inside the block, and what the step's function has in variables."""
        for tensor in tensors:
            self.guards.tensor(tensor)
        before = noting.set(self)
        try:
            self.answer("evaluation_mode around the step", lambda: evaluating.get() > 0)
            self._function(step)
            self._look_into_objects()
            yield
        finally:
            noting.reset(before)
            self.guards.unmark()

    # What is reported through `minigan.reading`.

    def answer(self, name: str, ask: Question) -> None:
        self.guards.answer(name, ask)

    def tensor(self, tensor: Tensor) -> None:
        self.guards.tensor(tensor)

    def writes(self, memory: Memory) -> None:
        self.guards.writes(memory)

    def owner(self, owner: Any, live: Container[str] = ()) -> None:
        if not self._is_new(owner):
            return
        kind = type(owner).__name__
        if not _is_network(owner):
            self._attributes(kind, owner, live)
            return
        for path, module in owner.named_modules():
            if module is owner:
                self._attributes(kind, module, live)
            elif self._is_new(module):
                name = f"{path!r} of {kind}, a {type(module).__name__},"
                self._attributes(name, module, live)
            self._methods(module, {"forward"})
        self._look_into_objects()

    # Functions.

    def _function(self, called: Any) -> None:
        """Look into the variables that a function of the step reads."""
        target = callee(called)
        if target is None or not self._is_new(target.function):
            return
        function, owner, given = target
        if self._space is None:
            self._space = function.__globals__
        self._names |= attributes_named(function)

        if owner is not None:
            self._value(type(owner).__name__, owner)
        for value in given:
            self._variable(f"what {function.__name__} is given", value)

        for name, cell in cells_named(function):
            ask = partial(CONTENT, cell)
            self.guards.answer(name, ask, id(cell), partial(setattr, cell, "cell_contents"))
            self._variable(name, answered(ask))

        space = function.__globals__
        for name in globals_named(function):
            ask = partial(space.get, name, MISSING)
            self.guards.answer(name, ask, (id(space), name), partial(space.__setitem__, name))
            self._variable(name, space[name])

    def _variable(self, name: str, value: Any) -> None:
        """Look into the value of a variable that a function reads."""
        bound = getattr(value, "__self__", None)  # as with `from random import random`
        if isinstance(value, FunctionType) and value.__globals__ is self._space:
            self._function(value)
        elif isinstance(value, BuiltinFunctionType) and isinstance(bound, RANDOM):
            self._draws(name, bound)
        elif isinstance(value, (ModuleType, type)):
            self._objects.setdefault(id(value), (name, value))
        elif not isinstance(value, CODE):
            self._value(name, value)

    # Values.

    def _value(self, name: str, value: Any, compared: bool = True) -> None:
        """Look into a value: a tensor, a container, a source of random numbers, another object.

        compared: whether its entries must stay what they are, not only the tensors among them.
        """
        if isinstance(value, Tensor):
            self.tensor(value)
        elif isinstance(value, CONTAINERS):
            if len(value) <= MOST_ENTRIES and self._is_new(value):
                self._container(name, value, compared)
        elif isinstance(value, RANDOM):
            self._draws(name, value)
        elif not isinstance(value, (*PLAIN, *CODE, np.ndarray, Backend)):
            self._objects.setdefault(id(value), (name, value))

    def _container(self, name: str, container: Any, compared: bool) -> None:
        """Look into a list, tuple, dict or set, and into what it holds."""
        if compared and not isinstance(container, tuple):
            self.guards.others.add(name, container)
        items = container.items() if isinstance(container, dict) else enumerate(container)
        for key, item in items:
            self._value(f"{name}[{key!r}]", item, compared)

    def _draws(self, name: str, source: Any) -> None:
        """Note a source of random numbers, from which no replay would draw."""
        if isinstance(source, random.Random):
            self.guards.draws(name, source.getstate)
        else:
            bits = getattr(source, "_bit_generator")
            self.guards.draws(name, partial(getattr, bits, "state"))

    # Objects.

    def _attributes(self, name: str, owner: Any, live: Container[str]) -> None:
        """Guard all attributes of an object, except those that every replay reads again."""
        attributes = vars(owner)
        if not live:
            snapshots = self.guards.networks if _is_network(owner) else self.guards.others
            snapshots.add(name, attributes, owner)
        elif live is not EVERYTHING:
            for key in attributes:
                if key not in live and not key.startswith("_"):  # not `_lr`, which holds `lr`
                    self._attribute(f"{key} of {name}", owner, key)
        for key, value in attributes.items():
            self._value(f"{key} of {name}", value, compared=not live)

    def _attribute(self, name: str, owner: Any, key: str) -> None:
        """Guard one attribute of an object."""
        ask = partial(getattr, owner, key, MISSING)
        self.guards.answer(name, ask, (id(owner), key), partial(setattr, owner, key))

    def _look_into_objects(self) -> None:
        """Guard the attributes that any code found so far names, of the objects found so far.

        An attribute may be another object, and a method is more code, which names more.
        """
        before = (0, 0)
        while before != (len(self._names), len(self._objects)):
            before = (len(self._names), len(self._objects))
            for name, value in list(self._objects.values()):
                self._look_into(name, value)

    def _look_into(self, name: str, value: Any) -> None:
        """Guard the attributes of an object that code names, and look into its methods."""
        if isinstance(value, (ModuleType, type)):
            self._constants(name, value)
        elif _is_network(value):
            self.owner(value)
        else:
            for key in sorted(self._names):
                if not self.guards.knows((id(value), key)) and _holds(value, key):
                    self._named_attribute(f"{key} of {name}", value, key)
            self._methods(value, self._names)

    def _named_attribute(self, name: str, owner: Any, key: str) -> None:
        """Guard one attribute of an object, if it can be read and stays the same."""
        try:
            value = getattr(owner, key)
            if not equal(value, getattr(owner, key)):
                return  # a property that returns something new each time
            self._attribute(name, owner, key)
        except Exception:  # of a property: then this is not the one that the code reads
            return
        self._value(name, value)

    def _constants(self, name: str, space: Any) -> None:
        """Guard numbers and texts that a module or a class holds; look into modules in a module."""
        held = vars(space)
        for key in sorted(self._names & held.keys()):
            value = held[key]
            bound = getattr(value, "__self__", None)
            if isinstance(value, PLAIN):
                self._attribute(f"{key} of {name}", space, key)
            elif isinstance(value, ModuleType):
                self._objects.setdefault(id(value), (f"{key} of {name}", value))
            elif isinstance(bound, RANDOM):
                self._draws(f"{key} of {name}", bound)

    def _methods(self, value: Any, names: set[str]) -> None:
        """Look into those methods of an object that are defined in the step's own module."""
        for name in sorted(names):
            method = getattr(type(value), name, None)
            if isinstance(method, FunctionType) and method.__globals__ is self._space:
                self._function(getattr(value, name))

    def _is_new(self, thing: Any) -> bool:
        """Whether a thing is met for the first time."""
        if id(thing) in self._seen:
            return False
        self._seen[id(thing)] = thing
        return True


def _is_network(value: Any) -> bool:
    """Whether it is a network or a layer: `nn` is above this room, so a method must tell."""
    return hasattr(value, "named_modules") and not isinstance(value, type)


def _holds(value: Any, key: str) -> bool:
    """Whether an object has this attribute: its own, a property, a slot, or a class's default."""
    if key in getattr(value, "__dict__", {}):
        return True
    of_class = getattr(type(value), key, None)
    return isinstance(of_class, (property, MemberDescriptorType, *SIMPLE))
