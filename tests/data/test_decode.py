"""Image files are decoded in threads as they would be one by one."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from PIL import Image

from explorer.data.decode import check_files, decode, decode_file, fits_in_memory, plain
from explorer.data.image_set import BrokenFile, FileSet


def test_a_set_is_decoded_as_each_of_its_files(shared_data, finish) -> None:
    paths = tuple(str(path) for path in sorted(shared_data("hymenoptera", "val").rglob("*.jpg")))
    files = FileSet(paths, torch.arange(len(paths)))
    steps, (images, broken) = finish(decode(files, (3, 40, 56)))
    assert broken == ()
    assert [step.done for step in steps] == list(range(len(paths) + 1))
    assert images.labels.tolist() == list(range(len(paths)))
    for path, image in zip(paths, images.images, strict=True):
        assert torch.equal(image, decode_file(path, plain((3, 40, 56))))


def test_pillows_warnings_are_kept_back_in_every_thread(shared_data, finish) -> None:
    paths = tuple(str(path) for path in sorted(shared_data("nasty").rglob("*.tif*")))
    files = FileSet(paths, torch.zeros(len(paths), dtype=torch.int64))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        finish(decode(files, (3, 8, 8)))
        finish(check_files(files))
        warnings.warn("another's", stacklevel=1)
    assert [str(warning.message) for warning in warned] == ["another's"]


def test_what_begins_like_no_image_is_found_without_decoding(tmp_path: Path, finish) -> None:
    for name in ("a.png", "b.png", "c.png", "d.png"):
        Image.new("L", (200, 200)).save(tmp_path / name)
    (tmp_path / "b.png").write_bytes(b"no image")
    (tmp_path / "c.png").write_bytes(b"")
    whole = (tmp_path / "d.png").read_bytes()
    (tmp_path / "d.png").write_bytes(whole[:60])  # its beginning is that of an image
    files = FileSet(tuple(str(tmp_path / name) for name in ("a.png", "b.png", "c.png", "d.png")), torch.arange(4))
    _, (good, broken) = finish(check_files(files))
    assert [Path(file).name for file in good.files] == ["a.png", "d.png"]
    assert good.labels.tolist() == [0, 3]
    assert [(Path(fault.path).name, fault.reason.partition(";")[0]) for fault in broken] == [
        ("b.png", "it is not an image, or in a format unknown here"),
        ("c.png", "it is empty (0 bytes)"),
    ]
    assert isinstance(decode_file(good.files[1], plain((1, 8, 8))), BrokenFile)


def test_a_gigabyte_is_held_in_memory() -> None:
    assert fits_in_memory(60_000, (1, 28, 28))
    assert fits_in_memory(7_133, (3, 224, 224))
    assert not fits_in_memory(7_134, (3, 224, 224))
