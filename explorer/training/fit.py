"""Training as a generator of events: whoever iterates it decides when the next step is taken, and when it ends.

All chance comes from the recipe's seed and the number of the step, so a run that is interrupted and resumed, on the
same kind of processor, takes the same steps as one that is not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.architectures.registry import build, entry, options
from explorer.data.datasets import Dataset, ImageSet, load_dataset, split
from explorer.data.preprocessing import Preprocessing, fit_to_input, normalise
from explorer.errors import InputError
from explorer.tasks import classification
from explorer.tasks.weights_file import ModelSpec
from explorer.training.device import choose_device, training_threads
from explorer.training.events import Epoch, Evaluating, Event, Finished, Started, Steps
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

if TYPE_CHECKING:
    import torch
    from lightning_fabric import Fabric
    from torch import Tensor, nn

REPORT_EVERY = 0.05
"""Seconds between reports: often enough for a curve that moves, seldom enough to cost nothing."""
RESIDENT_BYTES = 1 << 30
"""Images are scaled to the network's input once where the result is no larger; else batch by batch."""


class TrainingError(RuntimeError):
    """Training cannot go on, though nothing that the user gave is wrong in itself."""


def fit(
    recipe: Recipe, folder: RunFolder, device: str = "auto", resume: bool = False
) -> Generator[Event, None, Finished]:
    """Trains by a recipe and yields what happens, at least every twentieth of a second or every step.

    Closing the generator saves the state of the run, in the middle of an epoch too.

    Args:
        recipe: what to train and how.
        folder: where metrics, checkpoint and best weights go.
        device: "cpu", "cuda" or "auto".
        resume: go on from the folder's checkpoint.

    Yields:
        Progress while the dataset is fetched, then Started, then Steps, Evaluating and Epoch, and Finished at last.

    Returns:
        the Finished event.

    Raises:
        InputError: network, dataset, device or checkpoint cannot be used.
        TrainingError: the loss is no longer a number, or the memory is full.
    """
    import torch

    checkpoint = folder.load_checkpoint() if resume else None
    dataset = yield from load_dataset(recipe.dataset, Path(recipe.data_dir) if recipe.data_dir else None)
    try:
        with _threads(recipe.threads):
            run = _Run(recipe, folder, dataset, device, checkpoint)
            return (yield from run.events())
    except torch.OutOfMemoryError as error:
        raise TrainingError(
            f"the memory of the {device} device is full at a batch size of {recipe.batch_size}: choose a smaller one"
        ) from error


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

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


