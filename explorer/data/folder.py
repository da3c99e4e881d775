"""Any folder of images as a dataset: a sub-folder for each class, or a table that names each file's class."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from explorer.data.catalogue import DatasetInfo
from explorer.data.image_set import BrokenFile
from explorer.data.photo_sets import Listed
from explorer.errors import InputError

PREFIX = "folder:"
"""A dataset's name that begins so is the path of a folder or of a table."""

TABLES = (".csv", ".tsv")

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
"""Names that a part of a dataset goes by -> its name here."""

_SIDE = 224
"""What images of many sizes are scaled to unless told otherwise."""
_SYSTEM_FILES = {"thumbs.db", "desktop.ini", "__macosx"}
_LOOKED_INTO = 32
_RARE = 0.02


@dataclass(frozen=True, slots=True)
class FolderContents:
    """What a folder holds, by the names of its files alone."""

    path: Path
    classes: tuple[str, ...]
    """In index order: by name, as torchvision's ImageFolder has them."""
    listed: Listed
    """The images of each part with their classes; `train` is always there."""
    passed_over: tuple[BrokenFile, ...] = ()
    """Files among the images that are none, and files of a table that are not there."""


def folder_path(name: str) -> Path | None:
    """Returns the folder or table that a dataset's name stands for, None where it is no path.

    `folder:PATH` always is one; else what holds a separator, or is a folder or table that is there.
    """
    if name.startswith(PREFIX):
        return Path(name.removeprefix(PREFIX)).expanduser()
    separators = {os.sep, os.altsep or os.sep}
    if name and (any(sign in name for sign in separators) or os.path.isdir(name) or name.lower().endswith(TABLES)):
        return Path(name).expanduser()
    return None


def folder_name(path: Path) -> str:
    """Returns the name by which a folder is a dataset from anywhere."""
    return f"{PREFIX}{os.path.abspath(path)}"


def read_folder(path: Path) -> FolderContents:
    """Lists a folder's images and their classes; opens none of them.

    Either `CLASS/IMAGE`, or `train/CLASS/IMAGE` with `val` and `test` beside it where there are such (the layout of
    torchvision's ImageFolder), or images with a table (CSV) that names the class of each.

    Raises:
        InputError: it is not there, cannot be read, has fewer than two classes or a class without images.
    """
    from explorer.data.label_table import find_table, read_table

    try:
        if path.is_file() and path.name.lower().endswith(TABLES):
            return _checked(read_table(path))
        if not path.is_dir():
            raise InputError(f"{path} is not a folder: give one with a sub-folder of images for each class")
        parts = _parts(path)
        roots = parts or {"train": path}
        classes = tuple(_subfolders(roots["train"]))
        if len(classes) < 2 and (table := find_table(path)) is not None:  # one folder may hold a table's images
            return _checked(read_table(table))
        if not classes:
            raise InputError(
                f"{roots['train']} has neither a sub-folder of images for each class nor a table (CSV) of labels: "
                "make one of them"
            )
        return _checked(_read_classes(path, roots, classes))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): check the folder") from None


def folder_info(contents: FolderContents) -> DatasetInfo:
    """Returns what is known of a folder: of the images' sizes, what a few of them tell."""
    listed = contents.listed
    return DatasetInfo(
        name=folder_name(contents.path),
        title=contents.path.resolve().name or str(contents.path),
        images=len(listed["train"]),
        test_images=len(listed.get("test", ())),
        shape=_usual_shape([file for file, _ in listed["train"]]),
        classes=contents.classes,
        offline=True,
        download_bytes=0,
        mean=(),
        std=(),
        source=str(contents.path.absolute()),
        validation_images=len(listed.get("validation", ())),
        files=True,
    )


