"""A bar that appears where something takes longer than a moment, says what, and can be cancelled."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QTimer, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy

PATIENCE_MS = 1000
"""What ends sooner is not worth a bar."""


class Waiting(QFrame):
    """Hidden until work has gone on for a second."""

    cancelled = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("waiting")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._text = ""
        self._clock = QElapsedTimer()
        self.label = QLabel()
        self.label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # long names are cut off
        bar = QProgressBar()
        bar.setRange(0, 0)
        bar.setTextVisible(False)
        bar.setFixedWidth(120)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop waiting for this (Esc)")
        self.cancel.setShortcut(QKeySequence("Esc"))
        self.cancel.clicked.connect(self._cancel)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 10, 6)
        row.addWidget(self.label, 1)
        row.addWidget(bar)
        row.addWidget(self.cancel)
        self._ticks = QTimer(self)
        self._ticks.setInterval(PATIENCE_MS)
        self._ticks.timeout.connect(self._tick)
        self.hide()

    def begin(self, text: str) -> None:
        """Waits for something that `text` names: `Inspecting resnet50`."""
        self._text = text
        self._clock.start()
        self._ticks.start()
        self.hide()

    def end(self) -> None:
        """It is there."""
        self._ticks.stop()
        self.hide()

    def _tick(self) -> None:
        self.label.setText(f"{self._text}… {self._clock.elapsed() // 1000} s")
        self.label.setToolTip(self._text)
        self.show()

    def _cancel(self) -> None:
        self.end()
        self.cancelled.emit()
