"""Weights in a safetensors file, which PyTorch and others read without running any code of it.

    weights = safetensors.torch.load_file("generator.safetensors")    # or safetensors.numpy

Such a file is the length of a header, the header in JSON, and the arrays one after another. Names
and layouts are minigan's: a convolution's kernel is (KH, KW, C_in, C_out), so
`w.permute(3, 2, 0, 1)` is PyTorch's, and for a transposed convolution as well.

Source: Hugging Face, "Safetensors", https://huggingface.co/docs/safetensors, section "Format".
"""

from __future__ import annotations

import json
from typing import Any, Mapping

import numpy as np

ALIGNMENT = 8  # bytes: the arrays begin at a multiple
DTYPES = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32",
          "uint8": "U8", "bool": "BOOL"}


def safetensors_file(arrays: Mapping[str, np.ndarray], facts: Mapping[str, str]) -> bytes:
    """The content of a safetensors file.

    arrays: by name, of a dtype in DTYPES. facts: what the file says about itself, by name, as
    texts.
    """
    widest = sorted(arrays, key=lambda name: -arrays[name].itemsize)  # so that each is aligned
    header: dict[str, Any] = {"__metadata__": dict(facts)}
    start = 0
    for name in widest:
        array = arrays[name]
        header[name] = {"dtype": DTYPES[str(array.dtype)], "shape": list(array.shape),
                        "data_offsets": [start, start + array.nbytes]}
        start += array.nbytes

    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    length = len(text).to_bytes(8, "little")
    return b"".join([length, text, *[_bytes(arrays[name]) for name in widest]])


def _bytes(array: np.ndarray) -> bytes:
    """The elements in C order, the lowest byte first."""
    return array.astype(array.dtype.newbyteorder("<")).tobytes()