def odd_ones_out(contents: FolderContents, broken: Sequence[BrokenFile] = ()) -> tuple[BrokenFile, ...]:
    """Returns the files of a kind that hardly any other file has: a GIF among photographs may be a placeholder.

    Args:
        contents: the folder's files.
        broken: those that are left out anyway.
    """
    left_out = {file.path for file in broken}
    files = [file for part in contents.listed.values() for file, _ in part if file not in left_out]
    kinds = Counter(_kind(file) for file in files)
    usual, count = kinds.most_common(1)[0]
    if count < (1 - _RARE) * len(files):
        return ()
    reason = f"one of few {{}} files among {count:,} {usual} files: does it belong?"
    return tuple(BrokenFile(file, reason.format(_kind(file))) for file in files if _kind(file) != usual)


def _kind(file: str) -> str:
    ending = os.path.splitext(file)[1].lower().lstrip(".")
    return {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tiff": "tif"}.get(ending, ending)


def _parts(path: Path) -> dict[str, Path]:
    """Returns the folders of the parts where there is one for training, else nothing."""
    parts: dict[str, Path] = {}
    for name in _subfolders(path):
        if part := SPLITS.get(name.lower()):
            if part in parts:
                raise InputError(f"{parts[part]} and {path / name} are both for {part}: remove or rename one of them")
            parts[part] = path / name
    return parts if "train" in parts else {}


def _subfolders(path: Path) -> list[str]:
    return sorted(entry.name for entry in os.scandir(path) if _is_folder(entry) and not _hidden(entry.name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def _read_classes(path: Path, roots: dict[str, Path], classes: tuple[str, ...]) -> FolderContents:
    from explorer.data.images import SUFFIXES

    listed: Listed = {}
    passed_over: list[BrokenFile] = []
    for part, root in roots.items():
        foreign = set(_subfolders(root)) - set(classes)
        if foreign:
            raise InputError(f"{root} has the class {min(foreign)!r}, {roots['train']} has not: give both the same")
        listed[part] = []
        for label, name in enumerate(classes):
            for file in _files_below(root / name):
                if file.lower().endswith(SUFFIXES):
                    listed[part].append((file, label))
                else:
                    passed_over.append(BrokenFile(file, "its ending is none of an image's"))
    return FolderContents(path, classes, listed, tuple(passed_over))


def _files_below(folder: Path) -> Iterator[str]:
    """Yields a class's files, by name, links followed but those that lead back to where it lies or has been already."""
    seen = {str(above) for above in (folder.resolve(), *folder.resolve().parents)}

    def is_new(path: str) -> bool:
        real = os.path.realpath(path)
        new = real not in seen
        seen.add(real)
        return new

    for parent, subfolders, files in os.walk(folder, followlinks=True):
        subfolders[:] = sorted(name for name in subfolders if not _hidden(name) and is_new(os.path.join(parent, name)))
        for name in sorted(files):
            if not _hidden(name):
                yield os.path.join(parent, name)


def _checked(contents: FolderContents) -> FolderContents:
    """Refuses what cannot be trained on."""
    counts = Counter(label for _, label in contents.listed["train"])
    if not counts:
        raise InputError(f"{contents.path} holds no images to train on: put some into each class")
    if len(contents.classes) == 1:
        raise InputError(f"{contents.path} has one class only, {contents.classes[0]!r}: at least two are needed")
    empty = [name for label, name in enumerate(contents.classes) if not counts[label]]
    if empty:
        names = ", ".join(repr(name) for name in empty[:3]) + (f" and {len(empty) - 3} more" if len(empty) > 3 else "")
        raise InputError(f"{contents.path} has no images to train on of {names}: add some or remove the class")
    for part in ("validation", "test"):
        if part in contents.listed and not contents.listed[part]:
            del contents.listed[part]
    return contents


def _usual_shape(files: list[str]) -> tuple[int, int, int]:
    """Returns channels, height and width where some of the images agree on them and they are small; else 3×224×224."""
    from explorer.data.images import ImageError, image_shape

    shapes = set()
    for file in files[:: max(1, len(files) // _LOOKED_INTO)]:
        try:
            shapes.add(image_shape(Path(file)))
        except ImageError:  # whatever is wrong with it is told when it is decoded
            continue
    if len(shapes) == 1 and max(shape := shapes.pop()) <= _SIDE:
        return shape
    return 3, _SIDE, _SIDE
