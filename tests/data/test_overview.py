"""An overview tells what a dataset holds, in numbers that can be checked, with some images of each class."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.data.datasets import DATASETS, load_dataset
from explorer.data.image_set import FileSet, ImageSet
from explorer.data.overview import THUMBNAIL, Overview, overview, to_document
from explorer.data.statistics import file_statistics, preprocessing_for, statistics


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a folder of 12 images of class a and 4 of b, one more of b broken."""
    rng = np.random.default_rng(0)
    for name, count in (("a", 12), ("b", 4)):
        (tmp_path / name).mkdir()
        for number in range(count):
            pixels = rng.integers(0, 256, (20, 30, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number:02}.png")
    (tmp_path / "b" / "broken.png").write_bytes(b"no image")
    return tmp_path


def look(finish, *arguments, **options) -> Overview:
    return finish(overview(*arguments, **options))[1]


def test_digits(finish) -> None:
    told = look(finish, "digits", samples=3)
    assert told.info is DATASETS["digits"]
    (train,) = told.parts
    assert (train.name, train.images) == ("train", 1797)
    assert train.counts == (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
    assert told.imbalance == pytest.approx(183 / 174)
    assert told.mean == pytest.approx(told.info.mean, abs=5e-5)
    assert told.std == pytest.approx(told.info.std, abs=5e-5)
    assert told.measured == 1797
    assert told.in_memory
    assert [len(images) for images in told.thumbnails] == [3] * 10
    assert all(image.shape == (8, 8) and image.dtype == np.uint8 for images in told.thumbnails for image in images)


def test_thumbnails_are_of_their_class(finish) -> None:
    _, dataset = finish(load_dataset("digits"))
    told = look(finish, "digits", samples=2)
    for label, images in enumerate(told.thumbnails):
        own = dataset.train.images[dataset.train.labels == label, 0].numpy()
        assert np.array_equal(images[0], own[0])
        assert np.array_equal(images[1], own[len(own) // 2])


def test_mnist(shared_data, finish) -> None:
    told = look(finish, "mnist", shared_data("mnist"), samples=1)
    assert [part.name for part in told.parts] == ["train", "test"]
    assert told.parts[1].counts == (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
    assert told.imbalance == pytest.approx(6742 / 5421)
    assert told.mean == pytest.approx((0.1307,), abs=5e-5)


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_folder(folder: Path, finish, monkeypatch, in_memory: bool) -> None:
    if not in_memory:
        monkeypatch.setattr("explorer.data.decode.RESIDENT_BYTES", 100)
    told = look(finish, str(folder), samples=8)
    assert told.in_memory is in_memory
    assert told.parts[0].counts == (12, 4)
    assert told.imbalance == 3
    pixels = np.concatenate(
        [np.array(Image.open(path)).reshape(-1, 3) for path in sorted(folder.glob("*/[0-9]*.png"))]
    ).astype(np.float64)
    assert told.mean == pytest.approx(pixels.mean(0) / 255)
    assert told.std == pytest.approx(pixels.std(0) / 255)
    assert told.measured == 16
    assert [Path(fault.path).name for fault in told.broken] == ["broken.png"]
    assert [len(images) for images in told.thumbnails] == [8, 4]
    assert np.array_equal(told.thumbnails[1][2], np.array(Image.open(folder / "b" / "02.png")))


def test_thumbnails_are_small(folder: Path, finish) -> None:
    told = look(finish, str(folder), input=(3, 100, 200), samples=1)
    assert told.thumbnails[0][0].shape == (THUMBNAIL // 2, THUMBNAIL, 3)


def test_hymenopteras_document_is_json(shared_data, finish) -> None:
    told = look(finish, f"folder:{shared_data('hymenoptera')}", input=(3, 32, 32))
    document = json.loads(json.dumps(to_document(told)))
    assert document["parts"] == {
        "train": {"images": 81, "counts": [41, 40]},
        "validation": {"images": 40, "counts": [20, 20]},
    }
    assert document["doubtful"][0]["path"].endswith("imageNotFound.gif")
    assert document["broken"] == []


class TestStatistics:
    def test_images_of_these_statistics_get_mean_0_and_variance_1(self) -> None:
        from explorer.data.preprocessing import normalise

        images = torch.randint(0, 200, (50, 3, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        measured = statistics(ImageSet(images, torch.zeros(50, dtype=torch.int64)), 3)
        values = normalise(images, preprocessing_for((3, 6, 6), measured)).double()
        assert values.mean((0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-6)
        assert values.var((0, 2, 3), correction=0).tolist() == pytest.approx([1, 1, 1], abs=1e-5)

    def test_grey_images_in_three_channels_and_colour_in_one(self) -> None:
        labels = torch.zeros(4, dtype=torch.int64)
        grey = ImageSet(torch.full((4, 1, 2, 2), 51, dtype=torch.uint8), labels)
        assert statistics(grey, 3)[0] == pytest.approx((0.2, 0.2, 0.2))
        colour = ImageSet(torch.tensor([200, 100, 50], dtype=torch.uint8).view(1, 3, 1, 1).repeat(4, 1, 2, 2), labels)
        assert statistics(colour, 1)[0][0] * 255 == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)

    def test_blank_images_can_be_normalised(self) -> None:
        blank = ImageSet(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))
        assert preprocessing_for((1, 2, 2), statistics(blank, 1)).std == (1 / 255,)

    def test_many_files_are_measured_by_an_even_part_of_them(self, folder: Path, finish, monkeypatch) -> None:
        monkeypatch.setattr("explorer.data.statistics.SAMPLE", 5)
        paths = sorted(str(path) for path in folder.glob("*/[0-9]*.png"))
        files = FileSet(tuple(paths), torch.zeros(16, dtype=torch.int64))
        steps, (mean, _) = finish(file_statistics(files, (3, 20, 30)))
        assert steps[-1].total == 4
        some = np.stack([np.array(Image.open(path)) for path in paths[::4]])
        assert mean == pytest.approx(some.mean((0, 1, 2)) / 255)
