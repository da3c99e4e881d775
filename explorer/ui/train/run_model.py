"""The runs so far as rows: what was trained, how well, and how each stands."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtWidgets import QWidget

from explorer.training.run_folder import RunSummary
from explorer.training.run_lock import SILENCE

Index = QModelIndex | QPersistentModelIndex

_STATES = {
    "elsewhere": "Another process trains it, here or on another machine",
    "no word": f"No word from the machine that trains it for {SILENCE / 60:.0f} minutes: it may have ended",
}
"""What the less obvious states mean."""


class Col(IntEnum):
    """Columns of the list."""

    NAME = 0
    BEST = 1
    EPOCHS = 2
    STATE = 3


HEADERS = ("Run", "Best", "Epochs", "State")
ELSEWHERE = Qt.ItemDataRole.UserRole + 1
"""Whether another process trains the run."""


def run_name(run: RunSummary) -> str:
    """Returns what a run is called: its own name, or network and dataset."""
    return run.title or f"{run.architecture.rpartition('/')[2]} · {run.dataset}"


def run_title(run: RunSummary) -> str:
    """Returns what tells a run from others where no column does: its name, how good it is, and since when it is."""
    best = f" · {100 * run.best_accuracy:.1f} %" if run.best_accuracy is not None else ""
    return f"{run.architecture.rpartition('/')[2]} · {run.dataset}{best} · {run.name[:16].replace('_', ' ')}"


class RunModel(QAbstractTableModel):
    """Runs as rows, newest first; `UserRole` is the run's folder. A check mark has its curves drawn along."""

    checked_changed = Signal()
    renamed = Signal(str, str)
    """A run's folder, and what the user calls it from now on; nothing is written yet."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.runs: list[RunSummary] = []
        self.active = ""
        """Folder of the run that trains now."""
        self._paused = False
        self.waiting: set[str] = set()
        """Folders of the runs in the queue."""
        self.checked: list[str] = []
        """Folders of the runs with a check mark, in the order in which they got it."""
        self._swatches: dict[str, QPixmap] = {}

    def set_runs(self, runs: list[RunSummary]) -> None:
        """Shows other runs; where the same ones only stand otherwise, nothing that the user does is disturbed."""
        if runs and [run.path for run in runs] == [run.path for run in self.runs]:
            self.runs = runs
            self.dataChanged.emit(self.index(0, 0), self.index(len(runs) - 1, len(Col) - 1))
            return
        self.beginResetModel()
        self.runs = runs
        self.endResetModel()

    def is_elsewhere(self, run: RunSummary) -> bool:
        """Returns whether another process trains a run, here or on another machine."""
        return run.trained == "training" and run.path != self.active

    def set_colours(self, colours: dict[str, QColor]) -> None:
        """Shows the colours of the runs' curves, by folder."""
        self._swatches = {}
        for path, colour in colours.items():
            swatch = QPixmap(12, 12)
            swatch.fill(QColor("#ffffff"))  # a rim, to be seen on a selected row
            painter = QPainter(swatch)
            painter.fillRect(1, 1, 10, 10, colour)
            painter.end()
            self._swatches[path] = swatch
        self._name_changed()

    def check(self, paths: list[str]) -> None:
        """Sets all check marks."""
        self.checked = list(paths)
        self._name_changed()
        self.checked_changed.emit()

    def _name_changed(self) -> None:
        if self.runs:
            self.dataChanged.emit(self.index(0, Col.NAME), self.index(len(self.runs) - 1, Col.NAME))

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.column() == Col.NAME:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
            if not self.is_elsewhere(self.runs[index.row()]):
                flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        run = self.runs[index.row()]
        if role == Qt.ItemDataRole.CheckStateRole:
            others = [path for path in self.checked if path != run.path]
            self.check([*others, run.path] if Qt.CheckState(value) == Qt.CheckState.Checked else others)
            return True
        if role == Qt.ItemDataRole.EditRole:
            title = " ".join(str(value).split())
            if title != run_name(run):
                self.runs[index.row()] = replace(run, title=title)
                self.dataChanged.emit(index, index)
                self.renamed.emit(run.path, title)
            return True
        return False

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.runs)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(Col)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        run, column = self.runs[index.row()], Col(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            best = "" if run.best_accuracy is None else f"{100 * run.best_accuracy:.2f} %"
            return {
                Col.NAME: run_name(run),
                Col.BEST: best,
                Col.EPOCHS: f"{run.epochs_done} / {run.epochs}",
                Col.STATE: self.state(run),
            }[column]
        if role == Qt.ItemDataRole.EditRole:
            return run_name(run)
        if role == Qt.ItemDataRole.CheckStateRole and column == Col.NAME:
            return Qt.CheckState.Checked if run.path in self.checked else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DecorationRole and column == Col.NAME:
            return self._swatches.get(run.path)
        if role == Qt.ItemDataRole.ToolTipRole:
            title = f"{run_name(run)}\n" if run.title else ""
            state = _STATES.get(self.state(run), self.state(run))
            return f"{title}{run.architecture} · {run.dataset}\n{run.path}\n{state}"
        if role == Qt.ItemDataRole.UserRole:
            return run.path
        if role == ELSEWHERE:
            return self.is_elsewhere(run)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (Col.BEST, Col.EPOCHS):
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def note_epoch(self, path: str, epochs_done: int, accuracy: float) -> None:
        """Takes over what the run in progress has reached."""
        for row, run in enumerate(self.runs):
            if run.path == path:
                best = max(accuracy, run.best_accuracy if run.best_accuracy is not None else 0.0)
                self.runs[row] = replace(run, epochs_done=epochs_done, best_accuracy=best, has_weights=True)
                self.dataChanged.emit(self.index(row, Col.BEST), self.index(row, Col.EPOCHS))

    def set_paused(self, paused: bool) -> None:
        """Says whether the run in progress waits."""
        self._paused = paused
        for row, run in enumerate(self.runs):
            if run.path == self.active:
                self.dataChanged.emit(self.index(row, Col.STATE), self.index(row, Col.STATE))

    def state(self, run: RunSummary) -> str:
        """Returns a word or two on how the run stands."""
        if run.path == self.active:
            return "paused" if self._paused else "training"
        if run.path in self.waiting:
            return "waiting"
        if run.trained and not run.finished:
            return "elsewhere" if run.trained == "training" else "no word"
        return "finished" if run.finished else "stopped" if run.resumable else "not begun"

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADERS[section]
        return None
