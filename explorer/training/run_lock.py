"""Who trains in the folder of a run: one process at a time, on this machine or on another that has the same disk.

Whoever trains holds a lock on a file in the folder, which the system ends with the process, however that ends. Some
shared disks have no locks or do not pass them on to other machines, so the file also names the machine: where a lock
that could be had proves nothing, the age of the newest line of the metrics decides.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from functools import cache
from io import FileIO
from pathlib import Path
from typing import Literal

from explorer.errors import InputError
from explorer.training.metrics_index import METRICS

LOCK = "run.lock"
SILENCE = 120.0
"""Seconds without a new line after which a run that another machine trained may have ended."""
_PAUSES = (0.0, 0.01, 0.01, 0.01)
"""Seconds before each time that a lock is tried for: whoever looks whether it is free holds it for a moment."""

Trained = Literal["", "training", "silent"]
"""Whether a process trains a run: none does, one does, or one did on another machine and has said nothing for long."""


def take(folder: Path) -> FileIO:
    """Keeps all other processes from training in a folder, and other threads of this one, until `release`.

    Raises:
        InputError: the run is being trained already, or was a moment ago on another machine.
        OSError: the folder cannot be written to.
    """
    # The file is never replaced: a lock on one that others no longer find would keep nobody out.
    file = FileIO(folder / LOCK, "a+")
    try:
        for pause in _PAUSES:
            time.sleep(pause)
            if (taken := _try(file)) is not False:
                break
        else:
            raise InputError(f"the run in {folder} is being trained already: stop it there first")
        host = _read(file)
        if host and not (taken and host == _own_name()) and _silence(folder) < SILENCE:
            raise InputError(
                f"the run in {folder} is being trained on {host.split()[0]}, or was a moment ago: stop it there, "
                f"or wait {SILENCE / 60:.0f} minutes"
            )
        with suppress(OSError):  # a full disk is told of by what is written next
            file.truncate(0)
            file.write(_own_name().encode())
    except BaseException:
        file.close()
        raise
    return file


def release(file: FileIO) -> None:
    """Lets others train in the folder."""
    with suppress(OSError):
        file.truncate(0)
    file.close()


def trained(folder: Path) -> Trained:
    """Returns whether a process trains in a folder, this one included; nothing is written."""
    try:
        with _open(folder / LOCK) as file:
            host = _read(file)
            if not host:  # the last training has ended in good order
                return ""
            taken = _try(file)
    except FileNotFoundError:
        return ""
    except OSError:  # on Windows a file that is locked is read by its owner alone
        return "training"
    if taken is False:
        return "training"
    if taken and host == _own_name():  # which has crashed
        return ""
    return "training" if _silence(folder) < SILENCE else "silent"


def _open(path: Path) -> FileIO:
    """Opens for writing, without which NFS has no lock; for reading where that is not allowed."""
    try:
        return FileIO(path, "r+")
    except FileNotFoundError:
        raise
    except OSError:
        return FileIO(path)


def _try(file: FileIO) -> bool | None:
    """Returns whether the lock could be had, which closing the file ends; None where the disk has no locks."""
    from filelock import lock_descriptor

    try:
        return lock_descriptor(file.fileno(), blocking=False)
    except OSError:
        return None


def _read(file: FileIO) -> str:
    file.seek(0)
    text = file.read(300).decode("utf-8", "replace").strip()
    return "".join(sign if sign.isprintable() else "?" for sign in text)  # it is shown on terminals


def _silence(folder: Path) -> float:
    """Returns the seconds since a training began or told something; both are files that are there while one goes on."""
    newest = 0.0
    for name in (LOCK, METRICS):
        with suppress(OSError):
            newest = max(newest, (folder / name).stat().st_mtime)
    return time.time() - newest


@cache
def _own_name() -> str:
    """Returns what this machine is called, with what tells it from others of the same name where there is such."""
    name = socket.gethostname() or "unknown"
    with suppress(OSError):
        name += f" {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    return name
