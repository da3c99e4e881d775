"""The images of a run: what it is trained on and judged by, and how they come to the device batch by batch."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.architectures.registry import entry
from explorer.data.catalogue import DatasetInfo
from explorer.data.datasets import load_dataset
from explorer.data.decode import decode
from explorer.data.download import Progress
from explorer.data.image_set import BrokenFile, FileSet, ImageSet, split
from explorer.data.preprocessing import Preprocessing, fit_to_input
from explorer.data.statistics import SAMPLE, file_statistics, preprocessing_for, statistics
from explorer.data.streaming import Stream, epoch_order
from explorer.training.colours import principal_colours
from explorer.training.evaluation import enlarged
from explorer.training.processes import ALONE, Processes
from explorer.training.recipe import Recipe

if TYPE_CHECKING:
    import torch
    from torch import Tensor

RESIDENT_BYTES = 1 << 30
"""Images are scaled to the network's input once where the result is no larger; else batch by batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """A recipe's dataset, divided and measured."""

    info: DatasetInfo
    train: ImageSet | FileSet
    validation: ImageSet | FileSet
    test: ImageSet | FileSet | None
    preprocessing: Preprocessing
    """What the network expects, with the statistics of the training images."""
    colours: Tensor | None
    """`principal_colours`, where the augmentation needs them."""
    broken: tuple[BrokenFile, ...] = ()
    """Files that are in none of the sets because they cannot be read."""


def load_material(recipe: Recipe) -> Generator[Progress, None, Material]:
    """Loads a recipe's dataset, divides it and measures the training images.

    Raises:
        InputError: it is not there, damaged, or cannot be divided so.
    """
    input = recipe.input or entry(recipe.architecture).input
    plain = preprocessing_for(input, ((0.0,) * input[0], (1.0,) * input[0]))
    cropped = recipe.augmentation == "alexnet" or recipe.evaluation == "ten-crop"
    size = enlarged(plain).input if cropped else input
    place = Path(recipe.data_dir) if recipe.data_dir else None
    dataset = yield from load_dataset(recipe.dataset, place, size)
    train, validation = dataset.train, dataset.validation
    if validation is None:
        train, validation = split(train, recipe.validation, recipe.seed)
    if isinstance(train, ImageSet):
        measured = statistics(train, input[0])
        sample = train
    else:
        measured = yield from file_statistics(train, size)
    colours = None
    if recipe.augmentation == "alexnet":
        if not isinstance(train, ImageSet):
            some = FileSet(*_every(train, math.ceil(len(train.files) / SAMPLE)))
            sample, _ = yield from decode(some, size, "Measuring colours")
        colours = principal_colours(sample.images, input[0])
    preprocessing = preprocessing_for(input, measured)
    if cropped:
        preprocessing = replace(preprocessing, resize=min(size[1:]))
    return Material(dataset.info, train, validation, dataset.test, preprocessing, colours, dataset.broken)


def _every(files: FileSet, step: int) -> tuple[tuple[str, ...], Tensor]:
    return files.files[::step], files.labels[::step]


class Supply:
    """A set of images as batches on the device: kept there, or decoded by other processes as they are needed."""

    def __init__(
        self,
        images: ImageSet | FileSet,
        source: Preprocessing,
        batch_size: int,
        device: torch.device,
        seed: int | None = None,
        processes: Processes = ALONE,
    ) -> None:
        """Prepares the batches.

        Args:
            images: the set.
            source: what the images are scaled and cropped to.
            batch_size: images of a batch; the last one may have fewer.
            device: where the batches are wanted.
            seed: of the order of each epoch; None for the set's own order, to evaluate.
            processes: those that take a share of each batch. Of images in memory that are trained on, each gets the
                whole batch: what is drawn at random for it is then the same for any number of processes.
        """
        self.count = len(images.labels)
        self.batch_size, self.seed = batch_size, seed
        self._source, self._device, self._processes = source, device, processes
        self._stream: Stream | None = None
        self.shared_out = seed is None or isinstance(images, FileSet)
        """Whether a batch holds this process's share alone."""
        if isinstance(images, FileSet):
            pinned, share = device.type == "cuda", (processes.rank, processes.count)
            self._stream = Stream(images, source, batch_size, seed, pin_memory=pinned, share=share)
            return
        pixels = images.images
        if len(pixels) * math.prod(source.input) <= RESIDENT_BYTES:
            pixels = fit_to_input(pixels, source)
        self._scaled = tuple(pixels.shape[1:]) == source.input
        self._pixels, self._labels = pixels.to(device), images.labels.to(device)

    def __len__(self) -> int:
        """Returns the batches of an epoch; one of a single image is left out: batch normalisation cannot use it."""
        whole, rest = divmod(self.count, self.batch_size)
        return whole + (rest > (0 if self.seed is None else 1) or whole == 0)

    def size(self, place: int) -> int:
        """Returns the images of the batch at a place (from 0) of an epoch, those of all processes together."""
        return min(self.batch_size, self.count - place * self.batch_size)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields images, uint8 (B, C, H, W), and labels, int64 (B,), of an epoch from its `start`-th batch on."""
        if self._stream is not None:
            for batch in self._stream.batches(epoch, start, len(self)):
                yield (
                    batch.images.to(self._device, non_blocking=True),
                    batch.labels.to(self._device, non_blocking=True),
                )
            return
        order = None
        if self.seed is not None:
            order = epoch_order(self.count, self.seed, epoch).to(self._device)
        for place in range(start, len(self)):
            chosen = slice(place * self.batch_size, (place + 1) * self.batch_size)
            if order is None:
                share = self._processes.share(self.size(place))
                pixels, labels = self._pixels[chosen][share], self._labels[chosen][share]
            else:
                pixels, labels = self._pixels[order[chosen]], self._labels[order[chosen]]
            yield pixels if self._scaled else fit_to_input(pixels, self._source), labels

    @property
    def broken(self) -> Sequence[BrokenFile]:
        """Files that were left out of their batches so far."""
        return self._stream.broken if self._stream is not None else ()

    def close(self) -> None:
        """Ends the processes that decode."""
        if self._stream is not None:
            self._stream.close()
