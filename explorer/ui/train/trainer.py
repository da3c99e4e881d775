"""The thread that trains: it iterates `fit` into a deque, which the page empties at its own pace."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

from PySide6.QtCore import QObject, QThread

from explorer.training.events import Command, Epoch, Event, LayerRequest, Steps
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.ui.train.iteration import alone


class Trainer(QThread):
    """Trains one run. `finished` is emitted at every end; `error` tells whether it was a bad one.

    Whoever owns it stops it and waits before dropping it.
    """

    def __init__(
        self, recipe: Recipe, folder: RunFolder | None, resume: bool, parent: QObject, place: Path | None = None
    ) -> None:
        """Prepares a run.

        Args:
            recipe: what to train.
            folder: the folder of a run to go on with; None for a new one, which is made when the thread starts.
            resume: whether to go on from the folder's checkpoint.
            parent: keeps this thread alive.
            place: the folder to make a new run's own in; None for the user's folder of runs.
        """
        super().__init__(parent)
        self.recipe, self.folder, self.resume = recipe, folder, resume
        self._place = place
        self.events: deque[Event] = deque()
        self.error: Exception | None = None
        self.completed = False
        """Whether the last epoch was reached."""
        self._stopping = self._stopping_after_epoch = False
        self._wanted: deque[Command] = deque()
        self._going = threading.Event()
        self._going.set()

    @property
    def paused(self) -> bool:
        """Whether it waits for `go_on`."""
        return not self._going.is_set()

    @property
    def stopping(self) -> bool:
        """Whether it has been asked to end."""
        return self._stopping

    @property
    def stopping_after_epoch(self) -> bool:
        """Whether it has been asked to end with the epoch that it is in."""
        return self._stopping_after_epoch

    def pause(self) -> None:
        """Waits after the step in flight."""
        self._going.clear()

    def go_on(self) -> None:
        """Ends a pause."""
        self._going.set()

    def stop(self) -> None:
        """Saves after the step in flight and ends; returns at once."""
        self._stopping = True
        self._going.set()

    def stop_after_epoch(self, wanted: bool = True) -> None:
        """Ends once the epoch that it is in has been evaluated and saved; a run in its last epoch completes."""
        self._stopping_after_epoch = wanted

    def change_rate(self, rate: float) -> None:
        """Makes `rate` the learning rate of the next step; the schedule goes on from there in proportion."""
        self._wanted.append(rate)

    def ask_layers(self) -> None:
        """Has the next step looked at in full: its LayerStatistics come among the events."""
        self._wanted.append(LayerRequest())

    def take_events(self) -> list[Event]:
        """Returns what the run has told since the last time."""
        return [self.events.popleft() for _ in range(len(self.events))]

    def run(self) -> None:
        try:
            from explorer.ui.torch_loading import load_torch

            load_torch()
            with alone(self._is_stopping) as granted:
                if granted:
                    self._train()
        except Exception as error:
            self.error = error

    def _is_stopping(self) -> bool:
        return self._stopping

    def _train(self) -> None:
        from explorer.training.fit import fit

        if self.folder is None:
            self.folder = RunFolder.create(self.recipe, place=self._place)
        events = fit(self.recipe, self.folder, resume=self.resume)
        try:
            event = next(events)
            while True:
                self.events.append(event)
                self._going.wait()
                if self._stopping or (self._stopping_after_epoch and self._is_end_of_epoch(event)):
                    return
                event = events.send(self._wanted.popleft() if self._wanted and isinstance(event, Steps) else None)
        except StopIteration:
            self.completed = True
        finally:
            events.close()

    def _is_end_of_epoch(self, event: Event) -> bool:
        return isinstance(event, Epoch) and event.epoch < self.recipe.epochs
