"""Reads image files that may be anything: truncated, huge, animated, mislabelled or hostile."""

from __future__ import annotations

import io
import logging
import os
import stat
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from explorer.errors import InputError

FORMATS = (
    *("AVIF", "BMP", "DCX", "DDS", "DIB", "FLI", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "PSD"),
    *("QOI", "SGI", "TGA", "TIFF", "WEBP"),
)
"""What Pillow may try; "JPEG" covers MPO. What starts other programs (EPS) or holds no picture (HDF5) stays out."""

SUFFIXES = (
    *(".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jpx"),
    *(".mpo", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".psd", ".qoi", ".sgi", ".tga", ".tif", ".tiff", ".webp"),
)
"""Endings by which the images in a folder are recognised."""

MAX_FILE_BYTES = 256 * 2**20
MAX_PIXELS = 150_000_000
"""600 MB once decoded as RGB, and still any photo of a camera with 108 megapixels."""
MAX_PIXELS_IN_PYTHON = 16_000_000
"""For the formats that Pillow decodes in Python, at 0.7 µs a pixel, holding the interpreter."""
ENOUGH = 2048
"""JPEGs are shrunk while they are decoded as long as both sides keep this many pixels: no network here sees more."""

_EMPTY = "it is empty (0 bytes); choose another file"

ORIENTATION = 0x0112
"""The EXIF tag."""
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What each EXIF orientation needs to stand upright."""

# What is wrong with a file is said once, by the error; Pillow would print its own remarks besides.
logging.getLogger("PIL").setLevel(logging.CRITICAL)


class ImageError(InputError):
    """An image cannot be read; `reason` says why without repeating the file's name."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"cannot read {name}: {reason}")
        self.reason = reason


def load_image(source: Path | bytes) -> Image.Image:
    """Reads one image: the first frame, upright, transparency on white.

    Args:
        source: a file, or the contents of one.

    Returns:
        An image of mode "L" or "RGB". Large JPEGs come at a half, a quarter or an eighth of their size.

    Raises:
        ImageError: it is missing, no image, damaged or too large; the text is one line that names the file.
    """
    name = "the image" if isinstance(source, bytes) else printable(source)
    data = source if isinstance(source, bytes) else _read_file(source, name)
    if not data:
        raise ImageError(name, _EMPTY)
    with _reasons(name):
        return as_grey_or_rgb(_decode(data, name))


def image_shape(path: Path) -> tuple[int, int, int]:
    """Looks at the beginning of a file only, so that thousands are checked in seconds.

    Returns:
        channels (1 or 3), height and width as stored, before it is turned upright.

    Raises:
        ImageError: it is missing, no image or too large; damage further on is found by `load_image` alone.
    """
    name = printable(path)
    with _opened(path, name) as file:
        if not os.fstat(file.fileno()).st_size:
            raise ImageError(name, _EMPTY)
        with _reasons(name), Image.open(file, formats=FORMATS) as image:
            _check_size(image, name)
            shape = 1 if image.mode in ("1", "L") else 3, image.height, image.width
    return shape


