"""Unpacks archives that may be hostile: nothing leaves the folder, no links, a bounded size, whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path, PurePosixPath
from typing import IO
from uuid import uuid4

from explorer.data.download import Progress
from explorer.errors import InputError

MAX_FILES = 2_000_000
_CHUNK = 1 << 20
_ABANDONED = 86_400.0
"""Seconds after which nobody is unpacking into a folder any more."""


def unpack(
    archive: Path, target: Path, max_bytes: int, wanted: Callable[[str], bool] = lambda name: True
) -> Generator[Progress, None, None]:
    """Unpacks a tar or zip archive and moves what it holds into `target`, once all of it is there.

    Only regular files come out. Where the generator is closed or fails, nothing of it stays.

    Args:
        archive: a tar file, compressed or not, or a zip file.
        target: a folder, made if need be; what is there under the same names already stays as it is.
        max_bytes: an archive that unpacks to more is refused.
        wanted: tells by its path whether a file is unpacked.

    Yields:
        Progress in bytes of the archive (of what it unpacks to, for a zip file), every MiB or so.

    Raises:
        InputError: it cannot be read, is too large or has files outside its own folder.
        OSError: a file cannot be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target, archive)
    folder = target / f".{archive.name}.{uuid4().hex}.part"
    try:
        folder.mkdir()
        members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
        try:
            yield from _write(members(archive), folder, archive, max_bytes, wanted)
        except (EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise InputError(f"{archive} cannot be unpacked ({error}): delete it and fetch it again") from None
        for path in folder.iterdir():
            if not (target / path.name).exists():
                os.replace(path, target / path.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(target: Path, archive: Path) -> None:
    """Removes what a program that was killed has left: it may be gigabytes."""
    for folder in target.glob(f".{escape(archive.name)}.*.part"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _ABANDONED:
                shutil.rmtree(folder, ignore_errors=True)


Member = tuple[str, int, IO[bytes], int, int]
"""Path, size, contents, and how much of the archive is behind them of how much."""


def _write(
    members: Iterator[Member], folder: Path, archive: Path, max_bytes: int, wanted: Callable[[str], bool]
) -> Generator[Progress, None, None]:
    written = reported = 0
    message = f"Unpacking {archive.name}"
    yield Progress(message, 0, 0)
    for number, (name, size, contents, done, total) in enumerate(members):
        if done - reported >= _CHUNK:
            reported = done
            yield Progress(message, done, total)
        if not wanted(name):
            continue
        path = folder / _inside(name, archive)
        if written + size > max_bytes or number >= MAX_FILES:
            raise InputError(f"{archive} unpacks to more than {max_bytes:,} bytes: fetch the published one")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            while chunk := contents.read(_CHUNK):
                written += len(chunk)
                if written > max_bytes:
                    raise InputError(f"{archive} unpacks to more than {max_bytes:,} bytes: fetch the published one")
                file.write(chunk)
                yield Progress(message, done, total)


def _inside(name: str, archive: Path) -> PurePosixPath:
    """Returns a member's path within the archive's folder.

    Raises:
        InputError: it leads out of it.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0] or "\0" in name:
        raise InputError(f"{archive} would write outside its folder ({name[:80]!r}): fetch the published one")
    return path


def _tar_members(archive: Path) -> Iterator[Member]:
    total = archive.stat().st_size
    with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:*") as packed:
        for member in packed:
            contents = packed.extractfile(member) if member.isreg() else None
            if contents is not None:
                yield member.name, member.size, contents, file.tell(), total
            packed.members.clear()  # type: ignore[attr-defined]  # tarfile keeps all it has seen; nothing goes back here


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        total, done = sum(member.compress_size for member in members), 0
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if not member.is_dir() and kind in (0, stat.S_IFREG):
                with packed.open(member) as contents:
                    yield member.filename, member.file_size, contents, done, total
            done += member.compress_size
