"""`minigan train MODEL`: train a model and write a run folder."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any, Callable

from minigan.commands.options import (Formatter, add_backend, add_quiet, add_speed_options, count,
                                      natural, number, path, positive, suggest, threads)
from minigan.data.places import is_folder
from minigan.system.console import plural, remark

if TYPE_CHECKING:
    from minigan.models import Model

HELP = "train a model and write a run folder"


def add_options(parser: argparse.ArgumentParser) -> None:
    """A parser for each model, with the model's settings among the options."""
    from minigan.data.sets import names as sets
    from minigan.models.catalog import find, names
    models = parser.add_subparsers(title="models", metavar="MODEL", required=True)
    for name in names():
        model = find(name)
        parser = models.add_parser(name, help=model.paper, formatter_class=Formatter,
                                   description=f"{model.paper}.")
        run = parser.add_argument_group("run")
        run.add_argument("--steps", type=natural, default=model.default_steps,
                         help="training steps in all")
        run.add_argument("--batch-size", type=count, help=f"images a step (default: "
                         f"{model.default_batch_size}, or all where there are fewer)")
        run.add_argument("--seed", type=natural, default=0, help="of everything that is random")
        which = run.add_argument("--data", default="digits", help="data set: digits (5,000 MNIST "
                                 "digits, in the package), another that `minigan data` lists, or "
                                 "the path of a folder of pictures, of which the middle square is "
                                 "taken")
        suggest(which, sets())
        run.add_argument("--size", type=count, help="height and width to bring its images to: "
                         "their middle square is cut out and made smaller or larger (default: "
                         f"{_default_size(model)})")
        run.add_argument("--data-dir", type=path, help="where its files are (default: "
                         "MINIGAN_DATA, else the user's cache folder)")
        run.add_argument("--out", type=path, help=f"run folder (default: the next free "
                         f"runs/{name}-001)")
        run.add_argument("--overwrite", action="store_true", help="if --out is a run folder, keep "
                         "it as OUT.old and start anew")
        add_backend(run)
        add_speed_options(run)
        add_quiet(run, "the run folder")
        run.add_argument("--threads", type=threads, help="threads to compute with (default: all "
                         "cores, 4 at most)")
        group = parser.add_argument_group("settings of the model")
        group.add_argument("--preset", default=next(iter(model.presets)),
                           choices=list(model.presets), help="the settings to start from; the "
                           "defaults below are those of the first, and `minigan models --json` "
                           "lists all")
        first = next(iter(model.presets.values()))
        for field in dataclasses.fields(model.Settings):
            _add_setting(group, field, getattr(first, field.name))
        parser.set_defaults(model=model)


def _default_size(model: type[Model]) -> str:
    made_for = [f"{height} with the preset {preset}"
                for preset, (height, _, _) in model.shapes.items()]
    return ", ".join(["their own", *made_for])


def _add_setting(group: argparse._ArgumentGroup, field: dataclasses.Field, default: object) -> None:
    flag, destination = f"--{field.name.replace('_', '-')}", f"setting_{field.name}"
    text = f"{field.metadata['help']} (default: {default})"
    kind, choices = type(field.default), field.metadata["choices"]
    if kind is bool:
        group.add_argument(flag, dest=destination, help=text,
                           action=argparse.BooleanOptionalAction)
        return
    if kind is int:
        read: Callable[[str], Any] = count if field.default else natural
    elif kind is float:
        read = positive if field.metadata["positive"] else number
    else:
        read = kind
    group.add_argument(flag, dest=destination, help=text, choices=choices or None, type=read,
                       metavar="{" + ",".join(choices) + "}" if choices else kind.__name__.upper())


def run(options: argparse.Namespace) -> int:
    """Train; returns the exit status."""
    import minigan
    from minigan import data
    from minigan.commands.fitting import captures, fit, use_backend
    from minigan.training import Trainer
    use_backend(options)
    settings = {name.removeprefix("setting_"): value for name, value in vars(options).items()
                if name.startswith("setting_") and value is not None}
    size = options.size
    if not size and options.preset in options.model.shapes:
        size = options.model.shapes[options.preset][0]
    images = data.load(options.data, folder=options.data_dir, size=size)
    if options.batch_size and options.batch_size > len(images):
        raise ValueError(f"--batch-size: {options.batch_size:,} is more than the "
                         f"{plural(len(images), 'image')} of {images.name}")
    model = options.model(options.preset, images.shape, minigan.seed(options.seed),
                          images.n_classes or 10, **settings)
    trainer = Trainer(model, images, options.batch_size, options.out, options.overwrite,
                      options.threads, capture=captures(options))
    if is_folder(images.source["name"] if images.source else ""):
        remark(f"of each picture the middle square is taken, at {images.shape[0]}x"
               f"{images.shape[1]} pixels")
    if size and not options.size:
        remark(f"the images are brought to {size}x{size}, for which the preset {options.preset} is "
               f"made; --size takes another")
    return fit(trainer, options.steps)
