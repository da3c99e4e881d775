"""Files that a user asks for: where they may lie, and what is said when they cannot."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from explorer.errors import InputError
from explorer.whole_file import write_whole


def ending(path: Path, known: Iterable[str]) -> str:
    """Returns a file name's ending, `svg` for `net.SVG`.

    Raises:
        InputError: it is none of those `known`.
    """
    suffix = path.suffix.lower().removeprefix(".")
    choices = [f".{one}" for one in known]
    if f".{suffix}" not in choices:
        raise InputError(f"{path} needs a name that ends in {', '.join(choices[:-1])} or {choices[-1]}")
    return suffix


def check_place(path: Path) -> None:
    """Sees before long work that a file can be written there.

    Raises:
        InputError: the folder is not there or cannot be written, or the path is a folder.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder: name a file in it")
        if not path.parent.is_dir():
            raise InputError(f"there is no folder {path.parent}: make it first, or name another one")
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        os.close(descriptor)
        os.unlink(partial)
    except OSError as error:
        raise _unwritable(path, error) from None


def save(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a file that is there whole or not at all.

    Args:
        path: the file, which is replaced if it is there.
        write: gets the path to write to; what it raises passes through and leaves the file as it was.

    Raises:
        InputError: the folder is not there, is full or cannot be written.
    """
    check_place(path)
    try:
        write_whole(path, partial_path(path, os.getpid()), write)
    except OSError as error:
        raise _unwritable(path, error) from None


def partial_path(path: Path, process: int) -> Path:
    """Returns where a process writes before it renames: what is left there if it is killed."""
    return path.with_name(f".{process}.part{path.suffix}")


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be written ({error.strerror or error}): choose another place")
