"""What the training engine costs: against a loop written by hand, and against torchvision with a DataLoader.

    python -m tests.benchmarks.training_engine FOLDER_OF_MNIST [--rounds 15] [--seconds 1]

Trains in one process and in turn, a slice of `fit` and a slice of the other, and prints the images/s of each and the
median of the ratios slice by slice:

- LeNet-5 and ResNet-20 (CIFAR) on MNIST, without augmentation, against the least that training the same network on the
  same batches takes: images that lie on the device as bytes, normalised, forward, backward, step. Both in one thread
  and by its own clock, which does not run while other programs do.
- LeNet-5 with random crops and the other recommended settings against torchvision's MNIST with its transforms and a
  DataLoader of 0 and of 2 workers, by the clock on the wall.

Nothing is asserted.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from explorer.architectures.registry import build, entry
from explorer.training.engine import Engine
from explorer.training.events import Steps
from explorer.training.fit import fit
from explorer.training.recipe import Recipe, default_recipe
from explorer.training.run_folder import RunFolder
from explorer.training.supply import load_material

torch.set_num_threads(1)

Slice = Callable[[float], tuple[int, float]]
"""Trains for about so many seconds; gives the images and the seconds that it took."""
Clock = Callable[[], float]


def engine_slices(recipe: Recipe, folder: Path, clock: Clock) -> Slice:
    """Returns slices of a run as the command line and the window have it, all of its files included."""
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


def loop_slices(network: nn.Module, batches: Iterator[tuple[Tensor, Tensor]], clock: Clock) -> Slice:
    """Returns slices of a loop written by hand over float images and labels."""
    network.train()
    optimiser = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, nesterov=True, fused=True)

    def train(seconds: float) -> tuple[int, float]:
        images, begun, spent = 0, clock(), 0.0
        while spent < seconds:
            pixels, labels = next(batches)
            optimiser.zero_grad()
            functional.cross_entropy(network(pixels), labels).backward()
            optimiser.step()
            images += len(labels)
            spent = clock() - begun
        return images, spent

    return train


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
        train(0.3 * seconds)  # the first steps prepare this and that
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
    parser.add_argument("--only", choices=("lenet5", "resnet20_cifar", "loader"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        for name, input in (("lenet5", (1, 32, 32)), ("resnet20_cifar", (3, 32, 32))):
            if arguments.only not in (None, name):
                continue
            recipe = Recipe(
                name,
                "mnist",
                str(arguments.folder),
                batch_size=128,
                input=input,
                epochs=1000,
                channels_last=True,
                threads=1,
            )
            engine = Engine(recipe, value_of(load_material(recipe)), "cpu")
            compare(
                f"{name}, engine and loop",
                engine_slices(recipe, Path(place) / name, time.thread_time),
                loop_slices(engine.network, resident_batches(engine), time.thread_time),
                arguments.rounds,
                arguments.seconds,
            )
        if arguments.only in (None, "loader"):
            compare_with_loader(arguments, Path(place))


def compare_with_loader(arguments: argparse.Namespace, place: Path) -> None:
    settings = default_recipe("lenet5", "mnist")
    recipe = replace(settings, data_dir=str(arguments.folder), input=(1, 28, 28), epochs=1000, shift=0.125, threads=1)
    raw = place / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in arguments.folder.glob("*ubyte*"):
        packed = path.read_bytes()
        (raw / path.stem if path.suffix == ".gz" else raw / path.name).write_bytes(
            gzip.decompress(packed) if path.suffix == ".gz" else packed
        )
    ours = engine_slices(recipe, place / "crops", time.perf_counter)
    ratios = []
    for workers in (0, 2):
        network = build(entry("lenet5"), recipe.input)
        theirs = loop_slices(network, loader_batches(place, workers, recipe.batch_size), time.perf_counter)
        title = f"lenet5 with crops, engine and DataLoader of {workers} workers"
        ratios.append(compare(title, ours, theirs, arguments.rounds, arguments.seconds))
    print(f"against the better of the two: {min(ratios):.2f}")


if __name__ == "__main__":
    main()
