"""What a judge of digits sees, with derivatives: distances that ignore what no reader looks at."""

from __future__ import annotations

import copy
from typing import Callable

from minigan.backend import default
from minigan.engine import Tensor
from minigan.models.sizes import Shape
from minigan.nn import evaluation_mode

WEIGHT = 0.003  # of the judge's features, about as much as pixels count


def judge_features(shape: Shape) -> Callable[[Tensor], Tensor]:
    """The first judge's last hidden layer: images (N, 28, 28, 1) in [-1, 1] -> (N, 64).

    Raises:
        ValueError: images of this shape are no digits.
    """
    from minigan.metrics.judges import judges  # which takes time to import
    if shape != (28, 28, 1):
        raise ValueError(f'features: "judge" knows digits of (28, 28, 1), the model draws pictures '
                         f"of {shape}; leave it out")
    body = copy.deepcopy(judges()[0].body).to(default().device)

    def features(images: Tensor) -> Tensor:
        with evaluation_mode():
            return body(images)

    return features
