"""The page without a browser: what it holds, and what it refuses."""

import re

import pytest

import minigan as mg
from minigan.play.page import page


@pytest.fixture(scope="module")
def text():
    return page(mg.load(None))


def test_it_is_small_whole_and_asks_nobody(text):
    assert len(text.encode()) < 2_000_000
    assert not re.search(r"https?:|//[a-z]+\.[a-z]", text)
    assert not re.search(r"\$[a-z]+", text.replace("${", ""))
