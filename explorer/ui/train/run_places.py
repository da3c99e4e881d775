"""Where the window keeps new runs: in the user's folder of runs, or in one that was chosen instead."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QMenu, QToolButton, QWidget

from explorer.training.run_folder import PLACE, runs_folder
from explorer.ui.background import Answer, Background

KEY = "train/places"
"""Where the settings keep the folders: the one for new runs first, empty for the usual one."""


def try_place(path: str) -> str:
    """Makes a folder in a folder and removes it again; returns the path, or raises OSError."""
    with tempfile.TemporaryDirectory(dir=path):
        return path


class RunPlaces(QObject):
    """Fills the menu of a button. Runs in places that were chosen before stay in the list.

    The variable EXPLORER_RUNS, where it is set, says the place of all runs, as it does without a window.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, button: QToolButton, settings: QSettings, parent: QWidget) -> None:
        super().__init__(parent)
        self._settings, self._parent = settings, parent
        self._background = Background(self)
        self._background.answered.connect(self._answered)
        try:
            kept = json.loads(str(settings.value(KEY, "[]")))
        except ValueError:
            kept = []
        self._kept = [path for path in kept if isinstance(path, str)] if isinstance(kept, list) else []
        self._menu = QMenu(button)
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self._fill)
        button.setMenu(self._menu)
        self._button = button
        self._show()

    @property
    def chosen(self) -> Path | None:
        """The folder for new runs; None for the user's folder of runs."""
        first = self._kept[0] if self._kept and not os.environ.get(PLACE) else ""
        return Path(first) if first else None

    @property
    def others(self) -> list[Path]:
        """All folders of runs beside the usual one: those that were chosen, now or before."""
        return [] if os.environ.get(PLACE) else [Path(path) for path in self._kept if path]

    @property
    def current(self) -> Path:
        """Where a new run goes."""
        return self.chosen or runs_folder().absolute()

    def ask(self) -> None:
        """Lets the user choose a folder for new runs."""
        path = QFileDialog.getExistingDirectory(self._parent, "Keep new runs in", str(self.current))
        if path:
            self.choose(path)

    def choose(self, path: str) -> None:
        """Keeps new runs in a folder, if it can be written."""
        self._background.ask(try_place, path, newest_only=True)

    def go_back(self) -> None:
        """Keeps new runs in the usual folder again."""
        self._set("")

    def stop(self, wait_ms: int = 100) -> bool:
        """Tries no more folders; returns whether the thread has ended."""
        return self._background.stop(wait_ms)

    def _answered(self, answer: Answer) -> None:
        if isinstance(answer.result, str):
            self._set("" if Path(answer.result) == runs_folder().absolute() else answer.result)
        elif isinstance(answer.error, OSError):
            self.failed.emit(
                f"new runs cannot be kept in {Path(str(answer.error.filename)).parent} ({answer.error.strerror}): "
                f"choose another folder; they go to {self.current} as before"
            )

    def _set(self, path: str) -> None:
        self._kept = [path, *(other for other in self._kept if other not in (path, ""))]
        self._settings.setValue(KEY, json.dumps(self._kept))
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        self._button.setToolTip(f"New runs are kept in {self.current}")

    def _fill(self) -> None:
        self._menu.clear()
        self._menu.addSection("New runs are kept in")
        shown = self._menu.addAction(str(self.current).replace("&", "&&"), self._open)
        shown.setToolTip("Show this folder in a file manager")
        self._menu.addSeparator()
        other = self._menu.addAction("&Keep new runs in…", self.ask)
        back = self._menu.addAction("Back to the &usual folder", self.go_back)
        back.setToolTip(str(runs_folder().absolute()))
        back.setEnabled(self.chosen is not None)
        if os.environ.get(PLACE):
            other.setEnabled(False)
            other.setToolTip(f"The environment variable {PLACE} says where")
            other.setText(f"Set by {PLACE}")

    def _open(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.current)))
