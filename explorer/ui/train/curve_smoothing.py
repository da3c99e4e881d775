"""Smooths the lines of curves as a slider says: short ones at once, long ones behind the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject

from explorer.ui.background import Answer, Background
from explorer.ui.train.line import Line
from explorer.ui.train.smoothing import smooth

SMOOTHED = ("step_loss", "speed", "norm")
"""Metrics with noise to smooth: those of epochs are averages already, and the learning rate has none."""
LONG = 100_000
"""Points that are moved, or smoothed, within a few milliseconds."""


class CurveSmoothing(QObject):
    """Keeps the lines on show as smooth as is wanted."""

    def __init__(self, weight: Callable[[], float], lines: Callable[[], Sequence[Line]], parent: QObject) -> None:
        """Prepares to smooth.

        Args:
            weight: gives that of the past, 0 for none.
            lines: gives those on show that have noise.
            parent: keeps this alive.
        """
        super().__init__(parent)
        self._weight, self._lines = weight, lines
        self._background = Background(self)
        self._background.answered.connect(self._answered)
        self._questions: dict[int, tuple[Line, float]] = {}
        """Lines that are being smoothed, and how much."""

    def smooth_all(self) -> None:
        """Smooths all lines anew: the weight has changed."""
        self._background.forget()
        self._questions.clear()
        for line in self._lines():
            self.smooth(line)

    def smooth(self, line: Line) -> None:
        """Smooths one line."""
        weight, count = self._weight(), len(line.series)
        if not weight or count <= LONG:
            line.set_smoothing(weight)
        else:
            self._questions[self._background.ask(smooth, line.series.y.copy(), weight)] = (line, weight)

    def _answered(self, answer: Answer) -> None:
        line, weight = self._questions.pop(answer.id, (None, 0.0))
        if line is not None and line in self._lines() and answer.error is None:
            line.set_smoothing(weight, answer.result)

    def stop(self, wait_ms: int = 100) -> bool:
        """Smooths no more; returns whether the thread has ended."""
        return self._background.stop(wait_ms)
