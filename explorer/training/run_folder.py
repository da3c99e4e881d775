"""A run on disk: recipe, metrics, last checkpoint and best weights, each written so that a crash cannot spoil it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from explorer.errors import InputError
from explorer.tasks.weights_file import ModelSpec, save_weights
from explorer.training.errors import TrainingError, UnwritableError
from explorer.training.events import (
    Epoch,
    Event,
    Finished,
    LayerRatios,
    LayerStatistics,
    RateChanged,
    Started,
    Steps,
    to_document,
)
from explorer.training.metrics_index import METRICS, Metrics, cut, note, partial, read_metrics
from explorer.training.recipe import Recipe, load_recipe
from explorer.training.run_lock import LOCK, Trained, release, take, trained
from explorer.training.tensorboard import append_histograms, append_scalars, mark_restart
from explorer.whole_file import append_whole, write_whole

RECIPE, LAST, BEST = "recipe.toml", "last.ckpt", "best.safetensors"
TITLE = "title.txt"
LONGEST_TITLE = 200


PLACE = "EXPLORER_RUNS"
"""The environment variable that names another folder of runs than the user's data folder."""


def runs_folder() -> Path:
    """Returns where runs are kept: `EXPLORER_RUNS`, else the user's data folder."""
    from platformdirs import user_data_path

    chosen = os.environ.get(PLACE)
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
    title: str = ""
    """What the user calls the run; empty where it has no name of its own."""
    trained: Trained = ""
    """Whether a process trains it."""


def _make_folder(recipe: Recipe, place: Path | None) -> Path:
    """Makes a folder that nothing else uses, named by time, network and dataset.

    Args:
        recipe: what will be trained.
        place: the folder to make it in, which has to be there; None for the user's folder of runs.
    """
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    label = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{Path(recipe.architecture).name}_{recipe.dataset}")[:100]
    path = (place or runs_folder()) / f"{stamp}_{label}"
    number = 1
    while True:
        try:
            path.mkdir(parents=place is None)  # a disk that is not there is not to be replaced by a folder
        except FileExistsError:
            number += 1
            path = path.with_name(f"{stamp}_{label}_{number}")
        else:
            return path


def _unwritable(path: Path, error: Exception) -> UnwritableError:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OSError):  # torch covers what the system said
        cause = cause.__context__
    reason = (cause.strerror if cause else "") or " ".join(str(error).split())
    return UnwritableError(f"{path} cannot be written ({reason}): see that its folder is there and the disk has room")


def _is_before(event: Event, epochs: int, step: int) -> bool:
    if isinstance(event, Epoch):
        return event.epoch <= epochs
    if isinstance(event, RateChanged):  # belongs to its step, which is trained again with the same rate
        return True
    # A start at this very step is one that came to nothing: the next one takes its place.
    before = step - 1 if isinstance(event, Started) else step
    return isinstance(event, Steps | LayerRatios | Started) and event.step <= before


