"""Runs beside the current one: which are checked in the list, read behind the window, drawn in the curves."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QFileDialog

from explorer.training.run_folder import RunFolder, RunSummary
from explorer.ui.background import Answer, Background
from explorer.ui.train.curves import Curves
from explorer.ui.train.imported_run import read_tensorboard
from explorer.ui.train.run_curves import RunCurves, read_curves
from explorer.ui.train.run_list import RunList
from explorer.ui.train.run_model import run_name

MOST_RUNS = 20
"""That are drawn beside the current one."""


def _rename(path: str, title: str) -> None:
    RunFolder(Path(path)).rename(title)


def _told_apart(run: RunSummary, names: Counter[str]) -> str:
    """Returns a run's name, with the time of its folder where others have the same."""
    name = run_name(run)
    return f"{name} · {run.name[5:19].replace('_', ' ')}" if names[name] > 1 else name


class Comparison(QObject):
    """Keeps the curves on show and the list's check marks together, and remembers them."""

    failed = Signal(str)
    """What could not be read or written."""

    def __init__(self, runs: RunList, curves: Curves, background: Background, settings: QSettings) -> None:
        super().__init__(curves)
        self._runs, self._curves, self._background, self._settings = runs, curves, background, settings
        self._read: dict[str, RunCurves] = {}
        self._imported: dict[str, RunCurves] = {}
        self._questions: dict[int, str] = {}
        try:
            paths = json.loads(str(settings.value("train/compared", "[]")))
        except ValueError:
            paths = []
        runs.model.checked = [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
        runs.checked_changed.connect(self.refresh)
        runs.renamed.connect(self._renamed)
        background.answered.connect(self._answered)
        curves.bar.import_wanted.connect(self._choose_import)
        curves.bar.imports_removed.connect(self.remove_imports)

    def refresh(self) -> None:
        """Draws the checked runs, once they are all read; runs that are gone lose their check mark."""
        known = {run.path: run for run in self._runs.model.runs}
        checked = self._runs.model.checked
        self._settings.setValue("train/compared", json.dumps(checked))
        current = self._curves.runs[0].path
        wanted = [path for path in checked if path in known and path not in (current, self._runs.model.active)]
        wanted = wanted[:MOST_RUNS]
        for path in wanted:
            if path not in self._read and path not in self._questions.values():
                self._questions[self._background.ask(read_curves, path)] = path
        self._read = {path: curves for path, curves in self._read.items() if path in wanted}
        names = Counter(run_name(known[path]) for path in (current, *wanted) if path in known)
        for path, curves in self._read.items():
            curves.name = _told_apart(known[path], names)
        if current in known:
            self._curves.name_run(current, _told_apart(known[current], names))
        drawn = [self._read[path] for path in wanted if path in self._read]
        drawn += self._imported.values()
        if [id(run) for run in drawn] != [id(run) for run in self._curves.runs[1:]]:
            self._curves.compare(drawn)
        colours: dict[str, QColor] = {}
        for run in self._curves.runs:
            colour = self._curves.colour_of(run.path)
            if colour is not None:
                colours[run.path] = colour
        self._runs.model.set_colours(colours)

    def import_folder(self, path: str) -> None:
        """Draws the curves in a folder of TensorBoard's along; they are read once and stay as they are."""
        self._questions[self._background.ask(read_tensorboard, path)] = path

    def remove_imports(self) -> None:
        """Draws what was imported no longer."""
        self._imported.clear()
        self.refresh()

    def _choose_import(self) -> None:
        path = QFileDialog.getExistingDirectory(self._curves, "Folder with TensorBoard's event files")
        if path:
            self.import_folder(path)

    def forget(self, path: str) -> None:
        """Reads a run anew when it is wanted: it has been trained on."""
        self._read.pop(path, None)

    def _renamed(self, path: str, title: str) -> None:
        self._questions[self._background.ask(_rename, path, title)] = ""
        self.refresh()

    def _answered(self, answer: Answer) -> None:
        path = self._questions.pop(answer.id, None)
        if path is None:
            return
        if isinstance(answer.result, RunCurves):
            known = any(run.path == path for run in self._runs.model.runs)
            (self._read if known else self._imported)[path] = answer.result
        elif answer.error is not None:
            if path:
                self._runs.model.checked = [other for other in self._runs.model.checked if other != path]
            self.failed.emit(str(answer.error))
        self.refresh()
