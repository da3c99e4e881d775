"""Flowers-102, Oxford-IIIT Pet, Food-101 and Imagenette as published: small ones that count as the official files."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from explorer.data.datasets import DATASETS, FileSet, is_present, load_dataset
from explorer.data.photo_sets import PHOTO_SETS
from explorer.errors import InputError

NAMES = tuple(PHOTO_SETS)


def md5(contents: bytes) -> str:
    return hashlib.md5(contents).hexdigest()


def photo(shade: int, size: tuple[int, int] = (40, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (shade % 256, 255 - shade % 256, 128)).save(buffer, "JPEG")
    return buffer.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, contents in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))
    return buffer.getvalue()


@dataclass
class Small:
    """A small dataset in the published layout."""

    files: dict[str, bytes]
    """As published."""
    labels: dict[str, list[int]]
    """Classes of each part's images, in order."""
    theirs: Callable[[Path, str], object]
    """Opens a part with torchvision."""


def small_flowers(monkeypatch) -> Small:
    from scipy.io import savemat

    def mat(**arrays: np.ndarray) -> bytes:
        buffer = io.BytesIO()
        savemat(buffer, arrays)
        return buffer.getvalue()

    classes = np.array([[1, 102, 50, 2, 1, 102]], np.uint8)
    files = {
        "102flowers.tgz": tarred({f"jpg/image_{number:05d}.jpg": photo(number * 30) for number in range(1, 7)}),
        "imagelabels.mat": mat(labels=classes),
        "setid.mat": mat(trnid=[[2, 1]], valid=[[3, 4]], tstid=[[6, 5]]),
    }
    kinds = zip(("image", "label", "setid"), files.items(), strict=True)
    monkeypatch.setattr(
        datasets.Flowers102, "_file_dict", {kind: (name, md5(contents)) for kind, (name, contents) in kinds}
    )
    labels = {"train": [101, 0], "validation": [49, 1], "test": [101, 0]}
    return Small(files, labels, lambda root, part: datasets.Flowers102(root, part.replace("validation", "val")))


def small_pets(monkeypatch) -> Small:
    rows = {
        "trainval": [("Abyssinian_1", 1), ("yorkshire_terrier_9", 37)],
        "test": [("Abyssinian_2", 1), ("pug_1", 26)],
    }
    images = {f"images/{name}.jpg": photo(number) for part in rows.values() for name, number in part}
    lists = {
        f"annotations/{part}.txt": "".join(f"{name} {number} 1 1\n" for name, number in named).encode()
        for part, named in rows.items()
    }
    files = {"images.tar.gz": tarred(images), "annotations.tar.gz": tarred(lists)}
    addresses = [(f"http://nowhere/{name}", md5(contents)) for name, contents in files.items()]
    monkeypatch.setattr(datasets.OxfordIIITPet, "_RESOURCES", addresses)
    return Small(
        files,
        {"train": [0, 36], "test": [0, 25]},
        lambda root, part: datasets.OxfordIIITPet(root, part.replace("train", "trainval")),
    )


def small_food(monkeypatch) -> Small:
    classes = DATASETS["food101"].classes
    lists = {part: {name: [f"{name}/{part}"] for name in classes} for part in ("train", "test")}
    files = {f"food-101/images/{name}/{part}.jpg": photo(7) for name in classes for part in lists}
    files |= {f"food-101/meta/{part}.json": json.dumps(named).encode() for part, named in lists.items()}
    published = {"food-101.tar.gz": tarred(files)}
    monkeypatch.setattr(datasets.Food101, "_MD5", md5(published["food-101.tar.gz"]))
    labels = list(range(101))
    return Small(published, {"train": labels, "test": labels}, lambda root, part: datasets.Food101(root, part))


