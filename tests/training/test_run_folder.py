from __future__ import annotations

import json
import pickle
import resource
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from explorer.data.preprocessing import Preprocessing
from explorer.errors import InputError
from explorer.tasks.weights_file import ModelSpec
from explorer.training.errors import TrainingError
from explorer.training.events import Epoch, Event, Finished, Started, Steps, to_document
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder, list_runs, runs_folder

Train = Callable[..., tuple[RunFolder, list[Event]]]

STARTED = Started("run", "lenet5", "digits", "cpu", "a processor", "32-true", 61_706, 1438, 359, 0, 6, 4, 0)
SPEC = ModelSpec("lenet5", {}, Preprocessing((1, 32, 32), (0.1,), (0.3,), resize=32), tuple("0123456789"))


def steps(epoch: int, step: int) -> Steps:
    return Steps(epoch, step, (2.0, 1.0), 0.05, 4000.0, 12.5)


def epoch(number: int, accuracy: float = 0.5) -> Epoch:
    return Epoch(number, 6 * number, 1.5, 0.4, 1.25, accuracy, True, 4000.0, 0.25)


FINISHED = Finished("run", 4, 2, 0.5, None, 1.0)


@pytest.fixture
def folder() -> RunFolder:
    return RunFolder.create(Recipe(epochs=4))


def write_metrics(folder: RunFolder, *events: Event) -> None:
    for event in events:
        folder.append(event)


def parts(folder: RunFolder) -> list[str]:
    return [path.name for path in folder.path.glob("*.part")]


@contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """The system refuses to make a file larger than so many bytes, as it does when the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_runs_are_kept_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runs_folder() == tmp_path / "runs"
    monkeypatch.delenv("EXPLORER_RUNS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    assert runs_folder() == tmp_path / "home" / "architecture-explorer" / "runs"


def test_new_run_has_a_folder_of_its_own_and_its_recipe() -> None:
    recipe = Recipe("some nets/file.py:Net", epochs=3)
    first, second, third = (RunFolder.create(recipe) for _ in range(3))
    assert len({first.path, second.path, third.path}) == 3
    for folder in (first, second, third):
        assert folder.path.parent == runs_folder()
        assert "file.py_Net_digits" in folder.path.name
        assert folder.recipe == recipe
        assert {path.name for path in folder.path.iterdir()} == {"recipe.toml", "run.lock"}


def test_of_several_that_begin_in_one_folder_at_once_one_has_it(tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def create(seed: int) -> str:
        together.wait()
        try:
            RunFolder.create(Recipe(seed=seed), tmp_path / "run")
        except InputError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(create, range(4)))
    assert told.count("") == 1
    assert all("holds a run already" in text or "is being trained already" in text for text in told if text)
    assert RunFolder(tmp_path / "run").recipe == Recipe(seed=told.index(""))


def test_folder_that_holds_a_run_is_not_used_again(folder: RunFolder) -> None:
    with pytest.raises(InputError, match="holds a run already: resume it or name another folder"):
        RunFolder.create(Recipe(epochs=9), folder.path)
    assert folder.recipe.epochs == 4


def test_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path / "file"))
    for path in (None, tmp_path / "file", tmp_path / "file" / "run", tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match=r"cannot be made \(.*\): name another one"):
            RunFolder.create(Recipe(), path)


def test_architecture_of_any_length_makes_a_folder() -> None:
    assert RunFolder.create(Recipe("x" * 5000 + ".py:Net")).recipe.dataset == "digits"


def test_recipe_that_is_missing_or_broken_is_told(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not the folder of a run: it has no recipe\.toml"):
        _ = RunFolder(tmp_path).recipe
    (folder.path / "recipe.toml").write_text("epochs = ")
    with pytest.raises(InputError, match="is not a TOML file"):
        _ = folder.recipe
    with pytest.raises(InputError, match="is not the folder of a run"):
        _ = RunFolder(tmp_path / ("x" * 300)).recipe


def test_write_that_fails_keeps_the_former_file(folder: RunFolder) -> None:
    def fail(target: Path) -> None:
        target.write_text("half of")
        raise OSError(28, "No space left on device")

    before = (folder.path / "recipe.toml").read_bytes()
    with pytest.raises(TrainingError, match=r"recipe\.toml cannot be written \(No space left on device\)"):
        folder._replace("recipe.toml", fail)
    assert (folder.path / "recipe.toml").read_bytes() == before
    assert parts(folder) == []


def test_write_that_is_interrupted_keeps_the_former_file(folder: RunFolder) -> None:
    def interrupt(target: Path) -> None:
        target.write_text("half of")
        raise KeyboardInterrupt

    before = (folder.path / "recipe.toml").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        folder._replace("recipe.toml", interrupt)
    assert (folder.path / "recipe.toml").read_bytes() == before
    assert parts(folder) == []


def test_full_disk_keeps_the_former_files_and_says_so(folder: RunFolder) -> None:
    small, large = {"weight": torch.zeros(10)}, {"weight": torch.zeros(100_000)}
    folder.save_checkpoint({"version": 1, "model": small})
    folder.save_best(small, SPEC)
    folder.append(epoch(1))
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    reason = r"cannot be written \(.*[Ff]ile too large.*\): see that its folder is there and the disk has room"
    with no_room_beyond(10_000):
        with pytest.raises(TrainingError, match=rf"last\.ckpt {reason}"):
            folder.save_checkpoint({"version": 1, "model": large})
        with pytest.raises(TrainingError, match=rf"best\.safetensors {reason}"):
            folder.save_best(large, SPEC)
    with no_room_beyond(len(before["metrics.jsonl"])), pytest.raises(TrainingError, match=rf"metrics\.jsonl {reason}"):
        folder.append(epoch(2))
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


def test_vanished_folder_is_told_and_not_made_again(folder: RunFolder) -> None:
    shutil.rmtree(folder.path)
    for write in (
        lambda: folder.append(epoch(1)),
        lambda: folder.save_checkpoint({"version": 1}),
        lambda: folder.save_best({"weight": torch.zeros(1)}, SPEC),
        lambda: folder.rewind(0, 0),
    ):
        with pytest.raises(TrainingError, match=r"cannot be written \(.*No such file or directory.*\): see that its"):
            write()
    assert not folder.path.exists()


def test_checkpoint_is_not_written_into_the_rest_of_a_removed_folder(folder: RunFolder) -> None:
    (folder.path / "recipe.toml").unlink()
    with pytest.raises(TrainingError, match=r"cannot be written \(No such file or directory\): see that its folder"):
        folder.save_checkpoint({"version": 1})
    assert [path.name for path in folder.path.iterdir()] == ["run.lock"]


def test_checkpoint_comes_back_as_it_was_saved(folder: RunFolder) -> None:
    state = {"version": 1, "model": {"weight": torch.arange(5.0)}, "recipe": {"input": (1, 8, 8), "data": None}}
    folder.save_checkpoint(state)
    loaded = folder.load_checkpoint()
    assert loaded is not None
    assert torch.equal(loaded["model"].pop("weight"), state["model"].pop("weight"))
    assert loaded == state


def test_pickle_in_place_of_a_checkpoint_is_not_executed(folder: RunFolder, tmp_path: Path) -> None:
    mark = tmp_path / "executed"

    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (mark,))

    trapped = {"version": 1, "model": Trap()}
    path = folder.path / "last.ckpt"
    for write in (
        lambda: torch.save(trapped, path),
        lambda: torch.save(trapped, path, _use_new_zipfile_serialization=False),
        lambda: path.write_bytes(pickle.dumps(trapped, protocol=2)),
    ):
        write()
        with pytest.raises(InputError, match=r"last\.ckpt is damaged or not a checkpoint .* nothing was loaded"):
            folder.load_checkpoint()
    assert not mark.exists()


def test_damaged_checkpoint_is_refused(folder: RunFolder) -> None:
    folder.save_checkpoint({"version": 1, "model": {"weight": torch.arange(1000.0)}})
    path = folder.path / "last.ckpt"
    whole = path.read_bytes()
    place = whole.index(torch.arange(1000.0).numpy().tobytes())
    rotten = whole[: place + 100] + bytes([whole[place + 100] ^ 1]) + whole[place + 101 :]
    torch.save([1, 2], path)
    no_run = path.read_bytes()
    torch.save({"version": 2}, path)
    later = path.read_bytes()
    cuts = [whole[:size] for size in (*range(0, len(whole), 41), len(whole) - 1)]
    for content in (
        *cuts,
        rotten,
        whole[len(whole) // 2 :],
        b"PK\x03\x04" + b"\0" * 100,
        b"no checkpoint",
        no_run,
        later,
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"last\.ckpt is damaged or not a checkpoint of this program"):
            folder.load_checkpoint()


def test_run_that_ended_in_its_first_epoch_has_no_checkpoint(folder: RunFolder) -> None:
    assert folder.load_checkpoint() is None
    write_metrics(folder, STARTED, steps(1, 2))
    assert folder.load_checkpoint() is None
    assert folder.summary().resumable


def test_lost_checkpoint_of_a_longer_run_is_told(folder: RunFolder) -> None:
    write_metrics(folder, STARTED, steps(1, 6), epoch(1), steps(2, 12), epoch(2))
    with pytest.raises(InputError, match=r"has lost its last\.ckpt, to resume from: start a new run"):
        folder.load_checkpoint()
    assert not folder.summary().resumable


def test_metrics_come_back_in_order_and_damaged_lines_are_passed_over(folder: RunFolder) -> None:
    assert list(folder.metrics()) == []
    write_metrics(folder, STARTED, steps(1, 6))
    with (folder.path / "metrics.jsonl").open("ab") as file:
        file.write(b"\xff\xfe\n[1, 2]\n{}\n" + b"[" * 100_000 + b"\n")
    folder.append(epoch(1))
    with (folder.path / "metrics.jsonl").open("a") as file:
        file.write('{"event": "steps", "ep')  # where a crash cut it off
    assert list(folder.metrics()) == [json.loads(json.dumps(to_document(e))) for e in (STARTED, steps(1, 6), epoch(1))]


def test_rewinding_drops_what_will_be_trained_again(folder: RunFolder) -> None:
    again = replace(STARTED, step=6)
    told = (STARTED, steps(1, 4), steps(1, 6), epoch(1), again, steps(2, 8), steps(2, 12), epoch(2), FINISHED)
    for epochs, step, kept in (
        (4, 24, told[:-1]),
        (2, 12, told[:-1]),
        (1, 12, told[:-2]),  # in the evaluation after the second epoch
        (1, 8, told[:6]),
        (1, 6, told[:4]),
        (0, 4, told[:2]),
        (0, 0, ()),
    ):
        (folder.path / "metrics.jsonl").unlink(missing_ok=True)
        write_metrics(folder, *told)
        with (folder.path / "metrics.jsonl").open("a") as file:
            file.write('{"event": "steps", "step": "2"}\n{"event": "st')
        folder.rewind(epochs, step)
        assert list(folder.metrics()) == [json.loads(json.dumps(to_document(event))) for event in kept]


def test_summary_tells_how_far_a_run_is(folder: RunFolder) -> None:
    fresh = folder.summary()
    assert (fresh.architecture, fresh.dataset, fresh.epochs, fresh.epochs_done) == ("lenet5", "digits", 4, 0)
    assert (fresh.best_accuracy, fresh.finished, fresh.has_weights) == (None, False, False)
    write_metrics(folder, STARTED, steps(1, 6), epoch(1, 0.25), steps(2, 12), epoch(2, 0.5), epoch(3, 0.375))
    folder.save_checkpoint({"version": 1})
    folder.save_best({"weight": torch.zeros(1)}, SPEC)
    half = folder.summary()
    assert (half.epochs_done, half.best_accuracy, half.finished, half.resumable) == (3, 0.5, False, True)
    assert half.has_weights
    write_metrics(folder, epoch(4, 0.5), FINISHED)
    done = folder.summary()
    assert (done.epochs_done, done.finished, done.resumable) == (4, True, False)
    assert (done.path, done.name) == (str(folder.path), folder.path.name)


def test_summary_does_not_trust_the_metrics(folder: RunFolder) -> None:
    text = json.dumps(to_document(epoch(1)) | {"validation_accuracy": "very good"})
    (folder.path / "metrics.jsonl").write_text(text + '\n{"event": "epoch"}\n{"event": {"a": 1}}\n')
    assert folder.summary().best_accuracy is None


def test_list_of_runs_passes_over_what_is_no_run() -> None:
    assert list_runs() == []
    good = [RunFolder.create(Recipe(epochs=epochs)) for epochs in (1, 2)]
    broken = RunFolder.create(Recipe())
    (broken.path / "recipe.toml").write_bytes(b"\xff\xfe")
    unreadable = RunFolder.create(Recipe())
    (unreadable.path / "metrics.jsonl").mkdir()
    (runs_folder() / "empty").mkdir()
    (runs_folder() / "file").touch()
    assert [run.path for run in list_runs()] == sorted((str(folder.path) for folder in good), reverse=True)


def test_run_that_was_trained_is_listed(train: Train, short: Recipe) -> None:
    folder, events = train(short)
    (run,) = list_runs()
    assert run == folder.summary()
    assert (run.finished, run.resumable, run.has_weights, run.epochs_done) == (True, False, True, 2)
    assert run.best_accuracy == max(event.validation_accuracy for event in events if isinstance(event, Epoch))


def test_second_training_in_the_same_folder_is_refused(short: Recipe) -> None:
    folder = RunFolder.create(short)
    running = fit(short, folder, "cpu")
    next(running)
    with pytest.raises(InputError, match="is being trained already: stop it there first"):
        next(fit(short, folder, "cpu", resume=True))
    running.close()
    assert isinstance(list(fit(short, folder, "cpu", resume=True))[-1], Finished)


def test_training_in_a_folder_that_is_none_is_refused(short: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not the folder of a run"):
        next(fit(short, RunFolder(tmp_path / "absent"), "cpu"))
    assert not (tmp_path / "absent").exists()
