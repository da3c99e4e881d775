"""A thread that iterates a generator, for work that tells how far it is and can be cancelled."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

from PySide6.QtCore import QObject, QThread

_computing = threading.Lock()


@contextmanager
def alone(given_up: Callable[[], bool]) -> Iterator[bool]:
    """Keeps two threads from training at once, since how many threads torch computes with is one number for all.

    Args:
        given_up: asked while another thread trains; true ends the waiting.

    Yields:
        whether it was this thread's turn.
    """
    while not given_up():
        if _computing.acquire(timeout=0.02):
            try:
                yield True
            finally:
                _computing.release()
            return
    yield False


class Iteration(QThread):
    """Collects what a generator yields. `finished` is emitted at every end; then `result` or `error` is there.

    Two that compute never do so at once, nor while a run is trained; what comes second waits.

    Whoever owns it stops it and waits before dropping it.
    """

    def __init__(
        self, begin: Callable[[], Generator[object, None, object]], parent: QObject, computes: bool = True
    ) -> None:
        """Prepares the work.

        Args:
            begin: called on the thread, once torch is loaded; must not touch widgets.
            parent: keeps this thread alive.
            computes: whether it trains; what only reads files need not wait for its turn.
        """
        super().__init__(parent)
        self._begin, self._computes = begin, computes
        self.steps: deque[object] = deque()
        self.result: object = None
        self.error: Exception | None = None
        self.stopping = False
        """Whether it has been asked to end."""

    def stop(self) -> None:
        """Ends after the step in flight; returns at once."""
        self.stopping = True

    def run(self) -> None:
        try:
            from explorer.ui.torch_loading import load_torch

            load_torch()
            if self._computes:
                with alone(self._is_stopping):
                    self._iterate()
            else:
                self._iterate()
        except Exception as error:
            self.error = error

    def _is_stopping(self) -> bool:
        return self.stopping

    def _iterate(self) -> None:
        if self.stopping:
            return
        steps = self._begin()
        try:
            while not self.stopping:
                self.steps.append(next(steps))
        except StopIteration as end:
            self.result = end.value
        finally:
            steps.close()


def end_iterations(owner: QObject, wait_ms: int) -> bool:
    """Stops what runs below an object; returns whether all of it has ended."""
    running = [iteration for iteration in owner.findChildren(Iteration) if iteration.isRunning()]
    for iteration in running:
        iteration.stop()
    return all(iteration.wait(wait_ms) for iteration in running)
