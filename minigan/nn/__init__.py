"""Networks: modules, layers, initial weights.

Read in this order: `module` (what a network is), `init` (initial weights), `dense` and
`convolution` (layers with weights), `plain` (layers without weights), `normalization`,
`conditional` (networks that are told a label).
"""

from minigan.blocks import evaluation_mode
from minigan.nn import init
from minigan.nn.conditional import Branches, Joined, Projection
from minigan.nn.convolution import Conv2d, ConvTranspose2d
from minigan.nn.dense import Dense, Embedding, Maxout
from minigan.nn.module import Module, Parameter, Sequential, count_parameters
from minigan.nn.normalization import BatchNorm, InstanceNorm, LayerNorm
from minigan.nn.plain import (AvgPool2d, Dropout, Flatten, LeakyReLU, ReLU, Reshape, Sigmoid, Tanh,
                              ToImages, Upsample)

__all__ = ["AvgPool2d", "BatchNorm", "Branches", "Conv2d", "ConvTranspose2d", "Dense", "Dropout",
           "Embedding", "Flatten", "InstanceNorm", "Joined", "LayerNorm", "LeakyReLU", "Maxout",
           "Module", "Parameter", "Projection", "ReLU", "Reshape", "Sequential", "Sigmoid", "Tanh",
           "ToImages", "Upsample", "count_parameters", "evaluation_mode", "init"]
