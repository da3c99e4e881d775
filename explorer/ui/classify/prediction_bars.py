"""Classes and their probabilities as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

if TYPE_CHECKING:
    from explorer.inference.classifier import Prediction


def percent(probability: float) -> str:
    """Returns 0.9712 as `97.1 %`."""
    return f"{100 * probability:.1f} %"


def paint_bar(
    painter: QPainter, area: QRectF, share: float, palette: QPalette, *, on_highlight: bool = False, faint: bool = False
) -> None:
    """Paints a rounded bar that fills `share` (0–1) of the area, on a track of the whole width."""
    role = QPalette.ColorRole.HighlightedText if on_highlight else QPalette.ColorRole.Highlight
    fill = palette.color(role)
    track = QColor(fill if on_highlight else palette.color(QPalette.ColorRole.WindowText))
    track.setAlphaF(0.3 if on_highlight else 0.12)
    fill.setAlphaF(0.55 if faint else 1.0)
    radius = area.height() / 2
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(track)
    painter.drawRoundedRect(area, radius, radius)
    painter.setBrush(fill)
    # Never narrower than its own round ends: the smallest share stays a dot.
    painter.drawRoundedRect(area.adjusted(0, 0, (share - 1) * (area.width() - area.height()), 0), radius, radius)
    painter.restore()


class PredictionBars(QWidget):
    """The most probable classes of one image: name, probability and bar each."""

    ROWS = 5
    GAP = 14
    BAR = 9

    def __init__(self) -> None:
        super().__init__()
        self._predictions: tuple[Prediction, ...] = ()
        self.setAccessibleName("Most probable classes")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_predictions(self, predictions: tuple[Prediction, ...]) -> None:
        """Shows the predictions, in the order given."""
        self._predictions = predictions
        spoken = (f"{guess.label} {percent(guess.probability)}" for guess in predictions)
        self.setAccessibleDescription(", ".join(spoken))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(320, self.ROWS * self._row_height())

    def minimumSizeHint(self) -> QSize:
        return QSize(160, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        metrics = self.fontMetrics()
        for row, guess in enumerate(self._predictions):
            top = row * self._row_height()
            text = QRect(0, top, self.width(), metrics.height())
            chance = percent(guess.probability)
            painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
            painter.drawText(text, Qt.AlignmentFlag.AlignRight, chance)
            room = self.width() - metrics.horizontalAdvance(chance) - self.GAP
            painter.drawText(text, Qt.AlignmentFlag.AlignLeft, self._elided(guess.label, room))
            bar = QRectF(0, top + metrics.height() + 4, self.width(), self.BAR)
            paint_bar(painter, bar, guess.probability, self.palette(), faint=row > 0)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            row = event.pos().y() // self._row_height()
            if 0 <= row < len(self._predictions):
                guess = self._predictions[row]
                QToolTip.showText(event.globalPos(), f"{guess.label}: {100 * guess.probability:.4f} %", self)
                return True
        return super().event(event)

    def _row_height(self) -> int:
        return self.fontMetrics().height() + 4 + self.BAR + self.GAP

    def _elided(self, text: str, room: int) -> str:
        return self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)
