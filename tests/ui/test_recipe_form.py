"""The recipe's form: every setting of the recipe, in sections that fold, with what is wrong where it is wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, QSettings, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QStackedWidget
from pytestqt.qtbot import QtBot

from explorer.architectures.registry import entry
from explorer.training.presets import presets
from explorer.training.recipe import Recipe, default_recipe, load_recipe
from explorer.ui.train.network_chooser import trainable
from explorer.ui.train.page import TrainPage
from explorer.ui.train.recipe_form import OWN_EDITOR, RecipeForm
from explorer.ui.train.recipe_text import RecipeTextDialog
from explorer.ui.widgets.number_box import NumberBox


@pytest.fixture
def form(qtbot: QtBot) -> RecipeForm:
    form = RecipeForm()
    qtbot.addWidget(form)
    form.resize(360, 600)
    form.show()
    return form


@pytest.fixture
def page(qtbot: QtBot, settings: QSettings) -> Iterator[TrainPage]:
    page = TrainPage(settings)
    qtbot.addWidget(page)
    page.show()
    yield page
    while not page.stop():  # no event is handled meanwhile: the page has been asked to go
        pass


def test_every_setting_has_an_editor_in_a_section(form: RecipeForm) -> None:
    assert {field.name for field in fields(Recipe)} == form.settings.keys() | OWN_EDITOR
    placed = [name for section in form.sections.values() for name in section.settings]
    assert sorted(placed) == sorted(form.settings)


@pytest.mark.parametrize("name", [None, *presets()])
def test_form_gives_back_the_recipe_that_it_shows(form: RecipeForm, name: str | None) -> None:
    recipe = presets()[name].recipe_for() if name else default_recipe("lenet5", "cifar10")
    recipe = replace(recipe, learning_rate=3.0517578e-05, seed=2**31 - 1)
    form.set_recipe(recipe)
    assert form.recipe() == recipe


def test_folded_sections_show_what_is_basic_or_not_as_usual(form: RecipeForm) -> None:
    assert form.settings["epochs"].isVisible()
    assert not form.settings["momentum"].isVisible()
    form.sections["Optimiser"].head.click()
    assert form.settings["momentum"].isVisible()
    form.settings["momentum"].editor.field.setValue(0.5)  # type: ignore[attr-defined]
    assert form.settings["momentum"].label.font().bold()
    form.sections["Optimiser"].head.click()
    assert form.settings["momentum"].isVisible(), "what was changed stays in sight"
    form.settings["momentum"].reset()
    assert form.recipe().momentum == 0.9
    assert not form.settings["momentum"].isVisible()


def test_settings_of_another_schedule_are_not_shown(form: RecipeForm) -> None:
    assert not form.settings["milestones"].isVisible()
    form.settings["schedule"].editor.field.setCurrentText("step")  # type: ignore[attr-defined]
    assert form.settings["milestones"].isVisible()
    assert not form.settings["decay"].isVisible()


def test_what_is_wrong_is_told_at_the_field(form: RecipeForm) -> None:
    form.set_value("schedule", "step")
    form.set_value("milestones", "0.5,0.2")
    assert "ascending" in form.settings["milestones"].error.text()
    assert not form.settings["epochs"].error.isVisible()
    form.set_value("milestones", "0.2,0.5")
    assert not form.settings["milestones"].error.isVisible()
    form.set_value("unfreeze", 3)
    assert form.settings["unfreeze"].error.isVisible(), "a folded section shows a setting that is wrong"


def test_recommended_values_come_back_for_another_dataset(form: RecipeForm) -> None:
    form.set_value("epochs", 3)
    form.dataset.setCurrentIndex(form.dataset.findData("cifar10"))
    assert form.recipe() == default_recipe("lenet5", "cifar10")


def test_any_folder_can_be_trained_on(form: RecipeForm, tmp_path: Path) -> None:
    form.data.open_folder(tmp_path / "pictures")
    assert form.recipe().dataset == f"folder:{tmp_path / 'pictures'}"
    assert form.dataset.currentText() == "pictures"


def test_wheel_scrolls_the_form_and_changes_nothing(form: RecipeForm) -> None:
    field = form.settings["epochs"].editor.field
    assert not field.hasFocus()
    turn = QWheelEvent(
        QPointF(5, 5),
        field.mapToGlobal(QPointF(5, 5)),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(field, turn)
    assert form.recipe() == default_recipe("lenet5", "digits")


def test_only_classifiers_are_offered_by_family(form: RecipeForm, qtbot: QtBot) -> None:
    names = [one.name for one in trainable()]
    assert {"lenet5", "resnet50"} <= {*names}
    assert all(entry(name).task == "classification" for name in names)
    families = [one.family for one in trainable()]
    assert len([*itertools.groupby(families)]) == len({*families})
    chooser = form.network
    chooser.open()
    qtbot.keyClicks(chooser.list.search, "resnet20_")
    qtbot.keyClick(chooser.list.search, Qt.Key.Key_Return)
    assert form.recipe().architecture == "resnet20_cifar"
    chooser.open()
    qtbot.keyClicks(chooser.list.search, "timm:resnet18")
    qtbot.keyClick(chooser.list.search, Qt.Key.Key_Return)
    assert form.recipe().architecture == "timm:resnet18"
    assert not chooser.list.isVisible()


def test_network_of_another_task_is_refused_in_one_line(page: TrainPage) -> None:
    page.choose_network("dncnn_s", {}, "denoising")
    assert page.form.recipe().architecture == "lenet5"
    assert "denoising" in page.form.network_note.message
    page.choose_network("resnet18", {})
    assert not page.form.network_note.isVisible()


def test_presets_fill_the_form_and_tell_their_source(page: TrainPage) -> None:
    page.bar.presets.aboutToShow.emit()
    actions = {action.data(): action for action in page.bar.presets.actions() if action.data()}
    assert "He" in actions["resnet-cifar"].toolTip()
    actions["resnet-cifar"].trigger()
    assert page.form.recipe() == presets()["resnet-cifar"].recipe_for()
    page.bar.keep.setChecked(True)
    actions["lenet-1998"].trigger()
    assert page.form.recipe() == presets()["lenet-1998"].recipe_for("resnet20_cifar", "cifar10")


def test_recipe_is_saved_and_opened_again(page: TrainPage, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    page.form.set_value("epochs", 77)
    recipe = page.form.recipe()
    page.bar.save(path, recipe)
    assert load_recipe(path) == recipe
    page.form.recommend()
    page.open_recipe(path)
    assert page.form.recipe() == recipe
    path.write_text("epochs = 0")
    page.open_recipe(path)
    assert "epochs must be" in page.banner.text
    assert page.form.recipe() == recipe


def test_text_is_edited_both_ways_and_mistakes_are_told_with_their_line(qtbot: QtBot, form: RecipeForm) -> None:
    dialog = RecipeTextDialog(form.recipe(), form)
    qtbot.addWidget(dialog)
    dialog.show()
    text = dialog.text.toPlainText()
    line = text.splitlines().index("epochs = 20") + 1
    dialog.text.setPlainText(text.replace("epochs = 20", "epochs = -1"))
    assert not dialog.use.isEnabled()
    assert dialog.error.message.startswith(f"Line {line}: epochs must be")
    assert len(dialog.text.extraSelections()) == 1
    dialog.text.setPlainText(text.replace("epochs = 20", "epochs = 21"))
    assert dialog.use.isEnabled()
    assert not dialog.error.message
    dialog.use.click()
    assert dialog.recipe == replace(form.recipe(), epochs=21)


def test_numbers_are_written_as_people_write_them(qtbot: QtBot) -> None:
    box = NumberBox()
    qtbot.addWidget(box)
    box.setRange(1e-9, 1000)
    box.setValue(1e-7)
    assert box.text() == "1e-07"
    box.lineEdit().selectAll()
    qtbot.keyClicks(box, "2.5e-4")
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == 2.5e-4
    box.setValue(0.1)
    box.stepBy(-1)
    assert box.text() == "0.099"
    box.setValue(0.1)
    box.stepBy(2)
    assert box.text() == "0.12"
    box.setRange(0, 1)
    box.setValue(0)
    box.stepBy(1)
    assert box.text() == "0.01"


def test_an_unusual_setting_stays_marked_when_the_form_comes_into_a_window(qtbot: QtBot, qapp: QApplication) -> None:
    before = qapp.styleSheet()
    qapp.setStyleSheet("QLabel#title { font-weight: 600; }")
    window, form = QStackedWidget(), RecipeForm()
    qtbot.addWidget(window)
    window.show()
    try:
        form.set_recipe(replace(default_recipe("lenet5", "digits"), epochs=42))
        window.addWidget(form)
        qtbot.waitUntil(form.settings["epochs"].label.isVisible, timeout=5000)
        assert form.settings["epochs"].label.font().bold()
        assert not form.settings["batch_size"].label.font().bold()
    finally:
        qapp.setStyleSheet(before)