class RunFolder:
    """One run's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, recipe: Recipe, path: Path | None = None, place: Path | None = None) -> RunFolder:
        """Makes the folder of a new run and writes its recipe.

        Args:
            recipe: what will be trained.
            path: the folder; None for a new one, named by time, network and dataset.
            place: the folder to make the new one in, which has to be there; None for the user's folder of runs.

        Raises:
            InputError: the folder cannot be made or holds a run already.
        """
        taken = InputError(f"{path} holds a run already: resume it or name another folder")
        try:
            if path is not None and (path / RECIPE).exists():
                raise taken
            folder = cls(path or _make_folder(recipe, place))
            folder.path.mkdir(parents=True, exist_ok=True)
            with folder._held():
                if (folder.path / RECIPE).exists():  # another process has made a run of it meanwhile
                    raise taken
                folder._replace(RECIPE, lambda target: target.write_text(recipe.to_toml(), encoding="utf-8"))
        except OSError as error:
            wanted = path or place or runs_folder()
            raise InputError(
                f"the run folder {wanted} cannot be made ({error.strerror or error}): name another one"
            ) from None
        except TrainingError as error:
            raise InputError(str(error)) from None
        return folder

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps a second training out of the folder; the system ends the lock with the process, however that ends.

        Raises:
            InputError: the run is being trained already, or the folder is not there.
            TrainingError: the folder cannot be written to.
        """
        if not os.path.isfile(self.path / RECIPE):
            raise InputError(f"{self.path} is not the folder of a run: start a new run")
        with self._held():
            yield

    @contextmanager
    def _held(self) -> Iterator[None]:
        try:
            file = take(self.path)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        try:
            yield
        finally:
            release(file)

    def take_in_parts(self, parts: int) -> Recipe:
        """Has the run go on with each batch in so many parts, which takes less memory, and returns its recipe.

        Raises:
            InputError: the run is being trained, or the folder holds no readable recipe.
            TrainingError: the recipe cannot be written.
        """
        with self.lock():
            recipe = replace(self.recipe, accumulate=parts)
            self._replace(RECIPE, lambda target: target.write_text(recipe.to_toml(), encoding="utf-8"))
        return recipe

    @property
    def begun(self) -> bool:
        """Whether training has left anything in it."""
        return any((self.path / name).exists() for name in (METRICS, LAST, BEST))

    def discard(self) -> None:
        """Removes the folder of a run that has not begun; one that has, or that holds anything else, is left alone.

        Raises:
            InputError: the run is being trained.
        """
        with self.lock():
            alone = {path.name for path in self.path.iterdir()} <= {RECIPE, LOCK}
            if alone:
                (self.path / RECIPE).unlink()
        if alone:  # nobody takes it for a run any more; a file that is open stays where it is on Windows
            with suppress(OSError):
                (self.path / LOCK).unlink()
                self.path.rmdir()

    @property
    def recipe(self) -> Recipe:
        """The recipe that the folder was made for.

        Raises:
            InputError: the folder holds no readable recipe.
        """
        if not os.path.isfile(self.path / RECIPE):  # says no where Path.is_file would raise, for too long a name
            raise InputError(f"{self.path} is not the folder of a run: it has no {RECIPE}")
        return load_recipe(self.path / RECIPE)

    @property
    def title(self) -> str:
        """What the user calls the run; empty where it has no name of its own."""
        try:
            with (self.path / TITLE).open(encoding="utf-8", errors="replace") as file:
                return " ".join(file.read(4 * LONGEST_TITLE).split())[:LONGEST_TITLE]
        except OSError:
            return ""

    def rename(self, title: str) -> None:
        """Calls the run something else; an empty title takes its name away.

        Raises:
            TrainingError: it cannot be written.
        """
        text = " ".join(title.split())[:LONGEST_TITLE] + "\n"
        self._replace(TITLE, lambda target: target.write_text(text, encoding="utf-8"))

    def _replace(self, name: str, write: Callable[[Path], object]) -> None:
        """Writes a file whole or not at all.

        Raises:
            TrainingError: it cannot be written; the file is what it was before.
        """
        target = self.path / name
        try:
            write_whole(target, partial(target), write)
        except Exception as error:  # torch and safetensors have exceptions of their own for a full disk
            raise _unwritable(target, error) from error

    def save_checkpoint(self, state: dict[str, Any]) -> None:
        """Writes `last.ckpt`, from which the run can be resumed; not into what is left of a folder that was removed."""
        import torch

        def write(target: Path) -> None:
            (self.path / RECIPE).stat()
            with target.open("wb") as file:  # given a path, torch would not tell why it cannot write
                torch.save(state, file)

        self._replace(LAST, write)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Reads `last.ckpt` without executing anything in it; None where the run ended before its first one.

        Raises:
            InputError: it is gone or damaged, or holds more than tensors and plain values.
        """
        import torch

        path = self.path / LAST
        try:
            with ZipFile(path) as archive:  # torch does not compare the sums that it has written
                whole = archive.testzip() is None
            state = torch.load(path, map_location="cpu", weights_only=True) if whole else None
        except FileNotFoundError:
            # The first checkpoint follows the first epoch. A run that is killed before it begins anew.
            if sum(isinstance(event, Epoch) for event in self.read_metrics().events) > 1:
                raise InputError(f"{self.path} has lost its {LAST}, to resume from: start a new run") from None
            return None
        except Exception:  # whatever a damaged file makes torch raise
            state = None
        if not isinstance(state, dict) or state.get("version") != 1:
            raise InputError(
                f"{path} is damaged or not a checkpoint of this program, nothing was loaded: start a new run"
            )
        return state

    def save_best(self, weights: dict[str, Any], spec: ModelSpec) -> None:
        """Writes `best.safetensors`, which classification loads."""
        self._replace(BEST, lambda target: save_weights(target, weights, spec))

    def append(self, event: Event) -> None:
        """Adds an event to the metrics; histograms, which would swell them, to TensorBoard's file alone.

        Raises:
            TrainingError: it cannot be written.
        """
        if isinstance(event, LayerStatistics):
            append_histograms(self.path, event)
            return
        path = self.path / METRICS
        try:
            with path.open("ab", buffering=0) as file:
                begin = file.tell()
                line = json.dumps(to_document(event)).encode() + b"\n"
                append_whole(file, line)
        except OSError as error:
            raise _unwritable(path, error) from error
        note(path, event, begin, begin + len(line))
        append_scalars(self.path, event)

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Yields the events so far; a line that a crash cut short is left out.

        Raises:
            InputError: they cannot be read.
        """
        path = self.path / METRICS
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    try:
                        event = json.loads(line)
                    except (ValueError, RecursionError):
                        continue
                    if isinstance(event, dict) and "event" in event:
                        yield event
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}): start a new run") from None

    def read_metrics(self) -> Metrics:
        """Reads the events so far: those of steps as a table, at once however many there are.

        Raises:
            InputError: they cannot be read.
        """
        path = self.path / METRICS
        try:
            return read_metrics(path)
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}): start a new run") from None

    def rewind(self, epochs: int, step: int) -> None:
        """Drops what the metrics tell of later steps: those are trained again.

        Args:
            epochs: epochs that are complete.
            step: steps that are done.
        """
        path = self.path / METRICS
        try:
            for leftover in self.path.glob("*.part"):  # of a process that was killed
                leftover.unlink(missing_ok=True)
            cut(path, step, lambda event: _is_before(event, epochs, step))
        except OSError as error:
            raise _unwritable(path, error) from error
        mark_restart(self.path, step + 1)

    def summary(self) -> RunSummary:
        """Returns what a list shows of the run.

        Raises:
            InputError: the folder holds no readable recipe.
        """
        read = _summary(str(self.path), tuple(_signature(self.path / name) for name in _SUMMED_UP))
        return replace(read, trained=trained(self.path))


