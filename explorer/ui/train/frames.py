"""When the window shows what training has done: as often as costs it a small share of the time, and no more."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

FRAME_MS = 50
"""From one frame to the next, at least."""
LONGEST_INTERVAL = 1.0
"""Seconds from one frame to the next at most, however much else the window does."""
SHARE = 0.03
"""Of the time, for the window beside training: the two take turns at the interpreter and share the processor."""


class Frames(QObject):
    """Asks for a frame when what the last one took, painting included, is its share of the time since."""

    due = Signal()

    def __init__(self, busy: Callable[[], bool], parent: QObject) -> None:
        """Prepares the pace.

        Args:
            busy: whether something trains; the window needs no moderation when it is over.
            parent: keeps this alive.
        """
        super().__init__(parent)
        self._busy = busy
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._next)
        self._last = (0.0, 0.0)
        """When the last frame began, in seconds: by the clock, and by the work of this thread until then."""

    def start(self) -> None:
        """Begins to ask for frames."""
        self._last = (time.perf_counter(), time.thread_time())
        self._timer.start(FRAME_MS)

    def stop(self) -> None:
        """Asks for no more."""
        self._timer.stop()

    def _next(self) -> None:
        begun, worked = self._last
        interval = min((time.thread_time() - worked) / SHARE, LONGEST_INTERVAL)
        early = interval - (time.perf_counter() - begun)
        if early > 0 and self._busy():
            self._timer.start(math.ceil(1000 * early))
            return
        self._last = (time.perf_counter(), time.thread_time())
        self._timer.start(FRAME_MS)
        self.due.emit()
