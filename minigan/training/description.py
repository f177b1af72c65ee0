"""What config.json says of a run: model, settings, data, machine, versions."""

from __future__ import annotations

import dataclasses
import secrets

from minigan.data import Images
from minigan.models.identity import qualified, source_crc
from minigan.runs.checkpoint import LAYOUT
from minigan.runs.records import RunConfig
from minigan.runs.training_data import fingerprint
from minigan.system.machine import environment
from minigan.training.state import TrainingState
from minigan.version import __version__


def describe(state: TrainingState, data: Images, threads: int) -> RunConfig:
    """The config of a new run, with an id of its own.

    data: what the model is trained on. threads: how many compute.
    """
    model = state.model
    return RunConfig(
        minigan=__version__,
        layout=LAYOUT,
        run=secrets.token_hex(16),
        model=model.name,
        model_class=qualified(type(model)),
        class_crc32=source_crc(type(model)),
        preset=model.preset,
        settings=dataclasses.asdict(model.settings),
        shape=list(model.shape),
        n_classes=model.n_classes,
        data=data.name,
        source=data.source,
        data_crc32=fingerprint(data),
        seed=model.streams.seed,
        batch_size=state.batches.batch_size,
        threads=threads,
        backend=state.xp.device,
        precision=state.xp.precision,
        capture=state.stepper.captured,
        environment=environment(),
        class_names=list(data.classes),
    )
