"""The learning rate over a run."""

from __future__ import annotations

import math

from explorer.training.recipe import Recipe

RISE = 0.3
"""Share of a one-cycle run in which the rate rises (Smith and Topin, "Super-Convergence", 2018)."""
START = 1 / 25
"""Where a one-cycle run begins, as a share of its highest rate."""


def rate_at(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Returns the learning rate of step `step` (from 0) of a run.

    A run that unfreezes layers has two phases, each with a warm-up and a schedule of its own. The rate rises in equal
    steps while it warms up (Goyal et al., "Accurate, Large Minibatch SGD", 2017), and the schedule fills the rest of
    the phase; only the milestones of `step` are counted from the phase's beginning.
    """
    begin, end, highest = 0, recipe.epochs * steps_per_epoch, recipe.learning_rate
    if recipe.unfreeze:
        second = (recipe.unfreeze - 1) * steps_per_epoch
        if step < second:
            end = second
        else:
            begin, highest = second, recipe.unfreeze_rate or highest
    warm_up = min(round(recipe.warm_up * steps_per_epoch), end - begin)
    since = step - begin
    if since < warm_up:
        return highest * (since + 1) / (warm_up + 1)
    if recipe.schedule == "step":
        share = since / max(end - begin, 1)
        return highest * recipe.factor ** sum(share >= milestone for milestone in recipe.milestones)
    if recipe.schedule == "inverse time":
        return highest / (1 + recipe.decay * (since - warm_up))
    return highest * _share(recipe.schedule, (since - warm_up) / max(end - begin - warm_up, 1))


def _share(schedule: str, done: float) -> float:
    """Returns the rate as a share of the highest, when a share `done` of the phase is over."""
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    if schedule == "one-cycle":
        if done < RISE:
            return START + (1 - START) * 0.5 * (1 - math.cos(math.pi * done / RISE))
        return 0.5 * (1 + math.cos(math.pi * (done - RISE) / (1 - RISE)))
    return 1.0
