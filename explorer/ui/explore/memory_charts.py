"""Two small pictures of memory: a bar divided into parts, and what lives along the layers."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from explorer.inspection.anatomy import Anatomy
from explorer.inspection.memory import InferenceMemory
from explorer.ui.numbers import short_bytes

COLOURS = {
    "parameters": "#4e79a7",
    "buffers": "#9c755f",
    "optimiser": "#76b7b2",
    "input": "#bab0ac",
    "weight_copies": "#b07aa1",
    "activations": "#f28e2b",
    "gradients": "#59a14f",
    "temporaries": "#e15759",
}
"""Of the parts of a step's memory; they stand out on light and dark alike."""


class PartsBar(QWidget):
    """One bar, divided in proportion."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._parts: Sequence[tuple[str, int]] = ()
        self.setFixedHeight(22)
        self.setAccessibleName("Parts of the memory at the peak")

    def show_parts(self, parts: Sequence[tuple[str, int]]) -> None:
        """Shows parts by their names in `COLOURS`, with their bytes; none leaves the bar empty."""
        self._parts = parts
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Midlight))
        total, x = sum(size for _, size in self._parts), 0.0
        for name, size in self._parts:
            width = self.width() * size / total if total else 0.0
            painter.fillRect(QRectF(x, 0, width, self.height()), QColor(COLOURS[name]))
            x += width


class LiveChart(QWidget):
    """Bytes that live while each layer works, in the order of execution."""

    picked = Signal(int)
    """Index of the layer that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._anatomy: Anatomy | None = None
        self._live: tuple[int, ...] = ()
        self._peak = -1
        self.setMinimumHeight(90)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Memory that lives along the layers")
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_memory(self, anatomy: Anatomy | None, memory: InferenceMemory | None) -> None:
        """Shows the memory of one network's pass, or nothing."""
        self._anatomy = anatomy
        executed = sum(layer.executed for layer in anatomy.layers) if anatomy else 0
        self._live = memory.live[:executed] if memory else ()
        self._peak = memory.peak_layer if memory else -1
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(420, 120)

    def layer_at(self, x: float) -> int:
        """Returns the index of the layer drawn at a distance from the left edge, in pixels; -1 where none is shown."""
        count = len(self._live)
        return min(max(int(x * count / max(self.width(), 1)), 0), count - 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        palette = self.palette()
        painter.fillRect(self.rect(), palette.color(QPalette.ColorRole.Base))
        if not self._live:
            return
        step, height = self.width() / len(self._live), self.height() - 4
        scale = height / max(*self._live, 1)
        outline = QPolygonF([QPointF(0, self.height())])
        for index, size in enumerate(self._live):
            y = self.height() - size * scale
            outline.append(QPointF(index * step, y))
            outline.append(QPointF((index + 1) * step, y))
        outline.append(QPointF(self.width(), self.height()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(COLOURS["activations"]))
        painter.drawPolygon(outline)
        peak = QRectF(self._peak * step, 0, max(step, 3), self.height())
        painter.fillRect(peak, QColor(COLOURS["temporaries"]))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and self._anatomy is not None and self._live:
            index = self.layer_at(event.pos().x())
            QToolTip.showText(
                event.globalPos(), f"{self._anatomy.layers[index].name}\n{short_bytes(self._live[index])}"
            )
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._live:
            self.picked.emit(self.layer_at(event.position().x()))
