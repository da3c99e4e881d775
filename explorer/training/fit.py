"""Training as a generator of events: whoever iterates it decides when the next step is taken, and when it ends.

All chance comes from the recipe's seed and the number of the step, so a run that is interrupted and resumed, on the
same kind of processor, takes the same steps as one that is not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from explorer.architectures.registry import entry
from explorer.data.datasets import Dataset, ImageSet, load_dataset, split
from explorer.data.preprocessing import Preprocessing, fit_to_input, normalise
from explorer.errors import InputError
from explorer.tasks import classification
from explorer.tasks.weights_file import ModelSpec
from explorer.training.device import choose_device, training_threads
from explorer.training.errors import TrainingError
from explorer.training.events import Epoch, Evaluating, Event, Finished, Started, Steps
from explorer.training.network import build_network
from explorer.training.optimiser import build_optimiser
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric
    from torch import Tensor

REPORT_EVERY = 0.05
"""Seconds between reports: often enough for a curve that moves, seldom enough to cost nothing."""
RESIDENT_BYTES = 1 << 30
"""Images are scaled to the network's input once where the result is no larger; else batch by batch."""


def fit(
    recipe: Recipe, folder: RunFolder, device: str = "auto", resume: bool = False
) -> Generator[Event, None, Finished]:
    """Trains by a recipe and yields what happens, at least every twentieth of a second or every step.

    Closing the generator saves the state of the run, in the middle of an epoch too.

    Args:
        recipe: what to train and how.
        folder: where metrics, checkpoint and best weights go.
        device: "cpu", "cuda" or "auto".
        resume: go on from the folder's checkpoint, or from the beginning where the run ended before its first one.

    Yields:
        Progress while the dataset is fetched, then Started, then Steps, Evaluating and Epoch, and Finished at last.

    Returns:
        the Finished event.

    Raises:
        InputError: network, dataset, device or checkpoint cannot be used, or the run is being trained already.
        TrainingError: the loss is no longer a number, memory or disk is full, or the network fails at a step.
    """
    try:
        with folder.lock(), _threads(recipe.threads):
            checkpoint = folder.load_checkpoint() if resume else None
            dataset = yield from load_dataset(recipe.dataset, Path(recipe.data_dir) if recipe.data_dir else None)
            run = _Run(recipe, folder, dataset, device, checkpoint)
            return (yield from run.events())
    except (InputError, TrainingError):
        raise
    except Exception as error:  # a user's network may raise anything
        raise TrainingError(_failure(error, recipe)) from error


def _failure(error: Exception, recipe: Recipe) -> str:
    import torch

    text = " ".join(str(error).split())
    if isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in text:
        return f"the memory is full at a batch size of {recipe.batch_size}: choose a smaller one"
    return f"{recipe.architecture} fails in training: {type(error).__name__}: {text}"


