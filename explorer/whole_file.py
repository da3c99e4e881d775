"""Writes a file, or adds to one, so that all of it is there or nothing, whatever ends the program meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path


def write_whole(path: Path, partial: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill another file, makes sure that it is on the disk, and renames it into place.

    Args:
        path: the file, which is replaced if it is there.
        partial: the other file, in the same folder; it is gone afterwards.
        write: gets the path to write to; what it raises passes through and leaves `path` as it was.

    Raises:
        OSError: the folder is not there, is full or cannot be written.
    """
    try:
        partial.touch()
        mode = partial.stat().st_mode
        write(partial)
        partial.chmod(mode)  # what users' files have: some libraries write for the owner alone
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink()


def append_whole(file: FileIO, content: bytes) -> None:
    """Adds to the end of a file that is open for appending, without a buffer, all or nothing.

    Raises:
        OSError: the disk is full or cannot be written; the file is what it was.
    """
    before = file.seek(0, os.SEEK_END)
    try:
        rest = memoryview(content)
        while rest:  # a disk that fills up takes a part
            rest = rest[file.write(rest) :]
    except OSError:
        with suppress(OSError):
            file.truncate(before)
        raise
