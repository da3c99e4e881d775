"""Curves of one or more runs: loss, accuracy, learning rate, speed and gradient norm."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QFileDialog, QGridLayout, QLabel, QWidget

from explorer.training.events import Event
from explorer.ui.background import Answer, Background
from explorer.ui.train.curve_export import write_picture, write_table
from explorer.ui.train.curve_legend import RUN_COLOURS, legend_text
from explorer.ui.train.line import Line
from explorer.ui.train.plot_bar import PlotBar
from explorer.ui.train.plots import colour_plot, make_plot
from explorer.ui.train.readout import Readout
from explorer.ui.train.run_curves import AXES, METRICS, Axis, RunCurves
from explorer.ui.train.run_lines import RunLines
from explorer.ui.train.series import Series
from explorer.ui.train.smoothing import smooth

PLOTS = {
    "loss": ("Loss", "loss (nats)"),
    "accuracy": ("Accuracy", "accuracy (%)"),
    "rate": ("Learning rate", "learning rate"),
    "speed": ("Speed", "images/s"),
    "norm": ("Gradient norm", "gradient norm"),
}
SMOOTHED = ("step_loss", "speed", "norm")
"""Metrics with noise to smooth: those of epochs are averages already, and the learning rate has none."""
LONG = 100_000
"""Points that are moved, or smoothed, within a few milliseconds."""
LOGARITHMIC = ("loss", "rate", "norm")
"""Plots whose y can be logarithmic: the others' values are near each other, or reach 0."""


