"""What a run's best weights get right and wrong: confusion matrix, accuracy per class, and every image's verdict."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from explorer.data.download import Progress
from explorer.data.image_set import FileSet, ImageSet
from explorer.data.preprocessing import fit_to_input, image_to_tensor
from explorer.errors import InputError
from explorer.tasks.weights_file import load_weights
from explorer.training.device import choose_device
from explorer.training.evaluation import VIEWS, enlarged, judge
from explorer.training.events import Evaluating
from explorer.training.run_folder import BEST, RunFolder
from explorer.training.supply import load_material

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.data.preprocessing import Preprocessing

Part = Literal["validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
SMALLEST_BATCH = 128
"""Images at once, unless the recipe has larger batches: as in the evaluation after each epoch."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The verdict on one image."""

    index: int
    """Of the image in its part of the dataset."""
    label: int
    """Its class."""
    prediction: int
    """The most probable class."""
    probability: float
    """Of the prediction, 0–1."""
    loss: float
    """Cross-entropy in nats: minus the logarithm of the probability of its own class."""
    among_five: bool
    """Whether its class is among the five most probable."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The verdicts of one run's best weights on one part of its dataset."""

    run: str
    """The run's folder."""
    part: Part
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    """One an image, in the order of the part."""
    confusion: tuple[tuple[int, ...], ...]
    """How many images of each class (rows) were taken for each class (columns)."""
    views: int = 1
    """How many views of each image were looked at; their probabilities are averaged."""

    @property
    def accuracy(self) -> float:
        """Share of the images whose most probable class is right (top-1)."""
        return sum(row[place] for place, row in enumerate(self.confusion)) / len(self.samples)

    @property
    def top5_accuracy(self) -> float:
        """Share of the images whose class is among the five most probable; 1 where there are no more classes."""
        return sum(sample.among_five for sample in self.samples) / len(self.samples)

    @property
    def class_accuracies(self) -> tuple[float | None, ...]:
        """Share of each class's images that were told right, its recall; None for a class without images."""
        return tuple(row[place] / sum(row) if any(row) else None for place, row in enumerate(self.confusion))

    def hardest(self, count: int) -> tuple[Sample, ...]:
        """Returns the images with the highest loss, the highest first."""
        return tuple(sorted(self.samples, key=lambda sample: (-sample.loss, sample.index))[:count])

    def cell(self, label: int, prediction: int) -> tuple[Sample, ...]:
        """Returns the images of one class that were taken for another, those the network was surest of first."""
        found = [sample for sample in self.samples if (sample.label, sample.prediction) == (label, prediction)]
        return tuple(sorted(found, key=lambda sample: (-sample.probability, sample.index)))


def load_part(folder: RunFolder, part: Part) -> Generator[Progress, None, ImageSet | FileSet]:
    """Reads the images of a run that it was judged by and not trained on.

    Args:
        folder: the run's.
        part: the validation images, divided from the training images as in training, or the dataset's own test set.

    Yields:
        Progress while files are read.

    Raises:
        InputError: the dataset is not there, or has no test set.
    """
    material = yield from load_material(folder.recipe)
    if part == "validation":
        return material.validation
    if material.test is None:
        raise InputError(f"{material.info.title} has no test set of its own: look at the validation images")
    return material.test


def analyse(
    folder: RunFolder, images: ImageSet | FileSet, part: Part, device: str = "auto"
) -> Generator[Evaluating, None, Analysis]:
    """Has a run's best weights look at every image; views, precision and batches are those of its own evaluation.

    No random number is drawn, so a training that goes on meanwhile is not disturbed.

    Args:
        folder: the run's.
        images: what `load_part` gave.
        part: what they are.
        device: "cpu", "cuda" or "auto".

    Yields:
        Evaluating after each batch.

    Raises:
        InputError: the run has no usable best weights, or they do not fit the images' classes.
    """
    import torch
    from lightning_fabric import Fabric
    from torch.nn import functional

    from explorer.tasks.trained_network import assemble

    recipe = folder.recipe
    if not (folder.path / BEST).is_file():
        raise InputError(f"{folder.path} has no best weights yet: a run has them after its first epoch")
    spec, weights = load_weights(folder.path / BEST)
    if int(images.labels.max()) >= len(spec.classes):
        raise InputError(f"the weights in {folder.path} tell {len(spec.classes)} classes apart, the dataset has more")
    chosen = choose_device(device, recipe.precision)
    fabric = Fabric(accelerator=chosen.kind, devices=1, precision=chosen.precision)  # type: ignore[arg-type]
    module = fabric.setup_module(assemble(spec, weights, str(folder.path))).eval()
    source = enlarged(spec.preprocessing) if recipe.evaluation == "ten-crop" else spec.preprocessing
    count, size = len(images.labels), max(recipe.batch_size // recipe.accumulate, SMALLEST_BATCH)
    samples: list[Sample] = []
    for begin in range(0, count, size):
        labels = images.labels[begin : begin + size].to(fabric.device)
        pixels = _pixels(images, slice(begin, begin + size), source).to(fabric.device)
        with torch.inference_mode():
            logits = judge(module, pixels, spec.preprocessing, recipe.evaluation)
            losses = functional.cross_entropy(logits.float(), labels, reduction="none")
            if not losses.isfinite().all():
                raise InputError(f"the weights in {folder.path} give scores that are no numbers: train anew")
            predictions = logits.argmax(1)
            probabilities = logits.float().softmax(1).gather(1, predictions.unsqueeze(1)).squeeze(1)
            five = (logits.topk(min(5, logits.shape[1])).indices == labels.unsqueeze(1)).any(1)
        columns = (labels, predictions, probabilities, losses, five)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        samples += [Sample(begin + place, *row) for place, row in enumerate(rows)]
        yield Evaluating(min(begin + size, count), count)
    confusion = _confusion(samples, len(spec.classes))
    return Analysis(str(folder.path), part, spec.classes, tuple(samples), confusion, VIEWS[recipe.evaluation])


def _pixels(images: ImageSet | FileSet, where: slice, preprocessing: Preprocessing) -> Tensor:
    """Returns some of the images as the network takes them, uint8 (B, C, H, W)."""
    import torch

    if not isinstance(images, FileSet):
        return fit_to_input(images.images[where], preprocessing)
    from explorer.data.images import as_grey_or_rgb, load_image

    files = (as_grey_or_rgb(load_image(Path(path))) for path in images.files[where])
    return torch.stack([image_to_tensor(image, preprocessing) for image in files])


def _confusion(samples: list[Sample], classes: int) -> tuple[tuple[int, ...], ...]:
    counts = [[0] * classes for _ in range(classes)]
    for sample in samples:
        counts[sample.label][sample.prediction] += 1
    return tuple(map(tuple, counts))


def picture(images: ImageSet | FileSet, index: int, side: int) -> NDArray[np.uint8]:
    """Returns one image for people to look at, uint8 (H, W) grey or (H, W, 3) RGB.

    Args:
        images: what `load_part` gave.
        index: of the image.
        side: files are scaled down until no side is longer than so many pixels.

    Raises:
        InputError: its file cannot be read any more.
    """
    import numpy as np

    if isinstance(images, FileSet):
        from explorer.data.images import as_grey_or_rgb, load_image

        image = as_grey_or_rgb(load_image(Path(images.files[index])))
        image.thumbnail((side, side))
        return np.asarray(image)
    pixels: NDArray[np.uint8] = images.images[index].permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
