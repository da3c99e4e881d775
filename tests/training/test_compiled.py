"""Compiled networks take the same steps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from explorer.training.events import Event
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

ROOT = Path(__file__).resolve().parent.parent.parent

Train = Callable[..., tuple[RunFolder, list[Event]]]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_network_has_the_same_losses(
    short: Recipe, train: Train, losses: Callable[[Iterable[Event]], list[float]]
) -> None:
    plain = losses(train(short)[1])
    compiled = losses(train(replace(short, compiled=True))[1])
    assert compiled == pytest.approx(plain, rel=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_missing_compiler_is_told_with_the_way_out(tmp_path: Path) -> None:
    nowhere = {"PATH": str(tmp_path), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, str(ROOT / "main.py"), "train", "lenet5", "--run-dir", str(tmp_path / "run")]
    environment = {name: value for name, value in os.environ.items() if name != "CXX"} | nowhere
    told = subprocess.run(
        [*command, "--set", "compiled=true"], env=environment, capture_output=True, text=True, timeout=500, check=False
    )
    assert told.returncode == 1
    assert "torch.compile cannot compile lenet5 here" in told.stderr
    assert "compiler" in told.stderr
    assert told.stderr.rstrip().endswith("set compiled=false")
