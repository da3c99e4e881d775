"""A window that shows what is in a dataset before anything is trained on it."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from explorer.data.download import Progress
from explorer.data.image_set import BrokenFile
from explorer.data.overview import Overview, overview
from explorer.ui.train.class_samples import ClassSamples
from explorer.ui.train.iteration_dialog import IterationDialog
from explorer.ui.widgets.labels import WrappedLabel
from explorer.ui.widgets.named import named

POLL_MS = 100
MOST_LISTED = 500
_NAMES = {"train": "training"}


def facts(told: Overview) -> str:
    """Returns counts and statistics of a dataset, on two lines."""
    counts = ", ".join(f"{part.images:,} {_NAMES.get(part.name, part.name)}" for part in told.parts)
    balance = "balanced" if told.imbalance < 1.05 else f"the largest class has {told.imbalance:.3g} × the smallest"
    if math.isinf(told.imbalance):
        balance = "a class has no training images"
    mean, std = (", ".join(f"{value:.4f}" for value in values) for values in (told.mean, told.std))
    of = "" if told.measured == told.parts[0].images else f" (of {told.measured:,} images)"
    place = "held in memory" if told.in_memory else "streamed from the disk"
    return f"{counts} images in {len(told.info.classes):,} classes; {balance}; {place}\nmean {mean}; std {std}{of}"


def file_list(title: str, files: Sequence[BrokenFile]) -> list[str]:
    """Returns lines that name files and say why."""
    lines = [f"{title} ({len(files):,}):"] if files else []
    lines += [f"  {file.path}: {file.reason}" for file in files[:MOST_LISTED]]
    return lines + ([f"  and {len(files) - MOST_LISTED:,} more"] if len(files) > MOST_LISTED else [])


class DatasetBrowser(IterationDialog):
    """Looks through a dataset at once when it is made."""

    def __init__(self, name: str, folder: str, input: tuple[int, int, int] | None, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle("Dataset")
        self.title = named(QLabel(name, self), "title")
        self.note = WrappedLabel()
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 0)
        self.table = ClassSamples(self)
        self.files = QPlainTextEdit(self)
        self.files.setReadOnly(True)
        self.files.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.files.setAccessibleName("Files that cannot be read, or may not belong")
        self.files.hide()
        parts = QSplitter(Qt.Orientation.Vertical, self)
        parts.addWidget(self.table)
        parts.addWidget(self.files)
        parts.setSizes([420, 120])
        close = QPushButton("Close", self)
        close.clicked.connect(self.close)
        column = QVBoxLayout(self)
        for widget in (self.title, self.note, self.bar):
            column.addWidget(widget)
        column.addWidget(parts, 1)
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        self.resize(820, 620)
        self.told: Overview | None = None
        place = Path(folder) if folder else None
        self.work(functools.partial(overview, name, place, input), POLL_MS, computes=False)

    def take_steps(self) -> None:
        """Shows how far the reading is."""
        latest = None
        while self.iteration.steps:
            latest = self.iteration.steps.popleft()
        if isinstance(latest, Progress):
            self.note.say(f"{latest.message}…")
            self.bar.setRange(0, 1000 if latest.total else 0)
            self.bar.setValue(round(1000 * latest.done / latest.total) if latest.total else 0)

    def show_end(self) -> None:
        """Shows what was found."""
        self.bar.hide()
        if self.iteration.error is not None:
            self.note.say(str(self.iteration.error))
        elif isinstance(self.iteration.result, Overview):
            self._show(self.iteration.result)

    def _show(self, told: Overview) -> None:
        self.told = told
        self.title.setText(told.info.title)
        self.note.say(facts(told))
        self.table.show_overview(told)
        lines = file_list("Left out", told.broken) + file_list("To be looked at", told.doubtful)
        self.files.setPlainText("\n".join(lines))
        self.files.setVisible(bool(lines))
