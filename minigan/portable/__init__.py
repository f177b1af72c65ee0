"""A generator for other programs: as a list of operations, as ONNX, as safetensors.

Read in this order: `calls` (what such a list is), `trace` (from a model to its list), `simplify`,
`onnx_writer`, `onnx_rules` and `onnx`, `safetensors`, `about` (what the files say about
themselves). The packages onnx and safetensors write the files, and `packages` imports them.
"""

from minigan.portable.about import about
from minigan.portable.calls import Call, Traced, run
from minigan.portable.onnx import onnx_file
from minigan.portable.packages import check_package
from minigan.portable.safetensors import safetensors_file
from minigan.portable.simplify import simplified
from minigan.portable.trace import traced

__all__ = ["Call", "Traced", "about", "check_package", "onnx_file", "run", "safetensors_file",
           "simplified", "traced"]
