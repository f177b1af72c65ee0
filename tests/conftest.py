"""What all tests share: marks, and the op table's last line."""

import dataclasses
import os
import signal
import sys
from collections import Counter

import pytest

import minigan as mg
from minigan.system import threads


@pytest.fixture(autouse=True)
def _one_thread_afterwards():
    """A trainer asks for threads; the next test does not get them."""
    yield
    if threads.threads() > 1:
        threads.use_threads(1)


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """An empty working folder, no settings from outside, and backend and seed put back."""
    for name in [name for name in os.environ if name.startswith("MINIGAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    with mg.use("numpy"):
        yield tmp_path
    mg.seed(0)


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """An empty working folder, and trainers that draw no pictures."""
    from model_tools import no_samples, no_summary

    from minigan.runs.pictures import Pictures
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Pictures, "draw_samples", no_samples)
    monkeypatch.setattr(Pictures, "draw_summary", no_summary)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No data on this machine: neither a variable, a cache, nor a system package."""
    from minigan.data import places, sets
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    monkeypatch.setattr(places, "cache_folder", lambda: tmp_path / "cache")
    for name, source in sets.SETS.items():
        monkeypatch.setitem(sets.SETS, name, dataclasses.replace(source, fixed=()))
    return tmp_path


def pytest_configure(config):
    _listen_to_signals()
    config.addinivalue_line("markers", "parity: compares with PyTorch, which has to be installed")


def _listen_to_signals():
    """Tests send signals, which a shell may have ignored: in the background, under nohup."""
    usual = {"SIGINT": signal.default_int_handler, "SIGTERM": signal.SIG_DFL,
             "SIGHUP": signal.SIG_DFL}
    for name, handler in usual.items():
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def pytest_terminal_summary(terminalreporter):
    """Print how many checks the op table made, if it was run."""
    table = sys.modules.get("op_table")
    if table and table.CHECKS:
        terminalreporter.write_line(table.summary())
    if terminalreporter.config.option.markexpr == "gpu":
        for reason, number in _reasons(terminalreporter).items():
            terminalreporter.write_line(f"{number} skipped: {reason}")


def _reasons(terminalreporter):
    """Why tests were skipped, and how many for each reason."""
    reports = terminalreporter.stats.get("skipped", [])
    return Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports
                   if isinstance(report.longrepr, tuple))
