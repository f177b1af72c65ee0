"""Editing: a real picture in a generator's latent space, and what can be changed about it there.

Read in this order: `drawing` (the generator, differentiable), `nearest`, `features` and `descent`
(the search), `inversion` (a picture's latent), `latent` (walks between latents), `edit` (what can
be done with latents), `latents_file` (keeping them), `fingerprint` (which generator they belong
to).

Picture files: `paper` (a drawing becomes light on dark), `originals` (a file fits the model).

Directions: `attributes` (what is measured), `supervised`, `first_layer` and `unsupervised` (three
papers), `effects` (what moves), `directions` (what is kept), `finding` (all of it together),
`table` and `picture` (to look at).
"""

from minigan.editing.attributes import ATTRIBUTES, measure
from minigan.editing.directions import Directions, directions_path
from minigan.editing.drawing import Drawing
from minigan.editing.edit import Edit
from minigan.editing.finding import find_directions
from minigan.editing.fingerprint import check_same, fingerprint, is_same
from minigan.editing.inversion import Inversion, floor, invert
from minigan.editing.latent import slerp

__all__ = ["ATTRIBUTES", "Directions", "Drawing", "Edit", "Inversion", "check_same",
           "directions_path", "find_directions", "fingerprint", "floor", "invert", "is_same",
           "measure", "slerp"]
