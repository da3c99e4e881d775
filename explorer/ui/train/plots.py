"""How the plots of training look: one style for all of them, in the colours of the palette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QPalette
from PySide6.QtWidgets import QGraphicsItem, QMenu, QWidget

SIDES = ("left", "bottom")
RIGHT = 12
"""Pixels beside a plot, for half of the label at the end of its x axis."""


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """A plot whose menu offers its actions alone: pyqtgraph's own would change what the owner knows nothing of."""

    def __init__(self, parent: QWidget, axes: dict[str, Any] | None = None) -> None:
        super().__init__(parent, enableMenu=False, axisItems=axes)
        self.scene().sigMouseClicked.connect(self._clicked)

    def _clicked(self, event: Any) -> None:
        """Opens the menu where the right button was not used to zoom."""
        if event.button() == Qt.MouseButton.RightButton:
            self._open_menu(event.screenPos().toPoint())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self._open_menu(self.mapToGlobal(self.rect().center()))

    def _open_menu(self, place: QPoint) -> None:
        if self.actions():
            menu = QMenu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.addActions(self.actions())
            menu.popup(place)


class Powers(pg.AxisItem):  # type: ignore[misc]
    """An axis of logarithms that names the powers of ten, 1e-3, and nothing between."""

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [f"1e{value:.0f}" if float(value).is_integer() else "" for value in values]


def make_plot(parent: QWidget, title: str, left: str, bottom: str, axes: dict[str, Any] | None = None) -> Any:
    """Returns an empty plot that is cheap to repaint and whose ranges are set by its owner.

    Args:
        parent: keeps it alive.
        title: for those who cannot see it.
        left: what y stands for.
        bottom: what x stands for.
        axes: axis items of the owner's own, by side.
    """
    plot = Plot(parent, axes)
    plot.setAccessibleName(title)
    plot.setLabel("left", left)
    plot.setLabel("bottom", bottom)
    plot.disableAutoRange()
    plot.getPlotItem().layout.setContentsMargins(1, 1, RIGHT, 1)
    plot.hideButtons()
    # Lines at the labelled values of y only: a full grid takes three quarters of the time of a repaint.
    plot.showGrid(x=False, y=True, alpha=0.2)
    for side in SIDES:
        plot.getAxis(side).enableAutoSIPrefix(False)
        plot.getAxis(side).setStyle(maxTickLevel=0)
        plot.getAxis(side).setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
    plot.getAxis("bottom").setStyle(hideOverlappingLabels=RIGHT)  # labels at the ends may reach so far beyond
    plot.setMinimumSize(120, 110)
    return plot


def colour_plot(plot: Any, palette: QPalette) -> None:
    """Takes background and text colours from a palette."""
    plot.setBackground(palette.color(QPalette.ColorRole.Base))
    for side in SIDES:
        plot.getAxis(side).setPen(palette.color(QPalette.ColorRole.Text))
        plot.getAxis(side).setTextPen(palette.color(QPalette.ColorRole.Text))
