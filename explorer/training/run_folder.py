"""A run on disk: recipe, metrics, last checkpoint and best weights, each written so that a crash cannot spoil it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from explorer.errors import InputError
from explorer.tasks.weights_file import ModelSpec, save_weights
from explorer.training.events import Event, to_document
from explorer.training.recipe import Recipe, load_recipe

RECIPE, METRICS, LAST, BEST = "recipe.toml", "metrics.jsonl", "last.ckpt", "best.safetensors"


def runs_folder() -> Path:
    """Returns where runs are kept: `EXPLORER_RUNS`, else the user's data folder."""
    from platformdirs import user_data_path

    chosen = os.environ.get("EXPLORER_RUNS")
    return Path(chosen) if chosen else user_data_path("architecture-explorer", appauthor=False) / "runs"


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a list of runs shows of one."""

    path: str
    name: str
    architecture: str
    dataset: str
    epochs: int
    """Of the recipe."""
    epochs_done: int
    best_accuracy: float | None
    finished: bool
    resumable: bool
    has_weights: bool


class RunFolder:
    """One run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, recipe: Recipe, path: Path | None = None) -> RunFolder:
        """Makes the folder of a new run and writes its recipe.

        Args:
            recipe: what will be trained.
            path: the folder; None for a new one among the user's runs, named by time, network and dataset.

        Raises:
            InputError: the folder cannot be made or holds a run already.
        """
        if path is None:
            stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
            label = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{Path(recipe.architecture).name}_{recipe.dataset}")
            path = runs_folder() / f"{stamp}_{label}"
            for number in range(2, 1000):
                if not path.exists():
                    break
                path = path.with_name(f"{stamp}_{label}_{number}")
        if (path / RECIPE).exists():
            raise InputError(f"{path} holds a run already: resume it or name another folder")
        try:
            path.mkdir(parents=True, exist_ok=True)
            folder = cls(path)
            folder._replace(RECIPE, lambda target: target.write_text(recipe.to_toml(), encoding="utf-8"))
        except OSError as error:
            raise InputError(f"the run folder {path} cannot be written: {error.strerror}") from None
        return folder

    @property
    def recipe(self) -> Recipe:
        """The recipe that the folder was made for.

        Raises:
            InputError: the folder holds no readable recipe.
        """
        if not (self.path / RECIPE).is_file():
            raise InputError(f"{self.path} is not the folder of a run: it has no {RECIPE}")
        return load_recipe(self.path / RECIPE)

    def _replace(self, name: str, write: Callable[[Path], object]) -> None:
        """Writes a file under another name, makes sure it is on the disk, and renames it into place."""
        target, partial = self.path / name, self.path / f"{name}.part"
        try:
            write(partial)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Writes `last.ckpt`, from which the run can be resumed."""
        import torch

        self._replace(LAST, lambda target: torch.save(state, target))

    def load_checkpoint(self) -> dict[str, Any]:
        """Reads `last.ckpt` without executing anything in it.

        Raises:
            InputError: there is none, or it is damaged or holds more than tensors and plain values.
        """
        import pickle

        import torch

        path = self.path / LAST
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            raise InputError(f"{self.path} has no {LAST} to resume from: start a new run") from None
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"{path} is not a checkpoint of this program, nothing was loaded ({reason})") from None
        if not isinstance(state, dict) or state.get("version") != 1:
            raise InputError(f"{path} is not a checkpoint of this program")
        return state

    def save_best(self, weights: dict[str, Any], spec: ModelSpec) -> None:
        """Writes `best.safetensors`, which classification loads."""
        self._replace(BEST, lambda target: save_weights(target, weights, spec))

    def append(self, event: Event) -> None:
        """Adds an event to the metrics."""
        with (self.path / METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(to_document(event)) + "\n")

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Yields the events so far; a line that a crash cut short is left out."""
        try:
            with (self.path / METRICS).open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    try:
                        event = json.loads(line)
                    except ValueError:
                        continue
                    if isinstance(event, dict) and "event" in event:
                        yield event
        except FileNotFoundError:
            return

    def rewind(self, step: int) -> None:
        """Drops what the metrics tell of later steps: those are trained again."""
        kept = [event for event in self.metrics() if event.get("step", 0) <= step and event["event"] != "finished"]
        text = "".join(json.dumps(event) + "\n" for event in kept)
        self._replace(METRICS, lambda target: target.write_text(text, encoding="utf-8"))

    def summary(self) -> RunSummary:
        """Returns what a list shows of the run.

        Raises:
            InputError: the folder holds no readable recipe.
        """
        recipe = self.recipe
        epochs = [event for event in self.metrics() if event["event"] in ("epoch", "finished")]
        finished = any(event["event"] == "finished" for event in epochs)
        accuracies = [event["validation_accuracy"] for event in epochs if "validation_accuracy" in event]
        return RunSummary(
            path=str(self.path),
            name=self.path.name,
            architecture=recipe.architecture,
            dataset=recipe.dataset,
            epochs=recipe.epochs,
            epochs_done=len(accuracies),
            best_accuracy=max(accuracies, default=None),
            finished=finished,
            resumable=not finished and (self.path / LAST).is_file(),
            has_weights=(self.path / BEST).is_file(),
        )


def list_runs() -> list[RunSummary]:
    """Returns the user's runs, newest first; folders that hold none are passed over."""
    folder = runs_folder()
    summaries = []
    for path in sorted(folder.iterdir(), reverse=True) if folder.is_dir() else []:
        if (path / RECIPE).is_file():
            try:
                summaries.append(RunFolder(path).summary())
            except InputError:
                continue
    return summaries
