"""What every model is to the trainer: settings, two networks, their optimizers, and a step."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Callable, ClassVar

import numpy as np

from minigan import errors
from minigan.backend import default
from minigan.engine import Tensor, no_grad
from minigan.nn import Module, evaluation_mode
from minigan.optim import EMA, Optimizer
from minigan.reading import asks, reads
from minigan.streams import Streams
from minigan.system.turn import Turn

Shape = tuple[int, int, int]  # height, width, channels
Size = tuple[int, int]        # height, width


def setting(default: Any, help: str, choices: tuple[str, ...] = (), positive: bool = False) -> Any:
    """A field of a model's settings: its default, and what the command line says about it.

    choices: the words that it can be. positive: a float that must be above 0.
    """
    return dataclasses.field(default=default, metadata={
        "help": help, "choices": choices, "positive": positive})


def halved(shape: Shape, layers: int, odd: bool = False) -> list[Size]:
    """Sizes from images of `shape` inwards: [(28, 28), (14, 14), (7, 7)] with 2 layers of stride 2.

    odd: go on from odd sizes, to half of them rounded up; `halving` says how.

    Raises:
        ValueError: an odd size is in the way, or nothing is left to halve.
    """
    sizes = [shape[:2]]
    for _ in range(layers):
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    unit, (height, width) = 1 << layers, shape[:2]
    other = "choose another preset or number of layers, or data of another size"
    if odd and min(height, width) <= unit // 2:
        raise ValueError(f"shape: {layers} layers of stride 2 need heights and widths of "
                         f"{unit // 2 + 1} or more, not {height}x{width}; {other}")
    if not odd and (height % unit or width % unit):
        raise ValueError(f"shape: {layers} layers of stride 2 make heights and widths that are "
                         f"multiples of {unit}, not {height}x{width}; {other}")
    return sizes


def halving(size: Size) -> dict[str, Any]:
    """Settings of the convolution that halves images of `size`, and of its transpose to `size`.

    4x4 kernels, whose taps cover all pixels alike; 3 where the size is odd, which then fits too.
    """
    return {"kernel_size": (4 - size[0] % 2, 4 - size[1] % 2), "stride": 2, "padding": 1}


def _check(what: str, field: dataclasses.Field, value: Any) -> None:
    """Raise a ValueError unless a setting's value is of its default's kind."""
    choices, least = field.metadata.get("choices", ()), 1 if field.default else 0
    if choices and value not in choices:
        raise ValueError(f"{what} must be one of {', '.join(choices)}, got {value!r}")
    if type(field.default) is int and (type(value) is not int or value < least):
        raise ValueError(f"{what} must be a whole number of {least} or more, got {value!r}")
    if type(field.default) is float and type(value) not in (int, float):
        raise ValueError(f"{what} must be a number, got {value!r}")
    if type(field.default) is float and not math.isfinite(value):
        raise ValueError(f"{what} must be finite, got {value!r}")
    if field.metadata.get("positive") and value <= 0:
        raise ValueError(f"{what} must be above 0, got {value!r}")


def _noted(step: Callable[..., dict[str, Tensor]]) -> Callable[..., dict[str, Tensor]]:
    """A model's step that says, where it is recorded, what it reads from the model."""
    @functools.wraps(step)
    def noted(self: Model, *inputs: Tensor, **more: Tensor) -> dict[str, Tensor]:
        reads(self)
        asks(f"kind of {type(self).__name__}'s step", self.kind)
        return step(self, *inputs, **more)

    return noted


@dataclasses.dataclass(frozen=True)
class Panel:
    """One plot of the loss curves: which of the losses that `step` returns it shows.

    levels: horizontal lines to compare with, by name.
    """

    title: str
    names: tuple[str, ...]
    levels: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Settings:
    """The settings of a model that has none of its own."""

    latent_size: int = setting(100, "numbers in a latent vector z")


