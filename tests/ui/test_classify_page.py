from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from PySide6.QtCore import QMimeData, Qt, QThread, QUrl
from PySide6.QtGui import QColor, QGuiApplication, QImage
from PySide6.QtWidgets import QComboBox, QListView, QPushButton
from pytestqt.qtbot import QtBot

from explorer.architectures.registry import build, entry
from explorer.data.preprocessing import Preprocessing
from explorer.tasks.weights_file import ModelSpec, save_weights
from explorer.ui.classify.image_list import Item
from explorer.ui.classify.page import ClassifyPage
from explorer.ui.classify.picture import Picture
from explorer.ui.widgets.banner import Banner

pytestmark = pytest.mark.gui

Find = Callable[..., Path]
WAIT = 60_000


@pytest.fixture
def page(qtbot: QtBot) -> Iterator[ClassifyPage]:
    page = ClassifyPage()
    qtbot.addWidget(page)
    page.resize(1000, 600)
    with qtbot.waitActive(page):
        page.show()
        page.activateWindow()
    yield page
    assert page.stop()
    assert not any(thread.isRunning() for thread in page.findChildren(QThread))


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str, int], Path]:
    """Returns a function that makes the folder of a run whose network always says the same of its ten classes."""

    def make(name: str, answer: int) -> Path:
        weights = build(entry("lenet5"), (1, 32, 32), num_classes=10).state_dict()
        weights["output.weight"].zero_()
        weights["output.bias"] = 20 * torch.nn.functional.one_hot(torch.tensor(answer), 10).float()
        folder = tmp_path / name
        folder.mkdir()
        preprocessing = Preprocessing((1, 32, 32), (0.5,), (0.5,), resize=32)
        classes = tuple(f"{name} {index}" for index in range(10))
        save_weights(folder / "best.safetensors", weights, ModelSpec("lenet5", {}, preprocessing, classes))
        return folder

    return make


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[[int], list[Path]]:
    """Returns a function that makes so many image files."""

    def make(count: int) -> list[Path]:
        folder = tmp_path / "pictures"
        folder.mkdir()
        paths = [folder / f"{index:03}.png" for index in range(count)]
        for index, path in enumerate(paths):
            Image.new("RGB", (60, 40), (index % 256, 90, 160)).save(path)
        return paths

    return make


def image_list(page: ClassifyPage) -> QListView:
    return page.findChild(QListView, "images")


def items(page: ClassifyPage) -> Sequence[Item]:
    return image_list(page).model().items


def headlines(page: ClassifyPage) -> list[str]:
    return [item.headline for item in items(page)]


def button(page: ClassifyPage, text: str) -> QPushButton:
    return next(found for found in page.findChildren(QPushButton) if found.text().replace("&", "") == text)


def banner(page: ClassifyPage) -> Banner:
    return page.findChild(Banner)


def wait_for_results(qtbot: QtBot, page: ClassifyPage, count: int) -> None:
    qtbot.waitUntil(lambda: sum(item.classified for item in items(page)) == len(items(page)) == count, timeout=WAIT)


def press(qtbot: QtBot, page: ClassifyPage, key: Qt.Key, modifier: Qt.KeyboardModifier) -> None:
    image_list(page).setFocus()
    qtbot.keyClick(page, key, modifier)


def test_empty_page_invites_to_drop_images(page: ClassifyPage) -> None:
    assert button(page, "Open images…").isVisible()
    assert not image_list(page).isVisible()
    assert not button(page, "Clear").isEnabled()


def test_dropped_photos_are_named_by_the_installed_network(qtbot: QtBot, page: ClassifyPage, shared_data: Find) -> None:
    names = ("n02447366_badger.JPEG", "n03935335_piggy_bank.JPEG")
    page.add_paths([shared_data("photos", name) for name in names])
    wait_for_results(qtbot, page, 2)
    assert headlines(page) == ["badger", "piggy bank"]
    assert [len(item.predictions) for item in items(page)] == [5, 5]
    for item in items(page):
        assert item.thumbnail is not None
        assert max(item.thumbnail.width(), item.thumbnail.height()) == 144


def test_first_photo_is_shown_in_full_upright(qtbot: QtBot, page: ClassifyPage, shared_data: Find) -> None:
    path = shared_data("photos", "n02951585_can_opener.JPEG")
    page.add_paths([path])
    picture = page.findChild(Picture)
    qtbot.waitUntil(lambda: picture.image is not None and picture.image.height() > 144, timeout=WAIT)
    with Image.open(path) as stored:
        assert (picture.image.width(), picture.image.height()) == (stored.height, stored.width)


