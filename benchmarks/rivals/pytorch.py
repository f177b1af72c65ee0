"""PyTorch: as the tutorials write a step, the same tuned by hand, and through torch.compile.

plain: eager, nn.Sequential, zero_grad, backward, two Adams. tuned: the discriminator is frozen in
the generator's step (no gradients of weights that nobody uses), Adam is fused, and convolutional
networks are timed in both memory formats and keep the faster one. compiled: the tuned step with
both networks compiled.
"""

from __future__ import annotations

import time
from typing import Any, Callable

import torch
from nchw import channels_first
from torch import nn
from torch.nn import functional as F

Step = Callable[[int], Any]


def start(form: str, threads: int) -> dict[str, str]:
    """Compute with so many threads; returns the version."""
    torch.set_num_threads(threads)
    return {"torch": torch.__version__}


def value(result: torch.Tensor) -> float:
    """A loss as a number, or the mean square of an array."""
    if result.numel() == 1:
        return float(result.item())
    return float(result.square().mean().item())


def build(workload: Any, form: str) -> Step:
    """One step as a function of its number; it returns its results."""
    if workload.task == "op":
        return build_op(workload, form)
    if form == "compiled" and workload.penalty:
        raise NotImplementedError("torch.compile has no double backward, which the penalty needs")
    images = any(layer.kind == "Conv2d" for layer in workload.discriminator)
    make = {"gan": gan, "critic": critic}[workload.task]
    if form != "tuned" or not images:
        return make(workload, form, torch.contiguous_format)
    formats = (torch.contiguous_format, torch.channels_last)
    faster = min(formats, key=lambda memory: trial(make(workload, form, memory)))
    return make(workload, form, faster)


def trial(step: Step) -> float:
    """Seconds of the fastest of three steps, after two."""
    times = []
    for i in range(5):
        began = time.perf_counter()
        step(i)
        times.append(time.perf_counter() - began)
    return min(times[2:])


# ---------------------------------------------------------------- layers

class Crop(nn.Module):
    """Keep the first rows and columns."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height = height
        self.width = width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :, :self.height, :self.width]


class Dropout(nn.Dropout):
    """nn.Dropout whose first masks are given."""

    def __init__(self, rate: float, kept: list[torch.Tensor]) -> None:
        super().__init__(rate)
        self.kept = kept

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.kept:
            return super().forward(x)
        return x * self.kept.pop(0) / (1 - self.p)


def network(layers: list[Any], kept: list[torch.Tensor]) -> nn.Sequential:
    """nn.Sequential with the layers' weights. kept: masks of its dropouts, in the order of calls.
    """
    made: list[nn.Module] = []
    for layer in channels_first(layers):
        made += _layer(layer, kept)
    return nn.Sequential(*made)


def _layer(layer: Any, kept: list[torch.Tensor]) -> list[nn.Module]:
    kind = layer.kind
    channels = layer.shape[-1]
    if kind == "Dense":
        n_in, n_out = layer.weight.shape
        linear = nn.Linear(n_in, n_out, layer.bias is not None)
        return [_filled(linear, layer.weight.T, layer.bias)]
    if kind == "Conv2d":
        (top, bottom), (left, right) = layer.pads
        n_out, n_in, kh, kw = layer.weight.shape
        even = (top, left) == (bottom, right)
        conv = nn.Conv2d(n_in, n_out, (kh, kw), layer.stride, (top, left) if even else 0,
                         bias=layer.bias is not None)
        _filled(conv, layer.weight, layer.bias)
        return [conv] if even else [nn.ZeroPad2d((left, right, top, bottom)), conv]
    if kind == "ConvTranspose2d":
        (top, bottom), (left, right) = layer.pads
        n_in, n_out, kh, kw = layer.weight.shape
        conv = nn.ConvTranspose2d(n_in, n_out, (kh, kw), layer.stride, (top, left),
                                  bias=layer.bias is not None)
        _filled(conv, layer.weight, layer.bias)
        even = (top, left) == (bottom, right)
        return [conv] if even else [conv, Crop(*layer.out_size)]
    if kind == "BatchNorm":
        make = nn.BatchNorm2d if len(layer.shape) == 3 else nn.BatchNorm1d
        norm = make(channels, layer.eps, layer.momentum)
        return [_filled(norm, layer.gamma, layer.beta)]
    if kind == "LayerNorm":
        return [_filled(nn.GroupNorm(1, channels, layer.eps), layer.gamma, layer.beta)]
    if kind == "Dropout":
        return [Dropout(layer.rate, kept)]
    if kind == "Reshape":
        h, w, c = layer.to
        return [nn.Unflatten(1, (c, h, w))]
    if kind == "LeakyReLU":
        return [nn.LeakyReLU(layer.slope)]
    if kind == "Upsample":
        return [nn.Upsample(scale_factor=layer.scale)]
    if kind == "AvgPool2d":
        return [nn.AvgPool2d(layer.size)]
    return [{"ReLU": nn.ReLU, "Tanh": nn.Tanh, "Flatten": nn.Flatten}[kind]()]


def _filled(module: nn.Module, weight: Any, bias: Any) -> nn.Module:
    with torch.no_grad():
        module.weight.copy_(torch.tensor(weight))
        if bias is not None:
            module.bias.copy_(torch.tensor(bias))
    return module


# ---------------------------------------------------------------- steps

class Parts:
    """Networks, optimizers and data of a workload."""

    def __init__(self, workload: Any, form: str, memory: torch.memory_format) -> None:
        kept = [torch.from_numpy(mask).movedim(-1, 1).contiguous() for mask in workload.kept]
        self.G = network(workload.generator, kept).to(memory_format=memory)
        self.D = network(workload.discriminator, kept).to(memory_format=memory)
        self.g_optimizer = adam(self.G, workload, fused=form != "plain")
        self.d_optimizer = adam(self.D, workload, fused=form != "plain")
        self.weights = list(self.D.parameters())
        if form == "compiled":
            self.G = torch.compile(self.G)
            self.D = torch.compile(self.D)
        self.images = [torch.from_numpy(x).movedim(-1, 1).contiguous(memory_format=memory)
                       for x in workload.images]
        self.first = [torch.from_numpy(z) for z in workload.noise]
        self.size = (workload.batch, workload.latent)

    def real(self, i: int) -> torch.Tensor:
        return self.images[i % len(self.images)]

    def noise(self, i: int) -> torch.Tensor:
        return self.first[i] if i < len(self.first) else torch.randn(self.size)


def adam(network: nn.Module, workload: Any, fused: bool) -> torch.optim.Adam:
    """A network's optimizer; not fused, it is PyTorch's default form."""
    more = {"fused": True} if fused else {}
    return torch.optim.Adam(network.parameters(), workload.learning_rate, workload.betas,
                            workload.eps, **more)


def gan(workload: Any, form: str, memory: torch.memory_format) -> Step:
    """A discriminator's and a generator's update."""
    p = Parts(workload, form, memory)
    bce = nn.BCEWithLogitsLoss()
    ones = torch.ones(workload.batch, 1)
    zeros = torch.zeros(workload.batch, 1)
    freeze = form != "plain"

    def step(i: int) -> Any:
        fake = p.G(p.noise(i))
        p.d_optimizer.zero_grad()
        d_loss = bce(p.D(p.real(i)), ones) + bce(p.D(fake.detach()), zeros)
        d_loss.backward()
        p.d_optimizer.step()

        p.g_optimizer.zero_grad()
        if freeze:
            for w in p.weights:
                w.requires_grad_(False)
        g_loss = bce(p.D(fake), ones)
        g_loss.backward()
        if freeze:
            for w in p.weights:
                w.requires_grad_(True)
        p.g_optimizer.step()
        return d_loss.detach(), g_loss.detach()

    return step


def critic(workload: Any, form: str, memory: torch.memory_format) -> Step:
    """A critic's update, with the gradient penalty unless its weight is 0."""
    p = Parts(workload, form, memory)
    first = [torch.from_numpy(epsilon) for epsilon in workload.epsilon]

    def step(i: int) -> Any:
        x = p.real(i)
        with torch.no_grad():
            fake = p.G(p.noise(i))
        distance = p.D(x).mean() - p.D(fake).mean()
        p.d_optimizer.zero_grad()
        if not workload.penalty:
            (-distance).backward()
            p.d_optimizer.step()
            return (distance.detach(),)
        epsilon = first[i] if i < len(first) else torch.rand(len(x), 1, 1, 1)
        x_hat = (epsilon * x + (1 - epsilon) * fake).requires_grad_(True)
        scores = p.D(x_hat)
        gradient, = torch.autograd.grad(scores, x_hat, torch.ones_like(scores), create_graph=True)
        penalty = (gradient.flatten(1).norm(2, dim=1) - 1).square().mean()
        (-distance + workload.penalty * penalty).backward()
        p.d_optimizer.step()
        return distance.detach(), penalty.detach()

    return step


