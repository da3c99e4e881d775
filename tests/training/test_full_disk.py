"""A disk that is really full, at whichever file: a message, a checkpoint that is whole, and a run that goes on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch

from explorer.tasks.weights_file import load_weights
from explorer.training.errors import UnwritableError
from explorer.training.events import Finished
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

Resize = Callable[[int], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Resize]]:
    """A disk of 8 MB in memory, and a function that gives it another size in kB; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs to mount a disk, as root may")

    def resize(size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}k", str(place)], check=True)

    yield place, resize
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, short: Recipe) -> RunFolder:
    """The run of `short` on a disk with room."""
    folder = RunFolder.create(short, tmp_path_factory.mktemp("reference"))
    list(fit(short, folder, "cpu"))
    return folder


# lenet5's best weights take 248 kB, its checkpoint 501 kB, and each is there twice while it is replaced.
@pytest.mark.parametrize(
    ("size", "full", "checkpoint"),
    [
        pytest.param(4, "metrics.jsonl", None, marks=pytest.mark.slow),
        (64, "best.safetensors", None),
        pytest.param(400, "last.ckpt", None, marks=pytest.mark.slow),
        (900, "best.safetensors", 1),
        pytest.param(1216, "last.ckpt", 1, marks=pytest.mark.slow),
    ],
)
def test_training_ends_with_a_message_and_goes_on_when_there_is_room(
    disk: tuple[Path, Resize], short: Recipe, reference: RunFolder, size: int, full: str, checkpoint: int | None
) -> None:
    place, resize = disk
    folder = RunFolder.create(short, place / "run")
    resize(size)
    for resume in (False, True):  # resumed while there is no room yet
        with pytest.raises(
            UnwritableError, match=r"cannot be written \(.*No space left.*\): .* the disk has room"
        ) as told:
            list(fit(short, folder, "cpu", resume))
        assert "\n" not in str(told.value)
        if not resume:
            assert f"/{full} " in str(told.value)
        state = folder.load_checkpoint()
        assert (state["progress"]["epoch"] if state else None) == checkpoint
        assert folder.summary().resumable
        assert not list(folder.path.glob("*.part"))
        assert (folder.path / "metrics.jsonl").read_bytes()[-1:] in (b"\n", b""), "no half a line"
    fill(place)
    with pytest.raises(UnwritableError, match=r"title\.txt cannot be written"):
        folder.rename("a name")
    assert folder.title == ""
    (place / "filler").unlink()
    resize(8000)
    assert isinstance(list(fit(short, folder, "cpu", resume=True))[-1], Finished)
    ours, theirs = folder.load_checkpoint(), reference.load_checkpoint()
    assert ours is not None
    assert theirs is not None
    assert all(torch.equal(ours["model"][name], weights) for name, weights in theirs["model"].items())
    assert folder.read_metrics().steps["loss"].tolist() == reference.read_metrics().steps["loss"].tolist()
    (spec, best), (expected, theirs) = (load_weights(run.path / "best.safetensors") for run in (folder, reference))
    assert spec == expected
    assert all(torch.equal(best[name], weights) for name, weights in theirs.items())


def fill(place: Path) -> None:
    """Takes all the room that is left."""
    with (place / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_folder_that_may_not_be_changed_any_more_ends_training_with_a_message(short: Recipe, tmp_path: Path) -> None:
    folder = RunFolder.create(short, tmp_path / "run")
    events = fit(short, folder, "cpu")
    next(event for event in events if type(event).__name__ == "Epoch")
    before = (folder.path / "last.ckpt").read_bytes()
    with unchangeable(folder.path):
        with pytest.raises(UnwritableError, match=r"cannot be written \(.* not permitted\)"):
            list(events)
        with pytest.raises(UnwritableError, match=r"cannot be written \(.* not permitted\)"):
            next(fit(short, folder, "cpu", resume=True))
        assert folder.summary().resumable
    assert (folder.path / "last.ckpt").read_bytes() == before
    assert isinstance(list(fit(short, folder, "cpu", resume=True))[-1], Finished)


@contextmanager
def unchangeable(folder: Path) -> Iterator[None]:
    """Keeps all users, root too, from changing a folder and its files; skips the test where that cannot be had."""
    paths = [str(folder), *map(str, folder.iterdir())]
    if shutil.which("chattr") is None or subprocess.run(["chattr", "+i", *paths], capture_output=True).returncode:
        pytest.skip("needs chattr, on a file system that heeds it and as root")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *paths], check=True)


def test_folder_that_is_removed_ends_training_with_a_message(short: Recipe, tmp_path: Path) -> None:
    folder = RunFolder.create(short, tmp_path / "run")
    events = fit(short, folder, "cpu")
    next(event for event in events if type(event).__name__ == "Epoch")
    shutil.rmtree(folder.path)
    with pytest.raises(UnwritableError, match=r"cannot be written \(No such file or directory\): see that its folder"):
        list(events)
    assert not folder.path.exists()
