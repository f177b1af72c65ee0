"""Pictures: arrays and layouts in, a Figure or pixels out.

    save(tile(images, columns=10), "samples.png")            # uint8 pixels, written exactly
    save(lines({"f": (xs, ys)}, title="f"), "f.png")         # a matplotlib Figure

This is the only file that imports matplotlib, inside its functions, so that pixels are written
without it. It never touches pyplot or the backend and never shows anything: every function returns
a Figure, which a notebook displays by itself and `save` writes. Functions with an argument `on`
also draw onto an Axes of `panels`, to put several plots into one picture.

Pictures look the same everywhere: they are made and drawn with matplotlib's default settings, of
which the user's (matplotlibrc, a style, MPLBACKEND) change nothing, and which are put back after
each call. A dollar sign in a name is a dollar sign, not the beginning of a formula.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import struct
import sys
import textwrap
import threading
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, Sequence, TypeVar

import numpy as np

from minigan.system import files

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Series = Mapping[str, tuple[Any, Any]]  # name -> (x, y), two vectors of one length

INK, MUTED, FAINT, PAPER = "#1f2933", "#66717d", "#e4e7eb", "#ffffff"
COLOURS = ("#2563a8", "#d9622b", "#2e8b6f", "#8a4fa3", "#b8860b", "#5b6770", "#c2477f", "#4aa3c7")
DPI = 150
CELL = 4  # pixels of the checkerboard below what is transparent

Function = TypeVar("Function", bound=Callable[..., Any])


# ---------------------------------------------------------------- settings

_drawing = threading.RLock()  # matplotlib's settings are one for all threads


def _renew_lock() -> None:
    global _drawing
    _drawing = threading.RLock()


if hasattr(os, "register_at_fork"):  # another thread may hold it, which the child does not have
    os.register_at_fork(after_in_child=_renew_lock)


def _matplotlib() -> Any:
    """matplotlib, imported so that no setting of the user's can prevent it.

    An MPLBACKEND that is not here would be an error of the import, though no backend is needed.
    Where it is here, it is still what pyplot will use.
    """
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    with _environment(MPLBACKEND=None) as chosen:
        try:
            matplotlib = importlib.import_module("matplotlib")
        except ImportError:
            raise
        except Exception:  # a matplotlibrc that cannot be read
            for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
                del sys.modules[name]  # what the import had got to
            with _environment(MATPLOTLIBRC=_shipped_settings()):
                matplotlib = importlib.import_module("matplotlib")
    if chosen:
        try:
            matplotlib.rcParams["backend"] = chosen
        except Exception:
            pass
    return matplotlib


def _shipped_settings() -> str | None:
    """The path of the matplotlibrc that comes with matplotlib."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return None
    return str(Path(found.origin).with_name("mpl-data") / "matplotlibrc")


@contextmanager
def _environment(**variables: str | None) -> Iterator[str | None]:
    """Set one variable of the environment, or none of that name, for a while; yields what it was.
    """
    (name, value), = variables.items()
    before = os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
    try:
        yield before
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


@contextmanager
def _default_settings() -> Iterator[None]:
    """matplotlib's default settings while this lasts, the user's again afterwards."""
    matplotlib = _matplotlib()
    with _drawing:
        present, usual = matplotlib.rcParams, matplotlib.rcParamsDefault
        names = [name for name in usual if name != "backend"]
        differing = {name: usual[name] for name in names if present[name] != usual[name]}
        with matplotlib.rc_context(differing):
            yield


def _drawn(function: Function) -> Function:
    """Let a function make or draw its figure with the default settings."""
    @functools.wraps(function)
    def with_default_settings(*arguments: Any, **named: Any) -> Any:
        with _default_settings():
            return function(*arguments, **named)
    return with_default_settings  # type: ignore[return-value]


def _plain(text: Any) -> str:
    """A text for matplotlib that shows its dollar signs."""
    return str(text).replace("$", r"\$")


# ---------------------------------------------------------------- pixels

