"""Decodes image files for a network's input: one, or a whole set at once into memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from explorer.data.cores import available_cores
from explorer.data.download import Progress
from explorer.data.image_set import BrokenFile, FileSet, ImageSet
from explorer.data.preprocessing import Preprocessing, image_to_tensor

if TYPE_CHECKING:
    from torch import Tensor

Item = TypeVar("Item")
Result = TypeVar("Result")

_TOGETHER = 64
"""Files that a thread looks at before it tells: one by one, telling would take longer than looking."""

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


def _check_some(files: Sequence[str]) -> list[BrokenFile | None]:
    return [check_file(file) for file in files]


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
            for result in _in_order(pool, partial(decode_file, preprocessing=preprocessing), files):
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
    count = len(files.files)
    begins = range(0, count, _TOGETHER)
    with ThreadPoolExecutor(available_cores(), thread_name_prefix="check") as pool:
        try:
            some = _in_order(pool, _check_some, (files.files[begin : begin + _TOGETHER] for begin in begins))
            for begin, faults in zip(begins, some, strict=True):
                broken |= {begin + place: fault for place, fault in enumerate(faults) if fault is not None}
                yield Progress(message, min(begin + _TOGETHER, count), count)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    if not broken:
        return files, ()
    good = torch.ones(count, dtype=torch.bool)
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

    decode_one = partial(decode_file, preprocessing=plain(input))
    images = np.empty((len(files.files), *input), np.uint8)  # torch's threads would be in the way of those that decode
    good: list[int] = []
    broken: list[BrokenFile] = []
    yield Progress(message, 0, len(files.files))
    with ThreadPoolExecutor(available_cores(), thread_name_prefix="decode") as pool:
        try:
            for place, result in enumerate(_in_order(pool, decode_one, files.files)):
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


def _in_order(pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Gives the results in the items' order, a few ahead: all at once would fill the memory."""
    ahead: deque[Future[Result]] = deque()
    for item in items:
        ahead.append(pool.submit(work, item))
        if len(ahead) >= 4 * available_cores():
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()