@contextmanager
def _threads(wanted: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(training_threads(wanted))
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
        self, recipe: Recipe, folder: RunFolder, dataset: Dataset, device: str, checkpoint: dict[str, Any] | None
    ) -> None:
        from lightning_fabric import Fabric

        self.recipe, self.folder, self.dataset = recipe, folder, dataset
        self.device = choose_device(device, recipe.precision)
        self.fabric: Fabric = Fabric(accelerator=self.device.kind, devices=1, precision=self.device.precision)  # type: ignore[arg-type]
        module, self.options = build_network(recipe, len(dataset.info.classes))
        self.params = sum(parameter.numel() for parameter in module.parameters())
        train, self.validation = split(dataset.train, recipe.validation, recipe.seed)
        self.preprocessing = _preprocessing(recipe.input or entry(recipe.architecture).input, train)
        self.module, self.optimiser = self.fabric.setup(module, build_optimiser(recipe, module))
        self.progress = _Progress()
        if checkpoint is not None:
            self._restore(checkpoint)
        self.train = self._resident(train)
        self.steps_per_epoch = _batches(len(train.labels), recipe.batch_size)
        self.saved_at = (-1, -1)

    def _restore(self, checkpoint: dict[str, Any]) -> None:
        """Takes over the state of a checkpoint; the optimiser's goes to the device on which the network is by now."""
        kept = _kept(self.recipe)
        try:
            changed = [name for name, value in checkpoint["recipe"].items() if kept[name] != value]
            if not changed:
                self.module.load_state_dict(checkpoint["model"])
                self.optimiser.load_state_dict(checkpoint["optimiser"])
                if checkpoint["precision"]:  # of a gradient scaler, where the run began with one
                    self.fabric.strategy.precision.load_state_dict(checkpoint["precision"])
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

    def _resident(self, images: ImageSet) -> ImageSet:
        """Moves a set to the device, scaled to the network's input where that does not take too much memory."""
        pixels = images.images
        if len(pixels) * math.prod(self.preprocessing.input) <= RESIDENT_BYTES:
            pixels = fit_to_input(pixels, self.preprocessing)
        return ImageSet(pixels.to(self.fabric.device), images.labels.to(self.fabric.device))

    @property
    def step(self) -> int:
        """Steps done in the whole run."""
        return self.progress.epoch * self.steps_per_epoch + self.progress.position

    def events(self) -> Generator[Event, None, Finished]:
        recipe, dataset = self.recipe, self.dataset
        self.folder.rewind(self.progress.epoch, self.step)
        started = Started(
            run=str(self.folder.path),
            architecture=recipe.architecture,
            dataset=recipe.dataset,
            device=self.device.kind,
            device_name=self.device.name,
            precision=self.device.precision,
            params=self.params,
            train_images=len(self.train.labels),
            validation_images=len(self.validation.labels),
            test_images=len(dataset.test.labels) if dataset.test else 0,
            steps_per_epoch=self.steps_per_epoch,
            epochs=recipe.epochs,
            step=self.step,
        )
        self.folder.append(started)
        try:
            yield started
            validation = self._resident(self.validation)
            while self.progress.epoch < recipe.epochs:
                yield from self._train_epoch()
                loss, accuracy = yield from self._evaluate(validation)
                epoch = self._end_epoch(loss, accuracy)
                self.folder.append(epoch)
                self._save()
                yield epoch
        except GeneratorExit:
            self._save()
            raise
        finished = yield from self._finish()
        self.folder.append(finished)
        yield finished
        return finished

    def _train_epoch(self) -> Generator[Event, None, None]:
        import torch

        recipe, progress, device = self.recipe, self.progress, self.fabric.device
        total = self.steps_per_epoch * recipe.epochs
        order = torch.randperm(
            len(self.train.labels), generator=torch.Generator().manual_seed(_mix(recipe.seed, progress.epoch, 1))
        ).to(device)
        generator = torch.Generator(device)
        self.module.train()
        losses: list[Tensor] = []
        correct = torch.zeros((), dtype=torch.int64, device=device)
        sizes: list[int] = []
        since = time.perf_counter()
        while progress.position < self.steps_per_epoch:
            begin = progress.position * recipe.batch_size
            batch = order[begin : begin + recipe.batch_size]
            rate = self._set_rate(self.step, total)
            _seed_step(recipe.seed, self.step, generator)
            loss, right = self._train_step(batch, generator)
            losses.append(loss)
            correct += right
            sizes.append(len(batch))
            progress.position += 1
            now = time.perf_counter()
            if now - since >= REPORT_EVERY or progress.position == self.steps_per_epoch:
                values = tuple(torch.stack(losses).tolist())
                elapsed = time.perf_counter() - since
                self._note(values, sizes, int(correct), elapsed)
                yield self._report(values, rate, sum(sizes) / elapsed, total)
                losses.clear()
                sizes.clear()
                correct.zero_()
                since = time.perf_counter()

    def _train_step(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Takes one step and returns its loss and how many images were told right, both still on the device."""
        from explorer.training.augmentation import augment

        images, labels = self.train.images[batch], self.train.labels[batch]
        images = augment(fit_to_input(images, self.preprocessing), self.recipe.augmentation, generator)
        self.optimiser.zero_grad()
        outputs = self.module(normalise(images, self.preprocessing))
        loss = classification.loss(outputs, labels, self.recipe.label_smoothing)
        self.fabric.backward(loss)
        self.optimiser.step()
        return loss.detach(), classification.count_correct(outputs, labels)

    def _set_rate(self, step: int, total: int) -> float:
        from explorer.training.schedule import rate_at

        rate = rate_at(self.recipe.schedule, self.recipe.learning_rate, step, total)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        return rate

    def _note(self, losses: tuple[float, ...], sizes: list[int], correct: int, elapsed: float) -> None:
        """Adds what was read off the device to the epoch's sums, step by step: how many came at once is chance."""
        progress = self.progress
        for place, (loss, size) in enumerate(zip(losses, sizes, strict=True)):
            if not math.isfinite(loss):
                raise self._diverged(f"the loss of step {self.step - len(losses) + place + 1}", loss)
            progress.loss_sum += loss * size
        progress.correct += correct
        progress.seen += sum(sizes)
        progress.epoch_seconds += elapsed

    def _diverged(self, what: str, loss: float) -> TrainingError:
        return TrainingError(
            f"{what} (epoch {self.progress.epoch + 1}) is {loss}: try a lower learning rate or 32-bit precision"
        )

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
        )
        self.folder.append(event)
        return event

    def _evaluate(self, images: ImageSet) -> Generator[Event, None, tuple[float, float]]:
        """Returns mean loss and accuracy of the current weights."""
        import torch

        self.module.eval()
        losses = torch.zeros((), dtype=torch.float64, device=self.fabric.device)
        correct = torch.zeros((), dtype=torch.int64, device=self.fabric.device)
        count = len(images.labels)
        size = max(self.recipe.batch_size, 128)
        since = time.perf_counter()
        for begin in range(0, count, size):
            labels = images.labels[begin : begin + size]
            with torch.no_grad():
                pixels = fit_to_input(images.images[begin : begin + size], self.preprocessing)
                outputs = self.module(normalise(pixels, self.preprocessing))
                losses += classification.loss(outputs, labels).double() * len(labels)
                correct += classification.count_correct(outputs, labels)
            if time.perf_counter() - since >= REPORT_EVERY:
                yield Evaluating(min(begin + size, count), count)
                since = time.perf_counter()
        return float(losses) / count, int(correct) / count

    def _end_epoch(self, loss: float, accuracy: float) -> Epoch:
        progress = self.progress
        if not math.isfinite(loss):
            raise self._diverged("the validation loss", loss)
        best = accuracy > progress.best_accuracy
        event = Epoch(
            epoch=progress.epoch + 1,
            step=self.step,
            train_loss=progress.loss_sum / progress.seen,
            train_accuracy=progress.correct / progress.seen,
            validation_loss=loss,
            validation_accuracy=accuracy,
            best=best,
            images_per_second=progress.seen / progress.epoch_seconds,
            seconds=progress.epoch_seconds,
        )
        if best:
            progress.best_epoch, progress.best_accuracy = progress.epoch + 1, accuracy
            self.folder.save_best(self.module.state_dict(), self._spec())
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
        return ModelSpec(name, self.options, self.preprocessing, self.dataset.info.classes)

    def _save(self) -> None:
        """Writes the checkpoint, unless nothing has happened since the last one."""
        place = (self.progress.epoch, self.progress.position)
        if place == self.saved_at:
            return
        self.folder.save_checkpoint(
            {
                "version": 1,
                "recipe": _kept(self.recipe),
                "progress": asdict(self.progress),
                "model": self.module.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "precision": self.fabric.strategy.precision.state_dict(),
            }
        )
        self.saved_at = place

    def _finish(self) -> Generator[Event, None, Finished]:
        """Measures the best epoch's weights on the test images, which had no part in choosing it."""
        from explorer.tasks.weights_file import load_weights

        accuracy = None
        if self.dataset.test is not None:
            _, weights = load_weights(self.folder.path / "best.safetensors")
            self.module.load_state_dict(weights)
            _, accuracy = yield from self._evaluate(self._resident(self.dataset.test))
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
    """Returns the settings that a run keeps when it is resumed: all but those of the machine."""
    return {name: value for name, value in asdict(recipe).items() if name not in ("data_dir", "threads")}


