"""BLAS, NumPy's library of matrix products, on one thread, since several of ours call it at once.

This is needed for right results, not for speed alone. OpenBLAS with threads of its own, called from
two threads at the same time, can give wrong products without an error (NumPy's issues 29391 and
31618). On one thread it is safe. A limit holds for the whole process, but anybody can change it:
another library, or the end of a `threadpoolctl` block that began earlier. So it is checked again
when a run begins and each time it saves: see `guard`.

A BLAS that was built with OpenMP keeps a limit for each thread, so every thread sets its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NEEDED = "3.5"  # the first threadpoolctl that finds the BLAS inside NumPy's wheels


def libraries() -> list[dict[str, Any]]:
    """The BLAS libraries that are loaded and can be limited, as threadpoolctl describes them."""
    info: list[dict[str, Any]] = _controller().info()
    return info


def limit() -> list[str]:
    """Let each BLAS compute on one thread; returns those that had more: "openblas on 8 threads"."""
    controller = _controller()
    several = _on_several(controller)
    if several:
        controller.limit(limits=1)
    return several


def is_per_thread() -> bool:
    """Whether each thread has a limit of its own, as with OpenMP, and has to set it."""
    return any(library.get("threading_layer") == "openmp" for library in libraries())


def guard() -> str:
    """Put a BLAS that has more threads back on one; returns a sentence about it, or ""."""
    several = limit()
    if not several:
        return ""
    event = f"something has set BLAS to compute with threads of its own ({', '.join(several)})"
    danger = "with several threads that multiply at once, that can give wrong products"
    if _on_several(_controller()):
        return f"{event}, and it cannot be put back on one; {danger}: train with one thread"
    return f"{event}; it is back on one thread now, as {danger}; whatever does this should not"


def is_known() -> bool:
    """Whether several threads may call BLAS at once: it can be limited, or is Accelerate."""
    return bool(libraries()) or "accelerate" in built_with()[0].lower()


def trouble() -> str:
    """What a person should know where no BLAS can be limited to one thread, else ""."""
    if libraries():
        return ""
    import threadpoolctl

    name, version = built_with()
    situation = (f"no BLAS was found that could be limited to one thread; NumPy was built with "
                 f"{name} {version}")
    if is_known():
        return f"{situation}, which keeps threads of its own beside minigan's"
    return (f"{situation}, and threadpoolctl is {threadpoolctl.__version__} ({NEEDED} or newer "
            f"finds more); as several threads that multiply at once could give wrong products, one "
            f"thread is the default")


def built_with() -> tuple[str, str]:
    """Name and version of the BLAS that NumPy was built with; "unknown" if NumPy does not say."""
    try:
        config: Any = np.show_config(mode="dicts")
        blas = config["Build Dependencies"]["blas"]
        return str(blas["name"]), str(blas["version"])
    except (KeyError, TypeError, AttributeError):
        return "unknown", ""


def _controller() -> Any:
    from threadpoolctl import ThreadpoolController
    return ThreadpoolController().select(user_api="blas")


def _on_several(controller: Any) -> list[str]:
    """The libraries that compute on more than one thread."""
    several = []
    for library in controller.info():
        count = library.get("num_threads") or 1
        if count > 1:
            several.append(f"{library['internal_api']} on {count} threads")
    return several
