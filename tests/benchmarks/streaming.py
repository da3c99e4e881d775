"""How fast image files stream into training: against torchvision's ImageFolder with a DataLoader.

    python -m tests.benchmarks.streaming FOLDER [--side 224] [--batch-size 32] [--workers N] [--rounds 9] [--seconds 4]
                                         [--processor]

FOLDER holds a sub-folder of images for each class. LeNet-5, which costs next to nothing, is trained on them in turn: a
slice of `fit`, all of its files included, and a slice of a loop written by hand with the same network, the same
transforms (scaled, cropped at random, mirrored, normalised), as many workers and as many threads. Prints the images/s
of each, by the clock on the wall, the median of the ratios slice by slice, and the memory that this process and its
workers take at the beginning and at the end. With `--processor` a second is one of processor time, of this process and
all workers together, which counts right where other programs take most of the machine; one thread trains then, since
threads that wait for each other take time as well. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import psutil
import torch
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from explorer.data import decode, streaming
from explorer.training.events import Steps
from explorer.training.fit import fit
from explorer.training.network import build_network
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from tests.benchmarks.training_engine import Slice, compare, train_by_hand

SHIFT = 1 / 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds a sub-folder of images for each class")
    parser.add_argument("--side", type=int, default=224, help="pixels that images are scaled to; default: 224")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=streaming.usual_workers(), help="default: as many as fit takes")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a slice")
    parser.add_argument("--processor", action="store_true", help="count processor time instead of the wall clock's")
    arguments = parser.parse_args()
    clock = processor_time if arguments.processor else time.perf_counter
    decode.RESIDENT_BYTES = 0  # a folder that would fit into memory is streamed all the same
    streaming.MAX_WORKERS = arguments.workers
    recipe = Recipe(
        "lenet5",
        f"folder:{arguments.folder.absolute()}",
        input=(3, arguments.side, arguments.side),
        batch_size=arguments.batch_size,
        augmentation="flip and crop",
        shift=SHIFT,
        learning_rate=0.001,
        epochs=1000,
        threads=1 if arguments.processor else 0,
    )
    with tempfile.TemporaryDirectory() as place, closing(fit(recipe, RunFolder.create(recipe, Path(place)))) as events:
        ours = fit_slices(events, recipe.batch_size, clock)
        ours(arguments.seconds)
        before = memory()
        title = f"lenet5 on {arguments.folder.name} at {arguments.side}, {streaming.usual_workers()} workers"
        compare(
            f"{title}, fit and ImageFolder", ours, loader_slices(recipe, clock), arguments.rounds, arguments.seconds
        )
        print(f"memory of the processes at first and at last: {before} and {memory()} MB")


def fit_slices(events: Iterator[object], batch_size: int, clock: Callable[[], float]) -> Slice:
    """Returns slices of a run."""

    def train(seconds: float) -> tuple[int, float]:
        images, spent = 0, 0.0
        while spent < seconds:
            since = clock()
            event = next(events)
            if isinstance(event, Steps):  # what is done between epochs is none of a loop's business
                spent += clock() - since
                images += len(event.losses) * batch_size
        return images, spent

    return train


def loader_slices(recipe: Recipe, clock: Callable[[], float]) -> Slice:
    """Returns slices of a loop as torchvision's documentation has it."""
    folder = ImageFolder(recipe.dataset.removeprefix("folder:"), changes(recipe))
    loader = DataLoader(
        folder,
        recipe.batch_size,
        shuffle=True,
        num_workers=streaming.usual_workers(),
        persistent_workers=True,
        multiprocessing_context="spawn",
    )
    network = build_network(recipe, len(folder.classes))[0].train()
    optimiser = torch.optim.SGD(network.parameters(), recipe.learning_rate, momentum=0.9, nesterov=True, fused=True)
    batches = (batch for _ in count() for batch in loader)

    def train(seconds: float) -> tuple[int, float]:
        return train_by_hand(network, optimiser, batches, seconds, clock)

    return train


def changes(recipe: Recipe) -> transforms.Compose:
    """Returns the recipe's changes to images as torchvision has them."""
    assert recipe.input is not None
    side = recipe.input[1]
    return transforms.Compose(
        [
            transforms.Resize(side),
            transforms.CenterCrop(side),
            transforms.RandomCrop(side, padding=int(side * recipe.shift)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )


def processor_time() -> float:
    """Returns the seconds that this process and its workers have computed."""
    here = psutil.Process(os.getpid())
    times = [process.cpu_times() for process in (here, *here.children(recursive=True))]
    return sum(spent.user + spent.system for spent in times)


def memory() -> list[int]:
    """Returns the megabytes that are this process's and each worker's alone."""
    here = psutil.Process(os.getpid())
    return [round(process.memory_full_info().uss / 1e6) for process in (here, *here.children(recursive=True))]


if __name__ == "__main__":
    main()
