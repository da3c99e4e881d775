"""Live curves of a run: loss, accuracy and speed over its epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QGridLayout, QWidget

from explorer.training.events import Epoch, Event, Started, Steps
from explorer.ui.train.series import Series

TRAIN, VALIDATION, SPEED = QColor("#2f6fde"), QColor("#e07b00"), QColor("#3a9d5d")


@dataclass(slots=True)
class _Line:
    """A series and the curve that draws it."""

    curve: Any
    series: Series
    fresh: bool = False


class Curves(QWidget):
    """Three plots over the epochs of a run. Events go in, `draw` shows them: one update for many events."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.loss = self._plot("Loss", "loss (nats)")
        self.accuracy = self._plot("Accuracy", "accuracy (%)")
        self.speed = self._plot("Speed", "images/s")
        self.accuracy.setLimits(yMin=-2, yMax=102)
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.loss, 0, 0, 1, 2)
        layout.addWidget(self.accuracy, 1, 0)
        layout.addWidget(self.speed, 1, 1)
        layout.setRowStretch(0, 1)
        layout.setRowStretch(1, 1)
        self._lines = {
            "step_loss": self._line(self.loss, "each step", TRAIN, alpha=90),
            "train_loss": self._line(self.loss, "training", TRAIN, dots=True),
            "validation_loss": self._line(self.loss, "validation", VALIDATION, dots=True),
            "train_accuracy": self._line(self.accuracy, "training", TRAIN, dots=True),
            "validation_accuracy": self._line(self.accuracy, "validation", VALIDATION, dots=True),
            "speed": self._line(self.speed, "", SPEED),
        }
        self._steps_per_epoch = 1
        self._frames = 0
        self._colour()

    def _plot(self, title: str, unit: str) -> Any:
        plot = pg.PlotWidget(self)
        plot.setAccessibleName(title)
        plot.setLabel("left", unit)
        plot.setLabel("bottom", "epoch")
        plot.setMouseEnabled(x=True, y=True)
        # Lines at the labelled values of y only: a full grid takes three quarters of the time of a repaint.
        plot.showGrid(x=False, y=True, alpha=0.2)
        plot.getAxis("left").setStyle(maxTickLevel=0)
        for side in ("left", "bottom"):
            plot.getAxis(side).enableAutoSIPrefix(False)
        plot.setMinimumHeight(120)
        if title != "Speed":
            plot.addLegend(offset=(-10, 10 if title == "Loss" else -10), labelTextSize="9pt")
        return plot

    def _line(self, plot: Any, name: str, colour: QColor, alpha: int = 255, dots: bool = False) -> _Line:
        shade = QColor(colour)
        shade.setAlpha(alpha)
        curve = plot.plot(
            name=name or None,
            pen=pg.mkPen(shade, width=1),  # wider lines draw several times slower
            symbol="o" if dots else None,
            symbolSize=5,
            symbolBrush=shade,
            symbolPen=None,
        )
        curve.setDownsampling(auto=True, method="peak")
        curve.setClipToView(True)
        return _Line(curve, Series())

    def clear(self) -> None:
        """Forgets the run on show."""
        for line in self._lines.values():
            line.series = Series()
            line.fresh = True
        self.draw()
        for plot in (self.loss, self.accuracy, self.speed):
            plot.enableAutoRange()

    def add(self, event: Event) -> None:
        """Takes in an event; nothing is drawn yet."""
        if isinstance(event, Started):
            self._steps_per_epoch = event.steps_per_epoch
        elif isinstance(event, Steps):
            first = event.step - len(event.losses) + 1
            xs = [(first + place) / self._steps_per_epoch for place in range(len(event.losses))]
            self._extend("step_loss", xs, event.losses)
            self._extend("speed", [event.step / self._steps_per_epoch], [event.images_per_second])
        elif isinstance(event, Epoch):
            x = [float(event.epoch)]
            self._extend("train_loss", x, [event.train_loss])
            self._extend("validation_loss", x, [event.validation_loss])
            self._extend("train_accuracy", x, [100 * event.train_accuracy])
            self._extend("validation_accuracy", x, [100 * event.validation_accuracy])

    def _extend(self, name: str, xs: list[float], ys: Any) -> None:
        line = self._lines[name]
        line.series.extend(xs, ys)
        line.fresh = True

    def draw(self, everything: bool = True) -> None:
        """Shows what has been added since the last time; the speed, unless `everything`, only every fifth time."""
        self._frames += 1
        for name, line in self._lines.items():
            if line.fresh and (everything or name != "speed" or self._frames % 5 == 0):
                line.curve.setData(line.series.x, line.series.y)
                line.fresh = False

    def series(self, name: str) -> Series:
        """Returns the points of one curve, `step_loss`, `train_loss`, `validation_accuracy`, `speed`."""
        return self._lines[name].series

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._colour()

    def _colour(self) -> None:
        """Takes background and text colours from the palette."""
        back = self.palette().color(QPalette.ColorRole.Base)
        text = self.palette().color(QPalette.ColorRole.Text)
        for plot in (self.loss, self.accuracy, self.speed):
            plot.setBackground(back)
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(text)
                plot.getAxis(side).setTextPen(text)
            legend = plot.plotItem.legend
            if legend is not None:
                legend.setLabelTextColor(text)
                for _, label in legend.items:
                    label.setText(label.text, color=text)
