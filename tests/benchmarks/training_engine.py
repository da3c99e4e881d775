"""What the training engine costs: against a loop written by hand, and against torchvision with a DataLoader.

    python -m tests.benchmarks.training_engine FOLDER_OF_MNIST [--rounds 15] [--seconds 1] [--threads 1] [--kept]

Trains in turn, a slice of `fit` in this process and a slice of the other in a process of its own, which is what a plain
script is, and prints the images/s of each and the median of the ratios slice by slice:

- LeNet-5 and ResNet-20 (CIFAR) on MNIST, without augmentation, against the least that training the same network on the
  same batches takes: images that lie on the device as bytes, normalised, forward, backward, step. With one thread by
  its own clock, which does not run while other programs do; with more by the clock on the wall.
- LeNet-5 with random crops and the other recommended settings against torchvision's MNIST with its transforms and a
  DataLoader of 0 and of 2 workers, by the clock on the wall, each side with the threads that it takes by itself.

With `--kept` the other process keeps its memory as `fit` does. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import gzip
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from explorer.architectures.registry import build, entry
from explorer.training.allocator import memory_kept
from explorer.training.engine import Engine
from explorer.training.events import Steps
from explorer.training.fit import fit
from explorer.training.recipe import Recipe, default_recipe
from explorer.training.run_folder import RunFolder
from explorer.training.supply import load_material

Slice = Callable[[float], tuple[int, float]]
"""Trains for about so many seconds; gives the images and the seconds that it took."""


@dataclass(frozen=True, slots=True)
class Script:
    """A loop written by hand, in a process of its own."""

    recipe: Recipe
    """The network, and where there are no workers the batches."""
    threads: int
    """0: as many as torch takes by itself."""
    own_clock: bool
    kept: bool
    workers: int | None = None
    """Of the DataLoader; None for images that lie in memory."""
    raw: Path = Path()
    """Torchvision's root of MNIST, for the DataLoader."""


def engine_slices(recipe: Recipe, folder: Path, own_clock: bool) -> Slice:
    """Returns slices of a run as the command line and the window have it, all of its files included."""
    clock = time.thread_time if own_clock else time.perf_counter
    events = fit(recipe, RunFolder.create(recipe, folder), "cpu")

    def train(seconds: float) -> tuple[int, float]:
        images, spent = 0, 0.0
        while spent < seconds:
            since = clock()
            event = next(events)
            if isinstance(event, Steps):  # what is done between epochs is none of a loop's business
                spent += clock() - since
                images += len(event.losses) * recipe.batch_size
        return images, spent

    return train


@contextmanager
def running(script: Script) -> Iterator[Slice]:
    """Starts a script; its slices are taken one by one, it waits in between."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(script, theirs))
    process.start()

    def train(seconds: float) -> tuple[int, float]:
        ours.send(seconds)
        images, spent = ours.recv()
        return images, spent

    try:
        yield train
    finally:
        ours.send(None)
        process.join()


def _run(script: Script, connection: Connection) -> None:
    recipe = script.recipe
    if script.threads:
        torch.set_num_threads(script.threads)
    clock = time.thread_time if script.own_clock else time.perf_counter
    if script.workers is None:
        engine = Engine(recipe, value_of(load_material(recipe)), "cpu")
        network, batches = engine.network, resident_batches(engine)
    else:
        network = build(entry(recipe.architecture), recipe.input)
        batches = loader_batches(script.raw, script.workers, recipe.batch_size)
    network.train()
    optimiser = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, nesterov=True, fused=True)
    with memory_kept() if script.kept else nullcontext():
        while (seconds := connection.recv()) is not None:
            connection.send(train_by_hand(network, optimiser, batches, seconds, clock))


def train_by_hand(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Iterator[tuple[Tensor, Tensor]],
    seconds: float,
    clock: Callable[[], float],
) -> tuple[int, float]:
    """Trains by the shortest loop there is and returns how many images in how many seconds."""
    images, begun, spent = 0, clock(), 0.0
    while spent < seconds:
        pixels, labels = next(batches)
        optimiser.zero_grad()
        functional.cross_entropy(network(pixels), labels).backward()
        optimiser.step()
        images += len(labels)
        spent = clock() - begun
    return images, spent


def resident_batches(engine: Engine) -> Iterator[tuple[Tensor, Tensor]]:
    """Gives the engine's own batches, the images normalised by the shortest code there is."""
    mean = torch.tensor(engine.preprocessing.mean).view(1, -1, 1, 1) * 255
    std = torch.tensor(engine.preprocessing.std).view(1, -1, 1, 1) * 255
    epoch = 0
    while True:
        for pixels, labels in engine.train.batches(epoch):
            yield ((pixels.float() - mean) / std).contiguous(memory_format=torch.channels_last), labels
        epoch += 1


