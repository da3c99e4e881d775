"""The thread behind a page: answers in order, and functions that never end."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from explorer.ui.background import Answer, Background, CancelledError


def endless() -> None:
    while True:
        try:
            time.sleep(0.001)
        except Exception:  # as careless code does
            continue


@pytest.fixture
def background(qtbot: QtBot) -> Iterator[Background]:
    parent = QObject()
    background = Background(parent)
    yield background
    assert background.stop()


def answers(background: Background) -> list[Answer]:
    found: list[Answer] = []
    background.answered.connect(found.append)
    return found


def test_questions_are_answered_in_order(background: Background, qtbot: QtBot) -> None:
    found = answers(background)
    asked = [background.ask(divmod, 7, number) for number in (2, 0, 3)]
    qtbot.waitUntil(lambda: len(found) == 3)
    assert [answer.id for answer in found] == asked
    assert found[0].result == (3, 1)
    assert isinstance(found[1].error, ZeroDivisionError)


def test_an_endless_function_is_cancelled_and_the_next_question_answered(background: Background, qtbot: QtBot) -> None:
    found = answers(background)
    question = background.ask(endless, interruptible=True)
    after = background.ask(len, "four")
    qtbot.waitUntil(lambda: background._interruptible == question)
    assert background.cancel(question)
    qtbot.waitUntil(lambda: len(found) == 2)
    assert isinstance(found[0].error, CancelledError)
    assert (found[1].id, found[1].result) == (after, 4)


def test_a_waiting_question_is_dropped(background: Background, qtbot: QtBot) -> None:
    found = answers(background)
    first = background.ask(endless, interruptible=True)
    second = background.ask(len, "four")
    qtbot.waitUntil(lambda: background._interruptible == first)
    assert not background.cancel(second)
    assert background.cancel(first)
    third = background.ask(len, "seven")
    qtbot.waitUntil(lambda: len(found) == 2)
    assert [answer.id for answer in found] == [first, third]


def test_cancelling_what_has_been_answered_does_nothing(background: Background, qtbot: QtBot) -> None:
    found = answers(background)
    question = background.ask(len, "four")
    qtbot.waitUntil(lambda: len(found) == 1)
    assert not background.cancel(question)
    assert not background.cancel(0)
    background.ask(len, "seven")
    qtbot.waitUntil(lambda: len(found) == 2)
    assert found[1].result == 5


def test_cancelling_at_any_moment_loses_no_question(background: Background, qtbot: QtBot) -> None:
    """Interruptions land before, within and after short functions; the thread must live and answer each once."""
    found = answers(background)
    asked = []
    for number in range(300):
        asked.append(background.ask(sum, range(number * 30), interruptible=True))
        background.cancel(asked[-1] - number % 2)
    background.ask(len, "last")
    qtbot.waitUntil(lambda: any(answer.result == 4 for answer in found))
    ids = [answer.id for answer in found]
    assert ids == sorted(set(ids))


def test_a_function_that_may_not_be_interrupted_runs_to_its_end(background: Background, qtbot: QtBot) -> None:
    found = answers(background)
    question = background.ask(time.sleep, 0.2)
    qtbot.wait(50)
    assert not background.cancel(question)
    qtbot.waitUntil(lambda: len(found) == 1)
    assert found[0].error is None


def test_stopping_ends_an_endless_function(qtbot: QtBot) -> None:
    parent = QObject()
    background = Background(parent)
    question = background.ask(endless, interruptible=True)
    qtbot.waitUntil(lambda: background._interruptible == question)
    assert not background.stop(10)
    qtbot.waitUntil(lambda: background.stop(10))