def test_folder_stands_for_the_images_in_it(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page.choose_model(str(run("cats", 3)))
    paths = pictures(3)
    (paths[0].parent / "notes.txt").write_text("no image")
    page.add_paths([paths[0].parent])
    wait_for_results(qtbot, page, 3)
    assert [item.source for item in items(page)] == paths
    assert headlines(page) == ["cats 3"] * 3


def test_folder_without_images_is_said_so(qtbot: QtBot, page: ClassifyPage, tmp_path: Path) -> None:
    page.add_paths([tmp_path])
    qtbot.waitUntil(lambda: banner(page).isVisible())
    assert "no images" in banner(page).text


def test_bad_file_gets_its_reason_and_the_others_go_on(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page.choose_model(str(run("cats", 3)))
    paths = pictures(3)
    paths[1].write_bytes(paths[1].read_bytes()[:60])
    page.add_paths([*paths, paths[0].parent / "absent.png"])
    wait_for_results(qtbot, page, 4)
    assert headlines(page) == ["cats 3", "Cannot be read", "cats 3", "Cannot be read"]
    assert "damaged or cut short" in str(items(page)[1].error)
    assert "no such file" in str(items(page)[3].error)
    listed = image_list(page)
    listed.setCurrentIndex(listed.model().index(1, 0))
    assert page.findChild(Picture).message == "This file cannot be shown"


def test_pasted_picture_is_classified(qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path]) -> None:
    page.choose_model(str(run("cats", 4)))
    image = QImage(50, 30, QImage.Format.Format_ARGB32)
    image.fill(QColor(200, 40, 40, 255))
    QGuiApplication.clipboard().setImage(image)
    press(qtbot, page, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    wait_for_results(qtbot, page, 1)
    assert headlines(page) == ["cats 4"]
    thumbnail = items(page)[0].thumbnail
    assert thumbnail is not None
    assert thumbnail.pixelColor(25, 15) == QColor(200, 40, 40)
    assert (thumbnail.width(), thumbnail.height()) == (50, 30)


def test_pasted_files_are_added(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page.choose_model(str(run("cats", 4)))
    paths = pictures(2)
    content = QMimeData()
    content.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    QGuiApplication.clipboard().setMimeData(content)
    button(page, "Paste").click()
    wait_for_results(qtbot, page, 2)
    assert [item.source for item in items(page)] == paths


def test_clipboard_without_picture_is_said_so(page: ClassifyPage) -> None:
    QGuiApplication.clipboard().setText("words")
    button(page, "Paste").click()
    assert "no picture" in banner(page).text
    assert banner(page).isVisible()


def test_another_network_classifies_everything_anew(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page.set_runs([("Cats", run("cats", 1)), ("Dogs", run("dogs", 2))])
    chooser = page.findChild(QComboBox)
    chooser.setCurrentText("Cats")
    chooser.activated.emit(chooser.currentIndex())
    page.add_paths(pictures(4))
    wait_for_results(qtbot, page, 4)
    assert headlines(page) == ["cats 1"] * 4
    chooser.setCurrentText("Dogs")
    chooser.activated.emit(chooser.currentIndex())
    qtbot.waitUntil(lambda: "dogs 2" in headlines(page), timeout=WAIT)
    assert "cats 1" not in headlines(page)
    qtbot.waitUntil(lambda: headlines(page) == ["dogs 2"] * 4, timeout=WAIT)
    assert chooser.currentText() == "Dogs"


def test_newest_choice_of_network_wins(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page.add_paths(pictures(20))
    for folder in (run("cats", 1), run("dogs", 2), run("birds", 3)):
        page.choose_model(str(folder))
    wait_for_results(qtbot, page, 20)
    assert headlines(page) == ["birds 3"] * 20


def test_network_that_cannot_be_loaded_leaves_the_former_one(
    qtbot: QtBot,
    page: ClassifyPage,
    run: Callable[[str, int], Path],
    pictures: Callable[[int], list[Path]],
    tmp_path: Path,
) -> None:
    page.set_runs([("Cats", run("cats", 1))])
    page.choose_model(str(tmp_path / "cats"))
    page.add_paths(pictures(3))
    page.choose_model(str(tmp_path / "pictures"))
    qtbot.waitUntil(banner(page).isVisible, timeout=WAIT)
    assert "holds no best.safetensors" in banner(page).text
    page.choose_model(str(tmp_path / "cats"))
    wait_for_results(qtbot, page, 3)
    page.choose_model(str(tmp_path / "pictures"))
    qtbot.waitUntil(banner(page).isVisible, timeout=WAIT)
    assert headlines(page) == ["cats 1"] * 3
    assert page.findChild(QComboBox).currentText() == "Cats"
    button(page, "Dismiss").click()
    assert not banner(page).isVisible()


def test_cancelled_images_stay_and_are_classified_on_demand(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page.choose_model(str(run("cats", 1)))
    page.add_paths(pictures(200))
    qtbot.waitUntil(lambda: any(item.classified for item in items(page)), timeout=WAIT)
    button(page, "Cancel").click()
    done = sum(item.classified for item in items(page))
    assert 0 < done < 200
    assert headlines(page).count("Not classified") == 200 - done
    qtbot.wait(100)
    assert sum(item.classified for item in items(page)) == done
    button(page, "Continue").click()
    wait_for_results(qtbot, page, 200)
    assert headlines(page) == ["cats 1"] * 200


def test_cancelling_the_load_of_a_network_keeps_the_former_one(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page.set_runs([("Cats", run("cats", 1)), ("Dogs", run("dogs", 2))])
    page.choose_model(page.findChild(QComboBox).itemData(1))
    page.add_paths(pictures(2))
    wait_for_results(qtbot, page, 2)
    page.choose_model(page.findChild(QComboBox).itemData(2))
    button(page, "Cancel").click()
    qtbot.wait(200)
    assert headlines(page) == ["cats 1"] * 2
    assert page.findChild(QComboBox).currentText() == "Cats"


def test_clear_empties_the_page_in_the_midst_of_work(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page.choose_model(str(run("cats", 1)))
    paths = pictures(100)
    page.add_paths(paths)
    qtbot.waitUntil(lambda: any(item.classified for item in items(page)), timeout=WAIT)
    button(page, "Clear").click()
    assert len(items(page)) == 0
    assert button(page, "Open images…").isVisible()
    page.add_paths(paths[:1])
    wait_for_results(qtbot, page, 1)


def test_delete_removes_the_selected_images_only(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page.choose_model(str(run("cats", 1)))
    paths = pictures(60)
    page.add_paths(paths)
    qtbot.waitUntil(lambda: any(item.classified for item in items(page)), timeout=WAIT)
    listed = image_list(page)
    listed.clearSelection()
    for row in (1, 2, 50):
        listed.selectionModel().select(listed.model().index(row, 0), listed.selectionModel().SelectionFlag.Select)
    press(qtbot, page, Qt.Key.Key_Delete, Qt.KeyboardModifier.NoModifier)
    qtbot.waitUntil(lambda: len(items(page)) == 57)
    left = [path for row, path in enumerate(paths) if row not in (1, 2, 50)]
    assert [item.source for item in items(page)] == left
    wait_for_results(qtbot, page, 57)


def test_results_are_copied_as_a_table(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page.choose_model(str(run("cats", 6)))
    paths = pictures(2)
    paths[1].write_bytes(b"")
    page.add_paths(paths)
    wait_for_results(qtbot, page, 2)
    press(qtbot, page, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: QGuiApplication.clipboard().text().startswith("image"))
    rows = [line.split("\t") for line in QGuiApplication.clipboard().text().splitlines()]
    assert rows[0][:4] == ["image", "error", "label 1", "probability 1"]
    assert rows[1][:4] == [str(paths[0]), "", "cats 6", "1.000000"]
    assert rows[2][0] == str(paths[1])
    assert "empty" in rows[2][1]
    assert {len(row) for row in rows} == {12}


def test_status_says_what_goes_on_until_nothing_does(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    said: list[str] = []
    page.status_changed.connect(said.append)
    folder = run("cats", 1)
    page.set_runs([("My cats", folder)])
    page.choose_model(str(folder))
    page.add_paths(pictures(3))
    wait_for_results(qtbot, page, 3)
    assert said[0] == "Loading My cats…"
    assert "Classifying: 1 of 3 images done" in said
    assert said[-1] == ""


def test_every_row_is_told_to_screen_readers_and_in_its_tooltip(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page.choose_model(str(run("cats", 1)))
    paths = pictures(1)
    page.add_paths(paths)
    wait_for_results(qtbot, page, 1)
    index = image_list(page).model().index(0, 0)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "000.png: cats 1, 100.0 %"
    tooltip = index.data(Qt.ItemDataRole.ToolTipRole).splitlines()
    assert tooltip[0] == str(paths[0])
    assert len(tooltip) == 6


def test_every_control_has_a_name_and_a_keyboard_way(page: ClassifyPage) -> None:
    for control in page.findChildren(QPushButton):
        assert control.text()
        assert control.toolTip() or not control.isEnabled() or not control.isVisible()
        assert control.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert image_list(page).accessibleName()
    for kind in (QComboBox, Picture):
        assert page.findChild(kind).accessibleName()


def test_long_names_do_not_widen_the_window(
    qtbot: QtBot, page: ClassifyPage, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    least = page.minimumSizeHint().width()
    page.choose_model(str(run("cats", 1)))
    (path,) = pictures(1)
    long = path.with_name("long_name_" * 20 + ".png")
    shutil.move(path, long)
    page.add_paths([long])
    wait_for_results(qtbot, page, 1)
    page.choose_model("/nowhere/" + "long_folder_name_" * 20)
    qtbot.waitUntil(banner(page).isVisible, timeout=WAIT)
    assert page.minimumSizeHint().width() <= max(least, 800)


def test_stop_does_not_wait_for_the_images_in_line(
    qtbot: QtBot, run: Callable[[str, int], Path], pictures: Callable[[int], list[Path]]
) -> None:
    page = ClassifyPage()
    qtbot.addWidget(page)
    page.choose_model(str(run("cats", 1)))
    page.add_paths(pictures(200))
    qtbot.waitUntil(lambda: any(item.classified for item in items(page)), timeout=WAIT)
    assert page.stop()
    assert not all(item.classified for item in items(page))
    assert not any(thread.isRunning() for thread in page.findChildren(QThread))
