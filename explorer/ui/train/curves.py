"""Live curves of a run: loss, accuracy and speed over its epochs."""

from __future__ import annotations

from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QGraphicsItem, QGridLayout, QLabel, QWidget

from explorer.training.events import Epoch, Event, Started, Steps
from explorer.ui.train.line import Line
from explorer.ui.train.series import Series

STEPS, TRAIN, VALIDATION, SPEED = QColor("#8fb0ef"), QColor("#2f6fde"), QColor("#e07b00"), QColor("#3a9d5d")


PLOTS = ("loss", "accuracy", "speed")


class Curves(QWidget):
    """Three plots over the epochs of a run. Events go in, `draw` shows them: one update for many events.

    Training and painting take turns at the interpreter, so what is painted at each update is kept small: the time axis
    stands still, the other grows in steps, and the legend lies beside the plots and not in them.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.loss = self._plot("Loss", "loss (nats)")
        self.accuracy = self._plot("Accuracy", "accuracy (%)")
        self.speed = self._plot("Speed", "images/s")
        self.accuracy.setLimits(yMin=-2, yMax=102)
        self.legend = QLabel(
            f'<span style="color:{STEPS.name()}">— each step</span> &nbsp; '
            f'<span style="color:{TRAIN.name()}">●— training</span> &nbsp; '
            f'<span style="color:{VALIDATION.name()}">●— validation</span>',
            self,
        )
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.legend, 0, 0, 1, 2, Qt.AlignmentFlag.AlignRight)
        layout.addWidget(self.loss, 1, 0, 1, 2)
        layout.addWidget(self.accuracy, 2, 0)
        layout.addWidget(self.speed, 2, 1)
        layout.setRowStretch(1, 1)
        layout.setRowStretch(2, 1)
        self._lines = {
            "step_loss": self._line(self.loss, STEPS),
            "train_loss": self._line(self.loss, TRAIN, dots=True),
            "validation_loss": self._line(self.loss, VALIDATION, dots=True),
            "train_accuracy": self._line(self.accuracy, TRAIN, dots=True),
            "validation_accuracy": self._line(self.accuracy, VALIDATION, dots=True),
            "speed": self._line(self.speed, SPEED),
        }
        self._steps_per_epoch = 1
        self._tops = dict.fromkeys(PLOTS, 0.0)
        """Where the y axis of each plot ends now."""
        self._zoomed: set[str] = set()
        """Plots that the user has zoomed or moved: those are left alone."""
        self.loss.getViewBox().sigRangeChangedManually.connect(self._loss_zoomed)
        self.accuracy.getViewBox().sigRangeChangedManually.connect(self._accuracy_zoomed)
        self.speed.getViewBox().sigRangeChangedManually.connect(self._speed_zoomed)
        self._colour()

    def _plot(self, title: str, unit: str) -> Any:
        plot = pg.PlotWidget(self)
        plot.setAccessibleName(title)
        plot.setLabel("left", unit)
        plot.setLabel("bottom", "epoch")
        plot.disableAutoRange()
        # Lines at the labelled values of y only: a full grid takes three quarters of the time of a repaint.
        plot.showGrid(x=False, y=True, alpha=0.2)
        for side in ("left", "bottom"):
            plot.getAxis(side).enableAutoSIPrefix(False)
            plot.getAxis(side).setStyle(maxTickLevel=0)
            plot.getAxis(side).setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        plot.setMinimumHeight(120)
        return plot

    def _line(self, plot: Any, colour: QColor, dots: bool = False) -> Line:
        line = Line(Series(), colour, dots)
        plot.addItem(line)
        return line

    def clear(self) -> None:
        """Forgets the run on show."""
        for line in self._lines.values():
            line.series.clear()
            line.update()
        self._tops = dict.fromkeys(PLOTS, 0.0)
        self._zoomed.clear()
        self.draw()

    def add(self, event: Event) -> None:
        """Takes in an event; nothing is drawn yet."""
        if isinstance(event, Started):
            self._steps_per_epoch = event.steps_per_epoch
            for plot in (self.loss, self.accuracy, self.speed):
                plot.setXRange(0, event.epochs, padding=0.02)
        elif isinstance(event, Steps):
            first = event.step - len(event.losses) + 1
            xs = [(first + place) / self._steps_per_epoch for place in range(len(event.losses))]
            self.series("step_loss").extend(xs, event.losses)
            self.series("speed").extend([event.step / self._steps_per_epoch], [event.images_per_second])
        elif isinstance(event, Epoch):
            x = [float(event.epoch)]
            self.series("train_loss").extend(x, [event.train_loss])
            self.series("validation_loss").extend(x, [event.validation_loss])
            self.series("train_accuracy").extend(x, [100 * event.train_accuracy])
            self.series("validation_accuracy").extend(x, [100 * event.validation_accuracy])

    def draw(self) -> None:
        """Shows what has been added since the last time."""
        for line in self._lines.values():
            line.show_new()
        losses = ("step_loss", "train_loss", "validation_loss")
        self._grow("loss", 1.1 * max(self.series(name).highest for name in losses))
        self._grow("accuracy", 100.0)
        self._grow("speed", 1.1 * self.series("speed").highest)

    def _grow(self, plot: str, top: float) -> None:
        """Moves the end of a y axis where the curves have passed it."""
        if top > 1.1 * self._tops[plot] and plot not in self._zoomed:
            self._tops[plot] = top
            getattr(self, plot).setYRange(0, top, padding=0.02)

    def _loss_zoomed(self) -> None:
        self._zoomed.add("loss")

    def _accuracy_zoomed(self) -> None:
        self._zoomed.add("accuracy")

    def _speed_zoomed(self) -> None:
        self._zoomed.add("speed")

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
