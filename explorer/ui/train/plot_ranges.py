"""Which part of the curves each plot shows: all of every run, until the user zooms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QObject

from explorer.ui.train.run_curves import METRICS, Axis, RunCurves
from explorer.ui.train.series import Series

LOGARITHMIC = ("loss", "rate", "norm")
"""Plots whose y can be logarithmic: the others' values are near each other, or reach 0."""


class PlotRanges(QObject):
    """Moves the ends of the axes as runs grow: rarely, since painting an axis takes longer than painting a curve."""

    def __init__(
        self,
        plots: Mapping[str, Any],
        runs: Callable[[], Sequence[RunCurves]],
        axis: Callable[[], Axis],
        parent: QObject,
    ) -> None:
        """Takes charge of plots.

        Args:
            plots: by name.
            runs: gives the runs on show, at least one.
            axis: tells what x stands for.
            parent: keeps this alive.
        """
        super().__init__(parent)
        self._plots, self._runs, self._axis = plots, runs, axis
        self.zoomed: set[str] = set()
        """Plots that the user has zoomed or moved: those are left alone."""
        self.logarithmic = (False, False)
        """Whether x is logarithmic, and y wherever it can be."""
        self.forget()
        for plot in plots.values():
            plot.getViewBox().sigRangeChangedManually.connect(self._zoomed_by_hand)

    def forget(self) -> None:
        """Has the ends of all axes found anew."""
        self._tops = dict.fromkeys(self._plots, (0.0, 0.0))
        """Between which values the y axis of each plot was made for."""
        self._end = 0.0
        """Where the x axes are to end."""
        self._ends = dict.fromkeys(self._plots, 0.0)
        """Where each of them ends."""

    def axes_of(self, plot: str) -> tuple[bool, bool]:
        """Returns whether the x and the y of a plot are logarithmic."""
        x, y = self.logarithmic
        return x, y and plot in LOGARITHMIC

    def series_of(self, plot: str) -> list[Series]:
        """Returns the curves of all runs that belong to a plot."""
        names = [metric.name for metric in METRICS if metric.plot == plot]
        return [run.series[name] for run in self._runs() for name in names]

    def follow(self) -> None:
        """Finds where the x axes are to end: with the longest run."""
        end = max(run.end for run in self._runs())
        if not end:
            return
        by_time = self._axis() == "time"
        stretched = end > self._end and not (self._end and by_time and end < 1.02 * self._end)
        if stretched or end < 0.8 * self._end:
            # Estimates of time move: some room lets the axis stand still for a while.
            self._end = end * (1.1 if by_time else 1.0)

    def show(self, plot: str) -> None:
        """Moves the ends of a plot's axes to where they are to be."""
        if plot not in self.zoomed:
            self._stretch(plot)
            self._grow(plot)

    def _stretch(self, plot: str) -> None:
        if self._ends[plot] == self._end:
            return
        self._ends[plot] = self._end
        if self.logarithmic[0]:
            first = max(min((float(s.x[0]) for s in self.series_of(plot) if len(s)), default=1.0), 1e-6)
            self._plots[plot].setXRange(math.log10(first), math.log10(max(self._end, 2 * first)), padding=0.02)
        else:
            self._plots[plot].setXRange(0, self._end, padding=0.02)

    def _grow(self, plot: str) -> None:
        """Moves the ends of a y axis where the curves have passed them."""
        series = self.series_of(plot)
        top = 100.0 if plot == "accuracy" else 1.1 * max((each.highest for each in series), default=0.0)
        bottom, before = 0.0, self._tops[plot]
        if self.axes_of(plot)[1]:
            bottom = min((each.lowest for each in series), default=math.inf)
            if not (0 < bottom < math.inf and top > 0):
                return
            if top > 1.1 * before[1] or bottom < 0.9 * before[0]:
                self._tops[plot] = (bottom, top)
                self._plots[plot].setYRange(math.log10(bottom), math.log10(top), padding=0.04)
        elif top > 1.1 * before[1]:
            self._tops[plot] = (0.0, top)
            self._plots[plot].setYRange(0, top, padding=0.02)

    def _zoomed_by_hand(self) -> None:
        box = self.sender()
        self.zoomed.update(name for name, plot in self._plots.items() if plot.getViewBox() is box)
