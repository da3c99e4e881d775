"""Gets a named dataset's published files into the app's own folder: downloads them and unpacks what is packed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

from explorer.data.archive import unpack
from explorer.data.binary_sets import BINARY_SETS
from explorer.data.catalogue import DatasetInfo
from explorer.data.download import DownloadError, Progress, download, md5_of
from explorer.data.idx import IDX_SETS
from explorer.data.photo_sets import PHOTO_SETS, Part
from explorer.errors import InputError

_EMNIST = Part("gzip.zip", "", "gzip")
_MAX_EMNIST_BYTES = 1 << 30
_IN_TORCHVISION = {
    "flowers102": "Flowers102",
    "pets": "OxfordIIITPet",
    "food101": "Food101",
    "imagenette": "Imagenette",
    "imagenette_160": "Imagenette",
}

Address = tuple[str, list[str], str]
"""File name, mirrors and MD5 checksum."""


def own_folder(info: DatasetInfo) -> Path:
    """Returns the folder that a dataset is downloaded to."""
    from platformdirs import user_cache_path

    root = os.environ.get("EXPLORER_DATASETS")
    datasets = Path(root) if root else user_cache_path("architecture-explorer") / "datasets"
    return datasets / ("emnist" if info.name.startswith("emnist") else info.name)  # one archive for all of EMNIST


def is_packed(info: DatasetInfo, folder: Path) -> bool:
    """Returns whether a folder holds the published archives of a dataset that has to be unpacked."""
    parts = _parts(info)
    return bool(parts) and all(os.path.isfile(folder / part.file) for part in parts)


def fetch(info: DatasetInfo) -> Generator[Progress, None, None]:
    """Downloads what is missing in the dataset's own folder and unpacks it.

    Raises:
        InputError: it cannot be downloaded, saved or unpacked.
    """
    folder = own_folder(info)
    parts = {part.file: part for part in _parts(info)}
    limit = info.download_bytes * 11 // 10 + (1 << 20)  # some archives were packed anew; the checksum decides
    try:
        _check_room(info, folder)
        for name, urls, md5 in _addresses(info):
            part = parts.get(name)
            if _is_there(folder, name, part):
                continue
            place = folder / part.folder if part and part.holds == name else folder
            if not os.path.isfile(place / name):
                yield from download(urls, place / name, md5, limit)
            if part:
                yield from _unpack(info, part, folder, folder)
                if part.holds != name:
                    (folder / name).unlink(missing_ok=True)  # it would take as much room again
    except DownloadError as error:
        raise InputError(
            f"{info.title} could not be downloaded ({error}): check the connection and try again (what has "
            "arrived is kept), or give a folder that holds it"
        ) from None
    except OSError as error:
        raise _not_saved(info, error) from None


def unpack_from(info: DatasetInfo, folder: Path) -> Generator[Progress, None, None]:
    """Unpacks published archives that lie in a folder of the user's into the dataset's own folder.

    Raises:
        InputError: one is not the official one, or cannot be unpacked.
    """
    own = own_folder(info)
    checksums = {name: md5 for name, _, md5 in _addresses(info)}
    try:
        for part in _parts(info):
            if _is_there(own, part.file, part):
                continue
            if (yield from md5_of(folder / part.file)) != checksums[part.file]:
                raise InputError(f"{folder / part.file} is not the official file: delete it and fetch it again")
            if part.holds == part.file:
                (own / part.folder).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / part.file, own / part.folder / part.file)
            else:
                yield from _unpack(info, part, folder, own)
    except OSError as error:
        raise _not_saved(info, error) from None


def _parts(info: DatasetInfo) -> tuple[Part, ...]:
    """Returns the published files of a dataset that has to be unpacked; nothing for the others."""
    if info.name.startswith("emnist"):
        return (_EMNIST,)
    return PHOTO_SETS[info.name].parts if info.name in PHOTO_SETS else ()


def _check_room(info: DatasetInfo, folder: Path) -> None:
    """Refuses to begin a download that the disk has no room for, instead of filling it."""
    folder.mkdir(parents=True, exist_ok=True)
    needed = info.download_bytes * (2 if _parts(info) else 1)  # an archive and what comes out of it
    here = _bytes_in(folder)
    free = shutil.disk_usage(folder).free
    if needed - here > free:
        raise InputError(
            f"{info.title} needs {(needed - here) / 1e6:,.0f} MB and {folder} has room for {free / 1e6:,.0f} MB: set "
            "EXPLORER_DATASETS to a folder with room for it"
        )


def _bytes_in(folder: Path) -> int:
    held = 0
    for parent, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):  # another process may be at work here
                held += os.path.getsize(os.path.join(parent, name))
    return held


def _is_there(folder: Path, name: str, part: Part | None) -> bool:
    if part is not None:
        return part.found(folder) is not None
    return any(os.path.isfile(folder / form) for form in (name, name.removesuffix(".gz")))


def _unpack(info: DatasetInfo, part: Part, source: Path, target: Path) -> Generator[Progress, None, None]:
    if part.holds == part.file:
        return
    if info.name.startswith("emnist"):
        # All six divisions are in it; those with classes of one size are a quarter of it.
        wanted = tuple(f"emnist-{division}-" for division in ("letters", "balanced"))
        yield from unpack(
            source / part.file,
            target / part.folder,
            _MAX_EMNIST_BYTES,
            lambda name: name.rpartition("/")[2].startswith(wanted) and name.endswith(".gz"),
        )
    else:
        yield from unpack(source / part.file, target / part.folder, PHOTO_SETS[info.name].max_bytes)
    if not os.path.exists(target / part.folder / part.holds):
        raise InputError(f"{source / part.file} holds no {part.holds}: delete it and fetch it again")


def _addresses(info: DatasetInfo) -> list[Address]:
    """Returns where a dataset's files are published, as torchvision knows it."""
    from torchvision import datasets

    if info.name.startswith("emnist"):
        return [(_EMNIST.file, [datasets.EMNIST.url], datasets.EMNIST.md5)]
    if info.name in IDX_SETS:
        published: Any = getattr(datasets, IDX_SETS[info.name].folder)
        return [(name, [mirror + name for mirror in published.mirrors], md5) for name, md5 in published.resources]
    if info.name in BINARY_SETS:
        published = getattr(datasets, BINARY_SETS[info.name].published)
        if info.name == "svhn":
            return [(name, [url], md5) for url, name, md5 in (published.split_list[part] for part in ("train", "test"))]
        return [(published.filename, [published.url], published.tgz_md5)]
    published = getattr(datasets, _IN_TORCHVISION[info.name])
    if info.name == "flowers102":
        return [(name, [published._download_url_prefix + name], md5) for name, md5 in published._file_dict.values()]
    if info.name == "pets":
        return [(url.rpartition("/")[2], [url], md5) for url, md5 in published._RESOURCES]
    if info.name == "food101":
        return [(published._URL.rpartition("/")[2], [published._URL], published._MD5)]
    url, md5 = published._ARCHIVES["160px" if info.name == "imagenette_160" else "320px"]
    return [(url.rpartition("/")[2], [url], md5)]


def _not_saved(info: DatasetInfo, error: OSError) -> InputError:
    return InputError(
        f"{info.title} could not be saved in {own_folder(info)} ({error.strerror or error}): set EXPLORER_DATASETS to "
        "a folder with room for it"
    )
