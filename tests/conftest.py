"""What all tests share: marks, and the op table's last line."""

import sys

import pytest

from minigan.backend import threads


@pytest.fixture(autouse=True)
def _one_thread_afterwards():
    """A trainer asks for threads; the next test does not get them."""
    yield
    if threads.threads() > 1:
        threads.use_threads(1)


def pytest_configure(config):
    config.addinivalue_line("markers", "parity: compares with PyTorch, which has to be installed")


def pytest_terminal_summary(terminalreporter):
    """Print how many checks the op table made, if it was run."""
    table = sys.modules.get("op_table")
    if table and table.CHECKS:
        terminalreporter.write_line(table.summary())
