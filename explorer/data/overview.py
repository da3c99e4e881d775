"""What a dataset holds, for people: counts, balance, statistics, some images of each class, and what is wrong."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.data.catalogue import DatasetInfo
from explorer.data.datasets import load_dataset
from explorer.data.decode import decode_files, plain
from explorer.data.download import Progress
from explorer.data.image_set import BrokenFile, FileSet, ImageSet
from explorer.data.statistics import SAMPLE, file_statistics, statistics

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

THUMBNAIL = 64
"""Pixels a side of a thumbnail, at most."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a dataset."""

    name: str
    """`train`, `validation` or `test`."""
    images: int
    counts: tuple[int, ...]
    """Images of each class, in index order."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What a dataset holds; small enough to keep."""

    info: DatasetInfo
    parts: tuple[Part, ...]
    """Those there are; training first."""
    imbalance: float
    """Training images of the largest class for each of the smallest: ρ in Buda, Maki and Mazurowski, "A systematic
    study of the class imbalance problem in convolutional neural networks", 2018; infinite where a class has none."""
    mean: tuple[float, ...]
    """Of the training images, per channel on the 0–1 scale."""
    std: tuple[float, ...]
    """Over all pixels of the training images, per channel on the 0–1 scale."""
    measured: int
    """Training images that mean and std are of: all of them, or an evenly spread part of a set too large for that."""
    in_memory: bool
    """Whether the images are held decoded; else training streams them from the disk."""
    broken: tuple[BrokenFile, ...]
    """Files that are left out, and why."""
    doubtful: tuple[BrokenFile, ...]
    """Files that are in and should be looked at, and why."""
    thumbnails: tuple[tuple[NDArray[np.uint8], ...], ...]
    """Some training images of each class, uint8 (H, W) grey or (H, W, 3), neither side above `THUMBNAIL`."""


def overview(
    name: str,
    folder: Path | None = None,
    input: tuple[int, int, int] | None = None,
    samples: int = 8,
) -> Generator[Progress, None, Overview]:
    """Loads a dataset and looks through it.

    Args:
        name: as `load_dataset` takes it.
        folder: as `load_dataset` takes it.
        input: as `load_dataset` takes it.
        samples: thumbnails of each class.

    Yields:
        Progress, as `load_dataset`.

    Raises:
        InputError: as `load_dataset`.
    """
    dataset = yield from load_dataset(name, folder, input)
    info, train = dataset.info, dataset.train
    parts = (("train", train), ("validation", dataset.validation), ("test", dataset.test))
    told = tuple(_part(part, images, len(info.classes)) for part, images in parts if images is not None)
    size = input or info.shape
    yield Progress("Measuring images", 0, 0)
    if isinstance(train, ImageSet):
        measured, (mean, std) = len(train.labels), statistics(train, train.images.shape[1])
    else:
        measured = len(train.files[:: math.ceil(len(train.files) / SAMPLE)])
        mean, std = yield from file_statistics(train, size)
    return Overview(
        info=info,
        parts=told,
        imbalance=max(told[0].counts) / min(told[0].counts) if min(told[0].counts) else math.inf,
        mean=mean,
        std=std,
        measured=measured,
        in_memory=isinstance(train, ImageSet),
        broken=dataset.broken,
        doubtful=dataset.doubtful,
        thumbnails=(yield from _thumbnails(train, len(info.classes), samples, size)),
    )


def to_document(told: Overview) -> dict[str, Any]:
    """Returns an overview as plain values for JSON, without the thumbnails."""

    def files(broken: Sequence[BrokenFile]) -> list[dict[str, str]]:
        return [{"path": file.path, "reason": file.reason} for file in broken]

    return {
        **info_document(told.info),
        "parts": {part.name: {"images": part.images, "counts": list(part.counts)} for part in told.parts},
        "imbalance": told.imbalance if math.isfinite(told.imbalance) else None,
        "mean": list(told.mean),
        "std": list(told.std),
        "measured": told.measured,
        "in_memory": told.in_memory,
        "broken": files(told.broken),
        "doubtful": files(told.doubtful),
    }


def info_document(info: DatasetInfo) -> dict[str, Any]:
    """Returns what is known of a dataset without opening it as plain values for JSON."""
    return {
        "name": info.name,
        "title": info.title,
        "images": info.images,
        "validation_images": info.validation_images,
        "test_images": info.test_images,
        "shape": list(info.shape),
        "files": info.files,
        "classes": list(info.classes),
        "offline": info.offline,
        "download_bytes": info.download_bytes,
        "licence": info.licence,
        "homepage": info.homepage,
        "source": info.source,
    }


def _part(name: str, images: ImageSet | FileSet, classes: int) -> Part:
    counts = Counter(images.labels.tolist())
    return Part(name, len(images.labels), tuple(counts[label] for label in range(classes)))


def _thumbnails(
    train: ImageSet | FileSet, classes: int, samples: int, input: tuple[int, int, int]
) -> Generator[Progress, None, tuple[tuple[NDArray[np.uint8], ...], ...]]:
    """Takes images of each class from all over it: neighbours in a file are often of one scene."""
    chosen = [_spread((train.labels == label).nonzero().flatten().tolist(), samples) for label in range(classes)]
    if isinstance(train, ImageSet):
        return tuple(tuple(_shrink(train.images[place]) for place in places) for places in chosen)
    files = [train.files[place] for places in chosen for place in places]
    decoded = iter((yield from decode_files(files, plain(input), "Reading samples")))
    taken = [[next(decoded) for _ in places] for places in chosen]
    return tuple(tuple(_shrink(image) for image in images if not isinstance(image, BrokenFile)) for images in taken)


def _spread(places: Sequence[int], wanted: int) -> list[int]:
    count = min(wanted, len(places))
    return [places[number * len(places) // count] for number in range(count)]


def _shrink(image: Tensor) -> NDArray[np.uint8]:
    """Returns an image (C, H, W) as rows of pixels, small."""
    import numpy as np
    from PIL import Image

    pixels = image.permute(1, 2, 0).numpy() if len(image) == 3 else image[0].numpy()
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return np.array(picture)
