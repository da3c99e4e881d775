"""The learning rate that a sweep suggests."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest

from explorer.data.download import Progress
from explorer.training.events import Epoch
from explorer.training.fit import fit
from explorer.training.rate_finder import SKIPPED, Trial, find_rate, steepest
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

RECIPE = Recipe("lenet5", "digits", batch_size=64, epochs=1, optimiser="adam", schedule="constant")


def sweep(events: Generator[Progress | Trial, None, float | None]) -> tuple[list[Trial], float | None]:
    trials = []
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            return trials, end.value
        if isinstance(event, Trial):
            trials.append(event)


def test_steepest_descent_of_a_known_curve() -> None:
    # A falling logistic over log10 of the rate is steepest at its middle, here 1e-3, and then it explodes.
    rates = [10 ** (-7 + 8 * place / 99) for place in range(100)]
    losses = [2 / (1 + math.exp(4 * (math.log10(rate) + 3))) + (rate if rate > 0.1 else 0) for rate in rates]
    found = steepest([Trial(rate, loss, loss) for rate, loss in zip(rates, losses, strict=True)])
    assert found == pytest.approx(1e-3, rel=0.2)


def test_nothing_is_suggested_where_the_loss_never_falls() -> None:
    assert steepest([Trial(10.0**place, 1.0 + place, 1.0 + place) for place in range(SKIPPED + 20)]) is None
    assert steepest([]) is None


def test_rates_rise_by_the_same_factor_and_the_sweep_ends_when_the_loss_explodes(tmp_path: Path) -> None:
    trials, found = sweep(find_rate(RECIPE, "cpu"))
    factors = [after.rate / before.rate for before, after in itertools.pairwise(trials)]
    assert factors == pytest.approx([factors[0]] * len(factors))
    assert trials[0].rate == pytest.approx(1e-7)
    assert len(trials) < 100, "ten is far too much for Adam"
    assert found is not None
    assert 1e-4 < found < 0.1
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_suggested_rate_trains_better_than_a_tenth_and_ten_times_of_it(tmp_path: Path) -> None:
    _, found = sweep(find_rate(RECIPE, "cpu"))
    assert found is not None
    losses = []
    for place, rate in enumerate((found, found / 100, min(found * 100, 900))):
        recipe = replace(RECIPE, learning_rate=rate, epochs=2)
        run = RunFolder.create(recipe, tmp_path / str(place))
        losses.append([event.train_loss for event in fit(recipe, run, "cpu") if isinstance(event, Epoch)][-1])
    assert losses[0] < losses[1]
    assert losses[0] < losses[2]


def test_same_recipe_gives_the_same_sweep() -> None:
    assert sweep(find_rate(RECIPE, "cpu", steps=20)) == sweep(find_rate(RECIPE, "cpu", steps=20))


def test_loss_that_is_no_number_ends_the_sweep(network_file: Callable[[str], str]) -> None:
    name = network_file("def forward(self, x):\n    return self.flat(x) * 1e18 ** (self.flat[1].bias.abs().max())")
    recipe = replace(RECIPE, architecture=name, input=(1, 8, 8), optimiser="sgd")
    trials, _ = sweep(find_rate(recipe, "cpu", highest=1000))
    assert len(trials) < 100
    assert all(math.isfinite(trial.loss) for trial in trials)
