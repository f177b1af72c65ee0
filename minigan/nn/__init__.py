"""Networks: modules, layers, initial weights."""

from minigan.nn import init
from minigan.nn.layers import Conv2d, ConvTranspose2d, Dense, Embedding, Maxout
from minigan.nn.module import Module, Parameter, Sequential, count_parameters
from minigan.nn.normalization import BatchNorm, InstanceNorm, LayerNorm
from minigan.nn.plain import (AvgPool2d, Dropout, Flatten, LeakyReLU, ReLU, Reshape, Sigmoid, Tanh,
                              Upsample)

__all__ = ["AvgPool2d", "BatchNorm", "Conv2d", "ConvTranspose2d", "Dense", "Dropout", "Embedding",
           "Flatten", "InstanceNorm", "LayerNorm", "LeakyReLU", "Maxout", "Module", "Parameter",
           "ReLU", "Reshape", "Sequential", "Sigmoid", "Tanh", "Upsample", "count_parameters",
           "init"]
