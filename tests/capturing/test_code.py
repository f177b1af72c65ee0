"""What the code of a function names, and what is behind something that can be called."""
from __future__ import annotations

import math
from functools import partial

import pytest

from minigan.capturing.code import attributes_named, callee, cells_named, globals_named

NUMBER = 2


def plain(x, factor=3, *, shift=4):
    return x.size * factor + shift + NUMBER


class Callable:
    def __call__(self):
        return self.inside

    def method(self):
        return math.pi


@pytest.mark.parametrize("called, function, owner, given", [
    (plain, plain, None, [3, 4]),
    (partial(plain, 5), plain, None, [5, 3, 4]),
    (partial(partial(plain, 5), shift=6), plain, None, [5, 6, 3, 4]),
    (Callable.method, Callable.method, None, []),
    (both := Callable(), Callable.__call__, both, []),
    (both.method, Callable.method, both, []),
    (partial(both.method), Callable.method, both, [])])
def test_the_function_behind_a_call(called, function, owner, given):
    found = callee(called)
    assert found.function is function and found.owner is owner and found.given == given


@pytest.mark.parametrize("called", [len, int, [].append, 3, None])
def test_what_is_not_written_in_python_has_no_code(called):
    assert callee(called) is None


def test_names_of_code_and_of_the_functions_inside_it():
    around = 1

    def function(x):
        def inner():
            return x.deep + around + NUMBER + math.inf + not_there  # noqa: F821

        return inner

    assert {"deep", "inf"} <= attributes_named(function) and "x" not in attributes_named(function)
    assert globals_named(function) == {"NUMBER", "math"}  # those that are there
    assert [(name, cell.cell_contents) for name, cell in cells_named(function)] == [("around", 1)]
