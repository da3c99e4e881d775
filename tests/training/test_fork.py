"""A run that begins with the weights of another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from explorer.errors import InputError
from explorer.training.events import Epoch, Event
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

Train = Callable[..., tuple[RunFolder, list[Event]]]


def epochs(events: list[Event]) -> list[Epoch]:
    return [event for event in events if isinstance(event, Epoch)]


def test_fork_begins_with_the_best_or_the_last_weights(train: Train) -> None:
    # A rate that is soon far too high: the last epoch is not the best one.
    origin, told = train(Recipe(batch_size=128, epochs=4, schedule="constant", learning_rate=0.3, seed=3))
    best = max(epochs(told), key=lambda event: event.validation_accuracy)
    last = epochs(told)[-1]
    assert best.epoch != last.epoch, "the two cannot be told apart"
    still = replace(origin.recipe, learning_rate=1e-9, epochs=1, optimiser="sgd")
    for weights, expected in ((origin.path, best), (origin.path / "last.ckpt", last)):
        fork, told = train(replace(still, weights=str(weights)))
        (epoch,) = epochs(told)
        assert epoch.validation_accuracy == expected.validation_accuracy
        assert epoch.validation_loss == pytest.approx(expected.validation_loss, rel=1e-4)
        assert fork.path != origin.path
        assert fork.recipe.weights == str(weights), "the recipe tells where the run comes from"


def test_fork_of_a_run_without_weights_says_so(train: Train) -> None:
    with pytest.raises(InputError, match="there are no weights at"):
        train(Recipe(weights=str(RunFolder.create(Recipe()).path / "last.ckpt")))
