"""Official files, in a folder or in the archive they are published in: read only where their checksums are right."""

from __future__ import annotations

import hashlib
import os
import tarfile
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.data.download import Progress, md5_of
from explorer.errors import InputError

_MAX_FILE_BYTES = 1 << 29  # the largest, STL-10's test images, has 221 MB


@dataclass(frozen=True, slots=True)
class Official:
    """Files that are published together."""

    title: str
    """Of the dataset."""
    published: str
    """The dataset's class in torchvision, which knows the checksums."""
    files: tuple[str, ...]
    """What is read of them."""
    folder: str
    """What they lie in, in the archive too; empty where they are published one by one."""
    archive: str
    """The archive's name; empty where they are published one by one."""

    def find(self, path: Path) -> Path | None:
        """Returns the archive or the folder of files at or in `path`, None where there is neither; opens nothing."""
        # os.path.isfile says no where Path.is_file would raise: in a folder that may not be entered, for instance.
        for folder in (path / self.folder, path):
            if all(os.path.isfile(folder / name) for name in self.files):
                return folder
        if not self.archive:
            return None
        return next((archive for archive in (path / self.archive, path) if os.path.isfile(archive)), None)

    @property
    def wanted(self) -> str:
        """What `find` looks for, in words."""
        if not self.archive:
            return " and ".join(self.files)
        return f"{self.folder} with {', '.join(self.files)}, or {self.archive}"


def read_official(official: Official, place: Path) -> Generator[Progress, None, dict[str, bytes]]:
    """Reads the files; any that is not the official one is refused. Writes nothing.

    Args:
        official: what to read.
        place: what `official.find` found.

    Yields:
        Progress while the archive is checked, and before and after each file.

    Returns:
        each file's contents.

    Raises:
        InputError: a file cannot be read, is missing or is not the official one.
    """
    from torchvision import datasets

    published = getattr(datasets, official.published)
    checksums = _checksums(published)
    contents: dict[str, bytes] = {}
    try:
        if place.is_file() and (yield from md5_of(place)) != published.tgz_md5:
            raise InputError(f"{place} is not the official {official.archive}: delete it and fetch it again")
        yield Progress(f"Reading {official.title}", 0, 0)
        for name, data in _contents(official, place):
            # The very bytes that were checked are used; the file is not opened again.
            if hashlib.md5(data, usedforsecurity=False).hexdigest() != checksums[name]:
                raise InputError(
                    f"{place / name} is not the official {official.title} file: "
                    f"delete it and fetch {official.title} again"
                )
            contents[name] = data
            yield Progress(f"Reading {official.title}", sum(map(len, contents.values())), 0)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise InputError(f"{place} cannot be read ({error}): name another folder for {official.title}") from None
    missing = [name for name in official.files if name not in contents]
    if missing:
        raise InputError(f"{place} lacks {', '.join(missing)}: delete it and fetch {official.title} again")
    return contents


def _checksums(published: Any) -> dict[str, str]:
    if hasattr(published, "split_list"):  # SVHN: address, name and checksum of each part
        return {name: md5 for _, name, md5 in published.split_list.values()}
    return dict(published.train_list + published.test_list)


def _contents(official: Official, place: Path) -> Iterator[tuple[str, bytes]]:
    """Gives each file's name and bytes; an archive's in its own order, since going back means unpacking again."""
    if place.is_dir():
        for name in official.files:
            with (place / name).open("rb") as file:
                yield name, file.read(_MAX_FILE_BYTES)
        return
    left = set(official.files)
    with tarfile.open(place, "r:gz") as archive:
        for member in archive:
            name = member.name.removeprefix(f"{official.folder}/")
            if name in left and (content := archive.extractfile(member)) is not None:
                left.remove(name)
                yield name, content.read(_MAX_FILE_BYTES)
            if not left:  # STL-10's unlabelled images, 2.7 GB, come last
                return
