"""The update ratios of some layers over the steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QAction, QColor
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from explorer.ui.train.curve_legend import RUN_COLOURS
from explorer.ui.train.layer_history import LayerHistory
from explorer.ui.train.layer_table import EXPLANATION, TOO_LARGE, TOO_SMALL
from explorer.ui.train.plots import Powers, colour_plot, make_plot

LONGEST_NAME = 40
_GUIDES = ((TOO_LARGE, "#e07b00"), (1e-3, "#3a9d5d"), (TOO_SMALL, "#2f6fde"))
"""Ratios that are marked, and their colours in the table."""
_LOW, _HIGH = math.log10(TOO_SMALL), math.log10(TOO_LARGE)


class RatioPlot(QWidget):
    """A line for each layer, under their names."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.legend = QLabel(self)
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        axis = Powers("left")
        axis.setLogMode(False, True)
        self.plot = make_plot(self, "Update ratio over the steps", "update ratio", "step", {"left": axis})
        self.plot.setToolTip(EXPLANATION)
        for ratio, colour in _GUIDES:
            pen = pg.mkPen(colour, width=1, style=Qt.PenStyle.DashLine)
            self.plot.addItem(pg.InfiniteLine(math.log10(ratio), angle=0, pen=pen), ignoreBounds=True)
        self._lines = [pg.PlotCurveItem(pen=pg.mkPen(colour), connect="finite") for colour in RUN_COLOURS]
        for line in self._lines:
            self.plot.addItem(line)
        show_all = QAction("Show all", self)
        show_all.triggered.connect(self._show_all)
        self.plot.addAction(show_all)
        self._range = (0.0, 0.0, 0.0)
        """End of the x axis, and both ends of the y axis."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.legend)
        column.addWidget(self.plot, 1)
        colour_plot(self.plot, self.palette())

    def show_layers(self, history: LayerHistory, names: Sequence[str]) -> None:
        """Draws the layers of these names that have ratios; of more than there are colours for, the first ones."""
        import numpy as np

        known = [name for name in names if name in history.names]
        drawn = known[: len(self._lines)]
        low, high = _LOW, _HIGH  # the orders of magnitude that matter are always there; others widen the view
        for place, line in enumerate(self._lines):
            if place >= len(drawn):
                line.setData([], [])
                continue
            steps, ratios = history.course(drawn[place])
            heights = np.full(len(ratios), np.nan)
            np.log10(ratios, out=heights, where=ratios > 0)  # a layer that does not move has no place here
            line.setData(np.array(steps, dtype=np.float64), heights)
            if (ratios > 0).any():
                low, high = min(low, float(np.nanmin(heights))), max(high, float(np.nanmax(heights)))
        self._show_range(max(history.step, 1), low, high)
        entries = [*map(_entry, drawn, RUN_COLOURS)]
        if len(known) > len(drawn):
            entries.append(f"and {len(known) - len(drawn):,} more")
        self.legend.setText(" &nbsp; ".join(entries) or "Select layers with parameters to see their update ratio.")

    def _show_range(self, step: int, low: float, high: float) -> None:
        """Moves the ends of the axes where they have to be: painting those takes longer than painting the lines."""
        end, *heights = self._range
        if not end / 2 < step <= end:
            end = 1.25 * step
            self.plot.setXRange(0, end, padding=0.02)
        if [low, high] != heights:
            self.plot.setYRange(low, high, padding=0.05)
        self._range = (end, low, high)

    def _show_all(self) -> None:
        """Undoes zooming and moving."""
        end, low, high = self._range
        self.plot.setXRange(0, end, padding=0.02)
        self.plot.setYRange(low, high, padding=0.05)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange) and hasattr(self, "_lines"):
            colour_plot(self.plot, self.palette())


def _entry(name: str, colour: QColor) -> str:
    short = name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"
    return f'<span style="color:{colour.name()}">—&nbsp;{escape(short)}</span>'
