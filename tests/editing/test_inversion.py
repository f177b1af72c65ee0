"""Inversion: the generator's own pictures are found again."""
from __future__ import annotations

import numpy as np
import pytest

import minigan as mg
from minigan.editing import floor
from minigan.runs.exporting import PRETRAINED


@pytest.fixture(scope="module")
def model():
    return mg.load(PRETRAINED).model


def test_own_pictures_are_found_again(model):
    found = floor(model, 8, steps=60, draws=50)
    assert found.error.mean() < 0.5 * found.nearest.mean()
    assert found.z.shape == (8, model.settings.latent_size)
    assert np.array_equal(found.labels, np.arange(8))
