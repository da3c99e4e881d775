"""The buttons that start, hold, steer and end a run."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QInputDialog, QMenu, QPushButton, QToolButton, QWidget

from explorer.ui.train.trainer import Trainer
from explorer.ui.widgets.named import named

STEPS_OF_RATE = (("÷ 10", 0.1), ("÷ 2", 0.5), ("× 2", 2.0), ("× 10", 10.0))


class Controls(QWidget):
    """Start and Add to queue for the recipe in the form; Pause, Stop and Rate for the run that trains."""

    started = Signal()
    queued = Signal()
    paused = Signal()
    """Pause, or Resume where the run is paused."""
    halted = Signal()
    ended_after_epoch = Signal(bool)
    """Whether the run is to end with this epoch."""
    rate_wanted = Signal(float)
    """The learning rate for the next step."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rate = 0.0
        """The learning rate now; 0 where none is known."""
        self.start = named(QPushButton("Start", self), "primary")
        self.start.setToolTip("Train by this recipe (Ctrl+Return)")
        self.start.setShortcut(QKeySequence("Ctrl+Return"))
        self.enqueue = QPushButton("Add to &queue", self)
        self.enqueue.setToolTip("Train by this recipe once the runs before it have ended (Ctrl+Shift+Return)")
        self.enqueue.setShortcut(QKeySequence("Ctrl+Shift+Return"))
        self.pause = QPushButton("Pause", self)
        self.pause.setShortcut(QKeySequence("Ctrl+P"))
        self.halt = QToolButton(self)
        self.halt.setText("Stop")
        self.halt.setToolTip("Save and end after the step in flight; the run can be resumed")
        self.halt.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self.after_epoch = QAction("Stop after this &epoch", self, checkable=True)
        self.after_epoch.setShortcut(QKeySequence("Ctrl+E"))
        stopping = QMenu(self.halt)
        stopping.addAction("&Stop now", self.halt.click)
        stopping.addAction(self.after_epoch)
        self.halt.setMenu(stopping)
        self.addAction(self.after_epoch)
        self.change_rate = QToolButton(self)
        self.change_rate.setText("Rate")
        self.change_rate.setToolTip("Change the learning rate while the run goes on; the schedule follows")
        self.change_rate.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.rates = QMenu(self.change_rate)
        self.rates.aboutToShow.connect(self._fill_rates)
        self.rates.triggered.connect(self._rate_chosen)
        self.change_rate.setMenu(self.rates)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.start, 3)
        for button in (self.pause, self.halt, self.change_rate):
            button.setSizePolicy(self.enqueue.sizePolicy())
            row.addWidget(button, 1)
        row.addWidget(self.enqueue)
        self.start.clicked.connect(self.started)
        self.enqueue.clicked.connect(self.queued)
        self.pause.clicked.connect(self.paused)
        self.halt.clicked.connect(self.halted)
        self.after_epoch.toggled.connect(self.ended_after_epoch)

    def show_state(self, trainer: Trainer | None) -> None:
        """Offers what makes sense for the run that trains, if there is one."""
        going = trainer is not None and not trainer.stopping
        self.start.setVisible(trainer is None)
        for button in (self.pause, self.halt, self.change_rate):
            button.setVisible(trainer is not None)
            button.setEnabled(going)
        self.after_epoch.setEnabled(going)
        paused = trainer is not None and trainer.paused
        self.pause.setText("Resume" if paused else "Pause")
        self.pause.setToolTip("Go on (Ctrl+P)" if paused else "Wait after the step in flight (Ctrl+P)")
        self.pause.setShortcut(QKeySequence("Ctrl+P"))  # a new text takes it away
        blocked = self.after_epoch.blockSignals(True)
        self.after_epoch.setChecked(trainer is not None and trainer.stopping_after_epoch)
        self.after_epoch.blockSignals(blocked)
        if trainer is None:
            self.rate = 0.0

    def _fill_rates(self) -> None:
        self.rates.clear()
        heading = self.rates.addAction(f"Now {self.rate:.4g}" if self.rate else "No step has been taken yet")
        heading.setEnabled(False)
        if self.rate:
            for text, factor in STEPS_OF_RATE:
                self.rates.addAction(f"{text}  =  {factor * self.rate:.4g}").setData(factor * self.rate)
            self.rates.addAction("Another…").setData("ask")

    def _rate_chosen(self, action: QAction) -> None:
        if action.data() == "ask":
            self._ask_for_rate()
        elif action.data():
            self.rate_wanted.emit(float(action.data()))

    def _ask_for_rate(self) -> None:
        text, given = QInputDialog.getText(
            self, "Learning rate", "Learning rate of the next step:", text=f"{self.rate:.4g}"
        )
        try:
            rate = float(text.replace(",", "."))
        except ValueError:
            return
        if given and 0 < rate < 1000:
            self.rate_wanted.emit(rate)
