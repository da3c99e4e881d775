"""What the live curves cost training: one run in the window, with frames for two seconds and without for two, in turn.

    python tests/benchmarks/live_curves.py [--seconds 60] [--architecture lenet5] [--threads 0] [--side 0] [--ticks]

Needs an X display (`xvfb-run -a python …` gives one). Two processes of the same program differ by more than the curves
cost, since memory lies otherwise in each; within one, pairs of neighbouring seconds do not. Prints steps/s with and
without, and the median of their ratios pair by pair. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections import deque

from training_with_window import close, open_window

TURN = 2.0
"""Seconds with or without frames."""


def measure(arguments: argparse.Namespace) -> None:
    """Trains in the window for a while and prints steps/s with frames and without."""
    from PySide6.QtCore import QEventLoop, Qt, QTimer

    from explorer.training.events import Event, Steps

    application, window = open_window(arguments)
    page, frames = window.train, window.train._frames
    ticks = QTimer()
    ticks.setTimerType(Qt.TimerType.PreciseTimer)
    ticks.timeout.connect(lambda: None)
    steps = 0

    class Counted(deque[Event]):
        """The trainer's events, whose steps are counted when training hands them over."""

        def append(self, event: Event) -> None:
            nonlocal steps
            steps += len(event.losses) if isinstance(event, Steps) else 0
            super().append(event)

    def turn(shown: bool) -> float:
        """Returns the steps/s of a turn."""
        if shown:
            frames.start()
        else:
            frames._timer.stop()
        if shown and arguments.ticks:
            ticks.start(16)
        else:
            ticks.stop()
        before, since = steps, time.perf_counter()
        wait = QEventLoop()
        QTimer.singleShot(round(1000 * TURN), wait.quit)
        wait.exec()
        return (steps - before) / (time.perf_counter() - since)

    page.begin()
    assert page.trainer is not None
    page.trainer.events = Counted()
    while not steps:
        application.processEvents()
    turn(True)  # the first one warms up
    turns = [(turn(True), turn(False)) for _ in range(round(arguments.seconds / TURN / 2))]
    shown, hidden = (statistics.median(column) for column in zip(*turns, strict=True))
    ratios = sorted(with_frames / without for with_frames, without in turns)
    print(
        f"{shown:,.0f} steps/s with frames, {hidden:,.0f} without; ratio {statistics.median(ratios):.3f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}, {len(ratios)} pairs)"
    )
    close(application, window)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--architecture", default="lenet5")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as the app takes by itself")
    parser.add_argument("--side", type=int, default=0, help="of colour images; 0: the network's own input")
    parser.add_argument("--ticks", action="store_true", help="a 60 Hz timer ticks with the frames")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["EXPLORER_RUNS"] = folder
        measure(argparse.Namespace(**vars(parser.parse_args()), epochs=100_000))


if __name__ == "__main__":
    main()
