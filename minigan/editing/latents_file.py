"""A file of latents: what `minigan edit` found, for `sample`, `interpolate` and another day.

An npz of

    z            float32 (n, latent_size)
    labels       int64 (n,), of conditional models
    originals    uint8 (n, H, W, C), the pictures that were edited; absent for latents alone
    fingerprint  uint8 (8, h, w, C), of the generator that it belongs to
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NamedTuple

import numpy as np

from minigan.editing.arrays_file import packed, unpacked
from minigan.editing.drawing import Drawing
from minigan.editing.fingerprint import check_same, fingerprint
from minigan.models.model import Model
from minigan.system import files


class Latents(NamedTuple):
    """What a file of latents holds."""

    z: np.ndarray                  # float32 (n, latent_size)
    labels: np.ndarray | None      # int64 (n,)
    originals: np.ndarray | None   # uint8 (n, H, W, C)


def content(model: Model, latents: Latents) -> bytes:
    """The bytes of such a file."""
    given = latents._asdict()
    arrays = {name: array for name, array in given.items() if array is not None}
    return packed({**arrays, "fingerprint": fingerprint(model)})


def write(path: Path, model: Model, latents: Latents) -> None:
    """Write a new file of latents.

    Raises:
        FileExistsError: there is something at that path.
    """
    with files.replacing(path, exclusive=True) as file:
        file.write(content(model, latents))


def read(path: Path, model: Model) -> Latents:
    """The latents of a file, which must be this model's.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or no file of latents; or it belongs to another generator.
    """
    arrays = unpacked(path, "latents", "minigan edit")
    name = f"latents: {path}"
    z = arrays.get("z")
    print_of = arrays.get("fingerprint")
    if z is None or print_of is None:
        raise ValueError(f"{name} is not a file that `minigan edit` writes")
    check_same(name, print_of, model)
    latents = Latents(z, arrays.get("labels"), arrays.get("originals"))
    check(name, latents, model)
    return latents


def check(name: str, latents: Latents, model: Model) -> None:
    """Check that latents fit the model, and each other. name: what they are in the error.

    Raises:
        ValueError: they do not.
    """
    z = latents.z
    size = Drawing(model).latent_size
    if z.shape[1:] != (size,) or z.dtype != np.float32 or not z.size:
        raise ValueError(f"{name}: z must be float32 (n, {size}), got {z.dtype} {z.shape}")
    if not np.isfinite(z).all():
        raise ValueError(f"{name}: z holds numbers that are not finite")

    if model.conditional:
        with named(name):
            model.checked_labels(latents.labels, len(z))
    elif latents.labels is not None:
        raise ValueError(f"{name} has labels, but {model.name} takes none")

    originals = latents.originals
    due = (len(z), *model.shape)
    if originals is not None and (originals.shape != due or originals.dtype != np.uint8):
        raise ValueError(f"{name}: originals must be uint8 {due}, got {originals.dtype} "
                         f"{originals.shape}")


@contextmanager
def named(name: str) -> Iterator[None]:
    """Let a ValueError inside begin with a name.

    Raises:
        ValueError: where one is raised inside.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
