"""Writes a file so that it is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from explorer.errors import InputError


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


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a file beside the one that is wanted, then renames it into place.

    Args:
        path: the file, which is replaced if it is there.
        write: gets the path to write to; what it raises passes through and leaves the file as it was.

    Raises:
        InputError: the folder is not there, is full or cannot be written.
    """
    check_place(path)
    partial = partial_path(path, os.getpid())
    try:
        partial.touch()
        mode = partial.stat().st_mode
        write(partial)
        partial.chmod(mode)  # what users' files have: some libraries write for the owner alone
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise _unwritable(path, error) from None
    finally:
        with suppress(OSError):
            partial.unlink()


def partial_path(path: Path, process: int) -> Path:
    """Returns where a process writes before it renames: what is left there if it is killed."""
    return path.with_name(f".{process}.part{path.suffix}")


def _unwritable(path: Path, error: OSError) -> InputError:
    return InputError(f"{path} cannot be written ({error.strerror or error}): choose another place")
