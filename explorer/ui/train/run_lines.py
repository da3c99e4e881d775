"""One run in the plots: its lines, a star at its best epoch, and marks where its learning rate was changed by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pyqtgraph as pg
from PySide6.QtGui import QBrush, QColor

from explorer.training.events import Epoch, RateChanged
from explorer.ui.train.curve_legend import COLOURS, VALIDATION
from explorer.ui.train.line import Line, Star
from explorer.ui.train.run_curves import METRICS, RunCurves

_LEAST = 1e-12
_STARRED = ("accuracy", "loss")


class RunLines:
    """Lies in the plots from the beginning until `remove`."""

    def __init__(self, run: RunCurves, plots: Mapping[str, Any]) -> None:
        self.run, self._plots = run, plots
        self.lines: dict[str, Line] = {}
        for metric in METRICS:
            line = Line(run.series[metric.name], COLOURS[metric.name], dots=metric.per_epoch)
            plots[metric.plot].addItem(line)
            self.lines[metric.name] = line
        self.stars = [Star() for _ in _STARRED]
        """Where the best epoch is, in the plots of accuracy and loss."""
        for name, star in zip(_STARRED, self.stars, strict=True):
            star.hide()  # until there is a best epoch
            plots[name].addItem(star, ignoreBounds=True)
        self.changes: Any = pg.ScatterPlotItem(symbol="d", size=11, hoverable=True, tip=_rate_tip)
        """Where the learning rate was changed by hand, in its plot."""
        self.changes.setZValue(10)
        plots["rate"].addItem(self.changes)
        self._best: Epoch | None = None
        self._changed: list[RateChanged] = []

    def remove(self) -> None:
        """Takes everything out of the plots."""
        for metric in METRICS:
            self._plots[metric.plot].removeItem(self.lines[metric.name])
        for name, star in zip(_STARRED, self.stars, strict=True):
            self._plots[name].removeItem(star)
        self._plots["rate"].removeItem(self.changes)

    def colour(self, own: QColor | None) -> None:
        """Draws all in the run's own colour, the training's lines dashed; None for a colour for each metric."""
        for metric in METRICS:
            colour = QColor(own or COLOURS[metric.name])
            if own is not None and metric.name == "step_loss":
                colour.setAlpha(90)
            self.lines[metric.name].set_colour(colour, own is not None and metric.name.startswith("train_"))
        for star in self.stars:
            star.setBrush(QBrush(own or VALIDATION))
        self.changes.setBrush(own or COLOURS["rate"])

    @property
    def outdated(self) -> bool:
        """Whether the run has a better epoch, or another change of its rate, than the marks show."""
        return self._best is not self.run.best or self._changed is not self.run.rate_changes

    def show_marks(self, axes_of: Callable[[str], tuple[bool, bool]]) -> None:
        """Puts the marks where they belong.

        Args:
            axes_of: tells of a plot whether its x and its y are logarithmic.
        """
        best = self._best = self.run.best
        for name, star in zip(_STARRED, self.stars, strict=True):
            star.setVisible(best is not None)
            if best is not None:
                value = 100 * best.validation_accuracy if name == "accuracy" else best.validation_loss
                star.setPos(*_placed(float(self.run.place([best.step])[0]), value, axes_of(name)))
        if self._changed is not self.run.rate_changes or self._changed:
            self._changed = self.run.rate_changes
            xs = self.run.place([change.step for change in self._changed]).tolist()
            rates = [change.learning_rate for change in self._changed]
            places = [_placed(x, rate, axes_of("rate")) for x, rate in zip(xs, rates, strict=True)]
            self.changes.setData([x for x, _ in places], [y for _, y in places], data=self._changed)


def _placed(x: float, y: float, logarithmic: tuple[bool, bool]) -> tuple[float, float]:
    across, up = (
        math.log10(max(value, _LEAST)) if log else value for value, log in zip((x, y), logarithmic, strict=True)
    )
    return across, up


def _rate_tip(x: float, y: float, data: RateChanged) -> str:
    return f"Changed by hand to {data.learning_rate:.4g} after step {data.step:,}"
