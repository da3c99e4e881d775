"""When the window shows what training has done: as often as costs it a small share of the time, and no more."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QTimer

PART_MS = 16
"""From one part of a frame to the next: what the user does comes in between."""
LONGEST_INTERVAL = 1.0
"""Seconds from one frame to the next at most, however much else the window does."""
SHARE = 0.02
"""Of the time, for the window beside training: the two take turns at the interpreter and share the processor."""


class Frames(QObject):
    """Shows a frame, part by part, when what the last one took, painting included, is its share of the time since."""

    def __init__(self, parts: Sequence[Callable[[], None]], busy: Callable[[], bool], parent: QObject) -> None:
        """Prepares the pace.

        Args:
            parts: of a frame, in their order: each shows something, and none takes more than a few milliseconds.
            busy: whether something trains; the window needs no moderation when it is over.
            parent: keeps this alive.
        """
        super().__init__(parent)
        self._parts, self._busy = parts, busy
        self._place = 0
        """Of the part that comes next."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._next)
        self._last = (0.0, 0.0)
        """When the last frame began, in seconds: by the clock, and by the work of this thread until then."""

    def start(self) -> None:
        """Begins to show frames."""
        self._place = 0
        self._last = (time.perf_counter(), time.thread_time())
        self._timer.start(PART_MS)

    def finish(self) -> None:
        """Shows the rest of a frame whose first part has been shown, and no more."""
        self._place = 1
        self._timer.start(PART_MS)

    def _next(self) -> None:
        busy = self._busy()
        if self._place == 0:
            begun, worked = self._last
            interval = min((time.thread_time() - worked) / SHARE, LONGEST_INTERVAL)
            early = interval - (time.perf_counter() - begun)
            if early > 0 and busy:
                self._timer.start(math.ceil(1000 * early))
                return
            self._last = (time.perf_counter(), time.thread_time())
        part = self._parts[self._place]
        self._place = (self._place + 1) % len(self._parts)
        if self._place or busy:
            self._timer.start(PART_MS)
        part()
