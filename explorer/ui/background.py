"""One thread that answers a page's questions in order, so that nothing slow runs on the GUI thread."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QThread, Signal


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one question."""

    id: int
    """The number `ask` returned: a page that has asked anew since drops answers to older numbers."""
    result: object
    error: Exception | None


class Background(QThread):
    """Runs functions one after the other and emits an `Answer` for each.

    The functions must not touch widgets. Whoever owns it calls `stop` before dropping it: a running QThread that is
    destroyed aborts the process.
    """

    answered = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._questions: deque[tuple[int, Callable[..., object], tuple[object, ...]]] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._ids = itertools.count(1)

    def ask(self, function: Callable[..., object], *args: object, newest_only: bool = False) -> int:
        """Queues `function(*args)` and returns the question's number.

        Args:
            function: runs on this thread; what it raises arrives as the answer's error.
            args: captured state, never widgets.
            newest_only: forget questions that still wait.
        """
        question = next(self._ids)
        with self._wake:
            if newest_only:
                self._questions.clear()
            self._questions.append((question, function, args))
            self._wake.notify()
        if not self.isRunning():
            self.start()
        return question

    def forget(self) -> None:
        """Drops the questions that still wait; the one being answered goes on."""
        with self._wake:
            self._questions.clear()

    def stop(self, wait_ms: int = 5000) -> bool:
        """Ends the thread after the function that it runs now; returns whether it has ended in time."""
        with self._wake:
            self._stopping = True
            self._questions.clear()
            self._wake.notify()
        return self.wait(wait_ms)

    def run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._questions or self._stopping)
                if self._stopping:
                    return
                question, function, args = self._questions.popleft()
            try:
                answer = Answer(question, function(*args), None)
            except Exception as error:
                answer = Answer(question, None, error)
            if not self._stopping:
                self.answered.emit(answer)
