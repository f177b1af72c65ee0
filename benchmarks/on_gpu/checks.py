"""The tests that only a GPU can run, as rows."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

from on_gpu.rows import emit

ROOT = Path(__file__).resolve().parents[2]
OUTCOMES = ("PASSED", "FAILED", "ERROR", "SKIPPED")


def tests() -> None:
    """pytest -m gpu: each failure as it happens, the count every so often, and what went wrong."""
    command = [sys.executable, "-m", "pytest", "-v", "-m", "gpu", "--tb=short",
               "-p", "no:cacheprovider", "tests/backend/test_gpu.py"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    counts: Counter[str] = Counter()
    last = ""
    for line in process.stdout:
        last = line.strip() or last
        test, outcome = _outcome(line)
        if outcome:
            counts[outcome] += 1
            if outcome in ("FAILED", "ERROR"):
                emit(kind="tests", test=test, outcome=outcome)
            if sum(counts.values()) % 100 == 0:
                emit(kind="tests", so_far=dict(counts))
        elif line.startswith("E  "):
            emit(kind="tests", error=line.strip()[:300])
    emit(kind="tests", status=process.wait(), counts=dict(counts), summary=last)


def _outcome(line: str) -> tuple[str, str]:
    """(the test, how it ended) of a line such as "tests/test_a.py::test_b PASSED [ 3%]"."""
    test, _, rest = line.partition(" ")
    words = rest.split()
    if "::" in test and words and words[0] in OUTCOMES:
        return test, words[0]
    return "", ""
