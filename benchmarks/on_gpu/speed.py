"""Steps of training, measured: minigan on the GPU, PyTorch on the GPU, minigan on the processor."""

from __future__ import annotations

from typing import Any, Callable, Iterable

import numpy as np
from on_gpu.rows import emit, failure
from on_gpu.timing import Job, device, milliseconds
from on_gpu.workloads import ON_THE_PROCESSOR, PRECISIONS, WORKLOADS, Workload

import minigan as mg

Make = Callable[[str, str, int], Job]  # (model, preset, batch) -> step


def build(name: str, preset: str) -> Any:
    """The model of a workload, without the moving average, which the rival does not have."""
    model = mg.models.catalog.find(name)
    return model(preset, model.natural_shape(preset), 0, ema=0.0)


def noise_images(model: Any, batch: int) -> np.ndarray:
    """Images of noise: what they show costs no time."""
    return np.random.default_rng(0).integers(0, 256, (4 * batch, *model.shape), "uint8")


def ours(name: str, preset: str, batch: int, captured: bool, backend: str = "cupy") -> Job:
    """minigan's step, as `minigan train` makes it."""
    from minigan.data import Batches, Images
    from minigan.training.stepping import Stepper

    mg.use(backend)
    model = build(name, preset)
    images = Images(noise_images(model, batch), None, "noise")
    batches = Batches(images, batch, model.streams["data"])
    return Stepper(model, batches, mg.backend.default(), captured)


def rival(name: str, preset: str, batch: int, captured: bool) -> Job:
    """PyTorch's step of the same networks."""
    import torch
    from rivals.pytorch_gpu import Rival

    with mg.use("numpy"):
        model = build(name, preset)
    images = torch.from_numpy(noise_images(model, batch)).cuda().movedim(-1, 1) / 127.5 - 1
    memory = torch.channels_last if _convolves(model) else torch.contiguous_format
    made = Rival(model, images, batch, memory)
    if captured:
        made.capture()
    return made.step


def _convolves(model: Any) -> bool:
    modules = model.generator.named_modules()
    return any(isinstance(module, mg.nn.ConvTranspose2d) for _, module in modules)


def minigan() -> None:
    """Our side: captured first, as that is what counts."""
    xp = device()

    def captured(name: str, preset: str, batch: int) -> Job:
        return ours(name, preset, batch, True)

    def eager(name: str, preset: str, batch: int) -> Job:
        return ours(name, preset, batch, False)

    for form, make in (("captured", captured), ("eager", eager)):
        for precision in PRECISIONS:
            xp.set_precision(precision)
            _measure(WORKLOADS, "minigan", precision, form, make, xp.synchronize)


def pytorch() -> None:
    """The rival: as its own CUDA graph, and eager."""
    import torch

    def graph(name: str, preset: str, batch: int) -> Job:
        return rival(name, preset, batch, True)

    def eager(name: str, preset: str, batch: int) -> Job:
        return rival(name, preset, batch, False)

    torch.backends.cudnn.benchmark = True
    for form, make in (("graph", graph), ("eager", eager)):
        for precision in PRECISIONS:
            torch.backends.cudnn.allow_tf32 = precision == "tf32"
            torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
            _measure(WORKLOADS, "pytorch", precision, form, make, torch.cuda.synchronize)


def cpu() -> None:
    """The same steps by this machine's processor: where does the GPU start to win?"""
    from minigan.system.allocator import keep_freed_memory
    from minigan.system.threads import use_threads

    keep_freed_memory()
    use_threads()

    def eager(name: str, preset: str, batch: int) -> Job:
        return ours(name, preset, batch, False, "numpy")

    _measure(ON_THE_PROCESSOR, "cpu", "fp32", "eager", eager, lambda: None, 2.0)


def _measure(workloads: Iterable[Workload], side: str, precision: str, form: str, make: Make,
             wait: Job, seconds: float = 4.0) -> None:
    """Measure the workloads of one side in one form; one that fails says how."""
    for load in workloads:
        row = {"kind": "speed", "side": side, "workload": load.label, "batch": load.batch,
               "precision": precision, "form": form}
        try:
            step = make(load.model, load.preset, load.batch)
            emit(**row, **milliseconds(step, wait, seconds))
        except Exception as error:
            emit(**row, failed=failure(error))
