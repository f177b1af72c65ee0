"""Sample grids that say which run drew them, so that a run removes no pictures but its own.

A PNG gets one more chunk, which viewers ignore: the run that drew it, the step, and a checksum of
all other bytes. A picture that a person drew, copied under another name or changed has no stamp or
a wrong one. Two runs of the same settings make the same stamps, as they make the same pictures.
"""

from __future__ import annotations

import struct
import zlib
from typing import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
FIRST = len(SIGNATURE) + 25  # where the chunk after IHDR begins
AROUND = 12                  # bytes of a chunk besides its body: size, type, checksum
TEXT = b"tEXt"               # the type of chunk that holds a text
WORD = b"minigan\0"          # the beginning of our text


def stamped(png: bytes, run: str, step: int) -> bytes:
    """A PNG file's bytes with the stamp of a run and a step."""
    body = WORD + f"run {run} step {step} sum {zlib.crc32(png):08x}".encode()
    size = struct.pack(">I", len(body))
    crc = struct.pack(">I", zlib.crc32(TEXT + body))
    return png[:FIRST] + size + TEXT + body + crc + png[FIRST:]


def is_stamped(content: bytes, run: str, step: int) -> bool:
    """Whether these bytes are just what `stamped` made for this run and step."""
    if len(content) <= FIRST + 4:
        return False
    (size,) = struct.unpack(">I", content[FIRST:FIRST + 4])
    plain = content[:FIRST] + content[FIRST + AROUND + size:]
    return size > 0 and content == stamped(plain, run, step)


def is_whole(content: bytes) -> bool:
    """Whether bytes are a PNG file with every chunk from first to last, each with its checksum."""
    if not content.startswith(SIGNATURE):
        return False
    types = list(_chunk_types(content))
    return types[:1] == [b"IHDR"] and types[-1:] == [b"IEND"]


def _chunk_types(content: bytes) -> Iterator[bytes]:
    """The types of a PNG's chunks, up to the first that is cut or damaged."""
    start = len(SIGNATURE)
    while start + AROUND <= len(content):
        size, chunk_type = struct.unpack(">I4s", content[start:start + 8])
        end = start + AROUND + size
        if end > len(content):
            return
        (crc,) = struct.unpack(">I", content[end - 4:end])
        if zlib.crc32(content[start + 4:end - 4]) != crc:
            return
        yield chunk_type
        start = end
