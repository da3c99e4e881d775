from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from explorer.errors import InputError
from explorer.tasks.weights_file import load_weights
from explorer.training import fit as fitting
from explorer.training.errors import TrainingError
from explorer.training.events import Epoch, Evaluating, Event, Finished, Started, Steps, from_document
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

Train = Callable[..., tuple[RunFolder, list[Event]]]
Losses = Callable[[Iterable[Event]], list[float]]
Results = Callable[[Iterable[Event]], list[tuple[object, ...]]]
Write = Callable[[str], str]
Same = Callable[[RunFolder, RunFolder], None]

ROOT = Path(__file__).parents[2]


def metrics(folder: RunFolder) -> list[Event]:
    return [event for event in map(from_document, folder.metrics()) if event is not None]


def assert_equal_state(ours: Any, theirs: Any) -> None:
    """Compares tensors bit for bit, and what holds them."""
    assert type(ours) is type(theirs)
    if isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs)
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_equal_state(ours[key], theirs[key])
    elif isinstance(ours, list | tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_equal_state(one, other)
    else:
        assert ours == theirs


@pytest.fixture
def assert_same_run(losses: Losses, results: Results) -> Same:
    """Returns a function that compares weights, optimiser, metrics and outcome of two runs: all must be equal."""

    def compare(folder: RunFolder, reference: RunFolder) -> None:
        ours, theirs = folder.load_checkpoint(), reference.load_checkpoint()
        assert ours is not None
        assert theirs is not None
        assert_equal_state(ours["model"], theirs["model"])
        assert_equal_state(ours["optimiser"], theirs["optimiser"])
        assert_equal_state(*(load_weights(run.path / "best.safetensors") for run in (folder, reference)))
        told, expected = metrics(folder), metrics(reference)
        assert losses(told) == losses(expected)
        assert results(told) == results(expected)
        assert [event.step for event in told if isinstance(event, Steps)] == [
            event.step for event in expected if isinstance(event, Steps)
        ]
        ends = [event for event in told if isinstance(event, Finished)]
        (end,) = (event for event in expected if isinstance(event, Finished))
        assert len(ends) == 1
        assert told[-1] == replace(end, run=str(folder.path), seconds=ends[0].seconds)
        assert list(folder.path.glob("*.part")) == []

    return compare


def interrupt(recipe: Recipe, folder: RunFolder, kind: type, number: int, resume: bool = False) -> None:
    """Trains until the `number`-th event of a kind, and closes the generator there."""
    events = fit(recipe, folder, "cpu", resume)
    for event in events:
        if isinstance(event, kind):
            number -= 1
            if number == 0:
                break
    assert number == 0
    events.close()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, short: Recipe) -> RunFolder:
    """The run of `short` that nothing interrupts."""
    folder = RunFolder.create(short, tmp_path_factory.mktemp("reference"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("explorer.training.fit.REPORT_EVERY", 0.0)
        list(fit(short, folder, "cpu"))
    return folder


# Two epochs of six steps with three batches of evaluation each.
PLACES = [
    (Started, 1),
    (Steps, 1),
    (Steps, 4),
    (Steps, 6),
    (Evaluating, 1),
    (Evaluating, 2),
    (Epoch, 1),
    (Steps, 7),
    (Evaluating, 3),
    (Epoch, 2),
    (Finished, 1),
]


@pytest.mark.parametrize(("kind", "number"), PLACES, ids=lambda value: getattr(value, "__name__", value))
def test_run_goes_on_after_an_interruption_as_if_there_had_been_none(
    every_step: None, reference: RunFolder, short: Recipe, assert_same_run: Same, kind: type, number: int
) -> None:
    folder = RunFolder.create(short)
    interrupt(short, folder, kind, number)
    assert isinstance(list(fit(short, folder, "cpu", resume=True))[-1], Finished)
    assert_same_run(folder, reference)


def test_run_survives_one_interruption_after_the_other(
    every_step: None, reference: RunFolder, short: Recipe, assert_same_run: Same
) -> None:
    folder = RunFolder.create(short)
    for turn, (kind, number) in enumerate(
        [(Steps, 2), (Started, 1), (Steps, 4), (Evaluating, 1), (Steps, 1), (Steps, 2)]
    ):
        interrupt(short, folder, kind, number, resume=turn > 0)
    assert folder.summary().resumable
    assert isinstance(list(fit(short, folder, "cpu", resume=True))[-1], Finished)
    assert_same_run(folder, reference)


def test_resumed_run_says_where_it_goes_on(every_step: None, short: Recipe) -> None:
    folder = RunFolder.create(short)
    interrupt(short, folder, Steps, 4)
    events = list(fit(short, folder, "cpu", resume=True))
    (started,) = (event for event in events if isinstance(event, Started))
    assert started.step == 4
    assert next(event.step for event in events if isinstance(event, Steps)) == 5


@pytest.mark.parametrize("optimiser", ["adam", "adamw"])
def test_dropout_and_other_optimisers_go_on_as_well(
    every_step: None, train: Train, network_file: Write, assert_same_run: Same, optimiser: str
) -> None:
    name = network_file(
        "def build(self):\n"
        "    self.drop, self.last = nn.Dropout(0.5), nn.Linear(10, 10)\n"
        "def forward(self, x):\n"
        "    return self.last(self.drop(self.flat(x)))"
    )
    recipe = Recipe(
        name,
        input=(1, 8, 8),
        batch_size=256,
        epochs=2,
        optimiser=optimiser,
        learning_rate=0.01,
        augmentation="flip and crop",
        schedule="one-cycle",
    )
    reference, _ = train(recipe)
    folder = RunFolder.create(recipe)
    interrupt(recipe, folder, Steps, 3)
    torch.manual_seed(12345)  # whatever was drawn in between
    list(fit(recipe, folder, "cpu", resume=True))
    assert_same_run(folder, reference)


def test_batch_normalisation_goes_on_as_well(every_step: None, train: Train, assert_same_run: Same) -> None:
    recipe = Recipe("resnet20_cifar", input=(3, 8, 8), batch_size=500, epochs=1, augmentation="flip and crop")
    reference, _ = train(recipe)
    folder = RunFolder.create(recipe)
    interrupt(recipe, folder, Steps, 2)
    interrupt(recipe, folder, Evaluating, 1, resume=True)
    list(fit(recipe, folder, "cpu", resume=True))
    assert_same_run(folder, reference)


def test_finished_run_that_is_resumed_only_says_so_again(train: Train, short: Recipe) -> None:
    folder, events = train(short)
    weights = (folder.path / "best.safetensors").read_bytes()
    again = list(fit(short, folder, "cpu", resume=True))
    assert [type(event) for event in again[-2:]] == [Started, Finished]
    assert again[-1] == events[-1]
    assert [type(event) for event in metrics(folder)].count(Finished) == 1
    assert (folder.path / "best.safetensors").read_bytes() == weights


def test_run_that_was_killed_before_its_first_checkpoint_begins_anew(
    every_step: None, reference: RunFolder, short: Recipe, assert_same_run: Same
) -> None:
    folder = RunFolder.create(short)
    list(fit(short, folder, "cpu", resume=True))  # nothing but the recipe was there
    assert_same_run(folder, reference)
    killed = RunFolder.create(short)
    interrupt(short, killed, Steps, 3)
    (killed.path / "last.ckpt").unlink()
    list(fit(short, killed, "cpu", resume=True))
    assert_same_run(killed, reference)


def test_kill_between_metrics_and_checkpoint_gives_no_epoch_twice(
    every_step: None, reference: RunFolder, short: Recipe, assert_same_run: Same
) -> None:
    folder = RunFolder.create(short)
    interrupt(short, folder, Evaluating, 1)
    checkpoint = (folder.path / "last.ckpt").read_bytes()
    interrupt(short, folder, Epoch, 1, resume=True)
    (folder.path / "last.ckpt").write_bytes(checkpoint)  # as if the kill had come before the new one was in place
    list(fit(short, folder, "cpu", resume=True))
    assert_same_run(folder, reference)


def test_leftovers_of_a_kill_do_no_harm(
    every_step: None, reference: RunFolder, short: Recipe, assert_same_run: Same
) -> None:
    folder = RunFolder.create(short)
    interrupt(short, folder, Steps, 8)
    for name in ("last.ckpt.part", "best.safetensors.part", "metrics.jsonl.part"):
        (folder.path / name).write_bytes(b"half of a file")
    with (folder.path / "metrics.jsonl").open("a") as file:
        file.write('{"event": "steps", "epoch": 2, "st')
    list(fit(short, folder, "cpu", resume=True))
    assert_same_run(folder, reference)


def test_full_disk_ends_training_and_the_run_goes_on_when_there_is_room(
    every_step: None, reference: RunFolder, short: Recipe, assert_same_run: Same
) -> None:
    import resource

    folder = RunFolder.create(short)
    interrupt(short, folder, Epoch, 1)
    before = {name: (folder.path / name).read_bytes() for name in ("last.ckpt", "best.safetensors")}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(TrainingError, match=r"best\.safetensors cannot be written .* the disk has room"):
            list(fit(short, folder, "cpu", resume=True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {name: (folder.path / name).read_bytes() for name in before} == before
    assert list(folder.path.glob("*.part")) == []
    list(fit(short, folder, "cpu", resume=True))
    assert_same_run(folder, reference)


def test_checkpoint_of_another_recipe_is_refused(every_step: None, short: Recipe) -> None:
    folder = RunFolder.create(short)
    interrupt(short, folder, Steps, 3)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    for changes, named in (
        ({"batch_size": 128}, "batch_size"),
        ({"optimiser": "adam", "seed": 1}, "optimiser and seed"),
        ({"architecture": "resnet20_cifar", "input": (3, 16, 16)}, "architecture and input"),
    ):
        with pytest.raises(
            InputError, match=rf"began with another {named}: give back the old value or start a new run"
        ):
            list(fit(replace(short, **changes), folder, "cpu", resume=True))
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before


def test_settings_of_the_machine_may_change(every_step: None, short: Recipe) -> None:
    folder = RunFolder.create(short)
    interrupt(short, folder, Steps, 3)
    moved = replace(short, threads=1, data_dir="/elsewhere")
    assert isinstance(list(fit(moved, folder, "cpu", resume=True))[-1], Finished)


@pytest.mark.parametrize("part", ["recipe", "model", "optimiser", "progress", "precision"])
def test_checkpoint_that_lacks_or_spoils_a_part_is_refused(every_step: None, short: Recipe, part: str) -> None:
    folder = RunFolder.create(short)
    interrupt(short, folder, Steps, 3)
    whole = folder.load_checkpoint()
    assert whole is not None
    lacking = {name: value for name, value in whole.items() if name != part}
    for state in (lacking, whole | {part: {"surprise": torch.zeros(3)}}, whole | {part: 5}):
        if part == "precision" and part in state:
            continue  # on the processor there is nothing in it
        folder.save_checkpoint(state)
        with pytest.raises(InputError, match=r"does not fit its recipe .*: start a new run") as caught:
            list(fit(short, folder, "cpu", resume=True))
        assert "\n" not in str(caught.value)


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(ROOT / "main.py"), "train", "lenet5", *map(str, arguments)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"}


def await_line(process: subprocess.Popen[str], beginning: str) -> str:
    """Reads what a process prints up to a line that begins so."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.lstrip().startswith(beginning):
            return line
    raise AssertionError(f"it ended without {beginning!r}")


def test_killed_process_is_resumed_to_the_same_weights(tmp_path: Path, train: Train, losses: Losses) -> None:
    run = tmp_path / "run"
    arguments = (
        "--dataset",
        "digits",
        "--epochs",
        6,
        "--batch-size",
        16,
        "--device",
        "cpu",
        "--run-dir",
        run,
        "--json",
    )
    with subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, text=True, env=environment()) as process:
        await_line(process, '{"event": "epoch", "epoch": 1')
        await_line(process, '{"event": "steps"')
        process.kill()
    assert process.returncode == -signal.SIGKILL
    folder = RunFolder(run)
    assert not folder.summary().finished
    assert folder.summary().epochs_done > 0
    list(fit(folder.recipe, folder, "cpu", resume=True))
    reference, _ = train(folder.recipe)
    ours, theirs = folder.load_checkpoint(), reference.load_checkpoint()
    assert ours is not None
    assert theirs is not None
    assert_equal_state(ours["model"], theirs["model"])
    assert losses(metrics(folder)) == losses(metrics(reference))
    assert [event.epoch for event in metrics(folder) if isinstance(event, Epoch)] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_saves_the_run_and_says_how_to_resume_it(tmp_path: Path, number: signal.Signals, status: int) -> None:
    run = tmp_path / "run"
    arguments = ("--dataset", "digits", "--epochs", 8, "--device", "cpu", "--run-dir", run)
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        await_line(process, "1/8 ")
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == status
    assert said.splitlines() == [
        f"architecture-explorer: interrupted, the run is saved; go on with --resume --run-dir {run}"
    ]
    assert RunFolder(run).summary().resumable
    if number == signal.SIGINT:
        resumed = subprocess.run(
            command("--resume", "--run-dir", run, "--device", "cpu"), capture_output=True, text=True, env=environment()
        )
        assert (resumed.returncode, resumed.stderr) == (0, "")
        assert " 8/8 " in resumed.stdout
        assert " 1/8 " not in resumed.stdout
        summary = RunFolder(run).summary()
        assert (summary.epochs_done, summary.finished) == (8, True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_run_that_is_interrupted_at_any_moment_comes_to_the_same_weights(
    tmp_path: Path, train: Train, losses: Losses, heeds: Callable[[int], bool]
) -> None:
    """While modules are imported, images loaded, files written and epochs judged; every other time by two signals."""
    chance = random.Random(0)
    recipe = Recipe(batch_size=64, epochs=150, augmentation="crop", threads=1)
    folder = RunFolder.create(recipe, tmp_path / "run")
    resume = command("--resume", "--run-dir", folder.path, "--device", "cpu")
    saved = f"architecture-explorer: interrupted, the run is saved; go on with --resume --run-dir {folder.path}"
    early = "architecture-explorer: interrupted before the training began"
    for turn in range(12):
        number, begun = (signal.SIGINT, signal.SIGTERM)[turn % 2], turn % 3 > 0
        with subprocess.Popen(
            resume, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
        ) as process:
            while not heeds(process.pid):
                time.sleep(0.01)
            if begun:
                await_line(process, "lenet5 (")
            time.sleep(chance.uniform(0, 0.3 if begun else 4))
            process.send_signal(number)
            if turn % 4 > 1:
                time.sleep(0.01)
                process.send_signal(number)
            _, said = process.communicate()
        assert process.returncode == 128 + number
        (line,) = said.splitlines()
        assert line == saved or (line == early and not begun)
    assert list(folder.path.glob("*.part")) == []
    list(fit(folder.recipe, folder, "cpu", resume=True))
    reference, _ = train(folder.recipe)
    ours, theirs = folder.load_checkpoint(), reference.load_checkpoint()
    assert ours is not None
    assert theirs is not None
    for part in ("model", "optimiser"):
        assert_equal_state(ours[part], theirs[part])
    assert losses(metrics(folder)) == losses(metrics(reference))


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_run_that_is_killed_again_and_again_comes_to_the_same_weights(
    tmp_path: Path, train: Train, losses: Losses, kills: int
) -> None:
    """Each kill comes a random time after the first steps, often in the middle of a file that is being written."""
    chance = random.Random(0)
    recipe = Recipe(batch_size=64, epochs=3 * kills, augmentation="crop", average=0.9)
    folder = RunFolder.create(recipe, tmp_path / "run")
    # A fork of this process would not do: autograd's threads do not live through it.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["explorer.training.fit", "lightning_fabric", "torch._dynamo", "sklearn.datasets"])
    for _ in range(kills):
        begun = processes.Event()
        process = processes.Process(target=_train_on, args=(folder, begun))
        process.start()
        assert begun.wait(60)
        time.sleep(chance.uniform(0, 0.2))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert not folder.summary().finished
    list(fit(folder.recipe, folder, "cpu", resume=True))
    reference, _ = train(folder.recipe)
    ours, theirs = folder.load_checkpoint(), reference.load_checkpoint()
    assert ours is not None
    assert theirs is not None
    for part in ("model", "average", "optimiser"):
        assert_equal_state(ours[part], theirs[part])
    assert losses(metrics(folder)) == losses(metrics(reference))
    assert list(folder.path.glob("*.part")) == []


def _train_on(folder: RunFolder, begun: multiprocessing.synchronize.Event) -> None:
    """Goes on with a run in a process of its own, with checkpoints as often as can be."""
    torch.set_num_threads(1)
    fitting.SAVE_EVERY, fitting.SAVING_SHARE = 0.05, 1.0
    for event in fit(folder.recipe, folder, "cpu", resume=True):
        if isinstance(event, Steps):
            begun.set()
