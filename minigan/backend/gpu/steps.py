"""What a training step asks for besides passes: updates, averages, random numbers, batches.

Each kernel here reads a counter or a rate, so a captured step uses the present one in every replay.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minigan.backend.base import Array
from minigan.backend.gpu.kernels import REALS
from minigan.backend.gpu.operands import ceil_div, contiguous
from minigan.backend.gpu.recording import GraphCapture


class StepKernels(GraphCapture):
    """A device that makes whole training steps."""

    picks_batches = True

    # Optimizers and averages.

    def update(self, optimizer: Any) -> None:
        """Apply an optimizer's rule: its kernel, or else its Python form.

        Raises:
            RuntimeError: the rule has no kernel here, and a step is being captured.
        """
        launch = {"adam": self._adam, "rmsprop": self._rmsprop, "sgd": self._sgd,
                  }.get(optimizer.device_kernel())
        if launch is not None and str(optimizer.values.dtype) in REALS:
            flat = (optimizer.values, optimizer.gradient, *optimizer.running.values())
            launch(optimizer, flat)
        elif self.capturing:
            raise RuntimeError(f"the rule of {type(optimizer).__name__} is not known to the "
                               f"device: captured, it would repeat the numbers of one step")
        else:
            super().update(optimizer)

    def _adam(self, optimizer: Any, flat: tuple[Array, ...]) -> None:
        dtype = flat[0].dtype
        beta1, beta2 = optimizer.betas
        rates = self.module.empty(2, "float64")
        self.each("adam_rates", dtype, 1,
                  *self.clock(optimizer, "t"), self.rate(optimizer, "lr"),
                  beta1, beta2, optimizer.eps, rates)
        self.each("adam", dtype, flat[0].size, *flat, rates, beta1, beta2)

    def _rmsprop(self, optimizer: Any, flat: tuple[Array, ...]) -> None:
        alpha = optimizer.alpha
        self.each("rmsprop", flat[0].dtype, flat[0].size, *flat,
                  self.rate(optimizer, "lr"), alpha, 1 - alpha, optimizer.eps)

    def _sgd(self, optimizer: Any, flat: tuple[Array, ...]) -> None:
        self.each("sgd", flat[0].dtype, flat[0].size, *flat,
                  self.rate(optimizer, "lr"), optimizer.momentum)

    def follow(self, average: Array, value: Array, ema: Any) -> None:
        self.each("ema", average.dtype, average.size, average, contiguous(value),
                  *self.clock(ema, "t"), ema.decay)

    # Random numbers.

    def uniform(self, stream: Any, shape: tuple[int, ...], low: float, high: float, dtype: Any
                ) -> Array:
        most = np.nextafter(dtype.type(high), dtype.type(low))
        return self._draw("random_uniform", stream, shape, dtype, high - low, low, most)

    def normal(self, stream: Any, shape: tuple[int, ...], mean: float, std: float, dtype: Any
               ) -> Array:
        return self._draw("random_normal", stream, shape, dtype, mean, std)

    def _draw(self, kernel: str, stream: Any, shape: tuple[int, ...], dtype: Any, *settings: Any
              ) -> Array:
        self.enter()
        out = self.module.empty(shape, dtype)
        n = math.prod(shape)
        if n == 0:
            return out
        key = map(int, stream.key)
        self.each(kernel, dtype, n, *key, *self.clock(stream, "counter"), *settings, out)
        drawn = n + n % 2 if kernel == "random_normal" else n  # normals come in pairs
        a_block = 8 if dtype == np.float32 else 4              # numbers of one counter
        self.advance(stream, "counter", ceil_div(drawn, a_block))
        return out

    # Batches of a data set that lives here.

    def batch(self, images: Array, labels: Array | None, order: Array, batches: Any, n: int
              ) -> tuple[Array, Array | None]:
        """n images from `batches.position` on, as floats in [-1, 1], and their labels.

        images: bytes (N, H, W, C). labels: int64 (N,) or None. order: the epoch's, int64 (N,).
        Returns float32 (n, H, W, C) and int64 (n,) or None.
        """
        clock = self.clock(batches, "position")
        size = math.prod(images.shape[1:])
        x = self.module.empty((n, *images.shape[1:]), "float32")
        self.each("batch_images", "float32", x.size, images, order, *clock, size, x)
        if labels is None:
            return x, None
        y = self.module.empty(n, "int64")
        self.each("batch_labels", "float32", n, labels, order, *clock, y)
        return x, y
