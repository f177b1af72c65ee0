"""Data sets: the embedded digits, sets on the disk, points in the plane, and batches of images."""

from minigan.data.batches import Batches
from minigan.data.images import Images, Lazy, to_bytes, to_model
from minigan.data.points import POINTS, Mixture, SwissRoll, grid, ring
from minigan.data.sources import load
from minigan.data.stacked_mnist import stack

__all__ = ["Batches", "Images", "Lazy", "Mixture", "POINTS", "SwissRoll", "grid", "load", "ring",
           "stack", "to_bytes", "to_model"]
