"""The tests again under arithmetic and versions that this machine can imitate or has installed.

    python .ci/elsewhere.py                 # everything, as .ci/run does
    python .ci/elsewhere.py --list          # what that would be here
    python .ci/elsewhere.py Haswell 3.12    # only the jobs with these words in their names

Rounding differs from processor to processor, so a test whose tolerance was tuned on one fails on
another. One machine can play several: NumPy's wider loops can be switched off, and OpenBLAS can be
told to use another processor's kernels. Tests marked `rounding` run again under each of them.

The oldest versions that setup.cfg allows run on the oldest Python that is found, with all tests;
the newest ones on each of the others, all tests on the first of these. There, from Python 3.12 on,
which counts lines at little cost, coverage is measured, and has to reach the floor in setup.cfg;
the packages that write files for other programs are installed there, too, and nowhere else.

What fails is tried once more by itself: a test that then passes met a busy machine, and is named.
"""

from __future__ import annotations

import argparse
import configparser
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]  # the first of these that is found gets minimum versions
AT_ONCE = os.cpu_count() or 2
TESTS = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
COVERED = ["-m", "coverage", "run", *TESTS]
ROUNDING = [*TESTS, "-m", "rounding and not slow and not gpu"]
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


@dataclasses.dataclass
class Job:
    """A run of the tests: a Python, what it installs first, its environment and arguments."""

    name: str
    python: str
    arguments: list[str]
    environment: dict[str, str]
    installs: list[list[str]] = dataclasses.field(default_factory=list)
    covers: bool = False  # whether all tests run, and the lines that they reach are counted


@dataclasses.dataclass
class Result:
    """What became of a job: whether it passed, its last line, its seconds, all that it printed."""

    job: Job
    passed: bool
    last: str
    seconds: float
    output: str


# What there is to run.

def processor_jobs() -> list[Job]:
    """Other processors: NumPy without its wider loops, OpenBLAS with the kernels made for them.

    Kernels that this processor cannot run are left out, as are those that the main run has had; all
    of them where the environment chooses the kernels itself: then there is a reason to leave them.
    """
    known = ask("from numpy._core._multiarray_umath import __cpu_features__, __cpu_dispatch__\n"
                "print(*[name for name in __cpu_dispatch__ if __cpu_features__[name]])").split()
    widest = [name for name in known if "512" in name or name == "X86_V4"]
    if "OPENBLAS_CORETYPE" in os.environ:
        return [rounding(name, without) for name, without in
                (("NumPy's plainest loops", known), ("NumPy without AVX-512", widest)) if without]

    look = ("import numpy, threadpoolctl\n"
            "numpy.ones((64, 64)) @ numpy.ones((64, 64))\n"
            "print(*[lib['architecture'] for lib in threadpoolctl.threadpool_info()\n"
            "        if lib['internal_api'] == 'openblas'])")
    seen, jobs = {ask(look)}, []
    for kernel, without in {**dict.fromkeys(("Prescott", "Nehalem", "Sandybridge"), known),
                            **dict.fromkeys(("Haswell", "Zen"), widest), "SkylakeX": []}.items():
        used = ask(look, {"OPENBLAS_CORETYPE": kernel})
        if used and used not in seen:  # "" where an instruction is illegal here
            seen.add(used)
            jobs.append(rounding(f"a {kernel} processor", without, OPENBLAS_CORETYPE=kernel))
    return jobs or [rounding("NumPy's plainest loops", known)]


def rounding(name: str, without: list[str], **environment: str) -> Job:
    """The tests marked `rounding`, in this Python, without some of NumPy's loops."""
    if without:
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(without)
    return Job(name, sys.executable, ROUNDING, {**environment, **ONE_THREAD})


