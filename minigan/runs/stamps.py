"""Sample grids that say whose they are, so that a run removes its own pictures and no other's.

A PNG gets one more chunk, which viewers pass over: the run that drew it, the step, and a check sum
of all other bytes. A picture that a person drew, copied under another name or changed has no stamp
or a wrong one. Two runs of the same settings make the same stamps, as they make the same pictures.
"""

from __future__ import annotations

import struct
import zlib
from typing import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
FIRST = len(SIGNATURE) + 25  # where the chunk after IHDR begins
KIND, WORD = b"tEXt", b"minigan\0"


def stamped(png: bytes, run: str, step: int) -> bytes:
    """A PNG file's bytes with the stamp of a run and a step."""
    body = WORD + f"run {run} step {step} sum {zlib.crc32(png):08x}".encode()
    chunk = struct.pack(">I", len(body)) + KIND + body
    chunk += struct.pack(">I", zlib.crc32(KIND + body))
    return png[:FIRST] + chunk + png[FIRST:]


def is_stamped(content: bytes, run: str, step: int) -> bool:
    """Whether these bytes are just what `stamped` made for this run and step."""
    size = struct.unpack(">I", content[FIRST:FIRST + 4])[0] if len(content) > FIRST + 4 else 0
    plain = content[:FIRST] + content[FIRST + 12 + size:]
    return size > 0 and content == stamped(plain, run, step)


def is_whole(content: bytes) -> bool:
    """Whether bytes are a PNG file with every chunk from first to last, each with its check sum."""
    kinds = list(_chunks(content))
    return content.startswith(SIGNATURE) and kinds[:1] == [b"IHDR"] and kinds[-1:] == [b"IEND"]


def _chunks(content: bytes) -> Iterator[bytes]:
    """The kinds of a PNG's chunks, up to the first that is cut or damaged."""
    at = len(SIGNATURE)
    while at + 12 <= len(content):
        size, kind = struct.unpack(">I4s", content[at:at + 8])
        end = at + 12 + size
        if end > len(content):
            return
        (due,) = struct.unpack(">I", content[end - 4:end])
        if zlib.crc32(content[at + 4:end - 4]) != due:
            return
        yield kind
        at = end
