"""The contract of a device: what it must provide, and what it may do better than the defaults.

Every op's forward receives a `Backend` as `xp` and writes `xp.exp(x)` or `xp.patches(x, geometry)`
without asking where it runs. Names that `Backend` does not define are those of the array module
(NumPy, CuPy).

To add a device, subclass `Backend` and `register("name", MyBackend)`:

1. It must have an array module with NumPy's functions and an array type of its own. If its arrays
   are not in the host's memory, override `from_host`, `to_host`, `write` and `synchronize`.
2. It may override any primitive (products, sums, passes, patches, convolutions) with a faster form.
   The defaults are plain forms that use the array module only, so they run on every device; they
   are also the reference that faster forms are tested against.
3. To capture steps, set `capturable` and override `recording`; its contract is in `recording.py`.
   Everything that a step changes or draws goes through `advance`, `assign`, `limit`, `update`,
   `follow`, `uniform` and `normal`, which must do the same in every replay. `copied`, `part` and
   `recheck` report what they do to the recording; `item` and `to_host` must refuse while a step is
   recorded, since Python cannot look at a value in a replay.
4. To hold a data set and pick its batches, set `picks_batches` and override `batch`.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable, Container, Sequence

import numpy as np

from minigan.backend.long_sums import shortened
from minigan.backend.recording import Recording

if TYPE_CHECKING:
    from minigan.geometry import Geometry

Array = Any  # an array of whichever module computes: numpy.ndarray, cupy.ndarray, a stand-in
Shape = tuple[int, ...]
Axes = tuple[int, ...]  # sorted, and not negative

# A replay may hand an op's forward the array `out` to write its result to. An op says here which
# inputs that array may be, by their positions; None if its forward takes no `out`.
Out = tuple[int, ...] | None
NO_OUT: Out = None          # the forward takes no `out`
NOT_OVER_INPUTS: Out = ()   # `out` may be any array that shares no memory with an input
OVER_FIRST: Out = (0,)      # it may be the first input, too, which the result then overwrites
OVER_EITHER: Out = (0, 1)   # it may be the first or the second input


class BackendError(RuntimeError):
    """A backend is unknown, not installed, or finds no device to run on."""


class Choice:
    """What one call of `use` chose.

    block: the `use` whose block was entered, None for a plain call. open: whether a plain call
    outside of any block has yet to become the choice of the whole process.
    """

    def __init__(self, backend: Backend, precision: str | None, block: Any = None) -> None:
        self.backend = backend
        self.precision = precision
        self.block = block
        self.open = False


# What is in force in this thread or asyncio task; the choice of the innermost block comes last.
choices: ContextVar[tuple[Choice, ...]] = ContextVar("what `use` has chosen here", default=())


class Backend:
    """One device: `xp.NAME` is the array module's NAME, unless it is defined below.

    device: its name, such as "numpy". module: its array module. array_type: the type of its arrays.

    precisions: those that float32 products can have. capturable: whether a step can be recorded and
    replayed here. picks_batches: whether the device can hold a data set and pick its batches.
    live_attributes: names of the attributes of optimizers and averages that every replay reads
    again, so they may change between replays.
    """

    precisions: tuple[str, ...] = ("fp32",)
    _precision = "fp32"
    capturable = False
    picks_batches = False
    live_attributes: Container[str] = ()

    def __init__(self, device: str, module: ModuleType | Any, array_type: type) -> None:
        self.device = device
        self.module = module
        self.array_type: Any = array_type

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self.module, name)
        setattr(self, name, value)  # the next look-up does not come here
        return value

    def __repr__(self) -> str:
        return f"Backend({self.device!r})"

    def describe(self) -> str:
        """One line for people: what computes here."""
        return self.device

    def notice(self) -> str:
        """A sentence to read before the first step; "" if there is nothing to say."""
        return ""

    # Transfers: the only places where data changes its device.

    def from_host(self, array: np.ndarray) -> Array:
        """A NumPy array, copied to this device."""
        return self.module.asarray(array)

    def to_host(self, array: Array) -> np.ndarray:
        """An array of this device, as a NumPy array."""
        return np.asarray(array)

    def write(self, array: Array, values: np.ndarray) -> None:
        """Overwrite an array of this device with values from the host, after all earlier work."""
        self.assign(array, self.from_host(values))

    def synchronize(self) -> None:
        """Wait until the device has done everything it was asked for."""

    # The precision of products.

    @property
    def precision(self) -> str:
        """The precision of float32 products: the innermost `with use`'s, else the process's."""
        for choice in reversed(choices.get()):
            if choice.backend is self and choice.precision is not None:
                return choice.precision
        return self._precision

    @precision.setter
    def precision(self, precision: str) -> None:
        self._precision = precision

    def set_precision(self, precision: str) -> None:
        """Compute float32 products from now on as "fp32" or, where the device can, as "tf32".

        This holds for the whole process, except within a `with use` that names a precision.

        Raises:
            ValueError: the device does not have this precision.
        """
        self.check_precision(precision)
        self._precision = precision

    def check_precision(self, precision: str) -> None:
        """Check that the device has this precision.

        Raises:
            ValueError: it does not.
        """
        if precision not in self.precisions:
            accepted = " or ".join(map(repr, self.precisions))
            raise ValueError(f"precision must be {accepted} on the backend {self.device!r}, "
                             f"got {precision!r}")

    # Products and sums.

    def product(self, a: Array, b: Array) -> Array:
        """Matrix product (..., M, K) @ (..., K, N)."""
        return self.module.matmul(a, b)

    def total(self, x: Array, axis: Axes, keepdims: bool) -> Array:
        """Sum over `axis` in x's own dtype; its error does not grow with the number of terms."""
        terms = shortened(self.module, x, axis)
        return self.module.sum(terms, axis=axis, dtype=x.dtype, keepdims=keepdims)

    def dot(self, a: Array, b: Array, axis: Axes) -> Array:
        """Sum of a * b over `axis`, which is kept with size 1."""
        return self.total(a * b, axis, True)

    def variance(self, x: Array, mean: Array, axis: Axes) -> Array:
        """Mean of (x - mean)^2 over `axis`, which is kept with size 1."""
        away = x - mean
        count = math.prod(x.shape[i] for i in axis)
        return self.dot(away, away, axis) / count

    # Passes over elements. Factors p, q, s and shifts r, t broadcast against the array.

    def leaky_relu(self, x: Array, slope: float) -> Array:
        """x where x > 0, else slope * x."""
        other = x * slope if slope else 0
        return self.module.maximum(x, other)

    def gate(self, gy: Array, x: Array, slope: float) -> Array:
        """gy where x > 0, else slope * gy."""
        if slope == 0:
            return self.keep(gy, x > 0)
        factor = self.module.asarray(x > 0).astype(gy.dtype)
        self.module.maximum(factor, slope, out=factor)
        return self.module.multiply(factor, gy, out=factor)

    def keep(self, gy: Array, mask: Array) -> Array:
        """gy where mask is not 0, else 0: a product with 0 would turn an infinite gy into NaN."""
        return self.module.where(mask != 0, gy, self.module.zeros_like(gy))

    def biased(self, x: Array, bias: Array, slope: float) -> Array:
        """leaky_relu of x + bias, where bias has one number for each channel, the last axis."""
        return self.leaky_relu(x + bias, slope)

    def scale_shift(self, x: Array, s: Array, t: Any) -> Array:
        """x * s + t."""
        return x * s + t

    def mix(self, a: Array, p: Array, b: Array, q: Array, r: Any) -> Array:
        """a * p + b * q + r."""
        return a * p + b * q + r

    def each_block(self, job: Callable[..., None], arrays: Sequence[Array]) -> None:
        """job(*arrays), or job(*blocks of them) in any order: flat arrays of one size."""
        job(*arrays)

    # What a step changes, and the values it reads. On a device that captures steps, all of this
    # happens here and nowhere else, so that a replay changes the same.

    @property
    def capturing(self) -> bool:
        """Whether what is computed now is recorded."""
        return False

    def recording(self) -> AbstractContextManager[Recording]:
        """A context that records all that is computed in it; see `minigan.backend.recording`.

        Raises:
            BackendError: this device cannot record a step.
            RuntimeError: a step is being recorded already.
        """
        raise BackendError(f"backend {self.device!r} cannot record a step")

    def advance(self, owner: Any, counter: str, by: int = 1) -> None:
        """Count: owner's attribute `counter` grows by `by`."""
        setattr(owner, counter, getattr(owner, counter) + by)

    def assign(self, target: Array, value: Any) -> None:
        """Overwrite an array with a number or with another array of its shape."""
        target[...] = value

    def limit(self, array: Array, low: float, high: float) -> None:
        """Limit an array's elements to [low, high], in place."""
        self.module.clip(array, low, high, out=array)

    def update(self, optimizer: Any) -> None:
        """Apply an optimizer's rule to its whole buffer."""
        optimizer.prepare()
        flat = [optimizer.values, optimizer.gradient, *optimizer.running.values()]
        self.each_block(optimizer.rule, flat)

    def follow(self, average: Array, value: Array, ema: Any) -> None:
        """Move an average towards a value: average += ema.share() * (value - average), in place."""
        average += ema.share() * (value - average)

    def copied(self, array: Array) -> Array:
        """A copy, safe from later writes."""
        return array.copy()

    def item(self, array: Array) -> Any:
        """The only element as a Python number; waits for the device."""
        return array.item()

    def part(self, run: Callable[..., Array], *arrays: Array) -> Array:
        """run(*arrays), a part of an op; a replay may compute equal parts of a step only once."""
        return run(*arrays)

    def recheck(self, check: Callable[[Array], None], array: Array, key: Any) -> None:
        """Let every replay of a step check an array again, on devices where the host can do that.

        key: tells one check from another; each is made once for an array.
        """

    # Random numbers: by default `stream` draws on the host. A device may draw the same ones itself.

    def uniform(self, stream: Any, shape: Shape, low: float, high: float, dtype: Any) -> Array:
        """The stream's next uniform numbers in [low, high), as an array of this shape and dtype."""
        return self.from_host(stream.host_uniform(shape, low, high, dtype))

    def normal(self, stream: Any, shape: Shape, mean: float, std: float, dtype: Any) -> Array:
        """The stream's next normal numbers, as an array of this shape and dtype."""
        return self.from_host(stream.host_normal(shape, mean, std, dtype))

    # Batches of a data set that lives on the device.

    def batch(self, images: Array, labels: Array | None, order: Array, batches: Any, n: int
              ) -> tuple[Array, Array | None]:
        """n images of a data set that lives on this device, and their labels.

        images: bytes (N, H, W, C). labels: int64 (N,) or None. order: int64 (N,), the epoch's.
        batches: its `position` is where in that order the first image comes. Returns images,
        float32 (n, H, W, C) in [-1, 1], and labels, int64 (n,) or None.

        Raises:
            BackendError: this device does not pick batches.
        """
        raise BackendError(f"backend {self.device!r} does not pick batches")

    # Indexing, and its adjoint.

    def constant_index(self, index: Any) -> tuple[tuple[Any, ...], bool]:
        """An index as a tuple, and whether it has arrays; these are copies, safe from later writes.

        Raises:
            TypeError: an entry is neither an int, a slice, None or Ellipsis, nor an array of
                integers or booleans on this device.
        """
        entries: list[Any] = []
        has_arrays = False
        for entry in index if isinstance(index, tuple) else (index,):
            if entry is None or entry is ... or isinstance(entry, (int, slice, np.integer)):
                entries.append(entry)
            else:
                entries.append(self.copied(self._index_array(entry)))
                has_arrays = True
        return tuple(entries), has_arrays

    def _index_array(self, entry: Any) -> Array:
        array = self.module.array(entry) if isinstance(entry, list) else entry
        if not isinstance(array, self.array_type):
            array = getattr(entry, "data", None)  # a tensor's
        if not isinstance(array, self.array_type) or array.dtype.kind not in "iub":
            raise TypeError(f"an index must be made of ints, slices, or integer or boolean "
                            f"arrays on {self.device}, got {entry!r}")
        return array

    def put_add(self, shape: Shape, index: Any, values: Array, repeats: bool) -> Array:
        """Zeros of `shape` with `values` added at `index`; the adjoint of `x[index]`.

        repeats: whether an element can be named more than once (an index array, not a slice).
        """
        out = self.module.zeros(shape, values.dtype)
        if repeats:
            self.module.add.at(out, index, values)
        else:
            out[index] = values
        return out

    # Receptive fields of images x (N, H, W, C).

    def patches(self, x: Array, g: Geometry) -> Array:
        """Rows of receptive fields ("im2col"): (N, H, W, C) -> (N*OH*OW, KH*KW*C)."""
        fields = self.fields(x, g)                                    # (N, OH, OW, KH, KW, C)
        rows = math.prod(fields.shape[:3])
        return fields.reshape(rows, math.prod(fields.shape[3:]))

    def fields(self, x: Array, g: Geometry) -> Array:
        """Receptive fields as a view of the padded images: (N, OH, OW, KH, KW, C)."""
        (top, bottom), (left, right) = g.pads
        if top or bottom or left or right:
            n, h, w, c = x.shape
            size = n, h + top + bottom, w + left + right, c
            padded = self.module.zeros(size, x.dtype)
            padded[:, top:top + h, left:left + w] = x
            x = padded
        sh, sw = g.stride
        dh, dw = g.dilation
        by_n, by_h, by_w, by_c = x.strides
        shape = len(x), *g.out_size, *g.kernel, x.shape[-1]
        strides = by_n, sh * by_h, sw * by_w, dh * by_h, dw * by_w, by_c
        return self.strided(x, shape, strides)

    def strided(self, x: Array, shape: Shape, strides: Shape) -> Array:
        """A view of x with other strides."""
        return self.module.lib.stride_tricks.as_strided(x, shape, strides)

    def fold(self, rows: Array, g: Geometry, channels: int) -> Array:
        """The adjoint of `patches` ("col2im"): rows added up into images (N, H, W, C)."""
        (top, bottom), (left, right) = g.pads
        h, w = g.in_size
        oh, ow = g.out_size
        kh, kw = g.kernel
        sh, sw = g.stride
        dh, dw = g.dilation
        n = rows.shape[0] // (oh * ow)

        fields = rows.reshape(n, oh, ow, kh, kw, channels)
        size = n, h + top + bottom, w + left + right, channels
        out = self.module.zeros(size, rows.dtype)
        for i in range(kh):
            down = slice(i * dh, i * dh + sh * (oh - 1) + 1, sh)
            for j in range(kw):
                across = slice(j * dw, j * dw + sw * (ow - 1) + 1, sw)
                out[:, down, across] += fields[:, :, :, i, j]

        if top or bottom or left or right:
            out = out[:, top:top + h, left:left + w].copy()
        return out

    # The convolution family: x (N, H, W, C_in), w (KH, KW, C_in, C_out), y (N, OH, OW, C_out).

    def conv2d(self, x: Array, w: Array, g: Geometry) -> Array:
        """y: every receptive field of x times the kernels."""
        c_out = w.shape[-1]
        rows = self.patches(x, g)                                     # (N*OH*OW, KH*KW*C_in)
        y = self.product(rows, w.reshape(-1, c_out))                  # (N*OH*OW, C_out)
        return y.reshape(x.shape[0], *g.out_size, c_out)

    def conv_transpose2d(self, y: Array, w: Array, g: Geometry) -> Array:
        """x: the adjoint of `conv2d` with the same w."""
        c_in, c_out = w.shape[-2:]
        kernels = w.reshape(-1, c_out).T                              # (C_out, KH*KW*C_in)
        rows = self.product(y.reshape(-1, c_out), kernels)            # (N*OH*OW, KH*KW*C_in)
        return self.fold(rows, g, c_in)                               # (N, H, W, C_in)

    def conv2d_weight(self, x: Array, y: Array, g: Geometry) -> Array:
        """w: the gradient of <y, conv2d(x, w)> with respect to w."""
        c_in, c_out = x.shape[-1], y.shape[-1]
        rows = self.patches(x, g)                                     # (N*OH*OW, KH*KW*C_in)
        w = self.product(rows.T, y.reshape(-1, c_out))                # (KH*KW*C_in, C_out)
        return w.reshape(*g.kernel, c_in, c_out)
