"""`minigan edit RUN PICTURE...`: real pictures in the latent space of a run, and changed there."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import count as counted
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigan.commands.options import (add_backend, add_json, add_pretrained, add_quiet, add_run,
                                      count, labels, natural, number, path, print_json, source_of)
from minigan.system.console import plural, say

if TYPE_CHECKING:
    import numpy as np

    from minigan.editing import Edit
    from minigan.editing.originals import Original
    from minigan.runs import Loaded

HELP = "find real pictures in a run's latent space, and change them there"
MOVES = {"bolder": "boldness", "slant": "slant", "wider": "width", "taller": "height"}
FLOOR = 20     # of the generator's own pictures that are inverted, to compare with
STEPS = 10     # of --mix


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, which pictures, what is changed, and where to write it."""
    parser.description = (
        "Find the latent vector whose image is nearest to a real picture, and draw it again: "
        "changed along directions, or under other labels. Prints a line for each picture, and the "
        "mean error beside what its own pictures get (floor) and the nearest of random draws "
        "(ceiling): root mean square on [-1, 1]. Writes a grid and the latents.")
    add_run(parser, "a run folder, a checkpoint or an exported file")
    parser.add_argument(
        "pictures", metavar="PICTURE", type=path, nargs="*",
        help="files, or folders of them. They are cut to a square, resized, and turned to grey if "
             "the run's images are; where these are light on dark, a drawing on paper is inverted, "
             "and its strokes get their size and place. It is said what was done")
    add_pretrained(parser)
    parser.add_argument(
        "--as-is", action="store_true",
        help="only cut and resize the pictures, and turn them to grey")
    parser.add_argument(
        "--label", type=labels, metavar="LABELS",
        help="what the pictures show, for conditional models: a number or a name for all, or one "
             "for each, like 3,7 (default: the labels that fit best)")
    parser.add_argument(
        "--as", dest="others", type=labels, metavar="LABELS",
        help="draw each picture under these labels, like 0,1,2: the same hand, other digits")
    for name, attribute in MOVES.items():
        parser.add_argument(
            f"--{name}", type=number, metavar="AMOUNT",
            help=f"move along the direction {attribute}; less than 0 is the other way")
    parser.add_argument(
        "--move", type=_move, action="append", metavar="NAME=AMOUNT",
        help="move along any direction that `minigan directions` has measured, such as pca1=-2; "
             "can be given several times")
    parser.add_argument(
        "--directions", type=path, metavar="FILE",
        help="directions that `minigan directions --out FILE` wrote (default: those that are kept "
             "with the run)")
    parser.add_argument(
        "--mix", type=path, nargs=2, metavar=("A", "B"),
        help=f"in place of PICTURE: walk from one picture to another in {STEPS} steps; where their "
             "labels differ, they change in the middle")
    parser.add_argument("--steps", type=count, default=200, help="steps of the search")
    parser.add_argument(
        "--draws", type=count, default=500,
        help="random latents, under each label, among which the search finds its start")
    parser.add_argument(
        "--features", choices=("judge",),
        help="compare pictures of digits in the features of a judge as well, not only by pixels")
    parser.add_argument("--seed", type=natural, default=0, help="seed of the draws")
    add_backend(parser)
    add_json(parser, "minigan, model, preset, step, pictures (file, done, label, labels (an error "
                     "under each, where the label was looked for), error, nearest), error, floor, "
                     "ceiling, moves, as, picture and latents (the files)")
    add_quiet(parser, "the errors and what was written")
    parser.add_argument(
        "--out", type=path,
        help="the PNG to write; the latents go beside it, to a .npz of the same name, which sample "
             "takes as --latents (default: RUN/edits/001.png, or the next number that is free; "
             "FILE-edit-001.png beside a FILE.npz; pretrained-edit-001.png in the working folder). "
             "No file is overwritten")


@dataclass(frozen=True)
class Changes:
    """What is wanted of each picture. others: labels to draw it under."""

    moves: dict[str, float]
    others: list[int] | None
    mixed: bool


