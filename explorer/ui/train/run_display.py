"""Says of the run on show where it stands: in the heading, and in the window's status bar while it trains."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from explorer.data.download import Progress
from explorer.training.events import Epoch, Evaluating, Event, Finished, Started, Steps
from explorer.training.recipe import Recipe
from explorer.ui.numbers import short_bytes, short_time
from explorer.ui.train.heading import Heading
from explorer.ui.train.trainer import Trainer


class RunDisplay(QObject):
    """Takes what a run that trains here tells, and what is read of one that does not."""

    status_changed = Signal(str)
    progress_changed = Signal(float)
    """Share of the run that is done, from 0 to 1; negative when nothing trains."""

    def __init__(self, heading: Heading, parent: QObject) -> None:
        super().__init__(parent)
        self._heading, self._figures = heading, heading.figures
        self.started: Started | None = None
        """What the run that trains here began with."""
        self._paused = False

    def prepare(self, recipe: Recipe) -> None:
        """Shows a run that is about to begin."""
        self.started = None
        self._heading.show_recipe(recipe)
        self._figures["state"].setText("preparing…")
        self.progress_changed.emit(0.0)

    def show_events(self, events: Sequence[Event]) -> None:
        """Shows what the run that trains here tells."""
        for event in events:
            if isinstance(event, Started):
                self.started = event
                self._figures["state"].setText("training")
                self._heading.show_started(event)
            elif isinstance(event, Epoch):
                self._figures.show_epoch(event)
        self._show_latest({type(event): event for event in events})

    def _show_latest(self, latest: dict[type, Event]) -> None:
        progress, steps, evaluating = latest.get(Progress), latest.get(Steps), latest.get(Evaluating)
        if isinstance(progress, Progress) and self.started is None:
            amount = f" {short_bytes(progress.done)} of {short_bytes(progress.total)}" if progress.total else ""
            self.status_changed.emit(f"{progress.message}{amount}")
            self.progress_changed.emit(progress.done / progress.total if progress.total else 0.0)
        if isinstance(steps, Steps) and self.started is not None:
            total = self.started.steps_per_epoch * self.started.epochs
            self._figures.show_steps(steps, self.started.epochs)
            self.progress_changed.emit(steps.step / total)
            place = f"{self.started.architecture}: step {steps.step:,} of {total:,}"
            left = f"{short_time(steps.seconds_left)} left"
            self.status_changed.emit(f"Paused, {place}" if self._paused else f"Training {place}, {left}")
        if isinstance(evaluating, Evaluating):
            self.status_changed.emit(f"Evaluating: {evaluating.done:,} of {evaluating.total:,} images")
        finished = latest.get(Finished)
        if isinstance(finished, Finished):
            self._heading.show_finished(finished)

    def show_state(self, trainer: Trainer) -> None:
        """Shows what the run that trains here has been asked to do."""
        if trainer.paused != self._paused:
            self._paused = trainer.paused
            self.status_changed.emit("Paused" if self._paused else "Going on…")
        if trainer.stopping:
            self._figures["state"].setText("stopping…")
        elif trainer.paused:
            self._figures["state"].setText("paused")
        elif trainer.stopping_after_epoch:
            self._figures["state"].setText("last epoch")
        elif self.started is not None:
            self._figures["state"].setText("training")

    def end(self, outcome: str) -> None:
        """Shows, in a word, how the run that trained here has ended."""
        self._paused = False
        self._figures["state"].setText(outcome)
        self._figures["left"].setText("–")
        self.status_changed.emit("")
        self.progress_changed.emit(-1.0)

    def show_read(self, recipe: Recipe, events: Sequence[Event], training: bool) -> None:
        """Shows a run that was read from its folder.

        Args:
            recipe: what the folder was made for.
            events: but for those of single steps.
            training: whether it goes on here.
        """
        self._heading.show_recipe(recipe)
        for started in [event for event in events if isinstance(event, Started)][-1:]:
            self._heading.show_started(started)
        for event in events:
            if isinstance(event, Epoch):
                self._figures.show_last_epoch(event, recipe.epochs)
        if not training:
            finished = [event for event in events if isinstance(event, Finished)]
            self._figures["state"].setText("finished" if finished else "stopped")
            for event in finished[-1:]:
                self._heading.show_finished(event)
