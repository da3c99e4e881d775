"""What the curves say under the pointer: every line's value at one place of the x axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QMouseEvent
from PySide6.QtWidgets import QLabel

from explorer.ui.numbers import short_time
from explorer.ui.train.run_curves import METRICS, RunCurves

if TYPE_CHECKING:
    from explorer.ui.train.curves import Curves

_SHORT = {
    "step_loss": "loss",
    "train_loss": "training loss",
    "validation_loss": "validation loss",
    "train_accuracy": "training accuracy",
    "validation_accuracy": "validation accuracy",
    "validation_top5": "top-5 accuracy",
}
MOST_RUNS = 12
"""That are read at once."""


def reading(runs: list[RunCurves], x: float, colours: list[QColor]) -> str:
    """Returns the values of all curves at x as a table of rich text; nothing where there are none.

    A curve's value is that of its last point at or before x.
    """
    metrics = [metric for metric in METRICS if any(len(run.series[metric.name]) for run in runs)]
    columns = []
    for run in runs[:MOST_RUNS]:
        found = {metric.name: run.value(metric.name, x) for metric in metrics}
        columns.append({name: _written(name, value[1]) for name, value in found.items() if value is not None})
    if not metrics:
        return ""
    rows = [f'<tr><td colspan="{len(columns) + 1}"><b>{_where(runs[0], x)}</b></td></tr>']
    if len(columns) > 1:
        heads = "".join(f'<td align="right" style="color:{colour.name()}">●</td>' for colour in colours[:MOST_RUNS])
        rows.append(f"<tr><td></td>{heads}</tr>")
    for metric in metrics:
        cells = "".join(f'<td align="right">&nbsp;{column.get(metric.name, "–")}</td>' for column in columns)
        rows.append(f"<tr><td>{escape(_SHORT.get(metric.name, metric.title))}&nbsp;</td>{cells}</tr>")
    return f'<table cellspacing="1">{"".join(rows)}</table>'


def _where(run: RunCurves, x: float) -> str:
    if run.axis == "time":
        return short_time(x)
    step = round(x * run.steps_per_epoch) if run.axis == "epochs" else round(x)
    return f"step {step:,} · epoch {step / run.steps_per_epoch:.2f}"


def _written(name: str, value: float) -> str:
    if name.endswith(("accuracy", "top5")):
        return f"{value:.2f} %"
    return f"{value:,.0f}" if name == "speed" else f"{value:.4g}"


class Readout(QObject):
    """A line across all plots that follows the pointer, and a table beside it."""

    def __init__(self, curves: Curves, plots: Mapping[str, Any]) -> None:
        super().__init__(curves)
        self._curves, self._plots = curves, plots
        self.label = QLabel(curves)
        self.label.setTextFormat(Qt.TextFormat.RichText)
        self.label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.label.setObjectName("notice")
        self.label.hide()
        self._lines = {}
        for name, plot in plots.items():
            line = pg.InfiniteLine(angle=90, pen=pg.mkPen("#8a8f98", width=1))
            line.setVisible(False)
            plot.addItem(line, ignoreBounds=True)
            self._lines[name] = line
            plot.viewport().setMouseTracking(True)
            plot.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Leave:
            self.hide()
        elif event.type() == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
            for plot in self._plots.values():
                if plot.viewport() is watched:
                    self._follow(plot, event.position())
        return False

    def _follow(self, plot: Any, at: QPointF) -> None:
        box = plot.getViewBox()
        scene = plot.mapToScene(at.toPoint())
        if not box.sceneBoundingRect().contains(scene):
            self.hide()
            return
        x = float(box.mapSceneToView(scene).x())
        logarithmic = bool(box.state["logMode"][0])
        self.show_at(10**x if logarithmic else x, plot.viewport().mapTo(self._curves, at.toPoint()))

    def show_at(self, x: float, at: QPoint) -> None:
        """Reads all curves at x of the axis, and shows the table beside a point of the widget."""
        runs = self._curves.runs
        colours = [self._curves.colour_of(run.path) or QColor("#2f6fde") for run in runs]
        text = reading(runs, x, colours)
        if not text:
            self.hide()
            return
        for name, line in self._lines.items():
            logarithmic = bool(self._plots[name].getViewBox().state["logMode"][0])
            line.setPos(math.log10(max(x, 1e-12)) if logarithmic else x)
            line.setVisible(True)
        self.label.setText(text)
        self.label.adjustSize()
        size, room = self.label.size(), self._curves.size()
        left = at.x() + 18 if at.x() + 18 + size.width() <= room.width() else at.x() - 18 - size.width()
        top = min(max(at.y() - size.height() // 2, 0), max(room.height() - size.height(), 0))
        self.label.move(max(left, 0), top)
        self.label.show()
        self.label.raise_()

    def hide(self) -> None:
        """Shows nothing."""
        self.label.hide()
        for line in self._lines.values():
            line.setVisible(False)
