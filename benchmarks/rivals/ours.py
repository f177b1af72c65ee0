"""gan:seed in minigan: the model that `minigan train gan --preset seed` trains."""

from __future__ import annotations

from typing import Any, Callable

from minigan import Tensor
from minigan.backend.allocator import keep_freed_memory
from minigan.models.gan import GAN


def build(load: dict[str, Any]) -> Callable[[int], tuple[float, float]]:
    """One training step as a function of the batch's number; it returns the two losses."""
    keep_freed_memory()
    model = GAN("seed")
    for network, weights in ((model.generator, load["generator"]),
                             (model.discriminator, load["discriminator"])):
        for p, w in zip(network.parameters(), weights):
            p.assign(w)
    images = [Tensor(x.reshape(len(x), 28, 28, 1)) for x in load["images"]]

    def step(i: int) -> tuple[float, float]:
        model.latent = lambda n: Tensor(load["noise"][i])  # type: ignore[method-assign]
        losses = model.step(images[i])
        return losses["d_loss"].item(), losses["g_loss"].item()

    return step
