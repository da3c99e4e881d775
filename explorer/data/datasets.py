"""The datasets that training knows, by name or by folder, and how each gets into memory or is made ready to stream."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.data.binary_sets import BINARY_SETS, read_binary_set
from explorer.data.catalogue import DATASETS as DATASETS
from explorer.data.catalogue import DatasetInfo as DatasetInfo
from explorer.data.decode import check_files, decode, fits_in_memory
from explorer.data.download import Progress
from explorer.data.folder import folder_info, folder_name, folder_path, odd_ones_out, read_folder
from explorer.data.idx import IDX_SETS, idx_file, read_idx
from explorer.data.image_set import BrokenFile, FileSet
from explorer.data.image_set import Dataset as Dataset
from explorer.data.image_set import ImageSet as ImageSet
from explorer.data.image_set import split as split
from explorer.data.photo_sets import PHOTO_SETS, Listed, list_photos
from explorer.data.published import fetch, is_packed, own_folder, unpack_from
from explorer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def dataset_info(name: str) -> DatasetInfo:
    """Returns what is known of a dataset; of a folder, what the names of its files tell.

    Raises:
        InputError: there is none of that name, or the folder is no dataset.
    """
    if name in DATASETS:
        return DATASETS[name]
    if (path := folder_path(name)) is not None:
        return folder_info(read_folder(path))
    similar = get_close_matches(name.lower(), DATASETS, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(similar)}? " if similar else ""
    raise InputError(
        f"there is no dataset {name!r}: {hint}the datasets are {', '.join(DATASETS)}, and any folder (folder:PATH)"
    )


def full_name(name: str) -> str:
    """Returns the name by which the dataset is the same from anywhere: a folder's is `folder:` and its full path."""
    path = None if name in DATASETS else folder_path(name)
    return name if path is None else folder_name(path)


def is_present(name: str, folder: Path | None = None) -> bool:
    """Returns whether `load_dataset` would find the dataset's files; only looks for names, so it is quick."""
    if name not in DATASETS and (path := folder_path(name)) is not None:
        return path.exists()
    info = dataset_info(name)
    place = folder or own_folder(info)
    return info.offline or _find(info, place) is not None or is_packed(info, place)


def load_dataset(
    name: str, folder: Path | None = None, input: tuple[int, int, int] | None = None
) -> Generator[Progress, None, Dataset]:
    """Makes a dataset ready, downloading what is missing unless a folder is named.

    Closing the generator in the middle leaves no half-written file but the part of a download, which the next one
    goes on from.

    Args:
        name: one of `DATASETS`, or a folder of images (`folder:PATH` or a path, see `read_folder`).
        folder: holds the files as published or as torchvision lays them out; nothing is written to it. None: the
            folder in the environment variable EXPLORER_DATASETS, else the user's cache, where missing files are
            downloaded to and archives of photographs are unpacked. Datasets that come with a package and folders of
            images take no notice of it.
        input: channels, height and width that image files are scaled and cropped to; None for the shape in the
            dataset's info. Datasets of one size come in that, whatever this is.

    Yields:
        Progress while it downloads, unpacks, checks, reads or decodes files.

    Returns:
        the dataset, on the CPU. Image files are decoded where all of them fit into memory at that size, else they
        come as `FileSet`s to be streamed. Files that cannot be read are left out and listed.

    Raises:
        InputError: there is no such dataset, its files are not there, damaged or cannot be downloaded, or a class has
            no image that can be read.
    """
    if name not in DATASETS and (path := folder_path(name)) is not None:
        yield Progress(f"Reading {path.name}", 0, 0)
        contents = read_folder(path)
        info = folder_info(contents)
        dataset = yield from _load_files(info, contents.listed, input or info.shape, contents.passed_over)
        return replace(dataset, doubtful=odd_ones_out(contents, dataset.broken))
    info = dataset_info(name)
    if info.offline:
        yield Progress(f"Reading {info.title}", 0, 0)
        return _load_digits(info)
    place = yield from _make_ready(info, folder)
    if info.name in IDX_SETS:
        return (yield from _load_idx(info, place))
    if info.name in BINARY_SETS:
        train, test = yield from read_binary_set(info.name, place)
        return Dataset(info, ImageSet(*train), ImageSet(*test))
    return (yield from _load_files(info, list_photos(info.name, place, info), input or info.shape))


