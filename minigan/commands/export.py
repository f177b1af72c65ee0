"""`minigan export RUN`: a run's generator alone, in a small file, or for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from minigan.commands.options import add_pretrained, add_run, path, source_of

HELP = "write a run's generator alone, to a small file, also for other programs"
BESIDE = Path()  # what stands for a file beside the run, as no file has that name
FORMATS = {"onnx": "an ONNX file, which onnxruntime and other programs draw with",
           "safetensors": "the weights as safetensors, which PyTorch and others read"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which run, and where to."""
    add_run(parser, "a run folder, a checkpoint or an exported file")
    add_pretrained(parser, "; its files go to this folder")
    for name, what in FORMATS.items():
        parser.add_argument(
            f"--{name}", metavar="FILE", type=path, nargs="?", const=BESIDE,
            help=f"write {what}, by the package {name} (default: RUN/generator.{name})")
    parser.add_argument(
        "--out", type=path,
        help="the file to write; .npz, .onnx or .safetensors says which kind (default, unless "
             "another kind is asked for: RUN/generator.npz)")


def run(options: argparse.Namespace) -> int:
    """Write the files; returns the exit status.

    Raises:
        FileExistsError: one of them exists; then none is written.
        RuntimeError: a package that writes one of them cannot be imported; then none is written.
        ValueError: RUN and --pretrained are both given, or a file has another ending.
    """
    from minigan.portable import check_package
    from minigan.runs import load
    _check_endings(options)
    source = source_of(options)
    outs = _outs(options, source)
    for out in outs:
        if out.exists():
            raise FileExistsError(f"export: {out} exists; choose another name")
        check_package(out.suffix)
    trained = load(source)
    config = trained.config
    for out in outs:
        written = trained.export(out)
        print(f"{config['model']} {config['preset']}, step {config['step']:,}, "
              f"{written.stat().st_size:,} bytes: {written.as_posix()}")
    return 0


def _check_endings(options: argparse.Namespace) -> None:
    for name in FORMATS:
        given = getattr(options, name)
        if given not in (None, BESIDE) and given.suffix != f".{name}":
            raise ValueError(f"--{name}: the file must end in .{name}, got {str(given)!r}; RUN "
                             f"stands before this option")


def _outs(options: argparse.Namespace, source: Path | None) -> list[Path]:
    """The files to write."""
    beside = Path("generator")
    if source is not None:
        beside = (source if source.is_dir() else source.parent) / "generator"
    outs = []
    for name in FORMATS:
        given = getattr(options, name)
        named = options.out is not None and options.out.suffix == f".{name}"
        if given is not None and not (given == BESIDE and named):  # --out says where it goes
            outs.append(beside.with_suffix(f".{name}") if given == BESIDE else given)
    if options.out or not outs:
        outs.insert(0, options.out or beside.with_suffix(".npz"))
    return outs
