"""The plot room: tiles to the pixel, PNG files that others read, figures that are really drawn."""
from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

from minigan import plot
from minigan.system import files


def digits(count, channels=1, height=4, width=3):
    """Pictures that differ from one another in every pixel."""
    pixels = np.arange(count * height * width * channels) % 251
    return pixels.reshape(count, height, width, channels).astype(np.uint8)


def read(path):
    """The pixels of a PNG file, uint8 (H, W, 3), by a reader that is not ours."""
    from matplotlib.image import imread
    picture = (imread(path) * 255).round().astype(np.uint8)
    return picture[..., :3] if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)


def ink(figure):
    """How many pixels of the drawn figure are not white."""
    return int((plot.pixels(figure) < 250).any(axis=2).sum())


# Pixels.

@pytest.mark.parametrize("channels", [1, 3])
def test_a_tile_holds_every_picture_at_its_place(channels):
    images = digits(5, channels)
    sheet = plot.tile(images, columns=2, gap=1)
    assert sheet.dtype == np.uint8 and sheet.shape[:2] == (3 * 5 - 1, 2 * 4 - 1)
    assert sheet.ndim == (2 if channels == 1 else 3)
    for i, image in enumerate(images):
        top, left = i // 2 * 5, i % 2 * 4
        np.testing.assert_array_equal(sheet[top:top + 4, left:left + 3],
                                      image[:, :, 0] if channels == 1 else image)
    assert (sheet[4] == 255).all() and (sheet[:, 3] == 255).all() and (sheet[10:, 4:] == 255).all()


def test_a_tile_is_about_square_and_may_have_no_gap():
    assert plot.tile(digits(9), gap=0).shape == (12, 9)
    np.testing.assert_array_equal(plot.tile(digits(1)), digits(1)[0, :, :, 0])
    np.testing.assert_array_equal(plot.tile(digits(4)[..., 0], 2), plot.tile(digits(4), 2))


def test_what_is_transparent_is_seen_over_a_checkerboard():
    images = digits(3, 4, height=8, width=12)
    images[..., 3] = np.array([0, 255, 128], np.uint8)[:, None, None]
    shown = plot.visible(images)
    assert shown.shape == (3, 8, 12, 3)
    np.testing.assert_array_equal(shown[1], images[1, ..., :3])
    below = shown[0]
    assert (below[:4, :4] == 204).all() and (below[:4, 4:8] == 255).all()
    assert (below[4:, :4] == 255).all() and (below[4:, 8:] == 255).all()
    due = images[2, ..., :3] * (128 / 255) + below * (127 / 255.0)
    assert np.abs(shown[2] - due).max() <= 0.5 + 1e-9
    np.testing.assert_array_equal(plot.tile(images[1:2]), images[1, ..., :3])


@pytest.mark.parametrize("channels", [2, 5])
def test_other_channels_stand_side_by_side_in_grey(channels):
    images = digits(3, channels)
    sheet = plot.tile(images, columns=3, gap=1)
    assert sheet.shape == (4, 3 * (3 * channels + 1) - 1)
    for i, image in enumerate(images):
        for c in range(channels):
            left = i * (3 * channels + 1) + 3 * c
            np.testing.assert_array_equal(sheet[:, left:left + 3], image[..., c])
    figure = plot.image_grid(digits(2, channels, 8, 8), 2, labels="ab")
    assert plot.pixels(figure).shape[1] == 2 * 8 * channels + 2


@pytest.mark.parametrize("channels", [2, 4])
def test_pictures_of_two_and_four_channels_are_saved(tmp_path, channels):
    from PIL import Image
    image = digits(1, channels)[0]
    with Image.open(plot.save(image, tmp_path / "a.png")) as saved:
        if channels == 4:
            assert saved.mode == "RGBA"  # as it is: nothing is lost
            np.testing.assert_array_equal(np.array(saved), image)
        else:
            np.testing.assert_array_equal(np.array(saved), np.hstack([image[..., 0],
                                                                      image[..., 1]]))


@pytest.mark.parametrize("images", [np.zeros((2, 4, 4, 1)), digits(0), digits(2, 0),
                                    np.zeros((4, 4), np.uint8)])
