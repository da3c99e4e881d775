"""A run as text: a line for each epoch, and below them on a terminal a bar that moves."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TYPE_CHECKING

from explorer.cli.console import write
from explorer.data.download import Progress
from explorer.training.events import Epoch, Evaluating, Finished, Started, Steps

if TYPE_CHECKING:
    from explorer.training.events import Event

REDRAW_EVERY = 0.1
"""Seconds: what changes faster cannot be read."""
SMOOTHING = 0.98
"""Share of the mean so far in the loss that is shown: about fifty steps count."""
BAR = 20
"""Width of the bar."""


class TrainingDisplay:
    """Prints events: results to stdout, what is replaced in a moment to stderr where that is a terminal."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._started: Started | None = None
        self._epoch = 1
        self._loss: float | None = None
        self._drawn_at = 0.0
        self._left_out = 0

    def show(self, event: Event) -> None:
        """Prints what an event tells."""
        if isinstance(event, Progress):
            share = event.done / event.total if event.total else None
            self._draw(event.message, share)
        elif isinstance(event, Started):
            self._started = event
            self._print(_heading(event))
        elif isinstance(event, Steps):
            self._draw_steps(event)
        elif isinstance(event, Evaluating):
            self._draw(f"{self._title()} evaluating", event.done / event.total)
        elif isinstance(event, Epoch):
            self._loss = None
            self._print(_row(event, self._started))
            if event.left_out > self._left_out:
                self._print(f"left out so far, as they cannot be decoded: {event.left_out:,} files")
                self._left_out = event.left_out
        elif isinstance(event, Finished):
            test = "" if event.test_accuracy is None else f", {event.test_accuracy:.2%} of the test images"
            told = f"best epoch {event.best_epoch}: {event.best_accuracy:.2%} of the validation images{test}"
            self._print(f"{told}, {clock(event.seconds)} of training")

    def clear(self) -> None:
        """Takes the bar away."""
        if self._live and self._drawn_at:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()

    def _draw_steps(self, event: Steps) -> None:
        self._epoch = event.epoch
        for loss in event.losses:
            self._loss = loss if self._loss is None else SMOOTHING * self._loss + (1 - SMOOTHING) * loss
        steps = self._started.steps_per_epoch if self._started else 1
        done = event.step - (event.epoch - 1) * steps
        told = f"{done:>{len(f'{steps:,}')},}/{steps:,}  loss {self._loss:.4f}  {event.images_per_second:,.0f} images/s"
        self._draw(self._title(), done / steps, f"{told}  {clock(event.seconds_left)} left")

    def _title(self) -> str:
        epochs = self._started.epochs if self._started else self._epoch
        return f"epoch {self._epoch:>{len(str(epochs))}}/{epochs}"

    def _draw(self, title: str, share: float | None, rest: str = "") -> None:
        """Draws the bar anew, unless it has just been drawn."""
        now = time.monotonic()
        if not self._live or now - self._drawn_at < REDRAW_EVERY:
            return
        self._drawn_at = now
        line = title if share is None else f"{title} {_bar(share)} {share:4.0%} {rest}"
        width = shutil.get_terminal_size().columns - 1  # in the last column some terminals begin a new line
        sys.stderr.write(f"\r\033[K{line[:width].rstrip()}")
        sys.stderr.flush()

    def _print(self, text: str) -> None:
        self.clear()
        write(text)


def _heading(event: Started) -> str:
    processes = f"{event.processes} × " if event.processes > 1 else ""
    lines = [
        f"{event.architecture} ({event.params:,} parameters) on {event.dataset}, "
        f"{processes}{event.device_name}, {event.precision}",
        f"{event.train_images:,} training and {event.validation_images:,} validation images, run {event.run}",
    ]
    if event.left_out:
        lines.append(f"left out, as they cannot be read: {event.left_out:,} files; the first is {event.left_out_first}")
    if event.step:
        lines.append(f"goes on after step {event.step:,} of {event.steps_per_epoch * event.epochs:,}")
    lines.append("  epoch      loss  accuracy   validation  accuracy   images/s      time")
    return "\n".join(lines)


def _row(event: Epoch, started: Started | None) -> str:
    place = f"{event.epoch}/{started.epochs}" if started else str(event.epoch)
    ours = f"{place:>7}  {event.train_loss:8.4f}  {event.train_accuracy:8.2%}"
    theirs = f"{event.validation_loss:11.4f}  {event.validation_accuracy:8.2%}"
    return (
        f"{ours}  {theirs}  {event.images_per_second:9,.0f}  {clock(event.seconds):>8}{'  best' if event.best else ''}"
    )


def _bar(share: float) -> str:
    full, rest = "━─" if (sys.stderr.encoding or "").lower().startswith("utf") else "=-"
    done = round(BAR * min(max(share, 0.0), 1.0))
    return full * done + rest * (BAR - done)


def clock(seconds: float) -> str:
    """Returns a duration as m:ss, or h:mm:ss from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
