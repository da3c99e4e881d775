"""Reads IDX files, the format that MNIST and its siblings are published in."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from explorer.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 1 << 30
"""What one file may hold once unpacked: MNIST's largest has 47 MB."""

_UNSIGNED_BYTE = 0x08
_CHUNK = 1 << 20
_WAY_OUT = "fetch the file again or name another folder"


def read_idx(path: Path, item: tuple[int, ...]) -> Tensor:
    """Reads an IDX file of unsigned bytes, gzipped or not, whatever its name ends in.

    The format is described at http://yann.lecun.com/exdb/mnist/: two zero bytes, the type, the number of dimensions,
    each dimension as a big-endian 32-bit integer, then the values in C order. Never more than one byte beyond the size
    that the header announces is unpacked, so a file that unpacks to gigabytes costs nothing.

    Args:
        path: the file.
        item: dimensions that one item must have: `(28, 28)` for images, `()` for labels.

    Returns:
        uint8 tensor (N, *item).

    Raises:
        InputError: the file cannot be read, is no IDX file, holds items of another kind, or is longer or shorter than
            its header says.
    """
    import torch

    if not path.is_file():  # a named pipe would be waited for without end
        raise InputError(f"{path} is not a file: {_WAY_OUT}")
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            # GzipFile reads like any binary file but is no BinaryIO to the type checker.
            source = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if zipped else file
            sizes = _read_header(source, path, item)
            length = math.prod(sizes)
            values = bytearray()
            while len(values) <= length and (chunk := source.read(min(_CHUNK, length + 1 - len(values)))):
                values += chunk
    except EOFError:
        raise InputError(f"{path} breaks off in the middle of the compressed data: {_WAY_OUT}") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is damaged ({error}): {_WAY_OUT}") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}): {_WAY_OUT}") from None
    if len(values) != length:
        difference = "more" if len(values) > length else f"only {len(values):,}"
        raise InputError(f"{path} announces {length:,} values but holds {difference}: {_WAY_OUT}")
    return torch.frombuffer(values, dtype=torch.uint8).view(sizes)


def _read_header(source: BinaryIO, path: Path, item: tuple[int, ...]) -> tuple[int, ...]:
    start = source.read(4)
    if len(start) < 4 or start[:2] != b"\0\0":
        raise InputError(f"{path} is not an IDX file (it starts with {start.hex(' ') or 'nothing'}): {_WAY_OUT}")
    if start[2] != _UNSIGNED_BYTE or start[3] != 1 + len(item):
        raise InputError(
            f"{path} holds values of type 0x{start[2]:02x} in {start[3]} dimensions, not unsigned bytes (0x08) in "
            f"{1 + len(item)}: {_WAY_OUT}"
        )
    dimensions = source.read(4 * start[3])
    if len(dimensions) < 4 * start[3]:
        raise InputError(f"{path} ends within its header: {_WAY_OUT}")
    sizes = struct.unpack(f">{start[3]}I", dimensions)
    if sizes[1:] != item:
        raise InputError(f"{path} holds items of {_times(sizes[1:])}, not {_times(item)}: {_WAY_OUT}")
    if not 0 < math.prod(sizes) <= MAX_BYTES:
        raise InputError(f"{path} announces {math.prod(sizes):,} values, not 1 to {MAX_BYTES:,}: {_WAY_OUT}")
    return sizes


def _times(sizes: tuple[int, ...]) -> str:
    return "×".join(str(size) for size in sizes)


@dataclass(frozen=True, slots=True)
class IdxSet:
    """How a dataset in IDX files is laid out: four files, of images and labels for training and for testing."""

    folder: str
    """torchvision's folder for it, named as its class."""
    prefixes: tuple[str, str] = ("train", "t10k")
    """How the names of training and test files begin."""
    first_label: int = 0
    transposed: bool = False
    """True where each image is stored column by column."""

    @property
    def names(self) -> tuple[str, ...]:
        """The files' names, unpacked."""
        kinds = ("images-idx3-ubyte", "labels-idx1-ubyte")
        return tuple(f"{prefix}-{kind}" for prefix in self.prefixes for kind in kinds)

    def folders(self, path: Path) -> tuple[Path, ...]:
        """Returns where below a folder the files may lie."""
        # torchvision's folder first: its root may hold several of these sets, whose files have the same names.
        return path / self.folder / "raw", path / "raw", path / "gzip", path

    def find(self, path: Path) -> Path | None:
        """Returns the folder that holds all four files, None where there is none."""
        for place in self.folders(path):
            if all(idx_file(place, name) for name in self.names):
                return place
        return None


IDX_SETS = {
    "mnist": IdxSet("MNIST"),
    "fashion_mnist": IdxSet("FashionMNIST"),
    "kmnist": IdxSet("KMNIST"),
    # The converters of EMNIST came from MATLAB, which stores columns (tensorflow.org/datasets/catalog/emnist).
    "emnist_letters": IdxSet("EMNIST", ("emnist-letters-train", "emnist-letters-test"), 1, True),
    "emnist_balanced": IdxSet("EMNIST", ("emnist-balanced-train", "emnist-balanced-test"), 0, True),
}
"""Datasets in IDX files by name."""


def idx_file(folder: Path, name: str) -> Path | None:
    """Returns the file of that name, or the gzipped one; None where there is neither."""
    # os.path.isfile says no where Path.is_file would raise: in a folder that may not be entered, for instance.
    return next((path for path in (folder / name, folder / f"{name}.gz") if os.path.isfile(path)), None)