class _Quiet:
    """Keeps Pillow's warnings back as long as any thread is inside.

    `warnings.catch_warnings` in several threads at once would each undo the filters of another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


_QUIET = _Quiet()


@contextmanager
def _reasons(name: str) -> Iterator[None]:
    """Turns whatever a decoder raises into an `ImageError`."""
    try:
        with _QUIET:
            yield
    except ImageError:
        raise
    except UnidentifiedImageError:
        reason = "it is not an image, or in a format unknown here; convert it to JPEG, PNG, TIFF or WebP"
        raise ImageError(name, reason) from None
    except Image.DecompressionBombError:
        raise ImageError(name, _too_many_pixels(MAX_PIXELS)) from None
    except MemoryError:
        raise ImageError(name, "there is not enough memory for it; scale it down") from None
    except Exception as error:  # decoders answer damage with whatever they stumble over: struct.error, IndexError, …
        detail = " ".join(str(error).split()) or type(error).__name__
        reason = f"it is damaged or cut short ({detail}); fetch or save it anew"
        raise ImageError(name, reason) from None


def as_grey_or_rgb(image: Image.Image) -> Image.Image:
    """Returns the image in mode "L" or "RGB", with transparency on white.

    16-bit grey levels are scaled to 8 bits; other integers and floats by their own range.

    Raises:
        ValueError: no pixel is a finite number.
    """
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _scale_to_bytes(image)
    if image.has_transparency_data:
        kept = "LA" if image.mode in ("1", "L", "LA", "La") else "RGBA"
        opaque = Image.new(kept[:-1], image.size, "white")
        layer = image.convert(kept)
        opaque.paste(layer.convert(kept[:-1]), mask=layer.getchannel("A"))
        return opaque
    return image.convert("L" if image.mode == "1" else "RGB")


def find_images(paths: Iterable[Path]) -> Iterator[Path]:
    """Yields the files as they are, and in place of each folder the images in it and then below it, by name.

    What starts with a dot inside a folder stays out; what a folder holds is recognised by its ending.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, subfolders, files in os.walk(path):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            for name in sorted(files):
                if not name.startswith(".") and name.lower().endswith(SUFFIXES):
                    yield Path(folder, name)


def printable(path: Path) -> str:
    """Returns the path on one line: file names may hold line breaks and bytes that are no text."""
    name = str(path)
    return name if name.isprintable() else "".join(sign if sign.isprintable() else "�" for sign in name)


def _read_file(path: Path, name: str) -> bytes:
    with _opened(path, name) as file:
        return file.read(MAX_FILE_BYTES)


@contextmanager
def _opened(path: Path, name: str) -> Iterator[BinaryIO]:
    """Opens a regular file of a sensible size and tells what the system has against reading it."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise ImageError(name, "it is a folder; choose the images in it")
        if not stat.S_ISREG(kind):  # a pipe or a device might never end
            raise ImageError(name, "it is not a regular file; choose an image file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                limit = f"{size / 2**20:,.0f} MB is more than the {MAX_FILE_BYTES // 2**20} MB allowed"
                raise ImageError(name, f"{limit}; scale the image down")
            yield file
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(name, "there is no such file; check the path") from None
    except PermissionError:
        raise ImageError(name, "reading it is not permitted; check the file's permissions") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        detail = getattr(error, "strerror", None) or str(error)
        raise ImageError(name, f"the system cannot read it ({detail}); check the path") from None


def _decode(data: bytes, name: str) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
    _check_size(image, name)
    image.draft(None, (ENOUGH, ENOUGH))
    image.load()
    if 0 in image.size:
        raise ValueError("it has no pixels")
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:  # a damaged EXIF block does not make the pixels unreadable
        orientation = None
    upright = UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return image if upright is None else image.transpose(upright)


def _check_size(image: Image.Image, name: str) -> None:
    tiles = getattr(image, "tile", ())
    limit = MAX_PIXELS_IN_PYTHON if any(tile[0] in Image.DECODERS for tile in tiles) else MAX_PIXELS
    if image.width * image.height > limit:
        raise ImageError(name, f"{image.width:,} × {image.height:,}: {_too_many_pixels(limit)}")


def _too_many_pixels(limit: int) -> str:
    return f"more than the {limit // 10**6} megapixels allowed; scale the image down"


def _scale_to_bytes(image: Image.Image) -> Image.Image:
    import numpy as np

    values = np.asarray(image)
    low, high = 0.0, 65535.0  # 16-bit files arrive as "I;16" or as "I"
    if image.mode == "F" or values.min() < low or values.max() > high:
        finite = np.isfinite(values)
        if not finite.any():
            raise ValueError("no pixel is a finite number")
        low, high = float(values[finite].min()), float(values[finite].max())
    scale = 255 / (high - low) if high > low else 0.0
    levels = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), 256):  # by strips: 64-bit floats of a whole picture could fill the memory
        strip = np.nan_to_num(values[top : top + 256].astype(np.float64), nan=low, posinf=high, neginf=low)
        levels[top : top + 256] = np.rint((strip - low) * scale)
    return Image.fromarray(levels)
