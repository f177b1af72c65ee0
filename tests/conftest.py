"""What all tests share: marks, and the op table's last line."""

import sys


def pytest_configure(config):
    config.addinivalue_line("markers", "parity: compares with PyTorch, which has to be installed")


def pytest_terminal_summary(terminalreporter):
    """Print how many checks the op table made, if it was run."""
    table = sys.modules.get("op_table")
    if table and table.CHECKS:
        terminalreporter.write_line(table.summary())
