"""A web server on this machine, and small datasets in the published formats."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import pickle
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from explorer.data.binary_sets import BINARY_SETS
from explorer.data.download import Progress

CIFAR10 = BINARY_SETS["cifar10"]


@dataclass
class Server:
    """Serves what is put into `files`; anything else is a 404."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    """Path without the leading slash -> contents."""
    dropping: set[str] = field(default_factory=set)
    """Paths of which half is sent before the connection is closed."""
    silent: set[str] = field(default_factory=set)
    """Paths that are never answered."""
    unannounced: set[str] = field(default_factory=set)
    """Paths sent without a Content-Length."""
    without_ranges: set[str] = field(default_factory=set)
    """Paths of which the whole is sent whatever was asked for."""
    ranges: list[str] = field(default_factory=list)
    """Ranges asked for, in order."""
    requests: list[str] = field(default_factory=list)
    """Paths asked for, in order."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            told.requests.append(path)
            if path in told.silent:
                closing.wait()
                return
            if path not in told.files:
                self.send_error(404)
                return
            contents = told.files[path]
            wanted = self.headers.get("Range")
            if wanted:
                told.ranges.append(wanted)
            if wanted and path not in told.without_ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(contents):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(contents) - 1}/{len(contents)}")
                contents = contents[start:]
            else:
                self.send_response(200)
            if path not in told.unannounced:
                self.send_header("Content-Length", str(len(contents)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # the client may have had enough
                self.wfile.write(contents[: len(contents) // 2] if path in told.dropping else contents)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told = Server(f"http://127.0.0.1:{http.server_address[1]}/")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield told
    closing.set()
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture
def finish() -> Callable[..., tuple[list[Progress], object]]:
    """Returns a function that runs a generator to its end and gives what it yielded and what it returned."""

    def run(generator: object) -> tuple[list[Progress], object]:
        steps = []
        while True:
            try:
                steps.append(next(generator))
            except StopIteration as stop:
                return steps, stop.value

    return run


@pytest.fixture
def idx_files() -> Callable[[int, int], dict[str, bytes]]:
    """Returns a function that makes MNIST's four files, gzipped, with so many training and test images."""

    def make(train: int, test: int) -> dict[str, bytes]:
        rng = np.random.default_rng(0)
        files = {}
        for prefix, count in (("train", train), ("t10k", test)):
            images = rng.integers(0, 256, (count, 28, 28), np.uint8)
            labels = np.arange(count, dtype=np.uint8) % 10
            header = struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28)
            files[f"{prefix}-images-idx3-ubyte.gz"] = gzip.compress(header + images.tobytes())
            files[f"{prefix}-labels-idx1-ubyte.gz"] = gzip.compress(
                struct.pack(">4BI", 0, 0, 8, 1, count) + labels.tobytes()
            )
        return files

    return make


@dataclass
class SmallCifar10:
    """CIFAR-10 with 20 images a batch, which counts as the official one while the test runs."""

    folder: Path
    """The batches as torchvision unpacks them."""
    archive: Path
    images: np.ndarray
    """All 120, (120, 3, 32, 32), the test images last."""
    labels: np.ndarray


@pytest.fixture
def small_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallCifar10:
    # The official batches cannot be had without a network, so torchvision's checksums are set to those of small ones.
    from torchvision import datasets

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (120, 3, 32, 32), np.uint8)
    labels = rng.integers(0, 10, 120)
    folder = tmp_path / "published" / CIFAR10.folder
    folder.mkdir(parents=True)
    checksums = []
    for number, name in enumerate(CIFAR10.files):
        part = slice(20 * number, 20 * number + 20)
        contents = pickle.dumps({"data": images[part].reshape(20, -1), "labels": labels[part].tolist()}, protocol=2)
        (folder / name).write_bytes(contents)
        checksums.append([name, hashlib.md5(contents).hexdigest()])
    archive = tmp_path / "published" / "archive" / CIFAR10.archive
    archive.parent.mkdir()
    with tarfile.open(archive, "w:gz") as tar:
        files = CIFAR10.files
        for name in (files[3], files[5], *files[:3], files[4]):  # out of order, as the official one is
            tar.add(folder / name, f"{CIFAR10.folder}/{name}")
    monkeypatch.setattr(datasets.CIFAR10, "train_list", checksums[:5])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", checksums[5:])
    monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", hashlib.md5(archive.read_bytes()).hexdigest())
    return SmallCifar10(folder, archive, images, labels)
