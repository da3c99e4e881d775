"""Fetches one file over HTTP: in small steps, checked, and put in place only when it is whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from glob import escape
from http.client import HTTPException, HTTPResponse, IncompleteRead
from pathlib import Path
from textwrap import shorten
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen
from uuid import uuid4

TIMEOUT = 10.0
"""Seconds without an answer, at connecting or between two pieces of data, after which a server is given up."""

CHUNK = 1 << 16
"""Bytes between two reports of progress, at most."""

ATTEMPTS = 5
"""Times that an address is asked while each gives more of the file than there was before: long downloads break."""

_OTHER_FILE = "wrong checksum, so not the published file"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far something slow has come."""

    message: str
    """What is being done: `Downloading train-images-idx3-ubyte.gz`."""
    done: int
    """Bytes, or images, so far."""
    total: int
    """Bytes, or images, in all; 0 where that is not known."""


class DownloadError(Exception):
    """A file could not be had from any address; the text says why, for each."""


def download(urls: Sequence[str], target: Path, md5: str, max_bytes: int) -> Generator[Progress, None, None]:
    """Fetches a file from the first address that gives the right one.

    The data go to a part beside `target`, which takes its place when the checksum is right; until then `target` stays
    as it was. What has arrived when the connection breaks or the generator is closed is kept as `NAME.part`, and the
    next address or the next download goes on from there, where the server can (HTTP ranges, RFC 9110 section 14).

    Args:
        urls: mirrors of the same file, tried in order.
        target: where the file goes; its folder is created.
        md5: checksum as hexadecimal digits.
        max_bytes: a server that sends more is cut off.

    Yields:
        Progress after every 64 KiB or less; before the first, and with each mirror again, an unknown total.

    Raises:
        DownloadError: no address gave the right file.
        OSError: the file could not be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, so that two processes may fetch the same file at once.
    part = target.with_name(f"{target.name}.{uuid4().hex}.part")
    _take_up(target, part)
    reasons = []
    try:
        for url in urls:
            for _ in range(ATTEMPTS):
                begun = _size(part)
                problem = yield from _fetch(url, part, target.name, md5, max_bytes)
                if problem is None:
                    os.replace(part, target)
                    return
                of_another = problem == _OTHER_FILE and begun  # what was there may have been to blame
                if _size(part) <= begun and not of_another:
                    break
            reasons.append(f"{url}: {problem}")
    finally:
        with suppress(OSError):
            if _size(part):
                os.replace(part, _kept(target))
            else:
                part.unlink()
    raise DownloadError("; ".join(reasons))


def md5_of(path: Path) -> Generator[Progress, None, str]:
    """Returns a file's MD5 checksum as hexadecimal digits, yielding progress.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return (yield from _digest_of(file, path.name)).hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _kept(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def _take_up(target: Path, part: Path) -> None:
    """Makes what an earlier download left, or one whose program was killed, the beginning of this one."""
    left: list[tuple[int, Path]] = []
    for path in target.parent.glob(f"{escape(target.name)}.*part"):
        with suppress(OSError), path.open("rb+") as file:  # another process was quicker
            if path == _kept(target) or _lock(file):
                left.append((_size(path), path))
    for _, path in sorted(left):  # the largest is the last to take the place
        with suppress(OSError):
            os.replace(path, part)


def _lock(file: BinaryIO) -> bool:
    """Marks a part as a living program's until it is closed or the program ends; returns whether it was nobody's."""
    from filelock import lock_descriptor

    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError:  # some shared disks have no locks
        return False


def _fetch(url: str, part: Path, name: str, md5: str, max_bytes: int) -> Generator[Progress, None, str | None]:
    """Completes the part with what the address gives and returns what is wrong with it, None if nothing.

    A part that can be no beginning of the file is deleted.
    """
    with part.open("ab+") as file:
        _lock(file)
        digest = yield from _digest_of(file, part.name)
        done = file.tell()
        yield Progress(f"Downloading {name}", done, 0)  # connecting may take a while
        problem: str | None
        try:
            response = _open(url, done)
        except (OSError, HTTPException) as error:
            too_long = isinstance(error, HTTPError) and error.code == 416  # there is nothing where the part ends
            problem = _OTHER_FILE if too_long else _reason(error)
        else:
            with response:
                if done and not _continues(response, done):
                    file.truncate(0)
                    digest, done = hashlib.md5(usedforsecurity=False), 0
                problem = yield from _receive(response, file, digest, done, name, max_bytes)
            if problem is None and digest.hexdigest() != md5:
                problem = _OTHER_FILE
        file.flush()
        os.fsync(file.fileno())
    if problem == _OTHER_FILE or part.stat().st_size > max_bytes:
        part.unlink()
    return problem


def _digest_of(file: BinaryIO, name: str) -> Generator[Progress, None, hashlib._Hash]:
    """Reads the file to its end and returns the MD5 of what it holds so far."""
    digest = hashlib.md5(usedforsecurity=False)
    total = os.fstat(file.fileno()).st_size
    file.seek(0)
    while chunk := file.read(1 << 20):
        digest.update(chunk)
        yield Progress(f"Checking {name}", file.tell(), total)
    return digest


def _receive(
    response: HTTPResponse, file: BinaryIO, digest: hashlib._Hash, done: int, name: str, max_bytes: int
) -> Generator[Progress, None, str | None]:
    """Appends what the server sends to a file that holds `done` bytes; returns what is wrong, None if nothing."""
    total = done + response.length if response.length else 0  # length counts down while reading
    while True:
        try:
            chunk = response.read1(CHUNK)  # what has arrived; read() would wait for a slow server to fill the chunk
        except (OSError, HTTPException) as error:
            return f"{_reason(error)} after {done:,}{f' of {total:,}' if total else ''} bytes"
        if not chunk:
            return f"connection lost after {done:,} of {total:,} bytes" if done < total else None
        done += len(chunk)
        digest.update(chunk)
        file.write(chunk)
        if done > max_bytes:
            return f"sends more than the expected {max_bytes:,} bytes"
        yield Progress(f"Downloading {name}", done, total)


def _open(url: str, done: int) -> HTTPResponse:
    headers = {"User-Agent": "architecture-explorer"} | ({"Range": f"bytes={done}-"} if done else {})
    response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=TIMEOUT)
    return response


def _continues(response: HTTPResponse, done: int) -> bool:
    """Returns whether the server goes on where the part ends; many send the whole file again."""
    return response.status == 206 and (response.headers.get("Content-Range") or "").startswith(f"bytes {done}-")


def _reason(error: OSError | HTTPException) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP status {error.code}"
    if isinstance(error, IncompleteRead):
        return "connection lost"
    cause = error.reason if isinstance(error, URLError) else error
    said = "".join(character if character.isprintable() else " " for character in str(cause))
    return shorten(said, 200) or type(cause).__name__  # one line, whatever the server said
