"""Mean and standard deviation of a set of images, exact for images in memory."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING

from explorer.data.decode import decode_files, plain
from explorer.data.download import Progress
from explorer.data.image_set import BrokenFile, FileSet, ImageSet
from explorer.data.preprocessing import Preprocessing, fit_to_input

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE = 2048
"""So many files, evenly spread, stand for a set that is not decoded as a whole: the standard error of their mean is
1/45 of the spread between images."""

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation over all pixels, per channel on the 0–1 scale."""


def statistics(images: ImageSet, channels: int) -> Statistics:
    """Returns mean and standard deviation of images in memory at their own size, in 1 or 3 channels."""
    import torch

    own = plain((channels, *images.images.shape[2:]))
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for begin in range(0, len(images.labels), 4096):
        _count(fit_to_input(images.images[begin : begin + 4096].cpu(), own), counts)
    return _from_counts(counts)


def file_statistics(files: FileSet, input: tuple[int, int, int]) -> Generator[Progress, None, Statistics]:
    """Returns mean and standard deviation of `SAMPLE` of the files, or of all where there are no more.

    Args:
        files: sorted by class or not: every n-th is taken.
        input: channels, height and width at which they are measured.

    Yields:
        Progress in images.
    """
    import torch

    step = math.ceil(len(files.files) / SAMPLE)
    decoded = yield from decode_files(files.files[::step], plain(input), "Measuring images")
    counts = torch.zeros(input[0], 256, dtype=torch.int64)
    for image in decoded:
        if not isinstance(image, BrokenFile):
            _count(image.unsqueeze(0), counts)
    return _from_counts(counts)


def preprocessing_for(input: tuple[int, int, int], measured: Statistics) -> Preprocessing:
    """Returns the preprocessing that gives images of these statistics mean 0 and variance 1 in each channel."""
    mean, std = measured
    return Preprocessing(input, mean, tuple(max(value, 1 / 255) for value in std), resize=min(input[1:]))


def _count(images: Tensor, counts: Tensor) -> None:
    """Adds how often each of the 256 levels occurs: whole numbers, exact in any order of summation."""
    import torch

    for channel in range(len(counts)):
        counts[channel] += torch.bincount(images[:, channel].flatten(), minlength=256)


def _from_counts(counts: Tensor) -> Statistics:
    import torch

    levels = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in counts:
        share = channel.double() / channel.sum().clamp(min=1)
        mean = float((share * levels).sum())
        means.append(mean)
        stds.append(math.sqrt(float((share * (levels - mean) ** 2).sum())))
    return tuple(means), tuple(stds)
