from __future__ import annotations

from itertools import pairwise
from typing import get_args

import pytest

from explorer.training.recipe import Schedule
from explorer.training.schedule import START, WARM_UP, rate_at

STEPS = 1000


def rates(schedule: Schedule, highest: float = 0.1) -> list[float]:
    return [rate_at(schedule, highest, step, STEPS) for step in range(STEPS)]


def test_constant_rate_stays() -> None:
    assert set(rates("constant")) == {0.1}


def test_cosine_falls_from_the_highest_rate_to_almost_nothing() -> None:
    values = rates("cosine")
    assert values[0] == 0.1
    assert values[STEPS // 2] == pytest.approx(0.05)
    assert 0 < values[-1] < 0.1 / 1000
    assert all(later < earlier for earlier, later in pairwise(values))


def test_one_cycle_rises_and_then_falls() -> None:
    values = rates("one-cycle")
    peak = round(WARM_UP * STEPS)
    assert values[0] == pytest.approx(0.1 * START)
    assert values[peak] == pytest.approx(0.1) == max(values)
    assert all(later > earlier for earlier, later in pairwise(values[: peak + 1]))
    assert all(later < earlier for earlier, later in pairwise(values[peak:]))
    assert 0 < values[-1] < 0.1 / 1000


@pytest.mark.parametrize("schedule", get_args(Schedule))
def test_rate_of_a_run_of_one_step_is_positive(schedule: Schedule) -> None:
    assert 0 < rate_at(schedule, 0.1, 0, 1) <= 0.1
