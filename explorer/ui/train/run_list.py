"""The runs so far: what was trained, how well, and whether it can go on."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from explorer.training.run_folder import RunSummary
from explorer.ui.widgets.named import named

Index = QModelIndex | QPersistentModelIndex


class Col(IntEnum):
    """Columns of the list."""

    NAME = 0
    BEST = 1
    EPOCHS = 2
    STATE = 3


HEADERS = ("Run", "Best", "Epochs", "State")


class RunModel(QAbstractTableModel):
    """Runs as rows, newest first; `UserRole` is the run's folder."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.runs: list[RunSummary] = []
        self.active = ""
        """Folder of the run that trains now."""

    def set_runs(self, runs: list[RunSummary]) -> None:
        self.beginResetModel()
        self.runs = runs
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.runs)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(Col)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        run, column = self.runs[index.row()], Col(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            best = "" if run.best_accuracy is None else f"{100 * run.best_accuracy:.2f} %"
            return {
                Col.NAME: f"{run.architecture.rpartition('/')[2]} · {run.dataset}",
                Col.BEST: best,
                Col.EPOCHS: f"{run.epochs_done} / {run.epochs}",
                Col.STATE: self.state(run),
            }[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{run.path}\n{self.state(run)}"
        if role == Qt.ItemDataRole.UserRole:
            return run.path
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

    def state(self, run: RunSummary) -> str:
        """Returns one word on how the run stands."""
        if run.path == self.active:
            return "training"
        return "finished" if run.finished else "stopped" if run.resumable else "not begun"

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADERS[section]
        return None


class RunList(QWidget):
    """A table of runs and what can be done with one."""

    shown = Signal(str)
    """Folder of the run whose curves the user wants to see."""
    resumed = Signal(str)
    classified = Signal(str)
    deleted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = RunModel(self)
        self.view = QTableView(self)
        self.view.setModel(self.model)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setShowGrid(False)
        self.view.setWordWrap(False)
        self.view.setTabKeyNavigation(False)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.view.horizontalHeader().setSectionResizeMode(Col.NAME, QHeaderView.ResizeMode.Stretch)
        for column, sample in ((Col.BEST, "100.00 %"), (Col.EPOCHS, "100 / 100"), (Col.STATE, "not begun")):
            self.view.setColumnWidth(column, self.fontMetrics().horizontalAdvance(sample) + 18)
        self.view.setAccessibleName("Runs")
        self.resume = QPushButton("Resume", self)
        self.resume.setToolTip("Go on with the selected run where it stopped")
        self.classify = QPushButton("Classify with it", self)
        self.classify.setToolTip("Use the best weights of the selected run on the Classify page")
        self.delete = QPushButton("Delete…", self)
        self.delete.setToolTip("Move the selected run to the trash")
        self.empty = named(QLabel("No runs yet: press Start to train the first one.", self), "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        buttons = QHBoxLayout()
        for button in (self.resume, self.classify, self.delete):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.empty)
        layout.addLayout(buttons)
        self.view.selectionModel().currentRowChanged.connect(self._row_changed)
        self.resume.clicked.connect(self._resume)
        self.classify.clicked.connect(self._classify)
        self.delete.clicked.connect(self._delete)
        self._silent = False
        self.set_runs([])

    def set_runs(self, runs: list[RunSummary], active: str = "") -> None:
        """Shows other runs; the selection stays with its run."""
        current = self.current()
        self._silent = True
        self.model.active = active
        self.model.set_runs(runs)
        self.empty.setVisible(not runs)
        self.view.setVisible(bool(runs))
        for row, run in enumerate(runs):
            if current is not None and run.path == current.path:
                self.view.selectRow(row)
        self._silent = False
        self._show_buttons()

    def select(self, path: str) -> None:
        """Makes a run current without announcing it."""
        self._silent = True
        for row, run in enumerate(self.model.runs):
            if run.path == path:
                self.view.selectRow(row)
        self._silent = False
        self._show_buttons()

    def current(self) -> RunSummary | None:
        """Returns the selected run."""
        row = self.view.currentIndex().row()
        return self.model.runs[row] if 0 <= row < len(self.model.runs) else None

    def _show_buttons(self) -> None:
        run = self.current()
        idle = run is not None and run.path != self.model.active
        self.resume.setEnabled(run is not None and idle and run.resumable and not self.model.active)
        self.classify.setEnabled(run is not None and run.has_weights)
        self.delete.setEnabled(idle)

    def _row_changed(self, current: Index, previous: Index) -> None:
        self._show_buttons()
        run = self.current()
        if run is not None and current.isValid() and not self._silent:
            self.shown.emit(run.path)

    def _resume(self) -> None:
        run = self.current()
        if run is not None:
            self.resumed.emit(run.path)

    def _classify(self) -> None:
        run = self.current()
        if run is not None:
            self.classified.emit(run.path)

    def _delete(self) -> None:
        run = self.current()
        if run is not None:
            self.deleted.emit(run.path)
