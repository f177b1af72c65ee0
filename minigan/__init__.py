"""minigan: generative adversarial networks from scratch, on NumPy or CuPy."""

from minigan.backend import BackendError, seed, stream, use
from minigan.engine import Tensor, grad, no_grad, op, op_hook, tensor

__version__ = "0.1.0"

__all__ = ["BackendError", "Tensor", "grad", "no_grad", "op", "op_hook", "seed", "stream", "tensor",
           "use"]
