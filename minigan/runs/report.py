"""report.html: a run on one page that can be sent away, with every picture inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from minigan.data.places import last_part
from minigan.editing.directions.record import Directions, directions_path
from minigan.editing.directions.table import table
from minigan.models.model import Model
from minigan.runs.classes import class_names, columns
from minigan.runs.folder import RunFolder
from minigan.runs.preview import PAIRED
from minigan.runs.recipe import recipe
from minigan.runs.records import Numbers, RunConfig
from minigan.system.console import plural
from minigan.system.json_files import read_json

GRIDS = 6  # that are shown of the samples over time

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem }}
h1 {{ font-size: 1.6rem; margin-bottom: 0 }}
h2 {{ font-size: 1.1rem; margin: 2.2rem 0 .6rem }}
p.muted, figcaption, th {{ color: #66717d }}
img {{ max-width: 100%; height: auto }}
.row {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.2rem }}
.row figure {{ margin: 0 }}
.row img {{ width: 100%; image-rendering: pixelated }}
figcaption {{ font-size: .85rem }}
table {{ border-collapse: collapse; font-size: .9rem }}
th {{ text-align: left; font-weight: normal; padding-right: 1.5rem; vertical-align: top }}
p.warning {{ border-left: .25rem solid #d9622b; padding-left: .7rem }}
pre {{ background: #f3f5f7; padding: .7rem 1rem; overflow-x: auto; font-size: .9rem }}
</style>
<h1>{title}</h1>
<p class="muted">{summary}</p>
{warnings}
<h2>Samples</h2>
<div class="row">{latest}{animation}</div>
<h2>Losses</h2>
{curves}
<h2>The same {inputs} over time</h2>
<div class="row">{grids}</div>
{evaluation}
{directions}
<h2>Settings</h2>
{settings}
<h2>Where it was computed</h2>
{environment}
<h2>Commands</h2>
<pre>{commands}</pre>
"""


def write_report(folder: RunFolder, model: Model, config: RunConfig, numbers: Numbers,
                 grids: Mapping[int, Path], paired: bool = False) -> None:
    """Write a run's report.html from the pictures that are in its folder.

    model, config: the run's. numbers: how far it is. grids: see `animate`. paired: whether its
    samples stand between their inputs and the truth.
    """
    step = numbers.step
    title = f"{config.model} {config.preset} on {last_part(config.data)}"
    layout = _layout_of_samples(model, config, paired)
    place = folder.path.name if folder.path.is_absolute() else str(folder)  # it may be sent away
    commands = recipe(config, step, place, type(model))
    settings = {**config.settings, "seed": config.seed,
                "image shape": " x ".join(map(str, config.shape))}
    environment = {"minigan": config.minigan, "backend": config.backend,
                   "threads": config.threads, **config.environment}

    page = PAGE.format(
        title=_escaped(title),
        summary=_escaped(_summary(model, config, numbers)),
        warnings=_warnings(folder, step),
        latest=_figure(folder.samples / "latest.png", f"step {step:,}{layout}"),
        animation=_figure(folder.animation, "while it learned"),
        inputs="inputs" if paired else "latents",
        curves=_image(folder.losses, "loss curves"),
        grids=_over_time(grids),
        evaluation=_evaluation(folder),
        directions=_directions(folder, model),
        settings=_table(settings),
        environment=_table(environment),
        commands=_escaped("\n".join(commands)))
    with folder.replacing(folder.report) as file:
        file.write(page.encode())


def _summary(model: Model, config: RunConfig, numbers: Numbers) -> str:
    """A line: the paper, how long it was trained, the latest losses."""
    paper = f"{model.paper}. " if model.paper else ""
    steps = plural(numbers.step, "step")
    batch = plural(config.batch_size, "image")
    losses = ", ".join(f"{name} {value:.3f}" for name, value in numbers.losses.items())
    return (f"{paper}{steps} of {batch} in {numbers.seconds:.0f} s"
            f"{f'; {losses}' if losses else ''}.")


def _layout_of_samples(model: Model, config: RunConfig, paired: bool) -> str:
    """What the columns of the sample grid show, in words."""
    if model.conditional:
        return f"; columns: {columns(class_names(config), model.n_classes)}"
    return f"; {PAIRED}" if paired else ""


def _over_time(grids: Mapping[int, Path]) -> str:
    """At most GRIDS of the grids, evenly, with the first and the last."""
    chosen = {int(i * (len(grids) - 1) / (GRIDS - 1)) for i in range(GRIDS)}
    figures = [_figure(path, f"step {step:,}")
               for i, (step, path) in enumerate(grids.items()) if i in chosen]
    return "".join(figures)


def _warnings(folder: RunFolder, last: int) -> str:
    """The warnings of the training, up to a step."""
    paragraphs = []
    for record in folder.read_metrics():
        if "warning" in record and record["step"] <= last:
            words = _escaped(str(record["warning"]))
            paragraphs.append(f'<p class="warning">Step {record["step"]:,}: {words}.')
    return "\n".join(paragraphs)


def _evaluation(folder: RunFolder) -> str:
    """The result and picture of `evaluate`; nothing if it has not been called."""
    try:
        record = read_json(folder.path / "evaluation.json")
        lines = [str(line) for line in record["lines"]]
    except (OSError, ValueError, TypeError, KeyError):  # an earlier version's, or not minigan's
        return ""
    picture = _image(folder.path / "evaluation.png", "samples beside training pictures")
    words = _escaped("\n".join(lines))
    return f"<h2>Evaluation</h2>\n{picture}\n<pre>{words}</pre>"


def _directions(folder: RunFolder, model: Model) -> str:
    """The picture and table of `minigan directions`; nothing if they are not of this step."""
    path = directions_path(folder.path)
    try:
        found = Directions.load(path, model)
    except (OSError, ValueError):  # none were measured, or it was trained on since then
        return ""
    picture = _image(path.with_suffix(".png"), "a row for each direction in latent space")
    words = _escaped("\n".join(table(found)))
    return f"<h2>Directions in latent space</h2>\n{picture}\n<pre>{words}</pre>"


def _table(rows: Mapping[str, Any]) -> str:
    lines = []
    for name, value in rows.items():
        label = _escaped(name.replace("_", " "))
        lines.append(f"<tr><th>{label}<td>{_escaped(str(value))}")
    return "<table>" + "".join(lines) + "</table>"


def _figure(path: Path, caption: str) -> str:
    picture = _image(path, caption)
    if not picture:
        return ""
    return f"<figure>{picture}<figcaption>{_escaped(caption)}</figcaption></figure>"


def _image(path: Path, alternative: str) -> str:
    """The picture itself, not a link to it; nothing if there is no picture."""
    if not path.is_file():
        return ""
    import base64
    content = base64.b64encode(path.read_bytes()).decode()
    words = _escaped(alternative)
    file_type = path.suffix[1:]
    return f'<img alt="{words}" src="data:image/{file_type};base64,{content}">'


def _escaped(words: str) -> str:
    """Words as HTML; imported here, as its table of characters takes a millisecond."""
    import html
    return html.escape(words)
