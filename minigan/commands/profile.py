"""`minigan profile MODEL`: where the time and the memory of a training step go."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator

from minigan.commands.options import (add_backend, add_json, count, path, print_json, suggest,
                                      threads)
from minigan.system.console import plural

if TYPE_CHECKING:
    from minigan.models import Model
    from minigan.profiler import Profile

HELP = "show where a training step's time and memory go"
WARM_UP = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which step, and how often."""
    from minigan.models.catalog import find, names
    suggest(parser.add_argument("model", metavar="MODEL", help=", ".join(names())), names())
    presets = dict.fromkeys(preset for name in names() for preset in find(name).presets)
    suggest(parser.add_argument("--preset", help="its settings (default: the model's first)"),
            presets)
    parser.add_argument("--batch-size", type=count, default=64, help="images a step")
    parser.add_argument("--size", type=count, help="height and width of the images (default: those "
                        "that the preset is made for, 28 or 64)")
    parser.add_argument("--steps", type=count, default=10, help="steps to measure, after "
                        f"{WARM_UP} that are not")
    add_backend(parser)
    parser.add_argument("--threads", type=threads, help="threads to compute with (default: all "
                        "cores, 4 at most)")
    add_json(parser, "model, preset, image_shape, batch_size, backend, threads, steps, picture, "
             "and of a step ms, made_mb, peak_mb and rows, a list: name, is_op, calls, ms, "
             "made_mb, held_mb (at the peak), the last four as [forward, backward]")
    parser.add_argument("--out", type=path, help="the picture (default: runs/profile-MODEL-"
                        "PRESET.png)")


def run(options: argparse.Namespace) -> int:
    """Measure, print the table, write the picture; returns the exit status."""
    import numpy as np

    import minigan
    from minigan import plot
    from minigan.backend import default
    from minigan.models.catalog import find
    from minigan.profiler import profile
    from minigan.system.allocator import keep_freed_memory
    if options.backend:
        minigan.use(options.backend)
    find_model = find(options.model)
    shape = find_model.natural_shape(options.preset)
    if options.size:
        shape = (options.size, options.size, shape[2])
    model = find_model(options.preset, shape, 0)
    out = options.out or Path(f"runs/profile-{model.name}-{model.preset}.png")
    keep_freed_memory()
    threads = minigan.use_threads(options.threads)
    xp, n = default(), options.batch_size
    x = minigan.Tensor(xp.from_host(minigan.Stream(0, "data").uniform((n, *shape), -1.0, 1.0)))
    labels = minigan.Tensor(xp.from_host(np.arange(n) % model.n_classes))
    for _ in range(WARM_UP):
        model.step(x, labels)
    with profile() as found, timed_optimizers(found, model):
        for _ in range(options.steps):
            model.step(x, labels)
    what = (f"{model.name} {model.preset}, {plural(n, 'image')} of {'x'.join(map(str, shape))}, "
            f"{xp.describe()}, {plural(threads, 'thread')}")
    if not options.json:
        print(f"{what}: a step, as the mean of {options.steps}\n\n{found.table(options.steps)}")
    figure = found.picture(f"Where a step of {model.name} {model.preset} goes",
                           f"{what}. Backward: in that op's rule.", options.steps)
    picture = plot.save(figure, out).as_posix()
    if options.json:
        print_json({
            "model": model.name, "preset": model.preset, "image_shape": shape, "batch_size": n,
            "backend": xp.describe(), "threads": threads, "steps": options.steps,
            "picture": picture, **found.record(options.steps)})
    else:
        print(f"\npicture: {picture}")
    return 0


@contextmanager
def timed_optimizers(found: Profile, model: Model) -> Iterator[None]:
    """Give the optimizers' steps and the moving average rows of their own while this lasts."""
    with ExitStack() as undo:
        for optimizer in model.optimizers.values():
            undo.callback(time_method(found, optimizer, "step", f"{type(optimizer).__name__}.step"))
        if model.ema is not None:
            undo.callback(time_method(found, model.ema, "update", "EMA.update"))
        yield


def time_method(found: Profile, owner: Any, method: str, name: str) -> Any:
    """Time an object's method under a name; returns the function that undoes it."""
    original = getattr(owner, method)

    def timed(*given: Any, **more: Any) -> Any:
        with found.timed(name):
            return original(*given, **more)

    setattr(owner, method, timed)
    return lambda: delattr(owner, method)
