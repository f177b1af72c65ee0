"""BLAS, NumPy's library of matrix products, on one thread, since several of ours call it at once.

That is needed for right results, not for speed alone. OpenBLAS with threads of its own, called from
two threads at the same time, can give wrong products, without an error (NumPy's issues 29391 and
31618). With one thread it is safe. A limit holds for the process, but anybody can change it, such
as another library, or the end of a `threadpoolctl` block that had begun before. So it is looked at
again when a run begins and each time it saves: see `guard`.

A BLAS that was built with OpenMP keeps a limit for each thread; so every thread sets its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NEEDED = "3.5"  # of threadpoolctl, which finds the BLAS inside of NumPy's wheels from then on


def libraries() -> list[dict[str, Any]]:
    """The BLAS libraries that were found and can be limited, as threadpoolctl describes them."""
    found: list[dict[str, Any]] = _controller().info()
    return found


def limit() -> list[str]:
    """Let each BLAS compute on one thread; those that had more, as "openblas on 8 threads"."""
    controller = _controller()
    more = _on_several(controller)
    if more:
        controller.limit(limits=1)
    return more


def is_per_thread() -> bool:
    """Whether a limit is each thread's own, as with OpenMP, so that each has to set it."""
    return any(found.get("threading_layer") == "openmp" for found in libraries())


def guard() -> str:
    """Put BLAS back on one thread where it has more, and say so in a sentence, else ""."""
    more = limit()
    if not more:
        return ""
    still = _on_several(_controller())
    what = f"something has set BLAS to compute with threads of its own ({', '.join(more)})"
    why = "with several threads that multiply at once, that can give wrong products"
    if still:
        return f"{what}, and it cannot be put back on one; {why}: train with one thread"
    return f"{what}; it is back on one thread now, as {why}; whatever does this should not"


def is_known() -> bool:
    """Whether several threads may call BLAS at once: it can be limited, or is Accelerate."""
    return bool(libraries()) or "accelerate" in built_with()[0].lower()


def trouble() -> str:
    """What a person should know where no BLAS can be limited to one thread, else ""."""
    if libraries():
        return ""
    import threadpoolctl
    name, version = built_with()
    found = (f"no BLAS was found that could be limited to one thread; NumPy was built with "
             f"{name} {version}")
    if is_known():
        return f"{found}, which keeps threads of its own beside minigan's"
    return (f"{found}, and threadpoolctl is {threadpoolctl.__version__} ({NEEDED} or newer finds "
            f"more); as several threads that multiply at once could give wrong products, one "
            f"thread is the default")


def built_with() -> tuple[str, str]:
    """Name and version of the BLAS that NumPy was built with, "unknown" where it does not say."""
    try:
        found: Any = np.show_config(mode="dicts")
        blas = found["Build Dependencies"]["blas"]
        return str(blas["name"]), str(blas["version"])
    except (KeyError, TypeError, AttributeError):
        return "unknown", ""


def _controller() -> Any:
    from threadpoolctl import ThreadpoolController
    return ThreadpoolController().select(user_api="blas")


def _on_several(controller: Any) -> list[str]:
    return [f"{found['internal_api']} on {found['num_threads']} threads"
            for found in controller.info() if (found.get("num_threads") or 1) > 1]
