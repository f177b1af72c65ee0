"""gan:seed in PyTorch, as tutorials write it: eager, nn.Sequential, backward, two Adams."""

from __future__ import annotations

from typing import Any, Callable

import torch
from torch import nn

from workloads import BATCH, BETAS, EPS, LEARNING_RATE, SLOPE


def _network(weights: list[Any], last: list[nn.Module]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for w, b in zip(weights[::2], weights[1::2]):
        dense = nn.Linear(*w.shape, dtype=torch.from_numpy(w).dtype)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(w.T.copy()))
            dense.bias.copy_(torch.from_numpy(b))
        layers += [dense, nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers[:-1], *last)


def build(load: dict[str, Any]) -> Callable[[int], tuple[float, float]]:
    """One training step as a function of the batch's number; it returns the two losses."""
    G = _network(load["generator"], [nn.Tanh()])
    D = _network(load["discriminator"], [])
    g_optimizer, d_optimizer = (torch.optim.Adam(net.parameters(), LEARNING_RATE, BETAS, EPS)
                                for net in (G, D))
    criterion = nn.BCEWithLogitsLoss()
    images, noise = torch.from_numpy(load["images"]), torch.from_numpy(load["noise"])
    real_label = torch.ones(BATCH, 1, dtype=images.dtype)
    fake_label = torch.zeros(BATCH, 1, dtype=images.dtype)

    def step(i: int) -> tuple[float, float]:
        fake = G(noise[i])
        d_optimizer.zero_grad()
        d_loss = criterion(D(images[i]), real_label) + criterion(D(fake.detach()), fake_label)
        d_loss.backward()
        d_optimizer.step()
        g_optimizer.zero_grad()
        g_loss = criterion(D(fake), real_label)
        g_loss.backward()
        g_optimizer.step()
        return d_loss.item(), g_loss.item()

    return step
