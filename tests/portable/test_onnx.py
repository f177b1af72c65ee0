"""A generator under onnxruntime draws what minigan draws."""
from __future__ import annotations

import numpy as np
import pytest
from model_tools import PRESETS
from portable_tools import NARROW, WIDE, lively, own, starts

import minigan as mg
from minigan import ops
from minigan.models.pix2pix import edges
from minigan.nn import (AvgPool2d, BatchNorm, Conv2d, ConvTranspose2d, Dense, Embedding,
                        InstanceNorm, LayerNorm, Maxout, Module, Reshape, Sequential, Upsample)
from minigan.portable import onnx_file, traced

onnx = pytest.importorskip("onnx")  # which writes the files, and checks them
TOLERANCE = 1e-5  # of pictures in [-1, 1]; sums are taken in another order


def session(content):
    """onnxruntime with the file's content, on one thread.

    Where it is not installed, the test skips here: that the file can be written is seen.
    """
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def check(model, calls):
    """Images of batches of another size than was traced, side by side."""
    there = session(onnx_file(calls, {}, ""))
    for n in (1, 5):
        start, labels = starts(model, n)
        given = {"images" if model.starts_from_images() else "z": start.numpy()}
        if labels is not None:
            given["labels"] = labels
        images, = there.run(None, given)
        wanted = model.sample(start, labels).numpy()
        assert images.dtype == np.float32 and wanted.std() > 1e-3
        np.testing.assert_allclose(images, wanted, rtol=1e-5, atol=TOLERANCE)


@pytest.mark.parametrize("name, preset", NARROW, ids=[":".join(row) for row in NARROW])
def test_every_model_draws_the_same(name, preset):
    check(*lively(name, preset))


@pytest.mark.slow
@pytest.mark.parametrize("name, preset", PRESETS, ids=[":".join(row) for row in PRESETS])
def test_every_preset_at_its_own_size_draws_the_same(name, preset):
    check(*lively(name, preset, natural=True))


@pytest.mark.rounding
def test_odd_sizes_draw_the_same():
    check(*lively("dcgan", "small", natural=True))  # 28, 14, 7 and 4 pixels


@pytest.mark.slow
@pytest.mark.parametrize("name, preset", WIDE)
def test_wide_models_draw_the_same(name, preset):
    check(*lively(name, preset))


def image(z):
    return ops.reshape(z, (len(z), 5, 5, 4))


CASES = {
    "elements": lambda s, z: ops.exp(ops.log(ops.abs(z) + 1)) - ops.sqrt(ops.square(z) + 1),
    "softplus": lambda s, z: ops.softplus(z) / (ops.sigmoid(-z) + 2 ** ops.tanh(z)),
    "log1p": lambda s, z: ops.log1p(ops.abs(z)) * ops.log_sigmoid(z),
    "choices": lambda s, z: ops.maximum(z, 0.1) + ops.minimum(z, -z) + ops.clip(z, -0.5, 0.5),
    "where": lambda s, z: ops.where((z * 2).astype("int64"), z, 1.5) + (z ** 3),
    "leaky": lambda s, z: ops.leaky_relu(z, 0.2) + ops.bias_leaky_relu(z, z[0] * 0 + 1, 0.1),
    "sums": lambda s, z: ops.sum(z, -1, keepdims=True) * z + ops.mean(image(z), (1, 2, 3))[:, None],
    "largest": lambda s, z: ops.max(z, 1, keepdims=True) - ops.min(image(z), (1, 2)),
    "softmax": lambda s, z: ops.softmax(z * 3) * 10 + ops.logsumexp(z, 1, keepdims=True),
    "norm": lambda s, z: z / ops.norm(z, 1, keepdims=True),
    "matmul": lambda s, z: ops.matmul(image(z), image(z), True) @ image(z).T[0, :4, :, 0],
    "joined": lambda s, z: ops.stack([z, ops.concatenate([z[:, 40:], z[:, :40]], 1)], 1),
    "cut": lambda s, z: z[:, 3:90:2] * z[:, None, -44:][:, -1] + z[:, 80:36:-1] + z[:, -1:],
    "reversed": lambda s, z: ops.transpose(image(z)[:, ::-1, 2], (0, 2, 1)),
    "padded": lambda s, z: ops.pad(image(z), ((0, 0), (1, 2), (0, 3), (0, 0))),
    "repeated": lambda s, z: ops.broadcast_to(ops.reshape(z, (len(z), 1, 100)), (len(z), 3, 100)),
    "learned": lambda s, z: ops.broadcast_to(s.parts[0].weight, (len(z), 100, 100)) * z[:, None],
    "layer norm": lambda s, z: s.parts[0](z),
    "instance norm": lambda s, z: s.parts[0](image(z)),
    "maxout": lambda s, z: s.parts[0](z),
    "dense": lambda s, z: s.parts[0](image(z)),
    "upsample": lambda s, z: s.parts[0](image(z)),
    "pool": lambda s, z: s.parts[0](image(z)),
    "convolved": lambda s, z: s.parts[0](image(z)),
    "transposed": lambda s, z: s.parts[0](image(z)),
    "by hand": lambda s, z: ops.conv2d(image(z), s.parts[0].weight * 2, 1, "same"),
}
LAYERS = {
    "learned": [Dense(100, 100)], "layer norm": [LayerNorm(100)],
    "instance norm": [InstanceNorm(4)], "maxout": [Maxout(100, 7, 3)], "dense": [Dense(4, 6)],
    "upsample": [Upsample(3)], "pool": [AvgPool2d(2)], "by hand": [Conv2d(4, 3, (2, 3))],
    "convolved": [Sequential(
        Conv2d(4, 6, (3, 2), (2, 1), ((1, 0), (0, 2))), BatchNorm(6).eval(),
        Conv2d(6, 3, 2, padding="same", dilation=2))],
    "transposed": [Sequential(
        ConvTranspose2d(4, 6, (3, 2), (2, 1), ((1, 0), (0, 1)), (1, 0)),
        ConvTranspose2d(6, 3, 2, 3, 1, 1, 2), ConvTranspose2d(3, 2, 1, 3, "same"))],
}


