"""The engine's settings in a thread or task, and the `with` blocks that change them.

The engine asks two things before it runs an op: is a graph recorded, and is a hook watching? Both
are set by blocks (`no_grad`, `op_hook`), each for its own thread or asyncio task. A block may also
be a decorator: of functions, of generators, and of asyncio's coroutines.
"""

from __future__ import annotations

import functools
import inspect
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Callable, Generator, Iterator

Hook = Callable[[Any, Any, Callable[[], Any]], Any]  # (op, the op around it, run) -> run()


class State:
    """The engine's settings in one thread or asyncio task; entering a block makes a new one.

    recording: False under no_grad, and in a gradient that will not be differentiated again.
    hooks: the innermost block's first. within: the op whose backward rule is running, or None.
    """

    __slots__ = ("block", "before", "recording", "hooks", "within")

    def __init__(self, block: Block | None = None, before: State | None = None) -> None:
        self.block = block
        self.before = before
        self.recording = True
        self.hooks: tuple[Hook, ...] = ()
        self.within: Any = None
        if block is None or before is None:
            return

        self.within = before.within
        self.recording = before.recording
        if block.recording is not None:
            self.recording = block.recording
        self.hooks = before.hooks
        if block.hook is not None:
            self.hooks = (block.hook, *before.hooks)

    def without(self, block: Block) -> State:
        """This state once `block` is left, which may not be the innermost."""
        if self.before is None:
            return self
        if self.block is block:
            return self.before
        rest = State(self.block, self.before.without(block))
        rest.within = self.within
        return rest


current: ContextVar[State] = ContextVar("what holds in the engine", default=State())


class Block:
    """A `with` block that turns recording on or off, or adds a hook; or a decorator that does.

    It holds for its own thread or asyncio task. Leaving it takes back only what it set itself, so
    blocks may be left in any order.
    """

    def __init__(self, recording: bool | None = None, hook: Hook | None = None) -> None:
        self.recording = recording
        self.hook = hook

    def __enter__(self) -> State:
        state = State(self, current.get())
        current.set(state)
        return state

    def __exit__(self, *error: Any) -> None:
        current.set(current.get().without(self))

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return inside(self, function)


def inside(block: AbstractContextManager[Any], function: Callable[..., Any]
           ) -> Callable[..., Any]:
    """`function` with its body inside `with block`, which is entered again for each call.

    A generator's body is in the block only while it runs, not while its caller looks at what it
    yielded.

    Raises:
        TypeError: the function is an asynchronous generator.
    """
    if inspect.isasyncgenfunction(function):
        raise TypeError(f"{function.__name__} is an asynchronous generator, which cannot be "
                        f"decorated; write the block inside it, around what it computes")

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
    """The generator, inside the block while it runs: from each resumption until it yields."""
    resume: Callable[[], Any] = functools.partial(next, generator)
    while True:
        with block:
            try:
                value = resume()
            except StopIteration as end:
                return end.value

        try:
            resume = functools.partial(generator.send, (yield value))
        except GeneratorExit:
            with block:
                generator.close()
            raise
        except BaseException as error:
            resume = functools.partial(generator.throw, error)


# How many blocks of evaluation mode this thread or task is in.
evaluating: ContextVar[int] = ContextVar("blocks of evaluation mode", default=0)


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
