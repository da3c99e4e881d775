"""IDX files are read exactly, and anything else is refused without cost."""

from __future__ import annotations

import gzip
import os
import struct
import tracemalloc
from pathlib import Path

import pytest
import torch

from explorer.data.idx import MAX_BYTES, read_idx
from explorer.errors import InputError


def idx(*sizes: int, kind: int = 8, values: bytes | None = None) -> bytes:
    """Returns an IDX file of these dimensions that holds 0, 1, 2, … unless told otherwise."""
    if values is None:
        values = bytes(index % 256 for index in range(torch.Size(sizes).numel()))
    return struct.pack(f">4B{len(sizes)}I", 0, 0, kind, len(sizes), *sizes) + values


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "images-idx3-ubyte"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["raw", "gzip"])
def test_images_are_read_in_c_order_gzipped_or_not(file: Path, pack) -> None:
    file.write_bytes(pack(idx(2, 3, 4)))
    images = read_idx(file, (3, 4))
    assert images.dtype == torch.uint8
    assert torch.equal(images, torch.arange(24, dtype=torch.uint8).view(2, 3, 4))


def test_labels_are_read_as_one_dimension(file: Path) -> None:
    file.write_bytes(idx(5))
    assert read_idx(file, ()).tolist() == [0, 1, 2, 3, 4]


def test_a_file_compressed_in_two_pieces_is_read_whole(file: Path) -> None:
    whole = idx(2, 3, 4)
    file.write_bytes(gzip.compress(whole[:20]) + gzip.compress(whole[20:]))
    assert read_idx(file, (3, 4)).flatten().tolist() == list(range(24))


def zipped(contents: bytes) -> bytes:
    return gzip.compress(contents, mtime=0)  # the time would give the tests other names in each process


@pytest.mark.parametrize(
    ("contents", "problem"),
    [
        (b"", "is not an IDX file"),
        (b"\0\0", "is not an IDX file"),
        (b"<html>not found</html>", "is not an IDX file"),
        (zipped(b"<html>"), "is not an IDX file"),
        (idx(2, 3, 4, kind=0x0D), "type 0x0d"),
        (idx(24), "in 1 dimensions"),
        (idx(2, 3, 4)[:10], "ends within its header"),
        (idx(2, 4, 3), "items of 4×3, not 3×4"),
        (idx(0, 3, 4), "announces 0 values"),
        (idx(2, 3, 4)[:-1], "announces 24 values but holds only 23"),
        (idx(2, 3, 4) + b"\0", "announces 24 values but holds more"),
        (zipped(idx(2, 3, 4)[:-1]), "announces 24 values but holds only 23"),
        (zipped(idx(2, 3, 4) + b"\0"), "announces 24 values but holds more"),
        (zipped(idx(2, 3, 4))[:-9], "breaks off"),
        (zipped(idx(2, 3, 4))[:-8] + bytes(8), "is damaged"),  # its checksum is not that of the data
        (b"\x1f\x8b" + bytes(50), "is damaged"),
        (zipped(idx(2, 3, 4))[:10] + b"\xff" * 30, "is damaged"),
    ],
)
def test_what_is_no_whole_idx_file_is_refused_by_name(file: Path, contents: bytes, problem: str) -> None:
    file.write_bytes(contents)
    with pytest.raises(InputError) as refusal:
        read_idx(file, (3, 4))
    assert problem in str(refusal.value)
    assert str(file) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def peak_bytes_while_refusing(file: Path) -> int:
    torch.empty(0)  # what torch allocates once is not the reader's
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            read_idx(file, (28, 28))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_gzip_bomb_is_not_unpacked_beyond_the_announced_size(file: Path) -> None:
    file.write_bytes(gzip.compress(idx(1, 28, 28) + bytes(64 << 20)))
    assert peak_bytes_while_refusing(file) < 512 << 10  # gzip's own buffers


@pytest.mark.parametrize("count", [0xFFFFFFFF, MAX_BYTES // 784 + 1], ids=["huge", "just too many"])
def test_an_announced_size_beyond_the_bound_is_refused(file: Path, count: int) -> None:
    file.write_bytes(idx(count, 28, 28, values=bytes(784)))
    with pytest.raises(InputError, match=r"announces [0-9,]+ values, not 1 to 1,073,741,824"):
        read_idx(file, (28, 28))


def test_memory_is_taken_for_what_arrives_not_for_what_is_announced(file: Path) -> None:
    file.write_bytes(idx(MAX_BYTES // 784, 28, 28, values=bytes(784)))
    assert peak_bytes_while_refusing(file) < 4 << 20


def test_a_missing_file_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError, match="is not a file"):
            read_idx(path, ())


def test_the_real_mnist_is_read(shared_data) -> None:
    images = read_idx(shared_data("mnist", "t10k-images-idx3-ubyte.gz"), (28, 28))
    labels = read_idx(shared_data("mnist", "t10k-labels-idx1-ubyte.gz"), ())
    assert images.shape == (10_000, 28, 28)
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
