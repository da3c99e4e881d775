"""What a run's best weights get right and wrong: confusion matrix, classes, and the images behind each number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent, QGuiApplication, QImage
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from explorer.ui.background import Answer, Background, CancelledError
from explorer.ui.train.class_table import ClassTable
from explorer.ui.train.confusion_view import ConfusionView
from explorer.ui.train.sample_list import SIDE, SampleList, to_image
from explorer.ui.widgets.labels import WrappedLabel
from explorer.ui.widgets.named import named

if TYPE_CHECKING:
    from explorer.data.image_set import FileSet, ImageSet
    from explorer.training.analysis import Analysis, Part, Sample

MOST_SAMPLES = 200
"""Images that are shown at once."""
POLL_MS = 100


@dataclass(slots=True)
class _Work:
    """How far an analysis is; written on one thread, read on another."""

    message: str = ""
    done: int = 0
    total: int = 0
    cancelled: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Examined:
    analysis: Analysis
    images: ImageSet | FileSet


@dataclass(slots=True)
class _Shown:
    """Samples whose pictures are on their way."""

    question: int = 0
    samples: Sequence[Sample] = field(default_factory=tuple)


def _examine(path: str, part: Part, work: _Work) -> _Examined:
    from explorer.ui.torch_loading import load_torch

    load_torch()
    from explorer.training.analysis import analyse, load_part
    from explorer.training.run_folder import RunFolder

    folder = RunFolder(Path(path))
    loading = load_part(folder, part)
    while True:
        try:
            step = next(loading)
        except StopIteration as end:
            images = end.value
            break
        work.message, work.done, work.total = step.message, step.done, step.total
        if work.cancelled:
            loading.close()
            raise CancelledError
    looking = analyse(folder, images, part)
    while True:
        try:
            seen = next(looking)
        except StopIteration as end:
            return _Examined(end.value, images)
        work.message, work.done, work.total = "Looking at the images", seen.done, seen.total
        if work.cancelled:
            looking.close()
            raise CancelledError


def _pictures(images: ImageSet | FileSet, places: Sequence[int]) -> list[QImage]:
    from explorer.training.analysis import picture

    return [to_image(picture(images, place, 2 * SIDE)) for place in places]


class Results(QDialog):
    """A window of its own beside the curves, on the run that it was opened for."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle("Results")
        self._background = Background(self)
        self._background.answered.connect(self._answered)
        self._question = 0
        self._work = _Work()
        self._path = ""
        self._examined: _Examined | None = None
        self._shown = _Shown()

        self.title = named(QLabel(self), "title")
        self.summary = QLabel(self)
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.part = QComboBox(self)
        self.part.addItem("Validation images", "validation")
        self.part.addItem("Test images", "test")
        self.part.setAccessibleName("Images")
        self.copy = QToolButton(self)
        self.copy.setText("Copy as CSV")
        self.copy.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.copy)
        menu.addAction("Confusion matrix", self.copy_matrix)
        menu.addAction("Accuracy by class", self.copy_classes)
        menu.addAction("Every image", self.copy_samples)
        self.copy.setMenu(menu)
        self.note = WrappedLabel()
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.cancel = QPushButton("Cancel", self)
        self.matrix = ConfusionView(self)
        self.classes = ClassTable(self)
        self.heading = QLabel(self)
        self.hardest = QPushButton("&Hardest images", self)
        self.hardest.setToolTip("The images with the highest loss")
        self.samples = SampleList(self)
        self._build()
        self.resize(1120, 720)

        self._polls = QTimer(self)
        self._polls.setInterval(POLL_MS)
        self._polls.timeout.connect(self._poll)
        self.part.currentIndexChanged.connect(self._ask)
        self.cancel.clicked.connect(self._cancel)
        self.hardest.clicked.connect(self.show_hardest)
        self.matrix.chosen.connect(self.show_cell)
        self.classes.chosen.connect(self.show_mistakes)

    def _build(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.part)
        head.addWidget(self.copy)
        self._waiting = QWidget(self)
        row = QHBoxLayout(self._waiting)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        zooms = QHBoxLayout()
        for text, tip, slot in (
            ("−", "Smaller cells (−, Ctrl+wheel)", self.matrix.zoom_out),
            ("+", "Larger cells (+, Ctrl+wheel)", self.matrix.zoom_in),
            ("Fit", "The whole matrix (F)", self.matrix.fit),
        ):
            button = QToolButton(self)
            button.setText(text)
            button.setToolTip(tip)
            button.clicked.connect(slot)
            zooms.addWidget(button)
        zooms.addStretch(1)
        left = QWidget(self)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.matrix, 1)
        column.addLayout(zooms)
        below = QWidget(self)
        column = QVBoxLayout(below)
        column.setContentsMargins(0, 0, 0, 0)
        line = QHBoxLayout()
        line.addWidget(self.heading, 1)
        line.addWidget(self.hardest)
        column.addLayout(line)
        column.addWidget(self.samples, 1)
        right = QSplitter(Qt.Orientation.Vertical, self)
        right.addWidget(self.classes)
        right.addWidget(below)
        right.setSizes([260, 380])
        self.body = QSplitter(Qt.Orientation.Horizontal, self)
        self.body.addWidget(left)
        self.body.addWidget(right)
        self.body.setSizes([620, 500])
        self.body.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.addLayout(head)
        layout.addWidget(self.summary)
        layout.addWidget(self.note)
        layout.addWidget(self._waiting)
        layout.addWidget(self.body, 1)
        layout.addStretch(0)

    # -- which run -------------------------------------------------------------------------------------------------

    @property
    def analysis(self) -> Analysis | None:
        """What is on show; None while it is being worked out and where it cannot be."""
        return self._examined.analysis if self._examined is not None else None

    def show_run(self, path: str, title: str) -> None:
        """Opens on a run."""
        self.title.setText(title)
        self._path = path
        self.show()
        self.raise_()
        self.activateWindow()
        self._ask()

    def _ask(self) -> None:
        if not self._path:
            return
        self._work.cancelled = True  # whatever is under way
        self._work = _Work("Loading the run")
        self._show(None)
        self._say("")
        self._question = self._background.ask(
            _examine, self._path, self.part.currentData(), self._work, newest_only=True
        )
        self._waiting.show()
        self._polls.start()
        self._poll()

    def _poll(self) -> None:
        work = self._work
        self.bar.setRange(0, work.total)
        self.bar.setValue(work.done)
        self.summary.setText(f"{work.message}…")

    def _cancel(self) -> None:
        self._work.cancelled = True
        self._end()
        self._question = 0
        self._say("Cancelled. Choose the images again to look at them.")

    def _end(self) -> None:
        self._polls.stop()
        self._waiting.hide()
        self.summary.clear()

    def _say(self, text: str) -> None:
        self.note.say(text)
        self.note.setVisible(bool(text))

    def _answered(self, answer: Answer) -> None:
        if answer.id == self._question:
            self._question = 0
            self._end()
            if isinstance(answer.result, _Examined):
                self._show(answer.result)
            else:
                self._say(str(answer.error))
        elif answer.id == self._shown.question and self.analysis is not None:
            if isinstance(answer.result, list):
                self.samples.samples.show_samples(self._shown.samples, self.analysis.classes, answer.result)
            elif answer.error is not None:
                self._say(str(answer.error))

    def _show(self, examined: _Examined | None) -> None:
        self._examined = examined
        analysis = self.analysis
        self.body.setVisible(analysis is not None)
        self.copy.setEnabled(analysis is not None)
        self.matrix.show_analysis(analysis)
        self.classes.texts.show_analysis(analysis)
        self.samples.samples.show_samples((), (), ())
        if analysis is not None:
            wrong = sum(sample.label != sample.prediction for sample in analysis.samples)
            five = f"   ·   top-5 {100 * analysis.top5_accuracy:.2f} %" if len(analysis.classes) > 5 else ""
            count = f"{len(analysis.samples):,} images"
            views = f", {analysis.views} views of each" if analysis.views > 1 else ""
            self.summary.setText(f"{100 * analysis.accuracy:.2f} % of {count}{views}{five}   ·   {wrong:,} wrong")
            self.show_hardest()

    # -- images ----------------------------------------------------------------------------------------------------

    def show_hardest(self) -> None:
        """Lists the images with the highest loss."""
        if self.analysis is not None:
            self._show_samples("Hardest images, by loss", self.analysis.hardest(MOST_SAMPLES))

    def show_cell(self, label: int, prediction: int) -> None:
        """Lists the images of a cell of the matrix."""
        if self.analysis is not None:
            self._show_samples(self.matrix.describe(label, prediction), self.analysis.cell(label, prediction))

    def show_mistakes(self, label: int) -> None:
        """Lists the images of a class that were taken for another one."""
        if self.analysis is None:
            return
        wrong = [sample for sample in self.analysis.samples if sample.label == label != sample.prediction]
        wrong.sort(key=lambda sample: -sample.loss)
        told = f"{len(wrong):,} of {sum(self.analysis.confusion[label]):,}" if wrong else "none"
        self._show_samples(f"{self.analysis.classes[label]}: {told} taken for others", wrong)

    def _show_samples(self, heading: str, samples: Sequence[Sample]) -> None:
        if self._examined is None:
            return
        more = f" (the first {MOST_SAMPLES} of {len(samples):,})" if len(samples) > MOST_SAMPLES else ""
        samples = samples[:MOST_SAMPLES]
        self.heading.setText(heading + more)
        self.samples.samples.show_samples(samples, self._examined.analysis.classes, ())
        places = [sample.index for sample in samples]
        self._shown = _Shown(self._background.ask(_pictures, self._examined.images, places), samples)

    # -- copying ---------------------------------------------------------------------------------------------------

    def copy_matrix(self) -> None:
        """Copies the counts: a row for each class, a column for each prediction."""
        if self.analysis is not None:
            rows = zip(self.analysis.classes, self.analysis.confusion, strict=True)
            _copy([("class", *self.analysis.classes), *((name, *counts) for name, counts in rows)])

    def copy_classes(self) -> None:
        """Copies each class's images and accuracy."""
        if self.analysis is not None:
            rows = zip(self.analysis.classes, self.analysis.confusion, self.analysis.class_accuracies, strict=True)
            _copy([("class", "images", "accuracy"), *((name, sum(counts), share) for name, counts, share in rows)])

    def copy_samples(self) -> None:
        """Copies the verdict on every image."""
        if self.analysis is not None:
            names = self.analysis.classes
            head = ("image", "class", "prediction", "probability", "loss")
            rows = (
                (item.index, names[item.label], names[item.prediction], item.probability, item.loss)
                for item in self.analysis.samples
            )
            _copy([head, *rows])

    # -- end -------------------------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:
        self._work.cancelled = True
        super().closeEvent(event)

    def stop(self, wait_ms: int = 100) -> bool:
        """Ends what is under way; returns whether the thread has ended."""
        self._work.cancelled = True
        self._polls.stop()
        return self._background.stop(wait_ms)


def _copy(rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    QGuiApplication.clipboard().setText(text.getvalue())
