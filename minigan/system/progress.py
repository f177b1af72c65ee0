"""Progress: a bar on a terminal or in a notebook, elsewhere a plain line now and then.

It is decoration: nothing here ends a training, whatever state standard error is in.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Callable

from minigan.system import notebook
from minigan.system.console import is_quiet, standard_error, warn

QUIET_SECONDS = 30  # between two plain lines


class Progress:
    """Shows the step, steps per second, the losses and the time left.

    It does so on standard error; in a notebook in an output of the cell, with another one for
    pictures below.

    step, steps: where training stands and where it will end. title: a word before the bar.
    quiet: show nothing but warnings, as inside `minigan.system.console.quiet`.
    """

    def __init__(self, step: int, steps: int, title: str = "", quiet: bool = False) -> None:
        from tqdm import tqdm

        self.first = step
        self.step = step
        self.steps = steps
        self.title = title
        self.losses = ""
        self.quiet = quiet or is_quiet()
        self.began = time.monotonic()
        self.said = self.began  # when the last plain line was written
        self.stream = standard_error()

        shell = None if self.quiet else notebook.kernel()
        self.cell = None if shell is None else notebook.Bar(shell)
        # Not tqdm.auto, which wants widgets in a notebook. Its plain bar is for other kernels.
        kernel = type(sys.stderr).__module__.startswith("ipykernel")
        self.plain = not (self.stream.isatty() or kernel or self.cell)
        hidden = self.plain or self.quiet or self.cell is not None
        self.bar = tqdm(total=steps, initial=step, desc=title or None, unit="step", ascii=True,
                        disable=hidden, mininterval=0.2, dynamic_ncols=True, file=self.stream)

    def __enter__(self) -> Progress:
        self._draw()
        return self

    def __exit__(self, *error: Any) -> None:
        self._draw(ended=True)
        self.bar.close()

    def advance(self) -> None:
        """Count one step."""
        self.step += 1
        self.bar.update()
        if self.cell and self.cell.is_due():
            self._draw()

    def show(self, metrics: dict[str, float]) -> None:
        """Show the losses as they are now."""
        shown = {name: f"{value:.3f}" for name, value in metrics.items()}
        self.bar.set_postfix(shown, refresh=False)
        self.losses = ", ".join(f"{name} {value}" for name, value in shown.items())

        now = time.monotonic()
        if self.plain and not self.quiet and now - self.said >= QUIET_SECONDS:
            self.said = now
            self.stream.write(self._line(now) + "\n")
            self.stream.flush()

    def below(self, html: Callable[[], str], text: str) -> bool:
        """In a notebook: show something below the bar, in place of what was there.

        Returns whether it is shown now.

        html, text: as in `notebook.Display.show`.
        """
        return self.cell is not None and self.cell.below(html, text)

    def _draw(self, ended: bool = False) -> None:
        """Draw the bar of a notebook as it is now."""
        if self.cell:
            share = self.step / self.steps if self.steps else 1.0
            title = f"{self.title}: " if self.title else ""
            self.cell.draw(share, title + self._line(time.monotonic(), ended), ended)

    def _line(self, now: float, ended: bool = False) -> str:
        """A plain line: "step 200 of 1,000, 3.1 steps/s, d_loss 0.500, 4:18 left"."""
        words = [f"step {self.step:,} of {self.steps:,}"]
        gone = now - self.began
        rate = (self.step - self.first) / gone if gone else 0.0
        if rate and not ended:
            words.append(f"{rate:.1f} steps/s")
        if self.losses:
            words.append(self.losses)
        if ended:
            words.append(f"{_clock(gone)} in all")
        elif rate:
            left = (self.steps - self.step) / rate
            words.append(f"{_clock(left)} left")
        return ", ".join(words)

    def warn(self, advice: str | None) -> None:
        """Give a warning above the bar, if there is one.

        Raises:
            UserWarning: where the warnings filter turns warnings into errors.
        """
        if advice:
            with self.bar.external_write_mode(self.stream):
                warn(f"step {self.step:,}: {advice}", stacklevel=4)


def _clock(seconds: float) -> str:
    """Minutes and seconds: "4:18"."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
