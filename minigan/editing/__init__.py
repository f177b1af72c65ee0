"""Editing: a real picture in a generator's latent space, and what can be changed about it there.

`latent` (walks between latents).
"""

from minigan.editing.latent import slerp

__all__ = ["slerp"]
