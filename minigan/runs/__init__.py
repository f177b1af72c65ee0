"""What a run leaves on the disk, and how to use it.

`folder` is the run folder (with `identity`, `log`, `stamps`), `places` where folders lie,
`checkpoint` its arrays; `trained` loads a model again (with `latent`, `preview`, `exporting`);
`pictures` is what a run shows (with `curves`, `animation`, `report`; `remaking`: all of it again).
"""

from minigan.runs.folder import RunFolder
from minigan.runs.latent import slerp
from minigan.runs.places import new_run, newest_run, open_run
from minigan.runs.remaking import make_report
from minigan.runs.trained import Loaded, load

__all__ = ["Loaded", "RunFolder", "load", "make_report", "new_run", "newest_run", "open_run",
           "slerp"]
