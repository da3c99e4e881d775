"""Where the window keeps new runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QMenu, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from explorer.errors import InputError
from explorer.training.recipe import Recipe
from explorer.training.run_folder import PLACE, RunFolder, list_runs, runs_folder
from explorer.ui.train.page import TrainPage
from explorer.ui.train.run_places import RunPlaces

WAIT = 60_000


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_runs: Path) -> Path:
    """The user's folder of runs where no variable names another one."""
    monkeypatch.delenv(PLACE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "share")
    return runs_folder()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "another disk"
    folder.mkdir()
    return folder


def places_of(settings: QSettings, qtbot: QtBot) -> RunPlaces:
    parent = QWidget()
    qtbot.addWidget(parent)
    return RunPlaces(QToolButton(parent), settings, parent)


def entries(places: RunPlaces) -> dict[str, bool]:
    menu = places._button.menu()
    assert isinstance(menu, QMenu)
    menu.aboutToShow.emit()
    return {action.text(): action.isEnabled() for action in menu.actions() if not action.isSeparator()}


def choose(places: RunPlaces, qtbot: QtBot, folder: Path) -> None:
    with qtbot.waitSignal(places.changed, timeout=WAIT):
        places.choose(str(folder))
    assert places.stop(WAIT)


def test_new_runs_go_to_the_chosen_folder_and_those_of_before_stay_listed(
    usual: Path, elsewhere: Path, page: TrainPage, qtbot: QtBot, settings: QSettings
) -> None:
    before = RunFolder.create(Recipe(epochs=1)).path
    assert before.parent == usual
    places = page.listing.places
    with qtbot.waitSignal(places.changed, timeout=WAIT):
        places.choose(str(elsewhere))
    page.form.set_recipe(Recipe(epochs=1))
    page.enqueue()
    qtbot.waitUntil(lambda: page.queue.paths() != [], timeout=WAIT)
    assert Path(page.queue.paths()[0]).parent == elsewhere
    page.begin()
    qtbot.waitUntil(lambda: page.trainer is None and not page.queue.paths(), timeout=WAIT)
    assert {path.parent for path in map(Path, (run.path for run in list_runs((), places.others)))} == {usual, elsewhere}
    qtbot.waitUntil(lambda: len(page.runs.model.runs) == 3, timeout=WAIT)
    assert str(before) in {run.path for run in page.runs.model.runs}
    assert len([*elsewhere.iterdir()]) == 2
    assert [*usual.iterdir()] == [before]


def test_the_choice_is_remembered_and_can_be_taken_back(
    usual: Path, elsewhere: Path, settings: QSettings, qtbot: QtBot
) -> None:
    places = places_of(settings, qtbot)
    assert places.chosen is None
    assert entries(places) == {str(usual): True, "&Keep new runs in…": True, "Back to the &usual folder": False}
    choose(places, qtbot, elsewhere)
    again = places_of(settings, qtbot)
    assert again.chosen == elsewhere
    assert str(elsewhere) in again._button.toolTip()
    assert entries(again) == {str(elsewhere): True, "&Keep new runs in…": True, "Back to the &usual folder": True}
    again.go_back()
    assert again.chosen is None
    assert again.others == [elsewhere], "its runs are still there to be listed"
    assert places_of(settings, qtbot).chosen is None


def test_a_folder_that_cannot_be_written_is_refused(
    usual: Path, tmp_path: Path, settings: QSettings, qtbot: QtBot
) -> None:
    places = places_of(settings, qtbot)
    with qtbot.waitSignal(places.failed, timeout=WAIT) as failed:
        places.choose(str(tmp_path / "nowhere"))
    assert f"cannot be kept in {tmp_path / 'nowhere'} (" in failed.args[0]
    assert f"they go to {usual} as before" in failed.args[0]
    assert places.chosen is None
    assert places.stop(WAIT)


def test_the_environment_variable_comes_first(
    elsewhere: Path, own_runs: Path, settings: QSettings, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as unset:
        unset.delenv(PLACE)
        choose(places_of(settings, qtbot), qtbot, elsewhere)
    places = places_of(settings, qtbot)
    assert places.chosen is None
    assert places.current == own_runs
    assert places.others == []
    assert entries(places)[f"Set by {PLACE}"] is False


def test_a_run_is_not_made_in_place_of_a_disk_that_is_gone(elsewhere: Path) -> None:
    elsewhere.rmdir()
    with pytest.raises(InputError, match="cannot be made"):
        RunFolder.create(Recipe(), place=elsewhere)
    assert not elsewhere.exists()


def test_runs_of_several_places_are_listed_by_their_time_and_once(own_runs: Path, elsewhere: Path) -> None:
    names = ["2026-01-01_00-00-00_a", "2026-01-02_00-00-00_b", "2026-01-03_00-00-00_c"]
    folders = [elsewhere / names[0], own_runs / names[1], elsewhere / names[2]]
    for folder in folders:
        RunFolder.create(Recipe(), folder)
    listed = [run.name for run in list_runs((str(folders[0]),), (elsewhere, own_runs, elsewhere.parent / "gone"))]
    assert listed == [names[0], names[2], names[1]]
