"""A generator as a list of calls: it computes what the generator computes, for any batch."""
from __future__ import annotations

import numpy as np
import pytest
import stand_in  # noqa: F401: registers the device
from model_tools import PRESETS, small
from portable_tools import WIDE, lively, own, starts, stirred

import minigan as mg
from minigan import ops
from minigan.nn import BatchNorm, Dense, Embedding
from minigan.portable import Call, Traced, run, simplified, traced

EACH = pytest.mark.parametrize("name, preset", [
    pytest.param(*row, id=":".join(row), marks=[pytest.mark.slow] if row in WIDE else [])
    for row in PRESETS])


@pytest.mark.rounding
@EACH
def test_the_calls_compute_what_the_generator_computes(name, preset):
    model, calls = lively(name, preset)
    start, labels = starts(model, 5)
    wanted = model.sample(start, labels).numpy()
    np.testing.assert_allclose(run(calls, start.numpy(), labels), wanted, atol=1e-6)
    fewer = simplified(calls)
    np.testing.assert_allclose(run(fewer, start.numpy(), labels), wanted, atol=2e-5)
    assert len(fewer.calls) <= len(calls.calls)
    assert calls.shape_of(calls.output) == ("N", *model.shape) == fewer.shape_of(fewer.output)
    one = start.numpy()[:1]
    np.testing.assert_allclose(run(fewer, one, None if labels is None else labels[:1]), wanted[:1],
                               atol=2e-5)


def test_what_a_list_says():
    calls = simplified(lively("cgan", "conv")[1])
    assert calls.inputs == {"z": ("N", 64), "labels": ("N",)}
    assert calls.calls[0].op == "gather" and calls.calls[0].inputs[1] == "labels"
    assert {"stages.0.0.weight", "stages.0.10.bias"} <= set(calls.constants)
    assert "subtract" not in {call.op for call in calls.calls}  # batch norm: a product and a sum
    assert "layer stages.0.0 (Dense)" in {call.layer for call in calls.calls}
    lines = str(calls).splitlines()
    assert lines[0] == "z  ('N', 64)" and len(lines) == 2 + len(calls.calls)
    assert lively("pix2pix", "edges")[1].inputs == {"images": ("N", 8, 8, 1)}


def test_the_moving_average_is_traced():
    model, calls = lively("dcgan", "small")
    weights = calls.constants
    averaged = model.ema.network.state_dict()
    assert all(np.array_equal(weights[name], averaged[name]) for name in averaged)


def test_a_table_of_vectors_by_label():
    def forward(self, z, labels):
        return ops.reshape(z * self.parts[0](labels), (len(z), 1, 1, 100))

    model = own(forward, Embedding(10, 100), conditional=True)
    z, labels = starts(model, 4)
    calls = traced(model)
    assert [call.op for call in calls.calls] == ["gather", "multiply", "reshape"]
    np.testing.assert_array_equal(run(calls, z.numpy(), labels), model.sample(z, labels).numpy())


def test_simplifying_leaves_out_what_changes_nothing():
    calls = [Call("reshape", ("z",), {"shape": ("N", 2, 1)}, "a", ("N", 2, 1)),
             Call("reshape", ("a",), {"shape": ("N", 2)}, "b", ("N", 2)),
             Call("transpose", ("b",), {"axes": (0, 1)}, "c", ("N", 2)),
             Call("tanh", ("c",), {}, "unused", ("N", 2)),
             Call("multiply", ("two", "two"), {}, "four", (1,)),
             Call("multiply", ("c", "four"), {}, "d", ("N", 2)),
             Call("reshape", ("d",), {"shape": ("N", 2)}, "e", ("N", 2))]
    two = {"two": np.array([2], "float32"), "three": np.array([3], "float32")}
    fewer = simplified(Traced({"z": ("N", 2)}, two, calls, "e"))
    assert [str(call) for call in fewer.calls] == ["d = multiply(z, four)"]
    assert fewer.output == "d" and list(fewer.constants) == ["four"]
    assert run(fewer, np.ones((3, 2), "float32")).tolist() == [[4, 4]] * 3


def test_a_difference_that_is_used_twice_stays():
    norm = BatchNorm(100).eval()

    def forward(self, z):
        y = norm(z)
        return ops.reshape(y + y * y, (len(z), 1, 1, 100))

    model = own(forward, norm)
    z, _ = starts(model, 3)
    calls = simplified(traced(model))
    np.testing.assert_allclose(run(calls, z.numpy()), model.sample(z).numpy(), atol=1e-6)


@pytest.mark.parametrize("forward, words", [
    (lambda self, z: mg.Tensor(np.tanh(z.data)), "computes its images outside of ops"),
    (lambda self, z: z * mg.Tensor(np.tanh(z.data)), "changes from call to call"),
    (lambda self, z: z * mg.Tensor(z.data.mean(keepdims=True)), "changes from call to call"),
    (lambda self, z: z * len(z), "multiply in the generator .Odd. depends on the number of"),
    (lambda self, z: ops.reshape(z, (len(z) * 100,)), "reshape in the generator .Odd. depends"),
    (lambda self, z: z if len(z) == 2 else z * 2, "0 calls for 2 images and 1 for 3"),
    (lambda self, z: z[np.array([True] * len(z))], "picks elements by arrays"),
    (lambda self, z: z[:, np.array([1, 0])], "picks elements by arrays"),
])
def test_what_cannot_be_traced_is_refused(forward, words):
    with pytest.raises(ValueError, match=f"^trace: .*{words}"):
        traced(own(forward))


def test_rows_by_a_fixed_index():
    layer = Dense(3, 100)
    first = np.array([2, 0])
    calls = traced(own(lambda self, z: ops.matmul(z, layer.weight[first], False, True), layer))
    assert calls.calls[0].op == "gather" and simplified(calls).calls[0].op == "matmul"


def test_an_index_that_counts_images_is_not_taken_for_the_labels():
    model = own(lambda self, z, labels: z[np.arange(len(z))], conditional=True)
    with pytest.raises(ValueError, match="trace: constant1 changes from call to call"):
        traced(model)


def test_indices_have_an_entry_for_each_axis():
    def forward(self, z):
        y = z[..., None, :5][:len(z), 0, 1:-1]
        return ops.pad(y, ((0, 0), (1, 2)))

    calls = traced(own(forward)).calls
    indices = [call.settings["index"] for call in calls]
    assert indices == [(slice(None), None, slice(None, 5)), (slice(None), 0, slice(1, -1)),
                       (slice(None), slice(1, 4))]
    assert calls[-1].shape == calls[-1].settings["shape"] == ("N", 6)


def test_bad_inputs_of_run():
    calls = lively("cgan", "mlp")[1]
    z = np.zeros((2, 100), "float32")
    for labels in (None, [1, 2, 3], [0.5, 1.0]):
        with pytest.raises(ValueError, match="run: labels must be 2 integers"):
            run(calls, z, labels)
    with pytest.raises(ValueError, match=r"run: z must be \(N, 100\), got \(2, 9\)"):
        run(calls, z[:, :9], [0, 1])
    with pytest.raises(ValueError, match="this generator takes none"):
        run(lively("gan", "seed")[1], z, [0, 1])


def test_on_a_device():
    with mg.use("stand-in"):
        model = stirred(small("cgan", "conv"))
        calls = simplified(traced(model))
        z, labels = starts(model, 2)
        images = run(calls, z.numpy(), labels)
    assert all(type(array) is np.ndarray for array in calls.constants.values())
    np.testing.assert_allclose(images, run(calls, z.numpy(), labels), atol=1e-6)
