"""Training as a generator of events: whoever iterates it decides when the next step is taken, and when it ends.

All chance comes from the recipe's seed and the number of the step, so a run that is interrupted and resumed, on the
same kind of processor, takes the same steps as one that is not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from explorer.architectures.registry import entry
from explorer.data.download import Progress
from explorer.errors import InputError
from explorer.tasks.weights_file import ModelSpec
from explorer.training.allocator import memory_kept
from explorer.training.device import threads
from explorer.training.engine import Engine
from explorer.training.errors import StoppedError, TrainingError
from explorer.training.evaluation import Score
from explorer.training.events import (
    Command,
    Epoch,
    Event,
    Finished,
    LayerRatios,
    LayerRequest,
    LayerStatistics,
    RateChanged,
    Started,
    Steps,
)
from explorer.training.failure import explain
from explorer.training.layer_statistics import LayerWatch
from explorer.training.processes import ALONE, Pace, Processes, is_lost
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.training.supply import Material, load_material

if TYPE_CHECKING:
    from torch import Tensor

REPORT_EVERY = 0.05
"""Seconds between reports: often enough for a curve that moves, seldom enough to cost nothing."""
SAVE_EVERY = 30.0
"""Seconds of training between checkpoints in the middle of an epoch."""
SAVING_SHARE = 0.02
"""Most of the time that may go into those."""


def fit(
    recipe: Recipe,
    folder: RunFolder,
    device: str = "auto",
    resume: bool = False,
    processes: Processes = ALONE,
) -> Generator[Event, Command | None, Finished]:
    """Trains by a recipe and yields what happens, at least every twentieth of a second or every step.

    Closing the generator saves the state of the run, in the middle of an epoch too. A number that is sent in answer to
    Steps is the learning rate of the next step, and the schedule goes on from there in proportion; a LayerRequest has
    the next step looked at in full.

    Args:
        recipe: what to train and how.
        folder: where metrics, checkpoint and best weights go.
        device: "cpu", "cuda" or "auto".
        resume: go on from the folder's checkpoint, or from the beginning where the run ended before its first one.
        processes: those that train together, of which each calls this; the others than the first with an OthersFolder.
            All yield the same events from Started on, and where the generator is closed in one of them, all end.

    Yields:
        Progress while the dataset is fetched, then Started, then Steps, LayerRatios now and then, LayerStatistics where
        they are asked for, Evaluating and Epoch, and Finished at last.

    Returns:
        the Finished event.

    Raises:
        InputError: network, dataset, device or checkpoint cannot be used, or the run is being trained already.
        TrainingError: the loss is no longer a number, memory or disk is full, or the network fails at a step.
    """
    run: _Run | None = None
    try:
        with ExitStack() as stack, threads(recipe.threads), memory_kept():
            processes.of_first(lambda: stack.enter_context(folder.lock()))
            checkpoint = processes.of_first(folder.load_checkpoint) if resume else None
            material = yield from _load(recipe, processes)
            run = _Run(recipe, folder, material, device, checkpoint, processes)
            try:
                return (yield from run.events())
            finally:
                run.engine.train.close()
    except (InputError, TrainingError):
        raise
    except Exception as error:  # a user's network may raise anything
        failure = error
    with threads(recipe.threads):
        raise _failure(failure, recipe, run, processes) from failure


def _load(recipe: Recipe, processes: Processes) -> Generator[Progress, None, Material]:
    """Loads the recipe's images; the first process of each machine fetches what is missing, while the others wait."""
    material: Material | None = None
    failure: InputError | None = None
    for turn in (True, False):
        if turn == (processes.local_rank == 0):
            try:
                material = yield from load_material(recipe)
            except InputError as error:
                failure = error
        processes.fail_together(failure)
    assert material is not None
    return material


def _failure(error: Exception, recipe: Recipe, run: _Run | None, processes: Processes) -> TrainingError:
    if processes.alone or not is_lost(error):
        # Trying what fits into the memory would take the other processes as well.
        return explain(error, recipe, run.engine if run and processes.alone else None)
    if run is None:
        return TrainingError("another process of the job ended before the training began")
    return TrainingError(
        f"another process of the job ended at step {run.step + 1}: the run is saved up to step {run.saved_step}, "
        f"go on with --resume --run-dir {run.folder.path}"
    )


