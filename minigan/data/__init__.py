"""Data sets: the embedded digits, sets on the disk, and batches of them."""

from minigan.data.batches import Batches
from minigan.data.images import Images, to_bytes, to_model
from minigan.data.sources import load

__all__ = ["Batches", "Images", "load", "to_bytes", "to_model"]
