"""A dialog around work that begins with it and ends with it."""

from __future__ import annotations

from collections.abc import Callable, Generator

from PySide6.QtCore import QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog

from explorer.ui.train.iteration import Iteration


class IterationDialog(QDialog):
    """Runs one `Iteration` while it is open; it goes when it is closed and the thread has ended."""

    iteration: Iteration

    def work(
        self, begin: Callable[[], Generator[object, None, object]], poll_ms: int = 50, computes: bool = True
    ) -> None:
        """Starts the work; `take_steps` is called while it goes on, and `show_end` after it.

        Args:
            begin: as for `Iteration`.
            poll_ms: from one look at what is new to the next.
            computes: as for `Iteration`.
        """
        self.iteration = Iteration(begin, self, computes)
        self._poll = QTimer(self)
        self._poll.setInterval(poll_ms)
        self._poll.timeout.connect(self.take_steps)
        self.iteration.finished.connect(self._ended)
        self._poll.start()
        self.iteration.start()

    def take_steps(self) -> None:
        """Shows what has come."""
        raise NotImplementedError

    def show_end(self) -> None:
        """Shows result or error."""
        raise NotImplementedError

    def _ended(self) -> None:
        self._poll.stop()
        self.take_steps()
        if not self.iteration.stopping:
            self.show_end()

    def done(self, result: int) -> None:
        """Closes the window; it goes when its thread has ended."""
        self.iteration.stop()
        self._poll.stop()
        super().done(result)
        if self.iteration.isRunning():
            self.iteration.finished.connect(self.deleteLater)
        else:
            self.deleteLater()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.done(0)
        event.accept()
