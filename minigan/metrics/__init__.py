"""How good samples are: two judges of digits, and the field's two-sample statistics."""

from minigan.metrics.judges import features, predictions, probabilities

__all__ = ["features", "predictions", "probabilities"]
