"""Fetches one file over HTTP: in small steps, checked, and put in place only when it is whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
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


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file has come."""

    message: str
    """What is being done: `Downloading train-images-idx3-ubyte.gz`."""
    done: int
    """Bytes so far."""
    total: int
    """Bytes in all; 0 where that is not known."""


class DownloadError(Exception):
    """A file could not be had from any address; the text says why, for each."""


def download(urls: Sequence[str], target: Path, md5: str, max_bytes: int) -> Generator[Progress, None, None]:
    """Fetches a file from the first address that gives the right one.

    The data go to a temporary file beside `target`, which takes its place when the checksum is right. In any other
    case, closing the generator included, the temporary file is deleted: `target` stays as it was.

    Args:
        urls: mirrors of the same file, tried in order.
        target: where the file goes; its folder is created.
        md5: checksum as hexadecimal digits.
        max_bytes: a server that sends more is cut off.

    Yields:
        Progress after every 64 KiB or less; before the first, and with each mirror again, 0 of an unknown total.

    Raises:
        DownloadError: no address gave the right file.
        OSError: the file could not be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, so that two processes may fetch the same file at once.
    part = target.with_name(f"{target.name}.{uuid4().hex}.part")
    reasons = []
    try:
        for url in urls:
            with part.open("wb") as file:
                problem = yield from _fetch(url, file, target.name, md5, max_bytes)
                file.flush()
                os.fsync(file.fileno())
            if problem is None:
                os.replace(part, target)
                return
            reasons.append(f"{url}: {problem}")
    finally:
        part.unlink(missing_ok=True)
    raise DownloadError("; ".join(reasons))


def _fetch(url: str, file: BinaryIO, name: str, md5: str, max_bytes: int) -> Generator[Progress, None, str | None]:
    """Copies what the address gives to `file` and returns what is wrong with it, None if nothing."""
    digest = hashlib.md5(usedforsecurity=False)
    done = 0
    yield Progress(f"Downloading {name}", done, 0)  # connecting may take a while
    try:
        response = urlopen(Request(url, headers={"User-Agent": "architecture-explorer"}), timeout=TIMEOUT)
    except (OSError, HTTPException) as error:
        return _reason(error)
    with response:
        total = response.length or 0  # counts down while reading
        while True:
            try:
                chunk = response.read1(CHUNK)  # what has arrived; read() would wait for a slow server to fill the chunk
            except (OSError, HTTPException) as error:
                return f"{_reason(error)} after {done:,} of {total:,} bytes"
            if not chunk:
                break
            done += len(chunk)
            if done > max_bytes:
                return f"sends more than the expected {max_bytes:,} bytes"
            digest.update(chunk)
            file.write(chunk)
            yield Progress(f"Downloading {name}", done, total)
    if done < total:
        return f"connection lost after {done:,} of {total:,} bytes"
    return None if digest.hexdigest() == md5 else "wrong checksum, so not the published file"


def _reason(error: OSError | HTTPException) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP status {error.code}"
    cause = error.reason if isinstance(error, URLError) else error
    return shorten(str(cause), 200) or type(cause).__name__  # one line, whatever the server said
