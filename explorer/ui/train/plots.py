"""How the plots of training look: one style for all of them, in the colours of the palette."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QGraphicsItem, QWidget

SIDES = ("left", "bottom")


def make_plot(parent: QWidget, title: str, left: str, bottom: str, axes: dict[str, Any] | None = None) -> Any:
    """Returns an empty plot that is cheap to repaint and whose ranges are set by its owner.

    Args:
        parent: keeps it alive.
        title: for those who cannot see it.
        left: what y stands for.
        bottom: what x stands for.
        axes: axis items of the owner's own, by side.
    """
    plot = pg.PlotWidget(parent, axisItems=axes)
    plot.setAccessibleName(title)
    plot.setLabel("left", left)
    plot.setLabel("bottom", bottom)
    plot.disableAutoRange()
    plot.hideButtons()
    # Lines at the labelled values of y only: a full grid takes three quarters of the time of a repaint.
    plot.showGrid(x=False, y=True, alpha=0.2)
    for side in SIDES:
        plot.getAxis(side).enableAutoSIPrefix(False)
        plot.getAxis(side).setStyle(maxTickLevel=0)
        plot.getAxis(side).setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
    plot.setMinimumSize(120, 110)
    return plot


def colour_plot(plot: Any, palette: QPalette) -> None:
    """Takes background and text colours from a palette."""
    plot.setBackground(palette.color(QPalette.ColorRole.Base))
    for side in SIDES:
        plot.getAxis(side).setPen(palette.color(QPalette.ColorRole.Text))
        plot.getAxis(side).setTextPen(palette.color(QPalette.ColorRole.Text))
