"""The plan of a convolution: what is chosen for which layer, and that it depends on sizes alone."""
from __future__ import annotations

import numpy as np
import pytest

import minigan as mg
from minigan import ops
from minigan.backend import get_backend
from minigan.backend.cpu import convolution
from minigan.backend.cpu.convolution import Form, following, plan
from minigan.geometry import conv_geometry, pair
from minigan.system.threads import use_threads


def geometry(size, kernel, stride=1, padding=0, dilation=1):
    return conv_geometry("test", pair("size", size, 1), pair("kernel", kernel, 1), stride, padding,
                         dilation)


# Layers of the presets at 64 images: x's side, kernel, stride, padding, C_in, C_out, and the forms
# of conv2d, conv_transpose2d and conv2d_weight. A generator's layers are listed as the
# convolutions that they transpose.
LAYERS = {
    "wide28, outer": ((28, 4, 2, 1, 1, 64), "PATCHES", "FOLD", "PATCHES"),
    "wide28, inner": ((14, 4, 2, 1, 64, 128), "WINOGRAD(4)", "WINOGRAD(4)", "WINOGRAD(4)"),
    "keras28, outer": ((28, 5, 2, "same", 1, 64), "PATCHES", "FOLD", "PATCHES"),
    "keras28, inner": ((14, 5, 2, "same", 64, 128), "WINOGRAD(4)", "WINOGRAD(4)", "WINOGRAD(4)"),
    "keras28, stride 1": ((7, 5, 1, "same", 128, 256), "WINOGRAD(4)", "TURNED: WINOGRAD(4)",
                          "WINOGRAD(4)"),
    "small, outer": ((28, 4, 2, 1, 1, 16), "PATCHES", "FOLD", "PATCHES"),
    "small, middle": ((14, 4, 2, 1, 16, 32), "PATCHES", "PHASES", "PATCHES"),
    "small, generator's": ((14, 4, 2, 1, 32, 64), "PATCHES", "PHASES", "PATCHES"),
    "small, inner": ((7, 3, 2, 1, 32, 64), "PATCHES", "FOLD", "PATCHES"),
    "torch64, outer": ((64, 4, 2, 1, 3, 64), "PATCHES", "FOLD", "PATCHES"),
    "torch64, second": ((32, 4, 2, 1, 64, 128), "WINOGRAD(4)", "WINOGRAD(4)", "WINOGRAD(4)"),
    "torch64, third": ((16, 4, 2, 1, 128, 256), "WINOGRAD(4)", "WINOGRAD(4)", "WINOGRAD(4)"),
    "torch64, inner": ((8, 4, 2, 1, 256, 512), "WINOGRAD(2)", "WINOGRAD(2)", "WINOGRAD(2)"),
    "edges, bottom": ((7, 7, 1, 0, 64, 128), "PATCHES", "TURNED: PATCHES", "PATCHES"),
    "edges, patches' verdicts": ((7, 4, 1, 1, 64, 1), "TURNED: FOLD", "TURNED: PATCHES",
                                 "TURNED: PATCHES"),
    "cgan, labelled": ((28, 4, 2, 1, 11, 16), "PATCHES", "PHASES", "PATCHES"),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_the_form_of_each_layer_of_the_presets(layer):
    (size, kernel, stride, padding, c_in, c_out), *due = LAYERS[layer]
    g = geometry(size, kernel, stride, padding)
    kinds = "conv2d", "conv_transpose2d", "conv2d_weight"
    assert [plan(kind, g, 64, c_in, c_out).label for kind in kinds] == due


def test_winograd_is_chosen_where_it_was_measured_to_win():
    def tile(size, kernel, stride, padding, c_in, c_out, images=64):
        return plan("conv2d", geometry(size, kernel, stride, padding), images, c_in, c_out).tile

    assert tile(7, 5, 1, 2, 128, 256) == tile(28, 3, 1, 1, 48, 48) == 4
    assert tile(14, 4, 2, 1, 64, 128) == tile(28, 3, 1, 1, 16, 16) == 4
    assert tile(14, 4, 2, 1, 32, 64) == 0
    assert tile(14, 4, 2, 1, 64, 128, images=16) == tile(28, 3, 1, 1, 48, 48, images=0) == 0


def test_what_winograds_form_cannot_do_takes_another_form():
    wide = geometry(32, 3, 1, 1)
    assert plan("conv2d", wide, 64, 64, 64).form is Form.WINOGRAD
    assert "one float type" in plan("conv2d", wide, 64, 64, 64, one_float_type=False).why
    for g in (geometry(32, 3, 1, 1, dilation=2), geometry(32, 3, 3, 1), geometry(32, (3, 5), 1, 1)):
        chosen = plan("conv2d", g, 64, 64, 64)
        assert chosen.form is Form.PATCHES and "does not fit" in chosen.why


def test_a_turned_kernel_is_never_turned_back():
    g = geometry(7, 3, 1, 1)
    for kind in ("conv2d", "conv_transpose2d", "conv2d_weight"):
        for c_in in (0, 1, 2, 4, 16, 17):
            for c_out in (0, 1, 2, 4, 16, 17):
                chosen = plan(kind, g, 8, c_in, c_out)
                assert chosen.instead is None or chosen.instead.form is not Form.TURNED
    assert plan("conv2d", geometry(7, 3, 1, 3), 8, 16, 1).form is Form.PATCHES  # pads too wide


def test_a_plan_is_made_once_and_depends_on_nothing_but_sizes():
    g = geometry(14, 4, 2, 1)
    chosen = plan("conv2d", g, 64, 64, 128)
    assert plan("conv2d", geometry(14, 4, 2, 1), 64, 64, 128) is chosen
    try:
        for threads in (1, 2):
            use_threads(threads)
            assert plan.__wrapped__("conv2d", g, 64, 64, 128) == chosen
    finally:
        use_threads(1)
    with pytest.raises(AttributeError):
        chosen.tile = 2


def test_a_plan_prints_what_was_chosen_and_why():
    g = geometry(14, 4, 2, 1)
    assert str(plan("conv2d", g, 64, 64, 128)) == (
        "conv2d 14x14x64 -> 7x7x128, 4x4 stride 2, 64 images: WINOGRAD(4), 6.63 million "
        "multiplications an image: tiles of 4x4 cost 0.85 of the direct form")
    assert str(plan("conv2d_weight", geometry((9, 8), (3, 2), 1, 0, (2, 1)), 1, 2, 3)).startswith(
        "conv2d_weight 9x8x2, 5x7x3, 3x2 dilation 2x1, 1 images: PATCHES, ")


def test_costs_of_the_same_layer_can_be_compared():
    g = geometry(14, 4, 2, 1)
    tiles, patches = plan("conv2d", g, 64, 64, 128), plan("conv2d", g, 1, 64, 128)
    assert tiles.form is Form.WINOGRAD and patches.form is Form.PATCHES
    assert tiles.cost < patches.cost == 7 * 7 * 16 * 64 * (128 + 27)


def test_blocks_of_images_are_small_enough_and_two_at_least():
    def block(kind, size, n, c_in, c_out):
        return plan(kind, geometry(size, 4, 2, 1), n, c_in, c_out).block

    assert block("conv2d", 28, 64, 1, 64) == 16 and block("conv2d", 28, 8, 1, 64) == 4
    assert block("conv2d", 64, 64, 3, 64) == 16 and block("conv2d", 400, 64, 3, 8) == 2
    assert block("conv2d_weight", 400, 64, 3, 8) == 8
    assert block("conv2d", 28, 0, 1, 64) == 1


def test_convolutions_follow_the_plan(monkeypatch):
    x, w = np.ones((2, 7, 7, 8), "float32"), np.ones((3, 3, 8, 2), "float32")
    g = geometry(7, 3, 1, 1)
    xp = get_backend("numpy")
    due = xp.conv2d(x, w, g)
    direct = convolution._forward_plan("conv2d", g, 2, 8, 2, True)
    assert plan("conv2d", g, 2, 8, 2).label == "TURNED: FOLD" and direct.label == "PATCHES"
    monkeypatch.setattr(convolution, "plan", lambda *sizes: direct)
    monkeypatch.setattr(xp, "fold", None)  # would be called by the other form
    np.testing.assert_allclose(xp.conv2d(x, w, g), due, rtol=1e-6)


def test_plans_are_noted_inside_following():
    x = mg.tensor(np.ones((2, 8, 8, 3), "float32"), requires_grad=True)
    w = mg.tensor(np.ones((4, 4, 3, 4), "float32"), requires_grad=True)
    with following() as outer:
        with following() as plans:
            y = ops.conv2d(x, w, stride=2, padding=1)
            mg.grad(ops.sum(y), [x, w])
        ops.conv2d(x, w)
    assert [chosen.kind for chosen in plans] == ["conv2d", "conv_transpose2d", "conv2d_weight"]
    assert all(chosen.geometry == geometry(8, 4, 2, 1) for chosen in plans)
    assert [chosen.geometry.stride for chosen in outer] == [(1, 1)]
    ops.conv2d(x, w)
    assert len(outer) == 1
