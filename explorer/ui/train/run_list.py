"""The runs so far: what was trained, how well, and whether it can go on."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QAction, QColor, QDesktopServices, QGuiApplication, QKeySequence, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from explorer.training.run_folder import RunSummary
from explorer.ui.widgets.filtered_table import TYPING_MS
from explorer.ui.widgets.named import named

Index = QModelIndex | QPersistentModelIndex


class Col(IntEnum):
    """Columns of the list."""

    NAME = 0
    BEST = 1
    EPOCHS = 2
    STATE = 3


HEADERS = ("Run", "Best", "Epochs", "State")


def run_name(run: RunSummary) -> str:
    """Returns what a run is called: its own name, or network and dataset."""
    return run.title or f"{run.architecture.rpartition('/')[2]} · {run.dataset}"


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
        self.waiting: set[str] = set()
        """Folders of the runs in the queue."""
        self.checked: list[str] = []
        """Folders of the runs with a check mark, in the order in which they got it."""
        self._swatches: dict[str, QPixmap] = {}

    def set_runs(self, runs: list[RunSummary]) -> None:
        self.beginResetModel()
        self.runs = runs
        self.endResetModel()

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
            flags |= Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsEditable
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
            network = f"{run.architecture} · {run.dataset}"
            return (
                f"{run_name(run)}\n{network}\n{run.path}\n{self.state(run)}"
                if run.title
                else (f"{network}\n{run.path}\n{self.state(run)}")
            )
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
        if run.path in self.waiting:
            return "waiting"
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
    results_wanted = Signal(str, str)
    """Folder and name of a run."""
    renamed = Signal(str, str)
    checked_changed = Signal()

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
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.view.setToolTip("Check runs to compare their curves with those of the selected one")
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("Filter runs…")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Filter runs")
        self.results = QPushButton("Results…", self)
        self.results.setToolTip("Confusion matrix and hardest images of the selected run's best weights")
        self.resume = QPushButton("Resume", self)
        self.resume.setToolTip("Go on with the selected run where it stopped")
        self.classify = QPushButton("Classify with it", self)
        self.classify.setToolTip("Use the best weights of the selected run on the Classify page")
        self.delete = QPushButton("Delete…", self)
        self.delete.setToolTip("Move the selected run to the trash")
        self.empty = named(QLabel("No runs yet: press Start to train the first one.", self), "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        buttons = QHBoxLayout()
        for button in (self.resume, self.results, self.classify, self.delete):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.search)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.empty)
        layout.addLayout(buttons)
        self.view.selectionModel().currentRowChanged.connect(self._row_changed)
        self.resume.clicked.connect(self._resume)
        self.classify.clicked.connect(self._classify)
        self.delete.clicked.connect(self._delete)
        self.results.clicked.connect(self._show_results)
        self.model.checked_changed.connect(self.checked_changed)
        self.model.renamed.connect(self.renamed)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MS)
        self._typing.timeout.connect(self._narrow)
        self.search.textChanged.connect(self._typing.start)
        self._add_actions()
        self._silent = False
        self.set_runs([])

    def _add_actions(self) -> None:
        """What the menu of a run offers, beside the buttons."""
        self.actions_of_run: list[QAction] = []
        for text, key, slot in (
            ("Rename…", QKeySequence("F2"), self._rename),
            ("Compare", QKeySequence(), self._compare),
            ("Compare none", QKeySequence(), self._compare_none),
            ("Results…", QKeySequence(), self._show_results),
            ("Copy path", QKeySequence(QKeySequence.StandardKey.Copy), self._copy_path),
            ("Open folder", QKeySequence(), self._open_folder),
            ("Delete…", QKeySequence(QKeySequence.StandardKey.Delete), self._delete),
        ):
            action = QAction(text, self.view)
            action.setShortcut(key)
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(slot)
            self.view.addAction(action)
            self.actions_of_run.append(action)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    def _narrow(self) -> None:
        """Shows the runs whose name, network, dataset, folder or state has all the words of the filter."""
        words = self.search.text().lower().split()
        for row, run in enumerate(self.model.runs):
            text = f"{run_name(run)} {run.architecture} {run.dataset} {run.name} {self.model.state(run)}".lower()
            self.view.setRowHidden(row, not all(word in text for word in words))

    def set_runs(self, runs: list[RunSummary], active: str = "") -> None:
        """Shows other runs; the selection stays with its run."""
        current = self.current()
        self._silent = True
        self.model.active = active
        self.model.set_runs(runs)
        self.empty.setVisible(not runs)
        self.view.setVisible(bool(runs))
        self.search.setVisible(len(runs) > 1)
        self._narrow()
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
        self.results.setEnabled(run is not None and run.has_weights)
        for action in self.actions_of_run:
            deleting, showing = action.text() == "Delete…", action.text() == "Results…"
            action.setEnabled(idle if deleting else self.results.isEnabled() if showing else run is not None)

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

    def _show_results(self) -> None:
        run = self.current()
        if run is not None:
            self.results_wanted.emit(run.path, run_name(run))

    def _rename(self) -> None:
        if self.current() is not None:
            self.view.edit(self.model.index(self.view.currentIndex().row(), Col.NAME))

    def _compare(self) -> None:
        run = self.current()
        if run is not None:
            others = [path for path in self.model.checked if path != run.path]
            self.model.check(others if run.path in self.model.checked else [*others, run.path])

    def _compare_none(self) -> None:
        self.model.check([])

    def _copy_path(self) -> None:
        run = self.current()
        if run is not None:
            QGuiApplication.clipboard().setText(run.path)

    def _open_folder(self) -> None:
        run = self.current()
        if run is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(run.path))
