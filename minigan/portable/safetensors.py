"""Weights in a safetensors file, which PyTorch and others read without running any code of it.

    weights = safetensors.torch.load_file("generator.safetensors")    # or safetensors.numpy

Names and layouts are minigan's: a convolution's kernel is (KH, KW, C_in, C_out), so
`w.permute(3, 2, 0, 1)` is PyTorch's, and for a transposed convolution as well.

Source: Hugging Face, "Safetensors", https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
from typing import Mapping

import numpy as np

from minigan.portable.packages import safetensors_package


def safetensors_file(arrays: Mapping[str, np.ndarray], facts: Mapping[str, str]) -> bytes:
    """The content of a safetensors file.

    arrays: by name. facts: what the file says about itself, by name, as texts. They are one entry
    of its metadata, "minigan", in JSON: the package writes several in a different order in every
    process, and the same generator should give the same bytes.

    Raises:
        RuntimeError: the package safetensors cannot be imported.
    """
    package = safetensors_package()
    in_order = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return package.save(in_order, metadata={"minigan": json.dumps(facts)})
