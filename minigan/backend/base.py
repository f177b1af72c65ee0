"""What a device offers: its array module, transfers, and the few primitives it may do better.

Every op's forward receives a `Backend` as `xp` and writes `xp.exp(x)` or `xp.patches(x, geometry)`
without asking where it runs. Attributes that are not defined here are those of the array module
(NumPy, CuPy), looked up once and then kept on the object.

The primitives below are the plain forms, written with nothing but the array module, so they run on
every device; they are also the reference that a faster form is tested against.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable, Container, Sequence

import numpy as np

from minigan.backend.recording import Recording

if TYPE_CHECKING:
    from minigan.geometry import Geometry

Array = Any  # an array of whichever module computes: numpy.ndarray, cupy.ndarray, a stand-in

FEW = 128   # terms that a long sum adds one after another; such sums are added up again, and so on
PLAIN = 256  # terms up to which a sum is short: it is made in one go


class BackendError(RuntimeError):
    """A backend is unknown, is not installed, or finds no device."""


class Choice:
    """What one call of `use` has chosen.

    block: the `use` that is entered, None of a mere call. open: whether a mere call, which no block
    is around, has yet to become the whole process's choice.
    """

    def __init__(self, backend: Backend, precision: str | None, block: Any = None) -> None:
        self.backend = backend
        self.precision = precision
        self.block = block
        self.open = False


# Of this thread or asyncio task, the innermost block's last.
choices: ContextVar[tuple[Choice, ...]] = ContextVar("what `use` has chosen here", default=())


class Backend:
    """One device: `xp.NAME` is the array module's NAME, unless a primitive below defines it.

    precisions: how exact float32 products may be. capturable: whether a step can be recorded and
    replayed here. picks_batches: whether it holds a data set and picks batches. live_attributes:
    those of optimizers and averages, by name, that every replay reads again.
    """

    precisions: tuple[str, ...] = ("fp32",)
    _precision = "fp32"
    capturable = picks_batches = False
    live_attributes: Container[str] = ()

    def __init__(self, device: str, module: ModuleType | Any, array_type: type) -> None:
        self.device = device
        self.module = module
        self.array_type: Any = array_type

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self.module, name)
        setattr(self, name, value)  # found at once the next time
        return value

    def __repr__(self) -> str:
        return f"Backend({self.device!r})"

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

    # Transfers: the only places where data changes its device.

    def from_host(self, array: np.ndarray) -> Array:
        """A NumPy array, copied to this device."""
        return self.module.asarray(array)

    def to_host(self, array: Array) -> np.ndarray:
        """An array of this device, as a NumPy array."""
        return np.asarray(array)

    def write(self, array: Array, values: np.ndarray) -> None:
        """Overwrite an array of this device with values of the host, in turn with its work."""
        self.assign(array, self.from_host(values))

    def batch(self, images: Array, labels: Array | None, order: Array, batches: Any, n: int
              ) -> tuple[Array, Array | None]:
        """n images of a data set that lives on this device, and their labels.

        images: bytes (N, H, W, C). labels: int64 (N,) or None. order: int64 (N,), the epoch's.
        batches: has the `position` of the first image in that order. Returns float32 images in
        [-1, 1] and labels.

        Raises:
            BackendError: this device does not pick batches.
        """
        raise BackendError(f"backend {self.device!r} does not pick batches")

    def synchronize(self) -> None:
        """Wait until everything that was asked of the device is done."""

    def describe(self) -> str:
        """One line for people: what computes here."""
        return self.device

    def notice(self) -> str:
        """What a person should know before the first step, if anything."""
        return ""

    @property
    def precision(self) -> str:
        """How exact float32 products are: what `with use` said here, else the process's setting."""
        for choice in reversed(choices.get()):
            if choice.backend is self and choice.precision is not None:
                return choice.precision
        return self._precision

    @precision.setter
    def precision(self, precision: str) -> None:
        self._precision = precision

    def set_precision(self, precision: str) -> None:
        """Compute float32 products from now on as "fp32" or, where the device can, as "tf32".

        That is for the whole process, but not inside of a `with use` that names a precision.
        """
        self.check_precision(precision)
        self._precision = precision

    def check_precision(self, precision: str) -> None:
        """Raise a ValueError unless the device has such a precision."""
        if precision not in self.precisions:
            raise ValueError(f"precision must be {' or '.join(map(repr, self.precisions))} on the "
                             f"backend {self.device!r}, got {precision!r}")

    def constant_index(self, index: Any) -> tuple[tuple[Any, ...], bool]:
        """An index as a tuple whose arrays are copies, safe from later writes; has it arrays?"""
        parts: list[Any] = []
        arrays = False
        for part in index if isinstance(index, tuple) else (index,):
            if not (part is None or part is ... or isinstance(part, (int, slice, np.integer))):
                array = self.module.array(part) if isinstance(part, list) else part
                if not isinstance(array, self.array_type):
                    array = getattr(part, "data", None)  # a tensor's
                if not isinstance(array, self.array_type) or array.dtype.kind not in "iub":
                    raise TypeError(f"an index must be made of ints, slices, or integer or boolean "
                                    f"arrays on {self.device}, got {part!r}")
                part, arrays = self.copied(array), True
            parts.append(part)
        return tuple(parts), arrays

    # Primitives.

    def total(self, x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
        """Sum over `axis` in x's own dtype; its error does not grow with the number of terms."""
        return self.module.sum(shortened(self.module, x, axis), axis=axis, dtype=x.dtype,
                               keepdims=keepdims)

    def product(self, a: Array, b: Array) -> Array:
        """Matrix product (..., M, K) @ (..., K, N)."""
        return self.module.matmul(a, b)

    # Passes over elements; factors p, q, s and shifts r, t broadcast against the array.

    def leaky_relu(self, x: Array, slope: float) -> Array:
        """x where x > 0, else slope * x."""
        return self.module.maximum(x, x * slope) if slope else self.module.maximum(x, 0)

    def gate(self, gy: Array, x: Array, slope: float) -> Array:
        """gy where x > 0, else slope * gy."""
        if slope == 0:
            return self.keep(gy, x > 0)
        factor = self.module.asarray(x > 0).astype(gy.dtype)
        return self.module.multiply(self.module.maximum(factor, slope, out=factor), gy, out=factor)

    def keep(self, gy: Array, mask: Array) -> Array:
        """gy where mask is not 0, else 0: a product with 0 would make NaN of an infinite gy."""
        return self.module.where(mask != 0, gy, self.module.zeros_like(gy))

    def scale_shift(self, x: Array, s: Array, t: Any) -> Array:
        """x * s + t."""
        return x * s + t

    def mix(self, a: Array, p: Array, b: Array, q: Array, r: Any) -> Array:
        """a * p + b * q + r."""
        return a * p + b * q + r

    def dot(self, a: Array, b: Array, axis: tuple[int, ...]) -> Array:
        """Sum of a * b over `axis`, which is kept with size 1."""
        return self.total(a * b, axis, True)

    def variance(self, x: Array, mean: Array, axis: tuple[int, ...]) -> Array:
        """Mean of (x - mean)^2 over `axis`, which is kept with size 1."""
        away = x - mean
        return self.dot(away, away, axis) / math.prod(x.shape[i] for i in axis)

    def each_block(self, job: Callable[..., None], arrays: Sequence[Array]) -> None:
        """job(*arrays), or job(*blocks of them) in any order: flat arrays of one size."""
        job(*arrays)

    def biased(self, x: Array, bias: Array, slope: float) -> Array:
        """leaky_relu of x + bias, bias being of one number a channel, the last axis."""
        return self.leaky_relu(x + bias, slope)

    # What a step changes, and the values it reads. Where a step can be captured, all of it happens
    # here and nowhere else, so that a replay changes the same.

    def advance(self, owner: Any, counter: str, by: int = 1) -> None:
        """Count: owner's attribute `counter` becomes `by` larger."""
        setattr(owner, counter, getattr(owner, counter) + by)

    def assign(self, target: Array, value: Any) -> None:
        """Overwrite an array with a number or with another of its shape."""
        target[...] = value

    def limit(self, array: Array, low: float, high: float) -> None:
        """Limit an array's elements to [low, high], in place."""
        self.module.clip(array, low, high, out=array)

    def copied(self, array: Array) -> Array:
        """A copy, safe from later writes."""
        return array.copy()

    def item(self, array: Array) -> Any:
        """The only element, as a Python number; on a device it is waited for."""
        return array.item()

    def update(self, optimizer: Any) -> None:
        """Apply an optimizer's rule to its whole buffer."""
        optimizer.prepare()
        self.each_block(optimizer.rule, [optimizer.values, optimizer.gradient,
                                         *optimizer.running.values()])

    def follow(self, average: Array, value: Array, ema: Any) -> None:
        """Move an average towards a value, in place, by the present share of `ema`."""
        average += ema.share() * (value - average)

    def recheck(self, check: Callable[[Array], None], array: Array, key: Any) -> None:
        """Let every replay of a step make this check of an array, where a host can; key: which."""

    # Random numbers: `stream` draws on the host, a device that can draws the same itself.

    def uniform(self, stream: Any, shape: tuple[int, ...], low: float, high: float, dtype: Any
                ) -> Array:
        """The stream's next uniform numbers in [low, high)."""
        return self.from_host(stream.host_uniform(shape, low, high, dtype))

    def normal(self, stream: Any, shape: tuple[int, ...], mean: float, std: float, dtype: Any
               ) -> Array:
        """The stream's next normal numbers."""
        return self.from_host(stream.host_normal(shape, mean, std, dtype))

    # Picking and putting back.

    def put_add(self, shape: tuple[int, ...], index: Any, values: Array, repeats: bool) -> Array:
        """Zeros of `shape` with `values` added at `index`; the adjoint of `x[index]`.

        repeats: whether an element can be named more than once (an index array, not a slice).
        """
        out = self.module.zeros(shape, values.dtype)
        if repeats:
            self.module.add.at(out, index, values)
        else:
            out[index] = values
        return out

    def patches(self, x: Array, g: Geometry) -> Array:
        """Rows of receptive fields ("im2col"): (N, H, W, C) -> (N*OH*OW, KH*KW*C)."""
        fields = self.fields(x, g)
        return fields.reshape(math.prod(fields.shape[:3]), math.prod(fields.shape[3:]))

    def fields(self, x: Array, g: Geometry) -> Array:
        """Receptive fields as a view of the padded images: (N, OH, OW, KH, KW, C)."""
        (top, bottom), (left, right) = g.pads
        if top or bottom or left or right:
            n, h, w, c = x.shape
            padded = self.module.zeros((n, h + top + bottom, w + left + right, c), x.dtype)
            padded[:, top:top + h, left:left + w] = x
            x = padded
        (sh, sw), (dh, dw) = g.stride, g.dilation
        by_n, by_h, by_w, by_c = x.strides
        return self.strided(x, (len(x), *g.out_size, *g.kernel, x.shape[-1]),
                            (by_n, sh * by_h, sw * by_w, dh * by_h, dw * by_w, by_c))

    def strided(self, x: Array, shape: tuple[int, ...], strides: tuple[int, ...]) -> Array:
        """A view of x with other strides."""
        return self.module.lib.stride_tricks.as_strided(x, shape, strides)

    def fold(self, rows: Array, g: Geometry, channels: int) -> Array:
        """The adjoint of `patches` ("col2im"): rows added up into images (N, H, W, C)."""
        (top, bottom), (left, right) = g.pads
        (h, w), (oh, ow) = g.in_size, g.out_size
        (kh, kw), (sh, sw), (dh, dw) = g.kernel, g.stride, g.dilation
        n = rows.shape[0] // (oh * ow)
        fields = rows.reshape(n, oh, ow, kh, kw, channels)
        out = self.module.zeros((n, h + top + bottom, w + left + right, channels), rows.dtype)
        for i in range(kh):
            for j in range(kw):
                out[:, i * dh:i * dh + sh * (oh - 1) + 1:sh,
                    j * dw:j * dw + sw * (ow - 1) + 1:sw] += fields[:, :, :, i, j]
        if top or bottom or left or right:
            out = out[:, top:top + h, left:left + w].copy()
        return out

    # The convolution family: x (N, H, W, C_in), w (KH, KW, C_in, C_out), y (N, OH, OW, C_out).

    def conv2d(self, x: Array, w: Array, g: Geometry) -> Array:
        """y: every receptive field of x times the kernels."""
        rows = self.patches(x, g)                                     # (N*OH*OW, KH*KW*C_in)
        y = self.product(rows, w.reshape(-1, w.shape[-1]))            # (N*OH*OW, C_out)
        return y.reshape(x.shape[0], *g.out_size, w.shape[-1])

    def conv_transpose2d(self, y: Array, w: Array, g: Geometry) -> Array:
        """x: the adjoint of `conv2d` with the same w."""
        c_in, c_out = w.shape[-2:]
        rows = self.product(y.reshape(-1, c_out), w.reshape(-1, c_out).T)
        return self.fold(rows, g, c_in)

    def conv2d_weight(self, x: Array, y: Array, g: Geometry) -> Array:
        """w: the gradient of <y, conv2d(x, w)> with respect to w."""
        c_in, c_out = x.shape[-1], y.shape[-1]
        w = self.product(self.patches(x, g).T, y.reshape(-1, c_out))  # (KH*KW*C_in, C_out)
        return w.reshape(*g.kernel, c_in, c_out)


def shortened(module: Any, x: Array, axis: tuple[int, ...]) -> Array:
    """x itself, or partial sums of it over `axis` which have the same sum: at most FEW a sum.

    Term after term, float32 loses all that is below its 24 bits of the sum so far: of millions of
    numbers some per cent. A tree of short sums loses a few roundings at any size. Neighbours on the
    longest of the axes are added up until few are left, always in the same order.
    """
    if x.size <= PLAIN or x.dtype.kind != "f" or _terms(x, axis) <= PLAIN:
        return x
    while _terms(x, axis) > FEW:
        longest = max(axis, key=x.shape.__getitem__)
        x = _neighbours_added(module, x, longest)
    return x


def _terms(x: Array, axis: tuple[int, ...]) -> int:
    return math.prod(x.shape[i] for i in axis)


def _neighbours_added(module: Any, x: Array, i: int) -> Array:
    """Sums of FEW neighbours along axis i; of those that are over, one more sum."""
    n = x.shape[i]
    if n <= FEW:
        return module.sum(x, axis=i, dtype=x.dtype, keepdims=True)
    before = (slice(None),) * i
    blocks = n // FEW
    whole = x[before + (slice(0, blocks * FEW),)]
    cut = whole.reshape(*x.shape[:i], blocks, FEW, *x.shape[i + 1:])   # a view, however x lies
    sums = module.sum(cut, axis=i + 1, dtype=x.dtype)
    if blocks * FEW == n:
        return sums
    over = x[before + (slice(blocks * FEW, n),)]
    return module.concatenate([sums, module.sum(over, axis=i, dtype=x.dtype, keepdims=True)], i)