def tile(images: np.ndarray, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Pictures side by side, row by row, as one picture.

    images: uint8 (N, H, W) or (N, H, W, C), shown as `visible` says. columns: about a square if
    left out. gap: white pixels between pictures, none around.
    Returns uint8 (rows * (H + gap) - gap, columns * (W + gap) - gap), with a last axis 3 if they
    are in colours.
    """
    images = np.asarray(images)
    images = images[..., None] if images.ndim == 3 else images
    if images.dtype != np.uint8 or images.ndim != 4 or not images.size:
        raise ValueError(f"tile: images must be uint8 (N, H, W) or (N, H, W, C), one or more, got "
                         f"{images.dtype} {images.shape}")
    images = visible(images)
    n, h, w, c = images.shape
    columns = int(np.ceil(np.sqrt(n))) if columns is None else columns
    if columns < 1 or gap < 0:
        raise ValueError(f"tile: columns must be 1 or more and gap 0 or more, got {columns} and "
                         f"{gap}")
    rows = -(-n // columns)
    sheet = np.full((rows, h + gap, columns, w + gap, c), 255, np.uint8)
    for i, image in enumerate(images):
        sheet[i // columns, :h, i % columns, :w] = image
    sheet = sheet.reshape(rows * (h + gap), columns * (w + gap), c)
    sheet = sheet[:rows * (h + gap) - gap, :columns * (w + gap) - gap]
    return np.ascontiguousarray(sheet[:, :, 0] if c == 1 else sheet)


def visible(images: np.ndarray) -> np.ndarray:
    """Pictures with any number of channels as grey or coloured ones.

    images: uint8 (N, H, W, C). Grey, C = 1, and RGB, C = 3, are returned as they are; RGBA, C = 4,
    is seen over a checkerboard, which a picture that is opaque hides; of any other number the
    channels are grey pictures side by side, uint8 (N, H, C * W, 1).
    """
    n, h, w, c = images.shape
    if c in (1, 3):
        return images
    if c == 4:
        cells = np.add.outer(np.arange(h) // CELL, np.arange(w) // CELL) % 2
        below = np.where(cells, 255, 204)[:, :, None]         # (H, W, 1)
        opaque = images[..., 3:] / 255.0                      # (N, H, W, 1)
        mixed = images[..., :3] * opaque + below * (1 - opaque)
        return np.rint(mixed).astype(np.uint8)
    apart = images.transpose(0, 1, 3, 2)                      # (N, H, C, W)
    return np.ascontiguousarray(apart).reshape(n, h, c * w, 1)


def save(picture: Figure | np.ndarray, path: str | os.PathLike[str], scale: int = 1) -> Path:
    """Write a Figure, or a uint8 array (H, W) or (H, W, C) pixel by pixel, as a PNG file.

    C = 1 is grey, 3 RGB, 4 RGBA; of any other number the channels stand side by side in grey.
    scale: how many pixels wide and high each pixel of an array becomes. Folders are made. The file
    gets its name when it is complete, so nobody ever sees half a picture. Returns the path.
    The words of a Figure are kept in the file too, as its Description, see `words`.
    """
    path = files.user_path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"save: the path must end in .png, got {str(path)!r}")
    content = png(picture, scale)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, content)
    return path


def png(picture: Figure | np.ndarray, scale: int = 1) -> bytes:
    """What `save` writes: the bytes of a PNG file."""
    if isinstance(picture, np.ndarray):
        return _png(picture, scale)
    return _png(pixels(picture), scale, "\n".join(words(picture)))


def words(figure: Figure) -> list[str]:
    """What a Figure says in words, but for the numbers along its axes: titles, labels, names.

    So a picture can be searched, read aloud, and compared with what would be drawn today.
    """
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter

    numbers = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            if not isinstance(axis.get_major_formatter(), FixedFormatter):
                numbers.update(axis.get_ticklabels(which="both"))
    found = [text.get_text().strip() for text in figure.findobj(Text)
             if text.get_visible() and text not in numbers]
    return sorted({text for text in found if text})


@_drawn
def pixels(figure: Figure) -> np.ndarray:
    """A Figure as uint8 (H, W, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[:, :, :3]


def _png(picture: np.ndarray, scale: int, description: str = "") -> bytes:
    """The PNG file of pixels (ISO/IEC 15948: signature, IHDR, iTXt, IDAT, IEND)."""
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or not picture.size:
        raise ValueError(f"save: pixels must be uint8 (H, W) or (H, W, C), got {picture.dtype} "
                         f"{picture.shape}")
    if picture.ndim == 3 and picture.shape[2] not in (3, 4):
        picture = visible(picture[None])[0, :, :, 0]
    if not isinstance(scale, int) or scale < 1:
        raise ValueError(f"save: scale must be an int of 1 or more, got {scale!r}")
    picture = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    h, w = picture.shape[:2]
    rows = np.zeros((h, 1 + picture[0].size), np.uint8)  # a leading 0: the row is not filtered
    rows[:, 1:] = picture.reshape(h, -1)
    colours = 0 if picture.ndim == 2 else {3: 2, 4: 6}[picture.shape[2]]  # grey, RGB, RGBA
    header = struct.pack(">IIBBBBB", w, h, 8, colours, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    if description:  # not compressed, no language, no translated keyword
        chunks.insert(1, (b"iTXt", b"Description\0\0\0\0\0" + description.encode()))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks)


# ---------------------------------------------------------------- pictures as figures

@_drawn
def image_grid(images: np.ndarray, columns: int | None = None, labels: Sequence[Any] | None = None,
               gap: int = 2, scale: int = 1) -> Figure:
    """The picture of `tile` as a Figure, pixel by pixel, with a label over each column.

    images, columns, gap: as in `tile`; scale: screen pixels a pixel; labels: one a column.
    """
    sheet = tile(images, columns, gap)
    h, w = sheet.shape[0] * scale, sheet.shape[1] * scale
    head = 0 if labels is None else 24
    figure = _figure(w / 100, (h + head) / 100, dpi=100)
    ax = figure.add_axes((0, 0, 1, h / (h + head)))
    ax.set_axis_off()
    ax.imshow(_rgb(sheet), interpolation="nearest", aspect="auto")
    width = tile(images[:1]).shape[1]
    count = (sheet.shape[1] + gap) // (width + gap)
    if labels is not None and len(labels) != count:
        raise ValueError(f"image_grid: {count} columns have {len(labels)} labels")
    for i, label in enumerate(labels or ()):
        middle = (i * (width + gap) + width / 2) / sheet.shape[1]
        figure.text(middle, (h + 8) / (h + head), _plain(label), ha="center", va="baseline", size=9,
                    color=INK)
    return figure


@_drawn
def strip(pictures: Sequence[np.ndarray], captions: Sequence[str] = (), title: str = "",
          caption: str = "", height: float = 2.2) -> Figure:
    """Pictures of one height side by side, each with a line under it.

    pictures: uint8 (H, W) or (H, W, 3), shown as they are, or a float matrix (H, W), shown in
    colours that have white at 0, blue above and orange below. height: inches.
    """
    shapes = [p.shape[1] / p.shape[0] for p in pictures]
    gap, foot = 0.25, 0.16 * (1 + max((c.count("\n") for c in captions), default=0)) + 0.1
    total_w = height * sum(shapes) + gap * (len(pictures) + 1)
    above = textwrap.wrap(title, max(20, int((total_w - gap) * 11.5)))  # 11.5 characters an inch
    head = 0.3 + 0.2 * len(above) if above else gap
    below = _wrapped(caption, total_w)
    total_h = head + height + (foot if captions else 0.1) + 0.17 * len(below) + 0.12 * bool(below)
    figure, left = _figure(total_w, total_h), gap
    for i, (p, shape) in enumerate(zip(pictures, shapes)):
        ax = figure.add_axes((left / total_w, 1 - (head + height) / total_h,
                              height * shape / total_w, height / total_h))
        _show(ax, p)
        for j, line in enumerate(captions[i].split("\n") if i < len(captions) else ()):
            figure.text(left / total_w, 1 - (head + height + 0.19 + 0.16 * j) / total_h,
                        _plain(line), size=8.5, color=MUTED)
        left += height * shape + gap
    for j, line in enumerate(above):
        figure.text(gap / total_w, 1 - (0.31 + 0.2 * j) / total_h, _plain(line), size=11,
                    weight="bold", color=INK)
    figure.text(gap / total_w, 0.1 / total_h, _plain("\n".join(below)), size=8.5, color=MUTED)
    return figure


def _show(ax: Axes, picture: np.ndarray) -> None:
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(color=FAINT, linewidth=0.8)
    if picture.dtype == np.uint8:
        ax.imshow(_rgb(picture), interpolation="nearest", aspect="auto")
        return
    h, w = picture.shape
    top = float(np.abs(picture).max()) or 1.0
    ax.imshow(picture, cmap=_diverging(), vmin=-top, vmax=top, interpolation="nearest",
              aspect="auto")
    if h * w <= 2500:  # few enough cells to outline each
        ax.set_xticks(np.arange(0.5, w - 1), minor=True)
        ax.set_yticks(np.arange(0.5, h - 1), minor=True)
        ax.grid(which="minor", color=PAPER, linewidth=0.8)
        ax.tick_params(which="minor", length=0)


def _rgb(picture: np.ndarray) -> np.ndarray:
    """Grey as three equal channels: matplotlib's grey map is off by one here and there."""
    shown = visible(picture[None, :, :, None] if picture.ndim == 2 else picture[None])[0]
    return shown if shown.shape[2] == 3 else shown.repeat(3, axis=2)


def _diverging() -> Any:
    from matplotlib.colors import LinearSegmentedColormap
    stops = ["#8c3b12", COLOURS[1], "#f7d3bd", PAPER, "#c3d7ec", COLOURS[0], "#123a66"]
    return LinearSegmentedColormap.from_list("minigan", stops, N=257)  # odd: the middle is white


# ---------------------------------------------------------------- curves

@_drawn
def panels(count: int, width: float = 3.2, height: float | None = None, title: str = "",
           caption: str = "") -> tuple[Figure, list[Axes]]:
    """A Figure with `count` empty Axes side by side, for the functions that take `on`.

    width, height: inches a panel.
    """
    height = height or width + 0.45 * bool(title) + 0.35 * bool(caption)  # a square fits
    figure = _figure(width * count, height, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)  # type: ignore
    axes = [figure.add_subplot(1, count, i + 1) for i in range(count)]
    if title:
        figure.suptitle(_plain(title), x=0.012, ha="left", size=11, weight="bold", color=INK)
    if caption:
        below = "\n".join(_wrapped(caption, width * count))
        figure.supxlabel(_plain(below), x=0.012, ha="left", size=8.5, color=MUTED)
    return figure, axes


@_drawn
def lines(series: Series, title: str = "", caption: str = "", x_label: str = "", y_label: str = "",
          dots: Series | None = None, log: bool = False, from_zero: bool = False,
          on: Axes | None = None) -> Figure:
    """Curves by name, each labelled at its right end.

    series: name -> (x, y). dots: the same, drawn as points, in the colour of the curve of that name
    if there is one. log: a logarithmic y axis. from_zero: one that begins at 0. caption: one line
    under the plot. on: an Axes of `panels`.
    """
    figure, ax = _plot(on, title, caption, x_label, y_label)
    if log:
        ax.set_yscale("log")
    ends = []
    colours = dict(zip(dict.fromkeys([*series, *(dots or ())]), COLOURS * 9))
    for name, (x, y) in series.items():
        ax.plot(x, y, color=colours[name], linewidth=1.8)
        ends.append((name, colours[name], np.asarray(y, float)))
    for name, (x, y) in (dots or {}).items():
        ax.plot(x, y, linestyle="none", marker="o", markersize=4.4, markerfacecolor=PAPER,
                markeredgecolor=colours[name], markeredgewidth=1.2, zorder=3, clip_on=False)
        if name not in series:
            ends.append((name, colours[name], np.asarray(y, float)))
    if from_zero:
        ax.set_ylim(bottom=0)
    _name_ends(ax, ends)
    return figure


@_drawn
def loss_curves(series: Series, caption: str = "", title: str = "", x_label: str = "step",
                levels: Mapping[str, float] | None = None, on: Axes | None = None) -> Figure:
    """Losses over steps: every value thin, the running median (a 30th of the run) bold.

    series: name -> (steps, values). caption: one line under the plot that says what a normal curve
    looks like. levels: dashed lines to compare with, by name. A few outliers do not set the scale,
    values that are not finite are left out.
    """
    figure, ax = _plot(on, title, caption, x_label, "")
    ends, shown = [], []
    for i, (name, (steps, values)) in enumerate(series.items()):
        x, y = np.asarray(steps, float), np.asarray(values, float)
        x, y, colour = x[np.isfinite(y)], y[np.isfinite(y)], COLOURS[i % len(COLOURS)]
        at, middle = _running_median(y, len(y) // 60)
        ax.plot(x, y, color=colour, linewidth=0.6, alpha=0.28)
        ax.plot(x[at], middle, color=colour, linewidth=1.9, zorder=3)
        ends.append((name, colour, middle))
        shown.extend([np.percentile(y, (1, 99)), middle] if len(y) else [])
    for name, level in (levels or {}).items():
        ax.axhline(level, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=2)
        ends.append((name, MUTED, np.array([level])))
        shown.append(np.array([level]))
    if shown:
        low, high = min(s.min() for s in shown), max(s.max() for s in shown)
        room = 0.06 * (high - low or abs(high) or 1)
        ax.set_ylim(low - room, high + room)
    _name_ends(ax, ends)
    return figure


def _running_median(y: np.ndarray, half: int) -> tuple[np.ndarray, np.ndarray]:
    """At most 400 positions, and the median of the values up to `half` before and after each."""
    at = np.unique(np.linspace(0, len(y) - 1, min(len(y), 400)).astype(int))
    return at, np.array([np.median(y[max(0, i - half):i + half + 1]) for i in at])


@_drawn
def histogram(values: Mapping[str, Any], bins: int = 50, title: str = "", caption: str = "",
              x_label: str = "", on: Axes | None = None) -> Figure:
    """Distributions of one or several named vectors over common bins, as shares a bin."""
    figure, ax = _plot(on, title, caption, x_label, "")
    arrays = [np.ravel(np.asarray(v, float)) for v in values.values()]
    edges = np.histogram_bin_edges(np.concatenate(arrays), bins)
    for i, (name, v) in enumerate(zip(values, arrays)):
        heights, colour = np.histogram(v, edges)[0] / max(len(v), 1), COLOURS[i % len(COLOURS)]
        ax.stairs(heights, edges, fill=True, color=colour, alpha=0.18)
        ax.stairs(heights, edges, color=colour, linewidth=1.5, label=_plain(name))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    _legend(ax, len(values))
    return figure


@_drawn
def scatter(points: Mapping[str, np.ndarray], limit: float | None = None, title: str = "",
            caption: str = "", on: Axes | None = None) -> Figure:
    """Clouds of points in the plane by name, later ones on top; (N, 2) each.

    limit: the axes go from -limit to limit, so that pictures over time can be compared.
    """
    figure, ax = _plot(on, title, caption, "", "", square=True)
    for i, (name, xy) in enumerate(points.items()):
        ax.scatter(xy[:, 0], xy[:, 1], s=7, linewidths=0, alpha=0.55, label=_plain(name),
                   color=COLOURS[i % len(COLOURS)])
    if limit:
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit))
    _legend(ax, len(points))
    return figure


@_drawn
def ranges(series: Mapping[str, Mapping[str, tuple[float, float, float]]], title: str = "",
           caption: str = "", level: float | None = None) -> Figure:
    """Medians as dots on the lines from lowest to highest value, a row a name.

    series: series -> name -> (median, low, high). level: a dashed line to compare with.
    """
    names = list(dict.fromkeys(name for values in series.values() for name in values))
    height = 0.16 * sum(map(len, series.values())) + 0.2 * len(names) + 1.5
    figure, ax = _rows(names, height, title, caption)
    labelled = set()
    for row, name in enumerate(names):
        here = [(i, label) for i, label in enumerate(series) if name in series[label]]
        for place, (i, label) in enumerate(here):
            median, low, high = series[label][name]
            y = row + (place - (len(here) - 1) / 2) * 0.72 / max(len(here), 2)
            colour = COLOURS[i % len(COLOURS)]
            ax.plot([low, high], [y, y], color=colour, linewidth=2.2, alpha=0.4,
                    solid_capstyle="round")
            ax.plot([median], [y], "o", color=colour, markersize=5.5, markeredgecolor=PAPER,
                    markeredgewidth=0.8, label="" if label in labelled else _plain(label), zorder=3)
            labelled.add(label)
    ax.set_xlim(left=0)
    if level is not None:
        ax.axvline(level, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, fontsize=8.5,
              labelcolor=INK, handlelength=1, borderaxespad=0)
    return figure


@_drawn
def bars(names: Sequence[str], charts: Mapping[str, Mapping[str, Sequence[float]]],
         title: str = "", caption: str = "", same_scale: bool = False) -> Figure:
    """Bar charts side by side with a row a name.

    charts: title of a chart -> part of a bar -> its length in each row; parts follow one another.
    same_scale: all charts have the scale of the longest bar.
    """
    longest = [np.sum([*parts.values()], axis=0).max() or 1 for parts in charts.values()]
    figure, axes = panels(len(charts), 4.4, 0.27 * len(names) + 1.3, title, caption)
    for chart, (ax, (label, parts)) in enumerate(zip(axes, charts.items())):
        _rows(names if chart == 0 else [""] * len(names), 0, label, "", ax)
        ends = np.zeros(len(names))
        for i, (part, lengths) in enumerate(parts.items()):
            ax.barh(range(len(names)), lengths, left=ends, height=0.62, color=COLOURS[i],
                    label=_plain(part), linewidth=0)
            ends += np.asarray(lengths, float)
        for row, end in enumerate(ends):
            number = f"{end:,.0f}" if end >= 1000 else f"{end:.3g}"
            ax.text(end, row, f" {number}" if end else "", va="center", size=8, color=MUTED)
        ax.set_xlim(0, 1.16 * (max(longest) if same_scale else longest[chart]))
    axes[-1].legend(loc="lower right", frameon=False, fontsize=8.5, labelcolor=INK, handlelength=1)
    return figure


def _rows(names: Sequence[str], height: float, title: str, caption: str, on: Axes | None = None
          ) -> tuple[Figure, Axes]:
    """An Axes whose vertical axis are names, the first on top."""
    figure, axes = (on.figure, [on]) if on is not None else panels(1, 7.2, height, caption=caption)
    _, ax = _plot(axes[0], title, "", "", "")
    ax.set_yticks(range(len(names)), [_plain(name) for name in names])
    ax.tick_params(axis="y", labelcolor=INK)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.grid(axis="x", color=FAINT, linewidth=0.8)
    return figure, ax  # type: ignore[return-value]


@_drawn
def level_sets(xx: np.ndarray, yy: np.ndarray, zz: np.ndarray, points: np.ndarray | None = None,
               title: str = "", caption: str = "", on: Axes | None = None) -> Figure:
    """A function of the plane as filled levels: xx, yy, zz (H, W); points (N, 2) drawn on top."""
    figure, ax = _plot(on, title, caption, "", "", square=True)
    top = float(np.abs(zz - np.median(zz)).max()) or 1.0
    levels = np.median(zz) + np.linspace(-top, top, 22)
    ax.contourf(xx, yy, zz, levels=levels, cmap=_diverging(), alpha=0.75)
    ax.contour(xx, yy, zz, levels=levels, colors=PAPER, linewidths=0.5,
               linestyles="solid")
    if points is not None:
        ax.scatter(points[:, 0], points[:, 1], s=6, linewidths=0, alpha=0.6, color=INK, zorder=3)
        ax.set(xlim=(xx.min(), xx.max()), ylim=(yy.min(), yy.max()))
    return figure


def _figure(width: float, height: float, dpi: int = DPI, layout: Any = None) -> Figure:
    from matplotlib.figure import Figure

    class Picture(Figure):
        """A Figure that a notebook displays by itself, which pyplot would have to arrange."""

        @_drawn
        def draw(self, renderer: Any) -> None:
            super().draw(renderer)

        def _repr_png_(self) -> bytes:
            return _png(pixels(self), 1)

    return Picture((width, height), dpi=dpi, facecolor=PAPER, layout=layout)


def _plot(on: Axes | None, title: str, caption: str, x_label: str, y_label: str,
          square: bool = False) -> tuple[Figure, Axes]:
    """An Axes in the house's style: no box, faint lines at the ticks, the title at the left."""
    if on is None:
        figure, axes = panels(1, *((4.2, 4.2) if square else (7.2, 4.0)), caption=caption)
        ax = axes[0]
    else:
        ax, figure = on, on.figure  # type: ignore[assignment]
    ax.set_title(_plain(title), loc="left", size=11 if on is None else 9.5, weight="bold",
                 color=INK, pad=9)
    below = "\n".join(filter(None, [x_label, caption if on is not None else ""]))
    ax.set_xlabel(_plain(below), size=8.5, color=MUTED)
    ax.set_ylabel(_plain(y_label), size=8.5, color=MUTED)
    ax.tick_params(which="both", length=0, labelsize=8.5, labelcolor=MUTED, pad=5)
    for side, spine in ax.spines.items():
        spine.set(visible=square or side == "bottom", color=FAINT if square else "#b5bdc6",
                  linewidth=0.9)
    if square:
        ax.set_aspect("equal")
        ax.set(xticks=[], yticks=[])
    else:
        ax.grid(axis="y", color=FAINT, linewidth=0.8)
        ax.set_axisbelow(True)
        ax.margins(x=0.01)
    return figure, ax


def _name_ends(ax: Axes, ends: list[tuple[str, str, np.ndarray]]) -> None:
    """Names at the right ends of curves, in their colours, moved apart where they would collide."""
    ax.get_ylim()  # fixes the scale, which the next line reads
    to_axes = ax.transScale + ax.transLimits  # ends as shares of the axes' height
    heights = [float(np.clip(to_axes.transform((0 if ax.get_xscale() == "linear" else 1, y[-1]))[1],
                             0, 1)) for _, _, y in ends if len(y)]
    named = [(name, colour) for name, colour, y in ends if len(y)]
    for place, i in zip(_apart(sorted(heights), 0.062), np.argsort(heights, kind="stable")):
        ax.text(1.012, place, _plain(named[i][0]), transform=ax.transAxes, size=9, va="center",
                weight="bold", color=named[i][1])


def _apart(places: list[float], distance: float) -> list[float]:
    """Sorted places, moved as little as possible (least squares) until `distance` apart."""
    blocks: list[list[float]] = []  # [sum, count] of places that touch, less their offsets
    for i, place in enumerate(places):
        blocks.append([place - i * distance, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, count = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + count]
    means = [total / count for total, count in blocks for _ in range(int(count))]
    return [mean + i * distance for i, mean in enumerate(means)]


def _legend(ax: Axes, count: int) -> None:
    if count > 1:
        ax.legend(loc="best", frameon=False, fontsize=8.5, labelcolor=INK, handlelength=1,
                  borderaxespad=0.2)


def _wrapped(text: str, width: float) -> list[str]:
    """A caption in lines that fit `width` inches."""
    return textwrap.wrap(text, max(20, int(width * 14.5)))


# ---------------------------------------------------------------- graphs

FILL = {"leaf": PAPER, "parameter": "#e3f3ec", "op": "#e7eff8", "gradient": "#fdece2"}
EDGE = {"leaf": MUTED, "parameter": COLOURS[2], "op": COLOURS[0], "gradient": COLOURS[1]}
MEANING = {"leaf": "input or constant", "parameter": "parameter", "op": "forward",
           "gradient": "backward"}
EM = 8.5 / 72  # inches: the unit of a layout is one em of its text
LARGEST = 40.0  # inches


@_drawn
def graph(*layouts: Any, titles: Sequence[str] = (), caption: str = "") -> Figure:
    """One or several layouts of `minigan.graph` in one picture, with a key to the colours.

    A layout has nodes (label, detail, kind, gradient, members, x, y, width, height), edges
    (gradient, points), a size (width, height) in ems, y downwards, and a direction: those that
    point down stand side by side, those that point right one under another. A picture of more
    than 40 inches is drawn smaller.
    """
    margin, head, between = 1.7, 3.0 if any(titles) else 0.0, 4.6
    named = [*titles, *[""] * (len(layouts) - len(titles))]
    wide = [max(g.width, 0.8 * len(t)) for g, t in zip(layouts, named)]
    beside = layouts[0].direction == "down"
    corners, x, y = [], margin, margin
    for g, w in zip(layouts, wide):
        corners.append((x, y))
        x, y = (x + w + between, y) if beside else (x, y + head + g.height + between / 2)
    kinds = {_kind(node) for g in layouts for node in g.nodes}
    key = [(kind, words, 3.6 + 0.46 * len(words)) for kind, words in MEANING.items()
           if kind in kinds]
    width = max(x - between if beside else max(wide) + margin, sum(k[2] for k in key) + margin)
    width, below = width + margin, _wrapped(caption, width * EM)
    bottom = max(y + head + g.height for (_, y), g in zip(corners, layouts)) + 1.8
    height = bottom + 2.6 + 1.5 * len(below) + 0.5 * bool(below)
    unit = min(EM, LARGEST / width, LARGEST / height)
    figure, font = _figure(width * unit, height * unit), 72 * unit
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    ax.set_axis_off()
    for g, title, (x, y) in zip(layouts, named, corners):
        ax.text(x, y + 0.2, _plain(title), size=1.25 * font, weight="bold", color=INK, va="center")
        _draw_edges(ax, g, x, y + head, font)
        for node in g.nodes:
            _draw_node(ax, node, x, y + head, font)
    for x, y in corners[1:] if beside else ():
        ax.plot([x - between / 2] * 2, [y, bottom - 1.8], color=FAINT, linewidth=0.12 * font)
    x = margin
    for kind, words, room in key:
        _box(ax, x, bottom, 1.5, 1.0, kind, font)
        ax.text(x + 2.0, bottom + 0.52, words, size=0.9 * font, color=MUTED, va="center_baseline")
        x += room
    for i, line in enumerate(below):
        ax.text(margin, bottom + 2.8 + 1.5 * i, _plain(line), size=font, color=MUTED,
                va="center_baseline")
    return figure


def _kind(node: Any) -> str:
    return {"output": "gradient" if node.gradient else "op"}.get(node.kind, node.kind)


def _box(ax: Axes, x: float, y: float, width: float, height: float, kind: str, font: float,
         strong: bool = False) -> None:
    from matplotlib.patches import FancyBboxPatch
    radius = min(height / 2, 1.1) if kind == "leaf" else 0.35
    ax.add_patch(FancyBboxPatch(
        (x + radius, y + radius), max(width - 2 * radius, 0.01), max(height - 2 * radius, 0.01),
        boxstyle=f"round,pad={radius}", facecolor=EDGE[kind] if strong else FILL[kind],
        edgecolor=EDGE[kind], linewidth=0.12 * font, zorder=2))


def _draw_node(ax: Axes, node: Any, left: float, top: float, font: float) -> None:
    kind, strong, x, y = _kind(node), node.kind == "output", left + node.x, top + node.y
    for behind in range(2 if node.members > 1 else 0, -1, -1):  # a pile stands for several nodes
        _box(ax, x - node.width / 2 + 0.3 * behind, y - node.height / 2 + 0.3 * behind, node.width,
             node.height, kind, font, strong)
    signs = {"*": "\u00d7", "-": "\u2212", "/": "\u00f7", "**": "^"}
    words = " ".join(signs.get(word, word) for word in node.label.split(" "))
    ax.text(x, y - 0.52 if node.detail else y, _plain(words), size=font, ha="center", zorder=3,
            va="center_baseline" if not node.detail else "center", color=PAPER if strong else INK)
    if node.detail:
        ax.text(x, y + 0.62, _plain(node.detail), size=0.8 * font, ha="center", va="center",
                zorder=3, color=PAPER if strong else MUTED)


def _draw_edges(ax: Axes, layout: Any, left: float, top: float, font: float) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Outline
    for edge in layout.edges:
        points = [(left + x, top + y) for x, y in edge.points]
        corners, codes = [points[0]], [Outline.MOVETO]
        for (x0, y0), (x1, y1) in zip(points, points[1:]):
            bend = ((x0, (y0 + y1) / 2), (x1, (y0 + y1) / 2)) if layout.direction == "down" else (
                ((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1))
            corners += [*bend, (x1, y1)]
            codes += [Outline.CURVE4] * 3
        ax.add_patch(FancyArrowPatch(
            path=Outline(corners, codes), arrowstyle="-|>,head_length=0.35,head_width=0.18",
            mutation_scale=font, linewidth=0.1 * font, shrinkA=0, shrinkB=0, zorder=1,
            color="#e0a98a" if edge.gradient else "#9db2c8", joinstyle="round"))
