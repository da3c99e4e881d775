"""Reads CIFAR-10 as published for Python: pickles, of which none but the official ones is ever opened."""

from __future__ import annotations

import hashlib
import os
import pickle
import tarfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.data.download import Progress
from explorer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

ARCHIVE = "cifar-10-python.tar.gz"
FOLDER = "cifar-10-batches-py"
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
"""Five of training images, then the test images; 10,000 each."""

_MAX_BATCH_BYTES = 1 << 26  # the official ones have 31 MB
_CHUNK = 1 << 20


def find_cifar10(path: Path) -> Path | None:
    """Returns the archive or the folder of batches at or in `path`, None where there is neither; opens nothing."""
    # os.path.isfile says no where Path.is_file would raise: in a folder that may not be entered, for instance.
    for folder in (path / FOLDER, path):
        if all(os.path.isfile(folder / name) for name in BATCHES):
            return folder
    return next((archive for archive in (path / ARCHIVE, path) if os.path.isfile(archive)), None)


def read_cifar10(place: Path) -> Generator[Progress, None, tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]]:
    """Reads the official batches; anything else is refused before it is unpickled. Writes nothing.

    Args:
        place: what `find_cifar10` found.

    Yields:
        Progress while the archive is checked, and before and after each batch.

    Returns:
        (images, labels) for training and for testing: uint8 (N, 3, 32, 32) and int64 (N,).

    Raises:
        InputError: a file cannot be read or is not the official one.
    """
    import torch
    from torchvision.datasets import CIFAR10

    checksums = dict(CIFAR10.train_list + CIFAR10.test_list)
    images: dict[str, Tensor] = {}
    labels: dict[str, Tensor] = {}
    done = 0
    try:
        if place.is_file():
            yield from _check_archive(place, CIFAR10.tgz_md5)
        yield Progress("Reading CIFAR-10", done, 0)
        for name, batch in _batches(place):
            # The very bytes that were checked are unpickled; the file is not opened again.
            if hashlib.md5(batch, usedforsecurity=False).hexdigest() != checksums[name]:
                raise InputError(
                    f"{place / name} is not the official CIFAR-10 file: delete it and fetch CIFAR-10 again"
                )
            content = pickle.loads(batch, encoding="latin1")  # noqa: S301 (its checksum is the official one)
            images[name] = torch.from_numpy(content["data"]).view(-1, 3, 32, 32)
            labels[name] = torch.tensor(content["labels"])
            done += len(batch)
            yield Progress("Reading CIFAR-10", done, 0)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise InputError(f"{place} cannot be read ({error}): name another folder for CIFAR-10") from None
    train, test = BATCHES[:-1], BATCHES[-1]
    return (
        (torch.cat([images[name] for name in train]), torch.cat([labels[name] for name in train])),
        (images[test], labels[test]),
    )


def _check_archive(archive: Path, md5: str) -> Generator[Progress, None, None]:
    digest = hashlib.md5(usedforsecurity=False)
    total = archive.stat().st_size
    with archive.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            yield Progress(f"Checking {archive.name}", file.tell(), total)
    if digest.hexdigest() != md5:
        raise InputError(f"{archive} is not the official {ARCHIVE}: delete it and fetch it again")


def _batches(place: Path) -> Iterator[tuple[str, bytes]]:
    """Gives each batch's name and bytes; an archive's in its own order, since going back means unpacking again."""
    if place.is_dir():
        for name in BATCHES:
            with (place / name).open("rb") as file:
                yield name, file.read(_MAX_BATCH_BYTES)
        return
    with tarfile.open(place, "r:gz") as archive:
        for member in archive:
            name = member.name.removeprefix(f"{FOLDER}/")
            if name in BATCHES and (content := archive.extractfile(member)) is not None:
                yield name, content.read(_MAX_BATCH_BYTES)
