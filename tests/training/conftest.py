"""Short runs on the digits, and networks from a file."""

from __future__ import annotations

import re
import signal
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from explorer.training.events import Epoch, Event, Steps
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

Train = Callable[..., tuple[RunFolder, list[Event]]]


@pytest.fixture(autouse=True)
def _own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "runs"))


@pytest.fixture(autouse=True)
def _threads_stay() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def short() -> Recipe:
    """Two epochs of six steps, the last of each smaller than the others."""
    return Recipe(batch_size=256, epochs=2, augmentation="crop", weight_decay=1e-4)


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has each step and each batch of an evaluation reported, so that a run can be closed at any of them."""
    monkeypatch.setattr("explorer.training.fit.REPORT_EVERY", 0.0)


@pytest.fixture(scope="session")
def heeds() -> Callable[[int], bool]:
    """Returns a function that tells whether a process does more about SIGTERM than to die of it."""

    def look(process: int) -> bool:
        (caught,) = re.findall(r"SigCgt:\s*(\w+)", Path(f"/proc/{process}/status").read_text())
        return bool(int(caught, 16) >> signal.SIGTERM - 1 & 1)

    return look


@pytest.fixture
def train() -> Train:
    """Returns a function that trains to the end in a new folder, on the CPU, and gives folder and events."""

    def run(recipe: Recipe) -> tuple[RunFolder, list[Event]]:
        folder = RunFolder.create(recipe)
        return folder, list(fit(recipe, folder, "cpu"))

    return run


@pytest.fixture
def losses() -> Callable[[Iterable[Event]], list[float]]:
    """Returns a function that gives the loss of every step that events tell of."""
    return lambda events: [loss for event in events if isinstance(event, Steps) for loss in event.losses]


@pytest.fixture
def results() -> Callable[[Iterable[Event]], list[tuple[object, ...]]]:
    """Returns a function that gives what the epochs came to, all but speed and time."""

    def of(events: Iterable[Event]) -> list[tuple[object, ...]]:
        return [
            (
                event.epoch,
                event.step,
                event.train_loss,
                event.train_accuracy,
                event.validation_loss,
                event.validation_accuracy,
                event.best,
            )
            for event in events
            if isinstance(event, Epoch)
        ]

    return of


@pytest.fixture
def network_file(tmp_path: Path) -> Callable[[str], str]:
    """Returns a function that writes a network `Net` with the given lines in its class body and gives its name.

    `self.flat` turns images of 1×8×8 into ten logits.
    """

    def write(body: str) -> str:
        lines = [
            "import torch",
            "from torch import nn",
            "class Net(nn.Module):",
            "    def __init__(self):",
            "        super().__init__()",
            "        self.flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))",
            "        self.build()",
            "    def build(self):",
            "        pass",
            *(f"    {line}" for line in body.splitlines()),
        ]
        path = tmp_path / "net.py"
        path.write_text("\n".join(lines) + "\n")
        return f"{path}:Net"

    return write


@pytest.fixture
def tiny_mnist(tmp_path: Path) -> Callable[[int, int], Path]:
    """Returns a function that writes MNIST's four files with so many images, of a class for each brightness."""

    def write(train: int, test: int) -> Path:
        rng = np.random.default_rng(0)
        folder = tmp_path / "mnist"
        folder.mkdir()
        for prefix, count in (("train", train), ("t10k", test)):
            labels = np.arange(count, dtype=np.uint8) % 10
            images = rng.integers(0, 30, (count, 28, 28), np.uint8) + labels[:, None, None] * 25
            header = struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28)
            (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + images.astype(np.uint8).tobytes())
            (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(
                struct.pack(">4BI", 0, 0, 8, 1, count) + labels.tobytes()
            )
        return folder

    return write
