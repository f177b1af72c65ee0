"""`minigan info`: what this machine computes with; bug reports start with it."""

from __future__ import annotations

import argparse
import os

HELP = "show what this machine computes with"


def add_options(parser: argparse.ArgumentParser) -> None:
    """--test."""
    parser.add_argument("--test", action="store_true", help="also run ten ops on each backend")


def run(options: argparse.Namespace) -> int:
    """Print a fact a line; with --test, status 1 where a backend computes something else."""
    from minigan import __version__
    from minigan.backend import Backend, known, machine, threads
    from minigan.data.places import roots
    facts = machine.environment()
    others = machine.busy_cores()
    rows = {
        "minigan": __version__,
        "Python": f"{facts['python']} on {facts['system']}",
        "processor": f"{facts['processor']}, {os.cpu_count()} cores"
                     + ("" if others is None else f", {others:.1f} of them used by others now"),
        "NumPy": facts["numpy"],
        "BLAS": ", ".join(f"{lib['name']} {lib['version']}, {lib['threads']} threads by itself"
                          for lib in machine.blas()) or "unknown",
        "threads": f"{threads.default_threads()} when minigan trains (--threads)",
        "data folder": str(roots(None)[0]),
    }
    backends = known()
    for name, backend in backends.items():
        rows[f"backend {name}"] = (backend.describe() if isinstance(backend, Backend) else backend)
    for name, value in rows.items():
        print(f"{name + ':':16} {value}")
    agree = True
    for name, backend in backends.items():
        if options.test and isinstance(backend, Backend):
            passed = _ten_ops(name)
            print(f"{'test ' + name + ':':16} ten ops and their gradient "
                  f"{'agree with' if passed else 'DIFFER from'} NumPy's")
            agree = agree and passed
    return 0 if agree else 1


def _ten_ops(device: str) -> bool:
    """Run ten ops and their gradient on a device and on NumPy: do they agree?"""
    import numpy as np

    from minigan import grad, ops, tensor, use
    results = []
    for name in (device, "numpy"):
        with use(name):
            x = tensor([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], requires_grad=True)
            product = ops.matmul(ops.exp(x) + 1, ops.transpose(x))
            y = ops.mean(ops.softplus(ops.tanh(product) / 2 - ops.sigmoid(product)))
            results.append(np.append(grad(y, x).numpy(), y.item()))
    return bool(np.abs(results[0] - results[1]).max() < 1e-5)