def python_jobs(scratch: Path) -> list[Job]:
    """Other Pythons, each in a virtual environment of its own."""
    found = {version: path for version in PYTHONS if (path := python_of(version))}
    jobs = []
    for version, python in found.items():
        oldest = version == min(found, key=PYTHONS.index)
        if version == f"{sys.version_info[0]}.{sys.version_info[1]}" and not oldest:
            continue  # the main run's, with the newest versions
        place = scratch / version
        own = str(place / "bin" / "python")
        pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        needed = [name.replace(">=", "==") for name in required()] if oldest else required()
        name = f"Python {version}, {'minimum' if oldest else 'newest'} versions"

        arguments = TESTS if len(jobs) < 2 else ROUNDING
        environment = dict(ONE_THREAD)
        covers = len(jobs) == 1 and PYTHONS.index(version) >= PYTHONS.index("3.12")
        if covers:
            needed = [*needed, *extra("coverage", "onnx", "safetensors")]
            arguments = COVERED
            environment.update(COVERAGE_CORE="sysmon", COVERAGE_FILE=str(place / "coverage"))

        installs = [[python, "-m", "venv", str(place)], [*pip, *needed]]
        jobs.append(Job(name, own, arguments, environment, installs, covers))
    return jobs


def python_of(version: str) -> str | None:
    """A Python of that version: on the PATH, or one of pyenv's."""
    candidates = [shutil.which(f"python{version}")]
    if shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True).stdout.strip()
        candidates += sorted(map(str, Path(root, "versions").glob(f"{version}.*/bin/python")))
    for path in filter(None, candidates):
        told = subprocess.run([path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                              capture_output=True, text=True)
        if told.stdout.strip() == version:
            return path
    return None


def required() -> list[str]:
    """What setup.cfg asks for, tests included: name>=version."""
    setup = settings()
    return (setup["options"]["install_requires"]
            + setup["options.extras_require"]["test"]).split()


def extra(*names: str) -> list[str]:
    """These packages, as the extra `check` asks for them: name>=version."""
    lines = settings()["options.extras_require"]["check"].split()
    return [line for line in lines if line.partition(">")[0] in names]


def settings() -> configparser.ConfigParser:
    """What setup.cfg says."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return setup


# Running it.

def ask(code: str, environment: dict[str, str] | None = None) -> str:
    """What this Python prints for a line of code; "" if it dies."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, **(environment or {})})
    return done.stdout.strip() if done.returncode == 0 else ""


def run(job: Job) -> Result:
    """Install what a job needs, and run its tests."""
    began = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **job.environment}

    def do(command: list[str]) -> tuple[bool, str]:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode == 0, done.stdout

    output = ""
    for command in [*job.installs, [job.python, *job.arguments]]:
        passed, printed = do(command)
        output += printed
        if not passed:
            break
    lines = output.strip().splitlines() or ["printed nothing"]
    last = lines[-1]

    failed = [line.removeprefix("FAILED ").split(" - ")[0] for line in lines
              if line.startswith("FAILED tests/")]
    if failed and " error" not in last:
        passed, printed = do([job.python, *TESTS, *failed])
        output += printed
        if passed:
            last += f"; by themselves these pass: {', '.join(failed)}"

    if passed and job.covers:
        passed, printed = do([job.python, "-m", "coverage", "report"])
        output += printed
        last += "; coverage: " + next((line for line in printed.splitlines()[::-1]
                                       if line.startswith("TOTAL")), printed.strip())
    return Result(job, passed, last, time.monotonic() - began, output)


def main() -> int:
    """List or run the jobs; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", help="run only jobs with one of these in their names")
    parser.add_argument("--list", action="store_true", help="run nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        jobs = [*python_jobs(Path(scratch)), *processor_jobs()]
        if options.words:
            jobs = [job for job in jobs if any(word in job.name for word in options.words)]
        if options.list:
            print("\n".join(job.name for job in jobs))
            return 0
        failed = 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for result in pool.map(run, jobs):
                print(f"{result.job.name}: {result.last} ({result.seconds:.0f} s)", flush=True)
                if not result.passed:
                    failed += 1
                    print("\n".join(result.output.splitlines()[-80:]), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
