"""One thread that answers a page's questions in order, so that nothing slow runs on the GUI thread."""

from __future__ import annotations

import ctypes
import itertools
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QThread, Signal


class CancelledError(Exception):
    """The answer to a question that was cancelled while it was being answered."""


class _Interruption(BaseException):
    """Raised within a function that is to end; not an `Exception`, which a user's code might catch."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one question."""

    id: int
    """The number `ask` returned: a page that has asked anew since drops answers to older numbers."""
    result: object
    error: Exception | None


@dataclass(frozen=True, slots=True)
class _Question:
    id: int
    function: Callable[..., object]
    args: tuple[object, ...]
    interruptible: bool


class Background(QThread):
    """Runs functions one after the other and emits an `Answer` for each.

    The functions must not touch widgets. Whoever owns it calls `stop` before dropping it: a running QThread that is
    destroyed aborts the process.
    """

    answered = Signal(object)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._questions: deque[_Question] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._ids = itertools.count(1)
        self._interruptible = 0
        """The number of the question that is being answered; 0 where that may not be interrupted, and between two."""
        self._guard = threading.Lock()
        """Held where `_interruptible` is decided on."""
        self._thread = 0

    def ask(
        self,
        function: Callable[..., object],
        *args: object,
        newest_only: bool = False,
        interruptible: bool = False,
    ) -> int:
        """Queues `function(*args)` and returns the question's number.

        Args:
            function: runs on this thread; what it raises arrives as the answer's error.
            args: captured state, never widgets.
            newest_only: forget questions that still wait.
            interruptible: whether the function may end before any line of its Python, as building a network may and
                importing or writing may not.
        """
        question = _Question(next(self._ids), function, args, interruptible)
        with self._wake:
            if self._stopping:  # its owner is about to go: a thread that began now might outlive it
                return question.id
            if newest_only:
                self._questions.clear()
            self._questions.append(question)
            self._wake.notify()
        if not self.isRunning():
            self.start()
        return question.id

    def forget(self) -> None:
        """Drops the questions that still wait; the one being answered goes on."""
        with self._wake:
            self._questions.clear()

    def cancel(self, question: int) -> bool:
        """Ends the answering of an interruptible question before the next line of its Python.

        What waits within C goes on until it returns. A question that has not begun is dropped without an answer.

        Returns:
            whether it was being answered; its answer's error is a `CancelledError` then.
        """
        with self._wake:
            self._questions = deque(waiting for waiting in self._questions if waiting.id != question)
        with self._guard:
            if self._interruptible != question or not question:
                return False
            thread, interruption = ctypes.c_ulong(self._thread), ctypes.py_object(_Interruption)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, interruption)
            self._interruptible = 0  # once is enough
            return True

    def stop(self, wait_ms: int = 5000) -> bool:
        """Ends the thread after the function that it runs now; returns whether it has ended in time.

        An interruptible function that has not ended by then is interrupted: the next call will find the thread ended.
        """
        with self._wake:
            self._stopping = True
            self._questions.clear()
            self._wake.notify()
        if self.wait(wait_ms):
            return True
        self.cancel(self._interruptible)
        return False

    def run(self) -> None:
        self._thread = threading.get_ident()
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._questions or self._stopping)
                if self._stopping:
                    return
                question = self._questions.popleft()
            answer = self._answer(question)
            if not self._stopping:
                self.answered.emit(answer)

    def _answer(self, question: _Question) -> Answer:
        """Runs a question's function.

        An interruption comes while `_interruptible` is its number, or not at all: no later than the guard is taken.
        """
        try:
            try:
                self._interruptible = question.id if question.interruptible else 0
                answer = Answer(question.id, question.function(*question.args), None)
            except Exception as error:
                answer = Answer(question.id, None, error)
            with self._guard:
                self._interruptible = 0
            return answer
        except _Interruption:
            return Answer(question.id, None, CancelledError())
