"""Messages of Protocol Buffers, as bytes: what ONNX files are made of.

    message({1: 7, 2: "minigan", 3: [0.5, 0.25]})

A message is a row of fields, each a number, which a schema gives a meaning, and a value.

Source: Google, "Protocol Buffers: encoding", https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from typing import Any, Mapping

VARINT, LENGTH, FOUR_BYTES = 0, 2, 5  # how the value of a field is written


def message(fields: Mapping[int, Any]) -> bytes:
    """A message. fields: by number, an int, a float (of 32 bits), a text, bytes, or a list of them.

    A message inside is its bytes; a list is a repeated field.
    """
    parts = []
    for number, value in fields.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            parts.append(_field(number, one))
    return b"".join(parts)


def _field(number: int, value: int | float | str | bytes) -> bytes:
    if isinstance(value, float):
        return _varint(number << 3 | FOUR_BYTES) + struct.pack("<f", value)
    if isinstance(value, int):
        return _varint(number << 3 | VARINT) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | LENGTH) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    value &= 2 ** 64 - 1  # a negative number's complement
    content = bytearray()
    while value > 127:
        content.append(value & 127 | 128)
        value >>= 7
    content.append(value)
    return bytes(content)
