"""Data sets: the embedded digits, sets on the disk, points in the plane, and batches of images.

Read in this order: `ranges`, `images` (a set in memory), `batches`. Where sets come from: `sets`
(the catalogue), `places` (where files are), the formats `idx`, `cifar` and `pictures`, `originals`
and `folder` (from files to a set), `stacked_mnist`, and `sources`, which loads by name. `transfer`
and `download` get files. `points` are drawn, not loaded.
"""

from minigan.data.batches import Batches
from minigan.data.images import Images, Lazy
from minigan.data.points import POINTS, Mixture, SwissRoll, grid, ring
from minigan.data.ranges import to_bytes, to_model
from minigan.data.sources import load
from minigan.data.stacked_mnist import stack

__all__ = ["Batches", "Images", "Lazy", "Mixture", "POINTS", "SwissRoll", "grid", "load", "ring",
           "stack", "to_bytes", "to_model"]
