"""`minigan profile MODEL`: where the time and the memory of a training step go."""

from __future__ import annotations

import argparse
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterator

from minigan.commands.options import (add_backend, add_json, count, path, print_json, suggest,
                                      threads)
from minigan.system.console import plural

if TYPE_CHECKING:
    from minigan.models import Model
    from minigan.profiler import ConvolutionRow, Profile, Row

HELP = "show where a training step's time and memory go"
WARM_UP = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which step, and how often."""
    from minigan.models.catalog import find, names
    presets = dict.fromkeys(preset for name in names() for preset in find(name).presets)
    model = parser.add_argument("model", metavar="MODEL", help=", ".join(names()))
    preset = parser.add_argument("--preset", help="its settings (default: the model's first)")
    suggest(model, names())
    suggest(preset, presets)
    parser.add_argument("--batch-size", type=count, default=64, help="images a step")
    parser.add_argument("--size", type=count, help="height and width of the images (default: those "
                        "that the preset is made for, 28 or 64)")
    parser.add_argument("--steps", type=count, default=10, help="steps to measure, after "
                        f"{WARM_UP} that are not measured")
    add_backend(parser)
    parser.add_argument("--threads", type=threads, help="threads to compute with (default: all "
                        "cores, 4 at most)")
    add_json(parser, "model, preset, image_shape, batch_size, backend, threads, steps, picture, "
             "and of a step ms, made_mb, peak_mb; rows, a list: name, is_op, calls, ms, made_mb, "
             "held_mb (at the peak), the last four as [forward, backward]; and convolutions, a "
             "list: kind, sizes, images, form, why, calls, ms")
    parser.add_argument("--out", type=path, help="the picture (default: runs/profile-MODEL-"
                        "PRESET.png)")


@dataclass(frozen=True)
class Setting:
    """What was measured: a model, its images (H, W, C), on which device, with how many threads."""

    model: Model
    image_shape: tuple[int, ...]
    batch_size: int
    backend: str
    threads: int
    steps: int

    def __str__(self) -> str:
        model = self.model
        size = "x".join(map(str, self.image_shape))
        return (f"{model.name} {model.preset}, {plural(self.batch_size, 'image')} of {size}, "
                f"{self.backend}, {plural(self.threads, 'thread')}")


def run(options: argparse.Namespace) -> int:
    """Measure, print the tables, write the picture; returns the exit status."""
    from minigan import plot
    setting, costs = measure(options)
    model = setting.model
    if not options.json:
        print(f"{setting}: a step, as the mean of {setting.steps}\n")
        print(costs.table(setting.steps))
        forms = costs.convolutions_table(setting.steps)
        if forms:
            print(f"\n{forms}")

    figure = costs.picture(f"Where a step of {model.name} {model.preset} goes",
                           f"{setting}. Backward: in that op's rule.", setting.steps)
    out = options.out or Path(f"runs/profile-{model.name}-{model.preset}.png")
    picture = plot.save(figure, out).as_posix()
    if options.json:
        print_json(document(setting, costs, picture))
    else:
        print(f"\npicture: {picture}")
    return 0


def measure(options: argparse.Namespace) -> tuple[Setting, Profile]:
    """The costs of steps as the options ask for them, on images of noise."""
    import numpy as np

    import minigan
    from minigan.backend import default
    from minigan.models.catalog import find
    from minigan.profiler import profile
    from minigan.system.allocator import keep_freed_memory
    if options.backend:
        minigan.use(options.backend)
    model_class = find(options.model)
    shape = model_class.natural_shape(options.preset)
    if options.size:
        shape = (options.size, options.size, shape[2])
    model = model_class(options.preset, shape, 0)
    keep_freed_memory()
    n_threads = minigan.use_threads(options.threads)

    xp = default()
    n = options.batch_size
    images = minigan.Stream(0, "data").uniform((n, *shape), -1.0, 1.0)
    x = minigan.Tensor(xp.from_host(images))
    labels = minigan.Tensor(xp.from_host(np.arange(n) % model.n_classes))
    for _ in range(WARM_UP):
        model.step(x, labels)
    with profile() as costs, timed_optimizers(costs, model):
        for _ in range(options.steps):
            model.step(x, labels)
    return Setting(model, shape, n, xp.describe(), n_threads, options.steps), costs


def document(setting: Setting, costs: Profile, picture: str) -> dict[str, Any]:
    """What --json prints; pairs are [forward, backward], and costs are those of one step."""
    steps = setting.steps
    return {
        "model": setting.model.name,
        "preset": setting.model.preset,
        "image_shape": setting.image_shape,
        "batch_size": setting.batch_size,
        "backend": setting.backend,
        "threads": setting.threads,
        "steps": steps,
        "picture": picture,
        "ms": costs.seconds / steps * 1e3,
        "made_mb": sum(row.made for row in costs.rows()) / steps / 1e6,
        "peak_mb": costs.peak / 1e6,
        "rows": [row_document(row, steps) for row in costs.rows()],
        "convolutions": [convolution_document(row, steps) for row in costs.convolutions()],
    }


def row_document(row: Row, steps: int) -> dict[str, Any]:
    """One op in --json."""
    both = row.forward, row.backward
    return {
        "name": row.name,
        "is_op": row.is_op,
        "calls": [cost.calls / steps for cost in both],
        "ms": [cost.seconds / steps * 1e3 for cost in both],
        "made_mb": [cost.made / steps / 1e6 for cost in both],
        "held_mb": [cost.held / 1e6 for cost in both],
    }


def convolution_document(row: ConvolutionRow, steps: int) -> dict[str, Any]:
    """One convolution in --json."""
    plan = row.plan
    return {
        "kind": plan.kind,
        "sizes": plan.layer,
        "images": plan.images,
        "form": plan.label,
        "why": plan.why,
        "calls": row.calls / steps,
        "ms": row.seconds / steps * 1e3,
    }


@contextmanager
def timed_optimizers(costs: Profile, model: Model) -> Iterator[None]:
    """Inside, give the optimizers' steps and the moving average rows of their own."""
    with ExitStack() as undo:
        for optimizer in model.optimizers.values():
            name = f"{type(optimizer).__name__}.step"
            undo.callback(time_method(costs, optimizer, "step", name))
        if model.ema is not None:
            undo.callback(time_method(costs, model.ema, "update", "EMA.update"))
        yield


def time_method(costs: Profile, owner: Any, method: str, name: str) -> Callable[[], None]:
    """Time an object's method under a name; returns the function that undoes it."""
    original = getattr(owner, method)

    def timed(*given: Any, **more: Any) -> Any:
        with costs.timed(name):
            return original(*given, **more)

    setattr(owner, method, timed)
    return lambda: delattr(owner, method)
