"""Garbage is collected on the GUI thread alone.

Python collects in whichever thread happens to allocate. Widgets that only a cycle of references keeps would then be
destroyed by a thread that is not theirs, which waits for the GUI thread without end or ends the process.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimerEvent

EVERY = 500
"""Milliseconds between looks at how much there may be to collect."""


class GarbageCollection(QObject):
    """Takes the place of Python's own collections for as long as it lives."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.disable()
        self.startTimer(EVERY)

    def timerEvent(self, event: QTimerEvent) -> None:
        """Collects the oldest generation that is due, by Python's own thresholds."""
        counts, thresholds = gc.get_count(), gc.get_threshold()
        due = [age for age in range(3) if counts[age] > thresholds[age] > 0]
        if due:
            gc.collect(max(due))
