"""Finding a learning rate: a short sweep from far too low to far too high, and where the loss falls fastest."""

from __future__ import annotations

import math
import statistics
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from explorer.data.download import Progress
from explorer.errors import InputError
from explorer.training.device import threads
from explorer.training.errors import TrainingError
from explorer.training.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from explorer.training.engine import Engine

LOWEST, HIGHEST = 1e-7, 10.0
STEPS = 100
SMOOTHING = 0.9
"""Share of the mean so far in the smoothed loss: about ten steps count."""
EXPLODED = 4.0
"""A smoothed loss so many times the least one ends the sweep."""
WINDOW = 3
"""Steps to either side that are averaged where the steepest descent is looked for."""
SKIPPED = 10
"""First steps that tell more of the mean's beginning than of the rate."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One step of the sweep."""

    rate: float
    loss: float
    """Of the batch, before the step."""
    smoothed: float
    """Exponential moving average of the losses so far, corrected for its beginning."""


def find_rate(
    recipe: Recipe, device: str = "auto", lowest: float = LOWEST, highest: float = HIGHEST, steps: int = STEPS
) -> Generator[Progress | Trial, None, float | None]:
    """Trains a network of its own for a few steps, each with a rate that is higher by the same factor.

    The learning rate range test of Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, section 3.3,
    with rates in geometric instead of arithmetic progression. All but the rate is as in a run by the recipe, and
    nothing is written.

    Args:
        recipe: what would be trained; its learning rate and schedule do not matter.
        device: "cpu", "cuda" or "auto".
        lowest: rate of the first step.
        highest: rate of the last step, unless the loss explodes before.
        steps: how many, at most.

    Yields:
        Progress while the dataset is fetched, then a Trial for each step.

    Returns:
        the suggestion: see `steepest`.

    Raises:
        InputError: network, dataset or device cannot be used.
        TrainingError: memory is full, or the network fails at a step.
    """
    from explorer.training.engine import Engine
    from explorer.training.supply import load_material

    recipe = replace(recipe, compiled=False)
    try:
        with threads(recipe.threads):
            material = yield from load_material(recipe)
            engine = Engine(recipe, material, device)
            try:
                trials = yield from _sweep(engine, lowest, highest, steps)
            finally:
                engine.train.close()
    except (InputError, TrainingError):
        raise
    except Exception as error:  # a user's network may raise anything
        reason = " ".join(str(error).split())
        raise TrainingError(f"{recipe.architecture} fails in training: {type(error).__name__}: {reason}") from error
    return steepest(trials)


def _sweep(engine: Engine, lowest: float, highest: float, steps: int) -> Generator[Trial, None, list[Trial]]:
    trials: list[Trial] = []
    mean = 0.0
    factor = (highest / lowest) ** (1 / max(steps - 1, 1))
    batches = _endless(engine)
    engine.begin_epoch(0)
    for number in range(steps):
        rate = lowest * factor**number
        engine.set_rate(rate)
        pixels, labels = next(batches)
        try:
            loss = float(engine.step(pixels, labels, number)[0])
        except TrainingError:  # the loss is no number any more: the rate of the step before was too high
            break
        if not math.isfinite(loss):
            break
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        trial = Trial(rate, loss, mean / (1 - SMOOTHING ** (number + 1)))
        trials.append(trial)
        yield trial
        if number >= SKIPPED and trial.smoothed > EXPLODED * min(one.smoothed for one in trials):
            break
    return trials


def _endless(engine: Engine) -> Iterator[tuple[Tensor, Tensor]]:
    epoch = 0
    while True:
        yield from engine.train.batches(epoch)
        epoch += 1


def steepest(trials: Sequence[Trial]) -> float | None:
    """Returns the rate at which the loss falls fastest over the logarithm of the rate, before its least value.

    The losses are averaged over `WINDOW` steps to either side: `Trial.smoothed` lags behind.

    Returns:
        the rate; None where the loss never falls, or there are too few trials to tell.
    """
    usable = trials[SKIPPED:]
    if len(usable) < 3:
        return None
    lowest = min(range(len(usable)), key=lambda place: usable[place].smoothed)
    falling = usable[: lowest + 1]
    means = [
        statistics.fmean(trial.loss for trial in falling[max(place - WINDOW, 0) : place + WINDOW + 1])
        for place in range(len(falling))
    ]
    slopes = {
        place: (means[place + 1] - means[place - 1]) / math.log(falling[place + 1].rate / falling[place - 1].rate)
        for place in range(1, len(falling) - 1)
    }
    if not slopes:
        return None
    best = min(slopes, key=lambda place: slopes[place])
    return falling[best].rate if slopes[best] < 0 else None