def _make_ready(info: DatasetInfo, folder: Path | None) -> Generator[Progress, None, Path]:
    """Returns the place of a dataset's files, fetched or unpacked if need be."""
    own = own_folder(info)
    place = _find(info, folder or own)
    if place is None and folder is None:
        yield from fetch(info)
        place = _find(info, own)
    elif place is None and folder is not None and is_packed(info, folder):
        yield from unpack_from(info, folder)
        place = _find(info, own)
    if place is None:
        where = folder or own
        raise InputError(
            f"{info.title} is not in {where}: looked for {_wanted(info, where)}; name no folder to have it downloaded"
        )
    return place


def _find(info: DatasetInfo, folder: Path) -> Path | None:
    kind = IDX_SETS.get(info.name) or BINARY_SETS.get(info.name) or PHOTO_SETS[info.name]
    return kind.find(folder)


def _wanted(info: DatasetInfo, folder: Path) -> str:
    """Returns what `_find` looks for and where, in words."""
    if (idx := IDX_SETS.get(info.name)) is not None:
        places = ", ".join(str(place) for place in idx.folders(folder))
        return f"{', '.join(idx.names)} (or each with .gz) in one of {places}"
    return f"{(BINARY_SETS.get(info.name) or PHOTO_SETS[info.name]).wanted}, in {folder}"


def _load_files(
    info: DatasetInfo, listed: Listed, input: tuple[int, int, int], passed_over: Sequence[BrokenFile] = ()
) -> Generator[Progress, None, Dataset]:
    """Decodes image files where they fit into memory, else looks at the beginning of each."""
    import torch

    in_memory = fits_in_memory(sum(map(len, listed.values())), input)
    sets: dict[str, ImageSet | FileSet] = {}
    broken = list(passed_over)
    for part, photos in listed.items():
        labels = torch.tensor([label for _, label in photos], dtype=torch.int64)
        files = FileSet(tuple(file for file, _ in photos), labels)
        message = f"{'Decoding' if in_memory else 'Checking'} {part} images"
        readable: ImageSet | FileSet
        readable, faults = yield from (decode(files, input, message) if in_memory else check_files(files, message))
        _check_readable(info, part, files, readable, faults)
        sets[part] = readable
        broken += faults
    return Dataset(info, sets["train"], sets.get("test"), sets.get("validation"), tuple(broken))


def _check_readable(
    info: DatasetInfo, part: str, files: FileSet, readable: ImageSet | FileSet, faults: Sequence[BrokenFile]
) -> None:
    import torch

    count = len(files.files)
    if len(faults) * 2 > count:
        raise InputError(
            f"{len(faults):,} of the {count:,} {part} images of {info.title} cannot be read, {faults[0].path} for "
            f"instance: {faults[0].reason}"
        )
    if part == "train":
        counts = torch.bincount(readable.labels, minlength=len(info.classes)).tolist()
        lost = [name for name, number in zip(info.classes, counts, strict=True) if not number]
        if lost and faults:
            raise InputError(
                f"none of the {part} images of {lost[0]!r} can be read, {faults[0].path} for instance: "
                f"{faults[0].reason}"
            )


def _load_idx(info: DatasetInfo, place: Path) -> Generator[Progress, None, Dataset]:
    import torch

    layout = IDX_SETS[info.name]
    tensors: list[Tensor] = []
    for name in layout.names:
        path = idx_file(place, name)
        if path is None:  # gone since it was found
            raise InputError(f"{place / name} is gone: fetch {info.title} again")
        yield Progress(f"Reading {path.name}", 0, 0)
        tensors.append(read_idx(path, info.shape[1:] if "images" in name else ()))
    sets = []
    for images, numbers in (tensors[:2], tensors[2:]):
        if len(images) != len(numbers):
            raise InputError(
                f"{place} holds {len(images):,} images but {len(numbers):,} labels: fetch {info.title} again"
            )
        first, last = layout.first_label, layout.first_label + len(info.classes) - 1
        outside = numbers[(numbers < first) | (numbers > last)]
        if len(outside):
            raise InputError(
                f"{place} holds label {int(outside.max())} but {info.title} has labels {first} to {last}: "
                "name another folder"
            )
        upright = images.transpose(1, 2).contiguous() if layout.transposed else images
        sets.append(ImageSet(upright.unsqueeze(1), numbers.to(torch.int64) - first))
    return Dataset(info, sets[0], sets[1])


def _load_digits(info: DatasetInfo) -> Dataset:
    import torch
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = torch.from_numpy(digits.images).mul(255 / 16).round().to(torch.uint8)
    return Dataset(info, ImageSet(images.unsqueeze(1), torch.from_numpy(digits.target).long()), None)