_SUMMED_UP = (RECIPE, METRICS, TITLE, LAST, BEST)


def _signature(path: Path) -> tuple[int, int] | None:
    """Returns what changes when a file is written."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=2048)
def _summary(path: str, signatures: object) -> RunSummary:
    """Reads a summary, again where one of its files has changed: a list of hundreds of runs is looked at often."""
    folder = RunFolder(Path(path))
    recipe, events = folder.recipe, folder.read_metrics().events
    accuracies = [event.validation_accuracy for event in events if isinstance(event, Epoch)]
    finished = any(isinstance(event, Finished) for event in events)
    return RunSummary(
        path=path,
        name=folder.path.name,
        architecture=recipe.architecture,
        dataset=recipe.dataset,
        epochs=recipe.epochs,
        epochs_done=len(accuracies),
        best_accuracy=max(accuracies, default=None),
        finished=finished,
        resumable=not finished and ((folder.path / LAST).is_file() or len(accuracies) <= 1),
        has_weights=(folder.path / BEST).is_file(),
        title=folder.title,
    )


def list_runs(others: Sequence[str] = (), places: Sequence[Path] = ()) -> list[RunSummary]:
    """Returns the user's runs, newest first; folders that hold none are passed over.

    Args:
        others: folders of single runs elsewhere, which come before the user's own.
        places: folders of runs that the user has beside the usual one.
    """
    own = [path for place in dict.fromkeys((runs_folder(), *places)) for path in _inside(place)]
    own.sort(key=lambda path: path.name, reverse=True)
    summaries = []
    for path in dict.fromkeys([*map(Path, others), *own]):
        if os.path.isfile(path / RECIPE):
            try:
                summaries.append(RunFolder(path).summary())
            except InputError:
                continue
    return summaries


def _inside(folder: Path) -> list[Path]:
    try:
        return [*folder.iterdir()]
    except OSError:  # not made yet, or a disk that is not there
        return []
