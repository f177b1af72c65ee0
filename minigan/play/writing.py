"""Writing the page, where it replaces nobody's work."""

from __future__ import annotations

from pathlib import Path

from minigan.system import files
from minigan.system.paths import check_writable, exists

MARK = b'<meta name="generator" content="minigan play">'  # near the beginning of every page
BEGINNING = 1000  # bytes, in which the mark is


def check_place(option: str, path: Path) -> None:
    """Refuse a place where the page cannot go. option: who names it, for the message.

    Raises:
        ValueError: the path does not end in .html.
        FileExistsError: something else than such a page is there.
        OSError: no file can be made there.
    """
    check_writable(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{option}: the page must end in .html, got {str(path)!r}")
    if exists(path) and not _is_page(path):
        raise FileExistsError(f"{option}: {path} exists and is no page of minigan play; choose "
                              f"another name")


def write_page(path: Path, text: str) -> None:
    """Write the page, whole or not at all; an older page that is there is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, text.encode())


def _is_page(path: Path) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        return MARK in file.read(BEGINNING)
