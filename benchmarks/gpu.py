"""Everything that has to be seen on a machine with a GPU, in nine minutes and one command:

    python benchmarks/gpu.py --output results.jsonl

It needs Python, CuPy with the CUDA toolkit's libraries, PyTorch with CUDA for the comparison,
pytest for the tests; no network. It runs the GPU's tests, then the questions that only a GPU can
answer, then the benchmark against PyTorch. Each part, a file of `on_gpu/`, is a process with a time
limit of its own. Each row is a line of JSON in the output as soon as it is known, so what was
measured stays if the rest is cut. The table at the end is made of those lines;
`--table results.jsonl` prints it again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from on_gpu import checks, facts, questions, speed  # noqa: E402
from on_gpu.table import table  # noqa: E402

LIMIT = 540      # seconds in all
SHORTEST = 5.0   # seconds that a part needs to be worth its start


class Part(NamedTuple):
    """What a process of its own runs, and the share of the time left that it may take."""

    run: Callable[[], None]
    share: float


PARTS = {
    "facts": Part(facts.facts, 0.1),
    "tests": Part(checks.tests, 0.35),
    "questions": Part(questions.questions, 0.35),
    "minigan": Part(speed.minigan, 0.45),
    "pytorch": Part(speed.pytorch, 0.8),
    "cpu": Part(speed.cpu, 1.0),
}


def run(part: str, seconds: float, output: Path) -> None:
    """A part in a process of its own: its rows to the file, cut off when its time is over."""
    process = subprocess.Popen([sys.executable, __file__, "--part", part], text=True,
                               stdout=subprocess.PIPE, start_new_session=True)  # to end it whole
    assert process.stdout is not None
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
    signal.alarm(max(1, int(seconds)))
    rows = 0
    with open(output, "a", encoding="utf-8") as file:
        for line in process.stdout:
            if line.startswith("{"):
                file.write(line)
                file.flush()
                rows += 1
                print(line.rstrip()[:240], flush=True)
        status = process.wait()
        signal.alarm(0)
        process.stdout.close()
        if status:
            row = {"kind": "part", "part": part, "status": status, "rows": rows,
                   "cut": status == -signal.SIGKILL}
            file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)


def run_all(parts: list[str] | None, seconds: float, output: Path) -> None:
    """The parts one after another, all of them unless some are named; in so many seconds."""
    began = time.monotonic()
    output.parent.mkdir(parents=True, exist_ok=True)
    for name in parts or PARTS:
        left = seconds - SHORTEST - (time.monotonic() - began)
        if left > SHORTEST:
            share = 1.0 if parts else PARTS[name].share
            run(name, left * share, output)


LOOK = """
from minigan.backend import BackendError, get_backend
try:
    get_backend("cupy")
except BackendError as error:
    print(error)
"""


def why_not() -> str:
    """Why nothing can be measured here, in a sentence; "" where there is a GPU.

    A process of its own looks for it, so this one holds none of the card's memory.
    """
    path = os.pathsep.join(filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": path})
    if done.returncode:
        said = done.stderr.strip().splitlines()
        return said[-1] if said else "the process that looked for one ended without a word"
    return " ".join(done.stdout.split())


def main() -> int:
    """Measure, or print a table; the exit status is 1 where there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=HERE / "results" / "gpu.jsonl",
                        help="JSON lines are added to this file (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=LIMIT,
                        help="for all parts together (default: %(default)s)")
    parser.add_argument("--only", choices=list(PARTS), nargs="+", help="run these parts alone")
    parser.add_argument("--table", type=Path, help="only print the table of an earlier output")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        PARTS[options.part].run()
        return 0
    output = options.table or options.output
    if not options.table:
        if reason := why_not():
            print(f"no GPU, so nothing is measured: {reason}", file=sys.stderr)
            return 1
        run_all(options.only, options.seconds, output)
    lines = output.read_text(encoding="utf-8").splitlines()
    print(table(json.loads(line) for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
