"""dcgan:keras28 is the network that Keras builds, layer by layer: output shapes, weights, counts.

The tables are the summaries of TensorFlow's DCGAN tutorial with LeakyReLU(0.01), worked out by hand
from Keras's rules: "same" makes ceil(size / stride) of a convolution and size * stride of a
transposed one; kernels are (KH, KW, in, out), of transposed convolutions (KH, KW, out, in); batch
norm has four numbers a channel, gamma and beta, which are trained, and the moving mean and
variance, which are not. Keras's "Total params" counts all four, `count_parameters` the trained two.
"""
from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from model_tools import build

import minigan as mg

pytestmark = pytest.mark.rounding


class Row(NamedTuple):
    """A layer: Keras's class, its output without the batch, its weights, "Param #"."""

    keras: str
    output: tuple[int, ...]
    weights: list[tuple[int, ...]]
    count: int


GENERATOR = [  # of (100,)
    Row("Dense", (12544,), [(100, 12544)], 100 * 7 * 7 * 256),              # 1,254,400, no bias
    Row("BatchNormalization", (12544,), [(12544,)] * 4, 4 * 12544),         # 50,176
    Row("LeakyReLU", (12544,), [], 0),
    Row("Reshape", (7, 7, 256), [], 0),
    Row("Conv2DTranspose", (7, 7, 128), [(5, 5, 128, 256)], 25 * 256 * 128),  # stride 1: 819,200
    Row("BatchNormalization", (7, 7, 128), [(128,)] * 4, 4 * 128),
    Row("LeakyReLU", (7, 7, 128), [], 0),
    Row("Conv2DTranspose", (14, 14, 64), [(5, 5, 64, 128)], 25 * 128 * 64),   # stride 2: 204,800
    Row("BatchNormalization", (14, 14, 64), [(64,)] * 4, 4 * 64),
    Row("LeakyReLU", (14, 14, 64), [], 0),
    Row("Conv2DTranspose", (28, 28, 1), [(5, 5, 1, 64)], 25 * 64 * 1),        # stride 2: 1,600
    Row("Activation", (28, 28, 1), [], 0),                                    # tanh
]
DISCRIMINATOR = [  # of (28, 28, 1)
    Row("Conv2D", (14, 14, 64), [(5, 5, 1, 64), (64,)], 25 * 1 * 64 + 64),        # 1,664
    Row("LeakyReLU", (14, 14, 64), [], 0),
    Row("Dropout", (14, 14, 64), [], 0),
    Row("Conv2D", (7, 7, 128), [(5, 5, 64, 128), (128,)], 25 * 64 * 128 + 128),   # 204,928
    Row("LeakyReLU", (7, 7, 128), [], 0),
    Row("Dropout", (7, 7, 128), [], 0),
    Row("Flatten", (6272,), [], 0),                                               # 7 * 7 * 128
    Row("Dense", (1,), [(6272, 1), (1,)], 6272 + 1),
]
OURS = {"Dense": "Dense", "BatchNormalization": "BatchNorm", "LeakyReLU": "LeakyReLU",
        "Reshape": "Reshape", "Conv2DTranspose": "ConvTranspose2d", "Activation": "Tanh",
        "Conv2D": "Conv2d", "Dropout": "Dropout", "Flatten": "Flatten"}


@pytest.mark.parametrize("part, size, table, total, trained", [
    ("generator", (100,), GENERATOR, 2_330_944, 2_305_472),  # 25,472 moving statistics apart
    ("discriminator", (28, 28, 1), DISCRIMINATOR, 212_865, 212_865),
])
def test_layer_by_layer(part, size, table, total, trained):
    network = getattr(build("dcgan", "keras28"), part)
    x = mg.tensor(np.zeros((2, *size), "float32"))
    for layer, row in zip(network.layers, table, strict=True):
        x = layer(x)
        weights = [value.shape for _, value in layer.named_tensors()]
        assert type(layer).__name__ == OURS[row.keras]
        assert x.shape == (2, *row.output), row
        assert weights == row.weights and sum(map(math.prod, weights)) == row.count, row
    moving = sum(row.count // 2 for row in table if row.keras == "BatchNormalization")
    assert sum(row.count for row in table) == total == trained + moving
    assert mg.nn.count_parameters(network) == trained


def test_what_the_layers_do():
    model = build("dcgan", "keras28")
    layers = [*model.generator.layers, *model.discriminator.layers]
    convolutions = [layer for layer in layers if hasattr(layer, "stride")]
    assert [layer.stride for layer in convolutions] == [1, 2, 2, 2, 2]
    assert {layer.padding for layer in convolutions} == {"same"}
    assert {layer.slope for layer in layers if isinstance(layer, mg.nn.LeakyReLU)} == {0.01}
    assert {layer.rate for layer in layers if isinstance(layer, mg.nn.Dropout)} == {0.3}
