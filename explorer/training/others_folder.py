"""The run's folder for the processes that do not write."""

from __future__ import annotations

from typing import Any

from explorer.tasks.weights_file import ModelSpec
from explorer.training.events import Event
from explorer.training.run_folder import RunFolder


class OthersFolder(RunFolder):
    """A run's folder that another process writes: what is saved here is left to that one, and nothing is read."""

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Writes nothing."""

    def save_best(self, weights: dict[str, Any], spec: ModelSpec) -> None:
        """Writes nothing."""

    def append(self, event: Event) -> None:
        """Writes nothing."""

    def rewind(self, epochs: int, step: int) -> None:
        """Drops nothing."""
