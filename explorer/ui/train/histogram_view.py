"""A histogram that can be read: its ends, its greatest count, and under the pointer the numbers of one bin."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QToolTip, QWidget

from explorer.training.events import Histogram

_HALF = math.log10(0.5)
"""Where the bars stand on a logarithmic axis, so that one of a single count can be seen."""
_SPACE = 4


class HistogramView(QWidget):
    """Bars of counts, which may lie on a logarithmic axis so that the few are seen beside the many."""

    def __init__(self, name: str, colour: QColor, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._colour = colour
        self._histogram: Histogram | None = None
        self._logarithmic = False
        self.setMinimumSize(120, 90)

    def sizeHint(self) -> QSize:
        return QSize(220, 180)

    def show_histogram(self, histogram: Histogram | None) -> None:
        """Shows a histogram, or an empty frame."""
        self._histogram = histogram
        self.update()

    def set_logarithmic(self, wanted: bool) -> None:
        """Has the heights stand for logarithms of counts."""
        self._logarithmic = wanted
        self.update()

    # -- geometry --------------------------------------------------------------------------------------------------

    @property
    def _area(self) -> QRectF:
        """Where the bars are: above the ends of the range, beside the counts."""
        metrics = self.fontMetrics()
        left = max((metrics.horizontalAdvance(text) for _, text in self._marks()), default=0) + 2 * _SPACE
        line = metrics.height()
        return QRectF(self.rect()).adjusted(left, line / 2 + _SPACE, -2 * _SPACE, -line - 2 * _SPACE)

    def _height(self, count: float) -> float:
        """Returns how high a count stands, of 1."""
        most = max(self._histogram.counts) if self._histogram is not None else 0
        if not count or not most:
            return 0.0
        if self._logarithmic:
            return (math.log10(count) - _HALF) / (math.log10(most) - _HALF)
        return count / most

    def _marks(self) -> list[tuple[float, str]]:
        """Returns the counts that are named at the side, and their names."""
        most = max(self._histogram.counts) if self._histogram is not None else 0
        if not most:
            return []
        if self._logarithmic:
            powers = int(math.log10(most)) + 1
            return [(10.0**power, f"1e{power}") for power in range(0, powers, -(-powers // 5))]
        return [(0.0, "0"), (float(most), f"{most:,}")]

    def bin_at(self, at: QPoint) -> int | None:
        """Returns the bin under a point; None beside all of them."""
        area = self._area
        if self._histogram is None or not area.left() <= at.x() < area.right():
            return None
        return int((at.x() - area.left()) / area.width() * len(self._histogram.counts))

    # -- painting --------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        palette = self.palette()
        painter.fillRect(self.rect(), palette.color(QPalette.ColorRole.Base))
        histogram, area = self._histogram, self._area
        if histogram is None:
            return
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        line = self.fontMetrics().height()
        for count, text in self._marks():
            y = area.bottom() - area.height() * self._height(count)
            beside = QRectF(0, y - line / 2, area.left() - _SPACE, line)
            painter.drawText(beside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        below = QRectF(area.left(), area.bottom() + _SPACE, area.width(), line)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, f"{histogram.low:.3g}")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"{histogram.high:.3g}")
        self._paint_zero(painter, area, below)
        wide = area.width() / len(histogram.counts)
        for place, count in enumerate(histogram.counts):
            tall = area.height() * self._height(count)
            painter.fillRect(QRectF(area.left() + place * wide, area.bottom() - tall, wide, tall), self._colour)
        painter.setPen(palette.color(QPalette.ColorRole.Mid))
        painter.drawLine(area.bottomLeft(), area.bottomRight())

    def _paint_zero(self, painter: QPainter, area: QRectF, below: QRectF) -> None:
        """Marks 0 where it is well within the range."""
        assert self._histogram is not None
        low, high = self._histogram.low, self._histogram.high
        x = area.left() + area.width() * -low / (high - low)
        if low < 0 < high:
            painter.save()
            painter.setPen(self.palette().color(QPalette.ColorRole.Mid))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.restore()
            room = self.fontMetrics().horizontalAdvance("-0.00e-00")
            if area.left() + room < x < area.right() - room:
                painter.drawText(QRectF(x - 20, below.top(), 40, below.height()), Qt.AlignmentFlag.AlignHCenter, "0")

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            place = self.bin_at(event.pos())
            QToolTip.showText(event.globalPos(), "" if place is None else self.describe(place), self)
            return True
        return super().event(event)

    def describe(self, place: int) -> str:
        """Returns one bin in words."""
        histogram = self._histogram
        if histogram is None:
            return ""
        wide = (histogram.high - histogram.low) / len(histogram.counts)
        begin, count = histogram.low + place * wide, histogram.counts[place]
        return f"{begin:.4g} to {begin + wide:.4g}: {count:,} ({100 * count / max(histogram.total, 1):.2f} %)"