def _preprocessing(input: tuple[int, int, int], train: ImageSet) -> Preprocessing:
    """Returns the preprocessing that gives the training images mean 0 and variance 1 in each channel."""
    import torch

    channels = input[0]
    plain = Preprocessing(input, (0.0,) * channels, (1.0,) * channels, resize=min(input[1:]))
    # Own size, network's channels. Counts of the 256 levels are whole numbers: exact in any order of summation.
    own = Preprocessing((channels, *train.images.shape[2:]), plain.mean, plain.std, min(train.images.shape[2:]))
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for begin in range(0, len(train.labels), 4096):
        chunk = fit_to_input(train.images[begin : begin + 4096].cpu(), own)
        for channel in range(channels):
            counts[channel] += torch.bincount(chunk[:, channel].flatten(), minlength=256)
    for channel in range(channels):
        share = counts[channel].double() / counts[channel].sum()
        mean = float((share * levels).sum())
        means.append(mean)
        stds.append(max(math.sqrt(float((share * (levels - mean) ** 2).sum())), 1 / 255))
    return Preprocessing(input, tuple(means), tuple(stds), resize=min(input[1:]))


def _batches(images: int, batch_size: int) -> int:
    """Returns the batches of an epoch; a last one of a single image is left out: batch normalisation cannot use it."""
    whole, rest = divmod(images, batch_size)
    return whole + (rest > 1 or whole == 0)


def _mix(seed: int, number: int, stream: int) -> int:
    """Returns a seed for the `number`-th draw of a stream."""
    return (seed * 1_000_003 + number) * 16 + stream


def _seed_step(seed: int, step: int, generator: torch.Generator) -> None:
    """Gives every step its own chance: dropout draws from the global generator, augmentation from `generator`."""
    import torch

    torch.default_generator.manual_seed(_mix(seed, step, 2))
    if generator.device.type == "cuda":
        torch.cuda.manual_seed(_mix(seed, step, 2))
    generator.manual_seed(_mix(seed, step, 3))