class Curves(QWidget):
    """Plots over the epochs, steps or time of runs. Events go in, `draw` shows them: one update for many events.

    Training and painting take turns at the interpreter, so what is painted at each update is kept small: the time axis
    stands still, the other grows in steps, and the legend lies beside the plots and not in them.
    """

    failed = Signal(str)
    """What could not be saved."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar = PlotBar(self)
        self.legend = QLabel(self)
        self.legend.setWordWrap(True)
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.plots = {name: self._plot(name) for name in PLOTS}
        self.loss, self.accuracy, self.speed = (self.plots[name] for name in ("loss", "accuracy", "speed"))
        self.accuracy.setLimits(yMin=-2, yMax=102)
        self._arrange()
        self._forget_ranges()
        self._changes: deque[Callable[[], None]] = deque()
        """What is still to be done to the plots."""
        self._change_timer = QTimer(self)
        self._change_timer.timeout.connect(self._change_next)
        self._zoomed: set[str] = set()
        """Plots that the user has zoomed or moved: those are left alone."""
        self._logarithmic = (False, False)
        self._background = Background(self)
        self._background.answered.connect(self._exported)
        self._smoother = Background(self)
        self._smoother.answered.connect(self._smoothed)
        self._smoothing: dict[int, tuple[Line, float]] = {}
        """Lines that are being smoothed, and how much."""
        self._main = self._drawn(RunCurves())
        self._others: list[RunLines] = []
        self.readout = Readout(self, self.plots)
        for name, plot in self.plots.items():
            plot.getViewBox().sigRangeChangedManually.connect(getattr(self, f"_{name}_zoomed"))
        self.bar.fit_wanted.connect(self.fit)
        self.bar.axis_changed.connect(self._set_axis)
        self.bar.smoothing_changed.connect(self._set_smoothing)
        self.bar.logarithms_changed.connect(self._set_logarithms)
        self.bar.export_wanted.connect(self._export)
        self._colour()
        self._colour_lines()
        self._show_norm()

    def _arrange(self) -> None:
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(4)
        layout.addWidget(self.bar, 0, 0, 1, 6)
        layout.addWidget(self.legend, 1, 0, 1, 6)
        layout.addWidget(self.loss, 2, 0, 1, 3)
        layout.addWidget(self.accuracy, 2, 3, 1, 3)
        for place, name in enumerate(("rate", "speed", "norm")):
            layout.addWidget(self.plots[name], 3, 2 * place, 1, 2)
        layout.setRowStretch(2, 3)
        layout.setRowStretch(3, 2)
        for column in range(6):
            layout.setColumnStretch(column, 1)

    def _plot(self, name: str) -> Any:
        title, unit = PLOTS[name]
        return make_plot(self, title, unit, "epoch")

    def _drawn(self, run: RunCurves) -> RunLines:
        drawn = RunLines(run, self.plots)
        for metric in METRICS:
            drawn.lines[metric.name].setLogMode(*self._axes_of(metric.plot))
        for name in SMOOTHED:
            self._smooth(drawn.lines[name])
        return drawn

    def _all(self) -> list[RunLines]:
        return [self._main, *self._others]

    # -- what is on show -------------------------------------------------------------------------------------------

    @property
    def runs(self) -> list[RunCurves]:
        """The runs on show, the current one first."""
        return [drawn.run for drawn in self._all()]

    def series(self, name: str) -> Series:
        """Returns the points of one curve of the current run, `step_loss`, `validation_accuracy`, `speed`."""
        return self._main.run.series[name]

    def clear(self) -> None:
        """Forgets the current run; those beside it stay."""
        self.show_run(RunCurves())

    def show_run(self, run: RunCurves) -> None:
        """Makes a run the current one."""
        self._main.remove()
        if run.axis != self.bar.chosen_axis():
            run.set_axis(self.bar.chosen_axis())
        self._main = self._drawn(run)
        self._zoomed.clear()
        self._fit()

    def compare(self, runs: Sequence[RunCurves]) -> None:
        """Draws other runs beside the current one."""
        for drawn in self._others:
            drawn.remove()
        for run in runs:
            if run.axis != self.bar.chosen_axis():
                run.set_axis(self.bar.chosen_axis())
        self._others = [self._drawn(run) for run in runs]
        self._fit()

    def name_run(self, path: str, name: str) -> None:
        """Says which run the current one is."""
        self._main.run.path, self._main.run.name = path, name
        self._show_legend()

    def colour_of(self, path: str) -> QColor | None:
        """Returns the colour that tells a run from the others; None where it is alone or not on show."""
        for place, drawn in enumerate(self._all() if self._others else ()):
            if drawn.run.path == path:
                return RUN_COLOURS[place % len(RUN_COLOURS)]
        return None

    def add(self, events: Sequence[Event]) -> None:
        """Takes in events of the current run; nothing is drawn yet."""
        self._main.run.add(events)

    def draw(self) -> None:
        """Shows what has been added to the runs since the last time."""
        for part in self.parts:
            part()

    @property
    def parts(self) -> list[Callable[[], None]]:
        """What `draw` does, in steps that may be taken one at a time."""
        return [self._draw_marks, *(partial(self._draw_plot, name) for name in PLOTS)]

    def _draw_marks(self) -> None:
        self._show_norm()
        self._grow_axis()
        outdated = [drawn for drawn in self._all() if drawn.outdated]
        for drawn in outdated:
            drawn.show_marks(self._axes_of)
        if outdated:
            self._show_legend()

    def _draw_plot(self, name: str) -> None:
        names = [metric.name for metric in METRICS if metric.plot == name]
        for drawn in self._all():
            for metric in names:
                drawn.lines[metric].show_new()
        self._stretch(name)
        self._grow(name)

    def fit(self) -> None:
        """Shows all of every run again, whatever the user has zoomed."""
        self._zoomed.clear()
        self._fit()

    def _fit(self) -> None:
        """Shows all of every run."""
        self._forget_ranges()
        for drawn in self._all():
            for line in drawn.lines.values():
                line.show_all()
        self._show_marks()
        self._colour_lines()
        self._show_norm()
        self._grow_axis()
        for plot in PLOTS:
            self._stretch(plot)
            self._grow(plot)

    # -- ranges ----------------------------------------------------------------------------------------------------

    def _axes_of(self, plot: str) -> tuple[bool, bool]:
        x, y = self._logarithmic
        return x, y and plot in LOGARITHMIC

    def _forget_ranges(self) -> None:
        self._tops = dict.fromkeys(PLOTS, (0.0, 0.0))
        """Between which values the y axis of each plot was made for."""
        self._end = 0.0
        """Where the x axes are to end."""
        self._ends = dict.fromkeys(PLOTS, 0.0)
        """Where each of them ends."""

    def _grow_axis(self) -> None:
        """Finds where the x axes are to end: with the longest run."""
        end = max(run.end for run in self.runs)
        if not end:
            return
        stretched = end > self._end and not (self._end and self.bar.chosen_axis() == "time" and end < 1.02 * self._end)
        shrunk = end < 0.8 * self._end
        if not stretched and not shrunk:
            return
        # Estimates of time move: some room lets the axis stand still for a while.
        self._end = end * (1.1 if self.bar.chosen_axis() == "time" else 1.0)

    def _stretch(self, name: str) -> None:
        """Has a plot's x axis end where it is to end."""
        if name in self._zoomed or self._ends[name] == self._end:
            return
        self._ends[name] = self._end
        if self._logarithmic[0]:
            first = max(min((float(s.x[0]) for s in self._series(name) if len(s)), default=1.0), 1e-6)
            self.plots[name].setXRange(math.log10(first), math.log10(max(self._end, 2 * first)), padding=0.02)
        else:
            self.plots[name].setXRange(0, self._end, padding=0.02)

    def _series(self, plot: str) -> list[Series]:
        names = [metric.name for metric in METRICS if metric.plot == plot]
        return [run.series[name] for run in self.runs for name in names]

    def _grow(self, plot: str) -> None:
        """Moves the ends of a y axis where the curves have passed them."""
        if plot in self._zoomed:
            return
        series = self._series(plot)
        top = 100.0 if plot == "accuracy" else 1.1 * max((each.highest for each in series), default=0.0)
        bottom, before = 0.0, self._tops[plot]
        if self._axes_of(plot)[1]:
            bottom = min((each.lowest for each in series), default=math.inf)
            if not (0 < bottom < math.inf and top > 0):
                return
            if top > 1.1 * before[1] or bottom < 0.9 * before[0]:
                self._tops[plot] = (bottom, top)
                self.plots[plot].setYRange(math.log10(bottom), math.log10(top), padding=0.04)
        elif top > 1.1 * before[1]:
            self._tops[plot] = (0.0, top)
            self.plots[plot].setYRange(0, top, padding=0.02)

    def _set_axis(self, axis: Axis) -> None:
        for drawn in self._all():
            drawn.run.axis = axis
        self._change_plots(self._move)

    def _move(self, plot: str) -> None:
        """Moves what a plot shows to where it lies on the axis that is chosen."""
        self.plots[plot].setLabel("bottom", AXES[self.bar.chosen_axis()])
        for drawn in self._all():
            for metric in METRICS:
                if metric.plot == plot:
                    drawn.run.move(metric.name)
                    drawn.lines[metric.name].move()

    def _set_smoothing(self, weight: float) -> None:
        self._smoother.forget()
        self._smoothing.clear()
        for drawn in self._all():
            for name in SMOOTHED:
                self._smooth(drawn.lines[name])

    def _smooth(self, line: Line) -> None:
        """Smooths a line as the slider says: at once, or behind the window where it is long."""
        weight, count = self.bar.smoothing, len(line.series)
        if not weight or count <= LONG:
            line.set_smoothing(weight)
        else:
            self._smoothing[self._smoother.ask(smooth, line.series.y.copy(), weight)] = (line, weight)

    def _smoothed(self, answer: Answer) -> None:
        line, weight = self._smoothing.pop(answer.id, (None, 0.0))
        lines = [line for drawn in self._all() for line in drawn.lines.values()]
        if line is not None and line in lines and answer.error is None:
            line.set_smoothing(weight, answer.result)

    def _set_logarithms(self, x: bool, y: bool) -> None:
        self._logarithmic = (x, y)
        self._change_plots(self._take_logarithms)

    def _take_logarithms(self, plot: str) -> None:
        self.plots[plot].setLogMode(*self._axes_of(plot))

    def _change_plots(self, change: Callable[[str], None]) -> None:
        """Changes each plot and shows all of every run in it again: with long runs, the user may act in between."""
        self._zoomed.clear()
        self._forget_ranges()
        self._grow_axis()
        self._changes.extend(partial(self._change_plot, name, change) for name in PLOTS)
        self._changes.append(self._show_marks)
        if max(len(run.series["step_loss"]) for run in self.runs) > LONG:
            self._change_timer.start()
        else:
            while self._changes:
                self._changes.popleft()()

    def _change_plot(self, name: str, change: Callable[[str], None]) -> None:
        change(name)
        self._stretch(name)
        self._grow(name)

    def _change_next(self) -> None:
        self._changes.popleft()()
        if not self._changes:
            self._change_timer.stop()

    def _show_marks(self) -> None:
        for drawn in self._all():
            drawn.show_marks(self._axes_of)

    def _loss_zoomed(self) -> None:
        self._zoomed.add("loss")

    def _accuracy_zoomed(self) -> None:
        self._zoomed.add("accuracy")

    def _rate_zoomed(self) -> None:
        self._zoomed.add("rate")

    def _speed_zoomed(self) -> None:
        self._zoomed.add("speed")

    def _norm_zoomed(self) -> None:
        self._zoomed.add("norm")

    # -- saving ----------------------------------------------------------------------------------------------------

    def _export(self, kind: str) -> None:
        run = self.runs[0]
        name = f"{run.name.replace('/', '_') or 'curves'}.{kind}"
        chosen, _ = QFileDialog.getSaveFileName(self, "Save curves", name, f"{kind.upper()} (*.{kind})")
        if chosen:
            path = Path(chosen)
            self.save(path if path.suffix.lower() == f".{kind}" else path.with_name(f"{path.name}.{kind}"))

    def save(self, path: Path) -> None:
        """Writes the plots as PNG or SVG, or the runs' numbers as CSV, as the path's ending says."""
        if path.suffix.lower() == ".csv":
            self._background.ask(write_table, path, self.runs)
            return
        try:
            write_picture(path, self.plots, self.legend, self.palette().color(QPalette.ColorRole.Base))
        except OSError as error:
            self.failed.emit(f"{path} cannot be written: {error.strerror or error}")

    def _exported(self, answer: Answer) -> None:
        if answer.error is not None:
            self.failed.emit(f"the table cannot be written: {answer.error}")

    def stop(self, wait_ms: int = 100) -> bool:
        """Ends what is being saved; returns whether the thread has ended."""
        return self._background.stop(wait_ms) and self._smoother.stop(wait_ms)

    # -- looks -----------------------------------------------------------------------------------------------------

    def _show_norm(self) -> None:
        """Leaves the room to the others where runs tell of steps but not of gradients, as those of earlier versions."""
        known = any(map(len, self._series("norm"))) or not any(map(len, self._series("loss")))
        if self.plots["norm"].isHidden() == known:
            self.plots["norm"].setVisible(known)
            layout = self.layout()
            if isinstance(layout, QGridLayout):
                for place, name in enumerate(("rate", "speed")):
                    width = 2 if known else 3
                    layout.addWidget(self.plots[name], 3, width * place, 1, width)

    def _colour_lines(self) -> None:
        several = bool(self._others)
        for place, drawn in enumerate(self._all()):
            drawn.colour(RUN_COLOURS[place % len(RUN_COLOURS)] if several else None)
        self._show_legend()

    def _show_legend(self) -> None:
        self.legend.setText(legend_text(self.runs))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange) and hasattr(self, "plots"):
            self._colour()

    def _colour(self) -> None:
        """Takes background and text colours from the palette."""
        for plot in self.plots.values():
            colour_plot(plot, self.palette())
