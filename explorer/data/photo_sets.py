"""Datasets published as archives of photographs: what they hold, and which photograph is of which class."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.data.catalogue import DatasetInfo
from explorer.errors import InputError

Listed = dict[str, list[tuple[str, int]]]
"""`train`, `validation` and `test`, as far as there are such parts: file and index of the class."""


@dataclass(frozen=True, slots=True)
class Part:
    """One published file of a dataset."""

    file: str
    """Its name as published."""
    folder: str
    """Where torchvision puts it or unpacks it, below the dataset's root; empty for the root itself."""
    holds: str
    """The folder that it unpacks to there; the file's own name where it is no archive."""
    larger: str = ""
    """A folder of the same photographs in a larger size, which does as well."""

    def found(self, root: Path) -> Path | None:
        """Returns what it unpacks to, or what does as well, below a root; None where there is neither."""
        places = (root / self.folder / name for name in (self.holds, self.larger) if name)
        return next((place for place in places if os.path.exists(place)), None)


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """How a dataset of photographs is published."""

    parts: tuple[Part, ...]
    max_bytes: int
    """More than it unpacks to."""
    read: Callable[[Path, DatasetInfo], Listed]
    """Reads the lists in the root."""

    def find(self, path: Path) -> Path | None:
        """Returns the root below which everything lies, None where something lacks: `path`, or the folder above it."""
        for root in (path, path.parent):
            if all(part.found(root) for part in self.parts):
                return root
        return None

    @property
    def wanted(self) -> str:
        """What `find` looks for, in words."""
        unpacked = ", ".join(str(Path(part.folder) / part.holds) for part in self.parts)
        return f"{unpacked}, or {', '.join(part.file for part in self.parts)}"


def _flowers(root: Path, info: DatasetInfo) -> Listed:
    from scipy.io import loadmat  # type: ignore[import-untyped]
    from torchvision.datasets import Flowers102

    folder = root / "flowers-102"
    arrays: dict[str, Any] = {}
    for kind in ("label", "setid"):
        name, md5 = Flowers102._file_dict[kind]
        contents = (folder / name).read_bytes()
        if hashlib.md5(contents, usedforsecurity=False).hexdigest() != md5:
            raise InputError(f"{folder / name} is not the official file: delete it and fetch {info.title} again")
        arrays |= loadmat(io.BytesIO(contents), squeeze_me=True)
    classes = arrays["labels"] - 1
    splits = {"train": "trnid", "validation": "valid", "test": "tstid"}
    return {
        split: [(str(folder / "jpg" / f"image_{number:05d}.jpg"), int(classes[number - 1])) for number in arrays[key]]
        for split, key in splits.items()
    }


def _pets(root: Path, info: DatasetInfo) -> Listed:
    folder = root / "oxford-iiit-pet"
    listed: Listed = {}
    for split, name in (("train", "trainval.txt"), ("test", "test.txt")):
        lines = (folder / "annotations" / name).read_text(encoding="utf-8").splitlines()
        rows = [line.split() for line in lines if line and not line.startswith("#")]
        listed[split] = [(str(folder / "images" / f"{row[0]}.jpg"), int(row[1]) - 1) for row in rows]
    return listed


def _food(root: Path, info: DatasetInfo) -> Listed:
    folder = root / "food-101"
    listed: Listed = {}
    for split in ("train", "test"):
        lists = json.loads((folder / "meta" / f"{split}.json").read_text(encoding="utf-8"))
        listed[split] = [
            (str(folder / "images" / f"{name}.jpg"), label)
            for label, kind in enumerate(info.classes)
            for name in lists[kind]
        ]
    return listed


def _imagenette(root: Path, info: DatasetInfo) -> Listed:
    """Its own validation images are the test set here: they must have no part in choosing the best epoch."""
    from torchvision.datasets import Imagenette

    (part,) = PHOTO_SETS[info.name].parts
    folder = part.found(root) or root / part.holds
    listed: Listed = {}
    for split, name in (("train", "train"), ("test", "val")):
        listed[split] = [
            (entry.path, label)
            for label, wnid in enumerate(sorted(Imagenette._WNID_TO_CLASS))
            for entry in sorted(os.scandir(folder / name / wnid), key=lambda entry: entry.name)
            if entry.name.endswith(".JPEG")
        ]
    return listed


PHOTO_SETS: Mapping[str, PhotoSet] = {
    "flowers102": PhotoSet(
        (
            Part("102flowers.tgz", "flowers-102", "jpg"),
            Part("imagelabels.mat", "flowers-102", "imagelabels.mat"),
            Part("setid.mat", "flowers-102", "setid.mat"),
        ),
        1 << 30,
        _flowers,
    ),
    "pets": PhotoSet(
        (
            Part("images.tar.gz", "oxford-iiit-pet", "images"),
            Part("annotations.tar.gz", "oxford-iiit-pet", "annotations"),
        ),
        2 << 30,
        _pets,
    ),
    "food101": PhotoSet((Part("food-101.tar.gz", "", "food-101"),), 8 << 30, _food),
    "imagenette": PhotoSet(
        (Part("imagenette2-320.tgz", "", "imagenette2-320", larger="imagenette2"),), 1 << 30, _imagenette
    ),
    "imagenette_160": PhotoSet((Part("imagenette2-160.tgz", "", "imagenette2-160"),), 1 << 30, _imagenette),
}
"""Datasets of photographs by name."""


def list_photos(name: str, root: Path, info: DatasetInfo) -> Listed:
    """Returns the photographs of each part of a dataset with their classes; opens none of them.

    Raises:
        InputError: its lists cannot be read or tell of classes that there are not.
    """
    try:
        listed = PHOTO_SETS[name].read(root, info)
    except InputError:
        raise
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"the lists of {info.title} in {root} cannot be read ({reason}): fetch it again") from None
    for photos in listed.values():
        for file, label in photos:
            if not 0 <= label < len(info.classes):
                raise InputError(f"{file} is of class {label}, {info.title} has classes 0 to {len(info.classes) - 1}")
    return listed
