"""Exports a network in a process of its own, which can be stopped at any time and takes no time from the window."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal, Slot

import explorer
from explorer.inspection.portrait import Portrait
from explorer.inspection.saving import partial_path


class NetworkProcess(QObject):
    """Runs the command `export`, one at a time."""

    finished = Signal(str, bool)
    """What the command said last, and whether the file is there. Not emitted after `stop`."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._path = Path()
        self._process = QProcess(self)
        environment = QProcessEnvironment.systemEnvironment()
        root = str(Path(explorer.__file__).parent.parent)  # of a checkout, which is not installed
        paths = [root, environment.value("PYTHONPATH")]
        environment.insert("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        self._process.setProcessEnvironment(environment)
        self._process.finished.connect(self._end)
        self._process.errorOccurred.connect(self._fail)

    @property
    def running(self) -> bool:
        """Whether an export is under way."""
        return self._process.state() != QProcess.ProcessState.NotRunning

    def start(self, portrait: Portrait, path: Path) -> None:
        """Begins to export a network with its size of input and options."""
        arguments = ["-m", "explorer", "export", portrait.entry.name, "--output", str(path)]
        arguments += ["--input", ",".join(map(str, portrait.input))]
        for name, value in portrait.chosen:
            arguments += ["--set", f"{name}={value}"]
        self._path = path
        self._process.start(sys.executable, arguments)

    def stop(self) -> None:
        """Gives the export up; the file stays what it was."""
        if self.running:
            partial = partial_path(self._path, self._process.processId())
            self._process.blockSignals(True)
            self._process.kill()
            self._process.waitForFinished(1000)
            self._process.blockSignals(False)
            with suppress(OSError):
                partial.unlink()

    @Slot()
    def _end(self) -> None:
        text = bytes(self._process.readAllStandardError().data()).decode(errors="replace")
        lines = [line.removeprefix("architecture-explorer: ") for line in text.splitlines() if line.strip()]
        done = self._process.exitStatus() == QProcess.ExitStatus.NormalExit and self._process.exitCode() == 0
        self.finished.emit(lines[-1] if lines else "the export ended without a word", done)

    @Slot(QProcess.ProcessError)
    def _fail(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:  # in all other cases it finishes as well
            self.finished.emit(f"the export could not start: {self._process.errorString()}", False)