def run(options: argparse.Namespace) -> int:
    """Invert, change, write and print; returns the exit status.

    Raises:
        FileNotFoundError: a picture does not exist.
        FileExistsError: --out exists.
        ValueError: options do not go together, or do not fit the run; or a picture cannot be used.
    """
    import minigan
    from minigan.editing.originals import Originals
    from minigan.runs import load
    from minigan.system.threads import use_threads
    use_threads()
    if options.backend:
        minigan.use(options.backend)
    source, places = _source(options)
    _check_out(options.out, source)
    trained = load(source)
    changes = _changes(trained, options)
    originals = Originals(trained.model, options.as_is).read_all(places)
    if changes.mixed and len(originals) != 2:
        raise ValueError(f"--mix: expected two files, got folders with "
                         f"{plural(len(originals), 'picture')}")

    edit, floor = _inverted(trained, originals, options)
    changed = _changed(edit, changes)
    picture, latents = _write(changed, source, options.out)
    record = _record(trained, originals, edit, floor, changes)
    record |= {"picture": picture.as_posix(), "latents": latents.as_posix()}
    if options.json:
        print_json(record)
        return 0
    _print(record, options.draws)
    say(f"{plural(len(changed), 'image')} of {plural(len(originals), 'picture')}: "
        f"{picture.as_posix()}, latents: {latents.as_posix()}")
    return 0


# What was asked for.

def _move(text: str) -> tuple[str, float]:
    """NAME=AMOUNT.

    Raises:
        argparse.ArgumentTypeError: it is something else.
    """
    name, equals, amount = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=AMOUNT, such as slant=-1")
    return name, number(amount)


def _source(options: argparse.Namespace) -> tuple[Path | None, list[Path]]:
    """The run, None for the package's generator, and the pictures. RUN may be left out.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: there are no pictures, or too many kinds of them.
    """
    from minigan.data.pictures import SUFFIXES
    first = options.run_folder
    places = options.pictures
    is_picture = first is not None and first.suffix.lower() in SUFFIXES
    if first is not None and (options.pretrained or is_picture):
        places = [first, *places]
        options.run_folder = None
    if options.mix and places:
        raise ValueError(f"--mix: its two pictures take the place of PICTURE, so leave "
                         f"{str(places[0])!r} out")
    if options.mix and options.others:
        raise ValueError("--mix: a walk keeps its labels; leave --as out")
    places = options.mix or places
    if not places:
        raise ValueError("PICTURE: give one or more files or folders, as in `minigan edit RUN "
                         "my.png`, or two files to --mix")
    try:
        return source_of(options), places
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}, or add --pretrained") from None


def _check_out(out: Path | None, source: Path | None) -> None:
    """Refuse a file that would be overwritten or cannot be made, before anything is computed."""
    from minigan.system.paths import check_writable, exists
    check_writable(out or _free(source))
    if out is None:
        return
    if out.suffix.lower() != ".png":
        raise ValueError(f"--out must end in .png, got {str(out)!r}")
    for file in (out, out.with_suffix(".npz")):
        if exists(file):
            raise FileExistsError(f"--out: {file} exists; choose another name")


def _changes(trained: Loaded, options: argparse.Namespace) -> Changes:
    """What is wanted, checked: an inversion takes long, and should not be in vain.

    Raises:
        ValueError: it does not fit the run.
    """
    from minigan.editing import Directions, Drawing
    from minigan.editing.edit import check_moves
    from minigan.runs.classes import label_numbers
    model = trained.model
    Drawing(model)  # refuses models that have no latents
    for option, given in (("--label", options.label), ("--as", options.others)):
        if given and not model.conditional:
            raise ValueError(f"{option}: {model.name} is not conditional")

    wanted = [(attribute, getattr(options, name)) for name, attribute in MOVES.items()]
    moves: dict[str, float] = {}
    for name, amount in [*wanted, *(options.move or ())]:
        if amount is not None:
            moves[name] = moves.get(name, 0.0) + amount
    if options.directions:
        trained.directions = Directions.load(options.directions, model)
    if moves:
        check_moves(trained.directions, moves)

    others = None
    if options.others:
        numbers = label_numbers(options.others, trained.class_names, model.n_classes)
        others = model.checked_labels(numbers, len(numbers)).numpy().tolist()
    return Changes(moves, others, bool(options.mix))


# What is done.