@dataclass(slots=True)
class _Progress:
    """How far a run is: all that a checkpoint holds beside weights and optimiser."""

    epoch: int = 0
    """Epochs completed."""
    position: int = 0
    """Batches of the current epoch that are done."""
    loss_sum: float = 0.0
    """Of the current epoch, each image's loss once."""
    correct: int = 0
    seen: int = 0
    epoch_seconds: float = 0.0
    seconds: float = 0.0
    """Training time of the run before the current epoch."""
    best_epoch: int = 0
    best_accuracy: float = -1.0


class _Run:
    """One run in progress."""

    def __init__(
        self,
        recipe: Recipe,
        folder: RunFolder,
        material: Material,
        device: str,
        checkpoint: dict[str, Any] | None,
        processes: Processes,
    ) -> None:
        self.recipe, self.folder, self.material, self.processes = recipe, folder, material, processes
        self.engine = Engine(recipe, material, device, fresh=checkpoint is None, processes=processes)
        self.steps_per_epoch = self.engine.steps_per_epoch
        self.progress = _Progress()
        if checkpoint is not None:
            self._restore(checkpoint)
        self.rate_changes = processes.of_first(lambda: _rate_changes(folder))
        self.layers = LayerWatch(self.engine.network)
        self.saved_at, self.saved_step = (-1, -1), self.step
        self.unsaved_seconds = self.save_seconds = 0.0

    def _restore(self, checkpoint: dict[str, Any]) -> None:
        """Takes over the state of a checkpoint; the optimiser's goes to the device on which the network is by now."""
        kept = _kept(self.recipe)
        try:
            changed = [name for name, value in checkpoint["recipe"].items() if kept[name] != value]
            if not changed:
                self.engine.load_state(checkpoint)
                self.progress = _Progress(**checkpoint["progress"])
        except Exception as error:  # whatever a damaged checkpoint holds
            reason = shorten(str(error), 200) or type(error).__name__
            raise InputError(
                f"the checkpoint in {self.folder.path} does not fit its recipe ({reason}): start a new run"
            ) from None
        if changed:
            raise InputError(
                f"the run in {self.folder.path} began with another {' and '.join(changed)}: "
                "give back the old value or start a new run"
            )

    @property
    def step(self) -> int:
        """Steps done in the whole run."""
        return self.progress.epoch * self.steps_per_epoch + self.progress.position

    @property
    def over(self) -> bool:
        """Whether the last epoch is done, or none has been better for too long."""
        progress, patience = self.progress, self.recipe.patience
        waited = progress.epoch - progress.best_epoch
        return progress.epoch >= self.recipe.epochs or (patience > 0 and progress.epoch > 0 and waited >= patience)

    def events(self) -> Generator[Event, Command | None, Finished]:
        recipe, material, engine = self.recipe, self.material, self.engine
        self.folder.rewind(self.progress.epoch, self.step)
        started = Started(
            run=str(self.folder.path),
            architecture=recipe.architecture,
            dataset=recipe.dataset,
            device=engine.device.kind,
            device_name=engine.device.name,
            precision=engine.device.precision,
            params=engine.params,
            train_images=engine.train.count,
            validation_images=len(material.validation.labels),
            test_images=len(material.test.labels) if material.test else 0,
            steps_per_epoch=self.steps_per_epoch,
            epochs=recipe.epochs,
            step=self.step,
            processes=self.processes.count,
            left_out=len(material.broken),
            left_out_first=next((f"{file.path}: {file.reason}" for file in material.broken), ""),
        )
        self.folder.append(started)
        try:
            yield from self.processes.in_step(started)
            validation = engine.held_out(material.validation)
            try:
                while not self.over:
                    yield from self._train_epoch()
                    epoch = self._end_epoch((yield from engine.evaluate(validation, REPORT_EVERY)))
                    self.folder.append(epoch)
                    self._save()
                    yield from self.processes.in_step(epoch)
            finally:
                validation.close()
        except (GeneratorExit, StoppedError):
            self._save()
            raise
        finished = yield from self._finish()
        self.folder.append(finished)
        yield from self.processes.in_step(finished)
        return finished

    def _train_epoch(self) -> Generator[Event, Command | None, None]:
        import torch

        progress, engine = self.progress, self.engine
        total = self.steps_per_epoch * self.recipe.epochs
        engine.begin_epoch(progress.epoch)
        losses: list[Tensor] = []
        correct = torch.zeros((), dtype=torch.int64, device=engine.fabric.device)
        sizes: list[int] = []
        pace = Pace(self.processes, REPORT_EVERY)
        for pixels, labels in engine.train.batches(progress.epoch, progress.position):
            rate = self._set_rate(self.step)
            with self._watched():
                loss, right = engine.step(pixels, labels, self.step)
            losses.append(loss)
            correct += right
            sizes.append(len(labels) if self.processes.alone else engine.train.size(progress.position))
            progress.position += 1
            if pace.due() or progress.position == self.steps_per_epoch:
                values = tuple(torch.stack(losses).tolist())
                elapsed = pace.elapsed()
                self._note(values, sizes, int(correct), elapsed)
                report = self._report(values, rate, sum(sizes) / elapsed, total)
                self._save_in_time()
                command = yield from self.processes.in_step(report)
                if isinstance(command, LayerRequest):
                    self.layers.ask()
                elif command is not None and self.step < total:
                    yield self._change_rate(command)
                for told in self._layers_seen():
                    if self.layers.is_kept(told):
                        self.folder.append(told)
                    yield from self.processes.in_step(told)
                losses.clear()
                sizes.clear()
                correct.zero_()
                pace.begin(elapsed)

    def _layers_seen(self) -> list[LayerRatios | LayerStatistics]:
        """Returns what has been found of the layers since the last report, in all processes."""
        seen = list(self.layers.take())
        return self.processes.of_first(lambda: seen) if self.processes.total(len(seen)) else []

    def _watched(self) -> AbstractContextManager[None]:
        """Returns the context of a step in which its layers may be measured: by one process, if it has them whole."""
        watches = self.processes.first and not self.processes.sharded
        return self.layers.step(self.step, self.engine.optimiser.optimizer) if watches else nullcontext()

    def _set_rate(self, step: int) -> float:
        from explorer.training.schedule import rate_at

        rate = rate_at(self.recipe, step, self.steps_per_epoch) * self._rate_factor(step)
        self.engine.set_rate(rate)
        return rate

    def _rate_factor(self, step: int) -> float:
        """Returns by what the schedule's rate is multiplied at a step, for what was changed by hand up to there."""
        return next((change.factor for change in reversed(self.rate_changes) if change.step <= step), 1.0)

    def _change_rate(self, wanted: float) -> RateChanged:
        """Makes `wanted` the learning rate of the next step."""
        from explorer.training.schedule import rate_at

        planned = rate_at(self.recipe, self.step, self.steps_per_epoch)
        factor = wanted / planned if planned else 1.0  # of a schedule that has come to nought nothing can be made
        event = RateChanged(self.step, factor, factor * planned)
        self.folder.append(event)
        self.rate_changes = _rate_changes(self.folder)
        return event

    def _note(self, losses: tuple[float, ...], sizes: list[int], correct: int, elapsed: float) -> None:
        """Adds what was read off the device to the epoch's sums, step by step: how many came at once is chance."""
        progress = self.progress
        for place, (loss, size) in enumerate(zip(losses, sizes, strict=True)):
            if not math.isfinite(loss):
                raise self.engine.diverged(loss, self.step - len(losses) + place)
            progress.loss_sum += loss * size
        progress.correct += correct
        progress.seen += sum(sizes)
        progress.epoch_seconds += elapsed
        self.unsaved_seconds += elapsed

    def _report(self, losses: tuple[float, ...], rate: float, speed: float, total: int) -> Steps:
        progress = self.progress
        mean = progress.epoch_seconds / max(progress.position, 1)
        event = Steps(
            epoch=progress.epoch + 1,
            step=self.step,
            losses=losses,
            learning_rate=rate,
            images_per_second=speed,
            seconds_left=mean * (total - self.step),
            grad_norm=self.engine.gradient_norm(),
        )
        self.folder.append(event)
        return event

    def _end_epoch(self, score: Score) -> Epoch:
        progress = self.progress
        if not math.isfinite(score.loss):
            raise TrainingError(
                f"the validation loss (epoch {progress.epoch + 1}) is {score.loss}: try a lower learning rate or "
                "32-bit precision"
            )
        best = score.accuracy > progress.best_accuracy
        event = Epoch(
            epoch=progress.epoch + 1,
            step=self.step,
            train_loss=progress.loss_sum / progress.seen,
            train_accuracy=progress.correct / progress.seen,
            validation_loss=score.loss,
            validation_accuracy=score.accuracy,
            best=best,
            images_per_second=progress.seen / progress.epoch_seconds,
            seconds=progress.epoch_seconds,
            validation_top5=score.top5,
            left_out=len(self.engine.train.broken),
        )
        if best:
            progress.best_epoch, progress.best_accuracy = progress.epoch + 1, score.accuracy
            self.folder.save_best(self.engine.best_weights(), self._spec())
        progress.epoch += 1
        progress.seconds += progress.epoch_seconds
        progress.position = progress.correct = progress.seen = 0
        progress.loss_sum = progress.epoch_seconds = 0.0
        return event

    def _spec(self) -> ModelSpec:
        name = self.recipe.architecture
        if entry(name).source == "file":  # the weights are used from other folders, and only a full path is trusted
            path, _, attribute = name.rpartition(":")
            name = f"{Path(path).resolve()}:{attribute}"
        return ModelSpec(name, self.engine.options, self.engine.preprocessing, self.material.info.classes)

    def _save_in_time(self) -> None:
        """Writes a checkpoint in the middle of an epoch, now and then: a run that is killed loses little."""
        due = self.unsaved_seconds >= max(SAVE_EVERY, self.save_seconds / SAVING_SHARE)
        if self.processes.total(due and self.processes.first):
            self._save()

    def _save(self) -> None:
        """Writes the checkpoint, unless nothing has happened since the last one."""
        place = (self.progress.epoch, self.progress.position)
        if place == self.saved_at:
            return
        since = time.perf_counter()
        self.folder.save_checkpoint(
            {"version": 1, "recipe": _kept(self.recipe), "progress": asdict(self.progress)} | self.engine.state()
        )
        self.saved_at, self.saved_step = place, self.step
        self.unsaved_seconds, self.save_seconds = 0.0, time.perf_counter() - since

    def _finish(self) -> Generator[Event, None, Finished]:
        """Measures the best epoch's weights on the test images, which had no part in choosing it."""
        from explorer.tasks.weights_file import load_weights

        accuracy = None
        if self.material.test is not None:
            best = self.folder.path / "best.safetensors"
            self.engine.load_best(self.processes.of_first(lambda: load_weights(best)[1]))
            test = self.engine.held_out(self.material.test)
            try:
                accuracy = (yield from self.engine.evaluate(test, REPORT_EVERY)).accuracy
            finally:
                test.close()
        progress = self.progress
        return Finished(
            run=str(self.folder.path),
            epochs=progress.epoch,
            best_epoch=progress.best_epoch,
            best_accuracy=progress.best_accuracy,
            test_accuracy=accuracy,
            seconds=progress.seconds,
        )


def _kept(recipe: Recipe) -> dict[str, Any]:
    """Returns the settings that a run keeps when it is resumed: all but those of the machine and of its memory."""
    return {name: value for name, value in asdict(recipe).items() if name not in ("data_dir", "threads", "accumulate")}


def _rate_changes(folder: RunFolder) -> list[RateChanged]:
    """Returns what was changed by hand, in the order of the steps; a change makes later ones of before void."""
    changes: list[RateChanged] = []
    for event in folder.read_metrics().events:
        if isinstance(event, RateChanged):
            changes = [change for change in changes if change.step < event.step] + [event]
    return changes
