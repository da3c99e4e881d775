"""Runs outside the user's own folder of runs that are in the list all the same: on a shared disk, for instance."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from explorer.training.run_folder import RECIPE, runs_folder
from explorer.ui.train.run_places import RunPlaces

KEY = "train/opened"


class OpenedRuns(QObject):
    """Folders of runs that were opened, the newest first; the settings keep them."""

    opened = Signal(str)
    """A folder was chosen, wherever it lies."""
    failed = Signal(str)

    def __init__(self, settings: QSettings, places: RunPlaces, parent: QWidget) -> None:
        super().__init__(parent)
        self._settings, self._places, self._parent = settings, places, parent
        try:
            paths = json.loads(str(settings.value(KEY, "[]")))
        except ValueError:
            paths = []
        self.paths = [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []

    def ask(self) -> None:
        """Lets the user choose a folder."""
        path = QFileDialog.getExistingDirectory(self._parent, "Folder of a run")
        if path and not (Path(path) / RECIPE).is_file():
            self.failed.emit(f"{path} is not the folder of a run: choose one that holds a {RECIPE}")
        elif path:
            self.opened.emit(path)

    def add(self, path: str) -> None:
        """Takes a folder into the list, unless it is there anyway."""
        if Path(path).parent not in (runs_folder().absolute(), *self._places.others):
            self._set([path, *(other for other in self.paths if other != path)])

    def remove(self, path: str) -> None:
        """Takes a folder out of the list; nothing happens to what is in it."""
        self._set([other for other in self.paths if other != path])

    def _set(self, paths: list[str]) -> None:
        self.paths = paths
        self._settings.setValue(KEY, json.dumps(paths))
