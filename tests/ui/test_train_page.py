"""The Train page with a real trainer on the real digits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from explorer.training.fit import fit
from explorer.training.recipe import Recipe, default_recipe
from explorer.training.run_folder import RunFolder
from explorer.ui.train.page import TrainPage
from explorer.ui.train.run_model import Col

WAIT = 120_000


def start(page: TrainPage, qtbot: QtBot, epochs: int) -> None:
    page.form.settings["epochs"].set_value(epochs)
    qtbot.mouseClick(page.start, Qt.MouseButton.LeftButton)
    assert page.training


def wait_for_steps(page: TrainPage, qtbot: QtBot, count: int = 1) -> None:
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) >= count, timeout=WAIT)


def wait_for_end(page: TrainPage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not page.training, timeout=WAIT)
    qtbot.waitUntil(lambda: bool(page.runs.model.runs) and not page.runs.model.active, timeout=10_000)


def test_one_click_trains_and_the_curves_have_every_step(page: TrainPage, qtbot: QtBot, own_runs: Path) -> None:
    shares: list[float] = []
    page.progress_changed.connect(shares.append)
    start(page, qtbot, epochs=2)
    wait_for_end(page, qtbot)
    assert not page.banner.isVisible()
    assert page.figures["state"].text() == "finished"
    assert len(page.curves.series("step_loss")) == 90
    assert len(page.curves.series("validation_accuracy")) == 2
    assert list(page.curves.series("train_loss").x) == [1, 2]
    assert shares[-1] == -1
    assert max(shares) == 1
    run = next(own_runs.iterdir())
    assert {"recipe.toml", "metrics.jsonl", "last.ckpt", "best.safetensors"} <= {file.name for file in run.iterdir()}
    assert page.usable_runs()[0][1] == run


def test_the_window_gives_the_same_numbers_as_a_run_without_one(page: TrainPage, qtbot: QtBot, tmp_path: Path) -> None:
    start(page, qtbot, epochs=2)
    wait_for_end(page, qtbot)
    recipe = replace(default_recipe("lenet5", "digits"), epochs=2)
    alone = RunFolder.create(recipe, tmp_path / "alone")
    for _ in fit(recipe, alone):
        pass
    losses = [loss for event in alone.metrics() if event["event"] == "steps" for loss in event["losses"]]
    assert list(page.curves.series("step_loss").y) == losses
    accuracies = [100 * event["validation_accuracy"] for event in alone.metrics() if event["event"] == "epoch"]
    assert list(page.curves.series("validation_accuracy").y) == accuracies


def test_pause_holds_the_run_and_resume_goes_on(page: TrainPage, qtbot: QtBot) -> None:
    start(page, qtbot, epochs=30)
    wait_for_steps(page, qtbot)
    qtbot.mouseClick(page.pause, Qt.MouseButton.LeftButton)
    assert page.figures["state"].text() == "paused"
    held = -1
    while held != len(page.curves.series("step_loss")):  # on a busy machine the step in flight takes its time
        held = len(page.curves.series("step_loss"))
        qtbot.wait(600)
    assert held < 30 * 45
    assert page.figures["state"].text() == "paused"
    assert page.pause.text() == "Resume"
    qtbot.mouseClick(page.pause, Qt.MouseButton.LeftButton)
    wait_for_steps(page, qtbot, held + 1)
    qtbot.mouseClick(page.halt, Qt.MouseButton.LeftButton)
    wait_for_end(page, qtbot)
    assert page.figures["state"].text() == "stopped"


def test_a_stopped_run_is_resumed_from_the_list_to_its_end(page: TrainPage, qtbot: QtBot, own_runs: Path) -> None:
    start(page, qtbot, epochs=15)  # more than it takes until the page shows the first steps
    wait_for_steps(page, qtbot, 20)
    qtbot.mouseClick(page.halt, Qt.MouseButton.LeftButton)
    wait_for_end(page, qtbot)
    assert page.runs.model.data(page.runs.model.index(0, 3)) == "stopped"
    page.runs.select(str(next(own_runs.iterdir())))
    qtbot.mouseClick(page.runs.resume, Qt.MouseButton.LeftButton)
    assert page.training
    wait_for_end(page, qtbot)
    assert page.figures["state"].text() == "finished"
    assert len(page.curves.series("step_loss")) == 15 * 45, "the steps before the stop are shown once, those after too"


def test_closing_in_mid_training_saves_the_run(qtbot: QtBot, settings: QSettings, own_runs: Path) -> None:
    page = TrainPage(settings)
    qtbot.addWidget(page)
    page.show()
    start(page, qtbot, epochs=500)
    wait_for_steps(page, qtbot)
    qtbot.waitUntil(page.stop, timeout=30_000)
    summary = RunFolder(next(own_runs.iterdir())).summary()
    assert summary.resumable
    assert not summary.finished


def test_a_finished_run_shows_its_curves_when_selected(page: TrainPage, qtbot: QtBot) -> None:
    start(page, qtbot, epochs=1)
    wait_for_end(page, qtbot)
    losses = list(page.curves.series("step_loss").y)
    page.curves.clear()
    page.open_run(Path(page.runs.model.runs[0].path))
    qtbot.waitUntil(lambda: len(page.curves.series("step_loss")) == 45, timeout=10_000)
    assert list(page.curves.series("step_loss").y) == losses
    assert page.figures["state"].text() == "finished"


def test_a_missing_dataset_folder_is_told_in_the_window(page: TrainPage, qtbot: QtBot, tmp_path: Path) -> None:
    page.form.dataset.setCurrentIndex(page.form.dataset.findData("mnist"))
    page.form.folder.setText(str(tmp_path / "nothing"))
    qtbot.mouseClick(page.start, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.training, timeout=WAIT)
    assert page.banner.isVisible()
    assert "nothing" in page.banner.text
    assert page.figures["state"].text() == "failed"
    assert page.start.isEnabled()


def test_a_damaged_metrics_file_still_shows_what_is_readable(page: TrainPage, qtbot: QtBot, own_runs: Path) -> None:
    start(page, qtbot, epochs=1)
    wait_for_end(page, qtbot)
    run = next(own_runs.iterdir())
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"event": "epoch", "epoch": "x"}\n{"event": "steps"}\n\x00\xff garbage\n' + json.dumps([1]) + "\n{")
    page.open_run(run)
    qtbot.waitUntil(lambda: not page._read_question, timeout=10_000)
    assert len(page.curves.series("step_loss")) == 45


def test_a_run_is_deleted_only_after_a_question(
    page: TrainPage, qtbot: QtBot, own_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(page, qtbot, epochs=1)
    wait_for_end(page, qtbot)
    run = next(own_runs.iterdir())
    page.runs.select(str(run))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.No)
    qtbot.mouseClick(page.runs.delete, Qt.MouseButton.LeftButton)
    assert run.is_dir()
    assert page.runs.undo.isHidden()


def test_a_deleted_run_is_taken_back(
    page: TrainPage, qtbot: QtBot, own_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "share").mkdir()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    folder = RunFolder.create(Recipe(epochs=3))
    folder.rename("a run to be kept")
    page.listing.refresh()
    qtbot.waitUntil(lambda: len(page.runs.model.runs) == 1, timeout=WAIT)
    page.runs.select(str(folder.path))
    qtbot.mouseClick(page.runs.delete, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.runs.model.runs == [], timeout=WAIT)
    assert not folder.path.exists()
    qtbot.mouseClick(page.runs.undo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(page.runs.model.runs) == 1, timeout=WAIT)
    assert page.runs.model.runs[0].title == "a run to be kept"
    assert page.runs.undo.isHidden()
    assert not [path for path in (tmp_path / "share").rglob("*") if path.is_file()], "nothing is left in the trash"


def test_buttons_follow_the_selected_run(page: TrainPage, qtbot: QtBot) -> None:
    page.form.set_recipe(Recipe(epochs=500))
    page.begin()
    qtbot.waitUntil(lambda: page.figures["best"].text() != "–", timeout=WAIT)
    qtbot.waitUntil(page.runs.results.isEnabled, timeout=2000)
    page.pause.click()
    assert page.runs.model.state(page.runs.model.runs[0]) == "paused"
    qtbot.waitUntil(lambda: page.runs.model.index(0, Col.STATE).data() == "paused", timeout=5000)
    page.pause.click()
    assert page.runs.model.index(0, Col.STATE).data() == "training"
    page.halt.click()
    wait_for_end(page, qtbot)
    qtbot.waitUntil(page.runs.resume.isEnabled, timeout=WAIT)
    page.runs.search.setText("no run is called so")
    qtbot.waitUntil(lambda: page.runs.view.isRowHidden(0), timeout=5000)
    assert not page.runs.delete.isEnabled(), "what cannot be seen is not deleted"
    assert not page.runs.resume.isEnabled()
    page.runs.search.clear()
    qtbot.waitUntil(page.runs.delete.isEnabled, timeout=5000)


def test_the_recipe_is_remembered(qtbot: QtBot, settings: QSettings) -> None:
    first = TrainPage(settings)
    qtbot.addWidget(first)
    first.form.settings["epochs"].set_value(7)
    first.form.choose_network("resnet18", {})
    qtbot.waitUntil(first.stop, timeout=5000)
    second = TrainPage(settings)
    qtbot.addWidget(second)
    assert second.form.recipe() == first.form.recipe()
    assert second.form.recipe().epochs == 7
    qtbot.waitUntil(second.stop, timeout=5000)


def test_how_auxiliary_heads_learn_is_asked_of_networks_that_have_them(page: TrainPage) -> None:
    form = page.form
    assert not form.settings["auxiliary"].isVisible()
    form.choose_network("googlenet", {"aux": True})
    assert form.settings["auxiliary"].isVisible()
    form.settings["auxiliary"].set_value("in turn")
    recipe = form.recipe()
    assert (recipe.auxiliary, recipe.options) == ("in turn", {"aux": True})
    form.choose_network("lenet5", {})
    assert not form.settings["auxiliary"].isVisible()
    assert form.recipe().auxiliary == "summed"
    form.set_recipe(recipe)
    assert form.settings["auxiliary"].isVisible()
    assert form.recipe() == recipe
