"""The `minigan` command. Imports lazily, so that `minigan --help` is quick."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import Any, NoReturn, Sequence

INTERRUPTED = 130  # exit status after Ctrl-C, as shells count it


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Errors are one sentence on standard error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = _parser(arguments).parse_args(arguments)
    try:
        status = options.run(options)
        sys.stdout.flush()  # while a closed pipe can still be caught
        return status
    except KeyboardInterrupt:
        print("minigan: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # as after `| head`; what is left to flush goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, ArithmeticError, OSError, RuntimeError, MemoryError) as error:
        if os.environ.get("MINIGAN_TRACEBACK"):
            raise
        print(f"minigan: error: {_sentence(error)}", file=sys.stderr)
        return 2


def _sentence(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"out of memory ({error}); a smaller --batch-size needs less"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'writing'}: {error.strerror.lower()}"
    return " ".join(str(error).split()) or type(error).__name__


# ---------------------------------------------------------------- options

def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    from minigan import __version__
    parser = _Parser(
        prog="minigan", description="Generative adversarial networks from scratch, on NumPy or "
        "CuPy.", formatter_class=_Formatter)
    parser.add_argument("--version", action="version", version=f"minigan {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    train = commands.add_parser("train", help="train a model and write a run folder",
                                formatter_class=_Formatter)
    models = train.add_subparsers(title="models", metavar="MODEL", required=True)
    if "train" in arguments:  # only then is it worth importing the models
        _add_models(models)

    sample = commands.add_parser("sample", help="draw images from a finished run",
                                 formatter_class=_Formatter)
    sample.add_argument("run_folder", metavar="RUN", help="a run folder or a checkpoint file")
    sample.add_argument("--n", type=_count, help="how many images (default: 64, or as many as "
                        "labels)")
    sample.add_argument("--labels", type=_labels, help="for conditional models: which, as 2,0,2,6 "
                        "(default: all in turn)")
    sample.add_argument("--seed", type=int, default=0, help="of the latent vectors")
    sample.add_argument("--raw", action="store_true", help="use the generator's own weights, not "
                        "their moving average")
    sample.add_argument("--data-dir", type=Path, help="for models that start from images: where "
                        "the files of their data set are (default: as in training)")
    sample.add_argument("--out", type=Path, help="the PNG to write (default: RUN/samples/"
                        "seed-SEED.png)")
    sample.set_defaults(run=_sample)

    commands.add_parser("models", help="list models and presets", formatter_class=_Formatter
                        ).set_defaults(run=_models)
    info = commands.add_parser("info", help="show what this machine computes with",
                               formatter_class=_Formatter)
    info.add_argument("--test", action="store_true", help="also run ten ops on each backend")
    info.set_defaults(run=_info)
    return parser


class _Parser(argparse.ArgumentParser):
    """Reports a wrong option in one sentence, without the list of all others."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (--help shows all there is)\n")


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, but not those that say nothing."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


def _count(text: str) -> int:
    return _whole(text, 1)


def _steps(text: str) -> int:
    return _whole(text, 0)


def _labels(text: str) -> list[int]:
    return [_whole(part, 0) for part in text.split(",")]


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
    if value < least:
        raise argparse.ArgumentTypeError(f"must be {least} or more, got {value}")
    return value


def _add_models(models: Any) -> None:
    from minigan.models.catalog import find, names
    for name in names():
        model = find(name)
        parser = models.add_parser(name, help=model.paper, formatter_class=_Formatter,
                                   description=f"{model.paper}.")
        run = parser.add_argument_group("run")
        run.add_argument("--steps", type=_steps, default=model.default_steps,
                         help="training steps in all")
        run.add_argument("--batch-size", type=_count, default=64, help="images a step")
        run.add_argument("--seed", type=_steps, default=0, help="of everything that is random")
        run.add_argument("--data", default="digits", help="data set: digits (5,000 MNIST digits, "
                         "in the package), mnist, fashion-mnist")
        run.add_argument("--data-dir", type=Path, help="where its files are (default: "
                         "MINIGAN_DATA, else the user's cache folder)")
        run.add_argument("--out", type=Path, help=f"run folder (default: the next free "
                         f"runs/{name}-001)")
        run.add_argument("--overwrite", action="store_true", help="if --out is a run folder, keep "
                         "it as OUT.old and start anew")
        run.add_argument("--backend", help="numpy or cupy (default: MINIGAN_BACKEND, else numpy)")
        run.add_argument("--threads", type=_count, help="threads to compute with (default: all "
                         "cores, 4 at most)")
        group = parser.add_argument_group("settings of the model")
        group.add_argument("--preset", default=next(iter(model.presets)),
                           choices=list(model.presets), help="the settings to start from; the "
                           "defaults below are those of the first")
        first = next(iter(model.presets.values()))
        for field in dataclasses.fields(model.Settings):
            if type(field.default) is bool:
                group.add_argument(
                    f"--{field.name.replace('_', '-')}", dest=f"setting_{field.name}",
                    action=argparse.BooleanOptionalAction,
                    help=f"{field.metadata['help']} (default: {getattr(first, field.name)})")
                continue
            whole = _count if field.default else _steps
            group.add_argument(
                f"--{field.name.replace('_', '-')}", dest=f"setting_{field.name}", metavar=(
                    "{" + ",".join(field.metadata["choices"]) + "}" if field.metadata["choices"]
                    else type(field.default).__name__.upper()),
                type=whole if type(field.default) is int else type(field.default),
                choices=field.metadata["choices"] or None,
                help=f"{field.metadata['help']} (default: {getattr(first, field.name)})")
        parser.set_defaults(run=_train, model=model)