class _Run:
    """One run in progress."""

    def __init__(
        self, recipe: Recipe, folder: RunFolder, dataset: Dataset, device: str, checkpoint: dict[str, Any] | None
    ) -> None:
        import torch
        from lightning_fabric import Fabric

        self.recipe, self.folder, self.dataset = recipe, folder, dataset
        self.device = choose_device(device, recipe.precision)
        self.fabric: Fabric = Fabric(accelerator=self.device.kind, devices=1, precision=self.device.precision)  # type: ignore[arg-type]
        network = entry(recipe.architecture)
        self.options = _with_classes(recipe, len(dataset.info.classes))
        torch.manual_seed(recipe.seed)
        module = build(network, recipe.input, **self.options)
        self.params = sum(parameter.numel() for parameter in module.parameters())
        train, self.validation = split(dataset.train, recipe.validation, recipe.seed)
        self.preprocessing = _preprocessing(recipe.input or network.input, train)
        _check_outputs(module, self.preprocessing.input, len(dataset.info.classes), network.name)
        optimiser = _optimiser(recipe, module)
        self.progress = _Progress()
        if checkpoint is not None:
            _restore(module, optimiser, checkpoint, self.progress, folder)
        self.module, self.optimiser = self.fabric.setup(module, optimiser)
        if checkpoint is not None and checkpoint["precision"]:
            self.fabric.strategy.precision.load_state_dict(checkpoint["precision"])
        self.train = self._resident(train)
        self.steps_per_epoch = _batches(len(train.labels), recipe.batch_size)
        self.saved_at = (-1, -1)

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
        self.folder.rewind(self.step)
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
        images = 0
        since = time.perf_counter()
        while progress.position < self.steps_per_epoch:
            begin = progress.position * recipe.batch_size
            batch = order[begin : begin + recipe.batch_size]
            rate = self._set_rate(self.step, total)
            _seed_step(recipe.seed, self.step, generator)
            loss, right = self._train_step(batch, generator)
            losses.append(loss)
            correct += right
            images += len(batch)
            progress.position += 1
            now = time.perf_counter()
            if now - since >= REPORT_EVERY or progress.position == self.steps_per_epoch:
                values = tuple(torch.stack(losses).tolist())
                elapsed = time.perf_counter() - since
                self._note(values, int(correct), images, elapsed)
                yield self._report(values, rate, images / elapsed, total)
                losses.clear()
                correct.zero_()
                images = 0
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

    def _note(self, losses: tuple[float, ...], correct: int, images: int, elapsed: float) -> None:
        """Adds what was read off the device to the epoch's sums."""
        progress = self.progress
        for place, loss in enumerate(losses):
            if not math.isfinite(loss):
                step = self.step - len(losses) + place + 1
                raise TrainingError(
                    f"the loss of step {step} (epoch {progress.epoch + 1}) is {loss}: "
                    "try a lower learning rate or 32-bit precision"
                )
        progress.loss_sum += sum(losses) * images / len(losses)
        progress.correct += correct
        progress.seen += images
        progress.epoch_seconds += elapsed

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
        return ModelSpec(self.recipe.architecture, self.options, self.preprocessing, self.dataset.info.classes)

    def _save(self) -> None:
        """Writes the checkpoint, unless nothing has happened since the last one."""
        place = (self.progress.epoch, self.progress.position)
        if place == self.saved_at:
            return
        self.folder.save_checkpoint(
            {
                "version": 1,
                "progress": self.progress.as_dict(),
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


def _with_classes(recipe: Recipe, classes: int) -> dict[str, Any]:
    """Returns the builder's options with the dataset's number of classes."""
    network = entry(recipe.architecture)
    given = recipe.options.get("num_classes")
    if given is not None and int(given) != classes:
        raise InputError(f"{recipe.dataset} has {classes} classes: leave num_classes out, it follows the dataset")
    chosen = dict(recipe.options)
    if any(option.name == "num_classes" for option in options(network)):
        chosen["num_classes"] = classes
    return chosen


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


def _check_outputs(module: nn.Module, input: tuple[int, int, int], classes: int, name: str) -> None:
    """Runs one blank image through the network, so that a wrong shape is told before training begins.

    Raises:
        InputError: the network cannot take the input, or gives another number of classes than the dataset has.
    """
    import torch

    size = "×".join(map(str, input))
    module.eval()
    try:
        with torch.no_grad():
            logits, _ = classification.split_outputs(module(torch.zeros(1, *input)))
    except (RuntimeError, TypeError, AssertionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{name} cannot take images of {size}: {reason}") from None
    if logits.shape != (1, classes):
        raise InputError(f"{name} gives {tuple(logits.shape[1:])} values an image, the dataset has {classes} classes")


def _optimiser(recipe: Recipe, module: nn.Module) -> torch.optim.Optimizer:
    """Returns the optimiser; weight decay spares normalisation and biases, as is usual since He et al. 2018.

    See "Bag of Tricks for Image Classification with Convolutional Neural Networks", section 3.1.
    """
    from torch import optim

    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if not trained:
        raise InputError(f"{recipe.architecture} has no parameters to train")
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimiser == "sgd":
        return optim.SGD(
            groups, recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0, fused=True
        )
    kind = optim.Adam if recipe.optimiser == "adam" else optim.AdamW
    return kind(groups, recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=True)


def _restore(
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    checkpoint: dict[str, Any],
    progress: _Progress,
    folder: RunFolder,
) -> None:
    try:
        module.load_state_dict(checkpoint["model"])
        optimiser.load_state_dict(checkpoint["optimiser"])
        for name, value in checkpoint["progress"].items():
            setattr(progress, name, value)
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"the checkpoint in {folder.path} does not belong to its recipe ({reason})") from None


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
