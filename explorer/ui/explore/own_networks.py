"""The networks that are the user's own: those of Python files, and those that surgery made, both remembered."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

from PySide6.QtCore import QSettings

from explorer.architectures.entry import Entry
from explorer.architectures.registry import entry
from explorer.architectures.surgery.steps import base_of
from explorer.errors import InputError
from explorer.ui.explore.architecture_list import MINE, MODIFIED, ArchitectureList

FILES, CHANGED = "explore/files", "explore/modified"
"""Where the settings keep their names."""
MOST_REMEMBERED = 20
"""Files, and modified networks, of earlier days that the list offers."""
LIBRARIES: tuple[Literal["torchvision", "timm"], ...] = ("torchvision", "timm")


class OwnNetworks:
    """Keeps their sections of the list, and the settings, together."""

    def __init__(self, networks: ArchitectureList, settings: QSettings) -> None:
        self._list = networks
        self._settings = settings

    def add_files(self) -> None:
        """Adds those of files that were opened before and are still there."""
        known = [name for name in self._names(FILES) if Path(name.rpartition(":")[0]).is_file()]
        self._list.add(MINE, tuple(entry(name) for name in known))

    def remember_file(self, name: str) -> None:
        """Adds `path.py:NAME` where it is new, and makes it current."""
        others = [known for known in self._names(FILES) if known != name]
        self._settings.setValue(FILES, [name, *others][:MOST_REMEMBERED])
        if not self._list.select(name):
            self._list.add(MINE, (entry(name),))
            self._list.select(name)

    def add_modified(self, library: str = "") -> None:
        """Adds the modified networks of earlier days; those of a library once it is there."""
        for name in self._names(CHANGED):
            source, colon, _ = base_of(name).partition(":")
            if (source if colon and source in LIBRARIES else "") == library:
                with contextlib.suppress(InputError):  # a file that is gone, a step of another version
                    self._list.add(MODIFIED, (entry(name),))

    def remember_modified(self, modified: Entry) -> None:
        """Adds a network that surgery made; the oldest goes where there are too many."""
        names = [name for name in self._names(CHANGED) if name != modified.name]
        for name in names[: -(MOST_REMEMBERED - 1)]:
            self._list.remove(name)
        self._settings.setValue(CHANGED, [*names, modified.name][-MOST_REMEMBERED:])
        if not self._list.has(modified.name):
            self._list.add(MODIFIED, (modified,))

    def forget_modified(self, name: str) -> None:
        """Takes a network that surgery made out of list and settings."""
        self._settings.setValue(CHANGED, [known for known in self._names(CHANGED) if known != name])
        self._list.remove(name)

    def _names(self, key: str) -> list[str]:
        value = self._settings.value(key, [])
        return [value] if isinstance(value, str) else [str(item) for item in value] if isinstance(value, list) else []
