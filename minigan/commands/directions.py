"""`minigan directions RUN`: find directions in a generator's latent space, and see what moves.

What is found is kept beside the run. `minigan edit RUN --slant -1` moves along it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigan.commands.options import (add_backend, add_json, add_pretrained, add_quiet, add_run,
                                      count, natural, path, print_json, source_of)
from minigan.system.console import remark

if TYPE_CHECKING:
    from minigan.editing import Directions
    from minigan.runs import Loaded

HELP = "find directions in a generator's latent space, such as slant"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, and how to look."""
    add_run(parser, "a run folder, a checkpoint or an exported file")
    add_pretrained(parser)
    parser.add_argument(
        "--by", choices=("attributes", "pca", "weights"),
        help="how: attributes measures boldness, slant, width and height of strokes; pca takes the "
             "principal components of the first layer, weights the singular vectors of its weight "
             "(default: attributes, and pca where pictures show no strokes)")
    parser.add_argument(
        "--n", type=count, default=2000, help="how many pictures to draw and measure")
    parser.add_argument(
        "--count", type=count, default=8, help="how many directions of pca and weights")
    parser.add_argument("--seed", type=natural, default=0, help="seed of the pictures")
    add_backend(parser)
    add_json(parser, "minigan, model, preset, step, by, n, seed, amounts, spread by attribute, "
                     "directions (name, kind, strength, in_sample, change, means by attribute), "
                     "files")
    add_quiet(parser, "the table")
    parser.add_argument(
        "--out", type=path,
        help="the npz to write; a picture of that name goes beside it (default: "
             "RUN/directions.npz, FILE-directions.npz beside a FILE.npz; directions of other kinds "
             "that are in it stay there)")


def run(options: argparse.Namespace) -> int:
    """Find, print, write; returns the exit status.

    Raises:
        ValueError: RUN and --pretrained are both given; --out does not end in .npz, or there is
            another file in its place or in the picture's.
    """
    import minigan
    from minigan import plot
    from minigan.editing.directions.finding import find_directions
    from minigan.editing.directions.picture import directions_picture
    from minigan.editing.directions.table import table
    from minigan.runs import load
    from minigan.system.paths import check_writable
    from minigan.system.threads import use_threads
    use_threads()
    if options.backend:
        minigan.use(options.backend)
    source = source_of(options)
    out = _place(source, options.out)
    check_writable(out)
    trained = load(source)
    before = _earlier(out, trained)

    found = find_directions(trained.model, options.by, options.n, options.seed, options.count)
    kept = before.updated(found) if before else found
    out.parent.mkdir(parents=True, exist_ok=True)
    kept.save(out)
    picture = plot.save(directions_picture(trained.model, kept), out.with_suffix(".png"))

    files = [out.as_posix(), picture.as_posix()]
    if options.json:
        print_json(_document(found, trained, options, files))
    else:
        print("\n".join(table(found)))
        print(f"see {files[1]}; kept in {files[0]}")
        if source is not None and source.is_dir() and options.out is None:
            print(f"`minigan report {source.as_posix()}` shows them in the report")
    return 0


def _place(source: Path | None, out: Path | None) -> Path:
    """The file to write."""
    from minigan.editing.directions.record import directions_path
    if out is None:
        return Path("pretrained-directions.npz") if source is None else directions_path(source)
    if out.suffix != ".npz":
        raise ValueError(f"--out must end in .npz, got {str(out)!r}")
    return out


def _earlier(out: Path, trained: Loaded) -> Directions | None:
    """The directions that are there already, None if they are of another generator.

    Those of a run that was trained on since then are of another one, and are replaced.
    """
    from minigan.editing import Directions, fingerprint, is_same
    from minigan.system.paths import exists
    picture = out.with_suffix(".png")
    if not exists(out):
        if exists(picture):
            raise ValueError(f"{picture} exists, and is no picture of {out.name}, which does not; "
                             f"give another --out")
        return None
    try:
        earlier = Directions.load(out)
    except ValueError as error:
        raise ValueError(f"{error}; it stays as it is: give another --out") from None
    if is_same(earlier.fingerprint, fingerprint(trained.model)):
        return earlier
    remark(f"{out.as_posix()} was of another generator, or of this one before it was trained on; "
           f"it is replaced")
    return None


def _document(found: Directions, trained: Loaded, options: argparse.Namespace, files: list[str]
              ) -> dict[str, Any]:
    """What --json prints."""
    from minigan.editing.directions.effects import AMOUNTS
    from minigan.version import __version__
    config = trained.config
    entries = []
    for i, name in enumerate(found.names):
        in_sample = float(found.in_sample[i])
        entries.append({
            "name": name, "kind": found.kinds[i], "strength": float(found.strength[i]),
            "in_sample": in_sample if in_sample == in_sample else None,
            "change": float(found.change[i]),
            "means": {attribute: found.means[i, :, j].tolist()
                      for j, attribute in enumerate(found.attributes)}})
    return {"minigan": __version__, "model": config["model"], "preset": config["preset"],
            "step": config["step"], "by": found.kinds[0], "n": options.n, "seed": options.seed,
            "amounts": list(AMOUNTS),
            "spread": dict(zip(found.attributes, found.spread.tolist())),
            "directions": entries, "files": files}
