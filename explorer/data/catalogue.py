"""What is known of the datasets that training knows by name: `resources/datasets.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.resources import resource


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
    """Channels, height and width of one image; of image files of many sizes, what they are scaled to unless told
    otherwise."""
    classes: tuple[str, ...]
    """Class names in index order."""
    offline: bool
    """True where the images come with an installed package or lie in a folder of the user's."""
    download_bytes: int
    """Size of the published archives together."""
    mean: tuple[float, ...]
    """Of the training images, per channel on the 0–1 scale; empty where nobody told."""
    std: tuple[float, ...]
    """Over all pixels of the training images, per channel on the 0–1 scale; empty where nobody told."""
    source: str
    """Citation and link."""
    validation_images: int = 0
    """Images of the official validation set; 0 where there is none and some training images are held out."""
    files: bool = False
    """True where the images are files of many sizes, which are decoded for the network's input."""
    licence: str = ""
    """As its publisher names it; empty where he names none."""
    homepage: str = ""


def _info(name: str, fields: Mapping[str, Any]) -> DatasetInfo:
    classes = fields["classes"]
    return DatasetInfo(
        name=name,
        title=fields["title"],
        images=fields["images"],
        test_images=fields.get("test_images", 0),
        shape=tuple(fields["shape"]),
        classes=tuple(classes.split() if isinstance(classes, str) else classes),
        offline=fields.get("offline", False),
        download_bytes=fields.get("download_bytes", 0),
        mean=tuple(fields.get("mean", ())),
        std=tuple(fields.get("std", ())),
        source=fields["source"],
        validation_images=fields.get("validation_images", 0),
        files=fields.get("files", False),
        licence=fields.get("licence", ""),
        homepage=fields["homepage"],
    )


DATASETS: dict[str, DatasetInfo] = {
    name: _info(name, fields)
    for name, fields in tomllib.loads(resource("datasets.toml").read_text(encoding="utf-8")).items()
}
"""Every dataset that training knows by name, the smallest first."""