def small_imagenette(monkeypatch, size: str) -> Small:
    base = f"imagenette2-{size}"
    wnids = sorted(datasets.Imagenette._WNID_TO_CLASS)
    files = {
        f"{base}/{part}/{wnid}/{wnid}_{number}.JPEG": photo(number)
        for part, count in (("train", 2), ("val", 1))
        for wnid in wnids
        for number in range(count)
    }
    files[f"{base}/noisy_imagenette.csv"] = b"path,noisy_labels_0\n"
    published = {f"{base}.tgz": tarred(files)}
    addresses = {f"{size}px": (f"http://nowhere/{base}.tgz", md5(published[f"{base}.tgz"]))}
    monkeypatch.setattr(datasets.Imagenette, "_ARCHIVES", addresses)
    labels = {"train": [label for label in range(10) for _ in range(2)], "test": list(range(10))}
    return Small(
        published, labels, lambda root, part: datasets.Imagenette(root, part.replace("test", "val"), size=f"{size}px")
    )


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def small(name: str, monkeypatch) -> Small:
    """Returns a small dataset, which counts as the official one."""
    if name.startswith("imagenette"):
        return small_imagenette(monkeypatch, "160" if name.endswith("160") else "320")
    return {"flowers102": small_flowers, "pets": small_pets, "food101": small_food}[name](monkeypatch)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("EXPLORER_DATASETS", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def published(small: Small, server, monkeypatch) -> Small:
    """Returns a small dataset whose files are on a server on this machine."""
    server.files |= small.files
    monkeypatch.setattr(datasets.Flowers102, "_download_url_prefix", server.url)
    monkeypatch.setattr(datasets.Food101, "_URL", server.url + "food-101.tar.gz")
    here = [(server.url + url.rpartition("/")[2], sum_) for url, sum_ in datasets.OxfordIIITPet._RESOURCES]
    monkeypatch.setattr(datasets.OxfordIIITPet, "_RESOURCES", here)
    archives = datasets.Imagenette._ARCHIVES
    there = {size: (server.url + url.rpartition("/")[2], sum_) for size, (url, sum_) in archives.items()}
    monkeypatch.setattr(datasets.Imagenette, "_ARCHIVES", there)
    return small


def parts(dataset) -> dict[str, object]:
    named = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    return {part: images for part, images in named.items() if images is not None}


def test_it_is_downloaded_once_unpacked_and_decoded(name: str, published: Small, server, cache: Path, finish) -> None:
    assert not is_present(name)
    steps, dataset = finish(load_dataset(name, input=(3, 16, 16)))
    assert {step.message.split()[0] for step in steps} == {"Downloading", "Unpacking", "Decoding"}
    assert is_present(name)
    assert {part: images.labels.tolist() for part, images in parts(dataset).items()} == published.labels
    assert all(tuple(images.images.shape[1:]) == (3, 16, 16) for images in parts(dataset).values())
    assert not list(cache.rglob("*gz"))  # the archives would take as much room again
    finish(load_dataset(name))
    assert server.requests == list(published.files)


def test_its_parts_agree_with_torchvisions(name: str, published: Small, cache: Path, finish) -> None:
    _, dataset = finish(load_dataset(name, input=(3, 8, 8)))
    for part, images in parts(dataset).items():
        theirs = published.theirs(cache / name, part)
        assert images.labels.tolist() == [label for _, label in theirs]
        means = images.images.float().mean((2, 3))  # each photograph has one colour
        colours = torch.tensor(np.array([np.array(image.convert("RGB")).mean((0, 1)) for image, _ in theirs]))
        assert (means - colours).abs().max() <= 2


@pytest.mark.parametrize("name", ["flowers102", "imagenette_160"], indirect=True)
def test_archives_in_a_folder_of_the_users_are_unpacked_elsewhere(
    name: str, small: Small, tmp_path: Path, finish
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for file, contents in small.files.items():
        (folder / file).write_bytes(contents)
    assert is_present(name, folder)
    _, dataset = finish(load_dataset(name, folder))
    assert dataset.train.labels.tolist() == small.labels["train"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(small.files)


@pytest.mark.parametrize("name", ["flowers102", "imagenette_160"], indirect=True)
def test_an_archive_of_anybody_elses_is_not_unpacked(name: str, small: Small, tmp_path, cache, finish) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for file, contents in small.files.items():
        (folder / file).write_bytes(contents + b"!")
    with pytest.raises(InputError, match="is not the official file"):
        finish(load_dataset(name, folder))
    assert not list(cache.rglob("*.jp*g"))


@pytest.mark.parametrize("name", ["flowers102", "imagenette_160"], indirect=True)
def test_an_unpacked_folder_is_found_by_itself_and_by_the_one_above(name: str, published, cache, tmp_path, finish):
    finish(load_dataset(name))
    shutil.move(cache / name, tmp_path / "mine")
    (inner,) = [path for path in (tmp_path / "mine").iterdir() if path.is_dir()]
    for folder in (tmp_path / "mine", inner):
        assert is_present(name, folder)
        assert finish(load_dataset(name, folder))[1].train.labels.tolist() == published.labels["train"]


@pytest.mark.parametrize("name", ["imagenette"], indirect=True)
def test_imagenette_in_its_full_size_does_as_well(name: str, published, cache, tmp_path, finish) -> None:
    finish(load_dataset(name))
    (tmp_path / "mine").mkdir()
    shutil.move(cache / name / "imagenette2-320", tmp_path / "mine" / "imagenette2")
    assert is_present(name, tmp_path / "mine")
    assert finish(load_dataset(name, tmp_path / "mine"))[1].train.labels.tolist() == published.labels["train"]


def test_what_is_missing_is_told(name: str, tmp_path: Path, finish) -> None:
    with pytest.raises(InputError, match=r"looked for .*gz"):
        finish(load_dataset(name, tmp_path))


@pytest.mark.parametrize("name", ["imagenette"], indirect=True)
class TestOnOneOfThem:
    def test_cancelling_while_it_is_unpacked_leaves_nothing_half_done(self, published, cache, finish) -> None:
        loading = load_dataset("imagenette")
        while not next(loading).message.startswith("Unpacking"):
            pass
        loading.close()
        assert [path.name for path in (cache / "imagenette").iterdir()] == ["imagenette2-320.tgz"]
        assert len(finish(load_dataset("imagenette"))[1].train.labels) == 20

    def test_broken_photographs_are_left_out_and_listed(self, published, cache, finish) -> None:
        finish(load_dataset("imagenette"))
        victims = sorted((cache / "imagenette").rglob("train/*/*_0.JPEG"))[:3]
        victims[0].unlink()
        victims[0].symlink_to(cache / "gone")
        victims[1].write_bytes(b"no image")
        victims[2].write_bytes(victims[2].read_bytes()[:300])
        _, dataset = finish(load_dataset("imagenette"))
        assert [file.path for file in dataset.broken] == [str(path) for path in victims]
        assert [file.reason.split(";")[0].split("(")[0].strip() for file in dataset.broken] == [
            "there is no such file",
            "it is not an image, or in a format unknown here",
            "it is damaged or cut short",
        ]
        assert dataset.train.labels.tolist() == [0, 1, 2] + [label for label in range(3, 10) for _ in range(2)]

    def test_a_class_without_a_readable_photograph_is_refused(self, published, cache, finish) -> None:
        finish(load_dataset("imagenette"))
        for path in (cache / "imagenette").rglob("train/n01440764/*"):
            path.write_bytes(b"")
        with pytest.raises(InputError, match=r"none of the train images of 'tench' can be read, .*: it is empty"):
            finish(load_dataset("imagenette"))

    def test_too_large_a_set_comes_as_files_checked_by_their_beginnings(self, published, cache, finish, monkeypatch):
        finish(load_dataset("imagenette"))
        monkeypatch.setattr("explorer.data.decode.RESIDENT_BYTES", 1000)
        victim = sorted((cache / "imagenette").rglob("train/*/*_0.JPEG"))[4]
        victim.write_bytes(b"no image")
        steps, dataset = finish(load_dataset("imagenette"))
        assert {step.message for step in steps} == {"Checking train images", "Checking test images"}
        assert isinstance(dataset.train, FileSet)
        assert isinstance(dataset.test, FileSet)
        assert [file.path for file in dataset.broken] == [str(victim)]
        assert len(dataset.train.files) == len(dataset.train.labels) == 19
        assert str(victim) not in dataset.train.files


@pytest.mark.parametrize(
    ("name", "lists"),
    [
        ("flowers102", "flowers-102/setid.mat"),
        ("pets", "oxford-iiit-pet/annotations/trainval.txt"),
        ("food101", "food-101/meta/train.json"),
    ],
    indirect=["name"],
)
def test_lists_that_make_no_sense_are_told(published, name: str, lists: str, cache: Path, finish) -> None:
    finish(load_dataset(name))
    (cache / name / lists).write_bytes(b"Abyssinian_1 99 1 1\n")
    with pytest.raises(InputError, match=r"is not the official file|is of class 98|cannot be read"):
        finish(load_dataset(name))
