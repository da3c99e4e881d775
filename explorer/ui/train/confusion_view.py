"""A confusion matrix of any size: numbers where there is room for them, an image of colours where there is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QToolTip, QWidget

if TYPE_CHECKING:
    from explorer.training.analysis import Analysis

RIGHT, WRONG = QColor("#2f6fde"), QColor("#e07b00")
"""Colours of the diagonal and of all else."""
LEAST_CELL, MOST_CELL, NUMBERS_FROM = 2, 96, 22
"""Pixels: sides of a cell, and the least width in which a number can be read."""
_STEP = 1.25
_LONGEST_NAME = 120


def tints(analysis: Analysis, base: QColor) -> QImage:
    """Returns one pixel a cell: right or wrong by colour, its share of the row by strength.

    The root of the share is shown: one image in a hundred is a tenth of the strength, and can still be seen.
    """
    import numpy as np

    counts = np.array(analysis.confusion, dtype=np.float64)
    shares = np.sqrt(counts / np.maximum(counts.sum(1, keepdims=True), 1))[..., None]
    on_diagonal = np.eye(len(counts), dtype=bool)[..., None]
    colours = np.where(on_diagonal, _bgra(RIGHT), _bgra(WRONG))
    mixed = np.ascontiguousarray((_bgra(base) * (1 - shares) + colours * shares).round().astype(np.uint8))
    size = len(counts)
    return QImage(mixed.data, size, size, 4 * size, QImage.Format.Format_RGB32).copy()


def _bgra(colour: QColor) -> tuple[float, ...]:
    return float(colour.blue()), float(colour.green()), float(colour.red()), 255.0


class ConfusionView(QAbstractScrollArea):
    """Rows are classes, columns what they were taken for. Click or Return on a cell asks for its images."""

    chosen = Signal(int, int)
    """Class and prediction of a cell."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Confusion matrix")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setMouseTracking(True)
        self.setMinimumSize(260, 220)
        self._analysis: Analysis | None = None
        self._image = QImage()
        self._side = 0
        """Of a cell, in pixels; 0 until the user zooms: as large as fits."""
        self.current = (0, 0)
        """Row and column of the cell that has the keyboard."""

    def show_analysis(self, analysis: Analysis | None) -> None:
        """Shows another matrix, or none."""
        same = self._analysis is not None and analysis is not None and self._analysis.classes == analysis.classes
        self._analysis = analysis
        if not same:
            self.current, self._side = (0, 0), 0
        self._colour()
        self._place_bars()

    # -- geometry --------------------------------------------------------------------------------------------------

    @property
    def side(self) -> int:
        """Width and height of a cell, in pixels."""
        if self._side or self._analysis is None:
            return self._side
        room = min(self.viewport().width() - self._head, self.viewport().height() - self._top)
        fitting = room // max(len(self._analysis.classes), 1)
        return max(LEAST_CELL, min(fitting, 56))

    @property
    def _head(self) -> int:
        """Width of the classes' names at the left."""
        names = self._analysis.classes if self._analysis is not None else ()
        widest = max((self.fontMetrics().horizontalAdvance(name[:40]) for name in names[:200]), default=0)
        return min(widest, _LONGEST_NAME) + 14 + self.fontMetrics().height()

    @property
    def _top(self) -> int:
        """Height of the predictions' names; they stand upright where the columns are narrow."""
        return self._head if self._upright else 2 * self.fontMetrics().height() + 12

    @property
    def _upright(self) -> bool:
        names = self._analysis.classes if self._analysis is not None else ()
        widest = max((self.fontMetrics().horizontalAdvance(name[:40]) for name in names[:200]), default=0)
        wide = self._side or (self.viewport().width() - self._head) // max(len(names), 1)
        return min(widest, _LONGEST_NAME) + 6 > min(wide, 56 if not self._side else MOST_CELL)

    def cell_at(self, at: QPoint) -> tuple[int, int] | None:
        """Returns row and column at a point of the viewport."""
        if self._analysis is None or at.x() < self._head or at.y() < self._top:
            return None
        column = (at.x() - self._head + self.horizontalScrollBar().value()) // self.side
        row = (at.y() - self._top + self.verticalScrollBar().value()) // self.side
        count = len(self._analysis.classes)
        return (row, column) if row < count and column < count else None

    def cell_rect(self, row: int, column: int) -> QRect:
        """Returns a cell's place in the viewport."""
        x = self._head + column * self.side - self.horizontalScrollBar().value()
        y = self._top + row * self.side - self.verticalScrollBar().value()
        return QRect(x, y, self.side, self.side)

    def _place_bars(self) -> None:
        count = len(self._analysis.classes) if self._analysis is not None else 0
        for bar, room in (
            (self.horizontalScrollBar(), self.viewport().width() - self._head),
            (self.verticalScrollBar(), self.viewport().height() - self._top),
        ):
            bar.setRange(0, max(count * self.side - room, 0))
            bar.setPageStep(max(room, 1))
            bar.setSingleStep(self.side)
        self.viewport().update()

    def zoom(self, factor: float) -> None:
        """Makes the cells larger or smaller around the current one."""
        before = self.side
        side = round(before * factor)
        side = max(LEAST_CELL, min(MOST_CELL, side + (side == before) * (1 if factor > 1 else -1)))
        row, column = self.current
        bars = ((self.horizontalScrollBar(), column), (self.verticalScrollBar(), row))
        offsets = [place * before - bar.value() for bar, place in bars]
        self._side = side
        self._place_bars()
        for (bar, place), offset in zip(bars, offsets, strict=True):
            bar.setValue(place * side - offset)
        self.viewport().update()

    def zoom_in(self) -> None:
        self.zoom(_STEP)

    def zoom_out(self) -> None:
        self.zoom(1 / _STEP)

    def fit(self) -> None:
        """Shows the whole matrix, as far as it can be told apart."""
        self._side = 0
        self._place_bars()

    def make_current(self, row: int, column: int) -> None:
        """Moves the keyboard's cell and scrolls to it."""
        if self._analysis is None:
            return
        last = len(self._analysis.classes) - 1
        self.current = (max(0, min(row, last)), max(0, min(column, last)))
        rect = self.cell_rect(*self.current)
        for bar, begin, end, low, high in (
            (self.horizontalScrollBar(), rect.left(), rect.right(), self._head, self.viewport().width()),
            (self.verticalScrollBar(), rect.top(), rect.bottom(), self._top, self.viewport().height()),
        ):
            bar.setValue(bar.value() + min(begin - low, 0) + max(end - high + 1, 0))
        self.setAccessibleDescription(self.describe(*self.current))
        self.viewport().update()

    def describe(self, row: int, column: int) -> str:
        """Returns a cell in words."""
        if self._analysis is None:
            return ""
        classes, count = self._analysis.classes, self._analysis.confusion[row][column]
        total = sum(self._analysis.confusion[row])
        share = f" ({100 * count / total:.1f} %)" if total else ""
        what = "told right" if row == column else f"taken for {classes[column]}"
        return f"{classes[row]}: {count:,} of {total:,}{share} {what}"

    # -- painting --------------------------------------------------------------------------------------------------

    def _colour(self) -> None:
        base = self.palette().color(QPalette.ColorRole.Base)
        self._image = tints(self._analysis, base) if self._analysis is not None else QImage()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self._colour()
            self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(self.viewport().rect(), self.palette().color(QPalette.ColorRole.Base))
        if self._analysis is None:
            return
        side, head, top, count = self.side, self._head, self._top, len(self._analysis.classes)
        area = self.viewport().rect().adjusted(head, top, 0, 0)
        first_column, first_row = self.horizontalScrollBar().value() // side, self.verticalScrollBar().value() // side
        rows = range(first_row, min(count, first_row + area.height() // side + 2))
        columns = range(first_column, min(count, first_column + area.width() // side + 2))
        painter.setClipRect(area)
        corner = self.cell_rect(first_row, first_column).topLeft()
        source = QRect(first_column, first_row, len(columns), len(rows))
        painter.drawImage(QRect(corner, source.size() * side), self._image, source)
        if side >= NUMBERS_FROM:
            self._paint_numbers(painter, rows, columns)
        self._paint_current(painter)
        self._paint_names(painter, rows, columns)

    def _paint_numbers(self, painter: QPainter, rows: range, columns: range) -> None:
        assert self._analysis is not None
        widest = max(map(max, self._analysis.confusion))
        font = painter.font()
        while painter.fontMetrics().horizontalAdvance(f"{widest}") > self.side - 4 and font.pointSizeF() > 6:
            font.setPointSizeF(font.pointSizeF() - 0.5)
            painter.setFont(font)
        if painter.fontMetrics().horizontalAdvance(f"{widest}") > self.side:
            return
        for row in rows:
            counts = self._analysis.confusion[row]
            for column in columns:
                if counts[column]:
                    dark = self._image.pixelColor(column, row).lightnessF() < 0.6
                    painter.setPen(QColor("#ffffff") if dark else QColor("#1b1d21"))
                    painter.drawText(self.cell_rect(row, column), Qt.AlignmentFlag.AlignCenter, str(counts[column]))

    def _paint_current(self, painter: QPainter) -> None:
        if self.hasFocus():
            painter.setPen(self.palette().color(QPalette.ColorRole.Text))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.cell_rect(*self.current).adjusted(0, 0, -1, -1))

    def _paint_names(self, painter: QPainter, rows: range, columns: range) -> None:
        """Paints as many names as there is room for."""
        assert self._analysis is not None
        side, line, head, top = self.side, self.fontMetrics().height(), self._head, self._top
        text, muted = (
            self.palette().color(role) for role in (QPalette.ColorRole.Text, QPalette.ColorRole.PlaceholderText)
        )
        every = -(-line // side)
        painter.setFont(self.font())
        painter.setPen(muted)
        painter.setClipRect(self.viewport().rect())
        painter.drawText(QRect(head, 0, self.viewport().width() - head, line), Qt.AlignmentFlag.AlignLeft, "taken for")
        painter.save()
        painter.translate(0, self.viewport().height())
        painter.rotate(-90)
        painter.drawText(QRect(0, 0, self.viewport().height() - top, line), Qt.AlignmentFlag.AlignRight, "class")
        painter.restore()
        painter.setPen(text)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.setClipRect(QRect(0, top, head, self.viewport().height()))
        for row in rows:
            if row % every == 0:
                rect = self.cell_rect(row, 0)
                place = QRect(line + 2, rect.center().y() - line // 2, head - line - 8, line)
                painter.drawText(place, right, self._elided(row, place.width()))
        painter.setClipRect(QRect(head, 0, self.viewport().width(), top))
        for column in columns:
            if column % every == 0:
                rect = self.cell_rect(0, column)
                if self._upright:
                    painter.save()
                    painter.translate(rect.center().x() - line // 2, top - 4)
                    painter.rotate(-90)
                    place = QRect(0, 0, top - line - 8, line)
                    painter.drawText(place, Qt.AlignmentFlag.AlignLeft, self._elided(column, place.width()))
                    painter.restore()
                else:
                    place = QRect(rect.left(), line, side, top - line)
                    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, self._elided(column, side))

    def _elided(self, place: int, room: int) -> str:
        assert self._analysis is not None
        return self.fontMetrics().elidedText(self._analysis.classes[place], Qt.TextElideMode.ElideRight, room)

    # -- mouse and keyboard ----------------------------------------------------------------------------------------

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            cell = self.cell_at(event.pos())
            QToolTip.showText(event.globalPos(), self.describe(*cell) if cell else "", self)
            return True
        return super().viewportEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        cell = self.cell_at(event.position().toPoint())
        if cell is not None and event.button() == Qt.MouseButton.LeftButton:
            self.make_current(*cell)
            self.chosen.emit(*cell)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(_STEP ** (event.angleDelta().y() / 120))
            event.accept()
        else:
            super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row, column = self.current
        last = len(self._analysis.classes) - 1 if self._analysis is not None else 0
        moves = {
            Qt.Key.Key_Up: (row - 1, column),
            Qt.Key.Key_Down: (row + 1, column),
            Qt.Key.Key_Left: (row, column - 1),
            Qt.Key.Key_Right: (row, column + 1),
            Qt.Key.Key_Home: (row, 0),
            Qt.Key.Key_End: (row, last),
        }
        key = Qt.Key(event.key())
        if key in moves:
            self.make_current(*moves[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and self._analysis is not None:
            self.chosen.emit(row, column)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom_in()
        elif key == Qt.Key.Key_Minus:
            self.zoom_out()
        elif key == Qt.Key.Key_F:
            self.fit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_bars()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(520, 520)
