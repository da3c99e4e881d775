from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from explorer.training.errors import TrainingError
from explorer.training.preflight import Preflight, preflight
from explorer.training.recipe import Recipe

ROOT = Path(__file__).parents[2]


def value_of(generator: Generator[object, None, Any]) -> Any:
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value


def test_preflight_tells_what_a_run_takes(short: Recipe, tmp_path: Path) -> None:
    found: Preflight = value_of(preflight(replace(short, epochs=7), "cpu"))
    assert (found.device, found.params) == ("cpu", 61_706)
    assert (found.train_images, found.validation_images, found.steps_per_epoch) == (1438, 359, 6)
    assert found.epoch_seconds > 6 * found.step_seconds > 0
    assert found.run_seconds == pytest.approx(7 * found.epoch_seconds)
    if sys.platform == "linux":
        assert found.peak_bytes is not None
        assert found.peak_bytes > 50 * 2**20
        assert found.largest_batch == 1024  # of 1,438 images
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="nobody tells the peak of a process's memory")
def test_largest_batch_depends_on_what_memory_is_free(short: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(short, architecture="resnet20_cifar", input=(3, 32, 32), batch_size=32)
    found = []
    for free in (0, 3 * 2**20 * 200, 2**40):  # at least 2 MB an image are kept for the way back
        monkeypatch.setattr("psutil.virtual_memory", lambda free=free: SimpleNamespace(available=free))
        found.append(value_of(preflight(recipe, "cpu")).largest_batch)
    assert found[0] == 32, "the recipe's own has been tried"
    assert 64 <= found[1] <= 512
    assert found[2] == 1024


def test_batch_that_is_too_large_is_told_with_the_one_that_fits(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "import torch\n"
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(64, 10))\n"
        "    def forward(self, x):\n"
        "        torch.empty(2**50 if len(x) > 40 else 1)\n"
        "        return super().forward(x)\n"
    )
    recipe = Recipe(f"{path}:Net", batch_size=64, input=(1, 8, 8))
    with pytest.raises(TrainingError, match="full at a batch size of 64: 32 fit, choose batch_size=32, or acc"):
        value_of(preflight(recipe, "cpu"))


def test_dry_run_of_the_command_line_leaves_no_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, str(ROOT / "main.py"), "train", "lenet5", "--dry-run", "--json", "--run-dir", str(run)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout)["params"] == 61_706
    assert not run.exists()
