"""Runs that another process trains, seen in the window: real processes, real files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt, QTimer
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from explorer.training.events import Epoch, Finished, Started, Steps, to_document
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.training.run_lock import LOCK, SILENCE
from explorer.ui.main_window import MainWindow
from explorer.ui.train.page import TrainPage
from explorer.ui.train.run_model import ELSEWHERE

WAIT = 120_000
ROOT = Path(__file__).parents[2]
STARTED = Started("run", "lenet5", "digits", "cpu", "a processor", "32-true", 61_706, 60, 10, 0, 6, 4, 0)
Write = Callable[..., None]


@pytest.fixture
def shared(tmp_path: Path) -> RunFolder:
    """A run on another disk, as another machine makes it: its name is in the lock, which nobody here can see held."""
    folder = RunFolder.create(Recipe(epochs=4), tmp_path / "shared" / "run")
    (folder.path / LOCK).write_text("other-machine 1234")
    return folder


def steps(last: int, speed: float = 100.0) -> Steps:
    return Steps((last - 1) // 6 + 1, last, (1.0 / last, 2.0 / last), 0.05, speed, 75.0)


def epoch(number: int) -> Epoch:
    return Epoch(number, 6 * number, 1.5, 0.4, 1.25, 0.5 + 0.1 * number, True, 100.0, 0.25)


def show(page: TrainPage, qtbot: QtBot, folder: RunFolder) -> None:
    page.open_run(folder.path)
    qtbot.waitUntil(lambda: page.curves.runs[0].path == str(folder.path), timeout=10_000)


def state(page: TrainPage) -> str:
    return page.figures["state"].text()


def row(page: TrainPage, folder: RunFolder) -> int:
    return [run.path for run in page.runs.model.runs].index(str(folder.path))


@pytest.fixture
def elsewhere(own_runs: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that makes a run among the user's own and trains it."""
    command = ["train", "lenet5", "--dataset", "digits", "--epochs", "500", "--batch-size", "16", "--device", "cpu"]
    with subprocess.Popen(
        [sys.executable, "main.py", *command, "--set", "threads=1", "--json"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "EXPLORER_RUNS": str(own_runs)},
    ) as process:
        yield process
        process.kill()


def test_run_that_another_process_makes_is_listed_and_followed_to_its_end(
    page: TrainPage, qtbot: QtBot, own_runs: Path, elsewhere: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    qtbot.waitUntil(lambda: len(page.runs.model.runs) == 1, timeout=WAIT)
    folder = RunFolder(Path(page.runs.model.runs[0].path))
    page.runs.view.selectRow(0)
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) > 0, timeout=WAIT)
    count = len(page.curves.series("step_loss"))
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) > count + 50, timeout=WAIT)
    qtbot.waitUntil(lambda: len(page.curves.series("validation_accuracy")) > 0, timeout=WAIT)
    assert state(page) == "training elsewhere"
    assert page.figures["epoch"].text().endswith("/ 500")
    assert page.figures["left"].text() != "–"
    qtbot.waitUntil(lambda: page.runs.model.state(page.runs.model.runs[0]) == "elsewhere", timeout=WAIT)

    # What would spoil it is not offered, and refused where it is asked for all the same.
    assert not page.runs.resume.isEnabled()
    assert not page.runs.delete.isEnabled()
    assert "Another process trains this run" in page.runs.resume.toolTip()
    index = page.runs.model.index(0, 0)
    assert index.data(ELSEWHERE)
    assert not page.runs.model.flags(index) & Qt.ItemFlag.ItemIsEditable
    page.forking.show_state()
    assert not page.forking.from_last.isEnabled()
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    page.runs.deleted.emit(str(folder.path))
    assert "is being trained already" in page.banner.text
    assert (folder.path / "recipe.toml").exists()

    elsewhere.kill()
    elsewhere.wait()
    qtbot.waitUntil(lambda: state(page) == "stopped", timeout=WAIT)
    qtbot.waitUntil(page.runs.resume.isEnabled, timeout=WAIT)
    assert page.figures["left"].text() == "–"
    table = folder.read_metrics().steps
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) == len(table), timeout=10_000)
    assert list(page.curves.series("step_loss").y) == table["loss"].tolist()


def test_run_on_a_shared_disk_is_followed_by_its_lines_alone(page: TrainPage, qtbot: QtBot, shared: RunFolder) -> None:
    show(page, qtbot, shared)  # before its first line
    qtbot.waitUntil(lambda: state(page) == "training elsewhere", timeout=10_000)
    for event in (STARTED, steps(2), steps(4)):
        shared.append(event)
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) == 4, timeout=10_000)
    assert page.figures["left"].text() == "1 min 15 s"
    with (shared.path / "metrics.jsonl").open("ab") as file:  # half a line, and later the rest
        line = json.dumps(to_document(steps(6))).encode() + b"\n"
        file.write(line[:70])
        file.flush()
        qtbot.wait(1200)
        assert len(page.curves.series("step_loss")) == 4
        file.write(line[70:])
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) == 6, timeout=10_000)
    shared.append(epoch(1))
    qtbot.waitUntil(lambda: page.figures["best"].text() == "60.00 %", timeout=10_000)
    assert list(page.curves.series("validation_accuracy").x) == [1.0]
    for name in (LOCK, "metrics.jsonl"):
        os.utime(shared.path / name, (time.time() - SILENCE - 5,) * 2)
    qtbot.waitUntil(lambda: state(page) == "no word", timeout=10_000)
    assert "it may have ended" in page.figures["state"].toolTip()
    shared.append(Finished("run", 1, 1, 0.6, None, 1.0))
    qtbot.waitUntil(lambda: state(page) == "finished", timeout=10_000)
    assert (shared.path / LOCK).read_text() == "other-machine 1234", "nothing of it was touched"


