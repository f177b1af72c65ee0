"""Messages to people: whatever the standard streams are, they never end the work."""
from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from data_tools import ROOT

from minigan import data
from minigan.models.catalog import find
from minigan.system import console
from minigan.system.progress import Progress
from minigan.training import Trainer

pytestmark = pytest.mark.usefixtures("alone")

POSIX = pytest.mark.skipif(os.name != "posix", reason="descriptors of POSIX")
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


class WriteOnly:
    """What a logger puts in the place of a stream: it cannot tell whether it is a terminal."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


class WithFlush(WriteOnly):
    def flush(self):
        pass


class Broken(WithFlush):
    """A terminal that is gone."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def isatty(self):
        return True

    def write(self, text):
        raise self.error


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Nameless(WithFlush):
    """An object whose methods raise."""

    def isatty(self):
        raise RuntimeError("no such thing")

    flush = fileno = isatty


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


def ascii_only():
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    stream.isatty = lambda: True
    return stream


STREAMS = {
    "none": lambda: None, "write only": WriteOnly, "write and flush": WithFlush,
    "closed": closed, "ascii": ascii_only, "raises": Nameless, "an object": object,
    "broken pipe": lambda: Broken(BrokenPipeError(errno.EPIPE, "Broken pipe")),
    "full disk": lambda: Broken(OSError(errno.ENOSPC, "No space left on device")),
    "own error": lambda: Broken(RuntimeError("the widget was deleted")),
}


@pytest.fixture(params=STREAMS)
def stream(request):
    return STREAMS[request.param]()


def train(out, steps=3):
    images = data.load("digits")
    few = data.Images(images.images[:40, 2:26:3, 2:26:3].copy(), name="fürst")
    return Trainer(find("gan")("seed", few.shape), few, 8, out, threads=1).fit(steps)


def test_a_training_needs_no_streams(stream, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "stdout", stream)
    assert train("out").step == 3 and Path("out/report.html").is_file()


def test_any_message_can_be_written(stream, monkeypatch):
    for name in ("stderr", "stdout"):
        monkeypatch.setattr(sys, name, stream)
    console.say("ä word")
    console.tell("ä word")
    monkeypatch.setattr(warnings, "showwarning", lambda message, *place: sys.stderr.write(
        f"{message}"))  # in place of pytest's, which collects them
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        console.warn("ä warning")
    with Progress(0, 2, "ä title") as bar:
        bar.advance()
        bar.show({"ö": 1.0})
    if isinstance(stream, WriteOnly) and not isinstance(stream, (Broken, Nameless)):
        assert stream.text.count("ä word\n") == 2 and "ä warning" in stream.text
        assert "/2" not in stream.text  # no bar for one that cannot tell


def test_a_character_that_cannot_be_printed_is_shown_in_ascii(monkeypatch):
    stream = ascii_only()
    monkeypatch.setattr(sys, "stderr", stream)
    console.tell("für 2")
    assert stream.buffer.getvalue() == b"f\\xfcr 2\n"
    with console.printable(stream):
        print("ö", file=stream, flush=True)
    assert stream.buffer.getvalue().endswith(b"\\xf6\n") and stream.errors == "strict"
    with pytest.raises(UnicodeEncodeError):
        print("ö", file=stream)


def test_plain_lines_go_to_an_object_that_cannot_tell(monkeypatch):
    stream, now = WithFlush(), [0.0]
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("minigan.system.progress.time.monotonic", lambda: now[0])
    for quiet in (False, True):
        with Progress(0, 100, quiet=quiet) as bar:
            now[0] += 31
            bar.advance()
            bar.show({"d_loss": 0.5})
    assert stream.text == "step 1 of 100, 0.0 steps/s, d_loss 0.500, 51:09 left\n"


def test_a_quiet_terminal_shows_no_bar(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Progress(0, 3, quiet=True) as bar:
        bar.advance()
        bar.show({"d_loss": 0.5})
        with pytest.warns(UserWarning, match="step 1: beware"):
            bar.warn("beware")
    assert screen.getvalue() == ""


def test_warnings_can_still_be_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="as asked"):
            console.warn("as asked")


def test_a_folder_of_pictures_is_read_without_a_stream(stream, monkeypatch):
    from minigan import plot
    pixels = data.load("digits").images
    for i in range(3):
        plot.save(pixels[i], f"pictures/{i}.png")
    monkeypatch.setattr(sys, "stderr", stream)
    assert len(data.load("pictures")) == 3


# As a program.

def shell(redirected, *arguments):
    """The exit status of the command with its streams redirected by a shell."""
    words = " ".join(["-m", "minigan", *arguments])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(["bash", "-c", f'"{sys.executable}" {words} {redirected}'],
                          env=environment, capture_output=True, text=True, timeout=120)


TRAIN = ["train", "gan", "--preset", "seed", "--batch-size", "8", "--threads", "1", "--steps", "25",
         "--out", "out"]


@POSIX
@FULL
@pytest.mark.parametrize("redirected", [
    "2>&-", ">&-", ">&- 2>&- <&-", "2>/dev/full", ">/dev/full", ">/dev/full 2>&1",
    "2>&1 | head -c 0; exit ${PIPESTATUS[0]}"])
def test_a_program_trains_whatever_its_streams_are(redirected):
    done = shell(redirected, *TRAIN)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert Path("out/report.html").is_file() and Path("out/checkpoint.npz").is_file()


@POSIX
@FULL
def test_a_result_that_cannot_be_printed_is_an_error():
    done = shell(">/dev/full", "models")
    assert done.returncode == 2
    assert done.stderr == "minigan: error: writing: no space left on device\n"
    for redirected in (">&-", "2>&-"):
        assert shell(redirected, "models").returncode == 0
    assert shell("2>&-", "train", "gan", "--nosuch").returncode == 2
    assert shell("2>&-", "sample", "nowhere").returncode == 2
