"""Datasets by name: what is known of them, where they are looked for, and how they are divided."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.data.datasets import DATASETS, ImageSet, dataset_info, is_present, load_dataset, split
from explorer.errors import InputError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("EXPLORER_DATASETS", str(folder))
    return folder


@pytest.fixture
def mnist(server, idx_files, monkeypatch) -> dict[str, bytes]:
    """Lets a small MNIST count as the published one, on two mirrors on this machine, and returns its files."""
    # The published one cannot be fetched without a network, so torchvision's addresses and checksums are exchanged.
    from torchvision.datasets import MNIST

    files = idx_files(30, 10)
    for name, contents in files.items():
        server.files[f"first/{name}"] = server.files[f"second/{name}"] = contents
    monkeypatch.setattr(MNIST, "mirrors", [f"{server.url}first/", f"{server.url}second/"])
    monkeypatch.setattr(
        MNIST, "resources", [(name, hashlib.md5(contents).hexdigest()) for name, contents in files.items()]
    )
    return files


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, contents in files.items():
        (folder / name).write_bytes(contents)


def unpacked(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name.removesuffix(".gz"): gzip.decompress(contents) for name, contents in files.items()}


def mean_and_std(images: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    pixels = images.numpy().astype(np.float64).transpose(1, 0, 2, 3).reshape(images.shape[1], -1) / 255
    return tuple(pixels.mean(1)), tuple(pixels.std(1))


class TestInfo:
    def test_the_names_are_the_keys(self) -> None:
        assert {"digits", "mnist", "fashion_mnist", "kmnist", "svhn", "cifar10", "cifar100", "stl10"} < set(DATASETS)
        assert {"flowers102", "pets", "food101", "imagenette", "emnist_letters", "emnist_balanced"} < set(DATASETS)
        assert all(info.name == name for name, info in DATASETS.items())

    @pytest.mark.parametrize("info", DATASETS.values(), ids=DATASETS)
    def test_every_record_is_consistent(self, info) -> None:
        assert len(set(info.classes)) == len(info.classes) >= 10
        assert len(info.mean) == len(info.std) in (0, info.shape[0])
        assert info.images > info.validation_images >= 0 or info.images == info.validation_images
        assert info.homepage.startswith("http")
        assert all(0 < mean < 1 for mean in info.mean)
        assert all(0 < std < 0.5 for std in info.std)
        assert info.offline == (info.download_bytes == 0)
        assert "https://" in info.source or "http://" in info.source

    def test_an_unknown_name_is_answered_with_similar_ones(self) -> None:
        with pytest.raises(
            InputError, match=r"no dataset 'CIFAR-10': did you mean cifar10 or cifar100\? the datasets are digits,"
        ):
            dataset_info("CIFAR-10")
        with pytest.raises(InputError, match="did you mean fashion_mnist or mnist"):
            dataset_info("FashionMNIST")

    def test_a_name_like_no_other_is_answered_with_all(self) -> None:
        with pytest.raises(
            InputError, match=r"no dataset 'xyz': the datasets are digits, mnist, .* and any folder \(folder:PATH\)"
        ):
            dataset_info("xyz")

    def test_class_names_are_in_torchvisions_order(self) -> None:
        from torchvision.datasets import MNIST, FashionMNIST

        assert list(DATASETS["fashion_mnist"].classes) == FashionMNIST.classes
        assert [f"{name} - " for name in DATASETS["mnist"].classes] == [name[:4] for name in MNIST.classes]

    def test_the_list_is_there_without_heavy_packages(self) -> None:
        code = (
            "import sys; from explorer.data.datasets import DATASETS, is_present; is_present('digits'); "
            "is_present('cifar10'); print({'torch', 'torchvision', 'sklearn'} & set(sys.modules))"
        )
        root = Path(__file__).resolve().parents[2]
        answer = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
        assert answer.stdout.strip() == "set()"


class TestDigits:
    def test_all_1797_scans_with_their_labels(self, finish) -> None:
        from sklearn.datasets import load_digits

        _, dataset = finish(load_dataset("digits"))
        theirs = load_digits()
        assert dataset.info is DATASETS["digits"]
        assert dataset.test is None
        assert dataset.train.images.shape == (1797, 1, 8, 8)
        assert dataset.train.images.dtype == torch.uint8
        assert dataset.train.labels.dtype == torch.int64
        assert dataset.train.labels.tolist() == theirs.target.tolist()
        assert np.array_equal(dataset.train.images[:, 0].numpy(), np.round(theirs.images * 255 / 16))

    def test_white_is_white(self, finish) -> None:
        _, dataset = finish(load_dataset("digits"))
        assert (dataset.train.images.min(), dataset.train.images.max()) == (0, 255)

    def test_mean_and_std_are_those_of_the_images(self, finish) -> None:
        _, dataset = finish(load_dataset("digits"))
        mean, std = mean_and_std(dataset.train.images)
        assert mean == pytest.approx(dataset.info.mean, abs=5e-5)
        assert std == pytest.approx(dataset.info.std, abs=5e-5)

    def test_they_are_always_present(self, cache: Path) -> None:
        assert is_present("digits")
        assert not cache.exists()


class TestRealImages:
    def test_the_whole_of_mnist(self, shared_data, finish) -> None:
        _, dataset = finish(load_dataset("mnist", shared_data("mnist")))
        assert dataset.train.images.shape == (dataset.info.images, *dataset.info.shape)
        assert dataset.test.images.shape == (dataset.info.test_images, *dataset.info.shape)
        assert dataset.train.images.is_contiguous()
        assert dataset.train.labels.dtype == torch.int64
        assert torch.bincount(dataset.train.labels).tolist() == [
            *(5923, 6742, 5958, 6131, 5842),
            *(5421, 5918, 6265, 5851, 5949),
        ]
        mean, std = mean_and_std(dataset.train.images)
        assert mean == pytest.approx(dataset.info.mean, abs=5e-5)
        assert std == pytest.approx(dataset.info.std, abs=5e-5)

    def test_cifar10s_mean_and_std_are_near_those_of_a_fifth_of_its_images(self, shared_data) -> None:
        from PIL import Image

        with zipfile.ZipFile(shared_data("cifar10_jpeg_part.zip")) as archive:
            names = [name for name in archive.namelist() if "/train/" in name and name.endswith(".jpg")]
            images = [np.array(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names[::5]]
        mean, std = mean_and_std(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2))
        assert mean == pytest.approx(DATASETS["cifar10"].mean, abs=0.01)
        assert std == pytest.approx(DATASETS["cifar10"].std, abs=0.01)


class TestNamedFolder:
    @pytest.mark.parametrize("place", ["", "raw", "MNIST/raw"])
    @pytest.mark.parametrize("form", ["gzipped", "raw"])
    def test_mnist_is_found_in(self, tmp_path: Path, idx_files, finish, place: str, form: str) -> None:
        files = idx_files(30, 10)
        write(tmp_path / place, unpacked(files) if form == "raw" else files)
        assert is_present("mnist", tmp_path)
        _, dataset = finish(load_dataset("mnist", tmp_path))
        assert dataset.train.images.shape == (30, 1, 28, 28)
        assert dataset.test.labels.tolist() == list(range(10))

    def test_files_agree_with_torchvisions_reader(self, tmp_path: Path, idx_files, finish) -> None:
        from torchvision.datasets import MNIST

        write(tmp_path / "MNIST" / "raw", unpacked(idx_files(30, 10)))
        _, dataset = finish(load_dataset("mnist", tmp_path))
        theirs = MNIST(tmp_path, train=True)
        assert torch.equal(dataset.train.images[:, 0], theirs.data)
        assert torch.equal(dataset.train.labels, theirs.targets)

    def test_mnist_and_fashion_mnist_are_told_apart_under_one_root(self, tmp_path: Path, idx_files, finish) -> None:
        write(tmp_path / "MNIST" / "raw", idx_files(30, 10))
        write(tmp_path / "FashionMNIST" / "raw", idx_files(20, 10))
        assert len(finish(load_dataset("mnist", tmp_path))[1].train.labels) == 30
        assert len(finish(load_dataset("fashion_mnist", tmp_path))[1].train.labels) == 20

    @pytest.mark.parametrize("form", ["folder", "archive"])
    def test_cifar10_is_found(self, small_cifar10, finish, form: str) -> None:
        place = getattr(small_cifar10, form)
        for folder in (place, place.parent):
            assert is_present("cifar10", folder)
            _, dataset = finish(load_dataset("cifar10", folder))
            assert dataset.train.images.shape == (100, 3, 32, 32)
            assert dataset.train.images.is_contiguous()
            assert dataset.test.images.shape == (20, 3, 32, 32)
            assert dataset.test.labels.dtype == torch.int64

    def test_what_was_looked_for_and_where_is_told(self, tmp_path: Path, finish, mnist, server) -> None:
        write(tmp_path, {name: contents for name, contents in mnist.items() if "labels" not in name})
        assert not is_present("mnist", tmp_path)
        with pytest.raises(InputError) as refusal:
            finish(load_dataset("mnist", tmp_path))
        for words in ("t10k-labels-idx1-ubyte", ".gz", str(tmp_path / "MNIST" / "raw"), str(tmp_path / "raw")):
            assert words in str(refusal.value)
        assert server.requests == []  # nothing is ever downloaded into a folder of the user's

    def test_what_was_looked_for_is_told_for_cifar10(self, tmp_path: Path, finish) -> None:
        with pytest.raises(InputError, match=r"cifar-10-batches-py .* or cifar-10-python\.tar\.gz, in .*nowhere"):
            finish(load_dataset("cifar10", tmp_path / "nowhere"))

    @pytest.mark.parametrize("name", ["mnist", "cifar10"])
    def test_an_impossible_folder_is_one_that_lacks_the_data(self, finish, name: str) -> None:
        folder = Path("x" * 5000)  # too long for any file system
        assert not is_present(name, folder)
        with pytest.raises(InputError, match="is not in xxx"):
            finish(load_dataset(name, folder))

    def test_images_and_labels_of_different_number_are_refused(self, tmp_path: Path, idx_files, finish) -> None:
        files, others = idx_files(30, 10), idx_files(29, 10)
        write(tmp_path, files | {"train-labels-idx1-ubyte.gz": others["train-labels-idx1-ubyte.gz"]})
        with pytest.raises(InputError, match="30 images but 29 labels"):
            finish(load_dataset("mnist", tmp_path))

    def test_a_label_without_a_class_is_refused(self, tmp_path: Path, idx_files, finish) -> None:
        files = unpacked(idx_files(30, 10))
        files["t10k-labels-idx1-ubyte"] = files["t10k-labels-idx1-ubyte"][:-1] + bytes([10])
        write(tmp_path, files)
        with pytest.raises(InputError, match="label 10 but MNIST has labels 0 to 9"):
            finish(load_dataset("mnist", tmp_path))


class TestCache:
    def test_what_is_missing_is_downloaded_once(self, cache: Path, mnist, server, finish) -> None:
        assert not is_present("mnist")
        steps, dataset = finish(load_dataset("mnist"))
        assert is_present("mnist")
        assert dataset.train.images.shape == (30, 1, 28, 28)
        assert sorted(path.name for path in (cache / "mnist").iterdir()) == sorted(mnist)
        for name, contents in mnist.items():
            downloading = [step for step in steps if step.message == f"Downloading {name}"]
            assert (downloading[-1].done, downloading[-1].total) == (len(contents), len(contents))
        assert len(server.requests) == 4
        finish(load_dataset("mnist"))
        assert len(server.requests) == 4

    def test_files_that_are_there_are_not_fetched_again(self, cache: Path, mnist, server, finish) -> None:
        name = "train-images-idx3-ubyte.gz"
        write(cache / "mnist", {name: mnist[name]})
        finish(load_dataset("mnist"))
        assert f"first/{name}" not in server.requests
        assert len(server.requests) == 3

    def test_the_second_mirror_helps_out(self, cache: Path, mnist, server, finish) -> None:
        name = "t10k-labels-idx1-ubyte.gz"
        del server.files[f"first/{name}"]
        finish(load_dataset("mnist"))
        assert server.requests[-2:] == [f"first/{name}", f"second/{name}"]

    def test_cancelling_keeps_whole_files_only(self, cache: Path, mnist) -> None:
        loading = load_dataset("mnist")
        while next(loading).message != "Downloading train-labels-idx1-ubyte.gz":
            pass
        loading.close()
        assert [path.name for path in (cache / "mnist").iterdir()] == ["train-images-idx3-ubyte.gz"]
        assert not is_present("mnist")

    def test_the_cifar10_archive_is_fetched_and_read(
        self, cache: Path, small_cifar10, server, finish, monkeypatch
    ) -> None:
        from torchvision.datasets import CIFAR10

        server.files["cifar-10-python.tar.gz"] = small_cifar10.archive.read_bytes()
        monkeypatch.setattr(CIFAR10, "url", server.url + "cifar-10-python.tar.gz")
        _, dataset = finish(load_dataset("cifar10"))
        assert np.array_equal(dataset.train.images.numpy(), small_cifar10.images[:100])
        assert [path.name for path in (cache / "cifar10").iterdir()] == ["cifar-10-python.tar.gz"]

    def test_without_a_server_the_way_out_is_told(self, cache: Path, mnist, server, finish) -> None:
        server.files.clear()
        with pytest.raises(InputError) as refusal:
            finish(load_dataset("mnist"))
        assert str(refusal.value).startswith("MNIST could not be downloaded (")
        assert "HTTP status 404" in str(refusal.value)
        assert str(refusal.value).endswith("or give a folder that holds it")

    def test_a_cache_that_cannot_be_written_is_told(self, tmp_path: Path, mnist, finish, monkeypatch) -> None:
        (tmp_path / "file").touch()
        monkeypatch.setenv("EXPLORER_DATASETS", str(tmp_path / "file"))
        with pytest.raises(InputError, match=r"MNIST could not be saved in .*set EXPLORER_DATASETS"):
            finish(load_dataset("mnist"))

    def test_a_disk_without_room_is_told_before_it_is_filled(self, cache, mnist, server, finish, monkeypatch) -> None:
        import shutil

        usage = shutil.disk_usage(cache.parent)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5_000_000))
        with pytest.raises(
            InputError, match=r"MNIST needs 12 MB and .* has room for 5 MB: set EXPLORER_DATASETS to a folder with room"
        ):
            finish(load_dataset("mnist"))
        assert server.requests == []

    def test_without_the_variable_it_is_the_users_cache(self, tmp_path: Path, idx_files, monkeypatch) -> None:
        import platformdirs

        monkeypatch.delenv("EXPLORER_DATASETS", raising=False)
        for variable in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
            monkeypatch.setenv(variable, str(tmp_path / "home"))
        assert not is_present("mnist")
        write(platformdirs.user_cache_path("architecture-explorer") / "datasets" / "mnist", idx_files(30, 10))
        assert is_present("mnist")

    def test_names_of_files_are_those_of_torchvision(self, cache: Path, idx_files) -> None:
        from torchvision.datasets import MNIST, FashionMNIST

        for published in (MNIST, FashionMNIST):
            assert [name for name, _ in published.resources] == list(idx_files(1, 1))


def numbered(labels: list[int]) -> ImageSet:
    """Returns images whose only pixel is their number."""
    images = torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1)
    return ImageSet(images, torch.tensor(labels))


class TestSplit:
    LABELS = tuple([0] * 50 + [1] * 30 + [2] * 20 + [4] * 7)

    def test_every_image_is_on_one_side_with_its_label(self) -> None:
        whole = numbered(list(self.LABELS))
        parts = split(whole, 0.2, seed=0)
        numbers = torch.cat([part.images.flatten() for part in parts]).tolist()
        assert sorted(numbers) == list(range(107))
        for part in parts:
            assert part.labels.tolist() == whole.labels[part.images.flatten().long()].tolist()
            assert part.images.dtype == torch.uint8
            assert part.images.is_contiguous()

    @pytest.mark.parametrize("fraction", [0.01, 0.1, 0.15, 1 / 3, 0.5, 0.99])
    def test_the_number_held_out_is_the_rounded_fraction(self, fraction: float) -> None:
        _, held_out = split(numbered(list(self.LABELS)), fraction, seed=0)
        assert len(held_out.labels) == round(fraction * 107)

    @pytest.mark.parametrize("fraction", [0.1, 0.15, 1 / 3, 0.5])
    def test_every_class_is_held_out_in_proportion(self, fraction: float) -> None:
        _, held_out = split(numbered(list(self.LABELS)), fraction, seed=0)
        counts = torch.bincount(held_out.labels, minlength=5).tolist()
        assert all(abs(count - fraction * size) < 1 for count, size in zip(counts, [50, 30, 20, 0, 7], strict=True))

    def test_the_same_seed_gives_the_same_images_and_another_seed_others(self) -> None:
        whole = numbered(list(self.LABELS))
        first, again, other = (split(whole, 0.2, seed)[1].images.flatten().tolist() for seed in (3, 3, 4))
        assert first == again
        assert first != other

    def test_the_global_random_state_neither_matters_nor_changes(self) -> None:
        whole = numbered(list(self.LABELS))
        torch.manual_seed(1)
        first = split(whole, 0.2, seed=0)[1].images
        state = torch.get_rng_state()
        assert torch.equal(split(whole, 0.2, seed=0)[1].images, first)
        assert torch.equal(torch.get_rng_state(), state)

    def test_held_out_images_come_from_all_over_the_class(self) -> None:
        _, held_out = split(numbered([0] * 200), 0.5, seed=0)
        numbers = held_out.images.flatten().tolist()
        assert numbers == sorted(numbers)
        assert 30 < sum(number < 100 for number in numbers) < 70

    def test_the_set_itself_stays_as_it_is(self) -> None:
        whole = numbered(list(self.LABELS))
        training, _ = split(whole, 0.2, seed=0)
        training.images.zero_()
        assert whole.images.flatten().tolist() == list(range(107))

    @pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 2.0, 0.001, 0.999, float("nan")])
    def test_an_empty_side_is_refused(self, fraction: float) -> None:
        with pytest.raises(InputError, match="cannot be held out: choose a fraction between 0 and 1"):
            split(numbered(list(self.LABELS)), fraction, seed=0)


def test_nothing_needs_a_network_for_digits_and_given_folders(tmp_path: Path, idx_files, finish, monkeypatch) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    write(tmp_path, idx_files(30, 10))
    finish(load_dataset("digits"))
    finish(load_dataset("mnist", tmp_path))
