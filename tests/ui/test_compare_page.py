"""The Compare page with real networks: choosing, the table and its filters, swapping, errors, what is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from explorer.architectures.cards import catalogue
from explorer.inspection.comparison.diff import Change
from explorer.ui.compare.diff_table import COLOURS
from explorer.ui.compare.page import EXAMPLES, ComparePage
from explorer.ui.explore.architecture_list import ArchitectureList
from explorer.ui.main_window import PAGES, MainWindow
from explorer.ui.theme import apply_theme

WAIT = 90_000


@pytest.fixture
def networks(qtbot: QtBot, settings: QSettings) -> ArchitectureList:
    networks = ArchitectureList(settings)
    qtbot.addWidget(networks)
    networks.add("Classics", catalogue())
    return networks


@pytest.fixture
def page(qtbot: QtBot, settings: QSettings, networks: ArchitectureList) -> Iterator[ComparePage]:
    page = ComparePage(settings, networks.model)
    qtbot.addWidget(page)
    page.resize(1180, 740)
    page.show()
    yield page
    while not page.stop():  # no event is handled meanwhile: the page has been asked to go
        pass


def wait_for(page: ComparePage, qtbot: QtBot, a: str, b: str) -> None:
    def shown() -> bool:
        known = page.comparison
        return known is not None and (known.a.entry.name, known.b.entry.name) == (a, b)

    qtbot.waitUntil(shown, timeout=WAIT)
    assert page.progress.isHidden()


def signs(page: ComparePage) -> str:
    return "".join(page.table.model.texts(row).sign for row in range(page.table.model.rowCount()))


def test_an_empty_page_says_what_to_do_and_an_example_does_it(page: ComparePage, qtbot: QtBot) -> None:
    assert page.stack.currentWidget() is page.empty
    assert [button.property("pair") for button in page.examples] == [(a, b) for a, b, _ in EXAMPLES]
    statuses: list[str] = []
    page.status_changed.connect(statuses.append)
    example = next(button for button in page.examples if "lenet5_1998" in button.text())
    qtbot.mouseClick(example, Qt.MouseButton.LeftButton)
    assert not page.progress.isHidden()
    wait_for(page, qtbot, "lenet5", "lenet5_1998")
    assert page.stack.currentWidget() is not page.empty
    assert statuses == ["Comparing lenet5 with lenet5_1998…", ""]
    assert page.first.currentText().startswith("lenet5")


def test_totals_stand_side_by_side_with_their_differences(page: ComparePage, qtbot: QtBot) -> None:
    page.compare("resnet50", "resnet101")
    wait_for(page, qtbot, "resnet50", "resnet101")
    texts = [[label.text() for label in row] for row in page.totals.cells]
    assert texts[0][1:3] == ["ResNet-50", "ResNet-101"]
    assert texts[1] == ["Parameters", "25,557,032", "44,549,160", "+18,992,128", "+74.3 %"]
    assert texts[2][:4] == ["MACs", "4,089,184,256", "7,801,405,440", "+3,712,221,184"]
    assert texts[4][1:4] == ["175", "345", "+170"]
    assert page.totals.counts.text() == "Layers: 175 same, 0 changed, 170 added, 0 removed"
    stages = page.stages.model()
    assert stages.rowCount() == 1
    row = [stages.index(0, column).data() for column in range(4)]
    assert row == ["layer3", "+17 Bottleneck", "+18,992,128", "+3,712,221,184"]


def test_differences_are_signed_coloured_and_filtered(page: ComparePage, qtbot: QtBot) -> None:
    page.compare("lenet5", "lenet5_1998")
    wait_for(page, qtbot, "lenet5", "lenet5_1998")
    model = page.table.model
    assert sorted(signs(page)) == sorted("+" * 12 + "~" * 8 + "−" * 2)
    for row in range(model.rowCount()):
        brush = model.data(model.index(row, 3), Qt.ItemDataRole.BackgroundRole)
        assert brush.color() in [QColor(colour) for colour in COLOURS[model.match_at(row).change]]
    qtbot.mouseClick(page.table.differences_only, Qt.MouseButton.LeftButton, pos=QPoint(8, 8))
    assert sorted(signs(page)) == sorted("+" * 12 + "~" * 8 + "−" * 2 + "=" * 2)
    assert page.table.note.text() == "24 of 24 layers"
    qtbot.keyClicks(page.table.search, "conv2d c3")
    qtbot.waitUntil(lambda: page.table.note.text() == "4 of 24 layers", timeout=2000)
    assert {model.texts(row).name_b for row in range(4)} == {f"c3.groups.{number}" for number in range(4)}


def test_a_network_against_itself_has_no_difference(page: ComparePage, qtbot: QtBot) -> None:
    page.compare("resnet18", "resnet18")
    wait_for(page, qtbot, "resnet18", "resnet18")
    assert page.totals.counts.text() == "All 69 layers are the same"
    assert page.table.model.rowCount() == 0
    page.table.differences_only.setChecked(False)
    assert signs(page) == "=" * 69


def test_names_are_typed_in_part_or_in_full(page: ComparePage, qtbot: QtBot) -> None:
    page.compare("resnet18", "resnet18")
    wait_for(page, qtbot, "resnet18", "resnet18")
    line = page.second.lineEdit()
    assert line is not None
    line.selectAll()
    qtbot.keyClicks(line, "LeNet-5 (dense")
    completer = page.second.completer()
    assert completer is not None
    assert completer.completionCount() == 1
    completer.activated[str].emit(completer.currentCompletion())
    wait_for(page, qtbot, "resnet18", "lenet5")
    line.selectAll()
    qtbot.keyClicks(line, "torchvision:resnet18")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    wait_for(page, qtbot, "resnet18", "torchvision:resnet18")


def test_libraries_that_come_later_are_offered_too(page: ComparePage, qtbot: QtBot, networks: ArchitectureList) -> None:
    from explorer.architectures.registry import library_entries

    before = page.first.count()
    networks.add("torchvision", library_entries("torchvision"))
    qtbot.waitUntil(lambda: page.first.count() > before, timeout=2000)
    assert page.first.findText("torchvision:vgg16_bn") >= 0
    assert page.second.findText("torchvision:vgg16_bn") >= 0


def test_swap_exchanges_the_sides(page: ComparePage, qtbot: QtBot) -> None:
    page.compare("lenet5", "lenet5_1998")
    wait_for(page, qtbot, "lenet5", "lenet5_1998")
    qtbot.mouseClick(page.swap, Qt.MouseButton.LeftButton)
    wait_for(page, qtbot, "lenet5_1998", "lenet5")
    assert (page.first.name, page.second.name) == ("lenet5_1998", "lenet5")
    assert sorted(signs(page)) == sorted("−" * 12 + "~" * 8 + "+" * 2)
    assert page.totals.cells[1][3].text() == "+1,706"


def test_rows_are_copied_with_the_keyboard(page: ComparePage, qtbot: QtBot) -> None:
    page.compare("vgg16", "vgg19")
    wait_for(page, qtbot, "vgg16", "vgg19")
    view = page.table.view
    view.setFocus()
    qtbot.keyClick(view, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    page.table.copy.trigger()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[2] == "VGG-16 (D)"
    assert len(lines) == 1 + 6
    assert [line.split("\t")[0] for line in lines[1:]] == ["+"] * 6
    assert len({len(line.split("\t")) for line in lines}) == 1


def test_a_part_leads_to_its_layers(page: ComparePage, qtbot: QtBot) -> None:
    page.compare("resnet18", "resnet34")
    wait_for(page, qtbot, "resnet18", "resnet34")
    assert not page.table.view.currentIndex().isValid()
    page.stages.selectRow(2)
    match = page.table.model.match_at(page.table.view.currentIndex().row())
    assert match.b is not None
    assert match.b.group.startswith("layer3")


def test_an_unknown_name_is_told_and_can_be_mended(page: ComparePage, qtbot: QtBot) -> None:
    page.compare("lenet5", "lenet6")
    qtbot.waitUntil(page.banner.isVisible, timeout=WAIT)
    assert "lenet6" in page.banner.text
    assert "lenet5" in page.banner.text
    assert page.stack.currentWidget() is page.empty
    assert page.second.currentText() == "lenet6"
    page.compare("lenet5", "lenet5")
    wait_for(page, qtbot, "lenet5", "lenet5")
    assert not page.banner.isVisible()


def test_a_network_that_fails_is_compared_as_far_as_it_runs(page: ComparePage, qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from torch import nn\n"
        "def good(): return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 222 * 222, 10))\n"
        "def bad(): return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(7, 10))\n"
    )
    page.compare(f"{file}:good", f"{file}:bad")
    wait_for(page, qtbot, f"{file}:good", f"{file}:bad")
    assert "Only what ran is compared" in page.banner.text
    assert page.table.model.total == 3
    assert page.comparison is not None
    assert page.comparison.diff.counts[Change.SAME] == 2


def test_what_was_compared_is_remembered(
    qtbot: QtBot, settings: QSettings, networks: ArchitectureList, page: ComparePage
) -> None:
    page.compare("lenet5", "lenet5_1998")
    wait_for(page, qtbot, "lenet5", "lenet5_1998")
    again = ComparePage(settings, networks.model)
    qtbot.addWidget(again)
    try:
        wait_for(again, qtbot, "lenet5", "lenet5_1998")
    finally:
        while not again.stop():
            qtbot.wait(20)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_each_colour(page: ComparePage, qtbot: QtBot, scheme: str) -> None:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    page.compare("lenet5", "lenet5_1998")
    wait_for(page, qtbot, "lenet5", "lenet5_1998")
    try:
        apply_theme(application, scheme)
        qtbot.wait(50)
        text = page.table.view.palette().color(QPalette.ColorRole.Text)
        model = page.table.model
        for row in range(model.rowCount()):
            background = model.data(model.index(row, 0), Qt.ItemDataRole.BackgroundRole).color()
            assert _contrast(text, background) > 7  # WCAG 2, level AAA
    finally:
        apply_theme(application, "light")


def _contrast(a: QColor, b: QColor) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: QColor) -> float:
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.getRgbF()[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture
def window(qtbot: QtBot, settings: QSettings) -> Iterator[MainWindow]:
    window = MainWindow(settings)
    qtbot.addWidget(window)
    window.show()
    yield window
    window.close()
    qtbot.waitUntil(lambda: not window._closing.isActive(), timeout=WAIT)


def test_the_list_of_networks_offers_to_compare(window: MainWindow, qtbot: QtBot) -> None:
    window.begin("lenet5")
    qtbot.waitUntil(lambda: window.explore.portrait is not None, timeout=WAIT)
    tree = window.explore.list.tree
    section = window.explore.list.filter.index(0, 0)
    row = [entry.name for entry in catalogue()].index("lenet5_1998")
    place = tree.visualRect(window.explore.list.filter.index(row, 0, section)).center()
    qtbot.mouseClick(tree.viewport(), Qt.MouseButton.RightButton, pos=place)
    assert window.explore.portrait is not None
    assert window.explore.portrait.entry.name == "lenet5"  # the right button chooses nothing
    tree.customContextMenuRequested.emit(place)
    menu = window.explore.list.findChild(QMenu)
    assert menu is not None
    menu.actions()[0].trigger()
    menu.close()
    assert window.pages.currentWidget() is window.compare
    wait_for(window.compare, qtbot, "lenet5", "lenet5_1998")
    assert [name for name, _ in PAGES].index("compare") == 3


def test_an_endless_network_can_be_cancelled(page: ComparePage, qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "endless.py"
    file.write_text("def net():\n    while True:\n        pass\n", encoding="utf-8")
    page.compare("lenet5", f"{file}:net")
    qtbot.waitUntil(page.waiting.isVisible, timeout=WAIT)
    qtbot.wait(500)
    qtbot.mouseClick(page.waiting.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.banner.isVisible, timeout=WAIT)
    assert "cancelled" in page.banner.text
    assert page.progress.isHidden()
    page.compare("lenet5", "lenet5_1998")
    wait_for(page, qtbot, "lenet5", "lenet5_1998")
