"""minigan: generative adversarial networks from scratch, on NumPy or CuPy.

    import minigan as mg

Tensors and derivatives are `mg.tensor`, `mg.grad`, `mg.ops`; networks `mg.nn`, `mg.optim`,
`mg.losses`; trained models `mg.load`. See README.md for the order in which to read the sources.
"""

from minigan import gradcheck, losses, nn, ops, optim
from minigan.backend import BackendError, Stream, Streams, seed, stream, use
from minigan.engine import Tensor, grad, no_grad, op, op_hook, tensor
from minigan.training import Trainer, load

__version__ = "0.1.0"

__all__ = ["BackendError", "Stream", "Streams", "Tensor", "Trainer", "grad", "gradcheck", "load",
           "losses", "nn", "no_grad", "op", "op_hook", "ops", "optim", "seed", "stream", "tensor",
           "use"]
