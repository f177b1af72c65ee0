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

from minigan.capturing.snapshots import MISSING, Snapshots, change
from minigan.engine import Memory, Tensor
from minigan.reading import Question, settings

DATA = attrgetter("data")
FLAG = attrgetter("requires_grad")

Put = Callable[[Any], None]  # puts another value in the place that a question asks about


class LeftBehind(NamedTuple):
    """A tensor that the step makes and leaves somewhere; what is there now, and to put it there."""

    tensor: Tensor
    get: Question
    put: Put


class RandomSource(NamedTuple):
    """A generator of random numbers that the step can reach, and the state that it had."""

    name: str
    state: Question
    before: str


class Guards:
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

        self.networks = Snapshots()           # attributes of networks
        self.others = Snapshots()
        self._settings = settings.count       # as long as that stays, networks have not changed

        # Questions: how to ask, the answer, what is asked in words, and what changes the answer.
        self._asked: list[Question] = []
        self._answers: list[Any] = []
        self._questions: list[str] = []
        self._put: list[Put | None] = []
        self._known: set[Any] = set()         # what tells each of them from others

        self._random: list[RandomSource] = []

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
        """Take the marks back: recording has written nothing."""
        for memory, written in self._marks.items():
            memory.written = written

    def knows(self, key: Any) -> bool:
        """Whether such a question was asked already."""
        return key in self._known

    def answer(self, name: str, ask: Question, key: Any = None, put: Put | None = None) -> None:
        """What a question is answered with.

        name: what is asked, for messages. key: what tells the question from others, else `name`.
        put: changes the answer.
        """
        key = name if key is None else key
        if key in self._known:
            return
        answer = answered(ask)
        self._known.add(key)
        self._questions.append(name)
        self._asked.append(ask)
        self._answers.append(answer)
        self._put.append(put)

    def draws(self, name: str, state: Question) -> None:
        """A source of random numbers, from which no replay would draw; state() is its state."""
        self._random.append(RandomSource(name, state, repr(state())))

    # When the step has been recorded.

    def written(self) -> list[Memory]:
        """What the step writes."""
        return list(self._marks)

    def left_behind(self) -> list[LeftBehind]:
        """Tensors made in the step that it leaves behind, as attributes or under its own names.

        Where such a tensor takes the place of one that the step had read, the step hands something
        on to the next, which a replay cannot do: that stays a change, for `changes` to report.
        """
        return [*self._left_in_dicts(), *self._left_as_answers(), *self._left_as_gradients()]

    def _left_in_dicts(self) -> Iterator[LeftBehind]:
        for snapshots in (self.networks, self.others):
            for live, copy in zip(snapshots.live, snapshots.copies):
                if not isinstance(live, dict):
                    continue
                for key, value in live.items():
                    if self._is_left(copy.get(key), value):
                        copy[key] = value
                        get = partial(live.get, key)
                        yield LeftBehind(value, get, partial(live.__setitem__, key))

    def _left_as_answers(self) -> Iterator[LeftBehind]:
        for i, (ask, put) in enumerate(zip(self._asked, self._put)):
            value = answered(ask)
            if put is not None and self._is_left(self._answers[i], value):
                self._answers[i] = value
                yield LeftBehind(value, ask, put)

    def _left_as_gradients(self) -> Iterator[LeftBehind]:
        for tensor in self._tensors.values():
            value = tensor.grad
            if value is not None and self._is_left(self._gradients[id(tensor)], value):
                self._gradients[id(tensor)] = value
                get = partial(getattr, tensor, "grad")
                yield LeftBehind(value, get, partial(setattr, tensor, "grad"))

    def _is_left(self, before: Any, now: Any) -> bool:
        """Whether the step made what is there now, and read nothing of what was there before."""
        made = isinstance(now, Tensor) and now.tick >= self.began
        read = isinstance(before, Tensor) and id(before) in self._used
        return made and not read

    def cannot_be_repeated(self) -> str:
        """What the step did that no replay does again, in words; empty if nothing."""
        for tensor in self._tensors.values():
            if tensor.grad is not None and tensor.grad is not self._gradients[id(tensor)]:
                return (f"grad of the tensor {tensor.name or 'without a name'} of shape "
                        f"{tensor.shape} is added to what the step before left there")
        for source in self._random:
            if repr(source.state()) != source.before:
                return (f"it draws random numbers from {source.name}; draw them from a stream of "
                        f"minigan, as minigan.stream(...).uniform(...)")
        return ""

    # Before a replay.

    def hold(self) -> bool:
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
        clauses = [*self.networks.changes(),
                   *self.others.changes(),
                   *self._tensors_changed(),
                   *self._answers_changed()]
        if not clauses:
            self._settings = now
        more = f"; and {len(clauses) - 2} more" if len(clauses) > 2 else ""
        return "; ".join(clauses[:2]) + more

    def _tensors_changed(self) -> Iterator[str]:
        for tensor, array, flag in zip(self._tensors.values(), self._arrays, self._flags):
            name = f"the tensor {tensor.name or 'without a name'} of shape {tensor.shape}"
            if tensor.data is not array:
                yield f"{name} holds another array (write new values with assign)"
            if tensor.requires_grad != flag:
                yield f"requires_grad of {name} became {tensor.requires_grad}"

    def _answers_changed(self) -> Iterator[str]:
        for name, ask, answer in zip(self._questions, self._asked, self._answers):
            yield from change(name, answer, answered(ask))


def answered(ask: Question) -> Any:
    """The answer; MISSING of the content of an empty cell."""
    try:
        return ask()
    except ValueError:
        return MISSING
