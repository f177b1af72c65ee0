"""A generator as an ONNX file, which onnxruntime and many other programs read.

    session = onnxruntime.InferenceSession("generator.onnx")
    z = np.random.default_rng(0).standard_normal((16, 64), "float32")
    images, = session.run(None, {"z": z, "labels": np.arange(16) % 10})

What goes in and what comes out is as in minigan: images are (N, H, W, C), and N may be any number.
The file's opset is of 2020, older than nearly every runtime in use. It is checked before it is
written.

Source: Open Neural Network Exchange, https://onnx.ai/onnx/api/helper.html.
"""

from __future__ import annotations

from typing import Any, Mapping

from minigan.portable.calls import Sizes, Traced
from minigan.portable.onnx_rules import add_call
from minigan.portable.onnx_writer import Writer
from minigan.portable.packages import onnx_package
from minigan.portable.simplify import simplified
from minigan.version import __version__

OPSET = 13
IR_VERSION = 7  # of the file's format, the one that belongs to the opset


def onnx_file(traced: Traced, facts: Mapping[str, str], about: str) -> bytes:
    """The content of an ONNX file.

    traced: a generator as calls. facts: what the file says about itself, by name, as texts. about:
    the same for people, the docstring of the model.

    Raises:
        RuntimeError: the package onnx cannot be imported.
        ValueError: an op has no counterpart in ONNX; names it and its layer.
    """
    onnx = onnx_package()
    given = ", ".join([f'"{name}": {name}' for name in traced.inputs])
    about = f"{about}\nWith onnxruntime: images, = session.run(None, {{{given}}})"
    model = onnx.helper.make_model(
        _graph(onnx, simplified(traced)), ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        producer_name="minigan", producer_version=__version__, doc_string=about)
    onnx.helper.set_model_props(model, dict(facts))
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def _graph(onnx: Any, traced: Traced) -> Any:
    writer = Writer(traced)
    for call in traced.calls:
        add_call(writer, call)
    result = "translated" if "images" in traced.inputs else "images"
    writer.named(result, "Identity", writer.result(traced.output))

    inputs = [_declared(onnx, name, shape) for name, shape in traced.inputs.items()]
    output = _declared(onnx, result, traced.shape_of(traced.output))
    constants = [onnx.numpy_helper.from_array(array, name)
                 for name, array in writer.used().items()]
    return onnx.helper.make_graph(writer.nodes, "generator", inputs, [output], constants)


def _declared(onnx: Any, name: str, shape: Sizes) -> Any:
    """An input or the output; a size that is a text may be any number."""
    kind = onnx.TensorProto.INT64 if name == "labels" else onnx.TensorProto.FLOAT
    return onnx.helper.make_tensor_value_info(name, kind, shape)
