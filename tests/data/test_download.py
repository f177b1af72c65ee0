"""Downloads: the real code against a server on the loopback address that does all that servers do.

The set is tiny, with sums of its own; where the original MNIST is at hand, its files and sums too.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import itertools
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pooch
import pytest
from data_tools import ROOT, SHARED, idx_bytes, needs_mnist

from minigan.cli import main
from minigan.data import download, load, sets, transfer

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)  # not compressible
CONTENTS = dict(zip((*sets.IDX_SPLITS["train"], *sets.IDX_SPLITS["test"]), (
    idx_bytes(PIXELS), idx_bytes(np.arange(40, dtype=np.uint8) % 10), idx_bytes(PIXELS[:9]),
    idx_bytes(np.arange(9, dtype=np.uint8)))))
FILES = {f"{name}.gz": gzip.compress(contents, mtime=0) for name, contents in CONTENTS.items()}
FIRST = next(iter(FILES))
SIZE = len(FILES[FIRST])
HALF = f"{SIZE // 2:,} of {SIZE:,}"


class Handler(BaseHTTPRequestHandler):
    """What a path's first part says is how the file behind it is served."""

    def do_GET(self):
        _, how, name = self.path.split("/")
        self.server.asked.append(self.path)
        self.server.encodings.add(self.headers["Accept-Encoding"])
        contents = self.server.files.get(name)
        if how == "missing" or contents is None:
            self.send_error(404)
            return
        if how == "around":
            self.send_response(302)
            self.send_header("Location", f"/around/{name}")
            self.end_headers()
            return
        if how == "moved":
            self.send_response(302)
            self.send_header("Location", f"/good/{name}")
            self.end_headers()
            return
        if how == "no-end":
            contents = itertools.repeat(contents)
        if how == "wrong" or (how == "once-wrong" and self.server.asked.count(self.path) == 1):
            contents = contents[:-1] + bytes([contents[-1] ^ 1])
        if how == "no-answer":
            self.trickle(b"HTTP/1.0 200 OK\r\nX: " + 1000 * b"x")
            return
        self.send_response(200)
        if how == "other-length":
            contents = contents + b"more"
        if how not in ("cut", "no-end"):
            self.send_header("Content-Length", str(len(contents)))
        self.end_headers()
        if how in ("cut", "short", "stuck"):
            contents = contents[:len(contents) // 2]
        if how == "no-end":
            self.send_until_closed(contents)
        elif how == "trickle":
            self.trickle(contents)
        else:
            self.wfile.write(contents)
        if how == "stuck":
            self.server.half_sent.set()
            self.server.go_on.wait(60)

    def send_until_closed(self, blocks):
        try:
            for block in blocks:
                self.wfile.write(block)
        except OSError:
            self.server.hung_up.set()

    def trickle(self, contents):
        """A byte now and then, until nobody listens any more."""
        try:
            for byte in contents:
                self.wfile.write(bytes([byte]))
                if self.server.go_on.wait(0.02):
                    return
        except OSError:
            self.server.hung_up.set()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    """A server of FILES that counts what it is asked for; no proxy between, no waiting."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY",
                 "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pooch.core.time, "sleep", lambda seconds: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.asked, server.encodings = FILES, [], set()
        server.half_sent, server.go_on = threading.Event(), threading.Event()
        server.hung_up = threading.Event()
        server.address = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


def entry(*mirrors):
    """The catalogue's entry of the tiny set, offered by these mirrors."""
    return dataclasses.replace(
        sets.SETS["mnist"], name="tiny", title="Tiny", mirrors=mirrors,
        downloads=tuple(sets.Download(name, len(file), hashlib.sha256(file).hexdigest())
                        for name, file in FILES.items()),
        sums={name: hashlib.md5(contents).hexdigest() for name, contents in CONTENTS.items()})


@pytest.fixture
def offer(server, monkeypatch):
    """Put the tiny set into the catalogue, offered as the server's ways of serving are named."""
    def change(*ways):
        mirrors = [way if "://" in way else f"{server.address}{way}/" for way in ways]
        monkeypatch.setitem(sets.SETS, "tiny", entry(*mirrors))
    return change


@pytest.fixture
def dead():
    """An address where nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        port = server.server_port
    return f"http://127.0.0.1:{port}/"


def get(folder):
    """Download; returns what was said."""
    said: list[str] = []
    assert download.get("tiny", folder, said.append) == folder / "tiny"
    return said


def contents(folder):
    return {path.name: path.read_bytes() for path in (folder / "tiny").iterdir()}


def test_good_files(server, offer, tmp_path):
    offer("good")
    said = get(tmp_path)
    assert contents(tmp_path) == FILES  # these, and nothing beside them
    assert said[0] == f"{FIRST} (31 kB) from {server.address}good/" and len(said) == 4
    assert server.encodings == {"identity"}  # else a server may send a .gz unpacked
    train, test = load("tiny", "train", tmp_path), load("tiny", "test", tmp_path)  # no warning
    np.testing.assert_array_equal(train.images[..., 0], PIXELS)
    np.testing.assert_array_equal(test.images[..., 0], PIXELS[:9])
    if os.name == "posix":
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "tiny").iterdir()} == {0o644}


def test_what_is_there_is_not_downloaded_again(server, offer, tmp_path):
    offer("good")
    get(tmp_path)
    (tmp_path / "tiny" / FIRST).unlink()
    server.asked.clear()
    said = get(tmp_path)
    assert server.asked == [f"/good/{FIRST}"]
    assert said[1:] == [f"{name} is there" for name in list(FILES)[1:]]
    assert contents(tmp_path) == FILES


@pytest.mark.parametrize("way, says", [
    ("wrong", "gave another file (wrong SHA-256)"),
    ("cut", f"broke off after {HALF} bytes"),  # the server did not say how long it is
    ("short", "broke off (ChunkedEncodingError)"),
    ("other-length", f"offers another file, of {SIZE + 4:,} bytes in place of {SIZE:,}"),
    ("no-end", f"sends another file, of more than {SIZE:,} bytes"),
    ("missing", "answered 404 Not Found"),
])
def test_a_bad_file_is_asked_for_again_and_never_kept(server, offer, tmp_path, way, says):
    offer(way)
    with pytest.raises(OSError) as caught:
        get(tmp_path)
    assert str(caught.value) == (f"data: {FIRST} could not be downloaded: {server.address}{way}/ "
                                 f"{says}; --data digits needs no download")
    assert contents(tmp_path) == {}
    assert server.asked == [f"/{way}/{FIRST}"] * 2


def test_a_server_that_sends_without_end_is_hung_up_on(server, offer, tmp_path):
    offer("no-end", "good")
    get(tmp_path)
    assert contents(tmp_path) == FILES and server.hung_up.wait(60)


def test_a_byte_now_and_then_is_too_slow(server, offer, tmp_path, monkeypatch):
    """50 bytes a second, each in time: without a look at the rate 31 kB would take ten minutes."""
    monkeypatch.setattr(transfer, "SLOW_SECONDS", 0.5)
    offer("trickle")
    with pytest.raises(OSError) as caught:
        get(tmp_path)
    assert "trickle/ sent 0 bytes a second for 0.5 s, which is too slow, and 0 of " in str(
        caught.value)
    assert contents(tmp_path) == {} and server.asked == [f"/trickle/{FIRST}"] * 2
    offer("trickle", "good")
    get(tmp_path)
    assert contents(tmp_path) == FILES


def test_a_server_that_never_begins(server, offer, tmp_path, monkeypatch):
    """A byte of its header now and then."""
    monkeypatch.setattr(transfer, "ANSWER_SECONDS", 0.5)
    offer("no-answer")
    with pytest.raises(OSError, match="did not begin to send the file in 0.5 s"):
        get(tmp_path)
    assert contents(tmp_path) == {}


def test_redirects(server, offer, tmp_path):
    offer("around", "moved")
    get(tmp_path)
    assert contents(tmp_path) == FILES
    assert server.asked.count(f"/around/{FIRST}") == 2 * (1 + transfer.REDIRECTS)
    (tmp_path / "tiny" / FIRST).unlink()
    offer("around")
    with pytest.raises(OSError, match=r"around/ redirects without end;"):
        get(tmp_path)


def test_a_slow_connection_is_waited_for(server, offer, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "SLOW_SECONDS", 0.01)
    monkeypatch.setattr(transfer, "LEAST_RATE", 0.0)
    offer("good")
    get(tmp_path)
    assert contents(tmp_path) == FILES


def test_a_file_that_is_good_at_the_second_try(server, offer, tmp_path):
    offer("once-wrong")
    get(tmp_path)
    assert contents(tmp_path) == FILES and len(server.asked) == 8


def test_the_first_mirror_is_dead(server, offer, dead, tmp_path):
    offer(dead, "missing", "good")
    said = get(tmp_path)
    assert contents(tmp_path) == FILES
    assert said[:3] == [f"{FIRST} (31 kB) from {mirror}" for mirror in (
        dead, server.address + "missing/", server.address + "good/")]
    assert len(said) == 3 + 3  # the mirror that worked comes first from then on


def test_all_mirrors_errors_are_shown_together(server, offer, dead, tmp_path):
    offer(dead, "missing", "wrong")
    with pytest.raises(OSError) as caught:
        get(tmp_path)
    said = str(caught.value)
    assert "\n" not in said and f"{dead} could not be reached (ConnectionError); " in said
    assert "missing/ answered 404 Not Found; " in said and "wrong/ gave another file" in said


def test_a_server_that_says_nothing(server, offer, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT", (5, 0.1))
    offer("stuck", "good")
    get(tmp_path)
    assert contents(tmp_path) == FILES


def test_another_file_under_the_name_is_kept_aside(server, offer, tmp_path):
    offer("good")
    place = tmp_path / "tiny"
    place.mkdir()
    (place / FIRST).write_bytes(FILES[FIRST][:100])  # as an interrupted download by hand leaves it
    said = get(tmp_path)
    assert f"{place / FIRST} was not the original; it is kept as {FIRST}.old" in said
    assert contents(tmp_path) == {**FILES, f"{FIRST}.old": FILES[FIRST][:100]}


def test_another_file_under_the_name_stays_when_the_download_fails(server, offer, tmp_path):
    offer("wrong")
    place = tmp_path / "tiny"
    place.mkdir()
    (place / FIRST).write_bytes(b"mine")
    with pytest.raises(OSError):
        get(tmp_path)
    assert contents(tmp_path) == {FIRST: b"mine"}


CODE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from test_download import download, entry, sets
sets.SETS["tiny"] = entry(sys.argv[1])
download.get("tiny", sys.argv[2])
"""


@pytest.mark.parametrize("how", ["killed", "ctrl-c"])
def test_interrupted_and_started_again(server, offer, tmp_path, how):
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, f"{server.address}stuck/", str(tmp_path)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT / "tests" / "data",
        env={**os.environ, "PYTHONPATH": path})
    try:
        assert server.half_sent.wait(60)
        if how == "killed":
            process.kill()
        else:
            process.send_signal(2)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0
    left = list((tmp_path / "tiny").iterdir())
    if how == "killed":
        assert [path.name.startswith(download.UNFINISHED) for path in left] == [True]
    else:
        assert left == [] and b"KeyboardInterrupt" in errors
    offer("good")
    with pytest.raises(FileNotFoundError, match="minigan data get tiny"):
        load("tiny", folder=tmp_path)

    get(tmp_path)  # while it may be under way in another process, its part is left alone
    assert {name: file for name, file in contents_of_files(tmp_path).items()} == FILES
    for path in left:
        long_ago = time.time() - 2 * download.STALE_SECONDS
        for part in (*path.iterdir(), path):
            os.utime(part, (long_ago, long_ago))
    get(tmp_path)
    assert contents(tmp_path) == FILES


