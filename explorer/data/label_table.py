"""Reads the table (CSV) that names the class of each image: which column holds what is found out."""

from __future__ import annotations

import csv
import io
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from explorer.data.folder import SPLITS, TABLES, FolderContents
from explorer.data.image_set import BrokenFile
from explorer.data.photo_sets import Listed
from explorer.errors import InputError

FILE_HEADERS = ("file", "filename", "file_name", "image", "image_file", "image_name", "image_id", "img", "path", "id")
LABEL_HEADERS = ("label", "class", "class_name", "category", "target", "species", "breed", "diagnosis", "y")
SPLIT_HEADERS = ("split", "subset", "partition", "set")

_MAX_BYTES = 256 << 20
_DELIMITERS = "\t;,|"
_NUMBER = re.compile(r"-?\d{1,18}")
_PREFERRED = ("labels", "train", "train_labels", "annotations", "metadata")
_ENDINGS = ("", ".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG", ".tif", ".bmp", ".webp")
_TRIED = 200
"""Rows by which a column of file names is recognised."""


def find_table(folder: Path) -> Path | None:
    """Returns the folder's table, None where it has none.

    Raises:
        InputError: it has several and none has one of the usual names.
    """
    tables = sorted(Path(entry.path) for entry in os.scandir(folder) if entry.name.lower().endswith(TABLES))
    for name in _PREFERRED:
        for table in tables:
            if table.stem.lower() == name:
                return table
    if len(tables) > 1:
        raise InputError(f"{folder} holds several tables, {tables[0].name} and {tables[1].name} for instance: name one")
    return tables[0] if tables else None


def read_table(path: Path) -> FolderContents:
    """Lists the images that a table names, with their classes.

    The column of files is the one with a usual header (`filename`, `image`, `path`, …) or else the one whose values
    are files beside the table; the column of classes has a usual header (`label`, `class`, …) or the fewest values. A
    column `split` tells training, validation and test images apart. A row that is there twice counts once. Classes
    are in order of their names, numbers by value; where `classes.txt` lies beside the table, whole numbers are the
    index of a line in it.

    Raises:
        InputError: it cannot be read, its columns are not recognised, or a row makes no sense.
    """
    rows = _rows(path)
    find = _finder(path.parent)
    header, rows = _header(rows, find)
    files, labels, split = _columns(path, header, rows, find)
    classes, index = _classes(path, [row[labels].strip() for row in rows])
    listed: Listed = {"train": []}
    missing: list[BrokenFile] = []
    seen: dict[str, tuple[int, str, str]] = {}
    for number, row in enumerate(rows, 2 if header else 1):
        name, label = row[files].strip(), row[labels].strip()
        if not name or not label:
            raise InputError(f"{path}, row {number}: the {'label' if name else 'file'} is empty: fill it in")
        if label not in index:
            raise InputError(f"{path}, row {number}: label {label} is out of range, classes.txt has {len(classes)}")
        part = SPLITS.get(row[split].strip().lower()) if split is not None else "train"
        if part is None:
            raise InputError(f"{path}, row {number}: its part is none of train, val and test: mend it")
        file = find(name)
        if file is None:
            missing.append(BrokenFile(os.path.join(path.parent, name), "there is no such file"))
        elif (known := seen.setdefault(file, (number, label, part)))[0] == number:
            listed.setdefault(part, []).append((file, index[label]))
        elif known[1:] != (label, part):
            raise InputError(f"{path}, row {number}: {name} has another class or part already, in row {known[0]}")
    if len(missing) > len(rows) / 2:
        raise InputError(f"{path} names files that are not there, {missing[0].path} for instance: check the folder")
    return FolderContents(path, classes, listed, tuple(missing))


