"""Starting a new run from the weights of another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QTableView

from explorer.errors import InputError
from explorer.training.run_folder import BEST, LAST, RunFolder
from explorer.ui.train.run_model import ELSEWHERE


class Forking(QObject):
    """Two entries in the menu of the list of runs; the list's `UserRole` is a run's folder."""

    forked = Signal(object)
    """The run's recipe, beginning with its weights: the form shows it, and Start makes a new run of it."""
    failed = Signal(str)

    def __init__(self, runs: QTableView) -> None:
        super().__init__(runs)
        self._runs = runs
        self.from_best = self._action("New run from its &best epoch", "The form gets its recipe, to begin there")
        self.from_last = self._action("New run from its &last checkpoint", "The form gets its recipe, to begin there")
        self.from_best.triggered.connect(self._fork_best)
        self.from_last.triggered.connect(self._fork_last)
        runs.selectionModel().currentRowChanged.connect(self.show_state)
        runs.model().dataChanged.connect(self.show_state)

    def _action(self, text: str, tip: str) -> QAction:
        action = QAction(text, self._runs)
        action.setToolTip(tip)
        self._runs.addAction(action)
        return action

    def _folder(self) -> Path | None:
        path = self._runs.currentIndex().data(Qt.ItemDataRole.UserRole)
        return Path(str(path)) if path else None

    def show_state(self) -> None:
        """Offers what the selected run has."""
        folder = self._folder()
        # What another process still trains would be something else by the time that the new run begins with it.
        usable = folder is not None and not self._runs.currentIndex().data(ELSEWHERE)
        self.from_best.setEnabled(folder is not None and usable and (folder / BEST).exists())
        self.from_last.setEnabled(folder is not None and usable and (folder / LAST).exists())

    def _fork_best(self) -> None:
        self._fork("")

    def _fork_last(self) -> None:
        self._fork(LAST)

    def _fork(self, file: str) -> None:
        folder = self._folder()
        if folder is None:
            return
        try:
            recipe = RunFolder(folder).recipe
        except InputError as error:
            self.failed.emit(str(error))
            return
        self.forked.emit(replace(recipe, weights=str(folder.absolute() / file)))
