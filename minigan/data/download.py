"""Getting the files of a known set: the only code of minigan that uses the network.

pooch does the work: it downloads under a temporary name, compares the SHA-256, and tries again;
`transfer` reads no more bytes than the file has, and gives up on a server that sends too few. The
code here tries one mirror after another, collects their errors, and gives a file its final name
only if it is the original. So a file of that name is always whole, however a download ended, and a
download can be started again at any time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

from minigan.data.places import home
from minigan.data.sets import ALIASES, SETS, Download
from minigan.data.transfer import Transfer, Unfit
from minigan.system import files
from minigan.system.paths import user_path

RETRIES = 1            # of each mirror, before the next one's turn
UNFINISHED = "minigan-part-"
STALE_SECONDS = 3600   # without a new byte, an unfinished download counts as abandoned


def get(name: str, folder: str | os.PathLike[str] | None = None,
        tell: Callable[[str], object] = print) -> Path:
    """Download the missing files of a known set; returns the folder where `load` finds them.

    name: "mnist", "fashion-mnist" or "cifar-10". folder: a data folder, in which the set gets a
    folder of its own; by default $MINIGAN_DATA, else the user's cache folder. tell: called with
    each message for the user.

    Raises:
        ValueError: there is no such set to download.
        OSError: no mirror gave a file (the error has the answer of each), or the disk is full.
    """
    known = ALIASES.get(name, name)
    if known not in SETS:
        note = " (the digits are inside the package)" if known == "digits" else ""
        raise ValueError(f"data: {name!r} cannot be downloaded, these can: {', '.join(SETS)}"
                         f"{note}")
    source = SETS[known]
    place = home(source, None if folder is None else user_path(folder))
    place.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(place)
    mirrors = list(source.mirrors)
    for file in source.downloads:
        if _is_original(place / file.name, file):
            tell(f"{file.name} is there")
            continue
        worked = _get_file(file, place, mirrors, tell)
        mirrors.sort(key=lambda mirror: mirror != worked)  # the one that worked is now first
    return place


def _get_file(file: Download, place: Path, mirrors: list[str], tell: Callable[[str], object]
              ) -> str:
    """Download a file from the first mirror that has it; returns that mirror."""
    import requests  # pooch's own, imported here for its errors

    errors = []
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=place) as part:
        for mirror in mirrors:
            tell(f"{file.name} ({_bytes(file.size)}) from {mirror}")
            try:
                _put(_fetch(file, mirror, part), place / file.name, tell)
                return mirror
            except (requests.RequestException, ValueError) as error:
                errors.append(f"{mirror} {_reason(error)}")
    raise OSError(f"data: {file.name} could not be downloaded: {'; '.join(errors)}; "
                  "--data digits needs no download")


def _fetch(file: Download, mirror: str, part: str) -> Path:
    import pooch

    pooch.get_logger().setLevel("ERROR")  # `tell` reports instead
    store = pooch.create(path=part, base_url=mirror, retry_if_failed=RETRIES,
                         registry={file.name: f"sha256:{file.sha256}"})

    def download(url: str, target: Any, store: Any) -> None:
        Transfer(file, url, os.fspath(target)).run()

    return Path(store.fetch(file.name, downloader=download))


def _put(file: Path, target: Path, tell: Callable[[str], object]) -> None:
    """Give a downloaded file its final name; an existing file of that name becomes NAME.old.

    If NAME.old exists as well, it becomes NAME.old2, and so on.
    """
    file.chmod(0o644)  # only its owner can read a temporary file, and data folders may be shared
    if target.exists():
        old = f"{target.name}.old"
        kept = files.move_aside(target, files.numbered(old, lambda n: f"{old}{n}"))
        tell(f"{target} was not the original; it is kept as {kept.name}")
    os.replace(file, target)


def _is_original(path: Path, file: Download) -> bool:
    import pooch
    return path.is_file() and pooch.file_hash(str(path)) == file.sha256


def _remove_leftovers(place: Path) -> None:
    """Remove what killed downloads left; one that is still running keeps its files."""
    for part in place.glob(f"{UNFINISHED}*"):
        newest = max(path.stat().st_mtime for path in (part, *part.glob("*")))
        if time.time() - newest > STALE_SECONDS:
            shutil.rmtree(part, ignore_errors=True)


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.0f} kB"


def _reason(error: Exception) -> str:
    """What a mirror answered, in a few words."""
    import requests

    if isinstance(error, Unfit):
        return str(error)
    if not isinstance(error, requests.RequestException):
        return "gave another file (wrong SHA-256)"
    if isinstance(error, requests.TooManyRedirects):
        return "redirects without end"
    if error.response is not None:
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        words = "did not answer in time"
    elif isinstance(error, requests.ConnectionError):
        words = "could not be reached"
    else:
        words = "failed"
    return f"{words} ({type(error).__name__})"