@pytest.mark.parametrize("name", CASES)
def test_what_generators_of_your_own_may_compute(name):
    model = own(CASES[name], *LAYERS.get(name, ()))
    check(model, traced(model))


def test_labels_through_a_table():
    def forward(self, z, labels):
        return z * self.parts[0](labels)

    model = own(forward, Embedding(10, 100), conditional=True)
    check(model, traced(model))


def test_what_has_no_counterpart_is_refused():
    pooled = own(lambda self, z: ops.avg_pool2d(self.parts[0](z), 3, 2),
                 Sequential(Reshape(5, 5, 4), AvgPool2d(1)))
    with pytest.raises(ValueError, match="^export: windows in the generator .Odd. has no counter"):
        onnx_file(traced(pooled), {}, "")
    spread = own(lambda self, z: ops.scatter_add(z, (slice(None), slice(0, 200, 2)), (len(z), 200)))
    with pytest.raises(ValueError, match="^export: scatter_add in .* has no counterpart in ONNX"):
        onnx_file(traced(spread), {}, "")


def test_an_op_of_your_own_is_refused_with_its_layer():
    class Outline(Module):
        def forward(self, x):
            return edges(x)

    model = own(lambda self, z: self.parts[0](image(z)), Sequential(Outline()))
    with pytest.raises(ValueError, match="^export: edges in layer parts.0.0 .Outline. has no coun"):
        onnx_file(traced(model), {}, "")


def test_the_pretrained_digits_and_what_their_file_says(tmp_path):
    loaded = mg.load()
    path = loaded.export(tmp_path / "digits.onnx")
    there = session(path.read_bytes())
    facts = there.get_modelmeta()
    assert facts.producer_name == "minigan" and facts.custom_metadata_map["model"] == "cgan"
    assert facts.custom_metadata_map["shape"] == "[28, 28, 1]"
    assert "z: float32 (N, 64), standard normal." in facts.description
    assert "labels: int64 (N,), from 0 to 9." in facts.description
    assert 'session.run(None, {"z": z, "labels": labels})' in facts.description
    assert [(put.name, put.shape, put.type) for put in there.get_inputs()] == [
        ("z", ["N", 64], "tensor(float)"), ("labels", ["N"], "tensor(int64)")]
    assert [(put.name, put.shape) for put in there.get_outputs()] == [("images", ["N", 28, 28, 1])]

    z, _ = starts(loaded.model, 8)
    images, = there.run(None, {"z": z.numpy(), "labels": np.arange(8)})
    wanted = loaded.model.sample(z, np.arange(8)).numpy()
    np.testing.assert_allclose(images, wanted, atol=TOLERANCE)
    with pytest.raises(FileExistsError, match="digits.onnx exists"):
        loaded.export(path)


def test_the_format_is_old_enough_for_nearly_every_runtime():
    calls = lively("cgan", "conv")[1]
    model = onnx.load_from_string(onnx_file(calls, {"step": "7"}, "A title."))
    assert model.ir_version == 7 and [opset.version for opset in model.opset_import] == [13]
    assert model.doc_string.startswith("A title.\n")
    assert [(fact.key, fact.value) for fact in model.metadata_props] == [("step", "7")]
    assert {node.name for node in model.graph.node} >= {"images"}
