"""A `with` block as a decorator: of functions, of generators, and of asyncio's coroutines."""

from __future__ import annotations

import functools
import inspect
from contextlib import AbstractContextManager
from typing import Any, Callable, Generator


def inside(block: AbstractContextManager[Any], function: Callable[..., Any]
           ) -> Callable[..., Any]:
    """`function` with its body in `with block`, which may be entered any number of times.

    A generator's body is inside only while it runs, not while its caller looks at what it yielded.

    Raises:
        TypeError: the function is an asynchronous generator.
    """
    if inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__name__} is an asynchronous generator, which cannot be "
                        f"decorated; write the block inside of it, around what it computes")

    if inspect.iscoroutinefunction(function):
        @functools.wraps(function)
        async def awaited(*args: Any, **settings: Any) -> Any:
            with block:
                return await function(*args, **settings)
        return awaited

    if inspect.isgeneratorfunction(function):
        @functools.wraps(function)
        def generated(*args: Any, **settings: Any) -> Generator[Any, Any, Any]:
            return (yield from _step_by_step(block, function(*args, **settings)))
        return generated

    @functools.wraps(function)
    def called(*args: Any, **settings: Any) -> Any:
        with block:
            return function(*args, **settings)
    return called


def _step_by_step(block: AbstractContextManager[Any], generator: Generator[Any, Any, Any]
                  ) -> Generator[Any, Any, Any]:
    """The generator, in the block from each time it is asked until it yields."""
    ask: Callable[[], Any] = functools.partial(next, generator)
    while True:
        with block:
            try:
                value = ask()
            except StopIteration as end:
                return end.value
        try:
            ask = functools.partial(generator.send, (yield value))
        except GeneratorExit:
            with block:
                generator.close()
            raise
        except BaseException as error:
            ask = functools.partial(generator.throw, error)
