"""The convolution family on the processor: `plan` chooses a form once, execution follows the plan.

    conv2d              y from x and w        x (N, H, W, C_in)
    conv_transpose2d    x from y and w        w (KH, KW, C_in, C_out)
    conv2d_weight       w from x and y        y (N, OH, OW, C_out)

Which form is fastest depends on sizes alone, so `plan` is a function of sizes, cached and without
side effects. `print(plan("conv2d", geometry, 64, 64, 128))` shows what it chose, and why:

    conv2d 14x14x64 -> 7x7x128, 4x4 stride 2, 64 images: WINOGRAD(4), 6.63 million
    multiplications an image: tiles of 4x4 cost 0.85 of the direct form

Every form works on blocks of images, which bound the memory of the patches and are what the threads
share. Sizes of blocks do not depend on the number of threads, so neither do results.
"""

from __future__ import annotations

import functools
import math
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from typing import Callable, Iterator, NamedTuple

import numpy as np

from minigan.backend.base import Array, Shape
from minigan.backend.cpu import winograd
from minigan.backend.cpu.passes import BlockedPasses
from minigan.geometry import Geometry, Pair
from minigan.system.threads import LARGE_PRODUCT, added_up, in_turn, parallel

PATCHES = 1 << 20     # numbers in the patches of a block of images, 4 MB: fewer blocks wait less
MOST_IMAGES = 16      # of a block
FEW_CHANNELS = 2      # of grey images; with three, both orders of patches take the same time
FAR_FEWER = 4         # a side with so many times fewer channels makes turning the kernel pay
OTHER = {             # what is computed with the turned kernel
    "conv2d": "conv_transpose2d",
    "conv_transpose2d": "conv2d",
    "conv2d_weight": "conv2d_weight",
}
LEAST_OF_PHASES = 4   # channels of x; with fewer, sums that overlap cost less than rim products


class Form(Enum):
    """How a convolution is computed."""

    PATCHES = "a product with patch rows (im2col)"
    FOLD = "a product whose rows are added up into images (col2im)"
    PHASES = "one product for all phases of the stride, without sums that overlap"
    WINOGRAD = "fewer products, tile by tile"
    TURNED = "the convolution from y to x by the turned kernel"


@dataclass(frozen=True)
class Plan:
    """How one convolution is computed, and why.

    kind: "conv2d", "conv_transpose2d" or "conv2d_weight". geometry, images, c_in, c_out: its sizes.
    cost: of an image, counted in multiplications; moving a number counts as several. why: in words.
    block: how many images PATCHES, FOLD and PHASES take at once. shared: whether threads share the
    blocks. tile: WINOGRAD's tiles have tile x tile outputs. instead: the plan that TURNED follows.
    """

    kind: str
    geometry: Geometry
    images: int
    c_in: int
    c_out: int
    form: Form
    cost: float
    why: str
    block: int = 0
    shared: bool = False
    tile: int = 0
    instead: Plan | None = None

    @property
    def label(self) -> str:
        """The form in short: "PATCHES", "WINOGRAD(4)", "TURNED: FOLD"."""
        if self.instead is not None:
            return f"{self.form.name}: {self.instead.label}"
        return f"{self.form.name}({self.tile})" if self.tile else self.form.name

    @property
    def layer(self) -> str:
        """What goes in and comes out, "14x14x64 -> 7x7x128, 4x4 stride 2"."""
        g = self.geometry
        x = _by(*g.in_size, self.c_in)
        y = _by(*g.out_size, self.c_out)
        way = {
            "conv2d": f"{x} -> {y}",
            "conv_transpose2d": f"{y} -> {x}",
            "conv2d_weight": f"{x}, {y}",
        }[self.kind]
        stride = "" if g.stride == (1, 1) else f" stride {_side(g.stride)}"
        dilation = "" if g.dilation == (1, 1) else f" dilation {_side(g.dilation)}"
        return f"{way}, {_by(*g.kernel)}{stride}{dilation}"

    def __str__(self) -> str:
        millions = f"{self.cost / 1e6:.3g} million multiplications an image"
        convolution = f"{self.kind} {self.layer}, {self.images} images"
        return f"{convolution}: {self.label}, {millions}: {self.why}"