def test_a_tile_of_other_arrays_is_refused(images):
    with pytest.raises(ValueError, match="tile: images must be uint8"):
        plot.tile(images)


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (1, 1)])
@pytest.mark.parametrize("scale", [1, 3])
def test_a_png_holds_exactly_these_pixels(tmp_path, shape, scale):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = plot.save(picture, tmp_path / "deep" / "in" / "picture.png", scale=scale)
    due = np.broadcast_to(picture.reshape(*shape[:2], -1), (*shape[:2], 3))
    np.testing.assert_array_equal(read(path), np.kron(due, np.ones((scale, scale, 1), np.uint8)))


def test_a_file_holds_the_words_of_its_figure_and_is_the_same_each_time(tmp_path):
    from PIL import Image
    once, again = [plot.lines({"näme": ([0, 1], [0, 1])}, "A title", "A caption.")
                   for _ in range(2)]
    with Image.open(plot.save(once, tmp_path / "a.png")) as saved:
        assert saved.info == {"Description": "A caption.\nA title\nnäme"}
    assert plot.png(again) == (tmp_path / "a.png").read_bytes()
    with Image.open(plot.save(np.zeros((2, 2), np.uint8), tmp_path / "b.png")) as saved:
        assert saved.info == {}


def test_pixels_are_written_without_matplotlib(tmp_path):
    code = ("import sys, numpy, pathlib; from minigan import plot; "
            "plot.save(plot.tile(numpy.zeros((3, 2, 2), numpy.uint8)), sys.argv[1]); "
            "assert pathlib.Path(sys.argv[1]).stat().st_size > 50; "
            "print('matplotlib' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.png")], text=True,
                          capture_output=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("picture, path, scale, message", [
    (np.zeros((2, 2)), "a.png", 1, "pixels must be uint8"),
    (np.zeros((2, 2, 0), np.uint8), "a.png", 1, "pixels must be uint8"),
    (np.zeros((2,), np.uint8), "a.png", 1, "pixels must be uint8"),
    (np.zeros((2, 2), np.uint8), "a.jpg", 1, "must end in .png"),
    (np.zeros((2, 2), np.uint8), "a.png", 0, "scale must be an int"),
])
def test_a_bad_picture_is_refused_and_leaves_nothing(tmp_path, picture, path, scale, message):
    with pytest.raises(ValueError, match=message):
        plot.save(picture, tmp_path / path, scale=scale)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_picture_and_no_other_file(tmp_path, monkeypatch):
    old, new = np.zeros((2, 2), np.uint8), np.full((2, 2), 7, np.uint8)
    path = plot.save(old, tmp_path / "latest.png")
    before = path.read_bytes()

    def full(source, target):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        plot.save(new, path)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["latest.png"] and path.read_bytes() == before
    plot.save(new, path)
    assert read(path)[0, 0, 0] == 7


# Figures.

def test_a_grid_is_drawn_pixel_by_pixel_under_its_labels(tmp_path):
    images = digits(6, height=8, width=8)
    sheet = plot.tile(images, columns=3, gap=2)
    figure = plot.image_grid(images, columns=3, labels="abc", gap=2, scale=2)
    drawn = plot.pixels(figure)
    below = drawn[-2 * sheet.shape[0]:]
    np.testing.assert_array_equal(below[..., 0], sheet.repeat(2, axis=0).repeat(2, axis=1))
    head = drawn[:-2 * sheet.shape[0]]
    thirds = [head[:, i * 20:i * 20 + 16] for i in range(3)]
    assert all((third < 128).any() for third in thirds)
    with pytest.raises(ValueError, match="3 columns have 2 labels"):
        plot.image_grid(images, columns=3, labels="ab")
    np.testing.assert_array_equal(plot.pixels(plot.image_grid(images, 3))[..., 0], sheet)


def test_a_grid_of_images_with_names_of_rows():
    images = digits(6, height=12, width=8)
    sheet = plot.tile(images, 3)
    drawn = plot.pixels(plot.image_grid(images, 3, "abc", names=["slant", "boldness"]))
    right = drawn[-len(sheet):, -sheet.shape[1]:]
    np.testing.assert_array_equal(right[..., 0], sheet)
    left = drawn[-len(sheet):, :-sheet.shape[1]]
    assert all((left[rows] < 128).any() for rows in (slice(0, 12), slice(14, 26)))
    with pytest.raises(ValueError, match="2 rows have 1 names"):
        plot.image_grid(images, 3, names=["slant"])


