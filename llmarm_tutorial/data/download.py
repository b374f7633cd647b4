"""Download data sets of the catalogue into the user's cache.

A download goes into a folder of its own beside its destination, is read and checked by content there, and only then
takes its place by a rename. So a set in the cache is whole and right, whatever interrupted an earlier attempt; what an
interrupted attempt left behind is removed by the next one, which starts anew.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from urllib.parse import unquote_plus, urljoin, urlparse

import pooch
import psutil
import requests

from llmarm_tutorial.data import catalogue, loading
from llmarm_tutorial.data.catalogue import Entry
from llmarm_tutorial.errors import DataError, FetchError

MEGABYTE = 1_000_000
CONNECT_AND_READ_SECONDS = (10, 60)
DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR}


def fetch(name: str | Entry, home: Path | None = None, *, progress: bool = True) -> Path:
    """Download a data set, unless it is there already, and check its content.

    Args:
        name: Name of a data set of the catalogue, or an entry.
        home: Folder that gets the data set's folder; None takes `catalogue.data_home()`.
        progress: Whether to show a progress bar.

    Returns:
        The main file of the data set.

    Raises:
        UnknownName: If there is no such data set.
        FetchError: If no address serves it, the connection breaks, the content is wrong or the disk is full.
    """
    entry = name if isinstance(name, Entry) else catalogue.entry(name)
    if not entry.urls:
        raise FetchError(
            f"{entry.name} is not downloaded but generated: it ships with the kit, or run llmarm data make."
        )
    home = home or catalogue.data_home()
    try:
        return _fetch(entry, home, progress)
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        remedy = "set LLMARM_CACHE to a folder with room that you may write to"
        raise FetchError(f"{entry.name} cannot be stored in {home} ({error.strerror}): {remedy}.") from error


def _fetch(entry: Entry, home: Path, progress: bool) -> Path:
    place = home / entry.name
    present = catalogue.find(entry, [place])
    if present and not _complaint(entry, present):
        return present
    home.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(home)
    free = shutil.disk_usage(home).free // MEGABYTE
    if free < entry.megabytes:
        raise FetchError(
            f"{entry.name} needs {entry.megabytes} MB in {home}, where {free} MB are free: make room there, or set "
            "LLMARM_CACHE to a folder with more."
        )
    problems = []
    for url in entry.urls:
        with tempfile.TemporaryDirectory(prefix=f".fetch-{os.getpid()}-", dir=home) as work:
            try:
                new = _download(entry, url, Path(work), progress)
            except requests.RequestException as error:
                address = error.request.url if error.request else url  # it may be a part that is not there
                problems.append(f"{address} {_why(error)}")
                continue
            except (zipfile.BadZipFile, zlib.error):
                problems.append(f"{url} is a damaged archive")
                continue
            main = catalogue.find(entry, [new])
            if progress:
                patience = " (a workbook takes minutes)" if main and main.suffix == ".xlsx" else ""
                print(f"{entry.name}: checking the content{patience}", file=sys.stderr)
            problem = _complaint(entry, main) if main else f"holds no {entry.files[0]}"
            if problem:
                problems.append(f"{url} {problem}")
                continue
            _replace(place, new, Path(work) / "old")
            return place / main.name
    raise FetchError(
        f"{entry.name} could not be fetched ({'; '.join(problems)}): check your connection and try again, or get it by "
        f"hand from {entry.source} and set LLMARM_DATA to its folder."
    )


def _download(entry: Entry, url: str, work: Path, progress: bool) -> Path:
    """Download and unpack what belongs to the data set; returns the folder that holds it.

    An archive holds all of it. Beside a plain file its parts are asked for under their own names.
    """
    new = work / "new"
    new.mkdir()
    name = PurePosixPath(unquote_plus(urlparse(url).path)).name
    known = catalogue.plain(name) in map(catalogue.plain, entry.files)
    file = new / (name if known or name.endswith(".zip") else entry.files[0])
    download = pooch.HTTPDownloader(progressbar=progress, timeout=CONNECT_AND_READ_SECONDS)
    download(url, file, None)
    if file.suffix == ".zip" and zipfile.is_zipfile(file):
        wanted = {catalogue.plain(part) for part in (*entry.files, *entry.parts)}
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                base = PurePosixPath(member.filename).name  # flat, so no member can be written elsewhere
                if catalogue.plain(base) in wanted:
                    with archive.open(member) as source, (new / base).open("wb") as target:
                        shutil.copyfileobj(source, target)
        file.unlink()
    elif file.suffix != ".zip":
        for part in entry.parts:
            download(urljoin(url, part), new / part, None)
    for part in new.iterdir():
        with part.open("rb+") as written:
            os.fsync(written.fileno())
    return new


def _complaint(entry: Entry, main: Path) -> str:
    """What is wrong with the content, or nothing."""
    try:
        report = loading.examine(entry, main)
    except DataError as error:
        return f"has the wrong content: {str(error).rstrip('.')}"
    wrong = [f"{row.what} {row.found}, not {row.expected}" for row in report.rows if not row.ok]
    return f"has the wrong content: {', '.join(wrong)}" if wrong else ""


def _why(error: requests.RequestException) -> str:
    if isinstance(error, requests.HTTPError):
        return f"answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "does not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "broke off before the end"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached"
    return f"failed: {' '.join(str(error).split())}"


def _replace(place: Path, new: Path, old: Path) -> None:
    if place.exists():
        os.replace(place, old)  # folders cannot be replaced in one step; `old` goes with the working folder
    os.replace(new, place)


def _remove_leftovers(home: Path) -> None:
    """Remove the working folders of attempts whose process is gone."""
    for folder in home.glob(".fetch-*-*"):
        if not psutil.pid_exists(int(folder.name.split("-")[1])):
            shutil.rmtree(folder)
