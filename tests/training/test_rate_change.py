"""The learning rate that is changed while a run goes on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import replace

import pytest

from explorer.training.events import Event, RateChanged, Steps, from_document
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder

Losses = Callable[[Iterable[Event]], list[float]]
Follow = Callable[[Generator[Event, float | None, object], dict[int, float]], list[Event]]

HALVED = {3: 0.01, 8: 0.002}
"""The rate of the step after so many."""


@pytest.fixture
def follow(every_step: None) -> Follow:
    """Returns a function that runs to the end and changes the rate after given steps."""

    def run(events: Generator[Event, float | None, object], changes: dict[int, float]) -> list[Event]:
        told = [next(events)]
        while True:
            last = told[-1]
            wanted = changes.get(last.step) if isinstance(last, Steps) else None
            try:
                told.append(next(events) if wanted is None else events.send(wanted))
            except StopIteration:
                return told

    return run


def told_by(folder: RunFolder) -> list[Event]:
    return [event for event in map(from_document, folder.metrics()) if event is not None]


def rates(events: Iterable[Event]) -> dict[int, float]:
    return {event.step: event.learning_rate for event in events if isinstance(event, Steps)}


def test_schedule_goes_on_from_the_new_rate_in_proportion(follow: Follow, short: Recipe) -> None:
    planned = rates(follow(fit(short, RunFolder.create(short), "cpu"), {}))
    folder = RunFolder.create(short)
    told = follow(fit(short, folder, "cpu"), HALVED)
    changes = [event for event in told if isinstance(event, RateChanged)]
    assert [(event.step, event.learning_rate) for event in changes] == [*HALVED.items()]
    assert [event for event in told_by(folder) if isinstance(event, RateChanged)] == changes
    changed = rates(told)
    assert changed[3] == planned[3]
    assert changed[4] == pytest.approx(0.01)
    assert changed[9] == pytest.approx(0.002)
    for step in (5, 6, 7, 8):
        assert changed[step] / changed[4] == pytest.approx(planned[step] / planned[4])


def test_resumed_run_takes_the_same_changes(follow: Follow, short: Recipe, losses: Losses) -> None:
    reference = RunFolder.create(short)
    follow(fit(short, reference, "cpu"), HALVED)
    for interrupted_at in (2, 5):
        folder = RunFolder.create(short)
        events = fit(short, folder, "cpu")
        event = next(events)
        while not (isinstance(event, Steps) and event.step == interrupted_at):
            wanted = HALVED.get(event.step) if isinstance(event, Steps) else None
            event = next(events) if wanted is None else events.send(wanted)
        events.close()
        later = {step: rate for step, rate in HALVED.items() if step > interrupted_at}
        follow(fit(short, folder, "cpu", resume=True), later)
        assert losses(told_by(folder)) == losses(told_by(reference)), interrupted_at


def test_run_that_is_killed_after_a_change_takes_it_again_at_the_same_step(
    follow: Follow, short: Recipe, losses: Losses
) -> None:
    reference = RunFolder.create(short)
    follow(fit(short, reference, "cpu"), HALVED)
    folder = RunFolder.create(short)
    follow(fit(short, folder, "cpu"), HALVED)
    (folder.path / "last.ckpt").unlink()
    lines = (folder.path / "metrics.jsonl").read_text().splitlines(keepends=True)
    first_epoch = next(place for place, line in enumerate(lines) if '"event": "epoch"' in line)
    (folder.path / "metrics.jsonl").write_text("".join(lines[:first_epoch]))
    follow(fit(short, folder, "cpu", resume=True), {8: HALVED[8]})
    assert losses(told_by(folder)) == losses(told_by(reference))


def test_change_makes_those_of_later_steps_void(follow: Follow, short: Recipe) -> None:
    short = replace(short, schedule="constant")
    folder = RunFolder.create(short)
    follow(fit(short, folder, "cpu"), HALVED)
    (folder.path / "last.ckpt").unlink()
    lines = (folder.path / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder.path / "metrics.jsonl").write_text("".join(line for line in lines if '"event": "epoch"' not in line))
    told = rates(follow(fit(short, folder, "cpu", resume=True), {2: 0.03}))
    assert [told[step] for step in (2, 3, 4, 9, 12)] == pytest.approx([0.05, 0.03, 0.03, 0.03, 0.03])
