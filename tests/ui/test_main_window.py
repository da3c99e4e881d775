"""The whole window: pages, dropping, theme, and closing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, QSettings, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QImage, QPalette
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from explorer.ui.main_window import MainWindow
from explorer.ui.theme import apply_theme

WAIT = 90_000


@pytest.fixture
def window(qtbot: QtBot, settings: QSettings) -> Iterator[MainWindow]:
    window = MainWindow(settings)
    qtbot.addWidget(window)
    window.show()
    yield window
    close(window, qtbot)


def close(window: MainWindow, qtbot: QtBot) -> None:
    window.close()
    qtbot.waitUntil(lambda: not window._closing.isActive(), timeout=WAIT)


def drop(window: MainWindow, data: QMimeData) -> None:
    """Drops data on the middle of the window, as another program does."""
    actions, buttons, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    middle = window.rect().center()
    enter = QDragEnterEvent(QPoint(middle), actions, data, buttons, keys)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    QApplication.sendEvent(window, QDropEvent(QPointF(middle), actions, data, buttons, keys))


def files(*paths: Path) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def answered(window: MainWindow, count: int) -> bool:
    """Whether so many images are in the list and all have their answer."""
    items = window.classify._images.items
    return len(items) == count and not any(item.waiting for item in items)


def test_a_page_whose_modules_are_not_imported_yet_comes_once_they_are(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "explorer.ui.compare.page", raising=False)
    qtbot.mouseClick(window._buttons.button(3), Qt.MouseButton.LeftButton)
    assert window.pages.currentWidget() is window._loading, "the click is answered at once"
    qtbot.mouseClick(window._buttons.button(0), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "explorer.ui.compare.page" in sys.modules, timeout=30_000)
    qtbot.wait(100)
    assert window.pages.currentWidget() is window.explore, "nobody waits for it any more"
    qtbot.mouseClick(window._buttons.button(3), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.pages.currentWidget() is window._made.get("compare"), timeout=30_000)


def test_the_rail_leads_to_every_page_by_mouse_and_keyboard(window: MainWindow, qtbot: QtBot) -> None:
    for number, name in ((1, "train"), (2, "classify")):
        qtbot.mouseClick(window._buttons.button(number), Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda name=name: window.pages.currentWidget() is window._made.get(name), timeout=30_000)
    qtbot.mouseClick(window._buttons.button(0), Qt.MouseButton.LeftButton)
    assert window.pages.currentWidget() is window.explore
    assert [window._buttons.button(i).shortcut().toString() for i in range(3)] == ["Ctrl+1", "Ctrl+2", "Ctrl+3"]


def test_an_image_dropped_anywhere_is_classified(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    picture = tmp_path / "grey.png"
    Image.new("RGB", (300, 200), (120, 120, 120)).save(picture)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not an image")
    drop(window, files(picture, broken))
    qtbot.waitUntil(lambda: window.pages.currentWidget() is window.classify, timeout=5000)
    qtbot.waitUntil(lambda: answered(window, 2), timeout=WAIT)
    items = window.classify._images.items
    assert len(items[0].predictions) == 5
    assert items[1].error
    assert "not an image" in items[1].error


def test_a_picture_dropped_without_a_file_is_classified(window: MainWindow, qtbot: QtBot) -> None:
    data = QMimeData()
    image = QImage(64, 64, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    data.setImageData(image)
    drop(window, data)
    assert window.pages.currentWidget() is window.classify
    assert len(window.classify._images.items) == 1


def test_text_is_not_taken(window: MainWindow) -> None:
    data = QMimeData()
    data.setText("hello")
    middle = window.rect().center()
    enter = QDragEnterEvent(
        middle, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    enter.ignore()
    QApplication.sendEvent(window, enter)
    assert not enter.isAccepted()


def test_the_network_on_show_goes_to_the_recipe(window: MainWindow, qtbot: QtBot) -> None:
    window.begin("resnet20_cifar")
    qtbot.waitUntil(lambda: window.explore.portrait is not None, timeout=WAIT)
    window._train_current()
    assert window.pages.currentWidget() is window.train
    assert window.train.form.recipe().architecture == "resnet20_cifar"


def test_a_recipe_that_is_dropped_fills_the_form(window: MainWindow, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('architecture = "resnet20_cifar"\ndataset = "cifar10"\nepochs = 7\n')
    window.open_paths([path])
    assert window.pages.currentWidget() is window.train
    recipe = window.train.form.recipe()
    assert (recipe.architecture, recipe.dataset, recipe.epochs) == ("resnet20_cifar", "cifar10", 7)


def test_a_run_trained_in_the_window_classifies(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    window.show_page("train")
    window.train.form.settings["epochs"].set_value(1)
    window.train.begin()
    qtbot.waitUntil(lambda: not window.train.training and bool(window.train.usable_runs()), timeout=WAIT)
    picture = tmp_path / "digit.png"
    Image.new("L", (8, 8), 0).save(picture)
    window._classify_with(str(window.train.usable_runs()[0][1]))
    window.open_paths([picture])
    qtbot.waitUntil(lambda: answered(window, 1), timeout=WAIT)
    items = window.classify._images.items
    assert {prediction.label for prediction in items[0].predictions} <= set("0123456789")


def test_dark_and_light_are_chosen_in_the_menu_and_remembered(
    window: MainWindow, settings: QSettings, qapp: QApplication
) -> None:
    try:
        dark = next(action for action in window._themes.actions() if action.data() == "dark")
        dark.trigger()
        assert settings.value("window/theme") == "dark"
        window_colour = qapp.palette().color(QPalette.ColorRole.Window)
        text_colour = qapp.palette().color(QPalette.ColorRole.WindowText)
        assert text_colour.lightness() > window_colour.lightness()
    finally:
        apply_theme(qapp, "light")


def test_closing_in_mid_training_waits_for_the_run_to_be_saved(
    qtbot: QtBot, settings: QSettings, own_runs: Path
) -> None:
    window = MainWindow(settings)
    qtbot.addWidget(window)
    window.show()
    window.show_page("train")
    window.train.form.settings["epochs"].set_value(500)
    window.train.begin()
    qtbot.waitUntil(lambda: len(window.train.curves.series("step_loss")) > 0, timeout=WAIT)
    close(window, qtbot)
    assert not window.isVisible()
    assert window.train.trainer is None or not window.train.trainer.isRunning()
    assert (next(own_runs.iterdir()) / "last.ckpt").is_file()


def test_the_clipboard_is_left_alone_at_start(window: MainWindow) -> None:
    QGuiApplication.clipboard().setText("mine")
    window.begin("lenet5")
    assert QGuiApplication.clipboard().text() == "mine"
