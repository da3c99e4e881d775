"""The line of one series in a plot: cheap to extend, and true to every spike however many points there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from explorer.ui.train.series import Series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DOT = 5
"""Diameter of a dot, in pixels."""
POINTS_PER_COLUMN = 4
"""With more points than this to a column of pixels, each column shows the range of its points."""


class Line(pg.GraphicsObject):  # type: ignore[misc]
    """Draws a series whose x never falls. Adding points repaints the strip that they take up and no more."""

    def __init__(self, series: Series, colour: QColor, dots: bool = False) -> None:
        super().__init__()
        self.series, self._colour, self._dots = series, colour, dots
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    def show_new(self) -> None:
        """Has the points painted that came since the last call: those, and all to the right of them."""
        series, view = self.series, self.viewRect()
        if series.fresh < len(series):
            begin = series.x[series.fresh - 1] - DOT * self.pixelWidth() if series.fresh else view.left()
            self.update(QRectF(begin, view.top(), view.right() - begin, view.height()))
            series.fresh = len(series)

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
        values = self.series.y if axis else self.series.x
        return (float(values.min()), float(values.max())) if len(values) else (None, None)

    def pixelPadding(self) -> float:
        """Returns how far dots reach beyond their points, in pixels."""
        return DOT / 2 if self._dots else 0.0

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        import numpy as np

        x, y = self.series.x, self.series.y
        exposed, margin = option.exposedRect, DOT * self.pixelWidth()
        begin = max(int(np.searchsorted(x, exposed.left() - margin)) - 1, 0)
        end = int(np.searchsorted(x, exposed.right() + margin, "right")) + 1
        if end - begin < 1 or not len(x):
            return
        # The line is painted in pixels: its own transform differs by axis, which makes Qt's strokes slow.
        transform = painter.worldTransform()
        across = x[begin:end] * transform.m11() + transform.dx()
        down = y[begin:end] * transform.m22() + transform.dy()
        painter.resetTransform()
        if len(across) > POINTS_PER_COLUMN * max(across[-1] - across[0], 1.0):
            across, down = envelope(across, down)
        painter.setPen(QPen(self._colour, 1))
        painter.drawPolyline(pg.functions.arrayToQPolygonF(across, down))
        if self._dots and len(across) * DOT <= 2 * max(across[-1] - across[0], 1000.0):
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._colour, DOT, c=Qt.PenCapStyle.RoundCap, s=Qt.PenStyle.SolidLine))
            painter.drawPoints([QPointF(px, py) for px, py in zip(across.tolist(), down.tolist(), strict=True)])


def envelope(across: NDArray[np.float64], down: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns two points for each column of pixels, its least and its greatest.

    Args:
        across: x in pixels, ascending.
        down: y in pixels, of the same length.
    """
    import numpy as np

    columns = np.floor(across)
    begins = np.concatenate(([0], np.flatnonzero(np.diff(columns)) + 1))
    ends = np.stack([np.minimum.reduceat(down, begins), np.maximum.reduceat(down, begins)], axis=1)
    return np.repeat(columns[begins] + 0.5, 2), ends.ravel()
