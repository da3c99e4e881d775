"""One process at a time trains in a folder: held against real processes, on this machine and as if on another."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from explorer.errors import InputError
from explorer.training import run_lock
from explorer.training.events import Started
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.training.run_lock import LOCK, SILENCE, trained
from explorer.training.tensorboard import read_scalars

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from explorer.training.run_folder import RunFolder
from pathlib import Path
with RunFolder(Path(sys.argv[1])).lock():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(Recipe(epochs=4), tmp_path / "run")


@pytest.fixture
def holder(folder: RunFolder) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the folder's lock until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder.path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def as_if_elsewhere(folder: RunFolder, seconds_ago: float) -> None:
    """Leaves what a machine does that trains on a disk which passes no locks on."""
    (folder.path / LOCK).write_text("other-machine 1234")
    (folder.path / "metrics.jsonl").touch()
    for name in (LOCK, "metrics.jsonl"):
        os.utime(folder.path / name, (time.time() - seconds_ago,) * 2)


def test_other_process_keeps_this_one_out_until_it_is_killed(folder: RunFolder, holder: subprocess.Popen[str]) -> None:
    assert trained(folder.path) == folder.summary().trained == "training"
    for act in (lambda: next(fit(folder.recipe, folder, "cpu", True)), folder.discard, lambda: folder.take_in_parts(2)):
        with pytest.raises(InputError, match="is being trained already: stop it there first"):
            act()
    assert folder.recipe == Recipe(epochs=4)
    holder.kill()
    holder.wait()
    assert (folder.path / LOCK).read_text(), "it left its mark"
    assert trained(folder.path) == ""
    with folder.lock():
        assert trained(folder.path) == "training", "this process too"
    assert (folder.path / LOCK).read_bytes() == b""


def test_end_in_good_order_lets_others_train(folder: RunFolder, holder: subprocess.Popen[str]) -> None:
    holder.communicate()
    assert trained(folder.path) == ""
    with folder.lock():
        pass


def test_looking_at_a_run_keeps_nobody_out(folder: RunFolder) -> None:
    """A process that looks again and again, as a window does, is never in the way of one that begins to train."""
    (folder.path / LOCK).write_text(f"{run_lock._own_name()}")  # as after a crash: it has to try the lock
    code = "import sys; from pathlib import Path; from explorer.training.run_lock import trained\n"
    code += "print('looks', flush=True)\nwhile True: trained(Path(sys.argv[1]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(20):
            with folder.lock():
                pass
            (folder.path / LOCK).write_text(f"{run_lock._own_name()}")
        process.kill()


@pytest.mark.parametrize(("ago", "state"), [(1.0, "training"), (SILENCE + 5, "silent")])
def test_run_of_another_machine_is_judged_by_its_newest_line(folder: RunFolder, ago: float, state: str) -> None:
    as_if_elsewhere(folder, ago)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.path.iterdir()}
    assert trained(folder.path) == state
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.path.iterdir()} == before
    if state == "training":
        with pytest.raises(InputError, match=r"is being trained on other-machine, or was a moment ago: .* wait 2 min"):
            next(fit(folder.recipe, folder, "cpu", True))
    else:
        with folder.lock():
            assert trained(folder.path) == "training"
        assert trained(folder.path) == ""


def test_file_system_without_locks_does_without(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("filelock.lock_descriptor", refuse)
    with folder.lock():
        assert trained(folder.path) == "training"
        with pytest.raises(InputError, match="or was a moment ago"), folder.lock():
            pass
    assert trained(folder.path) == ""
    as_if_elsewhere(folder, 1.0)
    assert trained(folder.path) == "training"


def test_folder_that_is_none_and_one_that_is_gone(tmp_path: Path) -> None:
    assert trained(tmp_path / "nowhere") == ""
    with pytest.raises(InputError, match="is not the folder of a run"), RunFolder(tmp_path).lock():
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_that_resume_one_run_again_and_again_never_mix_their_lines(tmp_path: Path) -> None:
    folder = RunFolder.create(Recipe(batch_size=64, epochs=500, threads=1), tmp_path / "run")
    command = [
        sys.executable,
        "main.py",
        "train",
        "lenet5",
        "--resume",
        "--device",
        "cpu",
        "--run-dir",
        str(folder.path),
    ]
    refused = 0
    for _ in range(3):
        both = [
            subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        before, deadline = len(folder.read_metrics().steps), time.monotonic() + 120
        # Looked at as a window does meanwhile, which may write the index.
        while len(folder.read_metrics().steps) < before + 30 or all(process.poll() is None for process in both):
            assert time.monotonic() < deadline
            assert any(process.poll() is None for process in both)
            folder.summary()
            time.sleep(0.02)
        for process in both:
            process.terminate()
            _, said = process.communicate()
            refused += process.returncode == 2
            assert process.returncode in (2, 143), said
            assert "Traceback" not in said
    assert refused == 3
    events = folder.read_metrics()
    steps = events.steps["step"].tolist()
    assert steps == list(range(1, len(steps) + 1))
    starts = [event.step for event in events.events if isinstance(event, Started)]
    assert starts == sorted(starts)
    losses = [scalar.step for scalar in read_scalars(folder.path) if scalar.tag == "loss/step"]
    assert losses == sorted(set(losses))
    assert folder.load_checkpoint() is not None
