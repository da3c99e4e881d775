"""The line below the form: what a run by the recipe will take, measured by a few steps that nothing comes of."""

from __future__ import annotations

import functools
import math
import re

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from explorer.architectures.cards import catalogue
from explorer.architectures.surgery.steps import base_of
from explorer.data.catalogue import DATASETS
from explorer.data.download import Progress
from explorer.training.preflight import Preflight, preflight
from explorer.training.recipe import Recipe
from explorer.ui.explore.network_filter import counts
from explorer.ui.numbers import short_bytes, short_time
from explorer.ui.train.iteration import Iteration
from explorer.ui.widgets.labels import WrappedLabel
from explorer.ui.widgets.named import named

QUIET_MS = 800
"""Without a change, before a step is tried."""
SMALL_STEP = 2e10
"""MACs of a batch up to which a step is tried without being asked for: it takes a second or two on a processor."""
POLL_MS = 100


def is_small(recipe: Recipe) -> bool:
    """Returns whether a step of it is known to take so little that nobody needs to ask for it."""
    info = DATASETS.get(recipe.dataset)
    entries = {entry.name: entry for entry in catalogue()}
    entry = entries.get(base_of(recipe.architecture))
    if entry is None or info is None or not info.offline or recipe.weights:
        return False
    _, macs = counts(entry)
    if macs is None:
        return False
    size = recipe.input or entry.input
    return macs * math.prod(size[1:]) / math.prod(entry.input[1:]) * recipe.batch_size <= SMALL_STEP


def summary(measured: Preflight) -> str:
    """Returns what a run will take, on one line."""
    parts = [f"{measured.params:,} parameters"]
    if measured.peak_bytes is not None:
        what = "a step" if measured.device == "cuda" else "the program"
        parts.append(f"{short_bytes(measured.peak_bytes)} for {what}")
    run = short_time(measured.run_seconds)
    epoch = short_time(measured.epoch_seconds) if measured.epoch_seconds >= 1 else f"{measured.epoch_seconds:.1g} s"
    parts.append(f"an epoch of {measured.steps_per_epoch:,} steps in {epoch}, all in {run}")
    if measured.largest_batch is not None:
        about = "" if measured.device == "cuda" else "about "
        parts.append(f"batches up to {about}{measured.largest_batch:,} fit")
    # A line may end after any word, but not within a number and its unit.
    return "\u00a0\u00a0· ".join(re.sub(r"(?<=\d) (?=(s|min|[kMGT]?B)\b)", "\u00a0", part) for part in parts)


class PreflightLine(QWidget):
    """Says what was measured; a small recipe is measured by itself, any other when asked for."""

    batch_wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.label = named(WrappedLabel(), "muted")
        self.check = QPushButton("Check", self)
        self.check.setToolTip("Try a few steps: parameters, memory, time, and the largest batch that fits")
        self.use_batch = QPushButton(self)
        self.use_batch.setToolTip("The largest batch that fits into the GPU's memory")
        self.use_batch.hide()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.label, 1)
        row.addWidget(self.use_batch)
        row.addWidget(self.check)
        self._recipe: Recipe | None = None
        self._measured: Recipe | None = None
        self.result: Preflight | None = None
        """Of the recipe that was measured last."""
        self._iteration: Iteration | None = None
        self._held = False
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(QUIET_MS)
        self._quiet.timeout.connect(self._check_if_small)
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._show_progress)
        self.check.clicked.connect(self.begin)
        self.use_batch.clicked.connect(self._use_batch)

    def set_recipe(self, recipe: Recipe | None) -> None:
        """Shows what is known of a recipe; None for one that cannot be trained."""
        if recipe == self._recipe:
            return
        self._recipe = recipe
        self.check.setEnabled(recipe is not None and not self._held)
        self._stop()
        if recipe is not None and recipe == self._measured and self.result is not None:
            self._show(self.result)
            return
        self.use_batch.hide()
        self.label.say("Memory and time are not known yet." if recipe else "")
        self._quiet.start()

    def hold(self, held: bool) -> None:
        """Keeps quiet while a run is trained."""
        self._held = held
        self.setHidden(held)
        self.check.setEnabled(self._recipe is not None and not held)
        if held:
            self._stop()
        elif self._recipe != self._measured:
            self._quiet.start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._recipe != self._measured:
            self._quiet.start()

    def _check_if_small(self) -> None:
        if self._recipe is not None and self.isVisible() and not self._held and is_small(self._recipe):
            self.begin()

    def begin(self) -> None:
        """Tries a few steps, in place of those that are being tried."""
        self._stop()
        if self._recipe is None or self._held:
            return
        self.label.say("Trying a few steps…")
        self._measured, self.result = self._recipe, None
        self._iteration = Iteration(functools.partial(preflight, self._recipe), self)
        self._iteration.finished.connect(self._ended)
        self._iteration.start()
        self._poll.start()

    def _stop(self) -> None:
        self._quiet.stop()
        self._poll.stop()
        if self._iteration is not None:
            self._iteration.stop()
            self._measured = None
            self._iteration = None

    def _show_progress(self) -> None:
        steps = self._iteration.steps if self._iteration is not None else None
        while steps:
            step = steps.popleft()
            if isinstance(step, Progress):
                self.label.say(f"{step.message}…")

    def _ended(self) -> None:
        ended = self.sender()
        if not isinstance(ended, Iteration):
            return
        ended.deleteLater()
        if ended is not self._iteration:
            return
        self._iteration = None
        self._poll.stop()
        if isinstance(ended.result, Preflight):
            self.result = ended.result
            self._show(self.result)
        elif ended.error is not None:
            self.label.say(str(ended.error))

    def _show(self, measured: Preflight) -> None:
        self.label.say(summary(measured))
        size = measured.largest_batch
        larger = size is not None and self._recipe is not None and size > self._recipe.batch_size
        larger = larger and measured.device == "cuda"  # elsewhere it is hardly faster
        self.use_batch.setVisible(larger)
        self.use_batch.setText(f"Use {size:,}" if larger else "")

    def _use_batch(self) -> None:
        if self.result is not None and self.result.largest_batch is not None:
            self.batch_wanted.emit(self.result.largest_batch)