def loader_batches(place: Path, workers: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Gives MNIST as torchvision's documentation has it, with the random crops of the recipe."""
    from torchvision import transforms
    from torchvision.datasets import MNIST

    changes = transforms.Compose(
        [
            transforms.RandomCrop(28, padding=3),
            transforms.ToTensor(),
            transforms.Normalize((0.1307,), (0.3081,)),
        ]
    )
    loader = DataLoader(
        MNIST(str(place), train=True, transform=changes),
        batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    while True:
        yield from ((pixels, labels) for pixels, labels in loader)


def compare(title: str, ours: Slice, theirs: Slice, rounds: int, seconds: float) -> float:
    """Prints and returns the median ratio of images/s."""
    for train in (ours, theirs):
        train(seconds)  # the first steps prepare this and that
    rows = []
    for turn in range(rounds):
        pair = [(train, *train(seconds)) for train in ((ours, theirs) if turn % 2 else (theirs, ours))]
        speeds = {train: images / spent for train, images, spent in pair}
        rows.append((speeds[ours], speeds[theirs], speeds[ours] / speeds[theirs]))
    our, their, ratio = (statistics.median(column) for column in zip(*rows, strict=True))
    low, high = min(row[2] for row in rows), max(row[2] for row in rows)
    print(f"{title}: {our:,.0f} and {their:,.0f} images/s, ratio {ratio:.3f} ({low:.2f} to {high:.2f})", flush=True)
    return ratio


def value_of(generator: Iterator[object]) -> object:
    """Returns what a generator returns."""
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds MNIST as published")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a slice")
    parser.add_argument("--threads", type=int, default=1, help="of engine and loop; default: 1")
    parser.add_argument("--batch-size", type=int, default=128, help="of engine and loop; default: 128")
    parser.add_argument("--kept", action="store_true", help="the scripts keep freed memory as well")
    parser.add_argument("--only", choices=("lenet5", "resnet20_cifar", "loader"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for name, input in (("lenet5", (1, 32, 32)), ("resnet20_cifar", (3, 32, 32))):
            if arguments.only in (None, name):
                compare_with_loop(arguments, name, input, Path(place))
        if arguments.only in (None, "loader"):
            compare_with_loader(arguments, Path(place))


def compare_with_loop(arguments: argparse.Namespace, name: str, input: tuple[int, int, int], place: Path) -> None:
    recipe = Recipe(
        name,
        "mnist",
        str(arguments.folder),
        batch_size=arguments.batch_size,
        input=input,
        epochs=1000,
        channels_last=True,
        threads=arguments.threads,
    )
    own_clock = arguments.threads == 1
    title = f"{name}, batches of {recipe.batch_size}, {recipe.threads} threads, engine and loop"
    with running(Script(recipe, recipe.threads, own_clock, arguments.kept)) as theirs:
        ours = engine_slices(recipe, place / name, own_clock)
        compare(title, ours, theirs, arguments.rounds, arguments.seconds)


def compare_with_loader(arguments: argparse.Namespace, place: Path) -> None:
    settings = default_recipe("lenet5", "mnist")
    recipe = replace(settings, data_dir=str(arguments.folder), input=(1, 28, 28), epochs=1000, shift=0.125)
    raw = place / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in arguments.folder.glob("*ubyte*"):
        packed = path.read_bytes()
        (raw / path.stem if path.suffix == ".gz" else raw / path.name).write_bytes(
            gzip.decompress(packed) if path.suffix == ".gz" else packed
        )
    ours = engine_slices(recipe, place / "crops", own_clock=False)
    ratios = []
    for workers in (0, 2):
        title = f"lenet5 with crops, engine and DataLoader of {workers} workers"
        with running(Script(recipe, 0, False, arguments.kept, workers, place)) as theirs:
            ratios.append(compare(title, ours, theirs, arguments.rounds, arguments.seconds))
    print(f"against the better of the two: {min(ratios):.2f}")


if __name__ == "__main__":
    main()