def _by(*sizes: int) -> str:
    return "x".join(map(str, sizes))


def _side(sizes: Pair) -> str:
    return str(sizes[0]) if sizes[0] == sizes[1] else _by(*sizes)


# The choice.

@functools.lru_cache(1024)
def plan(kind: str, geometry: Geometry, n: int, c_in: int, c_out: int, one_float_type: bool = True
         ) -> Plan:
    """The fastest form of a convolution of n images.

    kind: "conv2d", "conv_transpose2d" or "conv2d_weight". c_in, c_out: channels of x and of y.
    one_float_type: whether both arrays have the same float dtype, which Winograd's form needs.
    """
    back = _turned_geometry(geometry)
    if back is None or not _turning_pays(kind, c_in, c_out):
        return _forward_plan(kind, geometry, n, c_in, c_out, one_float_type)

    other = OTHER[kind]
    instead = _forward_plan(other, back, n, c_out, c_in, one_float_type)
    why = f"{c_in} channels to {c_out} at stride 1: {other} has fewer numbers to move"
    sizes = kind, geometry, n, c_in, c_out
    return Plan(*sizes, Form.TURNED, instead.cost, why, instead=instead)


def _turning_pays(kind: str, c_in: int, c_out: int) -> bool:
    """Whether the turned form is faster, where there is one.

    A transposed convolution by patches of y has no sums that overlap, so it serves unless y has far
    more channels than x. The other two turn where that makes far smaller patches.
    """
    if kind == "conv_transpose2d":
        return FAR_FEWER * c_in > c_out
    return FAR_FEWER * c_out <= c_in


def _turned_geometry(g: Geometry) -> Geometry | None:
    """The geometry from y to x: None unless stride and dilation are 1 and pads below the kernel."""
    if g.stride != (1, 1) or g.dilation != (1, 1):
        return None
    if any(max(pads) >= k for pads, k in zip(g.pads, g.kernel)):
        return None
    (top, bottom), (left, right) = g.pads
    kh, kw = g.kernel
    vertical = kh - 1 - top, kh - 1 - bottom
    horizontal = kw - 1 - left, kw - 1 - right
    pads = vertical, horizontal
    return Geometry(g.out_size, g.kernel, g.stride, pads, g.dilation, g.in_size)


def _forward_plan(kind: str, g: Geometry, n: int, c_in: int, c_out: int, one_float_type: bool
                  ) -> Plan:
    """The plan with the kernel as it is."""
    sizes = kind, g, n, c_in, c_out
    direct = winograd.direct_cost(g, c_in, c_out)
    tile = winograd.tile_size(g, n, c_in, c_out) if one_float_type else 0
    if tile:
        cost = winograd.cost(g, tile, n, c_in, c_out)
        why = f"tiles of {tile}x{tile} cost {cost / direct:.2f} of the direct form"
        return Plan(*sizes, Form.WINOGRAD, cost, why, tile=tile)

    if kind == "conv_transpose2d" and _has_phases(g) and c_in >= LEAST_OF_PHASES:
        phases = phases_of(g)
        moved = phases.numbers(c_in, c_out)
        cost = phases.products(c_in, c_out) + winograd.PER_PATCH * moved
        block, shared = _blocks(n, moved, c_out)
        why = "the stride divides the kernel, so each pixel of x can be written once"
        return Plan(*sizes, Form.PHASES, cost, why, block, shared)

    patches = math.prod(g.out_size) * math.prod(g.kernel) * c_in
    form = Form.FOLD if kind == "conv_transpose2d" else Form.PATCHES
    block, shared = _blocks(n, patches, c_out, least=8 if kind == "conv2d_weight" else 2)
    why = _why_direct(g, n, c_in, c_out, one_float_type)
    return Plan(*sizes, form, direct, why, block, shared)


