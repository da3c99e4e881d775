"""The runs that wait for their turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.errors import InputError
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.ui.background import Answer, Background
from explorer.ui.widgets.named import named

RUN = Qt.ItemDataRole.UserRole
SHOWN_ROWS = 3
PATHS = "train/queue"
"""Where the settings keep the folders, so that the queue outlives the window."""


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run that has a folder and has not begun."""

    path: str
    recipe: Recipe


def make_run(recipe: Recipe, place: Path | None) -> list[WaitingRun]:
    """Makes the folder of a run that is to wait.

    Args:
        recipe: what will be trained.
        place: the folder to make it in; None for the user's folder of runs.

    Raises:
        InputError: it cannot be made.
    """
    return [WaitingRun(str(RunFolder.create(recipe, place=place).path), recipe)]


def waiting_runs(paths: Sequence[str]) -> list[WaitingRun]:
    """Returns those of some runs that still wait: others have begun, in another window for instance, or are gone."""
    found = []
    for folder in map(RunFolder, map(Path, paths)):
        try:
            if not folder.begun:
                found.append(WaitingRun(str(folder.path), folder.recipe))
        except InputError:
            continue
    return found


def run_text(recipe: Recipe) -> str:
    """Returns what a list says of a run that has not begun."""
    epochs = f"{recipe.epochs} epoch{'s' if recipe.epochs > 1 else ''}"
    return f"{recipe.architecture.rpartition('/')[2]} · {recipe.dataset} · {epochs}"


class RunQueue(QWidget):
    """Folders of runs that have not begun, in the order in which they will; hidden while there are none."""

    changed = Signal()
    start_wanted = Signal()
    failed = Signal(str)

    def __init__(self, settings: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._background = Background(self)
        self._background.answered.connect(self._answered)
        self.title = named(QLabel(self), "muted")
        self.view = QListWidget(self)
        self.view.setAccessibleName("Queue")
        self.view.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.view.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.start = QPushButton("Start queue", self)
        self.start.setToolTip("Train the waiting runs one after the other")
        self.up = self._button("▲", "Earlier (Alt+Up)")
        self.down = self._button("▼", "Later (Alt+Down)")
        self.remove = self._button("✕", "Take the selected run out of the queue (Delete)")
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        for button in (self.up, self.down, self.remove, self.start):
            head.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(self.view)
        self.up.clicked.connect(self._earlier)
        self.down.clicked.connect(self._later)
        self.remove.clicked.connect(self._remove)
        self.start.clicked.connect(self.start_wanted)
        for keys, act in (("Alt+Up", self._earlier), ("Alt+Down", self._later), ("Delete", self._remove)):
            QShortcut(QKeySequence(keys), self.view, act, context=Qt.ShortcutContext.WidgetShortcut)
        self.view.model().rowsMoved.connect(self._order_changed)
        self.view.currentRowChanged.connect(self._show_state)
        self._training = False
        self._show_state()
        remembered = settings.value(PATHS)
        paths = [remembered] if isinstance(remembered, str) else remembered  # of a list of one, Qt gives its member
        if isinstance(paths, list) and paths:
            self._background.ask(waiting_runs, [str(path) for path in paths])

    def _button(self, text: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button

    def paths(self) -> list[str]:
        """Returns the folders, the next one first."""
        return [self._run(self.view.item(row)).path for row in range(self.view.count())]

    def _run(self, item: QListWidgetItem) -> WaitingRun:
        run = item.data(RUN)
        assert isinstance(run, WaitingRun)
        return run

    def stop(self, wait_ms: int = 100) -> bool:
        """Ends what is under way; returns whether the thread has ended."""
        return self._background.stop(wait_ms)

    def enqueue(self, recipe: Recipe, place: Path | None = None) -> None:
        """Makes the folder of a run by this recipe, in a place or among the user's runs, and puts it at the end."""
        self._background.ask(make_run, recipe, place)

    def _answered(self, answer: Answer) -> None:
        if answer.error is not None:
            self.failed.emit(str(answer.error))
        for run in answer.result if isinstance(answer.result, list) else ():
            self.add(run)

    def add(self, run: WaitingRun) -> None:
        """Puts a run at the end, unless it is there."""
        if run.path in self.paths():
            return
        recipe = run.recipe
        method = f"{recipe.optimiser} {recipe.learning_rate:g} · batch {recipe.batch_size}"
        item = QListWidgetItem(f"{run_text(recipe)} · {method}", self.view)
        item.setData(RUN, run)
        item.setToolTip(f"{run.path}\n\n{run.recipe.to_toml()}")
        self._order_changed()

    def take(self) -> WaitingRun | None:
        """Takes out the next run; None where none waits."""
        if not self.view.count():
            return None
        run = self._run(self.view.takeItem(0))
        self._order_changed()
        return run

    def drop(self, path: str) -> None:
        """Takes out a run that has gone or has been started from elsewhere."""
        if path in self.paths():
            self.view.takeItem(self.paths().index(path))
            self._order_changed()

    def set_training(self, training: bool) -> None:
        """Offers to start the queue while nothing trains."""
        self._training = training
        self._show_state()

    def _earlier(self) -> None:
        self._move(-1)

    def _later(self) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        row = self.view.currentRow()
        if row >= 0 and 0 <= row + by < self.view.count():
            self.view.insertItem(row + by, self.view.takeItem(row))
            self.view.setCurrentRow(row + by)
            self._order_changed()

    def _remove(self) -> None:
        row = self.view.currentRow()
        if row >= 0:
            run = self._run(self.view.takeItem(row))
            self._order_changed()
            self._background.ask(RunFolder(Path(run.path)).discard)

    def _order_changed(self) -> None:
        self._show_state()
        self._settings.setValue(PATHS, self.paths())
        self.changed.emit()

    def _show_state(self) -> None:
        count, row = self.view.count(), self.view.currentRow()
        self.setVisible(count > 0)
        self.title.setText(f"{count} waiting")
        self.start.setVisible(not self._training)
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < count - 1)
        self.remove.setEnabled(row >= 0)
        height = self.view.fontMetrics().height() + 8
        self.view.setFixedHeight(max(1, min(count, SHOWN_ROWS)) * height + 2 * self.view.frameWidth())
