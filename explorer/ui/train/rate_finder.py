"""The learning-rate finder: the loss over a sweep of rates, and the rate that it suggests."""

from __future__ import annotations

import functools
import math
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from explorer.data.download import Progress
from explorer.training.rate_finder import HIGHEST, LOWEST, STEPS, Trial, find_rate
from explorer.training.recipe import Recipe
from explorer.ui.train.curve_legend import STEPS as EACH
from explorer.ui.train.curve_legend import TRAIN
from explorer.ui.train.iteration_dialog import IterationDialog
from explorer.ui.train.plots import SIDES, Plot, Powers, colour_plot
from explorer.ui.widgets.labels import WrappedLabel
from explorer.ui.widgets.named import named


class RateFinder(IterationDialog):
    """Sweeps at once when it is made; a click into the plot or a drag of the line chooses another rate."""

    chosen = Signal(float)

    def __init__(self, recipe: Recipe, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Learning-rate finder")
        self.trials: list[Trial] = []
        self.plot: Any = Plot(self, {"bottom": Powers("bottom")})
        self.plot.setAccessibleName("Loss over the learning rate")
        self.plot.setLogMode(x=True, y=False)
        self.plot.setXRange(math.log10(LOWEST), math.log10(HIGHEST), padding=0.02)
        self.plot.setLabel("bottom", "learning rate")
        self.plot.setLabel("left", "loss (nats)")
        self.plot.showGrid(x=True, y=True, alpha=0.2)
        self._each: Any = self.plot.plot(pen=pg.mkPen(EACH, width=1))
        self._smoothed: Any = self.plot.plot(pen=pg.mkPen(TRAIN, width=2))
        self._line: Any = pg.InfiniteLine(movable=True, pen=pg.mkPen("#e07b00", width=2))
        self._line.hide()
        self.plot.addItem(self._line)
        self.note = WrappedLabel()
        explained = named(
            QLabel(
                "Pale: each batch; dark: smoothed. The line is where the loss falls fastest; "
                "click or drag to choose another rate.",
                self,
            ),
            "muted",
        )
        explained.setWordWrap(True)
        self.use = named(QPushButton("Use this rate", self), "primary")
        self.use.setEnabled(False)
        self.close_button = QPushButton("Close", self)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.use)
        column = QVBoxLayout(self)
        column.addWidget(self.plot, 1)
        column.addWidget(explained)
        column.addWidget(self.note)
        column.addLayout(buttons)
        self.resize(640, 460)
        self._colour()
        self.use.clicked.connect(self._use)
        self.close_button.clicked.connect(self.reject)
        self._line.sigPositionChanged.connect(self._show_rate)
        self.plot.scene().sigMouseClicked.connect(self._clicked)
        self.note.say("Preparing…")
        self.work(functools.partial(find_rate, recipe))

    @property
    def rate(self) -> float:
        """The rate at the line, to three digits."""
        return float(f"{10 ** float(self._line.value()):.3g}")

    def take_steps(self) -> None:
        """Shows the trials that are new."""
        steps, before = self.iteration.steps, len(self.trials)
        while steps:
            step = steps.popleft()
            if isinstance(step, Trial):
                self.trials.append(step)
            elif isinstance(step, Progress):
                self.note.say(f"{step.message}…")
        if len(self.trials) > before:
            rates = [trial.rate for trial in self.trials]
            self._each.setData(rates, [trial.loss for trial in self.trials])
            self._smoothed.setData(rates, [trial.smoothed for trial in self.trials])
            self.note.say(f"Step {len(self.trials)} of at most {STEPS}, rate {rates[-1]:.2g}")

    def show_end(self) -> None:
        """Shows the rate that is suggested."""
        if self.iteration.error is not None:
            self.note.say(str(self.iteration.error))
            return
        rate = self.iteration.result
        if isinstance(rate, float):
            self._suggest(rate)
        else:
            self.note.say("The loss never falls: no rate can be suggested. Another optimiser or network may do better.")

    def _suggest(self, rate: float) -> None:
        least = min(trial.smoothed for trial in self.trials)
        first = self.trials[0].smoothed
        self.plot.setYRange(least - 0.1 * (first - least), first + 0.5 * (first - least))
        self._line.setValue(math.log10(rate))
        self._line.show()
        self.use.setEnabled(True)
        self.use.setDefault(True)
        self._show_rate()

    def _clicked(self, event: Any) -> None:
        """Moves the line to where the plot was clicked."""
        box, left = self.plot.getViewBox(), event.button() == Qt.MouseButton.LeftButton
        if left and self.use.isEnabled() and box.sceneBoundingRect().contains(event.scenePos()):
            self._line.setValue(box.mapSceneToView(event.scenePos()).x())

    def _show_rate(self) -> None:
        suggested = float(f"{self.iteration.result:.3g}") if isinstance(self.iteration.result, float) else self.rate
        chosen = f"   ·   chosen: {self.rate:g}" if self.rate != suggested else ""
        self.note.say(f"Suggested learning rate: {suggested:g}{chosen}")
        self.use.setText(f"Use {self.rate:g}")

    def _use(self) -> None:
        self.chosen.emit(self.rate)
        self.accept()

    def _colour(self) -> None:
        """Takes background and text colours from the palette."""
        colour_plot(self.plot, self.palette())
        for side in SIDES:
            self.plot.getAxis(side).enableAutoSIPrefix(False)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
