"""PyTorch on a GPU in its best form: the networks of a minigan model, eager or as CUDA graphs.

channels_last for convolutions, cudnn.benchmark, fused and capturable Adam, gradients set to None,
no gradients of D's weights in G's step, the data set on the device. The critic's penalty makes
torch.compile impossible (no double backward), so a CUDA graph by hand is the strongest rival.
"""

from __future__ import annotations

from typing import Any, Callable

import torch
from torch import nn

from minigan.nn import Module

Step = Callable[[], None]


def network(module: Module) -> nn.Sequential:
    """The same layers; weights are PyTorch's own, as they cost the same."""
    return nn.Sequential(*[_layer(layer) for _, layer in module.children()])


def _layer(layer: Any) -> nn.Module:
    kind = type(layer).__name__
    if kind == "Dense":
        return nn.Linear(*layer.weight.shape, bias=layer.bias is not None)
    if kind in ("Conv2d", "ConvTranspose2d"):
        make = getattr(nn, kind)
        return make(layer.n_in, layer.n_out, layer.weight.shape[:2], layer.stride, layer.padding,
                    bias=layer.bias is not None)
    if kind == "BatchNorm":
        return _BatchNorm(layer.gamma.size, layer.eps, layer.momentum)
    if kind == "LayerNorm":
        return nn.GroupNorm(1, layer.gamma.size, layer.eps)
    if kind == "Reshape":
        height, width, channels = layer.shape
        return nn.Unflatten(1, (channels, height, width))
    if kind == "LeakyReLU":
        return nn.LeakyReLU(layer.slope)
    if kind == "Dropout":
        return nn.Dropout(layer.rate)
    return {"ReLU": nn.ReLU, "Tanh": nn.Tanh, "Flatten": nn.Flatten}[kind]()


class _BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm of vectors and of images."""

    def _check_input_dim(self, input: torch.Tensor) -> None:
        pass


def _adam(network: nn.Module, settings: Any, device: torch.device) -> torch.optim.Adam:
    fast = {"fused": True, "capturable": True} if device.type == "cuda" else {}
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(network.parameters(), settings.learning_rate, betas, **fast)


class Rival:
    """The step of a minigan model in PyTorch.

    model: a gan, dcgan or wgan-gp. images: float32 (N, C, H, W) on the device, used batch by batch.
    memory: the memory format of images and weights.
    """

    def __init__(self, model: Any, images: torch.Tensor, batch: int, memory: Any) -> None:
        device = images.device
        settings = model.settings
        self.G = network(model.generator).to(device, memory_format=memory)
        self.D = network(model.discriminator).to(device, memory_format=memory)
        self.g_optimizer = _adam(self.G, settings, device)
        self.d_optimizer = _adam(self.D, settings, device)
        self.weights = list(self.D.parameters())
        self.images = images
        self.x = images[:batch].contiguous(memory_format=memory).clone()
        self.batch = batch
        self.latent = settings.latent_size
        self.n_critic = getattr(settings, "n_critic", 0)
        self.penalty = getattr(settings, "penalty", 0.0)
        self.done = 0
        self.ones = torch.ones(batch, 1, device=device)
        self.zeros = torch.zeros(batch, 1, device=device)
        self.bce = nn.BCEWithLogitsLoss()
        self.losses: dict[str, torch.Tensor] = {}
        self.graphs: dict[str, Any] = {}

    def noise(self) -> torch.Tensor:
        """Latent vectors of a batch."""
        return torch.randn(self.batch, self.latent, device=self.x.device)

    def gan(self) -> None:
        """One update of each."""
        fake = self.G(self.noise())
        self.d_optimizer.zero_grad(set_to_none=True)
        d_loss = (self.bce(self.D(self.x), self.ones)
                  + self.bce(self.D(fake.detach()), self.zeros))
        d_loss.backward()
        self.d_optimizer.step()
        self._generator(lambda: self.bce(self.D(fake), self.ones))
        self.losses["d_loss"] = d_loss.detach()

    def _generator(self, loss: Callable[[], torch.Tensor]) -> None:
        self.g_optimizer.zero_grad(set_to_none=True)
        for w in self.weights:
            w.requires_grad_(False)
        g_loss = loss()
        g_loss.backward()
        for w in self.weights:
            w.requires_grad_(True)
        self.g_optimizer.step()
        self.losses["g_loss"] = g_loss.detach()

    def critic(self) -> None:
        """One update of the critic, with its penalty."""
        with torch.no_grad():
            fake = self.G(self.noise())
        epsilon = torch.rand(self.batch, 1, 1, 1, device=self.x.device)
        mixed = (fake + epsilon * (self.x - fake)).requires_grad_(True)
        (slope,) = torch.autograd.grad(self.D(mixed).sum(), mixed, create_graph=True)
        penalty = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
        loss = self.D(fake).mean() - self.D(self.x).mean() + self.penalty * penalty
        self.d_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.d_optimizer.step()
        self.losses["d_loss"] = loss.detach()

    def generator(self) -> None:
        """One update of G against the critic."""
        self._generator(lambda: -self.D(self.G(self.noise())).mean())

    def step(self) -> None:
        """What a step of the minigan model does."""
        start = self.done * self.batch % (len(self.images) - self.batch + 1)
        self.x.copy_(self.images[start:start + self.batch])
        self.done += 1
        if not self.n_critic:
            self._run("gan")
            return
        self._run("critic")
        if self.done % self.n_critic == 0:
            self._run("generator")

    def _run(self, name: str) -> None:
        graph = self.graphs.get(name)
        if graph is None:
            getattr(self, name)()
        else:
            graph.replay()

    def capture(self) -> None:
        """Replay from now on: warm up on another stream, then capture a graph for each update."""
        names = ("critic", "generator") if self.n_critic else ("gan",)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                for name in names:
                    getattr(self, name)()
        torch.cuda.current_stream().wait_stream(side)
        for name in names:
            self.d_optimizer.zero_grad(set_to_none=True)
            self.g_optimizer.zero_grad(set_to_none=True)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                getattr(self, name)()
            self.graphs[name] = graph
