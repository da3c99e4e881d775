"""Steering a run: to the end of its epoch, to another rate, and one run after the other."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from explorer.training.events import Epoch, RateChanged, Steps, from_document
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.ui.train.page import TrainPage

WAIT = 120_000
ROOT = Path(__file__).parents[2]


def new_page(qtbot: QtBot, settings: QSettings) -> TrainPage:
    page = TrainPage(settings)
    qtbot.addWidget(page)
    page.resize(1200, 760)
    page.show()
    return page


@pytest.fixture
def page(qtbot: QtBot, settings: QSettings) -> Iterator[TrainPage]:
    page = new_page(qtbot, settings)
    yield page
    while not page.stop():  # no event is handled meanwhile: the page has been asked to go
        pass


def set_epochs(page: TrainPage, epochs: int) -> None:
    page.form.settings["epochs"].set_value(epochs)


def start(page: TrainPage, qtbot: QtBot, epochs: int) -> None:
    set_epochs(page, epochs)
    qtbot.mouseClick(page.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) > 0, timeout=WAIT)


def enqueue(page: TrainPage, qtbot: QtBot, epochs: int) -> None:
    count = len(page.queue.paths())
    set_epochs(page, epochs)
    qtbot.mouseClick(page.controls.enqueue, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(page.queue.paths()) == count + 1, timeout=10_000)


def wait_for_all(page: TrainPage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not page.training and not page.queue.paths(), timeout=WAIT)


def events_of(path: Path, kind: type) -> list[object]:
    return [event for event in map(from_document, RunFolder(path).metrics()) if isinstance(event, kind)]


def test_stop_after_this_epoch_ends_with_a_whole_epoch(page: TrainPage, qtbot: QtBot, own_runs: Path) -> None:
    start(page, qtbot, epochs=500)
    page.controls.after_epoch.trigger()
    assert page.figures["state"].text() == "last epoch"
    wait_for_all(page, qtbot)
    assert page.figures["state"].text() == "stopped"
    run = next(own_runs.iterdir())
    (*_, epoch) = events_of(run, Epoch)
    (*_, steps) = events_of(run, Steps)
    assert isinstance(epoch, Epoch)
    assert isinstance(steps, Steps)
    assert epoch.step == steps.step, "no step of the next epoch was taken"
    assert RunFolder(run).summary().resumable


@pytest.mark.slow
def test_stop_after_this_epoch_can_be_taken_back(page: TrainPage, qtbot: QtBot, own_runs: Path) -> None:
    start(page, qtbot, epochs=3)
    page.controls.after_epoch.trigger()
    page.controls.after_epoch.trigger()
    wait_for_all(page, qtbot)
    assert len(events_of(next(own_runs.iterdir()), Epoch)) == 3


def test_rate_is_changed_from_the_menu_and_marked_on_the_curve(page: TrainPage, qtbot: QtBot, own_runs: Path) -> None:
    start(page, qtbot, epochs=500)
    page.controls.rates.aboutToShow.emit()
    texts = [action.text() for action in page.controls.rates.actions()]
    assert texts[0].startswith("Now 0.0")
    page.controls.rates.actions()[1].trigger()
    qtbot.waitUntil(lambda: len(page.curves.runs[0].rate_changes) == 1, timeout=WAIT)
    qtbot.mouseClick(page.halt, Qt.MouseButton.LeftButton)
    wait_for_all(page, qtbot)
    run = next(own_runs.iterdir())
    (change,) = events_of(run, RateChanged)
    assert isinstance(change, RateChanged)
    assert change.factor == pytest.approx(0.1, rel=0.05)
    page.open_run(run)
    qtbot.waitUntil(lambda: not page._read_question, timeout=10_000)
    assert page.curves.runs[0].rate_changes == [change]


def test_queue_trains_one_run_after_the_other_whatever_becomes_of_one(
    page: TrainPage, qtbot: QtBot, own_runs: Path
) -> None:
    enqueue(page, qtbot, epochs=1)
    page.form.data.set_value("mnist", str(own_runs / "nowhere"))
    enqueue(page, qtbot, epochs=1)
    page.form.data.set_value("digits", "")
    enqueue(page, qtbot, epochs=2)
    paths = page.queue.paths()
    assert len(paths) == 3
    qtbot.mouseClick(page.queue.start, Qt.MouseButton.LeftButton)
    wait_for_all(page, qtbot)
    assert [RunFolder(Path(path)).summary().finished for path in paths] == [True, False, True]
    assert "nowhere" in page.banner.text
    assert not page.queue.isVisible()


def test_run_that_is_stopped_by_hand_leaves_the_queue_waiting(page: TrainPage, qtbot: QtBot) -> None:
    start(page, qtbot, epochs=500)
    enqueue(page, qtbot, epochs=1)
    qtbot.mouseClick(page.halt, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.training, timeout=WAIT)
    assert len(page.queue.paths()) == 1
    assert page.queue.start.isVisible()


def test_queue_is_put_in_order_and_emptied_from_the_keyboard(page: TrainPage, qtbot: QtBot) -> None:
    for epochs in (1, 2, 3):
        enqueue(page, qtbot, epochs)
    one, two, three = page.queue.paths()
    view = page.queue.view
    view.setFocus()
    view.setCurrentRow(2)
    qtbot.keyClick(view, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert page.queue.paths() == [one, three, two]
    qtbot.keyClick(view, Qt.Key.Key_Delete)
    assert page.queue.paths() == [one, two]
    qtbot.waitUntil(lambda: not Path(three).exists(), timeout=10_000)
    assert Path(two).exists()


def test_queue_outlives_the_window(qtbot: QtBot, settings: QSettings, own_runs: Path) -> None:
    first = new_page(qtbot, settings)
    enqueue(first, qtbot, epochs=1)
    enqueue(first, qtbot, epochs=2)
    paths = first.queue.paths()
    qtbot.waitUntil(first.stop, timeout=10_000)
    (Path(paths[0]) / "metrics.jsonl").write_text("", "utf-8")  # begun in another window meanwhile
    second = new_page(qtbot, settings)
    qtbot.waitUntil(lambda: bool(second.queue.paths()), timeout=10_000)
    assert second.queue.paths() == paths[1:]
    assert not second.training, "what waits begins when it is told to"
    qtbot.waitUntil(second.stop, timeout=10_000)


def test_end_is_told_to_a_window_that_is_not_active(
    page: TrainPage, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerted: list[object] = []
    monkeypatch.setattr(QApplication, "alert", lambda window, *_: alerted.append(window))
    monkeypatch.setattr(page, "isActiveWindow", lambda: False)
    start(page, qtbot, epochs=1)
    wait_for_all(page, qtbot)
    assert alerted == [page.window()]


@pytest.mark.slow
def test_two_processes_never_train_or_delete_the_same_run(
    page: TrainPage, qtbot: QtBot, own_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder.create(Recipe(epochs=500))
    command = [sys.executable, str(ROOT / "main.py"), "train", "lenet5", "--run-dir", str(folder.path), "--resume"]
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        while '"epoch", ' not in other.stdout.readline():
            pass
        page._resume(str(folder.path))
        qtbot.waitUntil(lambda: not page.training, timeout=WAIT)
        assert "is being trained already" in page.banner.text
        page.banner.hide()
        monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
        page.runs.deleted.emit(str(folder.path))
        assert "is being trained already" in page.banner.text
        assert (folder.path / "recipe.toml").exists()
        other.terminate()
        told = other.stdout.read()
    assert told
    steps = [event.step for event in events_of(folder.path, Steps) if isinstance(event, Steps)]
    assert steps == sorted(set(steps))
    assert folder.load_checkpoint() is not None
