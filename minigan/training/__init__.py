"""Training: the loop, the run folder, checkpoints, loading and judging what was trained.

Read `trainer` first. Around it: `folder` (what a run writes, with `identity`, `log`, `stamps`,
`lock`), `runs` (where folders lie); `archive`, `resuming` (checkpoints);
`interrupt`, `diagnosis`, `watching` (what can happen); `pictures` (what a run shows, with `curves`,
`animation`, `report`, `progress`; `remaking`: all of it again); `loading` (drawing afterwards, with
`latent`, `exporting`); `evaluation` (judging what was drawn).
"""

from minigan.training.evaluation import Evaluation, evaluate
from minigan.training.folder import RunFolder
from minigan.training.latent import slerp
from minigan.training.loading import Loaded, load
from minigan.training.remaking import make_report
from minigan.training.runs import new_run, newest_run, open_run
from minigan.training.trainer import Trainer

__all__ = ["Evaluation", "Loaded", "RunFolder", "Trainer", "evaluate", "load", "make_report",
           "new_run", "newest_run", "open_run", "slerp"]
