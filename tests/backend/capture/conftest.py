from __future__ import annotations

import pytest

from minigan.backend.cpu.capture import optimize, schedule


@pytest.fixture
def lanes(monkeypatch):
    """Every call may run beside any other that it does not wait for."""
    monkeypatch.setattr(schedule, "HEAVY", 0.0)
    monkeypatch.setattr(schedule, "LONG", 0.0)
    monkeypatch.setattr(optimize, "LARGE", 0)
