"""What a run leaves on the disk, and how to use it.

On the disk: `records` (a run's config, the numbers of a checkpoint), `checkpoint` (arrays and JSON
in one file), `log` (the losses), `stamps` (which run drew a picture), `contents` (reading a run
folder), `folder` (writing one while training), `places` (making and finding folders), `saved` (the
last good checkpoint).

Used again: `training_data` (the images of a run), `classes` (names of labels), `preview` (the fixed
inputs of sample grids), `exporting` (a generator in a small file), `trained` (a model that draws),
`loading` (from any of these files to it).

Shown: `curves`, `animation`, `recipe` (the commands that make the run again), `report`, `pictures`
(all of these, while training), `remaking` (all of them again), `cell` (in a notebook).
"""

from minigan.editing.latent import slerp
from minigan.runs.folder import RunFolder
from minigan.runs.loading import load
from minigan.runs.places import new_run, newest_run, open_run
from minigan.runs.remaking import make_report
from minigan.runs.trained import Loaded

__all__ = ["Loaded", "RunFolder", "load", "make_report", "new_run", "newest_run", "open_run",
           "slerp"]
