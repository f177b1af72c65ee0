"""Editing: a real picture in a generator's latent space, and what can be changed about it there.

Read in this order: `drawing` (the generator, differentiable), `nearest`, `features` and `descent`
(the search), `inversion` (a picture's latent), `latent` (walks between latents), `edit` (what can
be done with latents), `latents_file` (keeping them), `fingerprint` (which generator they belong
to).

Picture files: `paper` (a drawing becomes light on dark), `originals` (a file fits the model).

`directions/`: finding what to change, and what else changes with it.
"""

from typing import TYPE_CHECKING

from minigan.editing.fingerprint import check_same, fingerprint, is_same
from minigan.editing.latent import slerp
from minigan.system.first_use import attributes

if TYPE_CHECKING:
    from minigan.editing.directions.attributes import ATTRIBUTES, measure
    from minigan.editing.directions.finding import find_directions
    from minigan.editing.directions.record import Directions, directions_path
    from minigan.editing.drawing import Drawing
    from minigan.editing.edit import Edit
    from minigan.editing.inversion import Inversion, floor, invert
else:
    __getattr__, __dir__ = attributes(__name__, {
        "ATTRIBUTES": "minigan.editing.directions.attributes:ATTRIBUTES",
        "Directions": "minigan.editing.directions.record:Directions",
        "Drawing": "minigan.editing.drawing:Drawing",
        "Edit": "minigan.editing.edit:Edit",
        "Inversion": "minigan.editing.inversion:Inversion",
        "directions_path": "minigan.editing.directions.record:directions_path",
        "find_directions": "minigan.editing.directions.finding:find_directions",
        "floor": "minigan.editing.inversion:floor",
        "invert": "minigan.editing.inversion:invert",
        "measure": "minigan.editing.directions.attributes:measure",
    })

__all__ = ["ATTRIBUTES", "Directions", "Drawing", "Edit", "Inversion", "check_same",
           "directions_path", "find_directions", "fingerprint", "floor", "invert", "is_same",
           "measure", "slerp"]