# ---------------------------------------------------------------- commands

def _train(options: argparse.Namespace) -> int:
    import minigan
    from minigan import data
    from minigan.training import Trainer
    if options.backend:
        minigan.use(options.backend)
    settings = {name.removeprefix("setting_"): value for name, value in vars(options).items()
                if name.startswith("setting_") and value is not None}
    images = data.load(options.data, folder=options.data_dir)
    model = options.model(options.preset, images.shape, minigan.seed(options.seed),
                          images.n_classes or 10, **settings)
    trainer = Trainer(model, images, options.batch_size, options.out, options.overwrite,
                      options.threads)
    print(f"run folder: {trainer.folder}")
    print(f"{model.name} {model.preset} on {images.name} ({len(images):,} images "
          f"{'x'.join(map(str, images.shape))}), {trainer.xp.describe()}, {trainer.threads} "
          f"thread{'s' * (trainer.threads > 1)}, {options.steps:,} steps of "
          f"{options.batch_size}; look at {trainer.folder}/samples/latest.png", flush=True)
    trainer.fit(options.steps)
    if trainer.interrupted:
        print(f"interrupted at step {trainer.step:,}; what was learned is saved in "
              f"{trainer.folder.checkpoint.as_posix()}")
        return INTERRUPTED
    print(f"{trainer.step:,} steps in {trainer.seconds:.0f} s; see samples/latest.png and "
          f"losses.png\nrun folder: {trainer.folder}")
    return 0


def _sample(options: argparse.Namespace) -> int:
    from minigan import data, plot
    from minigan.training import load
    trained = load(options.run_folder)
    if options.labels and not trained.model.conditional:
        raise ValueError(f"--labels: {trained.model.name} is not conditional")
    if options.labels and options.n and options.n != len(options.labels):
        raise ValueError(f"--n is {options.n}, but there are {len(options.labels)} --labels")
    columns = trained.model.n_classes if trained.model.conditional else 8
    n = options.n or len(options.labels or ()) or 8 * columns
    given = options.data_dir and data.load(trained.config["data"], folder=options.data_dir)
    images = trained.pictures(n, labels=options.labels, seed=options.seed, raw=options.raw,
                              images=given)
    run = Path(options.run_folder)
    name = f"seed-{options.seed}.png"
    out = options.out or (run / "samples" / name if run.is_dir() else run.with_name(name))
    plot.save(plot.tile(images, min(n, columns)), out, scale=2)
    print(f"{len(images)} image{'s' * (len(images) > 1)}: {Path(out).as_posix()}")
    return 0


def _models(options: argparse.Namespace) -> int:
    from minigan.models.catalog import find, names
    for name in names():
        model = find(name)
        print(f"{name:10} {model.paper}\n{'':10} presets: {', '.join(model.presets)}")
    return 0


def _info(options: argparse.Namespace) -> int:
    from minigan import __version__
    from minigan.backend import Backend, known, machine, threads
    from minigan.data.sources import cache_folder
    facts = machine.environment()
    others = machine.busy_cores()
    rows = {
        "minigan": __version__,
        "Python": f"{facts['python']} on {facts['system']}",
        "processor": f"{facts['processor']}, {os.cpu_count()} cores"
                     + ("" if others is None else f", {others:.1f} of them used by others now"),
        "NumPy": facts["numpy"],
        "BLAS": ", ".join(f"{lib['name']} {lib['version']}, {lib['threads']} threads by itself"
                          for lib in machine.blas()) or "unknown",
        "threads": f"{threads.default_threads()} when minigan trains (--threads)",
        "data folder": str(cache_folder()),
    }
    backends = known()
    for name, backend in backends.items():
        rows[f"backend {name}"] = (backend.describe() if isinstance(backend, Backend) else backend)
    for name, value in rows.items():
        print(f"{name + ':':16} {value}")
    agree = True
    for name, backend in backends.items():
        if options.test and isinstance(backend, Backend):
            passed = _ten_ops(name)
            print(f"{'test ' + name + ':':16} ten ops and their gradient "
                  f"{'agree with' if passed else 'DIFFER from'} NumPy's")
            agree = agree and passed
    return 0 if agree else 1


def _ten_ops(device: str) -> bool:
    """Run ten ops and their gradient on a device and on NumPy: do they agree?"""
    import numpy as np

    from minigan import grad, ops, tensor, use
    results = []
    for name in (device, "numpy"):
        with use(name):
            x = tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], requires_grad=True)
            product = ops.matmul(ops.exp(x) + 1, ops.transpose(x))
            y = ops.mean(ops.softplus(ops.tanh(product) / 2 - ops.sigmoid(product)))
            results.append(np.append(grad(y, x).numpy(), y.item()))
    return bool(np.abs(results[0] - results[1]).max() < 1e-5)


if __name__ == "__main__":
    sys.exit(main())
