"""minigan: generative adversarial networks from scratch, on NumPy or CuPy.

    import minigan as mg

Tensors and derivatives are `mg.tensor`, `mg.grad`, `mg.ops`, checks of them `mg.gradcheck`, their
pictures `mg.graph`; networks are `mg.nn`, `mg.optim`, `mg.losses`, `mg.penalties`; the papers
`mg.models`; data `mg.data`; training and trained models `mg.Trainer`, `mg.load`; pictures in latent
space `mg.editing`. README.md says in which order to read it all.
"""

from minigan.system import starting  # isort: skip  (it comes before all else)
from typing import TYPE_CHECKING

from minigan import data, losses, models, nn, ops, optim, penalties, plot
from minigan.backend import BackendError, use
from minigan.capturing import CaptureError, capture
from minigan.engine import Tensor, grad, no_grad, op, op_hook, tensor
from minigan.streams import Stream, Streams, seed, stream
from minigan.system.first_use import attributes
from minigan.system.threads import use_threads
from minigan.version import __version__

if TYPE_CHECKING:
    from minigan import editing, evaluation, gradcheck, graph, runs, training
    from minigan.runs import load
    from minigan.training import Trainer
else:
    __getattr__, __dir__ = attributes(__name__, {
        "Trainer": "minigan.training:Trainer",
        "editing": "minigan.editing",
        "evaluation": "minigan.evaluation",
        "gradcheck": "minigan.gradcheck",
        "graph": "minigan.graph",
        "load": "minigan.runs:load",
        "runs": "minigan.runs",
        "training": "minigan.training",
    })

__all__ = ["BackendError", "CaptureError", "Stream", "Streams", "Tensor", "Trainer", "__version__",
           "capture", "data", "editing", "grad", "gradcheck", "graph", "load", "losses", "models",
           "nn", "no_grad", "op", "op_hook", "ops", "optim", "penalties", "plot", "seed", "stream",
           "tensor", "use", "use_threads"]
