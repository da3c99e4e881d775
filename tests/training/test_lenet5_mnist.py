"""LeNet-5 on MNIST reaches what the presets promise, in the mean of three seeds."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from explorer.training.events import Event, Finished
from explorer.training.presets import GOOD_AND_QUICK, preset_recipe
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

Train = Callable[[Recipe], tuple[RunFolder, list[Event]]]


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("preset", "epochs", "wanted"), [("lenet-keras", 8, 0.985), (GOOD_AND_QUICK, 15, 0.992)])
def test_lenet5_tells_mnist_apart(
    preset: str, epochs: int, wanted: float, train: Train, shared_data: Callable[..., Path]
) -> None:
    recipe = replace(preset_recipe(preset, "lenet5", "mnist"), data_dir=str(shared_data("mnist")))
    assert recipe.epochs <= epochs
    accuracies = []
    for seed in range(3):
        _, events = train(replace(recipe, seed=seed))
        assert isinstance(events[-1], Finished)
        assert events[-1].test_accuracy is not None
        accuracies.append(events[-1].test_accuracy)
    assert statistics.mean(accuracies) >= wanted, accuracies
