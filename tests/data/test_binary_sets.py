"""SVHN, CIFAR-100, STL-10, Kuzushiji-MNIST and EMNIST as published: small ones that count as the official files."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torchvision import datasets

from explorer.data.binary_sets import BINARY_SETS
from explorer.data.datasets import DATASETS, is_present, load_dataset
from explorer.errors import InputError


def md5(contents: bytes) -> str:
    return hashlib.md5(contents).hexdigest()


def tarred(folder: str, files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, contents in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))
    return buffer.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, contents in files.items():
        (folder / name).write_bytes(contents)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("EXPLORER_DATASETS", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def svhn(monkeypatch, server) -> dict[str, bytes]:
    """Returns SVHN's two files with 12 and 6 images, which count as the official ones, on the server."""
    from scipy.io import savemat

    rng = np.random.default_rng(0)
    files, parts = {}, {}
    for part, count in (("train", 12), ("test", 6)):
        buffer = io.BytesIO()
        classes = np.array([[1 + number % 10] for number in range(count)], np.uint8)  # 10 is the digit 0
        savemat(buffer, {"X": rng.integers(0, 256, (32, 32, 3, count), np.uint8), "y": classes}, do_compression=True)
        name = f"{part}_32x32.mat"
        files[name] = buffer.getvalue()
        parts[part] = [server.url + name, name, md5(files[name])]
    server.files |= files
    monkeypatch.setattr(datasets.SVHN, "split_list", parts)
    return files


@pytest.fixture
def stl10(monkeypatch, server) -> dict[str, bytes]:
    """Returns STL-10's files with few images, which count as the official ones, and their archive on the server."""
    rng = np.random.default_rng(1)
    files = {
        "test_X.bin": rng.integers(0, 256, 3 * 3 * 96 * 96, np.uint8).tobytes(),
        "test_y.bin": bytes([1, 10, 5]),
        "train_X.bin": rng.integers(0, 256, 4 * 3 * 96 * 96, np.uint8).tobytes(),
        "train_y.bin": bytes([10, 1, 2, 3]),
        "unlabeled_X.bin": rng.integers(0, 256, 5 * 3 * 96 * 96, np.uint8).tobytes(),
    }
    sums = {name: md5(contents) for name, contents in files.items()}
    trained = ("train_X.bin", "train_y.bin", "unlabeled_X.bin")
    monkeypatch.setattr(datasets.STL10, "train_list", [[name, sums[name]] for name in trained])
    monkeypatch.setattr(datasets.STL10, "test_list", [[name, sums[name]] for name in ("test_X.bin", "test_y.bin")])
    archive = tarred("stl10_binary", files)
    server.files["stl10_binary.tar.gz"] = archive
    monkeypatch.setattr(datasets.STL10, "url", server.url + "stl10_binary.tar.gz")
    monkeypatch.setattr(datasets.STL10, "tgz_md5", md5(archive))
    return files


@pytest.fixture
def cifar100(monkeypatch, server) -> dict[str, bytes]:
    """Returns CIFAR-100's files with few images, which count as the official ones, and their archive on the server."""
    rng = np.random.default_rng(2)
    files = {
        name: pickle.dumps(
            {
                "data": rng.integers(0, 256, (count, 3072), np.uint8),
                "fine_labels": [number * 7 % 100 for number in range(count)],
                "coarse_labels": [0] * count,
            },
            protocol=2,
        )
        for name, count in (("train", 20), ("test", 5))
    }
    monkeypatch.setattr(datasets.CIFAR100, "train_list", [["train", md5(files["train"])]])
    monkeypatch.setattr(datasets.CIFAR100, "test_list", [["test", md5(files["test"])]])
    archive = tarred("cifar-100-python", files)
    server.files["cifar-100-python.tar.gz"] = archive
    monkeypatch.setattr(datasets.CIFAR100, "url", server.url + "cifar-100-python.tar.gz")
    monkeypatch.setattr(datasets.CIFAR100, "tgz_md5", md5(archive))
    return files


def test_names_and_class_names_are_those_of_torchvision() -> None:
    for official in BINARY_SETS.values():
        published = getattr(datasets, official.published)
        assert getattr(published, "base_folder", "") == official.folder
        assert getattr(published, "filename", "") == official.archive
    assert list(DATASETS["kmnist"].classes) == datasets.KMNIST.classes
    assert list(DATASETS["emnist_balanced"].classes) == datasets.EMNIST.classes_split_dict["balanced"]
    assert ["N/A", *DATASETS["emnist_letters"].classes] == datasets.EMNIST.classes_split_dict["letters"]


def test_svhn_agrees_with_torchvisions_reader(svhn, tmp_path: Path, finish) -> None:
    folder = put(tmp_path / "mine", svhn)
    assert is_present("svhn", folder)
    _, dataset = finish(load_dataset("svhn", folder))
    for images, split in ((dataset.train, "train"), (dataset.test, "test")):
        theirs = datasets.SVHN(folder, split)
        assert np.array_equal(images.images.numpy(), theirs.data)
        assert images.labels.tolist() == theirs.labels.tolist()
    assert dataset.train.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
    assert dataset.train.images.is_contiguous()


def test_stl10_agrees_with_torchvisions_reader(stl10, tmp_path: Path, finish) -> None:
    put(tmp_path / "mine" / "stl10_binary", stl10)
    _, dataset = finish(load_dataset("stl10", tmp_path / "mine"))
    for images, split in ((dataset.train, "train"), (dataset.test, "test")):
        theirs = datasets.STL10(tmp_path / "mine", split)
        assert np.array_equal(images.images.numpy(), theirs.data)
        assert images.labels.tolist() == theirs.labels.tolist()
    assert dataset.train.images.is_contiguous()


