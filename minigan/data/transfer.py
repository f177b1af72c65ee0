"""Download one file from one address, with limits on its size and on slowness.

A server that sends a byte now and then can keep a reader waiting for ever, and a time limit on a
single read does not help. So one thread reads, and the calling thread looks at the clock.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from minigan.data.sets import Download
from minigan.system.console import is_quiet, standard_error

TIMEOUT = (10.0, 60.0)  # seconds: for a connection, and without a byte
ANSWER_SECONDS = 60.0   # until the file begins, however many redirects lead there
REDIRECTS = 5
SLOW_SECONDS = 30.0     # over which a server's rate is measured
LEAST_RATE = 1000.0     # bytes a second; a slower server is given up
BLOCK = 2048            # bytes that are read at once: at the least rate two seconds
LOOK_SECONDS = 0.1      # between two looks at the clock


class Unfit(ValueError):
    """What a server sends is not the file; the text says why in a few words."""


class Transfer:
    """A download that has not begun; `run` carries it out.

    file: what is expected. url: its address. target: the path of the file to write.
    """

    def __init__(self, file: Download, url: str, target: str) -> None:
        self.file = file
        self.url = url
        self.target = target
        self.received = 0
        self.response: Any = None
        self.error: Exception | None = None
        self._over = False

    def run(self) -> None:
        """Write the file.

        Raises:
            Unfit: it is longer or shorter than it should be, it comes too slowly, or it breaks off.
            requests.RequestException: the server cannot be reached, or has no such file.
        """
        reader = threading.Thread(target=self._read, name="minigan-download", daemon=True)
        reader.start()
        try:
            self._watch(reader)
        finally:
            self._end(reader)
        if self.error is not None:
            raise self.error

    # In the calling thread.

    def _watch(self, reader: threading.Thread) -> None:
        """Wait for the reader, show how far it is, and raise an Unfit if it takes too long."""
        from tqdm import tqdm

        stream = standard_error()
        hidden = is_quiet() or not stream.isatty()
        began = since = time.monotonic()
        before = 0  # bytes that had come at `since`
        with tqdm(total=self.file.size, unit="B", unit_scale=True, ascii=True, file=stream,
                  disable=hidden) as bar:
            while reader.is_alive():
                reader.join(LOOK_SECONDS)
                now = time.monotonic()
                received = self.received
                bar.update(received - bar.n)
                if not reader.is_alive():
                    return
                if self.response is None:
                    if now - began > ANSWER_SECONDS:
                        raise Unfit(f"did not begin to send the file in {ANSWER_SECONDS:g} s")
                    since = now
                elif now - since > SLOW_SECONDS:
                    self._check_rate((received - before) / (now - since))
                    since = now
                    before = received

    def _check_rate(self, rate: float) -> None:
        if rate < LEAST_RATE:
            raise Unfit(f"sent {rate:,.0f} bytes a second for {SLOW_SECONDS:g} s, which is too "
                        f"slow, and {self.received:,} of {self.file.size:,} bytes in all")

    def _end(self, reader: threading.Thread) -> None:
        """Stop the reader if it is still reading."""
        self._over = True
        if reader.is_alive() and self.response is not None:
            shutdown = getattr(self.response.raw, "shutdown", None)  # urllib3 has it from 2.3 on
            try:
                if shutdown is not None:
                    shutdown()
            except Exception:  # it has just ended by itself
                pass
            reader.join(1.0)

    # In the reader's.

    def _read(self) -> None:
        try:
            self._write_all()
        except Exception as error:  # the calling thread raises it
            self.error = error

    def _write_all(self) -> None:
        import requests

        with requests.Session() as session:
            session.max_redirects = REDIRECTS
            response = session.get(self.url, stream=True, timeout=TIMEOUT,
                                   headers={"Accept-Encoding": "identity"})  # a .gz as it is
            with response:
                response.raise_for_status()
                self._check_length(response.headers.get("Content-Length"))
                self.response = response
                try:
                    self._write_blocks(response)
                except requests.RequestException as error:
                    raise Unfit(f"broke off ({type(error).__name__})") from None

    def _check_length(self, length: str | None) -> None:
        if length is not None and length.isdecimal() and int(length) != self.file.size:
            raise Unfit(f"offers another file, of {int(length):,} bytes in place of "
                        f"{self.file.size:,}")

    def _write_blocks(self, response: Any) -> None:
        size = self.file.size
        with open(self.target, "wb") as target:
            for block in response.iter_content(BLOCK):
                if self._over:
                    return
                if self.received + len(block) > size:
                    raise Unfit(f"sends another file, of more than {size:,} bytes")
                target.write(block)
                self.received += len(block)
        if self.received < size:
            raise Unfit(f"broke off after {self.received:,} of {size:,} bytes")
