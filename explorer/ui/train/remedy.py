"""What may help a run that has failed."""

from __future__ import annotations

from pathlib import Path

from explorer.training.errors import TrainingError, UnwritableError
from explorer.ui.train.trainer import Trainer


class Remedy:
    """How a run that has failed may go on, where that was for want of memory or of room on the disk."""

    def __init__(self, trainer: Trainer) -> None:
        error, self.folder = trainer.error, trainer.folder
        self.parts = error.accumulate if isinstance(error, TrainingError) else 0
        """That its batch fits in; 0 where it may stay whole."""
        there = self.folder is not None and self.folder.path.is_dir()
        again = there and isinstance(error, UnwritableError)
        self.offer = f"Go on in {self.parts} parts" if there and self.parts else "Try again" if again else ""
        """What the user may be asked; empty where nothing helps."""

    def apply(self) -> Path | None:
        """Prepares the run to go on and returns its folder; None where nothing helps.

        Raises:
            InputError: its recipe cannot be read.
            TrainingError: its recipe cannot be written.
        """
        if self.folder is None or not self.offer:
            return None
        if self.parts:
            self.folder.take_in_parts(self.parts)
        return self.folder.path
