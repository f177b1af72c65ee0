"""What a Jupyter notebook shows: outputs that change in place, and objects as HTML.

IPython is never imported: in a notebook it is there before minigan. What is shown needs no widgets,
only the message that replaces an output, which Jupyter, VS Code and Colab know. It is decoration:
if it fails, that is a warning at most.
"""

from __future__ import annotations

import functools
import secrets
import sys
import time
from typing import Any, Callable, TypeVar

from minigan.system.console import reason, warn

Shown = TypeVar("Shown")

BAR_SECONDS = 0.25  # between two looks of a bar
GRID_WIDTH = 360    # of a grid of images on the screen, in pixels, at most
COLUMNS = 10        # of a grid that stands for many images
ROWS = 3

# Words take the notebook's own colour; these can be seen on white and on black.
BLUE = "#3f87cc"
ORANGE = "#d9622b"
TRACK = "rgba(128,128,128,0.3)"

WORDS = "font:13px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums;margin:0.3em 0"
PICTURES = "display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start"


def kernel() -> Any:
    """The shell of the notebook that this program runs in; None in a program or on a terminal."""
    try:
        shell = sys.modules["IPython"].get_ipython()
        return shell if shell.kernel is not None else None
    except Exception:  # there is no IPython, no shell in it, or one on a terminal
        return None


def cell() -> int | None:
    """The number of the cell that is running; None where there is no notebook."""
    number = getattr(kernel(), "execution_count", None)
    return number if isinstance(number, int) else None


class Display:
    """One output of the running cell, which `show` makes, and from then on replaces."""

    def __init__(self, shell: Any) -> None:
        self._publish = shell.display_pub.publish
        self._id = secrets.token_hex(8)
        self._there = False
        self._failed = False

    def show(self, html: Callable[[], str], text: str) -> bool:
        """Put something there; returns whether that worked.

        html: makes it. text: the same for a notebook without HTML.

        Warns:
            UserWarning: that failed; said once.
        """
        try:
            self._publish({"text/html": html(), "text/plain": text}, {},
                          transient={"display_id": self._id}, update=self._there)
            self._there = True
            return True
        except Exception as error:
            if not self._failed:
                self._failed = True
                warn(f"the notebook could not show this ({reason(error)}): {text}", stacklevel=4)
            return False


class Bar:
    """A bar in one output of the cell, and another output below it, for pictures."""

    def __init__(self, shell: Any) -> None:
        self.drawn = 0.0  # when, on time.monotonic
        self._bar = Display(shell)
        self._below = Display(shell)

    def draw(self, share: float, words: str, ended: bool = False) -> None:
        """Show the bar, full to a share from 0 to 1, with words below it.

        ended: nothing more will come; a bar that is not full is orange then.
        """
        self.drawn = time.monotonic()
        colour = ORANGE if ended and share < 1 else BLUE
        self._bar.show(lambda: bar(share, colour) + line(words), words)

    def is_due(self) -> bool:
        """Whether the bar was drawn long enough ago."""
        return time.monotonic() - self.drawn >= BAR_SECONDS

    def below(self, html: Callable[[], str], text: str) -> bool:
        """Show something below the bar, in place of what was there; as `Display.show`."""
        return self._below.show(html, text)


# ---------------------------------------------------------------- HTML

def or_text(method: Callable[[Any], Shown]) -> Callable[[Any], Shown | None]:
    """For `_repr_html_` and its like: a failure is a warning, and the notebook shows the text."""
    @functools.wraps(method)
    def forgiving(self: Any) -> Shown | None:
        try:
            return method(self)
        except Exception as error:
            warn(f"{type(self).__name__} could not be shown ({reason(error)})")
            return None
    return forgiving


class Printed:
    """An object that a notebook, and IPython on a terminal, show as `print` does."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


def escaped(words: str) -> str:
    """Words as HTML; imported here, as its table of characters takes a millisecond."""
    import html
    return html.escape(words)


def line(words: str) -> str:
    """A line of words."""
    return f'<div style="{WORDS}">{escaped(words)}</div>'


def link(path: str) -> str:
    """A line with a path, relative to the notebook, that can be clicked on."""
    from urllib.parse import quote
    return f'<div style="{WORDS}"><a href="{quote(path)}" target="_blank">{escaped(path)}</a></div>'


def picture(content: bytes, words: str, width: int = GRID_WIDTH) -> str:
    """A picture with everything inside. content: a PNG or GIF file. words: what it shows.

    width: on the screen, at most; the pixels of a picture that is smaller stay square.
    """
    from base64 import b64encode
    kind = "gif" if content.startswith(b"GIF8") else "png"
    style = f"display:block;flex:1 1 240px;min-width:0;width:100%;max-width:{width}px;height:auto"
    if _across(content) <= width:
        style += ";image-rendering:pixelated"
    data = b64encode(content).decode()
    return f'<img alt="{escaped(words)}" src="data:image/{kind};base64,{data}" style="{style}">'


def _across(content: bytes) -> int:
    """How many pixels wide a PNG or GIF file is, from its first bytes."""
    if content.startswith(b"GIF8"):
        return int.from_bytes(content[6:8], "little")
    return int.from_bytes(content[16:20], "big")


def captioned(content: bytes, words: str) -> str:
    """A `picture` with its words below it, too."""
    return f"<div>{picture(content, words)}{line(words)}</div>"


def beside(*pictures: str) -> str:
    """Pictures side by side, or one below the other where the notebook is narrow."""
    return f'<div style="{PICTURES}">{"".join(pictures)}</div>'


def bar(share: float, colour: str = BLUE) -> str:
    """A bar that is full to a share from 0 to 1."""
    percent = f"{100 * share:.1f}"
    filled = f'<div style="width:{percent}%;height:100%;background:{colour}"></div>'
    style = (f"height:8px;max-width:{GRID_WIDTH}px;border-radius:4px;overflow:hidden;"
             f"background:{TRACK}")
    return f'<div role="progressbar" aria-valuenow="{percent}" style="{style}">{filled}</div>'
