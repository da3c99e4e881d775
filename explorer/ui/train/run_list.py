"""The runs so far: what was trained, how well, and whether it can go on."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QAction, QDesktopServices, QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableView,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.training.run_folder import RunSummary
from explorer.ui.train.run_model import Col, Index, RunModel, run_name
from explorer.ui.widgets.filtered_table import TYPING_MS
from explorer.ui.widgets.named import named

_ELSEWHERE_TIP = "Another process trains this run: stop it there first"


class RunList(QWidget):
    """A table of runs and what can be done with one."""

    shown = Signal(str)
    """Folder of the run whose curves the user wants to see."""
    resumed = Signal(str)
    classified = Signal(str)
    deleted = Signal(str)
    undone = Signal()
    """The run that was deleted last is wanted back."""
    results_wanted = Signal(str, str)
    """Folder and name of a run."""
    renamed = Signal(str, str)
    checked_changed = Signal()
    open_wanted = Signal()
    """A run from elsewhere is to be chosen."""
    taken_out = Signal(str)
    """Folder of a run from elsewhere that the list is to show no longer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.opened: list[str] = []
        """Folders of the runs from elsewhere."""
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
        self.classify = QPushButton("Classify with it", self)
        self.classify.setToolTip("Use the best weights of the selected run on the Classify page")
        self.delete = QPushButton("Delete…", self)
        self.open = QPushButton("Open run…", self)
        self.open.setToolTip("Show a run from anywhere, one that another machine trains for instance (Ctrl+Shift+O)")
        self.place = QToolButton(self)
        self.place.setText("Folder")
        self.place.setAccessibleName("Folder of new runs")
        self.place.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.empty = named(QLabel("Reading the runs…", self), "muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.undo = QPushButton("&Undo: take the deleted run out of the trash", self)
        self.undo.setShortcut(QKeySequence("Ctrl+Z"))
        self.undo.setToolTip("The run comes back as it was (Ctrl+Z)")
        self.undo.hide()
        buttons = QHBoxLayout()
        for button in (self.resume, self.results, self.classify, self.delete):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        head = QHBoxLayout()
        head.addWidget(self.search, 1)
        head.addStretch(0)
        head.addWidget(self.open)
        head.addWidget(self.place)
        layout.addLayout(head)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.empty)
        layout.addWidget(self.undo)
        layout.addLayout(buttons)
        self.view.selectionModel().currentRowChanged.connect(self._row_changed)
        self.resume.clicked.connect(self._resume)
        self.classify.clicked.connect(self._classify)
        self.delete.clicked.connect(self._delete)
        self.open.clicked.connect(self.open_wanted)
        self.results.clicked.connect(self._show_results)
        self.undo.clicked.connect(self.undone)
        self.model.dataChanged.connect(self._show_buttons)
        self.model.checked_changed.connect(self.checked_changed)
        self.model.renamed.connect(self.renamed)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MS)
        self._typing.timeout.connect(self._narrow)
        self.search.textChanged.connect(self._typing.start)
        self._add_actions()
        self._silent = False
        self.view.hide()
        self.search.hide()
        self._show_buttons()

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
            ("Take out of the list", QKeySequence(), self._take_out),
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
        self._show_buttons()

    def set_runs(self, runs: list[RunSummary], active: str = "") -> None:
        """Shows other runs; the selection stays with its run."""
        current = self.current()
        self._silent = True
        self.model.active = active
        self.model.set_runs(runs)
        self.empty.setText("No runs yet: press Start to train the first one.")
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

    def offer_undo(self, wanted: bool) -> None:
        """Offers to take back what was deleted."""
        self.undo.setVisible(wanted)

    def current(self) -> RunSummary | None:
        """Returns the selected run."""
        row = self.view.currentIndex().row()
        return self.model.runs[row] if 0 <= row < len(self.model.runs) else None

    def _show_buttons(self) -> None:
        """Offers what can be done with the selected run, unless the filter hides it."""
        run = self.current() if not self.view.isRowHidden(self.view.currentIndex().row()) else None
        elsewhere = run is not None and self.model.is_elsewhere(run)
        idle = run is not None and run.path != self.model.active and not elsewhere
        self.resume.setEnabled(run is not None and idle and run.resumable and not self.model.active)
        self.resume.setToolTip(_ELSEWHERE_TIP if elsewhere else "Go on with the selected run where it stopped")
        self.classify.setEnabled(run is not None and run.has_weights)
        self.delete.setEnabled(idle)
        self.delete.setToolTip(_ELSEWHERE_TIP if elsewhere else "Move the selected run to the trash")
        self.results.setEnabled(run is not None and run.has_weights)
        enabled = {
            "Rename…": not elsewhere,
            "Results…": self.results.isEnabled(),
            "Delete…": idle,
            "Take out of the list": run is not None and run.path in self.opened,
        }
        for action in self.actions_of_run:
            action.setEnabled(run is not None and enabled.get(action.text(), True))

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

    def _take_out(self) -> None:
        run = self.current()
        if run is not None:
            self.taken_out.emit(run.path)

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
