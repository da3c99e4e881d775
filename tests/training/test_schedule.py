from __future__ import annotations

from itertools import pairwise
from typing import Any, get_args

import pytest

from explorer.training.recipe import Recipe, Schedule
from explorer.training.schedule import RISE, START, rate_at

EPOCHS, STEPS_PER_EPOCH = 10, 100
STEPS = EPOCHS * STEPS_PER_EPOCH


def rates(schedule: Schedule, **settings: Any) -> list[float]:
    recipe = Recipe(epochs=EPOCHS, learning_rate=0.1, schedule=schedule, **settings)
    return [rate_at(recipe, step, STEPS_PER_EPOCH) for step in range(STEPS)]


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
    peak = round(RISE * STEPS)
    assert values[0] == pytest.approx(0.1 * START)
    assert values[peak] == pytest.approx(0.1) == max(values)
    assert all(later > earlier for earlier, later in pairwise(values[: peak + 1]))
    assert all(later < earlier for earlier, later in pairwise(values[peak:]))
    assert 0 < values[-1] < 0.1 / 1000


def test_step_falls_at_its_milestones() -> None:
    # He et al. 2016: 0.1, divided by 10 at 32k and at 48k of 64k iterations.
    values = rates("step")
    assert values[:500] == [0.1] * 500
    assert values[500:750] == pytest.approx([0.01] * 250)
    assert values[750:] == pytest.approx([0.001] * 250)
    assert rates("step", milestones=(0.9,), factor=0.5)[-1] == 0.05


def test_inverse_time_is_that_of_keras() -> None:
    values = rates("inverse time", decay=0.01)
    assert values[:3] == pytest.approx([0.1, 0.1 / 1.01, 0.1 / 1.02])
    assert values[-1] == pytest.approx(0.1 / (1 + 0.01 * 999))


@pytest.mark.parametrize("schedule", get_args(Schedule))
def test_rate_rises_evenly_while_it_warms_up_and_the_schedule_follows(schedule: Schedule) -> None:
    values = rates(schedule, warm_up=1.5)
    assert values[:150] == pytest.approx([0.1 * (step + 1) / 151 for step in range(150)])
    after = {"one-cycle": 0.1 * START}.get(schedule, 0.1)
    assert values[150] == pytest.approx(after)


def test_warm_up_longer_than_the_run_never_ends() -> None:
    assert rates("cosine", warm_up=50)[-1] == pytest.approx(0.1 * 1000 / 1001)


def test_second_phase_has_its_own_rate_and_schedule() -> None:
    values = rates("cosine", freeze="features", unfreeze=5, unfreeze_rate=0.01, warm_up=1)
    assert max(values[:400]) == values[100] == 0.1
    assert values[399] < 0.001
    assert max(values[400:]) == values[500] == 0.01
    assert values[400] == pytest.approx(0.01 / 101)
    assert max(rates("cosine", freeze="features", unfreeze=5)[400:]) == 0.1


@pytest.mark.parametrize("schedule", get_args(Schedule))
def test_rate_of_a_run_of_one_step_is_positive(schedule: Schedule) -> None:
    assert 0 < rate_at(Recipe(epochs=1, learning_rate=0.1, schedule=schedule), 0, 1) <= 0.1
