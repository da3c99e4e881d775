"""The datasets that training knows by name, and how each gets into memory."""

from __future__ import annotations

import os
from collections.abc import Generator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.data.cifar10 import ARCHIVE, FOLDER, find_cifar10, read_cifar10
from explorer.data.download import DownloadError, Progress, download
from explorer.data.idx import read_idx
from explorer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """What is known of a dataset without opening it."""

    name: str
    """As the command line writes it: `fashion_mnist`."""
    title: str
    """As people write it: `Fashion-MNIST`."""
    images: int
    """Training images."""
    test_images: int
    """Images of the official test set; 0 where there is none."""
    shape: tuple[int, int, int]
    """Channels, height and width of one image."""
    classes: tuple[str, ...]
    """Class names in index order."""
    offline: bool
    """True where the images come with an installed package."""
    download_bytes: int
    """Size of the published archives together."""
    mean: tuple[float, ...]
    """Of the training images, per channel on the 0–1 scale."""
    std: tuple[float, ...]
    """Over all pixels of the training images, per channel on the 0–1 scale."""
    source: str
    """Citation and link."""


_DIGITS = tuple("0123456789")

DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="digits",
            title="Handwritten digits (scikit-learn)",
            images=1797,
            test_images=0,
            shape=(1, 8, 8),
            classes=_DIGITS,
            offline=True,
            download_bytes=0,
            mean=(0.3053,),
            std=(0.3759,),
            source="E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning "
            "Repository, 1998, https://doi.org/10.24432/C50P49",
        ),
        DatasetInfo(
            name="mnist",
            title="MNIST",
            images=60_000,
            test_images=10_000,
            shape=(1, 28, 28),
            classes=_DIGITS,
            offline=False,
            download_bytes=9_912_422 + 28_881 + 1_648_877 + 4_542,
            mean=(0.1307,),
            std=(0.3081,),
            source="Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning applied to document "
            "recognition, Proceedings of the IEEE 86(11), 1998, http://yann.lecun.com/exdb/mnist/",
        ),
        DatasetInfo(
            name="fashion_mnist",
            title="Fashion-MNIST",
            images=60_000,
            test_images=10_000,
            shape=(1, 28, 28),
            classes=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            offline=False,
            download_bytes=26_421_880 + 29_515 + 4_422_102 + 5_148,
            mean=(0.2860,),  # the values in general use with torchvision's copy, for instance in PyTorch tutorials
            std=(0.3530,),
            source="H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking machine "
            "learning algorithms, 2017, https://arxiv.org/abs/1708.07747",
        ),
        DatasetInfo(
            name="cifar10",
            title="CIFAR-10",
            images=50_000,
            test_images=10_000,
            shape=(3, 32, 32),
            classes=(
                "airplane",
                "automobile",
                "bird",
                "cat",
                "deer",
                "dog",
                "frog",
                "horse",
                "ship",
                "truck",
            ),
            offline=False,
            download_bytes=170_498_071,
            # As in K. Jordan's cifar10-airbench. The (0.2023, 0.1994, 0.2010) also met with is the mean of the single
            # images' standard deviations, which leaves the pixels with a spread of 1.2 instead of 1.
            mean=(0.4914, 0.4822, 0.4465),
            std=(0.2470, 0.2435, 0.2616),
            source="A. Krizhevsky, Learning multiple layers of features from tiny images, technical report, "
            "University of Toronto, 2009, https://www.cs.toronto.edu/~kriz/cifar.html",
        ),
    )
}

_IDX_CLASSES = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
"""Datasets in IDX files -> their class in torchvision, which is its folder's name as well."""

_IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True, slots=True, eq=False)
class ImageSet:
    """Images in memory, each with the index of its class."""

    images: Tensor
    """uint8 (N, C, H, W), contiguous."""
    labels: Tensor
    """int64 (N,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A dataset in memory."""

    info: DatasetInfo
    train: ImageSet
    test: ImageSet | None
    """The official test set; None where there is none."""


def dataset_info(name: str) -> DatasetInfo:
    """Returns what is known of a dataset.

    Raises:
        InputError: there is none of that name.
    """
    if name in DATASETS:
        return DATASETS[name]
    similar = get_close_matches(name.lower(), DATASETS, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(similar)}? " if similar else ""
    raise InputError(f"there is no dataset {name!r}: {hint}the datasets are {', '.join(DATASETS)}")


def is_present(name: str, folder: Path | None = None) -> bool:
    """Returns whether `load_dataset` would find the dataset's files; only looks for names, so it is quick."""
    info = dataset_info(name)
    return info.offline or _find(info, folder or _cache(info)) is not None


def load_dataset(name: str, folder: Path | None = None) -> Generator[Progress, None, Dataset]:
    """Reads a dataset into memory, downloading what is missing unless a folder is named.

    Closing the generator in the middle leaves no half-written file. Files that were complete by then are kept, the
    one under way is discarded.

    Args:
        name: one of `DATASETS`.
        folder: holds the files as published or as torchvision lays them out; nothing is written to it. None: the
            folder in the environment variable EXPLORER_DATASETS, else the user's cache, where missing files are
            downloaded to. Datasets that come with a package take no notice of it.

    Yields:
        Progress while it downloads, checks or reads files.

    Returns:
        the dataset, on the CPU.

    Raises:
        InputError: there is no such dataset, its files are not there, damaged or cannot be downloaded.
    """
    info = dataset_info(name)
    if info.offline:
        yield Progress(f"Reading {info.title}", 0, 0)
        return _load_digits(info)
    place = _find(info, folder or _cache(info))
    if place is None and folder is None:
        yield from _download(info)
        place = _find(info, _cache(info))
    if place is None:
        raise InputError(_nothing_found(info, folder or _cache(info)))
    if info.name in _IDX_CLASSES:
        return (yield from _load_idx(info, place))
    train, test = yield from read_cifar10(place)
    return Dataset(info, ImageSet(*train), ImageSet(*test))