def contents_of_files(folder):
    return {path.name: path.read_bytes() for path in (folder / "tiny").iterdir() if path.is_file()}


def test_a_full_disk_is_not_the_mirrors_fault(server, offer, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device", "here")

    offer("good", "good")
    monkeypatch.setattr(download.os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        get(tmp_path)
    assert contents(tmp_path) == {} and len(server.asked) == 1


# The command.

def test_the_command(server, offer, nowhere, monkeypatch, capsys):
    offer("good")
    monkeypatch.setenv("MINIGAN_DATA", str(nowhere / "chosen"))
    assert main(["data"]) == 0
    assert "not here: minigan data get tiny\n" in capsys.readouterr().out
    assert main(["data", "get", "tiny"]) == 0
    said = capsys.readouterr()
    assert said.out.endswith(f"tiny is in {nowhere / 'chosen' / 'tiny'}\n") and said.err == ""
    assert len(load("tiny")) == 40
    assert main(["data", "get", "tiny", "--quiet"]) == 0
    assert capsys.readouterr() == (f"{nowhere / 'chosen' / 'tiny'}\n", "")
    assert main(["data", "list"]) == 0
    assert f"0 MB, in {nowhere / 'chosen' / 'tiny'}\n" in capsys.readouterr().out
    assert main(["data", "get", "tiny", "--data-dir", str(nowhere / "other")]) == 0
    assert len(load("tiny", folder=nowhere / "other")) == 40


def test_the_command_refuses_in_one_sentence(server, offer, dead, nowhere, capsys):
    offer(dead, "missing")
    for name, says in (("tiny", "404 Not Found; --data digits needs no download"),
                       ("mnits", "'mnits' cannot be downloaded, these can: mnist, fashion-mnist"),
                       ("digits", "the digits are inside the package")):
        assert main(["data", "get", name, "--data-dir", str(nowhere / "x")]) == 2
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1 and says in said


def test_listing_downloads_nothing(server, offer, nowhere, capsys):
    offer("good")
    assert main(["data", "list"]) == 0
    listed = capsys.readouterr().out
    for name in ("digits", "mnist", "fashion-mnist", "cifar-10"):
        assert f"\n{name} " in f"\n{listed}"
    assert "170 MB, not here: minigan data get cifar-10" in listed
    assert server.asked == []


def test_training_downloads_nothing(server, offer, nowhere, capsys):
    offer("good")
    assert main(["train", "gan", "--data", "tiny", "--steps", "1"]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1 and server.asked == []
    for words in ("minigan data get tiny", "--data digits", str(nowhere / "cache" / "tiny")):
        assert words in said


# The real registry.

def test_the_catalogue_is_whole():
    for name, source in sets.SETS.items():
        assert source.name == name and len(source.classes) == 10
        assert all(mirror.endswith("/") for mirror in source.mirrors)
        assert {len(file.sha256) for file in source.downloads} == {64}
        assert set(source.sums) == {file for files in source.splits.values() for file in files}
        assert {len(total) for total in source.sums.values()} == {
            {"md5": 32, "sha1": 40}[source.sum_kind]}
    assert sets.SETS["fashion-mnist"].fixed == (Path("/usr/share/datasets/fashion-mnist"),)
    every = [total for source in sets.SETS.values() for total in
             (*source.sums.values(), *(file.sha256 for file in source.downloads))]
    assert len(set(every)) == len(every) == 4 + 4 + 6 + 4 + 4 + 1


@needs_mnist
def test_the_real_mnist_through_the_real_registry(server, tmp_path, monkeypatch):
    server.files = {path.name: path.read_bytes() for path in (SHARED / "mnist").iterdir()}
    ours = dataclasses.replace(sets.SETS["mnist"], mirrors=(f"{server.address}good/",))
    monkeypatch.setitem(sets.SETS, "mnist", ours)
    place = download.get("mnist", tmp_path, lambda sentence: None)
    assert {path.name: path.stat().st_size for path in place.iterdir()} == {
        file.name: file.size for file in ours.downloads}
    assert len(load("mnist", "train", tmp_path)) == 60_000  # and no warning: it is the original
    assert Path(place) == tmp_path / "mnist"
