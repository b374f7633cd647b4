"""Where the kit lies on disk."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Container, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from llmarm_tutorial.errors import RunError

ROOT = Path(__file__).resolve().parents[1]  # the checkout; an installed package has no such folder around it


FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def writing(path: Path, only: Container[int | None] | None = None) -> Iterator[None]:
    """Turn the system's errors while a file is written into a sentence.

    Args:
        path: The file.
        only: Error numbers to which this is restricted; None for all.

    Raises:
        RunError: If the file cannot be written, for example for want of disk space.
    """
    try:
        yield
    except OSError as error:
        if only is not None and error.errno not in only:
            raise
        raise RunError(
            f"{path} could not be written ({error.strerror or error}): free some space or choose another folder and "
            "run again; what was finished before is kept."
        ) from error


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there whole or, after any crash, as it was before.

    Raises:
        RunError: If it cannot be written, for example for want of disk space.
    """
    with prepared_file(path, content) as temporary, writing(path):
        os.replace(temporary, path)


@contextlib.contextmanager
def prepared_file(path: Path, content: str | bytes) -> Iterator[Path]:
    """The content in a temporary file beside `path`, ready to take its place; removed if it does not."""
    data = content.encode() if isinstance(content, str) else content
    with contextlib.ExitStack() as cleaning:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
                temporary = Path(file.name)
                cleaning.callback(temporary.unlink, missing_ok=True)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
        yield temporary


@contextlib.contextmanager
def lock(folder: Path, *, wait: bool, complaint: str = "") -> Iterator[None]:
    """Hold a folder against other processes; the system frees it when the holder dies.

    Args:
        folder: What to hold; made if it is not there.
        wait: Wait for the holder, or else raise.
        complaint: The sentence to raise.

    Raises:
        RunError: If the folder cannot be made, or another process holds it and `wait` is false.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(folder / ".lock", timeout=-1 if wait else 0)
        held.acquire()
    except Timeout:
        raise RunError(complaint) from None
    except OSError as error:
        raise RunError(f"The folder {folder} cannot be used ({error.strerror}); choose another one.") from None
    try:
        yield
    finally:
        held.release()
