"""CIFAR-10 is read from its published forms, and a pickle of anybody else's is never opened."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from explorer.data.binary_sets import BINARY_SETS, read_binary_set
from explorer.errors import InputError

FILES = BINARY_SETS["cifar10"]
ARCHIVE, FOLDER = FILES.archive, FILES.folder


def read_cifar10(place: Path) -> object:
    return read_binary_set("cifar10", place)


class Malice:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def malice(tmp_path: Path) -> tuple[bytes, Path]:
    """Returns a pickle and the folder that it makes when it is opened."""
    made = tmp_path / "it was opened"
    contents = pickle.dumps(Malice(made))
    pickle.loads(contents)  # noqa: S301 (it does work)
    made.rmdir()
    return contents, made


def test_the_names_are_those_of_torchvision() -> None:
    from torchvision.datasets import CIFAR10

    assert CIFAR10.filename == ARCHIVE
    assert CIFAR10.base_folder == FOLDER
    assert tuple(name for name, _ in CIFAR10.train_list + CIFAR10.test_list) == FILES.files


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_batches_become_images_and_labels_in_published_order(small_cifar10, finish, form: str) -> None:
    _, (train, test) = finish(read_cifar10(getattr(small_cifar10, form)))
    assert np.array_equal(train[0].numpy(), small_cifar10.images[:100])
    assert train[1].tolist() == small_cifar10.labels[:100].tolist()
    assert np.array_equal(test[0].numpy(), small_cifar10.images[100:])
    assert test[1].tolist() == small_cifar10.labels[100:].tolist()


def test_images_agree_with_torchvisions_reader(small_cifar10, finish, monkeypatch) -> None:
    from torchvision.datasets import CIFAR10

    monkeypatch.setattr(CIFAR10, "_load_meta", lambda _: None)  # the class names are not part of the small set
    theirs = CIFAR10(small_cifar10.folder.parent, train=True)
    _, ((images, labels), _) = finish(read_cifar10(small_cifar10.folder))
    assert np.array_equal(images.permute(0, 2, 3, 1).numpy(), theirs.data)
    assert labels.tolist() == theirs.targets


def test_every_place_it_may_lie_in_is_found(small_cifar10, tmp_path: Path) -> None:
    assert FILES.find(small_cifar10.folder) == small_cifar10.folder
    assert FILES.find(small_cifar10.folder.parent) == small_cifar10.folder
    assert FILES.find(small_cifar10.archive.parent) == small_cifar10.archive
    assert FILES.find(small_cifar10.archive) == small_cifar10.archive
    assert FILES.find(tmp_path) is None
    (small_cifar10.folder / "test_batch").unlink()
    assert FILES.find(small_cifar10.folder) is None


@pytest.mark.parametrize("batch", ["data_batch_1", "test_batch"])
def test_a_foreign_pickle_among_the_batches_is_not_opened(small_cifar10, finish, malice, batch: str) -> None:
    contents, made = malice
    (small_cifar10.folder / batch).write_bytes(contents)
    with pytest.raises(InputError, match=f"{batch} is not the official"):
        finish(read_cifar10(small_cifar10.folder))
    assert not made.exists()


def foreign_archive(path: Path, name: str, contents: bytes) -> None:
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(name)
        member.size = len(contents)
        tar.addfile(member, io.BytesIO(contents))


def test_a_foreign_archive_is_not_unpacked(small_cifar10, finish, malice) -> None:
    contents, made = malice
    foreign_archive(small_cifar10.archive, f"{FOLDER}/data_batch_1", contents)
    steps, reading = [], read_cifar10(small_cifar10.archive)
    with pytest.raises(InputError, match=f"is not the official {ARCHIVE}"):
        steps.extend(reading)
    assert {step.message for step in steps} == {f"Checking {ARCHIVE}"}
    assert not made.exists()


def test_an_archive_exchanged_after_its_check_is_not_opened(small_cifar10, finish, malice) -> None:
    contents, made = malice
    reading = read_cifar10(small_cifar10.archive)
    while next(reading).message != "Reading CIFAR-10":
        pass
    foreign_archive(small_cifar10.archive, f"{FOLDER}/data_batch_1", contents)
    with pytest.raises(InputError, match="data_batch_1 is not the official"):
        finish(reading)
    assert not made.exists()


def test_an_official_batch_under_another_batchs_name_is_refused(small_cifar10, finish) -> None:
    shutil.copy(small_cifar10.folder / "data_batch_2", small_cifar10.folder / "data_batch_1")
    with pytest.raises(InputError, match="data_batch_1 is not the official"):
        finish(read_cifar10(small_cifar10.folder))


def test_an_archive_that_breaks_off_after_its_check_is_refused(small_cifar10, finish) -> None:
    whole = small_cifar10.archive.read_bytes()
    reading = read_cifar10(small_cifar10.archive)
    while next(reading).message != "Reading CIFAR-10":
        pass
    small_cifar10.archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        finish(reading)


def test_a_batch_that_is_gone_is_told(small_cifar10, finish) -> None:
    (small_cifar10.folder / "data_batch_3").unlink()
    with pytest.raises(InputError, match="data_batch_3"):
        finish(read_cifar10(small_cifar10.folder))


def test_reading_writes_nothing(small_cifar10, finish) -> None:
    finish(read_cifar10(small_cifar10.archive))
    assert list(small_cifar10.archive.parent.iterdir()) == [small_cifar10.archive]
