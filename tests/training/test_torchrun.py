"""Real jobs of torchrun, on the CPU: two processes that train one network."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from PIL import Image
from torch.utils._pytree import tree_leaves

from explorer.tasks.weights_file import load_weights
from explorer.training.events import Event, Finished, Started, Steps, from_document
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

Train = Callable[..., tuple[RunFolder, list[Event]]]
Losses = Callable[[Iterable[Event]], list[float]]

ROOT = Path(__file__).parents[2]
SLOW = (pytest.mark.slow, pytest.mark.timeout(600))
CLOSE = 1e-4
"""Greatest difference of the loss between one process and several, over 50 steps."""


class Job:
    """A job of torchrun: `main.py train …` in two processes."""

    def __init__(self, arguments: Iterable[object], count: int, heeds: Callable[[int], bool]) -> None:
        self._heeds = heeds
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        command += [str(ROOT / "main.py"), "train", *map(str, arguments), "--device", "cpu"]
        pipe = subprocess.PIPE
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment)

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yields what it prints; all of it must be events."""
        assert self.process.stdout is not None
        return map(json.loads, self.process.stdout)

    def rank(self, rank: int) -> psutil.Process:
        """Returns one of its processes, as soon as that heeds signals."""
        while True:
            for child in psutil.Process(self.process.pid).children():
                with suppress(psutil.Error, OSError):
                    if child.environ().get("RANK") == str(rank) and self._heeds(child.pid):
                        return child
            assert self.process.poll() is None
            time.sleep(0.01)

    def end(self) -> tuple[int, list[dict[str, Any]], list[str]]:
        """Waits for its end and returns its status, the events it still had to tell and what the program said."""
        with self.process:
            out, said = self.process.communicate(timeout=300)
        own = [line.removeprefix("architecture-explorer: ") for line in said.splitlines()]
        assert "Traceback (most recent call last)" not in _without_torchrun(said)
        told = [line for line, whole in zip(own, said.splitlines(), strict=True) if line != whole]
        return self.process.returncode, list(map(json.loads, out.splitlines())), told


def _without_torchrun(said: str) -> str:
    """Returns what was said before torchrun itself ended, of which it tells with a traceback."""
    return said.split("torch/distributed/run.py")[0].rpartition("Traceback")[0]


@pytest.fixture
def job(heeds: Callable[[int], bool]) -> Iterator[Callable[..., Job]]:
    """Returns a function that starts a job, which ends with the test."""
    jobs: list[Job] = []

    def start(*arguments: object, count: int = 2) -> Job:
        jobs.append(Job(arguments, count, heeds))
        return jobs[-1]

    yield start
    for one in jobs:
        if one.process.poll() is None:
            for child in psutil.Process(one.process.pid).children(recursive=True):
                child.kill()
            one.process.kill()
            one.process.communicate()


def told(documents: Iterable[dict[str, Any]]) -> list[Event]:
    return [event for event in map(from_document, documents) if event is not None]


def start_of(recipe: Recipe, losses: Losses, steps: int) -> list[float]:
    """Returns the losses of the first steps of a run in this process."""
    found: list[float] = []
    events = fit(recipe, RunFolder.create(recipe), "cpu")
    for event in events:
        found += losses([event])
        if len(found) >= steps:
            break
    events.close()
    return found[:steps]


def run_of(recipe: Recipe, path: Path) -> tuple[object, ...]:
    """Returns the arguments that train by a recipe in a folder of its own."""
    file = path.with_suffix(".toml")
    file.write_text(recipe.to_toml())
    return (recipe.architecture, "--recipe", file, "--run-dir", path, "--json")


def test_two_processes_take_the_steps_of_one_and_a_killed_one_ends_the_job(
    tmp_path: Path, job: Callable[..., Job], losses: Losses
) -> None:
    path = tmp_path / "run"
    recipe = Recipe(batch_size=24, epochs=500, augmentation="crop", channels_last=True)
    first = job(*run_of(recipe, path))
    documents = []
    for document in first.lines():
        documents.append(document)
        if document["event"] == "epoch":
            first.rank(1).kill()
            break
    events = told(documents)
    (started,) = (event for event in events if isinstance(event, Started))
    assert (started.processes, started.run) == (2, str(path))
    ours = losses(events)[:50]
    assert ours == pytest.approx(start_of(recipe, losses, 50), abs=CLOSE)
    status, _, said = first.end()
    assert status == 1
    (line,) = said
    end = rf"another process of the job ended at step (\d+): the run is saved up to step (\d+), go on with .*{path}"
    ended, saved = map(int, re.fullmatch(end, line).groups())  # type: ignore[union-attr]
    assert ended > saved > 0
    assert saved % started.steps_per_epoch == 0
    folder = RunFolder(path)
    again = fit(folder.recipe, folder, "cpu", resume=True)
    assert next(event.step for event in again if isinstance(event, Started)) == saved
    again.close()


