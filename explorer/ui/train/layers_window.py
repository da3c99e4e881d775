"""What happens inside the network of a run while it trains: a window of its own beside the curves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QHideEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QLabel, QPushButton, QSplitter, QVBoxLayout, QWidget

from explorer.training.events import Histogram, LayerRow, LayerStatistics
from explorer.ui.train.curve_legend import COLOURS, TRAIN
from explorer.ui.train.curves import Curves
from explorer.ui.train.histogram_view import HistogramView
from explorer.ui.train.layer_history import LayerHistory
from explorer.ui.train.layer_table import TOO_LARGE, TOO_SMALL, LayerTable
from explorer.ui.train.ratio_plot import RatioPlot
from explorer.ui.train.trainer import Trainer
from explorer.ui.widgets.labels import CutLabel, WrappedLabel
from explorer.ui.widgets.named import named

KEY = "Ctrl+H"
TURN_MS = 100
"""From one part of the window that is drawn to the next: what a run tells of its layers comes once a second."""
KINDS = (
    ("activations", "Activations", TRAIN),
    ("gradients", "Gradients", COLOURS["norm"]),
    ("weights", "Weights", COLOURS["rate"]),
)
"""Of histograms: field of a LayerRow, title and colour."""


class LayersWindow(QDialog):
    """Shows the layers of the run that the curves show."""

    def __init__(self, curves: Curves, trainer: Callable[[], Trainer | None], parent: QWidget) -> None:
        """Makes the window, which is opened by `open`.

        Args:
            curves: whose current run is shown.
            trainer: gives what trains that run now, if anything does.
            parent: keeps this alive.
        """
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle("Layers")
        self._curves, self._trainer = curves, trainer
        self._waiting = False
        """Whether histograms were asked for and have not come."""
        self._before: LayerStatistics | None = None
        """Those that were there when new ones were asked for."""
        self._drawn: dict[str, tuple[object, ...]] = {}
        """What each part of the window has shown last."""
        self.title = named(CutLabel(), "title")
        self.copy = QPushButton("&Copy table", self)
        self.copy.setAutoDefault(False)  # Return in the table or its filter is not for it
        self.copy.setToolTip("Copy all layers as text, tab-separated; Ctrl+C copies the selected ones")
        self.ask = named(QPushButton("Histograms of the next step", self), "primary")
        self.ask.setShortcut(QKeySequence(KEY))
        self.ask.setAutoDefault(False)
        self.note = WrappedLabel()
        self.table = LayerTable(self)
        self._course: RatioPlot | None = None
        self.heading = CutLabel()
        self.logarithmic = QCheckBox("&Logarithmic counts", self)
        self.logarithmic.setToolTip("Shows the few beside the many")
        self.captions = {kind: QLabel(self) for kind, _, _ in KINDS}
        self.histograms = {kind: HistogramView(title, colour, self) for kind, title, colour in KINDS}
        self._build()
        self.resize(1160, 700)
        self._turns = cycle(self._parts)
        self._at_once = 0
        """How many parts are to be drawn as soon as possible, one at a time."""
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._draw_next)
        self.ask.clicked.connect(self._ask)
        self.copy.clicked.connect(self.table.copy_all)
        self.table.selection_changed.connect(self._draw_soon)
        self.logarithmic.toggled.connect(self._set_logarithmic)

    def _build(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.copy)
        head.addWidget(self.ask)
        line = QHBoxLayout()
        line.addWidget(self.heading, 1)
        line.addWidget(self.logarithmic)
        plots = QHBoxLayout()
        for kind, caption in self.captions.items():
            caption.setMinimumHeight(3 * caption.fontMetrics().height())  # so that the three are level
            caption.setAlignment(Qt.AlignmentFlag.AlignTop)
            caption.setWordWrap(True)
            caption.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column = QVBoxLayout()
            column.addWidget(caption)
            column.addWidget(self.histograms[kind], 1)
            plots.addLayout(column, 1)
        below = QWidget(self)
        rows = QVBoxLayout(below)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addLayout(line)
        rows.addLayout(plots, 1)
        self._right = QSplitter(Qt.Orientation.Vertical, self)
        self._right.addWidget(below)
        self._right.setChildrenCollapsible(False)
        body = QSplitter(Qt.Orientation.Horizontal, self)
        body.addWidget(self.table)
        body.addWidget(self._right)
        body.setSizes([440, 720])
        body.setStretchFactor(1, 1)
        body.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.addLayout(head)
        layout.addWidget(self.note)
        layout.addWidget(body, 1)

    @property
    def course(self) -> RatioPlot:
        """The plot of the ratios, made at its first use: that takes longer than the rest of the window."""
        if self._course is None:
            self._course = RatioPlot(self)
            self._right.insertWidget(0, self._course)
            self._right.setSizes([270, 330])
        return self._course

    def open(self) -> None:
        """Shows the window, before others."""
        self.show()
        self.raise_()
        self.activateWindow()
        self.table.view.setFocus()

    # -- what is on show -------------------------------------------------------------------------------------------

    @property
    def history(self) -> LayerHistory:
        """Of the run that the curves show."""
        return self._curves.runs[0].layers

    @property
    def _parts(self) -> tuple[Callable[[], None], ...]:
        """What `draw` does, in steps: what the user does, and the page, come in between."""
        return self._draw_head, self._draw_table, self._draw_course, self._draw_histograms

    def draw(self) -> None:
        """Shows all that is new."""
        for part in self._parts:
            part()

    def _draw_soon(self) -> None:
        """Has all parts drawn, one after the other, without waiting for their turns."""
        if self.isVisible():
            self._at_once = len(self._parts)
            self._timer.start(0)

    def _draw_next(self) -> None:
        next(self._turns)()
        if self._at_once:
            self._at_once -= 1
            if not self._at_once:
                self._timer.setInterval(TURN_MS)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._draw_head()
        self._draw_soon()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def _is_new(self, part: str, *state: object) -> bool:
        """Returns whether a part of the window shows something else, and takes down that it will show this."""
        if self._drawn.get(part) == state:
            return False
        self._drawn[part] = state
        return True

    def _draw_table(self) -> None:
        if self._is_new("table", self.history, self.history.version):
            self.table.show_history(self.history)

    def _draw_course(self) -> None:
        history, names = self.history, tuple(self.table.selected())
        if self._is_new("course", history, history.step, names):
            self.course.show_layers(history, names)

    def _draw_histograms(self) -> None:
        statistics, layer = self.history.statistics, self.table.current
        made = statistics.step if statistics is not None else 0
        if not self._is_new("histograms", self.history, made, layer and layer.name, self._going):
            return
        kind = f" ({layer.kind})" if layer is not None and layer.kind else ""
        step = f", step {statistics.step:,}" if statistics is not None else ""
        self.heading.setText(f"{layer.name}{kind}{step}" if layer is not None else "")
        self.logarithmic.setVisible(statistics is not None)
        for part, title, _ in KINDS:
            histogram = getattr(layer, part) if layer is not None else None
            self.histograms[part].show_histogram(histogram)
            told = _caption(histogram) if histogram is not None else ""
            self.captions[part].setText(f"{title}{told}\n{self._remark(part, layer)}")

    def _remark(self, kind: str, layer: LayerRow | None) -> str:
        """Returns what there is to say of a histogram beside its own numbers, or why there is none."""
        statistics = self.history.statistics
        if statistics is None or layer is None:
            return f"not made yet ({KEY})" if self._going else "made only while a run trains"
        if kind == "weights":
            return "the layer has none" if layer.weights is None else _length(layer.weight_norm)
        if kind == "gradients":
            if layer.gradients is None:
                return "the layer has none" if layer.weights is None else "frozen, or no part of this step"
            return _length(layer.gradient_norm)
        if layer.activations is None:
            compiled = not any(row.activations for row in statistics.layers)
            return "compiled code does not show them" if compiled else "it only holds other layers, or was not run"
        zeros = f"{100 * layer.activations.zeros / max(layer.activations.total, 1):.1f} % zeros"
        return f"{zeros}, {layer.dead:,} of {layer.units:,} units dead" if layer.units else zeros

    def _set_logarithmic(self, wanted: bool) -> None:
        for view in self.histograms.values():
            view.set_logarithmic(wanted)

    # -- asking ----------------------------------------------------------------------------------------------------

    @property
    def _going(self) -> bool:
        """Whether the run is in progress, paused or not."""
        trainer = self._trainer()
        return trainer is not None and not trainer.stopping

    def _ask(self) -> None:
        trainer = self._trainer()
        if trainer is not None:
            self._waiting, self._before = True, self.history.statistics
            trainer.ask_layers()
            self._draw_head()

    def _draw_head(self) -> None:
        """Says whose layers these are, how they are, and what is to come."""
        run, history, trainer, going = self._curves.runs[0], self.history, self._trainer(), self._going
        self._waiting = self._waiting and going and history.statistics is self._before
        paused = trainer is not None and trainer.paused
        if not self._is_new("head", history, history.version, run.name, run.path, going, paused, self._waiting):
            return
        self.title.setText(run.name or "Layers")
        self.copy.setEnabled(bool(history.rows()))
        self.ask.setEnabled(going and not self._waiting)
        self.ask.setToolTip(
            f"Histograms of activations, gradients and weights of every layer ({KEY})"
            if going
            else "Histograms are made while a run trains; those that were are in its folder, for TensorBoard"
        )
        said = [self._state(run.path)]
        if self._waiting:
            resume = "The next step is taken when training goes on: press Resume on the Train page."
            said.append(resume if paused else "Histograms come with the next step…")
        self.note.say("   ·   ".join(said))

    def _state(self, path: str) -> str:
        ratios = [ratio for ratio in self.history.latest().values() if ratio is not None]
        if ratios:
            high, low = sum(ratio > TOO_LARGE for ratio in ratios), sum(0 < ratio < TOO_SMALL for ratio in ratios)
            still = ratios.count(0.0)
            told = (f"▲ {high} above 1e-2", f"▼ {low} below 1e-5", f"{still} not moved")
            marked = [text for text, count in zip(told, (high, low, still), strict=True) if count]
            return f"Step {self.history.step:,}: {', '.join(marked) or 'no layer far from healthy'}"
        if self._going:
            return "The run has not taken a step yet: the first ratios come with it."
        if path:
            return "This run tells nothing of its layers: it has not begun, or an earlier version has trained it."
        return "No run is on show: start one on the Train page, or choose one in its list."


def _caption(histogram: Histogram) -> str:
    bad = f", ⚠ {histogram.non_finite:,} NaN or infinite" if histogram.non_finite else ""
    return f": {histogram.total:,}{bad}\nmean {histogram.mean:.3g}, std {histogram.std:.3g}"


def _length(norm: float | None) -> str:
    return "" if norm is None else f"length {norm:.3g}"