# ---------------------------------------------------------------- single ops

def build_op(workload: Any, form: str) -> Step:
    """One op: forward, with gradients, or with the gradients of a gradient."""
    if form == "compiled":
        raise NotImplementedError("torch.compile is measured on whole steps")
    memory = torch.contiguous_format if form == "plain" else torch.channels_last

    def to_torch(array: Any, weight: bool = False) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if tensor.ndim == 4:
            tensor = tensor.permute(3, 2, 0, 1) if weight else tensor.movedim(-1, 1)
            tensor = tensor.contiguous(memory_format=memory)
        return tensor

    stride = workload.settings.get("stride", 1)
    padding = workload.settings.get("padding", 0)
    function = {
        "affine": lambda x, w, b: torch.addmm(b, x, w),
        "conv2d": lambda x, w: F.conv2d(x, w, None, stride, padding),
        "conv_transpose2d": lambda y, w: F.conv_transpose2d(y, w, None, stride, padding),
        "batch_norm": lambda x, g, b: F.batch_norm(x, None, None, g, b, training=True),
        "layer_norm": lambda x, g, b: F.group_norm(x, 1, g, b)}[workload.op]
    x, *weights = workload.inputs
    inputs = [to_torch(x), *[to_torch(w, weight=True) for w in weights]]
    for tensor in inputs:
        tensor.requires_grad_(True)
    c = to_torch(workload.cotangent).requires_grad_(True)
    direction = to_torch(workload.direction)
    zero = torch.zeros(1)

    def forward(i: int) -> Any:
        with torch.no_grad():
            return (function(*inputs),)

    def backward(i: int) -> Any:
        return torch.autograd.grad(function(*inputs), inputs, c.detach())

    def double(i: int) -> Any:
        gx, = torch.autograd.grad(function(*inputs), inputs[0], c, create_graph=True)
        found = torch.autograd.grad(gx, [*inputs, c], direction, allow_unused=True)
        return [zero if g is None else g for g in found]

    return {"forward": forward, "backward": backward, "double": double}[workload.which]
