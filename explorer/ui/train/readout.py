"""What the curves say at one place of the x axis, which the pointer or the keys choose: every line's value there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent
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

    A curve's value is that of its last point at or before x; a run that has ended before x has none.
    """
    metrics = [metric for metric in METRICS if any(len(run.series[metric.name]) for run in runs)]
    columns = []
    for run in runs[:MOST_RUNS]:
        found = {metric.name: run.value(metric.name, x) if x <= run.last else None for metric in metrics}
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


FAST = 20
"""Columns of pixels that a key moves by with the shift key held."""
ZOOM = 2.0
"""What + and - change the length of the visible part by."""


class Readout(QObject):
    """A line across all plots that follows the pointer, and a table beside it.

    In the plot that has the focus, the arrow keys, Home and End move the line, + and - zoom about it, Escape hides it.
    """

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
            plot.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            plot.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Leave, QEvent.Type.FocusOut):
            self.hide()
        elif event.type() == QEvent.Type.FocusIn and isinstance(event, QFocusEvent):
            if event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason):
                self._read(watched, self._place(watched))
        elif event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return watched in self._plots.values() and self._press(watched, event)
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

    def _place(self, plot: Any) -> float:
        """Returns where the line is in a plot's own coordinates; at the right end where it is not to be seen."""
        left, right = plot.getViewBox().viewRange()[0]
        line = next(line for name, line in self._lines.items() if self._plots[name] is plot)
        return min(max(float(line.value()), left), right) if line.isVisible() else float(right)

    def _read(self, plot: Any, place: float) -> None:
        """Reads at a place of a plot's own coordinates, beside its middle."""
        box = plot.getViewBox()
        logarithmic = bool(box.state["logMode"][0])
        scene = box.mapViewToScene(QPointF(place, sum(box.viewRange()[1]) / 2))
        point = plot.viewport().mapTo(self._curves, plot.mapFromScene(scene))
        self.show_at(10**place if logarithmic else place, point)

    def _press(self, plot: Any, event: QKeyEvent) -> bool:
        """Takes a key; returns whether it means anything here."""
        key, box, place = event.key(), plot.getViewBox(), self._place(plot)
        left, right = box.viewRange()[0]
        step = (right - left) / max(box.width(), 1)
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            step *= FAST
        moved = {
            Qt.Key.Key_Left: place - step,
            Qt.Key.Key_Right: place + step,
            Qt.Key.Key_Home: left,
            Qt.Key.Key_End: right,
        }
        if key in moved:
            self._read(plot, min(max(moved[Qt.Key(key)], left), right))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            factor = ZOOM if key == Qt.Key.Key_Minus else 1 / ZOOM
            box.setXRange(place - (place - left) * factor, place + (right - place) * factor, padding=0)
            box.sigRangeChangedManually.emit([True, False])
            self._read(plot, place)
        elif key == Qt.Key.Key_Escape and not self.label.isHidden():
            self.hide()
        else:
            return False
        return True

    def show_at(self, x: float, at: QPoint) -> None:
        """Reads all curves at x of the axis, and shows the table beside a point of the widget."""
        runs = self._curves.runs
        x = min(max(x, 0.0), max(run.last for run in runs))  # where something lies
        colours = [self._curves.colour_of(run.path) or QColor("#2f6fde") for run in runs]
        text = reading(runs, x, colours)
        if not text:
            self.hide()
            return
        self._repaint()
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

    def _repaint(self) -> None:
        """Has the plots painted where the lines are now.

        Where the table moves over a plot, Qt paints that before it takes down from where its line has moved, and would
        leave the line there.
        """
        for name, line in self._lines.items():
            if line.isVisible():
                plot = self._plots[name]
                strip = plot.mapFromScene(line.sceneBoundingRect()).boundingRect()
                plot.viewport().update(strip.adjusted(-1, 0, 1, 0))

    def hide(self) -> None:
        """Shows nothing."""
        self._repaint()
        self.label.hide()
        for line in self._lines.values():
            line.setVisible(False)
