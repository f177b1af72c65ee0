"""The disk that fails sees every call, and lets the rest through."""
from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest
from failing_disk import WRITING, FailingDisk, failures

pytestmark = pytest.mark.usefixtures("alone")


def busy():
    """Make every kind of call once or more."""
    Path("a").mkdir()
    Path("a/x").write_text("words", encoding="utf-8")
    with open("a/y", "wb") as file:
        file.write(b"bytes")
        file.flush()
        os.fsync(file.fileno())
    number, name = tempfile.mkstemp(dir="a")
    with os.fdopen(number, "w+b") as file:
        file.write(b"more")
        file.seek(0)
        assert file.read() == b"more"
    os.link("a/x", "a/z")
    os.replace(name, "a/y")
    Path("a/z").unlink()
    assert sorted(os.listdir("a")) == ["x", "y"]
    assert Path("a/x").read_text("utf-8") == "words"
    assert Path("a/x").stat().st_size == 5


def test_every_call_is_seen_and_the_disk_works():
    with FailingDisk() as disk:
        busy()
        outside = Path(__file__).read_bytes()
    kinds = {name for name, _ in disk.calls}
    assert kinds >= {"mkdir", "open to write", "write", "fsync", "link", "replace", "unlink",
                     "listdir", "open", "read", "stat"}
    assert outside.startswith(b'"""') and disk.failed is None
    assert all(not os.path.isabs(path) for _, path in disk.calls)
    before = len(disk.calls)
    Path("a/x").read_bytes()
    assert len(disk.calls) == before  # it is over


@pytest.mark.parametrize("kind", ["mkdir", "write", "fsync", "link", "replace", "unlink", "listdir",
                                  "read", "stat", "open to write"])
def test_each_kind_can_fail(kind):
    with pytest.raises(OSError) as caught, FailingDisk(0, errno.EIO, frozenset({kind})) as disk:
        busy()
    assert caught.value.errno == errno.EIO and disk.failed[0] == kind


def test_all_calls_fail_in_turn():
    """By their numbers, one after another; a lasting fault makes all later calls fail, too."""
    places = iter(range(10_000))

    def prepare():
        place = Path(f"place-{next(places)}")
        place.mkdir()
        return place

    def action(place):
        for name in ("one", "two"):
            try:
                (place / name).write_bytes(b"1")
            except PermissionError:
                pass

    seen = list(failures(prepare, action, errors=(errno.EACCES,), kinds=WRITING))
    assert [failure.call[0] for failure in seen] == ["open to write", "write"] * 2
    assert all(failure.error is None for failure in seen)
    assert [len(list(failure.before.iterdir())) for failure in seen] == [1, 2, 1, 2]
    lasting = failures(prepare, action, errors=(errno.EACCES,), kinds=WRITING, lasting=True)
    assert not list(next(lasting).before.iterdir())
    (failure,) = failures(prepare, lambda place: (place / "x").mkdir(), errors=(errno.ENOSPC,))
    assert failure.call == ("mkdir", f"{failure.before}/x")
    assert isinstance(failure.error, OSError)