def test_cifar100_has_its_fine_labels(cifar100, tmp_path: Path, finish, monkeypatch) -> None:
    monkeypatch.setattr(datasets.CIFAR100, "_load_meta", lambda _: None)  # class names are not part of the small set
    put(tmp_path / "mine" / "cifar-100-python", cifar100)
    _, dataset = finish(load_dataset("cifar100", tmp_path / "mine"))
    theirs = datasets.CIFAR100(tmp_path / "mine", train=True)
    assert np.array_equal(dataset.train.images.permute(0, 2, 3, 1).numpy(), theirs.data)
    assert dataset.train.labels.tolist() == theirs.targets
    assert len(dataset.test.labels) == 5


@pytest.mark.parametrize("name", ["svhn", "stl10", "cifar100"])
def test_they_are_downloaded_once(name: str, request, server, cache: Path, finish) -> None:
    request.getfixturevalue(name)
    assert not is_present(name)
    first = finish(load_dataset(name))[1]
    asked = len(server.requests)
    again = finish(load_dataset(name))[1]
    assert len(server.requests) == asked
    assert np.array_equal(first.train.images.numpy(), again.train.images.numpy())
    assert is_present(name)


def test_the_unlabelled_images_of_stl10_are_not_unpacked(stl10, server, cache: Path, finish) -> None:
    steps, _ = finish(load_dataset("stl10"))
    read = [step.done for step in steps if step.message == "Reading STL-10"]
    assert read[-1] == sum(len(contents) for name, contents in stl10.items() if "unlabeled" not in name)


@pytest.mark.parametrize("name", ["svhn", "stl10", "cifar100"])
def test_files_of_anybody_elses_are_refused(name: str, request, tmp_path: Path, finish) -> None:
    files = request.getfixturevalue(name)
    changed = next(file for file in files if file.startswith("train"))
    official = BINARY_SETS[name]
    put(tmp_path / "mine" / official.folder, files | {changed: files[changed] + b"!"})
    with pytest.raises(InputError, match=f"{changed} is not the official"):
        finish(load_dataset(name, tmp_path / "mine"))


# -- IDX files beyond MNIST's ----------------------------------------------------------------------------------------


def test_kmnist_lies_beside_mnist_under_torchvisions_root(tmp_path: Path, idx_files, finish) -> None:
    put(tmp_path / "KMNIST" / "raw", idx_files(30, 10))
    put(tmp_path / "MNIST" / "raw", idx_files(20, 10))
    assert len(finish(load_dataset("kmnist", tmp_path))[1].train.labels) == 30


@pytest.fixture
def emnist(monkeypatch, server) -> bytes:
    """Returns EMNIST's archive with few images, which counts as the official one, on the server."""
    rng = np.random.default_rng(3)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for division, first, classes in (("letters", 1, 26), ("balanced", 0, 47), ("byclass", 0, 62)):
            for part, count in (("train", 70), ("test", 30)):
                images = rng.integers(0, 256, (count, 28, 28), np.uint8)
                labels = np.array([first + number % classes for number in range(count)], np.uint8)
                name = f"gzip/emnist-{division}-{part}"
                header = struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28)
                archive.writestr(f"{name}-images-idx3-ubyte.gz", gzip.compress(header + images.tobytes()))
                header = struct.pack(">4BI", 0, 0, 8, 1, count)
                archive.writestr(f"{name}-labels-idx1-ubyte.gz", gzip.compress(header + labels.tobytes()))
    server.files["gzip.zip"] = buffer.getvalue()
    monkeypatch.setattr(datasets.EMNIST, "url", server.url + "gzip.zip")
    monkeypatch.setattr(datasets.EMNIST, "md5", md5(buffer.getvalue()))
    return buffer.getvalue()


def test_emnist_is_downloaded_once_for_both_divisions(emnist, server, cache: Path, finish) -> None:
    _, letters = finish(load_dataset("emnist_letters"))
    _, balanced = finish(load_dataset("emnist_balanced"))
    assert server.requests == ["gzip.zip"]
    assert letters.train.labels[:28].tolist() == [*range(26), 0, 1]
    assert balanced.train.labels[:48].tolist() == [*range(47), 0]
    left = sorted(path.name for path in (cache / "emnist").rglob("*") if path.is_file())
    assert len(left) == 8  # neither the archive nor the other divisions
    assert not any("byclass" in name for name in left)


def test_emnist_stands_upright(emnist, tmp_path: Path, finish) -> None:
    _, letters = finish(load_dataset("emnist_letters"))
    raw = gzip.decompress(zipfile.ZipFile(io.BytesIO(emnist)).read("gzip/emnist-letters-train-images-idx3-ubyte.gz"))[
        16 : 16 + 784
    ]
    stored = np.frombuffer(raw, np.uint8).reshape(28, 28)
    assert np.array_equal(letters.train.images[0, 0].numpy(), stored.T)
    assert letters.train.images.is_contiguous()


def test_emnists_archive_in_a_folder_of_the_users_is_unpacked_elsewhere(emnist, tmp_path: Path, cache, finish) -> None:
    folder = put(tmp_path / "mine", {"gzip.zip": emnist})
    assert is_present("emnist_letters", folder)
    finish(load_dataset("emnist_letters", folder))
    assert [path.name for path in folder.iterdir()] == ["gzip.zip"]
    (folder / "gzip.zip").write_bytes(emnist + b"!")
    for path in sorted((cache / "emnist").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    with pytest.raises(InputError, match=r"gzip\.zip is not the official file"):
        finish(load_dataset("emnist_letters", folder))
