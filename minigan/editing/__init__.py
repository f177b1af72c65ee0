"""Editing: a real picture in a generator's latent space, and what can be changed about it there.

Read in this order: `drawing` (the generator, differentiable), `nearest` and `descent` (the search),
`inversion` (a picture's latent), `latent` (walks between latents).
"""

from minigan.editing.drawing import Drawing
from minigan.editing.inversion import Inversion, floor, invert
from minigan.editing.latent import slerp

__all__ = ["Drawing", "Inversion", "floor", "invert", "slerp"]
