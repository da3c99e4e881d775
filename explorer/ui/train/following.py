"""Runs on show that other processes train, here or on another machine with the same disk: what they write is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from explorer.training.events import Epoch, Event, Steps
from explorer.training.metrics_index import METRICS, Place, read_on
from explorer.training.run_lock import SILENCE, Trained, trained
from explorer.ui.background import Answer, Background
from explorer.ui.train.curves import Curves
from explorer.ui.train.figures import Figures
from explorer.ui.train.frames import Frames
from explorer.ui.train.run_curves import RunCurves

POLL_MS = 500


@dataclass(frozen=True, slots=True)
class News:
    """What a run has told since it was last looked at."""

    path: str
    since: Place
    events: tuple[Event, ...] = ()
    place: Place | None = None
    """Up to where its metrics have been read now; None where they are to be read anew."""
    trained: Trained = ""
    there: bool = True
    """Whether its folder can be reached."""


def look(runs: Sequence[tuple[str, Place]]) -> list[News]:
    """Returns what has become of some runs, by their folders and up to where they have been read; takes no lock."""
    found = []
    for path, since in runs:
        state = trained(Path(path))  # before the lines: of a run that has ended, all of them are there
        try:
            read = read_on(Path(path) / METRICS, since)
        except OSError:  # one that has just been made has no metrics yet
            found.append(News(path, since, (), since, state, there=since.end == 0 and Path(path).is_dir()))
            continue
        events, place = read if read is not None else ([], None)
        found.append(News(path, since, tuple(events), place, state))
    return found


class Following(QObject):
    """Looks at the runs on show twice a second and adds to their curves what is new.

    The figures are those of the current run, unless this window trains it.
    """

    outdated = Signal(str)
    """Folder of a run that is to be read anew."""

    def __init__(self, curves: Curves, figures: Figures, is_training: Callable[[], bool]) -> None:
        """Prepares to look.

        Args:
            curves: the runs on show.
            figures: of the current one.
            is_training: whether this window trains the current one.
        """
        super().__init__(curves)
        self._curves, self._figures, self._is_training = curves, figures, is_training
        self._background = Background(self)
        self._background.answered.connect(self._answered)
        self._question = 0
        self._frames = Frames(curves.parts, lambda: False, self)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.poll)
        self._timer.start(POLL_MS)

    def poll(self) -> None:
        """Looks now, unless nobody would see it."""
        if self._question or not self._curves.isVisible():
            return
        runs = [(run.path, run.read_to) for run in self._followed() if run.read_to is not None]
        if runs:
            self._question = self._background.ask(look, runs)

    def stop(self, wait_ms: int = 100) -> bool:
        """Looks no more; returns whether the thread has ended."""
        self._timer.stop()
        return self._background.stop(wait_ms)

    def _followed(self) -> list[RunCurves]:
        return self._curves.runs[1 if self._is_training() else 0 :]

    def _answered(self, answer: Answer) -> None:
        self._question = 0
        told = False
        for news in answer.result if isinstance(answer.result, list) else ():
            for run in self._followed():
                if run.read_to is news.since:  # and has not been read anew meanwhile
                    self._take(run, news)
                    told = told or bool(news.events)
        if told and not self._is_training():  # else the page draws what is new of all runs
            self._frames.start()

    def _take(self, run: RunCurves, news: News) -> None:
        run.read_to = news.place
        if news.place is None:
            self.outdated.emit(run.path)
            return
        if news.events:
            run.add(news.events)
        if run is self._curves.runs[0]:
            self._show(run, news)

    def _show(self, run: RunCurves, news: News) -> None:
        for event in news.events:
            if isinstance(event, Epoch):
                self._figures.show_epoch(event)
        for steps in [event for event in news.events if isinstance(event, Steps)][-1:]:
            self._figures.show_steps(steps, run.epochs)
        state, told = _state(run, news)
        self._figures["state"].setText(state)
        self._figures["state"].setToolTip(told)
        if news.trained != "training":
            self._figures["left"].setText("–")


def _state(run: RunCurves, news: News) -> tuple[str, str]:
    """Returns how a run stands, in a word or two and in a sentence."""
    if not news.there:
        return "out of reach", f"{run.path} is not there any more, or cannot be read"
    if run.finished:
        return "finished", ""
    if news.trained == "training":
        return "training elsewhere", "Another process trains this run, here or on another machine"
    if news.trained == "silent":
        return "no word", f"No word from the other machine for {SILENCE / 60:.0f} minutes: it may have ended"
    return "stopped", ""
