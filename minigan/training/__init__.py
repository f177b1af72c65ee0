"""Training: the loop and what decides how it goes on.

Read `trainer` first, then, from below: `stepping` (a step, recorded or not), `state` (what decides
how training goes on), `description` (what config.json says), `metrics_log` (the losses on disk),
`resuming` (from a checkpoint), `symptoms` (what looks wrong) and `diagnosis` (where a NaN came
from). What a run writes is in `minigan.runs`.
"""

from typing import TYPE_CHECKING

from minigan.runs import Loaded, RunFolder, load, make_report, new_run, newest_run, open_run, slerp
from minigan.system.first_use import attributes
from minigan.training.trainer import Trainer

if TYPE_CHECKING:
    from minigan.evaluation import Evaluation, evaluate
else:
    __getattr__, __dir__ = attributes(__name__, {
        "Evaluation": "minigan.evaluation:Evaluation",
        "evaluate": "minigan.evaluation:evaluate",
    })

__all__ = ["Evaluation", "Loaded", "RunFolder", "Trainer", "evaluate", "load", "make_report",
           "new_run", "newest_run", "open_run", "slerp"]