STEPS = np.arange(300)
CURVES = {"critic": (STEPS, np.sin(STEPS / 40)), "generator": (STEPS, np.cos(STEPS / 40))}
CLOUD = np.random.default_rng(0).standard_normal((50, 2))
PLANE = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9))
FIGURES = {
    "lines": lambda **more: plot.lines(CURVES, dots={"critic": CURVES["critic"]}, **more),
    "loss_curves": lambda **more: plot.loss_curves(CURVES, **more),
    "histogram": lambda **more: plot.histogram({"a": CLOUD, "b": CLOUD + 1}, **more),
    "scatter": lambda **more: plot.scatter({"a": CLOUD, "b": CLOUD / 2}, limit=3, **more),
    "level_sets": lambda **more: plot.level_sets(*PLANE, PLANE[0] ** 2 - PLANE[1], CLOUD, **more),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_with_its_words(name):
    from matplotlib.text import Text
    figure = FIGURES[name](title="A title", caption="What is normal here.")
    assert ink(FIGURES[name]()) > 2000 and ink(figure) > 2000
    texts = [t.get_text() for t in figure.findobj(Text)]
    assert "A title" in texts and "What is normal here." in texts


def test_several_plots_share_one_figure():
    figure, axes = plot.panels(len(FIGURES), title="All", caption="Side by side.")
    for ax, make in zip(axes, FIGURES.values()):
        assert make(on=ax, title="one") is figure
    assert ink(figure) > 5000 and all(ax.get_title(loc="left") == "one" for ax in axes)


def test_curves_keep_their_values_and_colours():
    figure = plot.lines(CURVES, dots={"critic": (STEPS[:3], STEPS[:3]), "extra": (STEPS, STEPS)})
    first, second, dots, extra = figure.axes[0].lines
    np.testing.assert_array_equal(first.get_ydata(), CURVES["critic"][1])
    assert dots.get_markeredgecolor() == first.get_color() != second.get_color()
    assert extra.get_markeredgecolor() not in (first.get_color(), second.get_color())
    assert {t.get_text() for t in figure.axes[0].texts} == {"critic", "generator", "extra"}


def test_names_at_the_ends_of_curves_keep_apart():
    figure = plot.lines({name: ([0, 1], [0, 1 + 1e-3 * i]) for i, name in enumerate("abcd")})
    places = sorted(t.get_position()[1] for t in figure.axes[0].texts)
    assert len(places) == 4 and min(np.diff(places)) > 0.05


def test_names_stand_at_the_ends_of_curves_on_a_scale_from_zero():
    figure = plot.lines({"high": ([0, 1], [50, 51]), "low": ([0, 1], [40, 41])}, from_zero=True)
    ax = figure.axes[0]
    assert ax.get_ylim()[0] == 0
    assert {name.get_text(): name.get_position()[1] * ax.get_ylim()[1] for name in ax.texts} == {
        "high": pytest.approx(51), "low": pytest.approx(41)}


def test_a_loss_curve_is_a_running_median_that_outliers_do_not_move():
    values = np.ones(3000)
    values[1000], values[5], values[6] = 1e6, np.nan, np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot.loss_curves({"loss": (np.arange(3000), values)}, caption="Flat.")
        assert ink(figure) > 1000
    raw, median = figure.axes[0].lines
    assert len(raw.get_ydata()) == 2998 and raw.get_ydata().max() == 1e6
    assert (median.get_ydata() == 1).all() and median.get_linewidth() > raw.get_linewidth()
    assert median.get_xdata()[-1] == 2999 and figure.axes[0].get_ylim()[1] < 2


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_short_and_empty_runs_have_loss_curves(count):
    figure = plot.loss_curves({"loss": (np.arange(count), np.ones(count)), "none": ([], [])})
    assert ink(figure) > 0 and len(figure.axes[0].lines[1].get_ydata()) == count


def test_a_long_title_of_a_strip_stays_within_the_figure():
    title = ("pix2pix edges trained on digits, step 2,000: 5,000 samples of the generator's own "
             "weights, seed 0")
    figure = plot.strip([np.zeros((30, 50), np.uint8)], ["one"], title, height=4.0)
    figure.draw_without_rendering()
    right = [text.get_window_extent().x1 for text in figure.texts]
    assert max(right) < figure.bbox.x1
    bold = [text.get_text() for text in figure.texts if text.get_weight() == "bold"]
    assert " ".join(bold) == title and len(bold) == 2
    axes, titles = figure.axes[0].get_window_extent(), figure.texts[1:3]
    assert all(text.get_window_extent().y0 > axes.y1 for text in titles)


def test_a_strip_shows_bytes_as_they_are_and_floats_around_white():
    grey = np.full((4, 4), 100, np.uint8)
    figure = plot.strip([grey, np.array([[0.0, 1.0], [-1.0, 0.0]])], ["bytes", "floats\nbelow"],
                        title="Strip", caption="Over time.")
    drawn = plot.pixels(figure)
    assert (drawn == 100).all(axis=2).sum() > 200 * 200
    h, w = drawn.shape[:2]
    box = figure.axes[1].get_position()
    quarter = [drawn[int(h * (1 - box.y1 + dy * box.height)), int(w * (box.x0 + dx * box.width))]
               for dy, dx in ((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75))]
    assert (quarter[0] == 255).all() and (quarter[3] == 255).all()
    assert quarter[1][2] > quarter[1][0] and quarter[2][0] > quarter[2][2]  # blue, orange


def test_nothing_touches_pyplot_or_the_settings():
    code = ("import matplotlib, sys; rc = matplotlib.rcParams; "
            "before = {name: rc[name] for name in rc if name != 'backend'}; "
            "from minigan import plot; figure = plot.lines({'a': ([0, 1], [0, 1])}, title='t'); "
            "assert plot.pixels(figure).std() > 1; "
            "print('matplotlib.pyplot' in sys.modules, all(rc[n] == before[n] for n in before))")
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["False", "True"]


DRAW = """
import os, sys
from minigan import plot
figure = plot.lines({'a': ([0, 1], [1, 1000])}, log=True, title='t', caption='c', x_label='x')
plot.save(figure, sys.argv[1])
print(os.environ.get('MPLBACKEND'))
import matplotlib
backend = dict.__getitem__(matplotlib.rcParams, 'backend')
print(backend if isinstance(backend, str) else 'open', 'matplotlib.pyplot' in sys.modules)
"""

USERS = {
    "nothing": ({}, None),
    "a backend that is not here": ({"MPLBACKEND": "module://matplotlib_nowhere.backend"}, None),
    "no backend": ({"MPLBACKEND": "nonsense"}, None),
    "a backend": ({"MPLBACKEND": "svg"}, None),
    "TeX": ({}, b"text.usetex: True\n"),
    "other looks": ({}, b"font.size: 30\nfont.family: monospace\naxes.facecolor: black\n"
                        b"axes.grid: True\nlines.linestyle: --\nfigure.autolayout: True\n"),
    "nonsense": ({}, b"font.size: large as life\nnot a line\nno.such.setting: 3\n"),
    "a damaged file": ({}, b"font.size: 30\n\xff\xfe\x00"),
    "no place for the cache": ({"MPLCONFIGDIR": os.path.join(os.devnull, "x")}, None),
}


@pytest.mark.parametrize("user", USERS)
def test_no_setting_of_the_users_touches_a_picture(tmp_path, user):
    variables, settings = USERS[user]
    (tmp_path / "matplotlibrc").write_bytes(settings or b"")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MPL")}
    if settings is not None:
        variables = {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc")}
    done = subprocess.run([sys.executable, "-c", DRAW, str(tmp_path / "a.png")],
                          env={**environment, **variables}, text=True, capture_output=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    kept, backend, pyplot = done.stdout.split()
    assert kept == str(variables.get("MPLBACKEND")) and pyplot == "False"
    if user == "a backend":
        assert backend == "svg"  # which pyplot will use
    plain = plot.lines({"a": ([0, 1], [1, 1000])}, log=True, title="t", caption="c", x_label="x")
    np.testing.assert_array_equal(read(tmp_path / "a.png"), plot.pixels(plain))


def users_style():
    """matplotlib's settings as somebody might have set them, and all of them as they are then."""
    import matplotlib
    settings = matplotlib.rcParams
    settings.update({"font.size": 25, "text.usetex": True, "axes.facecolor": "black",
                     "axes.spines.right": False, "lines.marker": "x", "image.cmap": "hot"})
    return {name: settings[name] for name in settings if name != "backend"}


@pytest.mark.parametrize("name", FIGURES)
def test_settings_changed_after_a_figure_was_made_do_not_touch_it(name):
    import matplotlib
    due = plot.pixels(FIGURES[name](title="t"))
    before = FIGURES[name](title="t")
    with matplotlib.rc_context():
        own = users_style()
        for figure in (before, FIGURES[name](title="t")):
            np.testing.assert_array_equal(plot.pixels(figure), due)
            saved = io.BytesIO()
            figure.savefig(saved)  # as a notebook's user does
            assert matplotlib.image.imread(io.BytesIO(saved.getvalue())).std() > 0
        assert {name: matplotlib.rcParams[name] for name in own} == own


def test_settings_are_put_back_by_threads_that_draw_at_once():
    import matplotlib
    with matplotlib.rc_context():
        own, errors = users_style(), []

        def draw():
            try:
                plot.pixels(plot.histogram({"a": CLOUD}))
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=draw) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors and {name: matplotlib.rcParams[name] for name in own} == own


def test_a_dollar_sign_does_not_start_a_formula():
    odd = "a $ b $\\frac$ c"
    for figure in (plot.lines({odd: ([0, 1], [0, 1])}, odd, odd, odd, odd),
                   plot.strip([digits(1)[0, :, :, 0]], [odd], odd, odd),
                   plot.histogram({odd: CLOUD, "b": CLOUD}), plot.bars([odd], {odd: {odd: [1.0]}}),
                   plot.ranges({odd: {odd: (1.0, 0.5, 2.0)}}, odd, odd),
                   plot.image_grid(digits(2, height=9, width=9), 2, [odd, "$"])):
        assert ink(figure) > 0


def test_a_notebook_gets_a_png(tmp_path):
    figure = plot.strip([digits(1, height=30, width=40)[0, :, :, 0]], ["one"])
    (tmp_path / "shown.png").write_bytes(figure._repr_png_())
    np.testing.assert_array_equal(read(tmp_path / "shown.png"), plot.pixels(figure))
    np.testing.assert_array_equal(read(plot.save(figure, tmp_path / "saved.png")),
                                  plot.pixels(figure))


# Rows of names.

def words_of(figure):
    from matplotlib.text import Text
    return [t.get_text() for t in figure.findobj(Text)]


def test_ranges_are_dots_on_lines_in_the_row_of_their_name():
    figure = plot.ranges({"one": {"a": (1.0, 0.5, 2.0), "b": (3.0, 3.0, 3.0)},
                          "two": {"b": (0.2, 0.1, 0.4)}}, "A title", "A caption.", level=1.0)
    ax = figure.axes[0]
    dots = {(float(x.get_xdata()[0]), round(float(x.get_ydata()[0]))): x.get_color()
            for x in ax.lines if x.get_marker() == "o"}
    assert set(dots) == {(1.0, 0), (3.0, 1), (0.2, 1)}
    assert dots[1.0, 0] == dots[3.0, 1] != dots[0.2, 1]
    spans = {tuple(x.get_xdata()) for x in ax.lines if x.get_marker() != "o"}
    assert {(0.5, 2.0), (3.0, 3.0), (0.1, 0.4)} < spans and ax.get_xlim()[0] == 0
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"] and ink(figure) > 2000
    assert {"A title", "A caption.", "one", "two"} <= set(words_of(figure))


CHARTS = {"ms": {"there": [3.0, 1.0], "back": [1.0, 0.0]}, "MB": {"there": [8, 0], "back": [0, 2]}}


@pytest.mark.parametrize("same_scale", [False, True])
def test_bars_follow_one_another(same_scale):
    figure = plot.bars(["first", "second"], CHARTS, "A title", "A caption.", same_scale)
    ms, mb = figure.axes
    assert [(b.get_x(), b.get_width(), round(b.get_y() + b.get_height() / 2)) for b in ms.patches
            ] == [(0, 3, 0), (0, 1, 1), (3, 1, 0), (1, 0, 1)]
    assert (ms.get_xlim() == mb.get_xlim()) == same_scale and ms.get_xlim()[1] > 4
    assert [t.get_text() for t in ms.get_yticklabels()] == ["first", "second"]
    assert {"A title", "A caption.", "ms", "MB", "there", " 4", " 1", " 8", " 2"} <= set(
        words_of(figure)) and ink(figure) > 5000


def test_the_key_of_bars_hides_none_of_them():
    figure = plot.bars(["first", "last"], {"MB": {"there": [1.0, 5.0], "back": [0.0, 5.0]}})
    plot.pixels(figure)
    ax, = figure.axes
    key = ax.get_legend().get_window_extent()
    assert not any(key.overlaps(bar.get_window_extent()) for bar in ax.patches)
    assert not any(key.overlaps(number.get_window_extent()) for number in ax.texts)
    assert key.x1 <= figure.bbox.x1
