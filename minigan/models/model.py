"""What every model is to the trainer: settings, two networks, their optimizers, and a step."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, Callable, ClassVar

import numpy as np

from minigan import checks
from minigan.backend import default
from minigan.engine import Tensor, no_grad
from minigan.models.settings import check_settings, setting
from minigan.models.sizes import Shape
from minigan.nn import Module, evaluation_mode
from minigan.optim import EMA, Optimizer
from minigan.reading import asks, reads
from minigan.streams import Stream, Streams
from minigan.system.turn import Turn

Networks = tuple[Module, Module]  # G and D
Step = Callable[..., dict[str, Tensor]]


@dataclasses.dataclass(frozen=True)
class Panel:
    """One plot of the loss curves.

    names: the losses that it shows, as `step` names them. levels: horizontal lines to compare with,
    by name.
    """

    title: str
    names: tuple[str, ...]
    levels: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Settings:
    """The settings of a model that defines none."""

    latent_size: int = setting(100, "numbers in a latent vector z")


# If D cannot tell real from fake, each of its two terms is log 2, and so is G's loss.
LOSSES = Panel("losses", ("d_loss", "g_loss"), {"2 log 2": 2 * math.log(2), "log 2": math.log(2)})

# Names that subclasses had to define in earlier versions, and their names now.
RENAMED = {"kind": "phase", "sizes": "shapes"}


class Model:
    """A generator and a discriminator that are trained against each other.

    To make a new model, derive a class from this one: in a file of this folder, where the commands
    find it, or in a script or a notebook (see `minigan.models.rebuilding`). `gan.py` is the one to
    copy from.

    A class must define

        build()          make self.generator, self.discriminator and self.optimizers (by name)
        step(x, labels)  train on one batch; return the losses, detached, by name

    and it may define

        Settings, presets        a frozen dataclass of `setting`s, and instances of it by name
        shapes                   the images that a preset is made for, where not MNIST's
        name, paper, normal_curve, panels, default_steps, default_batch_size     for people;
                                 in a file of this folder, name is the file's, with - for _
        conditional              True if step and sample need labels
        self.ema, in build       a moving average of G's weights, which then draws the samples
        phase()                  what the next step updates, where steps differ
        latent_from(stream, n)   G's noise, where it is not a normal vector
        inputs_from(stream, n, images)    G's inputs, where they are made from images

    A step can be recorded once and replayed (`Trainer(..., capture=True)`) if

    - it runs the same operations whenever `phase()` returns the same word. An `if` on anything that
      changes from step to step belongs in `phase`;
    - its random numbers come from `self.streams`;
    - only optimizers, `ema.update`, layers and `Tensor.assign` change state. A count kept in a
      Python variable would stand still during replays;
    - it returns losses as tensors, without reading their values.

    G's part of a step comes after D's update: a graph of D's old weights raises StaleGraphError.
    """

    name: ClassVar[str]                # by default the class's in lower case; names run folders
    paper: ClassVar[str] = ""          # one line: authors, year, title
    normal_curve: ClassVar[str] = ""   # one line: what a healthy loss curve looks like
    panels: ClassVar[tuple[Panel, ...]] = (LOSSES,)  # the plots of the loss curves
    Settings: ClassVar[type] = _Settings
    presets: ClassVar[dict[str, Any]]  # by default {"default": Settings()}
    shapes: ClassVar[dict[str, Shape]] = {}  # by preset, (H, W, C); MNIST's (28, 28, 1) if absent
    default_steps: ClassVar[int] = 5_000     # of the command line, for the first preset
    default_batch_size: ClassVar[int] = 64
    conditional: ClassVar[bool] = False

    generator: Module
    discriminator: Module
    optimizers: dict[str, Optimizer]
    ema: EMA | None = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Give a subclass a name and presets if it has none, and let a recording of its step know
        what that step reads.

        Raises:
            TypeError: the class defines something under the name of an earlier version.
        """
        super().__init_subclass__(**arguments)
        for old, new in RENAMED.items():
            if hasattr(cls, old):
                raise TypeError(f"{cls.__name__} defines {old}, which is called {new} since "
                                f"minigan 0.2: rename {old} to {new}")
        if not hasattr(cls, "name"):
            cls.name = cls.__name__.lower()
        if not hasattr(cls, "presets") and dataclasses.is_dataclass(cls.Settings):
            cls.presets = {"default": cls.Settings()}
        if "step" in vars(cls):
            cls.step = _noted(cls.step)  # type: ignore[method-assign]

    def __init__(self, preset: str | None = None, shape: Shape = (28, 28, 1),
                 streams: Streams | int = 0, n_classes: int = 10, **settings: Any) -> None:
        """Build the networks for images of `shape`, (H, W, C).

        preset: a name in `presets`, by default the first. streams: the random streams to draw
        from, or a seed for new ones. n_classes: how many labels a conditional model distinguishes.
        settings: values that replace the preset's.

        Raises:
            TypeError: the class's `Settings` is not a dataclass, or a preset is not one of them.
            ValueError: an unknown preset or setting, or a value that is out of bounds.
        """
        self._check_class()
        self.preset = preset or next(iter(self.presets))
        self.settings = self._chosen(settings)
        if len(shape) != 3 or not all(type(size) is int and size > 0 for size in shape):
            raise ValueError(f"shape must be (H, W, C), whole numbers of 1 or more, got {shape}")
        if type(n_classes) is not int or not 1 <= n_classes <= checks.MOST_CLASSES:
            raise ValueError(f"n_classes must be a whole number from 1 to {checks.MOST_CLASSES:,}, "
                             f"got {n_classes!r}")

        self.shape = shape
        self.n_classes = n_classes
        self.streams = streams if isinstance(streams, Streams) else Streams(streams)
        self.turn = Turn()
        self.build()
        self.generator.name_parameters("generator")
        self.discriminator.name_parameters("discriminator")

    def _check_class(self) -> None:
        """Raise a TypeError unless this class's settings can be chosen and recorded."""
        cls = type(self)
        if not isinstance(cls.Settings, type) or not dataclasses.is_dataclass(cls.Settings):
            raise TypeError(f"Settings of {cls.__name__} must be a dataclass, got "
                            f"{cls.Settings!r}")
        presets = cls.presets.values() if isinstance(cls.presets, dict) else ()
        if not presets or not all(isinstance(preset, cls.Settings) for preset in presets):
            raise TypeError(f"presets of {cls.__name__} must be a dict of one or more instances "
                            f"of its Settings by name, got {cls.presets!r}")

    def _chosen(self, changes: dict[str, Any]) -> Any:
        """The preset's settings with these changes, checked."""
        if self.preset not in self.presets:
            raise ValueError(f"preset {self.preset!r} of {self.name} is unknown; known are "
                             f"{', '.join(self.presets)}")
        known = [field.name for field in dataclasses.fields(self.Settings)]
        for unknown in set(changes) - set(known):
            raise ValueError(f"setting {unknown!r} of {self.name} is unknown; known are "
                             f"{', '.join(known)}")
        settings = dataclasses.replace(self.presets[self.preset], **changes)
        check_settings(self.name, settings)
        return settings

    @classmethod
    def natural_shape(cls, preset: str | None = None) -> Shape:
        """The images that a preset is made for, (H, W, C). preset: by default the first."""
        return cls.shapes.get(preset or next(iter(cls.presets)), (28, 28, 1))

    # What a class defines.

    def build(self) -> None:
        """Make networks and optimizers from `self.settings` and `self.shape`.

        Random numbers come from `self.streams`, initial weights from `self.streams["init"]`.

        Raises:
            ValueError: the settings' networks cannot make images of this shape.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no build")

    def step(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        """One training step; returns the losses by name, detached, each a tensor ().

        x: real images (N, H, W, C) in [-1, 1]. labels: integers (N,), for conditional models. While
        other threads draw samples, call it in `with model.turn:`, as Trainer does: they wait.

        Raises:
            ValueError: labels are missing or do not fit.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no step")

    def phase(self) -> str:
        """What the next `step` updates: "both" networks, or the "critic" alone.

        Each phase is recorded as a step of its own.
        """
        return "both"

    def latent_from(self, stream: Stream, n: int) -> Tensor:
        """n latent vectors z (n, latent_size), standard normal unless a model says otherwise.

        Raises:
            TypeError: the settings have no latent_size; such a model defines this method itself.
        """
        if not hasattr(self.settings, "latent_size"):
            raise TypeError(f"the settings of {self.name} have no latent_size, so "
                            f"{type(self).__name__} must define latent_from")
        return Tensor(stream.normal((n, self.settings.latent_size)))

    def inputs_from(self, stream: Stream, n: int, images: Callable[[Stream, int], Tensor]
                    ) -> tuple[Tensor, Tensor | None]:
        """n inputs for `sample`: latent vectors, unless a model makes them from images.

        images: images(stream, n) draws n images (n, H, W, C) of the data set. The second result is
        the images that the inputs were made from, for comparison; None where there are none.
        """
        return self.latent_from(stream, n), None

    # What every model can do.

    @classmethod
    def starts_from_images(cls) -> bool:
        """Whether G's inputs are made from images of the data set, not from latents alone."""
        return cls.inputs_from is not Model.inputs_from

    def tensors(self) -> list[Tensor]:
        """All parameters and buffers, including those of the moving average."""
        networks = [self.generator, self.discriminator]
        if self.ema:
            networks.append(self.ema.network)
        return [tensor for network in networks for _, tensor in network.named_tensors()]

    def drawing_network(self, raw: bool = False) -> Module:
        """The network that draws samples: the generator's moving average, where one is kept.

        raw: the generator itself all the same.
        """
        return self.generator if raw or self.ema is None else self.ema.network

    def latent(self, n: int) -> Tensor:
        """n latent vectors from the training stream."""
        return self.latent_from(self.streams["latent"], n)

    def sample(self, z: Tensor, labels: Any = None, raw: bool = False) -> Tensor:
        """Images (N, H, W, C) in [-1, 1] from G's inputs, in evaluation mode, without a graph.

        z: latent vectors, or whatever `inputs_from` makes.
        labels: for conditional models, N integers from 0 to n_classes - 1.
        raw: use the generator's own weights where the model keeps their moving average.

        The networks' own mode does not change. A thread may draw samples while another one trains:
        it waits for the end of the current step.

        Raises:
            ValueError: labels are missing or do not fit.
        """
        inputs = [z]
        if self.conditional:
            inputs.append(self.checked_labels(labels, len(z)))
        network = self.drawing_network(raw)
        with self.turn, no_grad(), evaluation_mode():
            return network(*inputs)

    def checked_labels(self, labels: Any, n: int) -> Tensor:
        """n labels as an int64 tensor (n,) on the default device, checked.

        Raises:
            ValueError: labels are missing, there are not n of them, or one is not a class.
        """
        if labels is None:
            raise ValueError(f"labels: {self.name} is conditional and needs {n} of them")
        array = np.asarray(labels.numpy() if isinstance(labels, Tensor) else labels)
        if array.dtype == object and all(isinstance(label, int) for label in array.flat):
            raise ValueError(f"labels must be from 0 to {self.n_classes - 1}, got {array.max()}")
        if array.shape != (n,) or array.dtype.kind not in "iu":
            raise ValueError(f"labels must be {n} integers, got {array.dtype} {array.shape}")
        checks.check_ids("labels", array, self.n_classes)
        return Tensor(default().from_host(array.astype(np.int64)))

    def _trained(self) -> dict[str, Any]:
        """Everything that training changes, each with a state_dict, by name."""
        owners: dict[str, Any] = {"generator": self.generator, "discriminator": self.discriminator,
                                  **self.optimizers}
        if self.ema is not None:
            owners["ema"] = self.ema
        return owners

    def state_dict(self) -> dict[str, np.ndarray]:
        """All that training changes, on the host, by name: "generator/0.weight", ..."""
        state = {}
        with self.turn:
            for prefix, owner in self._trained().items():
                for name, value in owner.state_dict().items():
                    state[f"{prefix}/{name}"] = value
        return state

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Go back to a state that `state_dict` returned; entries with other prefixes are ignored.

        Raises:
            ValueError: entries are missing, unexpected, or of another shape or dtype.
        """
        with self.turn:
            for name, owner in self._trained().items():
                prefix = f"{name}/"
                own = {key.removeprefix(prefix): value for key, value in state.items()
                       if key.startswith(prefix)}
                owner.load_state_dict(own)


def _noted(step: Step) -> Step:
    """A model's step that also tells a recording what it reads from the model."""
    @functools.wraps(step)
    def noted(self: Model, *inputs: Tensor, **more: Tensor) -> dict[str, Tensor]:
        reads(self)
        asks(f"phase of {type(self).__name__}'s step", self.phase)
        return step(self, *inputs, **more)

    return noted
