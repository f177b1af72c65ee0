"""What a recorded step read from Python, and whether it is still the same.

Before each replay, everything that may have decided what was computed is compared with what it was.
That may take a few microseconds only, so there are a few lists, which Python compares in C. The
attributes of an object are compared as a dict: its `__dict__` with a copy of it; those of networks
only if an attribute of any network has been set since. Only if something differs, `changes` looks
closer and puts it into words.
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

Put = Callable[[Any], None]  # changes the answer of a question


class LeftBehind(NamedTuple):
    """A tensor that the step makes and leaves somewhere: get() reads that place, put writes to it.
    """

    tensor: Tensor
    get: Question
    put: Put


class RandomSource(NamedTuple):
    """A generator of random numbers that the step can reach. state(): its state; before: as it was.
    """

    name: str
    state: Question
    before: str


class Guards:
    """What one step read, noted down while it is recorded.

    began: the tick at which recording began; a tensor of an earlier tick existed before.
    keep: called with the array of each tensor that existed before.
    """

    def __init__(self, began: int, keep: Callable[[Any], None]) -> None:
        self.began = began
        self._keep = keep

        # Tensors that existed before, by id; their arrays, and whether gradients flow to them.
        self._tensors: dict[int, Tensor] = {}
        self._arrays: list[Any] = []
        self._flags: list[bool] = []
        self._gradients: dict[int, Any] = {}  # what their `grad` was, by id
        self._used: set[int] = set()          # ids of those that an op read
        self._marks: dict[Memory, int] = {}   # memory that the step writes -> its last write before

        self.networks = Snapshots()           # attributes of networks
        self.others = Snapshots()
        self._settings = settings.count       # while this stays the same, no network has changed

        # Questions: how to ask, the answer, what is asked in words, what changes the answer, keys.
        self._asked: list[Question] = []
        self._answers: list[Any] = []
        self._questions: list[str] = []
        self._put: list[Put | None] = []
        self._known: set[Any] = set()

        self._random: list[RandomSource] = []

    # Noting down.

    def tensor(self, tensor: Tensor) -> None:
        """Note a tensor: the array that it holds, and whether a gradient can flow to it."""
        if id(tensor) in self._tensors or tensor.tick >= self.began:
            return
        self._tensors[id(tensor)] = tensor
        self._gradients[id(tensor)] = tensor.grad
        self._arrays.append(tensor.data)
        self._flags.append(tensor.requires_grad)
        self._keep(tensor.data)

    def used(self, tensor: Tensor) -> None:
        """Note a tensor that an op reads."""
        self.tensor(tensor)
        self._used.add(id(tensor))

    def writes(self, memory: Memory) -> None:
        """Note memory that is about to be marked as written."""
        self._marks.setdefault(memory, memory.written)

    def unmark(self) -> None:
        """Take the marks back: recording has written nothing."""
        for memory, written in self._marks.items():
            memory.written = written

    def knows(self, key: Any) -> bool:
        """Whether the question with this key was asked already."""
        return key in self._known

    def answer(self, name: str, ask: Question, key: Any = None, put: Put | None = None) -> None:
        """Note the answer of ask().

        name: what is asked, for messages. key: tells the question from others; None: `name` does.
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
        """Note a source of random numbers, from which no replay would draw. state(): its state."""
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
        """Whether the step made what is there now, and did not read what was there before."""
        made = isinstance(now, Tensor) and now.tick >= self.began
        read = isinstance(before, Tensor) and id(before) in self._used
        return made and not read

    def cannot_be_repeated(self) -> str:
        """What the step did that a replay would not repeat, in words; "" if nothing."""
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
        """Whether nothing differs. False may be a false alarm, which `changes` settles.

        After a step, nothing that is read here is in the processor's cache, so it should be little.
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
        """What has changed, in words; "" if nothing has."""
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
    """The answer to a question; MISSING if it asks for the content of an empty cell."""
    try:
        return ask()
    except ValueError:
        return MISSING
