"""The list of runs, kept up to date: the user's own and those from elsewhere, whoever trains them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, QSettings, QTimer, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from explorer.errors import InputError
from explorer.training.errors import TrainingError
from explorer.training.run_folder import RunFolder, RunSummary, list_runs
from explorer.ui.background import Answer, Background
from explorer.ui.train.comparison import Comparison
from explorer.ui.train.curves import Curves
from explorer.ui.train.opened_runs import OpenedRuns
from explorer.ui.train.run_list import RunList
from explorer.ui.train.run_places import RunPlaces
from explorer.ui.train.trash import Trashed, move_to_trash, take_back

LOOK_MS = 3000
"""From one look at the folders to the next: other processes make runs as well."""


class RunListing(QObject):
    """Reads the runs behind the window and shows them; takes runs out, to the trash or only from the list."""

    changed = Signal()
    deleted = Signal(str)
    """Folder of a run that is no more."""
    failed = Signal(str)

    def __init__(
        self, view: RunList, curves: Curves, comparison: Comparison, settings: QSettings, parent: QWidget
    ) -> None:
        """Prepares the list; `refresh` fills it.

        Args:
            view: shows it.
            curves: the first of its runs is the current one.
            comparison: is told of what has changed.
            settings: keep which runs from elsewhere are in it, and where new ones go.
            parent: keeps this alive.
        """
        super().__init__(parent)
        self._view, self._curves, self._comparison = view, curves, comparison
        self.runs: list[RunSummary] = []
        self.places = RunPlaces(view.place, settings, parent)
        self.opened = OpenedRuns(settings, self.places, parent)
        self.active = ""
        """Folder of the run that trains here."""
        self._trashed: tuple[Trashed | None, bool] = (None, False)
        """The run that was deleted last, and whether it was one from elsewhere."""
        self._background = Background(self)
        self._background.answered.connect(self._answered)
        self._question = self._look = 0
        self._looks = QTimer(self)
        self._looks.timeout.connect(self._look_again)
        self._looks.start(LOOK_MS)
        view.open_wanted.connect(self.opened.ask)
        view.taken_out.connect(self._take_out)
        view.deleted.connect(self._delete)
        view.undone.connect(self._take_back)
        self.opened.failed.connect(self.failed)
        self.places.failed.connect(self.failed)
        self.places.changed.connect(self.refresh)

    def refresh(self, active: str | None = None) -> None:
        """Reads the runs anew.

        Args:
            active: folder of the run that trains here from now on, empty for none; None for the same as before.
        """
        self.active = self.active if active is None else active
        self._question = self._ask()

    def _ask(self) -> int:
        return self._background.ask(list_runs, self.opened.paths, self.places.others)

    def stop(self, wait_ms: int = 100) -> bool:
        """Reads no more; returns whether the threads have ended."""
        self._looks.stop()
        return self.places.stop(wait_ms) and self._background.stop(wait_ms)

    def _look_again(self) -> None:
        """Looks for what other processes have made or trained, unless nobody would see it."""
        if self._view.isVisible() and not self._look:
            self._look = self._ask()

    def _answered(self, answer: Answer) -> None:
        if answer.id == self._look:
            self._look = 0
            if isinstance(answer.result, list) and answer.result != self.runs:
                self._show(answer.result)
        elif answer.id == self._question and isinstance(answer.result, list):
            self._show(answer.result)
            if self.active or self._view.current() is None:
                self._view.select(self.active or self._curves.runs[0].path)

    def _show(self, runs: list[RunSummary]) -> None:
        self.runs = runs
        self._view.opened = self.opened.paths
        self._view.set_runs(runs, self.active)
        self._comparison.refresh()
        self.changed.emit()

    def _take_out(self, path: str) -> None:
        self.opened.remove(path)
        self.refresh()

    def _delete(self, path: str) -> None:
        """Moves a run to the trash, from where it can be taken back."""
        answer = QMessageBox.question(self._view, "Delete run", f"Move this run to the trash?\n{path}")
        if answer != QMessageBox.StandardButton.Yes:
            return
        try:
            with RunFolder(Path(path)).lock():  # another window may train it
                pass
            trashed = move_to_trash(Path(path))  # no longer locked: Windows does not move a file that is open
        except (InputError, TrainingError, OSError) as error:
            self.failed.emit(str(error))
        else:
            self._trashed = trashed, path in self.opened.paths
            self._view.offer_undo(trashed is not None)
            self.opened.remove(path)
            self.deleted.emit(path)
        self.refresh()

    def _take_back(self) -> None:
        """Takes the run that was deleted last out of the trash."""
        trashed, opened = self._trashed
        self._view.offer_undo(False)
        if trashed is None:
            return
        try:
            take_back(trashed)
        except OSError as error:
            self.failed.emit(str(error))
        else:
            if opened:
                self.opened.add(str(trashed.was))
        self.refresh()
