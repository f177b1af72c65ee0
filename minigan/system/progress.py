"""Progress: a bar on a terminal or in a notebook, elsewhere a plain line now and then.

It is decoration: nothing here ends a training, whatever state standard error is in.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from minigan.system.console import is_quiet, standard_error, warn

QUIET_SECONDS = 30  # between two plain lines


class Progress:
    """Shows the step, steps per second, the losses and the time left, on standard error.

    step, steps: where training stands and where it will end. title: a word before the bar.
    quiet: show nothing but warnings, as inside `minigan.system.console.quiet`.
    """

    def __init__(self, step: int, steps: int, title: str = "", quiet: bool = False) -> None:
        from tqdm import tqdm

        self.first = step
        self.step = step
        self.steps = steps
        self.quiet = quiet or is_quiet()
        self.began = time.monotonic()
        self.said = self.began  # when the last plain line was written
        self.stream = standard_error()
        # Not tqdm.auto, which wants widgets in a notebook: there the plain bar works too.
        notebook = type(sys.stderr).__module__.startswith("ipykernel")
        self.plain = not (self.stream.isatty() or notebook)
        self.bar = tqdm(total=steps, initial=step, desc=title or None, unit="step", ascii=True,
                        disable=self.plain or self.quiet, mininterval=0.2, dynamic_ncols=True,
                        file=self.stream)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: Any) -> None:
        self.bar.close()

    def advance(self) -> None:
        """Count one step."""
        self.step += 1
        self.bar.update()

    def show(self, metrics: dict[str, float]) -> None:
        """Show the losses as they are now."""
        shown = {name: f"{value:.3f}" for name, value in metrics.items()}
        self.bar.set_postfix(shown, refresh=False)

        now = time.monotonic()
        if self.plain and not self.quiet and now - self.said >= QUIET_SECONDS:
            self.said = now
            self.stream.write(self._line(metrics, now) + "\n")
            self.stream.flush()

    def _line(self, metrics: dict[str, float], now: float) -> str:
        """A plain line: "step 200 of 1,000, 3.1 steps/s, d_loss 0.500, 4:18 left"."""
        rate = (self.step - self.first) / (now - self.began)
        left = (self.steps - self.step) / rate if rate else 0
        losses = ", ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        clock = f"{left // 60:.0f}:{left % 60:02.0f}"
        return f"step {self.step:,} of {self.steps:,}, {rate:.1f} steps/s, {losses}, {clock} left"

    def warn(self, advice: str | None) -> None:
        """Give a warning above the bar, if there is one.

        Raises:
            UserWarning: where the warnings filter turns warnings into errors.
        """
        if advice:
            with self.bar.external_write_mode(self.stream):
                warn(f"step {self.step:,}: {advice}", stacklevel=4)
