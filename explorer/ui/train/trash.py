"""The trash of the system: takes folders, and gives the last one back."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QFile


@dataclass(frozen=True, slots=True)
class Trashed:
    """A folder in the trash."""

    was: Path
    now: Path


def move_to_trash(path: Path) -> Trashed | None:
    """Moves a folder to the trash, of which it may be taken back where the system says its place there.

    Raises:
        OSError: it stays where it is.
    """
    file = QFile(str(path))
    if not file.moveToTrash():
        raise OSError(f"{path} could not be moved to the trash: delete it in a file manager")
    now = Path(file.fileName())
    return Trashed(path, now) if now != path and now.exists() else None


def take_back(trashed: Trashed) -> None:
    """Moves a folder back to where it was.

    Raises:
        OSError: it is no longer in the trash, or something else is in its place.
    """
    if trashed.was.exists():
        raise FileExistsError(f"{trashed.was} is there again: {trashed.now} stays in the trash")
    shutil.move(trashed.now, trashed.was)
    # What the desktops on Linux keep of each file beside it.
    with suppress(OSError):
        (trashed.now.parent.parent / "info" / f"{trashed.now.name}.trashinfo").unlink()