@pytest.mark.parametrize(
    ("count", "recipe"),
    [
        pytest.param(
            2,
            Recipe(
                "resnet20_cifar",
                input=(3, 16, 16),
                batch_size=128,
                epochs=5,
                augmentation="flip and crop",
                mixup=0.2,
                erasing=0.3,
                learning_rate=2e-5,
            ),
            id="batch normalisation",
        ),
        pytest.param(
            2,
            Recipe(batch_size=101, epochs=5, accumulate=3, clip_norm=0.5, average=0.9, validation=0.3),
            id="in parts",
        ),
        # The last batch has two images.
        pytest.param(
            3,
            Recipe("resnet20_cifar", input=(3, 8, 8), batch_size=718, epochs=3, learning_rate=2e-5),
            id="fewer images than processes",
        ),
    ],
)
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whatever_the_recipe_several_processes_take_the_steps_of_one(
    tmp_path: Path, job: Callable[..., Job], train: Train, losses: Losses, results: Any, count: int, recipe: Recipe
) -> None:
    ours = job(*run_of(recipe, tmp_path / "run"), count=count)
    status, documents, said = ours.end()
    assert (status, said) == (0, [])
    _, theirs = train(recipe)
    events = told(documents)
    assert losses(events)[:50] == pytest.approx(losses(theirs)[:50], abs=CLOSE)
    for epoch, expected in zip(results(events), results(theirs), strict=True):
        assert epoch == pytest.approx(expected, abs=0.01, rel=0.01)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_process_that_is_killed_at_any_moment_ends_the_job_with_a_message(
    tmp_path: Path, job: Callable[..., Job]
) -> None:
    """While torch is imported, the processes meet or images are loaded, and in the training."""
    chance = random.Random(0)
    path = tmp_path / "run"
    again = ("lenet5", "--resume", "--run-dir", path, "--json")
    for turn in range(8):
        one = job(*(again if path.exists() else run_of(Recipe(batch_size=128, epochs=5000, threads=1), path)))
        ranks = [one.rank(0), one.rank(1)]
        if turn % 2:
            next(document for document in one.lines() if document["event"] == "started")
        time.sleep(chance.uniform(0, 0.5 if turn % 2 else 4))
        ranks[turn // 2 % 2].kill()
        status, _, said = one.end()
        assert status == 1
        (line,) = said
        assert re.match(r"another process of the job ended (before the training began|at step \d)|ended before", line)
        assert not any(rank.is_running() and rank.status() != psutil.STATUS_ZOMBIE for rank in ranks)
    folder = RunFolder(path)
    saved = folder.load_checkpoint()
    events = fit(folder.recipe, folder, "cpu", resume=True)
    started = next(event for event in events if isinstance(event, Started))
    assert isinstance(next(event for event in events if isinstance(event, Steps)), Steps)
    events.close()
    done = saved["progress"] if saved else {"epoch": 0, "position": 0}
    assert started.step == started.steps_per_epoch * done["epoch"] + done["position"]
    assert not list(path.glob("*.part"))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("rank", [None, 0, 1])
def test_signal_to_torchrun_or_a_process_saves_the_run_which_goes_on_with_any_number_of_processes(
    tmp_path: Path, job: Callable[..., Job], train: Train, losses: Losses, number: signal.Signals, rank: int | None
) -> None:
    path = tmp_path / "run"
    recipe = Recipe(batch_size=64, epochs=12, augmentation="crop")
    first = job(*run_of(recipe, path))
    for document in first.lines():
        if document["event"] == "epoch":
            (first.process if rank is None else first.rank(rank)).send_signal(number)
            break
    status, _, said = first.end()
    assert status != 0
    assert said == [f"interrupted, the run is saved; go on with --resume --run-dir {path}"]
    # One process goes on, and two after it.
    folder = RunFolder(path)
    alone = fit(folder.recipe, folder, "cpu", resume=True)
    for event in islice(alone, 5):
        assert not isinstance(event, Finished)
    alone.close()
    status, documents, said = job("lenet5", "--resume", "--run-dir", path, "--json").end()
    assert (status, said, documents[-1]["event"]) == (0, [], "finished")
    written = told(folder.metrics())
    _, theirs = train(recipe)
    assert losses(written)[:50] == pytest.approx(losses(theirs)[:50], abs=CLOSE)
    assert len(losses(written)) == len(losses(theirs))
    assert [event.step for event in written if isinstance(event, Steps)] == sorted(
        {event.step for event in written if isinstance(event, Steps)}
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_divided_network_takes_the_same_steps_and_has_the_same_files(
    tmp_path: Path, job: Callable[..., Job], train: Train, losses: Losses, network_file: Any, tiny_mnist: Any
) -> None:
    name = network_file(
        "def build(self):\n"
        "    self.blocks = nn.Sequential(*(nn.Sequential(nn.Linear(10, 50_000), nn.ReLU()) for _ in range(2)))\n"
        "    self.last = nn.Linear(50_000, 10)\n"
        "def forward(self, x):\n"
        "    x = self.flat(x)\n"
        "    return self.last(self.blocks[0](x) - self.blocks[1](x))"
    )
    recipe = Recipe(name, "mnist", str(tiny_mnist(900, 101)), input=(1, 8, 8), batch_size=64, epochs=4, validation=0.1)
    recipe = replace(recipe, optimiser="adam", learning_rate=1e-4, clip_norm=1.0, accumulate=2)
    path = tmp_path / "run"
    status, documents, said = job(*run_of(recipe, path), "--sharded").end()
    assert (status, said) == (0, [])
    reference, theirs = train(recipe)
    events = told(documents)
    assert losses(events)[:50] == pytest.approx(losses(theirs)[:50], abs=CLOSE)
    lengths = [{event.step: event.grad_norm for event in run if isinstance(event, Steps)} for run in (events, theirs)]
    common = lengths[0].keys() & lengths[1].keys()
    assert len(common) >= recipe.epochs  # each of them ends with a report
    assert all(lengths[0][step] == pytest.approx(lengths[1][step], rel=0.02) for step in common)
    assert documents[-1]["test_accuracy"] == pytest.approx(theirs[-1].test_accuracy, abs=0.02)
    ours, expected = RunFolder(path).load_checkpoint(), reference.load_checkpoint()
    assert ours is not None
    assert expected is not None
    for part in ("model", "optimiser"):
        torch.testing.assert_close(*(_tensors_of(state[part]) for state in (ours, expected)), atol=1e-3, rtol=0.05)
    best = [load_weights(folder / "best.safetensors")[1] for folder in (path, reference.path)]
    assert {name: value.shape for name, value in best[0].items()} == {
        name: value.shape for name, value in best[1].items()
    }


def _tensors_of(state: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(state) if isinstance(leaf, torch.Tensor)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_divided_network_may_go_on_whole_and_the_other_way_round(
    tmp_path: Path, job: Callable[..., Job], train: Train, losses: Losses
) -> None:
    path = tmp_path / "run"
    recipe = Recipe("resnet20_cifar", input=(3, 16, 16), batch_size=300, epochs=8, learning_rate=2e-5, clip_norm=0.5)
    first = job(*run_of(recipe, path), "--sharded")
    for document in first.lines():
        if document["event"] == "epoch" and document["epoch"] == 2:
            first.process.send_signal(signal.SIGTERM)
            break
    first.end()
    folder = RunFolder(path)
    alone = fit(folder.recipe, folder, "cpu", resume=True)
    for event in alone:
        if isinstance(event, Steps):
            break
    alone.close()
    status, documents, said = job("resnet20_cifar", "--resume", "--run-dir", path, "--json", "--sharded").end()
    assert (status, said, documents[-1]["event"]) == (0, [], "finished")
    _, theirs = train(recipe)
    written = losses(told(folder.metrics()))
    assert written[:50] == pytest.approx(losses(theirs)[:50], abs=CLOSE)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_files_that_are_streamed_are_shared_out(
    tmp_path: Path, job: Callable[..., Job], train: Train, losses: Losses, results: Any, monkeypatch: Any
) -> None:
    generator = torch.Generator().manual_seed(0)
    for place in range(61):
        folder = tmp_path / "photos" / ("bright" if place % 2 else "dark")
        folder.mkdir(parents=True, exist_ok=True)
        noise = torch.randint(0, 128, (40, 40, 3), generator=generator, dtype=torch.uint8)
        Image.fromarray((noise + 127 * (place % 2)).numpy()).save(folder / f"{place}.png")
    recipe = Recipe("lenet5", f"folder:{tmp_path / 'photos'}", batch_size=16, epochs=4, learning_rate=0.01)
    monkeypatch.setattr("explorer.data.decode.RESIDENT_BYTES", 0)
    _, theirs = train(recipe)
    site = tmp_path / "site"  # the same in the job's processes
    site.mkdir()
    (site / "sitecustomize.py").write_text("import explorer.data.decode\nexplorer.data.decode.RESIDENT_BYTES = 0\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(site), str(ROOT))))
    status, documents, said = job(*run_of(recipe, tmp_path / "run")).end()
    assert (status, said) == (0, [])
    events = told(documents)
    assert losses(events) == pytest.approx(losses(theirs), abs=CLOSE)
    for epoch, expected in zip(results(events), results(theirs), strict=True):
        assert epoch == pytest.approx(expected, abs=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_mistakes_are_told_once(tmp_path: Path, job: Callable[..., Job]) -> None:
    for arguments, expected in (
        (("lenet5", "--set", "epoch=3"), "has no setting|no option"),
        (("lenet5", "--dry-run"), "--dry-run tells what one process takes: leave out torchrun"),
        (("lenet5", "--dataset", "mnist", "--data-dir", tmp_path), "MNIST is not in"),
        (("googlenet", "--set", "auxiliary=in turn", "--json"), "one process alone: choose auxiliary=summed"),
    ):
        status, documents, said = job(*arguments).end()
        (line,) = said
        assert re.search(expected, line)
        assert status != 0
        assert all(document["event"] == "progress" for document in documents)