class Model:
    """A generator and a discriminator that are trained against each other.

    Subclasses make `generator`, `discriminator`, `optimizers` and perhaps `ema` in `build`, and
    define `step`. They set `Settings` (a frozen dataclass), `presets` (instances of it by name) and
    the texts below, all of which have defaults. A subclass may lie anywhere: in this folder, where
    the commands find it, or in a script or a notebook, see `minigan.models.catalog.rebuild`.
    """

    name: ClassVar[str]                # by default the class's in small letters; names run folders
    paper: ClassVar[str] = ""          # one line: authors, year, title
    normal_curve: ClassVar[str] = ""   # one line: what a healthy loss curve looks like
    # The plots of the loss curves. Where D cannot tell, each of its two terms is log 2, as is G's.
    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("losses", ("d_loss", "g_loss"), {"2 log 2": 2 * math.log(2), "log 2": math.log(2)}),)
    Settings: ClassVar[type] = _Settings
    presets: ClassVar[dict[str, Any]]   # by default one, "default", of the settings' defaults
    default_steps: ClassVar[int] = 5_000  # of the command line, for the first preset
    default_batch_size: ClassVar[int] = 64
    # Height and width that a preset's networks are made for, where these are not MNIST's 28.
    sizes: ClassVar[dict[str, int]] = {}
    conditional: ClassVar[bool] = False  # whether step and sample need labels

    generator: Module
    discriminator: Module
    optimizers: dict[str, Optimizer]
    ema: EMA | None = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Give a subclass the name and the presets that neither it nor a base of it has.

        Its step says what it reads, for recorded steps.
        """
        super().__init_subclass__(**arguments)
        if not hasattr(cls, "name"):
            cls.name = cls.__name__.lower()
        if not hasattr(cls, "presets") and dataclasses.is_dataclass(cls.Settings):
            cls.presets = {"default": cls.Settings()}
        if "step" in vars(cls):
            cls.step = _noted(cls.step)  # type: ignore[method-assign]

    def __init__(self, preset: str | None = None, shape: Shape = (28, 28, 1),
                 streams: Streams | int = 0, n_classes: int = 10, **settings: Any) -> None:
        """Build the networks for images of `shape` = (H, W, C).

        preset: a name in `presets`, by default the first. streams: the random streams to draw
        from, or a seed. n_classes: how many labels a conditional model distinguishes.
        settings: replace single settings of the preset.

        Raises:
            TypeError: the class's `Settings` are no dataclass, or a preset is none of these.
            ValueError: an unknown preset or setting, or a value that cannot be.
        """
        self._check_presets()
        self.preset = preset or next(iter(self.presets))
        if self.preset not in self.presets:
            raise ValueError(f"preset {preset!r} of {self.name} is unknown; known are "
                             f"{', '.join(self.presets)}")
        known = [field.name for field in dataclasses.fields(self.Settings)]
        for unknown in set(settings) - set(known):
            raise ValueError(f"setting {unknown!r} of {self.name} is unknown; known are "
                             f"{', '.join(known)}")
        self.settings = dataclasses.replace(self.presets[self.preset], **settings)
        for field in dataclasses.fields(self.Settings):
            _check(f"setting {field.name} of {self.name}", field,
                   getattr(self.settings, field.name))
        if len(shape) != 3 or not all(type(size) is int and size > 0 for size in shape):
            raise ValueError(f"shape must be (H, W, C), whole numbers of 1 or more, got {shape}")
        if type(n_classes) is not int or not 1 <= n_classes <= errors.MOST_CLASSES:
            raise ValueError(f"n_classes must be a whole number from 1 to {errors.MOST_CLASSES:,}, "
                             f"got {n_classes!r}")
        self.shape, self.n_classes = shape, n_classes
        self.streams = streams if isinstance(streams, Streams) else Streams(streams)
        self.turn = Turn()
        self.build()
        self.generator.name_parameters("generator")
        self.discriminator.name_parameters("discriminator")

    def _check_presets(self) -> None:
        """Raise a TypeError unless this class has settings that can be chosen and recorded."""
        kind = type(self)
        if not isinstance(kind.Settings, type) or not dataclasses.is_dataclass(kind.Settings):
            raise TypeError(f"Settings of {kind.__name__} must be a dataclass, got "
                            f"{kind.Settings!r}")
        if not isinstance(kind.presets, dict) or not kind.presets or not all(
                isinstance(preset, kind.Settings) for preset in kind.presets.values()):
            raise TypeError(f"presets of {kind.__name__} must be a dict of one or more instances "
                            f"of its Settings by name, got {kind.presets!r}")

    @classmethod
    def natural_shape(cls, preset: str | None = None) -> Shape:
        """The images that a preset is made for, (H, W, C): MNIST's, or colour pictures of its size.

        preset: left out, the first.
        """
        size = cls.sizes.get(preset or next(iter(cls.presets)))
        return (28, 28, 1) if size is None else (size, size, 3)

    def build(self) -> None:
        """Make networks and optimizers from `self.settings` and `self.shape`."""
        raise NotImplementedError(f"{type(self).__name__} defines no build")

    def step(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """One training step on real images x (N, H, W, C) in [-1, 1]; the losses, detached.

        While other threads draw samples, train in `with model.turn:`, as Trainer does: they wait.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no step")

    def kind(self) -> str:
        """What the next `step` updates; a captured step is one graph for each kind."""
        return "both"

    def tensors(self) -> list[Tensor]:
        """All parameters and buffers, those of the moving average included."""
        networks = [self.generator, self.discriminator] + ([self.ema.network] if self.ema else [])
        return [tensor for network in networks for _, tensor in network.named_tensors()]

    def latent(self, n: int) -> Tensor:
        """n latent vectors from the training stream."""
        return self.latent_from(self.streams["latent"], n)

    def latent_from(self, stream: Any, n: int) -> Tensor:
        """n latent vectors z (n, latent_size), standard normal unless a model says otherwise.

        Raises:
            TypeError: the settings have no latent_size; such a model defines this itself.
        """
        if not hasattr(self.settings, "latent_size"):
            raise TypeError(f"the settings of {self.name} have no latent_size, so "
                            f"{type(self).__name__} must define latent_from")
        return Tensor(stream.normal((n, self.settings.latent_size)))

    def inputs_from(self, stream: Any, n: int, images: Callable[[Any, int], Tensor]
                    ) -> tuple[Tensor, Tensor | None]:
        """n inputs for `sample`: latent vectors, unless a model makes them from images.

        images: called as images(stream, n), draws n images (n, H, W, C) of the data set. Those that
        inputs were made from come second, for comparison; None where no image was drawn.
        """
        return self.latent_from(stream, n), None

    def sample(self, z: Tensor, labels: Any = None, raw: bool = False) -> Tensor:
        """Images (N, H, W, C) in [-1, 1] from G's inputs, in evaluation mode, not recorded.

        z: latent vectors, or what else `inputs_from` makes.
        labels: for conditional models, N integers from 0 to n_classes - 1.
        raw: use the generator's own weights where the model keeps their moving average.

        The networks' own mode stays as it is. A thread may draw while another trains: it waits for
        the end of the present step.
        """
        inputs = (z, self.checked_labels(labels, len(z))) if self.conditional else (z,)
        network = self.generator if raw or self.ema is None else self.ema.network
        with self.turn, no_grad(), evaluation_mode():
            return network(*inputs)

    def checked_labels(self, labels: Any, n: int) -> Tensor:
        """Labels as a tensor on the default device, after a look at their number and range.

        Raises:
            ValueError: there are none, or not n, or one is not a class.
        """
        if labels is None:
            raise ValueError(f"labels: {self.name} is conditional and needs {n} of them")
        array = np.asarray(labels.numpy() if isinstance(labels, Tensor) else labels)
        if array.dtype == object and all(isinstance(label, int) for label in array.flat):
            raise ValueError(f"labels must be from 0 to {self.n_classes - 1}, got {array.max()}")
        if array.shape != (n,) or array.dtype.kind not in "iu":
            raise ValueError(f"labels must be {n} integers, got {array.dtype} {array.shape}")
        errors.check_ids("labels", array, self.n_classes)
        return Tensor(default().from_host(array.astype(np.int64)))

    def _parts(self) -> dict[str, Any]:
        """Everything that has a state_dict, by name."""
        parts: dict[str, Any] = {"generator": self.generator, "discriminator": self.discriminator,
                                 **self.optimizers}
        if self.ema is not None:
            parts["ema"] = self.ema
        return parts

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything that training changes, on the host, by name."""
        with self.turn:
            return {f"{part}/{name}": value for part, owner in self._parts().items()
                    for name, value in owner.state_dict().items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a state that `state_dict` returned; entries of other owners are ignored."""
        with self.turn:
            for part, owner in self._parts().items():
                prefix = f"{part}/"
                owner.load_state_dict({name.removeprefix(prefix): value
                                       for name, value in state.items()
                                       if name.startswith(prefix)})