def _why_direct(g: Geometry, n: int, c_in: int, c_out: int, one_float_type: bool) -> str:
    if not one_float_type:
        return "Winograd's form needs both arrays in one float type"
    sizes = winograd.sizes(g) if n else []
    if not sizes:
        return "Winograd's form does not fit this kernel, stride, dilation or size"
    least = min(winograd.cost(g, m, n, c_in, c_out) for m in sizes)
    share = least / max(winograd.direct_cost(g, c_in, c_out), 1)
    return f"Winograd's form would cost {share:.2f} of this, more than {winograd.WORTH_IT}"


def _blocks(n: int, patches: int, channels: int, least: int = 2) -> tuple[int, bool]:
    """How many of n images are a block, at least two blocks in all, and whether threads share them.

    patches: how many numbers the patches of an image have. channels: products of each of these.
    """
    fitting = max(least, PATCHES // max(patches, 1))
    half = -(-n // 2)
    block = max(1, min(MOST_IMAGES, half, fitting))
    return block, n * patches * channels >= LARGE_PRODUCT


# Which plans were followed, for a profile.

_followed: ContextVar[list[Plan] | None] = ContextVar("the plans followed here", default=None)


@contextmanager
def following() -> Iterator[list[Plan]]:
    """Yields a list to which each convolution of this thread inside the block adds its plan."""
    plans: list[Plan] = []
    before = _followed.set(plans)
    try:
        yield plans
    finally:
        _followed.reset(before)


# The forms.

class Convolutions(BlockedPasses):
    """The convolution family, each as its plan says."""

    def conv2d(self, x: Array, w: Array, g: Geometry) -> Array:
        c_in, c_out = w.shape[2:]
        chosen = _chosen("conv2d", g, x, w, c_in, c_out)
        if chosen.instead is not None:
            return self._conv_transpose2d(chosen.instead, x, self.part(_turned, w))
        return self._conv2d(chosen, x, w)

    def conv_transpose2d(self, y: Array, w: Array, g: Geometry) -> Array:
        c_in, c_out = w.shape[2:]
        chosen = _chosen("conv_transpose2d", g, y, w, c_in, c_out)
        if chosen.instead is not None:
            return self._conv2d(chosen.instead, y, self.part(_turned, w))
        return self._conv_transpose2d(chosen, y, w)

    def conv2d_weight(self, x: Array, y: Array, g: Geometry) -> Array:
        c_in, c_out = x.shape[-1], y.shape[-1]
        chosen = _chosen("conv2d_weight", g, x, y, c_in, c_out)
        if chosen.instead is not None:
            return np.ascontiguousarray(_turned(self._conv2d_weight(chosen.instead, y, x)))
        return self._conv2d_weight(chosen, x, y)

    # With the kernel as it is.

    def _conv2d(self, plan: Plan, x: Array, w: Array) -> Array:
        if plan.form is Form.WINOGRAD:
            return winograd.conv2d(self.part, x, w, plan.geometry, plan.tile)
        return self._by_patches(plan, x, w)

    def _conv_transpose2d(self, plan: Plan, y: Array, w: Array) -> Array:
        if plan.form is Form.WINOGRAD:
            return winograd.conv_transpose2d(self.part, y, w, plan.geometry, plan.tile)
        if plan.form is Form.PHASES:
            return self._by_phases(plan, y, w)
        return self._by_folding(plan, y, w)

    def _conv2d_weight(self, plan: Plan, x: Array, y: Array) -> Array:
        if plan.form is Form.WINOGRAD:
            return winograd.conv2d_weight(self.part, x, y, plan.geometry, plan.tile)
        return self._weight_by_patches(plan, x, y)

    # Direct forms.

    def _by_patches(self, plan: Plan, x: Array, w: Array) -> Array:
        g = plan.geometry
        c_out = w.shape[3]
        kernels = w.reshape(-1, c_out)                         # (KH*KW*C_in, C_out)
        size = len(x), *g.out_size, c_out
        y = np.empty(size, np.result_type(x, w))

        def block(images: slice) -> None:
            rows = self.patches(x[images], g)                  # (n*OH*OW, KH*KW*C_in)
            np.matmul(rows, kernels, out=y[images].reshape(-1, c_out))

        _over_images(plan, block)
        return y

    def _by_folding(self, plan: Plan, y: Array, w: Array) -> Array:
        g = plan.geometry
        c_in, c_out = w.shape[2:]
        kernels = w.reshape(-1, c_out).T                       # (C_out, KH*KW*C_in)
        size = len(y), *g.in_size, c_in
        x = np.empty(size, np.result_type(y, w))

        def block(images: slice) -> None:
            rows = y[images].reshape(-1, c_out) @ kernels      # (n*OH*OW, KH*KW*C_in)
            x[images] = self.fold(rows, g, c_in)

        _over_images(plan, block)
        return x

    def _by_phases(self, plan: Plan, y: Array, w: Array) -> Array:
        """Transposed convolution without overlapping sums: each output pixel is written once.

        With stride s, the output pixels of one phase (their position modulo s) are a convolution of
        stride 1 of y with every s-th row and column of the kernel. All phases share the patches of
        y, so they are one matrix product, whose result is the output in another order. It costs
        more products at the rim than `fold` and no sums, which pays unless channels are very few.
        """
        g = plan.geometry
        phases = phases_of(g)
        sh, sw = g.stride
        th, tw = phases.taps
        qh, qw = phases.places
        height, width = phases.reached
        (top, _), (left, _) = g.pads
        c_in, c_out = w.shape[2:]

        kernels = w.reshape(th, sh, tw, sw, c_in, c_out)
        kernels = kernels[::-1, :, ::-1]                       # the taps, last one first
        kernels = kernels.transpose(0, 2, 5, 1, 3, 4)          # (th, tw, C_out, sh, sw, C_in)
        kernels = kernels.reshape(th * tw * c_out, sh * sw * c_in)
        make = np.empty if phases.reached == g.in_size else np.zeros
        size = len(y), *g.in_size, c_in
        x = make(size, np.result_type(y, w))

        def block(images: slice) -> None:
            rows = self.patches(y[images], phases.windows)     # (n*qh*qw, th*tw*C_out)
            products = rows @ kernels                          # (n*qh*qw, sh*sw*C_in)
            pixels = products.reshape(-1, qh, qw, sh, sw, c_in)
            pixels = pixels.transpose(0, 1, 3, 2, 4, 5)        # (n, qh, sh, qw, sw, C_in)
            pixels = pixels.reshape(-1, qh * sh, qw * sw, c_in)
            inside = pixels[:, top:top + height, left:left + width]
            x[images, :height, :width] = inside

        _over_images(plan, block)
        return x

    def _weight_by_patches(self, plan: Plan, x: Array, y: Array) -> Array:
        g = plan.geometry
        c_in, c_out = x.shape[-1], y.shape[-1]
        height = math.prod(g.kernel) * c_in
        of_no_images = np.zeros((height, c_out), np.result_type(x, y))
        sums = {-1: of_no_images}                              # by the block's first image

        def block(images: slice) -> None:
            rows = self.patches(x[images], g)                  # (n*OH*OW, KH*KW*C_in)
            sums[images.start] = rows.T @ y[images].reshape(-1, c_out)

        _over_images(plan, block)
        return added_up(sums).reshape(*g.kernel, c_in, c_out)

    # Receptive fields.

    def strided(self, x: Array, shape: Shape, strides: Shape) -> Array:
        """Without NumPy's own function, whose Python code keeps other threads waiting."""
        if x.flags.c_contiguous and x.size:
            return np.ndarray(shape, x.dtype, x, 0, strides)
        return super().strided(x, shape, strides)

    def patches(self, x: Array, g: Geometry) -> Array:
        """With one or two channels, a row for each pixel of the kernel: long runs of numbers.

        The result is the transpose of a contiguous array, which a matrix product takes as well.
        """
        if x.shape[-1] > FEW_CHANNELS or not x.size:
            return super().patches(x, g)
        fields = self.fields(x, g).transpose(3, 4, 5, 0, 1, 2)   # (KH, KW, C, N, OH, OW)
        return fields.reshape(math.prod(fields.shape[:3]), -1).T

    def fold(self, rows: Array, g: Geometry, channels: int) -> Array:
        """As many neighbouring columns at once as the stride keeps from overlapping."""
        sh, sw = g.stride
        kh, kw = g.kernel
        oh, ow = g.out_size
        h, w = g.in_size
        (top, _), (left, _) = g.pads
        if sw == 1 or g.dilation != (1, 1) or channels < 2:
            return super().fold(rows, g, channels)

        taps = -(-kw // sw)                                    # of the kernel, sw columns each
        fields = rows.reshape(-1, oh, ow, kh, kw * channels)
        high = max(top + h, sh * (oh - 1) + kh)
        wide = max(-(-(left + w) // sw), ow - 1 + taps)        # columns, sw pixels each
        size = len(fields), high, wide, sw * channels
        if g.kernel == g.stride and (high, wide) == (sh * oh, ow):
            out = np.empty(size, rows.dtype)                   # each number has a place of its own
            apart = out.reshape(-1, oh, sh, ow, kw * channels)
            apart[...] = fields.swapaxes(2, 3)
        else:
            out = np.zeros(size, rows.dtype)
            for i in range(kh):
                down = slice(i, i + sh * (oh - 1) + 1, sh)
                for j in range(taps):
                    start = j * sw * channels
                    columns = fields[:, :, :, i, start:start + sw * channels]
                    out[:, down, j:j + ow, :columns.shape[-1]] += columns
        pixels = out.reshape(len(fields), high, wide * sw, channels)
        return pixels[:, top:top + h, left:left + w]


def _chosen(kind: str, g: Geometry, a: Array, b: Array, c_in: int, c_out: int) -> Plan:
    """The plan for images a and another array; noted down inside `following`."""
    one_float_type = a.dtype == b.dtype and a.dtype.kind == "f"
    chosen = plan(kind, g, len(a), c_in, c_out, one_float_type)
    plans = _followed.get()
    if plans is not None:
        plans.append(chosen)
    return chosen


def _turned(w: Array) -> Array:
    """Kernels upside down, with the channels of y for those of x."""
    return w[::-1, ::-1].swapaxes(2, 3)


def _over_images(plan: Plan, block: Callable[[slice], None]) -> None:
    """Run block(images) over all images, a plan's block at a time."""
    n = plan.images
    size = plan.block

    def some(i: int) -> None:
        start = i * size
        block(slice(start, min(start + size, n)))

    share = parallel if plan.shared else in_turn
    share(some, -(-n // size))


class Phases(NamedTuple):
    """The phases of a transposed convolution whose stride divides its kernel.

    taps: (height, width) of the kernel of one phase. places: how many pixels each phase has.
    windows: the geometry of the patches of y. reached: how much of x the phases cover, which is 0
    beyond.
    """

    stride: Pair
    taps: Pair
    places: Pair
    windows: Geometry
    reached: Pair

    def products(self, c_in: int, c_out: int) -> int:
        """Multiplications an image."""
        pixels = math.prod(self.places) * math.prod(self.stride)
        return pixels * math.prod(self.taps) * c_in * c_out

    def numbers(self, c_in: int, c_out: int) -> int:
        """Numbers an image that are moved: patches of y, and what they give."""
        patch = math.prod(self.taps) * c_out
        pixels = math.prod(self.stride) * c_in
        return math.prod(self.places) * (patch + pixels)


def _has_phases(g: Geometry) -> bool:
    divides = all(k % s == 0 and s > 1 for k, s in zip(g.kernel, g.stride))
    return divides and g.dilation == (1, 1)


@functools.lru_cache(1024)
def phases_of(g: Geometry) -> Phases:
    """How `_by_phases` cuts a geometry for which `_has_phases` holds."""
    sh, sw = g.stride
    kh, kw = g.kernel
    oh, ow = g.out_size
    h, w = g.in_size
    (top, _), (left, _) = g.pads
    th, tw = taps = kh // sh, kw // sw
    qh, qw = places = oh + th - 1, ow + tw - 1
    pads = (th - 1, th - 1), (tw - 1, tw - 1)
    windows = Geometry(g.out_size, taps, (1, 1), pads, (1, 1), places)
    reached = min(h, qh * sh - top), min(w, qw * sw - left)
    return Phases(g.stride, taps, places, windows, reached)