def split(images: ImageSet, fraction: float, seed: int) -> tuple[ImageSet, ImageSet]:
    """Divides a set in two with the classes in the same proportions in both.

    Args:
        images: what to divide; it stays as it is.
        fraction: part to hold out, above 0 and below 1.
        seed: the same seed gives the same division.

    Returns:
        (training, held out); the latter has round(fraction × N) images, shared out among the classes by largest
        remainder. Both keep the order of `images`.

    Raises:
        InputError: one of the two would be empty.
    """
    import torch

    count = len(images.labels)
    held_out_count = round(fraction * count) if 0 < fraction < 1 else 0
    if not 0 < held_out_count < count:
        raise InputError(
            f"{fraction:g} of {count:,} images cannot be held out: choose a fraction between 0 and 1 that leaves "
            "images on both sides"
        )
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    labels = images.labels.cpu()[order]
    sizes = torch.bincount(labels)
    quotas = fraction * sizes.double()
    shares = quotas.floor().long()
    remainders = torch.argsort(quotas - shares, descending=True, stable=True)
    shares[remainders[: held_out_count - int(shares.sum())]] += 1
    held_out = torch.zeros(count, dtype=torch.bool)
    for label, share in enumerate(shares.tolist()):
        held_out[order[labels == label][:share]] = True
    held_out = held_out.to(images.images.device)
    return (
        ImageSet(images.images[~held_out], images.labels[~held_out]),
        ImageSet(images.images[held_out], images.labels[held_out]),
    )


def _cache(info: DatasetInfo) -> Path:
    from platformdirs import user_cache_path

    root = os.environ.get("EXPLORER_DATASETS")
    return (Path(root) if root else user_cache_path("architecture-explorer") / "datasets") / info.name


def _idx_folders(info: DatasetInfo, folder: Path) -> tuple[Path, ...]:
    # torchvision's folder first: its root may hold MNIST and Fashion-MNIST, whose files have the same names.
    return folder / _IDX_CLASSES[info.name] / "raw", folder / "raw", folder


def _idx_file(folder: Path, name: str) -> Path | None:
    # os.path.isfile says no where Path.is_file would raise: in a folder that may not be entered, for instance.
    return next((path for path in (folder / name, folder / f"{name}.gz") if os.path.isfile(path)), None)


def _find(info: DatasetInfo, folder: Path) -> Path | None:
    if info.name not in _IDX_CLASSES:
        return find_cifar10(folder)
    for place in _idx_folders(info, folder):
        if all(_idx_file(place, name) for name in _IDX_FILES):
            return place
    return None


def _nothing_found(info: DatasetInfo, folder: Path) -> str:
    if info.name in _IDX_CLASSES:
        places = ", ".join(str(place) for place in _idx_folders(info, folder))
        wanted = f"{', '.join(_IDX_FILES)} (or each with .gz) in one of {places}"
    else:
        wanted = f"{FOLDER} with all its batches, or {ARCHIVE}, in {folder}"
    return f"{info.title} is not in {folder}: looked for {wanted}; name no folder to have it downloaded"


def _download(info: DatasetInfo) -> Generator[Progress, None, None]:
    from torchvision import datasets

    if info.name in _IDX_CLASSES:
        published = getattr(datasets, _IDX_CLASSES[info.name])
        archives = [(name, [mirror + name for mirror in published.mirrors], md5) for name, md5 in published.resources]
    else:
        archives = [(datasets.CIFAR10.filename, [datasets.CIFAR10.url], datasets.CIFAR10.tgz_md5)]
    folder = _cache(info)
    try:
        for name, urls, md5 in archives:
            if _idx_file(folder, name.removesuffix(".gz")) is None:
                yield from download(urls, folder / name, md5, max_bytes=info.download_bytes)
    except DownloadError as error:
        raise InputError(
            f"{info.title} could not be downloaded ({error}): check the connection or give a folder that holds it"
        ) from None
    except OSError as error:
        raise InputError(
            f"{info.title} could not be saved in {folder} ({error.strerror or error}): set EXPLORER_DATASETS to a "
            "folder with room for it"
        ) from None


def _load_idx(info: DatasetInfo, place: Path) -> Generator[Progress, None, Dataset]:
    import torch

    tensors: list[Tensor] = []
    for name in _IDX_FILES:
        path = _idx_file(place, name)
        if path is None:  # gone since it was found
            raise InputError(_nothing_found(info, place))
        yield Progress(f"Reading {path.name}", 0, 0)
        tensors.append(read_idx(path, info.shape[1:] if "images" in name else ()))
    sets = []
    for images, labels in (tensors[:2], tensors[2:]):
        if len(images) != len(labels):
            raise InputError(
                f"{place} holds {len(images):,} images but {len(labels):,} labels: fetch {info.title} again"
            )
        if labels.max() >= len(info.classes):
            raise InputError(
                f"{place} holds label {int(labels.max())} but {info.title} has labels 0 to {len(info.classes) - 1}: "
                "name another folder"
            )
        sets.append(ImageSet(images.unsqueeze(1), labels.to(torch.int64)))
    return Dataset(info, sets[0], sets[1])


def _load_digits(info: DatasetInfo) -> Dataset:
    import torch
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.from_numpy(digits.images).mul(255 / 16).round().to(torch.uint8)
    return Dataset(info, ImageSet(images.unsqueeze(1), torch.from_numpy(digits.target).long()), None)
