"""Reads CIFAR, STL-10 and SVHN as published: pickles, plain bytes and MATLAB's files, of none but the official ones."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.data.download import Progress
from explorer.data.official import Official, read_official

if TYPE_CHECKING:
    from torch import Tensor

Pair = tuple["Tensor", "Tensor"]
"""Images, uint8 (N, C, H, W), and labels, int64 (N,)."""

BINARY_SETS: Mapping[str, Official] = {
    "svhn": Official("SVHN", "SVHN", ("train_32x32.mat", "test_32x32.mat"), "", ""),
    "cifar10": Official(
        "CIFAR-10",
        "CIFAR10",
        ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"),
        "cifar-10-batches-py",
        "cifar-10-python.tar.gz",
    ),
    "cifar100": Official("CIFAR-100", "CIFAR100", ("train", "test"), "cifar-100-python", "cifar-100-python.tar.gz"),
    "stl10": Official(
        "STL-10",
        "STL10",
        ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin"),
        "stl10_binary",
        "stl10_binary.tar.gz",
    ),
}
"""Datasets whose official files are read whole, by name."""


def read_binary_set(name: str, place: Path) -> Generator[Progress, None, tuple[Pair, Pair]]:
    """Reads one of `BINARY_SETS`.

    Args:
        name: its key.
        place: what its `find` found.

    Yields:
        Progress while the files are checked and read.

    Returns:
        (images, labels) for training and for testing.

    Raises:
        InputError: a file cannot be read or is not the official one.
    """
    import torch

    official = BINARY_SETS[name]
    files = yield from read_official(official, place)
    if name == "stl10":
        return tuple(_stl10(files[f"{part}_X.bin"], files[f"{part}_y.bin"]) for part in ("train", "test"))  # type: ignore[return-value]
    reader: Callable[[bytes], Pair] = _svhn if name == "svhn" else _cifar
    parts = [reader(files[file]) for file in official.files]
    train, test = parts[:-1], parts[-1]
    return (torch.cat([images for images, _ in train]), torch.cat([labels for _, labels in train])), test


def _cifar(contents: bytes) -> Pair:
    import torch

    batch = pickle.loads(contents, encoding="latin1")  # noqa: S301 (its checksum is the official one)
    labels = batch["labels"] if "labels" in batch else batch["fine_labels"]
    return torch.from_numpy(batch["data"]).view(-1, 3, 32, 32), torch.tensor(labels)


def _stl10(images: bytes, labels: bytes) -> Pair:
    import numpy as np
    import torch

    # Each channel is stored column by column (https://cs.stanford.edu/~acoates/stl10/), the classes from 1.
    pixels = np.frombuffer(images, np.uint8).reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)
    classes = np.frombuffer(labels, np.uint8).astype(np.int64) - 1
    return torch.from_numpy(np.ascontiguousarray(pixels)), torch.from_numpy(classes)


def _svhn(contents: bytes) -> Pair:
    import numpy as np
    import torch
    from scipy.io import loadmat  # type: ignore[import-untyped]

    arrays = loadmat(io.BytesIO(contents))
    pixels = np.ascontiguousarray(arrays["X"].transpose(3, 2, 0, 1))
    classes = arrays["y"].astype(np.int64).ravel() % 10  # the digit 0 is stored as 10
    return torch.from_numpy(pixels), torch.from_numpy(classes)