def test_run_that_is_resumed_elsewhere_is_read_anew_where_it_was_rewound(
    page: TrainPage, qtbot: QtBot, shared: RunFolder
) -> None:
    for event in (STARTED, steps(2), steps(4), steps(6), epoch(1), steps(8), steps(10)):
        shared.append(event)
    show(page, qtbot, shared)
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) == 10, timeout=10_000)
    page.form.settings["epochs"].set_value(77)
    shared.rewind(1, 6)
    for last in (8, 10, 12):
        shared.append(steps(last, 50.0))
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) == 12, timeout=10_000)
    assert list(page.curves.series("speed").y)[-3:] == [50.0] * 3
    assert page.form.recipe().epochs == 77, "what the user does in the form is left alone"
    shutil.rmtree(shared.path)
    qtbot.waitUntil(lambda: state(page) == "out of reach", timeout=10_000)


def test_followed_run_grows_beside_the_one_that_trains_here(page: TrainPage, qtbot: QtBot, shared: RunFolder) -> None:
    for event in (STARTED, steps(2)):
        shared.append(event)
    page.form.settings["epochs"].set_value(500)
    qtbot.mouseClick(page.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) > 0, timeout=WAIT)
    page.open_run(shared.path)
    qtbot.waitUntil(lambda: len(page.curves.runs) == 2, timeout=WAIT)
    assert str(shared.path) in page.runs.model.checked
    shared.append(steps(4))
    shared.append(epoch(1))
    other = page.curves.runs[1]
    qtbot.waitUntil(lambda: len(other.series["step_loss"]) == 4, timeout=WAIT)
    assert other.best == epoch(1)
    assert state(page) == "training"
    count = len(page.curves.series("step_loss"))
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) > count, timeout=WAIT)
    qtbot.mouseClick(page.halt, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.training, timeout=WAIT)


def test_opened_runs_stay_in_the_list_until_they_are_taken_out(
    page: TrainPage, qtbot: QtBot, settings: QSettings, shared: RunFolder
) -> None:
    show(page, qtbot, shared)
    qtbot.waitUntil(lambda: len(page.runs.model.runs) == 1, timeout=10_000)
    later = TrainPage(settings)
    qtbot.addWidget(later)
    qtbot.waitUntil(lambda: len(later.runs.model.runs) == 1, timeout=10_000)
    qtbot.waitUntil(later.stop, timeout=10_000)
    page.runs.select(str(shared.path))
    next(action for action in page.runs.actions_of_run if action.text() == "Take out of the list").trigger()
    qtbot.waitUntil(lambda: not page.runs.model.runs, timeout=10_000)
    assert (shared.path / "recipe.toml").exists()
    assert settings.value("train/opened") == "[]"


def test_folder_is_opened_from_the_menu_or_refused(
    qtbot: QtBot, settings: QSettings, shared: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = MainWindow(settings)
    qtbot.addWidget(window)
    monkeypatch.setattr("explorer.ui.train.opened_runs.QFileDialog.getExistingDirectory", lambda *_: str(tmp_path))
    window._open_run()
    assert "is not the folder of a run: choose one that holds a recipe.toml" in window.train.banner.text
    window.open_paths([shared.path])
    qtbot.waitUntil(lambda: window.train.curves.runs[0].path == str(shared.path), timeout=10_000)
    assert window.pages.currentWidget() is window.train
    qtbot.waitUntil(lambda: all(page.stop() for page in (window.explore, window.train)), timeout=WAIT)


def test_list_is_not_disturbed_while_a_run_in_it_goes_on(page: TrainPage, qtbot: QtBot, own_runs: Path) -> None:
    folder = RunFolder.create(Recipe(epochs=4))
    qtbot.waitUntil(lambda: len(page.runs.model.runs) == 1, timeout=10_000)
    page.runs.view.selectRow(0)
    page.runs.view.edit(page.runs.model.index(0, 0))
    editing = page.runs.view.State.EditingState
    assert page.runs.view.state() == editing
    folder.append(STARTED)
    folder.append(epoch(1))
    qtbot.waitUntil(lambda: page.runs.model.runs[0].epochs_done == 1, timeout=10_000)
    assert page.runs.view.state() == editing
    assert page.runs.current() is not None


def test_run_that_failed_for_want_of_room_is_tried_again(page: TrainPage, qtbot: QtBot) -> None:
    import resource

    page.form.settings["epochs"].set_value(2)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        qtbot.mouseClick(page.start, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: not page.training, timeout=WAIT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert state(page) == "failed"
    assert "best.safetensors cannot be written" in page.banner.text
    assert page.banner.offer.text() == "Try again"
    qtbot.mouseClick(page.banner.offer, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.training, timeout=WAIT)
    assert state(page) == "finished"
    assert not page.banner.isVisible()
    assert len(page.curves.series("step_loss")) == 90


def test_what_is_new_of_a_followed_run_is_drawn_plot_by_plot(
    page: TrainPage, qtbot: QtBot, shared: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for event in (STARTED, steps(2)):
        shared.append(event)
    show(page, qtbot, shared)
    qtbot.waitUntil(lambda: state(page) == "training elsewhere", timeout=10_000)
    turns = [0]
    timer = QTimer()
    timer.timeout.connect(lambda: turns.append(len(turns)))
    timer.start(0)
    drawn: dict[str, int] = {}
    monkeypatch.setattr(page.curves.ranges, "show", lambda plot: drawn.setdefault(plot, len(turns)))
    shared.append(steps(4))
    qtbot.waitUntil(lambda: len(drawn) == len(page.curves.plots), timeout=10_000)
    timer.stop()
    assert len({*drawn.values()}) == len(drawn), "what the user does comes in between"