def _rows(path: Path) -> list[list[str]]:
    if not os.path.isfile(path):
        raise InputError(f"{path} is not a file: give a table or a folder")
    if path.stat().st_size > _MAX_BYTES:
        raise InputError(f"{path} is larger than {_MAX_BYTES >> 20} MB: that is no table of labels")
    text = _read(path)
    try:
        first = text.lstrip().partition("\n")[0]
        delimiter = max(_DELIMITERS, key=first.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows = [row for row in reader if any(row)]
    except csv.Error as error:
        raise InputError(f"{path} is not a table ({error}): save it as CSV") from None
    if not rows:
        raise InputError(f"{path} is empty: it needs a row for each image")
    width = len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise InputError(f"{path}, row {number} has {len(row)} columns, the first has {width}: mend it")
    if width < 2:
        raise InputError(f"{path} has one column: it needs one for the file and one for the class")
    return rows


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8: save it as such") from None


def _finder(folder: Path) -> Callable[[str], str | None]:
    """Returns what finds a named file: below the folder or its sub-folder `images`, its ending left out or not.

    Tables are made on other systems than where the files are: separators and composed letters may differ.
    """
    places = [str(folder), *(str(folder / name) for name in ("images", "train", "img") if (folder / name).is_dir())]

    def find(name: str) -> str | None:
        forms = {name: None}
        if not name.isascii() or "\\" in name:
            slashed = name.replace("\\", "/")
            forms |= dict.fromkeys((slashed, *(unicodedata.normalize(form, slashed) for form in ("NFC", "NFD"))))
        for form, place, ending in product(forms, places, _ENDINGS):
            path = os.path.join(place, form + ending)
            if name and os.path.isfile(path):
                return os.path.normpath(path)
        return None

    return find


def _header(rows: list[list[str]], find: Callable[[str], str | None]) -> tuple[list[str], list[list[str]]]:
    """Takes the first row off where it names columns instead of a file."""
    names = [cell.strip().lower().replace(" ", "_") for cell in rows[0]]
    usual = set(names) & {*FILE_HEADERS, *LABEL_HEADERS}
    if any(find(cell.strip()) for cell in rows[0]) and not usual:
        return [], rows
    return names, rows[1:]


def _columns(
    path: Path, header: Sequence[str], rows: list[list[str]], find: Callable[[str], str | None]
) -> tuple[int, int, int | None]:
    """Returns the columns of files and of classes, and of the parts where there is one."""
    if not rows:
        raise InputError(f"{path} has a header and no rows: it needs one for each image")

    def named(names: Sequence[str]) -> int | None:
        return next((header.index(name) for name in names if name in header), None)

    tried = rows[:_TRIED]
    columns = range(len(rows[0]))
    found = {column: sum(find(row[column].strip()) is not None for row in tried) for column in columns}
    files = max(columns, key=lambda column: found[column])
    if not found[files]:
        known = named(FILE_HEADERS)
        if known is None:
            raise InputError(f"{path} has no column of files that lie beside it: check the names in it")
        files = known
    split = named(SPLIT_HEADERS)
    labels = named(LABEL_HEADERS)
    if labels is None or labels == files:
        others = [column for column in columns if column not in (files, split)]
        if not others:
            raise InputError(f"{path} has no column of classes beside that of files")
        labels = min(others, key=lambda column: _unlike_classes([row[column] for row in rows]))
    return files, labels, split


def _unlike_classes(values: list[str]) -> tuple[bool, int, bool]:
    """Returns what is the larger, the less the values look like classes: there are few, and words before numbers."""
    distinct = set(values)
    return len(distinct) < 2, len(distinct), all(value.strip().replace(".", "").isdecimal() for value in distinct)


def _classes(path: Path, labels: list[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Returns the classes' names and the index that each label stands for."""
    distinct = {label for label in labels if label}
    numbers = all(map(_NUMBER.fullmatch, distinct))
    names = path.parent / "classes.txt"
    if numbers and os.path.isfile(names):
        listed = tuple(line.strip() for line in _read(names).splitlines() if line.strip())
        if len(set(listed)) < len(listed):
            raise InputError(f"{names} names a class twice: give each another name")
        return listed, {label: int(label) for label in distinct if 0 <= int(label) < len(listed)}
    ordered = sorted(distinct, key=(lambda label: (int(label), label)) if numbers else None)
    return tuple(ordered), {label: place for place, label in enumerate(ordered)}
