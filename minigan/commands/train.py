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
SETTING = "setting_"  # in front of the names of a model's settings among the options


def add_options(parser: argparse.ArgumentParser) -> None:
    """A parser for each model, with the model's settings among its options."""
    from minigan.models.catalog import find, names
    models = parser.add_subparsers(title="models", metavar="MODEL", required=True)
    for name in names():
        model = find(name)
        parser = models.add_parser(name, help=model.paper, formatter_class=Formatter,
                                   description=f"{model.paper}.")
        _add_run_options(parser.add_argument_group("run"), name, model)
        _add_settings(parser.add_argument_group("settings of the model"), model)
        parser.set_defaults(model=model)


def _add_run_options(run: argparse._ArgumentGroup, name: str, model: type[Model]) -> None:
    """Options for how long to train, on what data, into which folder, and how."""
    from minigan.data.sets import names as sets
    run.add_argument(
        "--steps", type=natural, default=model.default_steps, help="training steps in all")
    run.add_argument(
        "--batch-size", type=count,
        help=f"images a step (default: {model.default_batch_size}, or all if there are fewer)")
    run.add_argument(
        "--seed", type=natural, default=0, help="seed of everything that is random")
    data = run.add_argument(
        "--data", default="digits",
        help="data set: digits (5,000 MNIST digits, in the package), another that `minigan data` "
             "lists, or the path of a folder of pictures")
    suggest(data, sets())
    run.add_argument(
        "--size", type=count,
        help="height and width of the images: their middle square is cut out and made smaller or "
             f"larger (default: {_default_size(model)})")
    run.add_argument(
        "--data-dir", type=path,
        help="where the data set's files are (default: MINIGAN_DATA, else the user's cache folder)")
    run.add_argument(
        "--out", type=path, help=f"run folder (default: the next free runs/{name}-001)")
    run.add_argument(
        "--overwrite", action="store_true",
        help="if --out is a run folder, keep it as OUT.old and start from the beginning")
    add_backend(run)
    add_speed_options(run)
    add_quiet(run, "the run folder")
    run.add_argument(
        "--threads", type=threads,
        help="threads to compute with (default: all cores, 4 at most)")


def _default_size(model: type[Model]) -> str:
    made_for = [f"{height} with the preset {preset}"
                for preset, (height, _, _) in model.shapes.items()]
    return ", ".join(["their own", *made_for])


def _add_settings(group: argparse._ArgumentGroup, model: type[Model]) -> None:
    """--preset, and an option for each setting, with the first preset's value as its default."""
    name, first = next(iter(model.presets.items()))
    group.add_argument(
        "--preset", default=name, choices=list(model.presets),
        help="the settings to start from; the defaults below are those of the first preset, and "
             "`minigan models --json` lists those of all")
    for field in dataclasses.fields(model.Settings):
        _add_setting(group, field, getattr(first, field.name))


def _add_setting(group: argparse._ArgumentGroup, field: dataclasses.Field, default: object) -> None:
    flag = f"--{field.name.replace('_', '-')}"
    common: dict[str, Any] = {
        "dest": f"{SETTING}{field.name}",
        "help": f"{field.metadata['help']} (default: {default})",
    }
    of_type = type(field.default)
    if of_type is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, **common)
        return

    choices = field.metadata["choices"]
    read: Callable[[str], Any] = of_type
    if of_type is int:
        read = count if field.default else natural
    elif of_type is float:
        read = positive if field.metadata["positive"] else number
    shown = "{" + ",".join(choices) + "}" if choices else of_type.__name__.upper()
    group.add_argument(flag, type=read, choices=choices or None, metavar=shown, **common)


def run(options: argparse.Namespace) -> int:
    """Train; returns the exit status.

    Raises:
        ValueError: a setting does not fit the model or the data.
    """
    import minigan
    from minigan import data
    from minigan.commands.fitting import captures, fit, use_backend
    from minigan.training import Trainer
    use_backend(options)
    size = options.size
    if not size and options.preset in options.model.shapes:
        size = options.model.shapes[options.preset][0]
    images = data.load(options.data, folder=options.data_dir, size=size)
    if options.batch_size and options.batch_size > len(images):
        raise ValueError(f"--batch-size: {options.batch_size:,} is more than the "
                         f"{plural(len(images), 'image')} of {images.name}")

    model = options.model(options.preset, images.shape, minigan.seed(options.seed),
                          images.n_classes or 10, **_settings(options))
    trainer = Trainer(model, images, options.batch_size, options.out, options.overwrite,
                      options.threads, capture=captures(options))

    if is_folder(images.source["name"] if images.source else ""):
        remark(f"the middle square of each picture is taken, at {images.shape[0]}x"
               f"{images.shape[1]} pixels")
    if size and not options.size:
        remark(f"the images are made {size}x{size}, the size of the preset {options.preset}; "
               f"--size takes another")
    return fit(trainer, options.steps)


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """The model's settings that were given, by name."""
    return {name.removeprefix(SETTING): value for name, value in vars(options).items()
            if name.startswith(SETTING) and value is not None}