def _inverted(trained: Loaded, originals: list[Original], options: argparse.Namespace
              ) -> tuple[Edit, np.ndarray]:
    """The pictures as they were found, and the errors of the generator's own."""
    import numpy as np

    from minigan.editing import floor
    from minigan.system.console import is_quiet
    pixels = np.stack([each.pixels for each in originals])
    settings: dict[str, Any] = {
        "steps": options.steps, "draws": options.draws, "features": options.features,
        "seed": options.seed, "progress": not is_quiet() and not options.json}
    edit = trained.edit(pixels, options.label, **settings)
    own = floor(trained.model, FLOOR, **settings)
    return edit, own.error


def _changed(edit: Edit, changes: Changes) -> Edit:
    """What was wanted."""
    if changes.mixed:
        edit = edit.mix(0, 1, STEPS)
    if changes.others:
        edit = edit.relabel(changes.others)
    return edit.move(**changes.moves) if changes.moves else edit


def _write(edit: Edit, source: Path | None, out: Path | None) -> tuple[Path, Path]:
    """Write the latents and the grid; returns the paths of the grid and of the latents."""
    from minigan import plot
    while True:
        picture = out or _free(source)
        try:
            latents = edit.save(picture.with_suffix(".npz"))
            break
        except FileExistsError:  # another edit took the number meanwhile
            if out is not None:
                raise
    plot.save(edit.grid(), picture)
    return picture, latents


def _free(source: Path | None) -> Path:
    """The next name beside the run that neither a picture nor latents have."""
    from minigan.system.paths import exists
    for i in counted(1):
        if source is None:
            picture = Path(f"pretrained-edit-{i:03d}.png")
        elif source.is_dir():
            picture = source / "edits" / f"{i:03d}.png"
        else:  # there may be other files next to it
            picture = source.with_name(f"{source.stem}-edit-{i:03d}.png")
        if not exists(picture) and not exists(picture.with_suffix(".npz")):
            return picture
    raise AssertionError("the numbers have no end")


# What is said.

def _record(trained: Loaded, originals: list[Original], edit: Edit, floor: np.ndarray,
            changes: Changes) -> dict[str, Any]:
    """The numbers, as --json prints them."""
    from minigan.runs.classes import names_of_all
    from minigan.version import __version__
    found = edit.inversion
    assert found is not None
    names = names_of_all(trained.class_names, trained.model.n_classes)
    pictures = []
    for i, original in enumerate(originals):
        picture: dict[str, Any] = {
            "file": original.path.as_posix(), "done": list(original.done),
            "label": None, "labels": None,
            "error": _rounded(found.error[i]), "nearest": _rounded(found.nearest[i])}
        if found.labels is not None:
            picture["label"] = names[found.labels[i]]
        if found.by_label is not None:
            picture["labels"] = dict(zip(names, map(_rounded, found.by_label[i])))
        pictures.append(picture)
    config = trained.config
    return {"minigan": __version__, "model": config["model"], "preset": config["preset"],
            "step": config["step"], "pictures": pictures,
            "error": _rounded(found.error.mean()),
            "floor": _rounded(floor.mean()), "ceiling": _rounded(found.nearest.mean()),
            "moves": changes.moves,
            "as": None if changes.others is None else [names[label] for label in changes.others]}


def _rounded(value: Any) -> float:
    return round(float(value), 4)


def _print(record: dict[str, Any], draws: int) -> None:
    """A line for each picture, then the mean error."""
    for picture in record["pictures"]:
        error = f"error {picture['error']:.3f}"
        if picture["labels"] is not None:
            error = f"{_fitting(picture)}, {error}"
        elif picture["label"] is not None:
            error = f"as {picture['label']}, {error}"
        words = [error, *picture["done"]]
        print(f"{picture['file']}: {'; '.join(words)}")
    print(f"mean error {record['error']:.3f}; its own pictures {record['floor']:.3f} (floor), "
          f"nearest of {draws:,} draws {record['ceiling']:.3f} (ceiling)")


def _fitting(picture: dict[str, Any]) -> str:
    """The label that fits a picture best, and the next one."""
    best = picture["label"]
    others = {label: error for label, error in picture["labels"].items() if label != best}
    if not others:
        return f"{best} fits best"
    return f"{best} fits best, then {min(others, key=others.__getitem__)}"
