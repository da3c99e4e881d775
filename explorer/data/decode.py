"""Decodes image files for a network's input: one, or a whole set at once into memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from explorer.data.cores import available_cores
from explorer.data.download import Progress
from explorer.data.image_set import BrokenFile, FileSet, ImageSet
from explorer.data.preprocessing import Preprocessing, image_to_tensor

if TYPE_CHECKING:
    from torch import Tensor

RESIDENT_BYTES = 1 << 30
"""Image files are decoded into memory where the result is no larger, else streamed from the disk."""


def fits_in_memory(images: int, input: tuple[int, int, int]) -> bool:
    """Returns whether so many images of (C, H, W) are held decoded rather than streamed."""
    return images * math.prod(input) <= RESIDENT_BYTES


def plain(input: tuple[int, int, int]) -> Preprocessing:
    """Returns the preprocessing that only scales and crops: shorter side to the input's, its centre, no statistics."""
    channels = input[0]
    return Preprocessing(input, (0.0,) * channels, (1.0,) * channels, resize=min(input[1:]))


def decode_file(file: str, preprocessing: Preprocessing) -> Tensor | BrokenFile:
    """Returns one file's image, upright, as uint8 (C, H, W), or why there is none."""
    from pathlib import Path

    from explorer.data.images import ImageError, load_image

    try:
        return image_to_tensor(load_image(Path(file)), preprocessing)
    except ImageError as error:
        return BrokenFile(file, error.reason)


def check_file(file: str) -> BrokenFile | None:
    """Returns why a file is no image, by its beginning alone; None where it seems to be one."""
    from pathlib import Path

    from explorer.data.images import ImageError, image_shape

    try:
        image_shape(Path(file))
    except ImageError as error:
        return BrokenFile(file, error.reason)
    return None


def decode_files(
    files: Sequence[str], preprocessing: Preprocessing, message: str
) -> Generator[Progress, None, list[Tensor | BrokenFile]]:
    """Decodes files in threads (decoders let go of the interpreter) and returns them in order.

    Yields:
        Progress in images, after each.
    """
    results: list[Tensor | BrokenFile] = []
    with ThreadPoolExecutor(available_cores(), thread_name_prefix="decode") as pool:
        try:
            for result in _in_order(pool, files, preprocessing):
                results.append(result)
                yield Progress(message, len(results), len(files))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return results


def check_files(
    files: FileSet, message: str = "Checking images"
) -> Generator[Progress, None, tuple[FileSet, tuple[BrokenFile, ...]]]:
    """Looks at the beginning of every file, in threads.

    Yields:
        Progress in images.

    Returns:
        (the files that begin like an image, the others).
    """
    import torch

    broken: dict[int, BrokenFile] = {}
    with ThreadPoolExecutor(available_cores(), thread_name_prefix="check") as pool:
        try:
            for place, fault in enumerate(pool.map(check_file, files.files)):
                if fault is not None:
                    broken[place] = fault
                if place % 64 == 0:
                    yield Progress(message, place, len(files.files))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    if not broken:
        return files, ()
    good = torch.ones(len(files.files), dtype=torch.bool)
    good[list(broken)] = False
    return files.select(good), tuple(broken.values())


def decode(
    files: FileSet, input: tuple[int, int, int], message: str = "Decoding images"
) -> Generator[Progress, None, tuple[ImageSet, tuple[BrokenFile, ...]]]:
    """Decodes a whole set into memory.

    Args:
        files: what to decode; must fit.
        input: channels, height and width that the images get.
        message: what the progress says.

    Yields:
        Progress in images.

    Returns:
        (the readable images in the set's order, the others).
    """
    import numpy as np
    import torch

    preprocessing = plain(input)
    images = np.empty((len(files.files), *input), np.uint8)  # torch's threads would be in the way of those that decode
    good: list[int] = []
    broken: list[BrokenFile] = []
    yield Progress(message, 0, len(files.files))
    with ThreadPoolExecutor(available_cores(), thread_name_prefix="decode") as pool:
        try:
            for place, result in enumerate(_in_order(pool, files.files, preprocessing)):
                if isinstance(result, BrokenFile):
                    broken.append(result)
                else:
                    images[len(good)] = result.numpy()
                    good.append(place)
                yield Progress(message, place + 1, len(files.files))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    kept = images if not broken else images[: len(good)].copy()
    return ImageSet(torch.from_numpy(kept), files.labels[torch.tensor(good, dtype=torch.int64)]), tuple(broken)


def _in_order(
    pool: ThreadPoolExecutor, files: Sequence[str], preprocessing: Preprocessing
) -> Iterator[Tensor | BrokenFile]:
    """Gives the decoded files in order, a few ahead: all at once would hold them twice."""
    ahead: deque[Future[Tensor | BrokenFile]] = deque()
    for file in files:
        ahead.append(pool.submit(decode_file, file, preprocessing))
        if len(ahead) >= 4 * available_cores():
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()
