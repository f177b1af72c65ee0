"""`minigan info`: what this machine computes with; every bug report should include it."""

from __future__ import annotations

import argparse
import math
import os
from typing import Any

from minigan.commands.options import add_json, print_json
from minigan.system.console import plural

HELP = "show what this machine computes with"
KEYS = ("minigan, python, system, processor, cores, busy_cores (used by others now; null where "
        "the system does not tell), numpy, blas (a list: name, version, kernels, threads), threads "
        "(when minigan trains), data_folder, backends (by name: available, about), and with "
        "--test test (by backend: passed, error; null where it is not a number)")
CLOSE = 1e-5  # float32 rounds the numbers of the ten ops, all below 10, to a few 1e-7
POINTS = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]  # x of the ten ops


def add_options(parser: argparse.ArgumentParser) -> None:
    """--test, --json."""
    parser.add_argument(
        "--test", action="store_true",
        help="also run ten ops on each backend, and compare value and gradient with plain Python")
    add_json(parser, KEYS)


def run(options: argparse.Namespace) -> int:
    """Print a fact a line; returns the exit status: 1 if a backend fails --test."""
    from minigan.backend import Backend, available
    shown = facts()
    tests: dict[str, Any] = {}
    for name, backend in available().items():
        usable = isinstance(backend, Backend)
        if isinstance(backend, Backend):
            about = backend.describe()
        else:
            about = backend.removeprefix(f'backend "{name}": ')
        shown["backends"][name] = {"available": usable, "about": about}
        if options.test and usable:
            error = _ten_ops(name)
            tests[name] = {
                "passed": error <= CLOSE,
                "error": error if math.isfinite(error) else None,
            }
    if options.test:
        shown["test"] = tests
    if options.json:
        print_json(shown)
    else:
        print("\n".join(lines(shown)))
    return 0 if all(test["passed"] for test in tests.values()) else 1


def facts() -> dict[str, Any]:
    """What is known without asking any backend."""
    from minigan.data.places import roots
    from minigan.system import machine, threads
    from minigan.version import __version__
    environment = machine.environment()
    cores = os.cpu_count()
    busy = machine.busy_cores()  # a rough measure, which can exceed the number of cores
    return {
        "minigan": __version__,
        "python": environment["python"],
        "system": environment["system"],
        "processor": environment["processor"],
        "cores": cores,
        "busy_cores": None if busy is None else round(min(busy, cores or busy), 2),
        "numpy": environment["numpy"],
        "blas": machine.blas(),
        "threads": threads.default_threads(),
        "data_folder": str(roots(None)[0]),
        "backends": {},
    }


def lines(known: dict[str, Any]) -> list[str]:
    """Facts as lines for people."""
    busy = known["busy_cores"]
    others = "" if busy is None else f", {busy:.1f} of them used by others now"
    libraries = [_library(library) for library in known["blas"]]
    rows = {
        "minigan": known["minigan"],
        "Python": f"{known['python']} on {known['system']}",
        "processor": f"{known['processor']}, {plural(known['cores'] or 1, 'core')}{others}",
        "NumPy": known["numpy"],
        "BLAS": ", ".join(libraries) or "unknown",
        "threads": f"{known['threads']} when minigan trains (--threads)",
        "data folder": known["data_folder"],
    }
    for name, backend in known["backends"].items():
        rows[f"backend {name}"] = backend["about"]
    for name, test in known.get("test", {}).items():
        apart = "far" if test["error"] is None else f"{test['error']:.1e}"
        verdict = "agree with" if test["passed"] else "DIFFER from"
        rows[f"test {name}"] = (f"ten ops and their gradient, in float32, {verdict} plain Python's "
                                f"in float64 ({apart} apart)")
    return [f"{name + ':':16} {value}" for name, value in rows.items()]


def _library(library: dict[str, Any]) -> str:
    """A BLAS in words."""
    threads = "which was not found and cannot be limited to one thread"
    if library["threads"]:
        threads = f"{plural(library['threads'], 'thread')} by itself"
    return f"{library['name']} {library['version']}, {threads}"


def _ten_ops(device: str) -> float:
    """How far ten ops and their gradient on a device are from plain Python's; infinite for NaN."""
    from minigan import grad, ops, tensor, use
    with use(device):
        x = tensor(POINTS, requires_grad=True)
        product = ops.matmul(ops.exp(x) + 1, ops.transpose(x))
        y = ops.mean(ops.softplus(ops.tanh(product) / 2 - ops.sigmoid(product)))
        results = [*grad(y, x).numpy().ravel(), y.item()]
    apart = [abs(float(ours) - right) for ours, right in zip(results, _by_hand())]
    return math.inf if any(map(math.isnan, apart)) else max(apart)


def _by_hand() -> list[float]:
    """The gradient, by central differences, and the value of the same formula in plain Python."""
    step = 1e-5
    slopes = []
    for i in range(2):
        for j in range(3):
            above = [list(row) for row in POINTS]
            below = [list(row) for row in POINTS]
            above[i][j] += step
            below[i][j] -= step
            slopes.append((_formula(above) - _formula(below)) / (2 * step))
    return [*slopes, _formula(POINTS)]


def _formula(x: list[list[float]]) -> float:
    """mean(softplus(tanh(p) / 2 - sigmoid(p))) with p = (exp(x) + 1) x^T."""
    total = 0.0
    for left in x:
        for right in x:
            p = sum((math.exp(a) + 1) * b for a, b in zip(left, right))
            total += math.log1p(math.exp(math.tanh(p) / 2 - 1 / (1 + math.exp(-p))))
    return total / len(x) ** 2
