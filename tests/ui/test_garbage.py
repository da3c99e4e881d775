"""Widgets in cycles are destroyed by the GUI thread, whichever thread makes the garbage."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from explorer.ui.garbage import GarbageCollection


class Node:
    """Something that only a cycle keeps."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collection() -> Iterator[GarbageCollection]:
    yield GarbageCollection()
    gc.enable()


def test_cycles_are_collected_by_the_thread_of_the_window(collection: GarbageCollection, qtbot: QtBot) -> None:
    threads: list[threading.Thread] = []

    def litter() -> None:
        weakref.finalize(Node(), lambda: threads.append(threading.current_thread()))
        for _ in range(20 * gc.get_threshold()[0]):
            Node()

    worker = threading.Thread(target=litter)
    worker.start()
    worker.join()
    assert threads == [], "Python would have collected in the worker by now"
    qtbot.waitUntil(lambda: bool(threads), timeout=60_000)
    assert threads == [threading.main_thread()]
