"""Editing: a real picture in a generator's latent space, and what can be changed about it there.

Read in this order: `drawing` (the generator, differentiable), `nearest` and `descent` (the search),
`inversion` (a picture's latent), `latent` (walks between latents), `edit` (what can be done with
latents), `latents_file` (keeping them), `fingerprint` (which generator they belong to).
"""

from minigan.editing.drawing import Drawing
from minigan.editing.edit import Edit
from minigan.editing.fingerprint import check_same, fingerprint, is_same
from minigan.editing.inversion import Inversion, floor, invert
from minigan.editing.latent import slerp

__all__ = ["Drawing", "Edit", "Inversion", "check_same", "fingerprint", "floor", "invert",
           "is_same", "slerp"]
