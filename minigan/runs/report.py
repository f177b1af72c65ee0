"""report.html: a run on one page that can be sent to somebody, with every picture inside it."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any, Mapping

from minigan.data.places import last_part
from minigan.models.model import Model
from minigan.runs.classes import class_names, columns
from minigan.runs.folder import RunFolder
from minigan.runs.preview import PAIRED
from minigan.runs.recipe import recipe
from minigan.system import files
from minigan.system.console import plural

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
<h2>Settings</h2>
{settings}
<h2>Where it was computed</h2>
{environment}
<h2>Commands</h2>
<pre>{commands}</pre>
"""


def write_report(folder: RunFolder, model: Model, config: Mapping[str, Any],
                 numbers: Mapping[str, Any], grids: Mapping[int, Path], paired: bool = False
                 ) -> None:
    """Write a run's report.html from the pictures that are in its folder.

    model, config: the run's; numbers: its step, steps, seconds and latest losses; grids: see
    `animate`; paired: whether its samples stand between their inputs and the truth.
    """
    step = numbers["step"]
    title = f"{config['model']} {config['preset']} on {last_part(config['data'])}"
    losses = ", ".join(f"{name} {value:.3f}" for name, value in numbers["losses"].items())
    paper = f"{model.paper}. " if model.paper else ""
    summary = (f"{paper}{plural(step, 'step')} of "
               f"{plural(config['batch_size'], 'image')} in "
               f"{numbers['seconds']:.0f} s{f'; {losses}' if losses else ''}.")
    told = ""
    if model.conditional:
        told = f"; columns: {columns(class_names(config), model.n_classes)}"
    elif paired:
        told = f"; {PAIRED}"
    place = folder.path.name if folder.path.is_absolute() else folder  # the page can be sent away
    chosen = {int(i * (len(grids) - 1) / (GRIDS - 1)) for i in range(GRIDS)}  # evenly, both ends
    over_time = [_figure(path, f"step {at:,}") for i, (at, path) in enumerate(grids.items())
                 if i in chosen]
    page = PAGE.format(
        title=html.escape(title), summary=html.escape(summary), warnings=_warnings(folder, step),
        latest=_figure(folder.samples / "latest.png", f"step {step:,}{told}"),
        animation=_figure(folder.animation, "while it learned"),
        inputs="inputs" if paired else "latents",
        curves=_image(folder.losses, "loss curves"), grids="".join(over_time),
        evaluation=_evaluation(folder),
        settings=_table({**config["settings"], "seed": config["seed"], "image shape":
                         " x ".join(map(str, config["shape"]))}),
        environment=_table({"minigan": config["minigan"], "backend": config["backend"],
                            "threads": config["threads"], **config["environment"]}),
        commands=html.escape("\n".join(recipe(config, step, place, type(model)))))
    with folder.replacing(folder.report) as file:
        file.write(page.encode())


def _warnings(folder: RunFolder, last: int) -> str:
    """What was warned of while it trained, up to a step."""
    records = [record for record in folder.read_metrics()
               if "warning" in record and record["step"] <= last]
    return "\n".join(f'<p class="warning">Step {record["step"]:,}: '
                     f'{html.escape(str(record["warning"]))}.' for record in records)


def _evaluation(folder: RunFolder) -> str:
    """What `evaluate` has found and drawn, with the step that it judged; nothing before that."""
    try:
        record = files.read_json(folder.path / "evaluation.json")
        lines = [str(line) for line in record["lines"]]
    except (OSError, ValueError, TypeError, KeyError):  # of an earlier version, or somebody else's
        return ""
    picture = _image(folder.path / "evaluation.png", "samples beside training pictures")
    words = html.escape("\n".join(lines))
    return f"<h2>Evaluation</h2>\n{picture}\n<pre>{words}</pre>"


def _table(rows: Mapping[str, Any]) -> str:
    return "<table>" + "".join(
        f"<tr><th>{html.escape(name.replace('_', ' '))}<td>{html.escape(str(value))}"
        for name, value in rows.items()) + "</table>"


def _figure(path: Path, caption: str) -> str:
    picture = _image(path, caption)
    words = html.escape(caption)
    return f"<figure>{picture}<figcaption>{words}</figcaption></figure>" if picture else ""


def _image(path: Path, alternative: str) -> str:
    """The picture itself, not a link to it; nothing where there is none."""
    if not path.is_file():
        return ""
    content = base64.b64encode(path.read_bytes()).decode()
    words, kind = html.escape(alternative), path.suffix[1:]
    return f'<img alt="{words}" src="data:image/{kind};base64,{content}">'
