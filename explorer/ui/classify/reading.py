"""What the Classify page has done in the background: reading images and asking the network."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QImage

if TYPE_CHECKING:
    from PIL import Image

    from explorer.inference.classifier import Classifier, Prediction

Source = Path | QImage
"""Where an image comes from: a file, or the clipboard."""

THUMBNAIL = 144
PREVIEW = 1600
MOST_IMAGES = 10_000


@dataclass(frozen=True, slots=True)
class Examined:
    """One image, read and classified."""

    thumbnail: QImage | None
    """At most `THUMBNAIL` pixels wide and high; None when the image cannot be read."""
    predictions: tuple[Prediction, ...]
    error: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """The images among dropped files and folders."""

    paths: tuple[Path, ...]
    """At most `MOST_IMAGES`."""
    complete: bool


def find(paths: tuple[Path, ...]) -> Found:
    """Looks for images in the folders among `paths`."""
    from explorer.data.images import find_images

    found = tuple(itertools.islice(find_images(paths), MOST_IMAGES + 1))
    return Found(found[:MOST_IMAGES], len(found) <= MOST_IMAGES)


def load_model(model: str) -> Classifier:
    """Returns the classifier; the first call imports torch, which takes seconds."""
    from explorer.inference.classifier import load_classifier
    from explorer.ui.torch_loading import load_torch

    load_torch()
    return load_classifier(model)


def examine(source: Source, classifier: Classifier) -> Examined:
    """Reads an image once, for its thumbnail and for its classes."""
    from explorer.data.images import ImageError
    from explorer.errors import InputError

    try:
        image = _open(source)
    except ImageError as error:
        return Examined(None, (), error.reason)
    thumbnail = _shrink(image, THUMBNAIL)
    try:
        return Examined(thumbnail, classifier.classify(image), None)
    except InputError as error:
        return Examined(thumbnail, (), str(error))


def read_preview(source: Source) -> QImage:
    """Returns the image for the screen, at most `PREVIEW` pixels wide and high.

    Raises:
        ImageError: it cannot be read.
    """
    return _shrink(_open(source), PREVIEW)


def _open(source: Source) -> Image.Image:
    from PIL import Image

    from explorer.data.images import as_grey_or_rgb, load_image

    if isinstance(source, Path):
        return load_image(source)
    pasted = source.convertToFormat(QImage.Format.Format_RGBA8888)
    size, stride = (pasted.width(), pasted.height()), pasted.bytesPerLine()
    return as_grey_or_rgb(Image.frombytes("RGBA", size, bytes(pasted.constBits()), "raw", "RGBA", stride, 1))


def _shrink(image: Image.Image, side: int) -> QImage:
    small = image.copy()
    small.thumbnail((side, side))
    layout, channels = (QImage.Format.Format_Grayscale8, 1) if small.mode == "L" else (QImage.Format.Format_RGB888, 3)
    # The copy owns its pixels; the QImage around Python's bytes would not.
    return QImage(small.tobytes(), small.width, small.height, small.width * channels, layout).copy()
