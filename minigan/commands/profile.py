"""`minigan profile MODEL`: where the time and the memory of a training step go."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator

from minigan.commands.options import count, path, threads

if TYPE_CHECKING:
    from minigan.models import Model
    from minigan.profiler import Profile

HELP = "show where a training step's time and memory go"
WARM_UP = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which step, and how often."""
    from minigan.models.catalog import names
    parser.add_argument("model", metavar="MODEL", help=", ".join(names()))
    parser.add_argument("--preset", help="its settings (default: the model's first)")
    parser.add_argument("--batch-size", type=count, default=64, help="images a step")
    parser.add_argument("--size", type=count, help="height and width of the images (default: 28, "
                        "or 64 where the preset's name ends in it)")
    parser.add_argument("--steps", type=count, default=10, help="steps to measure, after "
                        f"{WARM_UP} that are not")
    parser.add_argument("--backend", help="numpy or cupy (default: MINIGAN_BACKEND, else numpy)")
    parser.add_argument("--threads", type=threads, help="threads to compute with (default: all "
                        "cores, 4 at most)")
    parser.add_argument("--out", type=path, help="the picture (default: runs/profile-MODEL-"
                        "PRESET.png)")


def run(options: argparse.Namespace) -> int:
    """Measure, print the table, write the picture; returns the exit status."""
    import numpy as np

    import minigan
    from minigan import plot
    from minigan.backend import default
    from minigan.backend.allocator import keep_freed_memory
    from minigan.models.catalog import find
    from minigan.profiler import profile
    if options.backend:
        minigan.use(options.backend)
    find_model = find(options.model)
    size = options.size or (64 if (options.preset or "").endswith("64") else 28)
    shape = (size, size, 3 if size == 64 else 1)
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
    what = (f"{model.name} {model.preset}, {n} images of {'x'.join(map(str, shape))}, "
            f"{xp.describe()}, {threads} thread{'s' * (threads > 1)}")
    print(f"{what}: a step, as the mean of {options.steps}\n\n{found.table(options.steps)}")
    figure = found.picture(f"Where a step of {model.name} {model.preset} goes",
                           f"{what}. Backward: in that op's rule.", options.steps)
    print(f"\npicture: {plot.save(figure, out).as_posix()}")
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
