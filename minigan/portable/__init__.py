"""A generator for other programs: as a list of operations, as ONNX, as safetensors.

Read in this order: `calls` (what such a list is), `trace` (from a model to its list), `simplify`.
"""

from minigan.portable.calls import Call, Traced, run
from minigan.portable.simplify import simplified
from minigan.portable.trace import traced

__all__ = ["Call", "Traced", "run", "simplified", "traced"]
