"""Files that are whole or not there: written under a temporary name, flushed, then renamed.

They hold personal data, so only their owner may read them, nor may anyone else look into folders
made here.
"""

import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Literal
from uuid import uuid4

OWNER_ONLY_FILE = 0o600
OWNER_ONLY_FOLDER = 0o700


def write_atomically(
    path: Path, content: bytes, *, check: Callable[[Path], None] | None = None
) -> None:
    """Write a file so that no reader, and no crash at any instant, ever meets half of it.

    Several may write the same file at once, be they threads, processes or containers: one of
    them wins. The folder's own entry is not flushed: call :func:`flush_folder` once all its files
    stand.

    Args:
        path: The file.
        content: All of it.
        check: Given the temporary file, flushed, before it takes its place; whatever it raises
            leaves the earlier file as it was.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with open_for_owner(temporary, "wb") as file:
            write_all(file, content)
            os.fsync(file.fileno())
        if check is not None:
            check(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, so that they survive a power cut."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=OWNER_ONLY_FOLDER, exist_ok=True)
        flush_folder(folder.parent)


def flush_folder(folder: Path) -> None:
    """Make a folder's entries (new files, renames) survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_for_owner(path: Path, mode: Literal["wb", "ab"]) -> FileIO:
    """Open a file, unbuffered; one that does not stand yet is made for its owner's eyes only."""
    return open(
        path, mode, buffering=0, opener=lambda name, flags: os.open(name, flags, OWNER_ONLY_FILE)
    )


def write_all(file: FileIO, content: bytes) -> None:
    """Write all of it: the system may take less than it was given, on a full disk for example."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
