"""The run that trains in this window, if one does: what starts it, steers it and ends it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.ui.train.trainer import Trainer


class Session(QObject):
    """Trains one run at a time: asked for another one meanwhile, it does nothing."""

    began = Signal()
    changed = Signal()
    """The run was asked to wait, to go on or to end."""
    ended = Signal(object)
    """The `Trainer` whose thread has ended; another run may begin."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.trainer: Trainer | None = None

    def begin(self, recipe: Recipe, place: Path | None) -> None:
        """Starts a new run.

        Args:
            recipe: what to train.
            place: the folder to make the run's own in; None for the user's folder of runs.
        """
        if self.trainer is None:
            self._train(Trainer(recipe, None, False, self, place))

    def go_on(self, recipe: Recipe, folder: Path) -> None:
        """Goes on with a run where it stopped, or begins one whose folder has been made."""
        if self.trainer is None:
            self._train(Trainer(recipe, RunFolder(folder), True, self))

    def _train(self, trainer: Trainer) -> None:
        self.trainer = trainer
        trainer.finished.connect(self._ended)
        trainer.start()
        self.began.emit()

    def pause_or_go_on(self) -> None:
        """Has the run wait after the step in flight, or ends the waiting."""
        if self.trainer is not None:
            if self.trainer.paused:
                self.trainer.go_on()
            else:
                self.trainer.pause()
            self.changed.emit()

    def halt(self) -> None:
        """Saves and ends the run after the step in flight."""
        if self.trainer is not None:
            self.trainer.stop()
            self.changed.emit()

    def end_after_epoch(self, wanted: bool) -> None:
        """Ends the run with the epoch that it is in."""
        if self.trainer is not None:
            self.trainer.stop_after_epoch(wanted)
            self.changed.emit()

    def change_rate(self, rate: float) -> None:
        """Makes `rate` the learning rate of the next step."""
        if self.trainer is not None:
            self.trainer.change_rate(rate)

    def _ended(self) -> None:
        trainer = self.trainer
        if trainer is not None:
            trainer.wait()
            self.trainer = None
            self.ended.emit(trainer)
            trainer.deleteLater()

    def stop(self, wait_ms: int = 100) -> bool:
        """Saves and ends the run; returns whether its thread has ended."""
        if self.trainer is None:
            return True
        self.trainer.stop()
        return self.trainer.wait(wait_ms)
