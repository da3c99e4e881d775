"""The learning rate over a run."""

from __future__ import annotations

import math

from explorer.training.recipe import Schedule

WARM_UP = 0.3
"""Share of a one-cycle run in which the rate rises (Smith and Topin, "Super-Convergence", 2018)."""
START = 1 / 25
"""Where a one-cycle run begins, as a share of its highest rate."""


def rate_at(schedule: Schedule, highest: float, step: int, steps: int) -> float:
    """Returns the learning rate of step `step` (from 0) in a run of `steps`."""
    done = step / max(steps, 1)
    if schedule == "cosine":
        return highest * 0.5 * (1 + math.cos(math.pi * done))
    if schedule == "one-cycle":
        if done < WARM_UP:
            return highest * (START + (1 - START) * 0.5 * (1 - math.cos(math.pi * done / WARM_UP)))
        return highest * 0.5 * (1 + math.cos(math.pi * (done - WARM_UP) / (1 - WARM_UP)))
    return highest
