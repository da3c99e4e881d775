"""The line of one series in a plot: cheap to extend, and true to every spike however many points there are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QGraphicsPolygonItem, QStyleOptionGraphicsItem, QWidget

from explorer.ui.train.series import BLOCK, Series
from explorer.ui.train.smoothing import smooth

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DOT = 5
"""Diameter of a dot, in pixels."""
STAR = 8
"""Radius of a star, in pixels."""
POINTS_PER_COLUMN = 4
"""With more points than this to a column of pixels, each column shows the range of its points."""
FAINT = 70
"""Opacity, of 255, of a line behind its average."""
LEAST = 1e-30
"""What a logarithmic axis takes values of 0 and below for: they lie below its lower end."""


class Line(pg.GraphicsObject):  # type: ignore[misc]
    """Draws a series whose x never falls. Adding points repaints the strip that they take up and no more."""

    def __init__(self, series: Series, colour: QColor, dots: bool = False, dashed: bool = False) -> None:
        super().__init__()
        self.series, self.colour, self._dots, self._dashed = series, colour, dots, dashed
        self._logarithmic = (False, False)
        self._weight = 0.0
        self.average = Series()
        """The smoothed values; empty unless they are wanted."""
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    def set_smoothing(self, weight: float, known: object = None) -> None:
        """Draws the exponential moving average, and the series itself faintly behind it; 0 for the series alone.

        Args:
            weight: of the past.
            known: the average of the first points of the series, as an array, where that is worked out already.
        """
        import numpy as np

        self._weight = weight
        self.average.clear()
        self.average.reserve(2 * len(self.series) if weight else 0)
        if isinstance(known, np.ndarray) and len(known) <= len(self.series):
            places = slice(len(known))
            self.average.extend(self.series.x[places], known, self.series.steps[places])
        self._take_average(len(self.average))
        self.update()

    def set_colour(self, colour: QColor, dashed: bool) -> None:
        """Draws in another colour."""
        self.colour, self._dashed = colour, dashed
        self.update()

    def setLogMode(self, x: bool, y: bool) -> None:
        """Takes over which of the plot's axes are logarithmic; called by the plot."""
        self._logarithmic = (x, y)
        self.prepareGeometryChange()
        self.update()

    def move(self) -> None:
        """Takes over that the points of the series lie elsewhere now."""
        if self._weight:
            self.average.move(self.series.x[: len(self.average)])
        self.series.fresh = len(self.series)
        self.update()

    def show_new(self) -> None:
        """Has the points painted that came since the last call: those, and all to the right of them."""
        series, view = self.series, self.viewRect()
        if series.fresh < len(series):
            self._take_average(series.fresh)
            begin = view.left()
            if series.fresh:
                last = self._place(series.x[series.fresh - 1 : series.fresh], 0)
                begin = float(last[0]) - DOT * self.pixelWidth()
            self.update(QRectF(begin, view.top(), view.right() - begin, view.height()))
            series.fresh = len(series)

    def show_all(self) -> None:
        """Has all points painted."""
        self._take_average(min(self.series.fresh, len(self.average)))
        self.series.fresh = len(self.series)
        self.update()

    def _take_average(self, fresh: int) -> None:
        """Averages what has been added to the series from index `fresh` on."""
        series = self.series
        begin = min(fresh, len(self.average))
        if not self._weight or begin == len(series):
            return
        last = float(self.average.y[begin - 1]) if begin else 0.0
        values = smooth(series.y[begin:], self._weight, begin, last)
        self.average.extend(series.x[begin:], values, series.steps[begin:])

    def boundingRect(self) -> QRectF:
        return QRectF(self.viewRect())

    def viewTransformChanged(self) -> None:
        super().viewTransformChanged()
        self.prepareGeometryChange()

    def dataBounds(
        self,
        axis: int,
        frac: float = 1.0,
        orthoRange: tuple[float, float] | None = None,  # noqa: N803  # as the plot calls it
    ) -> tuple[float | None, float | None]:
        """Returns the range of the points along an axis, for the plot's "view all"."""
        if not len(self.series):
            return None, None
        values = self.series.y if axis else self.series.x
        if self._logarithmic[axis]:
            values = values[values > 0]
            if not len(values):
                return None, None
        placed = self._place(values, axis)
        return float(placed.min()), float(placed.max())

    def _place(self, values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        """Returns where values lie along an axis of the plot."""
        import numpy as np

        if not self._logarithmic[axis]:
            return values
        placed: NDArray[np.float64] = np.log10(np.maximum(values, LEAST))
        return placed

    def pixelPadding(self) -> float:
        """Returns how far dots reach beyond their points, in pixels."""
        return DOT / 2 if self._dots else 0.0

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        exposed = QRectF(option.exposedRect)
        if self._weight and len(self.average):
            faint = QColor(self.colour)
            faint.setAlpha(FAINT)
            painter.save()
            self._paint(painter, exposed, self.series, faint, False)
            painter.restore()
            strong = QColor(self.colour)
            strong.setAlpha(255)
            self._paint(painter, exposed, self.average, strong, self._dots)
        else:
            self._paint(painter, exposed, self.series, self.colour, self._dots)

    def _paint(self, painter: QPainter, exposed: QRectF, series: Series, colour: QColor, dots: bool) -> None:
        import numpy as np

        x, margin = series.x, DOT * self.pixelWidth()
        left, right = exposed.left() - margin, exposed.right() + margin
        if self._logarithmic[0]:
            left, right = 10 ** min(left, 300), 10 ** min(right, 300)
        begin = max(int(np.searchsorted(x, left)) - 1, 0)
        end = min(int(np.searchsorted(x, right, "right")) + 1, len(x))
        if end - begin < 1:
            return
        # The line is painted in pixels: its own transform differs by axis, which makes Qt's strokes slow.
        transform = painter.worldTransform()
        columns = max(abs(exposed.width() * transform.m11()), 1.0)
        xs, lows, highs = x[begin:end], series.y[begin:end], None
        if end - begin > 2 * BLOCK * columns:
            xs, lows, highs = series.blocks(begin, end)
        across = self._place(xs, 0) * transform.m11() + transform.dx()
        down = self._place(lows, 1) * transform.m22() + transform.dy()
        if highs is not None:
            up = self._place(highs, 1) * transform.m22() + transform.dy()
            across, down = envelope(across, down, up)
            rest = slice(begin + len(xs) * BLOCK - begin % BLOCK, end)  # after the last whole block
            tail = self._place(x[rest], 0) * transform.m11() + transform.dx()
            across = np.concatenate((across, np.maximum(tail, across[-1] if len(across) else 0)))
            down = np.concatenate((down, self._place(series.y[rest], 1) * transform.m22() + transform.dy()))
        elif len(across) > POINTS_PER_COLUMN * max(across[-1] - across[0], 1.0):
            across, down = envelope(across, down)
        down = np.clip(down, -1e6, 1e6)
        painter.resetTransform()
        style = Qt.PenStyle.DashLine if self._dashed and len(across) < 2000 else Qt.PenStyle.SolidLine
        painter.setPen(QPen(colour, 1, style))
        painter.drawPolyline(pg.functions.arrayToQPolygonF(across, down))
        if dots and len(across) * DOT <= 2 * max(across[-1] - across[0], 1000.0):
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(colour, DOT, c=Qt.PenCapStyle.RoundCap, s=Qt.PenStyle.SolidLine))
            painter.drawPoints([QPointF(*point) for point in zip(across.tolist(), down.tolist(), strict=True)])


class Star(QGraphicsPolygonItem):
    """Marks one point, as large at any zoom."""

    def __init__(self) -> None:
        radii = (STAR, 0.45 * STAR)
        turns = [(radii[place % 2], math.pi * place / 5) for place in range(10)]
        super().__init__(QPolygonF([QPointF(r * math.sin(turn), -r * math.cos(turn)) for r, turn in turns]))
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemIgnoresTransformations)
        self.setPen(QPen(QColor("#1b1d21"), 1))
        self.setZValue(10)


def envelope(
    across: NDArray[np.float64], down: NDArray[np.float64], up: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns two points for each column of pixels, its least and its greatest.

    Args:
        across: x in pixels, ascending.
        down: y in pixels, of the same length; where x stands for many points, one end of their range.
        up: the other end of their range.
    """
    import numpy as np

    columns = np.floor(across)
    begins = np.concatenate(([0], np.flatnonzero(np.diff(columns)) + 1))
    up = down if up is None else up
    low, high = np.minimum(down, up), np.maximum(down, up)
    ends = np.stack([np.minimum.reduceat(low, begins), np.maximum.reduceat(high, begins)], axis=1)
    return np.repeat(columns[begins] + 0.5, 2), ends.ravel()
