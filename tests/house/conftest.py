"""What the tests of pages and examples share."""

import pytest

from minigan import engine


@pytest.fixture(autouse=True)
def _own_ops_are_forgotten():
    """The ops that a page or an example defines leave the table of ops after the test."""
    before = dict(engine.OPS)
    yield
    engine.OPS.clear()
    engine.OPS.update(before)
