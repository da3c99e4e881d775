"""How well LeNet-5 learns MNIST: the Keras preset in 8 epochs, and the good and quick one in at most 15.

    python -m tests.benchmarks.lenet5_mnist FOLDER_OF_MNIST [--seeds 3] [--preset lenet-keras]

Trains each preset with the seeds 0, 1, … and prints the accuracy on the 10,000 test images, of the weights of the epoch
that did best on the training images held out, for each seed and in the mean. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from explorer.training.events import Finished
from explorer.training.fit import fit
from explorer.training.presets import GOOD_AND_QUICK, preset_recipe
from explorer.training.run_folder import RunFolder

WANTED = {"lenet-keras": (0.985, 8), GOOD_AND_QUICK: (0.992, 15)}
"""Of each preset the mean accuracy on the test images that it must reach, and in how many epochs at most."""


def accuracy(preset: str, data: Path, seed: int) -> Finished:
    """Trains to the end and returns what came of it."""
    recipe = replace(preset_recipe(preset, "lenet5", "mnist"), data_dir=str(data), seed=seed)
    with tempfile.TemporaryDirectory() as place:
        *_, last = fit(recipe, RunFolder.create(recipe, Path(place) / "run"), "cpu")
    assert isinstance(last, Finished)
    return last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds MNIST as published")
    parser.add_argument("--seeds", type=int, default=3, help="how many; default: 3")
    parser.add_argument("--preset", choices=WANTED)
    arguments = parser.parse_args()
    for preset in [arguments.preset] if arguments.preset else WANTED:
        found = []
        for seed in range(arguments.seeds):
            run = accuracy(preset, arguments.folder, seed)
            assert run.test_accuracy is not None
            found.append(run.test_accuracy)
            told = f"{run.test_accuracy:.2%} in {run.epochs} epochs, {run.seconds:.0f} s"
            print(f"{preset}, seed {seed}: {told}", flush=True)
        wanted, epochs = WANTED[preset]
        told = f"{statistics.mean(found):.2%} in the mean, {wanted:.2%} in {epochs} epochs at most are wanted"
        print(f"{preset}: {told}", flush=True)


if __name__ == "__main__":
    main()
