"""Curves of one or more runs: loss, accuracy, learning rate, speed and gradient norm."""

from __future__ import annotations

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
from explorer.ui.train.curve_smoothing import LONG, SMOOTHED, CurveSmoothing
from explorer.ui.train.line import Line
from explorer.ui.train.plot_bar import PlotBar
from explorer.ui.train.plot_ranges import PlotRanges
from explorer.ui.train.plots import colour_plot, make_plot
from explorer.ui.train.readout import Readout
from explorer.ui.train.run_curves import AXES, METRICS, Axis, RunCurves
from explorer.ui.train.run_lines import RunLines
from explorer.ui.train.series import Series

PLOTS = {
    "loss": ("Loss", "loss (nats)"),
    "accuracy": ("Accuracy", "accuracy (%)"),
    "rate": ("Learning rate", "learning rate"),
    "speed": ("Speed", "images/s"),
    "norm": ("Gradient norm", "gradient norm"),
}


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
        self.ranges = PlotRanges(self.plots, lambda: self.runs, self.bar.chosen_axis, self)
        self._changes: deque[Callable[[], None]] = deque()
        """What is still to be done to the plots."""
        self._change_timer = QTimer(self)
        self._change_timer.timeout.connect(self._change_next)
        self._background = Background(self)
        self._background.answered.connect(self._exported)
        self._smoothing = CurveSmoothing(lambda: self.bar.smoothing, self._noisy_lines, self)
        self._main = self._drawn(RunCurves())
        self._others: list[RunLines] = []
        self.readout = Readout(self, self.plots)
        self.bar.fit_wanted.connect(self.fit)
        self.bar.axis_changed.connect(self._set_axis)
        self.bar.smoothing_changed.connect(self._smoothing.smooth_all)
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
        plot = make_plot(self, title, unit, "epoch")
        plot.addActions(self.bar.of_plots)
        return plot

    def _drawn(self, run: RunCurves) -> RunLines:
        drawn = RunLines(run, self.plots)
        for metric in METRICS:
            drawn.lines[metric.name].setLogMode(*self.ranges.axes_of(metric.plot))
        for name in SMOOTHED:
            self._smoothing.smooth(drawn.lines[name])
        return drawn

    def _all(self) -> list[RunLines]:
        return [self._main, *self._others]

    def _noisy_lines(self) -> list[Line]:
        return [drawn.lines[name] for drawn in self._all() for name in SMOOTHED]

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
        self.ranges.zoomed.clear()
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
        self.ranges.follow()
        outdated = [drawn for drawn in self._all() if drawn.outdated]
        for drawn in outdated:
            drawn.show_marks(self.ranges.axes_of)
        if outdated:
            self._show_legend()

    def _draw_plot(self, name: str) -> None:
        names = [metric.name for metric in METRICS if metric.plot == name]
        for drawn in self._all():
            for metric in names:
                drawn.lines[metric].show_new()
        self.ranges.show(name)

    def fit(self) -> None:
        """Shows all of every run again, whatever the user has zoomed."""
        self.ranges.zoomed.clear()
        self._fit()

    def _fit(self) -> None:
        """Shows all of every run."""
        self.ranges.forget()
        for drawn in self._all():
            for line in drawn.lines.values():
                line.show_all()
        self._show_marks()
        self._colour_lines()
        self._show_norm()
        self.ranges.follow()
        for plot in PLOTS:
            self.ranges.show(plot)

    # -- changes ---------------------------------------------------------------------------------------------------

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

    def _set_logarithms(self, x: bool, y: bool) -> None:
        self.ranges.logarithmic = (x, y)
        self._change_plots(self._take_logarithms)

    def _take_logarithms(self, plot: str) -> None:
        self.plots[plot].setLogMode(*self.ranges.axes_of(plot))

    def _change_plots(self, change: Callable[[str], None]) -> None:
        """Changes each plot and shows all of every run in it again: with long runs, the user may act in between."""
        self.ranges.zoomed.clear()
        self.ranges.forget()
        self.ranges.follow()
        self._changes.extend(partial(self._change_plot, name, change) for name in PLOTS)
        self._changes.append(self._show_marks)
        if max(len(run.series["step_loss"]) for run in self.runs) > LONG:
            self._change_timer.start()
        else:
            while self._changes:
                self._changes.popleft()()

    def _change_plot(self, name: str, change: Callable[[str], None]) -> None:
        change(name)
        self.ranges.show(name)

    def _change_next(self) -> None:
        self._changes.popleft()()
        if not self._changes:
            self._change_timer.stop()

    def _show_marks(self) -> None:
        for drawn in self._all():
            drawn.show_marks(self.ranges.axes_of)

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
        return self._background.stop(wait_ms) and self._smoothing.stop(wait_ms)

    # -- looks -----------------------------------------------------------------------------------------------------

    def _show_norm(self) -> None:
        """Leaves the room to the others where runs tell of steps but not of gradients, as those of earlier versions."""
        known = any(map(len, self.ranges.series_of("norm"))) or not any(map(len, self.ranges.series_of("loss")))
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
