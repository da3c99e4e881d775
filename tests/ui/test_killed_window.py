"""The real program on a real screen is killed while it trains; its run goes on elsewhere as if nothing had happened."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from explorer.training.fit import fit
from explorer.training.recipe import default_recipe
from explorer.training.run_folder import RunFolder, list_runs
from explorer.training.tensorboard import read_scalars

ROOT = Path(__file__).resolve().parents[2]
WAIT = 120.0
RESUME = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from explorer.ui.train.page import TrainPage
from explorer import app
begin = TrainPage.__init__
def resume(page, *arguments):
    begin(page, *arguments)
    QTimer.singleShot(0, page, lambda: page._resume(sys.argv[1]))
TrainPage.__init__ = resume
app.run(sys.argv[1:])
"""
"""The program, which goes on with the run it is given as if its Resume button were pressed."""
pytestmark = [pytest.mark.screen, pytest.mark.slow, pytest.mark.timeout(600)]


@contextmanager
def program(screen: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=screen) as process:
        try:
            yield process
        finally:
            process.kill()


def press(screen: dict[str, str], *keys: str) -> None:
    search = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "^Architecture Explorer$"]
    found = subprocess.run(search, env=screen, capture_output=True, text=True, check=True, timeout=60)
    command = ["xdotool", "windowactivate", "--sync", found.stdout.split()[0], "key", *keys]
    subprocess.run(command, env=screen, check=False, stderr=subprocess.DEVNULL, timeout=30)


def wait_for_steps(folder: RunFolder, process: subprocess.Popen[bytes], count: int) -> None:
    end = time.monotonic() + WAIT
    while len(folder.read_metrics().steps) <= count and time.monotonic() < end:
        assert process.poll() is None, "the program has ended"
        time.sleep(0.02)
    assert len(folder.read_metrics().steps) > count


def test_run_of_a_window_that_is_killed_goes_on_to_the_same_weights(
    screen: dict[str, str], tmp_path: Path, own_runs: Path
) -> None:
    chance = random.Random(1)
    recipe = replace(default_recipe("lenet5", "digits"), epochs=30, threads=1)
    settings = tmp_path / "config" / "architecture-explorer" / "architecture-explorer.conf"
    settings.parent.mkdir(parents=True)
    text = recipe.to_toml().replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    settings.write_text(f'[train]\nrecipe="{text}"\n')
    with program(screen, "main.py") as window:
        end = time.monotonic() + WAIT
        while not list_runs() and time.monotonic() < end:  # until the window takes keys
            press(screen, "ctrl+2", "ctrl+Return")
            time.sleep(3)
        (run,) = list_runs()
        folder = RunFolder(Path(run.path))
        assert folder.recipe == recipe
        wait_for_steps(folder, window, 0)
        time.sleep(chance.uniform(0, 2))
        window.send_signal(signal.SIGKILL)
        window.wait()
    for _ in range(3):
        done = len(folder.read_metrics().steps)
        assert folder.summary().trained == ""
        with program(screen, "-c", RESUME, str(folder.path)) as window:
            end = time.monotonic() + WAIT
            while folder.summary().trained == "" and time.monotonic() < end:
                time.sleep(0.02)
            wait_for_steps(folder, window, min(done, 30 * 45 - 100))
            time.sleep(chance.uniform(0, 2))
            window.kill()
            window.wait()
        for name in ("last.ckpt", "best.safetensors"):
            assert not (folder.path / name).exists() or (folder.path / name).stat().st_size > 100_000
    list(fit(folder.recipe, folder, resume=True))
    reference = RunFolder.create(recipe, tmp_path / "reference")
    list(fit(recipe, reference))
    ours, theirs = folder.load_checkpoint(), reference.load_checkpoint()
    assert ours is not None
    assert theirs is not None
    assert all(torch.equal(ours["model"][name], weights) for name, weights in theirs["model"].items())
    assert folder.read_metrics().steps["loss"].tolist() == reference.read_metrics().steps["loss"].tolist()
    told = [scalar.value for scalar in read_scalars(folder.path) if scalar.tag == "accuracy/validation"]
    assert told == [scalar.value for scalar in read_scalars(reference.path) if scalar.tag == "accuracy/validation"]
    assert not list(folder.path.glob("*.part"))
