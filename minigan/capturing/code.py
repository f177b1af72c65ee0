"""What the code of a function names: globals, attributes, and variables of enclosing functions.

This only reads code. It runs nothing, and looks at no object of the step.
"""

from __future__ import annotations

import dis
from functools import partial
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any, Iterator, NamedTuple

GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL")  # instructions that look up a global name


class Callee(NamedTuple):
    """A Python function behind something that can be called.

    owner: the object that it is bound to, None if it is not a method.
    given: arguments that it has already, from a `partial` or as defaults.
    """

    function: FunctionType
    owner: Any
    given: list[Any]


def callee(called: Any) -> Callee | None:
    """The function that a call would run; None if it is not written in Python.

    called: a function, a method, a `partial` of one, or an object with `__call__`.
    """
    given: list[Any] = []
    while isinstance(called, partial):
        given += [*called.args, *called.keywords.values()]
        called = called.func

    if not isinstance(called, (FunctionType, MethodType)):
        called = getattr(called, "__call__", None)
    owner = getattr(called, "__self__", None)
    function = getattr(called, "__func__", called)
    if not isinstance(function, FunctionType):
        return None
    given += function.__defaults__ or ()
    given += (function.__kwdefaults__ or {}).values()
    return Callee(function, owner, given)


def attributes_named(function: FunctionType) -> set[str]:
    """Names of attributes in a function's code (and of globals, which share a list with them)."""
    return {name for code in _codes(function.__code__) for name in code.co_names}


def globals_named(function: FunctionType) -> set[str]:
    """The names of globals that a function looks up, as far as they exist."""
    names = set()
    for code in _codes(function.__code__):
        for instruction in dis.get_instructions(code):
            if instruction.opname in GLOBALS:
                names.add(str(instruction.argval))
    return names & function.__globals__.keys()


def cells_named(function: FunctionType) -> Iterator[tuple[str, CellType]]:
    """Variables of enclosing functions that a function uses: their names, and their cells."""
    return zip(function.__code__.co_freevars, function.__closure__ or ())


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
