"""What a recorded step read from Python, and whether that is still what it was.

Before each replay everything is compared that may have decided what was computed. That must cost a
few microseconds, so what is compared lies in lists that Python compares by itself: the attributes
of objects as the dicts that they are kept in, beside copies of these dicts; those of networks only
if any network's attribute was set since. Only where something differs, `changes` looks closer and
puts it into words.
"""

from __future__ import annotations

from functools import partial
from operator import attrgetter, is_
from typing import Any, Callable, Iterator, NamedTuple

from minigan.capturing.compared import MISSING, Compared, change
from minigan.engine import Memory, Tensor
from minigan.reading import Question, settings

DATA, FLAG = map(attrgetter, ("data", "requires_grad"))


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

        # Tensors that were there before, by id; their arrays, and whether gradients flow there.
        self._tensors: dict[int, Tensor] = {}
        self._arrays: list[Any] = []
        self._flags: list[bool] = []
        self._gradients: dict[int, Any] = {}  # what their `grad` was, by id
        self._used: set[int] = set()          # ids of those that an op read
        self._marks: dict[Memory, int] = {}   # when memory that the step writes was written

        self.networks = Compared()       # attributes of networks
        self.others = Compared()
        self._settings = settings.count  # as long as that stays, networks have not changed

        # Questions: how to ask, the answer, what is asked in words, and what changes the answer.
        self._asked: list[Question] = []
        self._answers: list[Any] = []
        self._questions: list[str] = []
        self._putting: list[Callable[[Any], None] | None] = []
        self.known: set[Any] = set()     # what tells each of them from others

        # Generators of random numbers: the name, what gives the state, and the state it had.
        self._random: list[tuple[str, Question, str]] = []

    # Noting down.

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

    def unmark(self) -> None:
        """Recording has written nothing."""
        for memory, written in self._marks.items():
            memory.written = written

    def answer(self, what: str, ask: Question, key: Any = None,
               put: Callable[[Any], None] | None = None) -> None:
        """What a question is answered with.

        key: what tells the question from others, else `what`. put: changes the answer.
        """
        key = what if key is None else key
        if key not in self.known:
            answer = answered(ask)
            self.known.add(key)
            self._questions.append(what)
            self._asked.append(ask)
            self._answers.append(answer)
            self._putting.append(put)

    def draws(self, what: str, state: Question) -> None:
        """A source of random numbers, from which no replay would draw; state() is its state."""
        self._random.append((what, state, repr(state())))

    # When the step has been recorded.

    def written(self) -> list[Memory]:
        """What the step writes."""
        return list(self._marks)

    def left(self) -> list[Left]:
        """Tensors made in the step that it leaves behind, as attributes or under its own names.

        Where such a tensor takes the place of one that the step had read, it is how the step hands
        something on to the next, which a replay cannot do: that is left to `changes`.
        """
        return [*self._left_in_dicts(), *self._left_as_answers(), *self._left_as_gradients()]

    def _left_in_dicts(self) -> Iterator[Left]:
        for compared in (self.networks, self.others):
            for live, copy in zip(compared.live, compared.copies):
                for key, value in live.items() if isinstance(live, dict) else ():
                    if self._is_left(copy.get(key), value):
                        copy[key] = value
                        yield Left(value, partial(live.get, key), partial(live.__setitem__, key))

    def _left_as_answers(self) -> Iterator[Left]:
        for i, (ask, put) in enumerate(zip(self._asked, self._putting)):
            value = answered(ask)
            if put is not None and self._is_left(self._answers[i], value):
                self._answers[i] = value
                yield Left(value, ask, put)

    def _left_as_gradients(self) -> Iterator[Left]:
        for tensor in self._tensors.values():
            value = tensor.grad
            if self._is_left(self._gradients[id(tensor)], value):
                self._gradients[id(tensor)] = value
                yield Left(value, partial(getattr, tensor, "grad"),
                           partial(setattr, tensor, "grad"))

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
                    and self.others.live == self.others.copies
                    and all(map(is_, map(DATA, tensors), self._arrays))
                    and list(map(FLAG, tensors)) == self._flags
                    and [ask() for ask in self._asked] == self._answers)
        except Exception:  # of things that cannot be compared, such as two arrays
            return False

    def changes(self) -> str:
        """What has changed, in words; empty if nothing has."""
        now = settings.count
        found = [*self.networks.changes(), *self.others.changes(), *self._changes()]
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
            yield from change(what, answer, answered(ask))

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


def answered(ask: Question) -> Any:
    """The answer; MISSING of the content of an empty cell."""
    try:
        return ask()
    except ValueError:
        return MISSING
