"""What the Explore page tells of a network's place in the catalogue, and what surgery does to it there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QSettings, Qt, QUrl
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from explorer.architectures.cards import catalogue, families, words
from explorer.architectures.entry import Entry
from explorer.architectures.registry import entry
from explorer.inspection.conformance import checks
from explorer.ui.explore.card_text import channels_text
from explorer.ui.explore.details import CHINESE
from explorer.ui.explore.header import change_text
from explorer.ui.explore.network_filter import NetworkFilter, Range
from explorer.ui.explore.network_tree import NAME_ROLE
from explorer.ui.explore.page import ExplorePage

WAIT = 60_000


def shown(page: ExplorePage, name: str) -> bool:
    """Whether all parts of the page show the network."""
    return page.portrait is not None and page.portrait.entry.name == name and not page._parts


@pytest.fixture
def page(qtbot: QtBot, settings: QSettings) -> Iterator[ExplorePage]:
    settings.setValue("explore/card_language", "en")
    page = ExplorePage(settings)
    qtbot.addWidget(page)
    page.resize(1200, 760)
    page.show()
    page.begin("resnet18")
    qtbot.waitUntil(lambda: shown(page, "resnet18"), timeout=WAIT)
    yield page
    while not page.stop():
        pass


def modify(page: ExplorePage, qtbot: QtBot, title: str, name: str) -> None:
    """Triggers a line of the Modify menu and waits for the network."""
    menu = page.header.modify.menu()
    menu.aboutToShow.emit()
    next(action for action in menu.actions() if action.text() == title).trigger()
    qtbot.waitUntil(lambda: shown(page, name), timeout=WAIT)


def test_the_card_tells_everything_in_two_languages(page: ExplorePage, settings: QSettings, qtbot: QtBot) -> None:
    assert page.portrait is not None
    card = page.portrait.entry
    text = page.details.toPlainText()
    for part in (card.title, card.authors, card.paper, card.idea.en, card.changed.en, card.look.en, "resnet18"):
        assert part in text
    for check in checks(page.portrait):
        assert check.printed in text
        assert check.measured in text
        assert check.source in text
        assert check.why.en in text
    assert "Grew out of" in text
    assert families()[card.ancestors[0]].family in text
    page.details.languages.setCurrentIndex(1)
    text = page.details.toPlainText()
    assert card.idea.zh in text
    assert card.idea.en not in text
    assert words()["measured"].zh in text
    assert settings.value("explore/card_language") == "zh"
    assert page.details.text.document().defaultFont().families() == CHINESE
    page.flow.selected.emit(3)
    assert page.details.text.document().defaultFont().families() != CHINESE
    assert card.idea.zh not in page.details.toPlainText()
    qtbot.mouseClick(page.details.card, Qt.MouseButton.LeftButton)
    assert card.idea.zh in page.details.toPlainText()


def test_a_link_of_the_card_opens_the_family(page: ExplorePage, qtbot: QtBot) -> None:
    page.details.text.anchorClicked.emit(QUrl("family:vgg"))
    qtbot.waitUntil(lambda: shown(page, families()["vgg"].name), timeout=WAIT)
    assert page.list.tree.currentIndex().data(NAME_ROLE) == families()["vgg"].name


def test_a_link_of_the_card_sets_what_a_printed_number_holds_for(page: ExplorePage, qtbot: QtBot) -> None:
    page.open("densenet_bc")
    qtbot.waitUntil(lambda: shown(page, "densenet_bc"), timeout=WAIT)
    rows = entry("densenet_bc").published
    number = next(n for n, row in enumerate(rows) if dict(row.options).get("growth_rate") == 40)
    assert page.details.toPlainText().count("depth = 190, growth_rate = 40")
    page.details.text.anchorClicked.emit(QUrl(f"setting:{number}"))
    qtbot.waitUntil(lambda: shown(page, "densenet_bc") and bool(page.portrait and page.portrait.chosen), timeout=WAIT)
    assert page.portrait is not None
    assert page.portrait.anatomy.params == 25_624_430
    qtbot.waitUntil(lambda: "own input and options" in page.details.toPlainText(), timeout=WAIT)
    assert page.header.chosen() == {"depth": 190, "growth_rate": 40}
    assert "published 25.6 M" in page.header.figures[0].text()
    assert "depth = 190" not in page.details.toPlainText()
    page.details.text.anchorClicked.emit(QUrl("setting:0"))
    qtbot.waitUntil(lambda: bool(page.portrait and page.portrait.canonical), timeout=WAIT)
    qtbot.waitUntil(lambda: page.header.chosen() == {}, timeout=WAIT)


def test_the_chip_tells_the_worst_verdict_and_leads_to_the_checks(page: ExplorePage, qtbot: QtBot) -> None:
    assert page.header.verdict.text() == "✔ paper"
    assert page.portrait is not None
    assert all(check.source in page.header.verdict.toolTip() for check in checks(page.portrait))
    page.details.text.verticalScrollBar().setValue(0)
    page.details.resize(page.details.width(), 120)
    page.flow.selected.emit(3)
    qtbot.mouseClick(page.header.verdict, Qt.MouseButton.LeftButton)
    assert "25,557,032" not in page.details.toPlainText()
    assert "11,689,512" in page.details.toPlainText()
    assert page.details.text.verticalScrollBar().value() > 0
    page.open("mobilenet_v2_cifar")
    qtbot.waitUntil(lambda: shown(page, "mobilenet_v2_cifar"), timeout=WAIT)
    assert page.header.verdict.text() == "≠ explained"
    assert page.portrait is not None
    reasons = [check.why.en for check in checks(page.portrait) if check.verdict == "explained"]
    assert reasons
    assert all(reason in page.details.toPlainText() for reason in reasons)


def test_equal_numbers_for_all_channels_are_said_once() -> None:
    assert channels_text((0.5,) * 30, "en") == "0.5 for all 30 channels"
    assert channels_text((0.485, 0.456, 0.406), "en") == "0.485, 0.456, 0.406"
    assert "30" in channels_text((0.5,) * 30, "zh")
    assert channels_text((0.5,), "en") == "0.500"


def test_the_timeline_stands_in_place_of_the_network_until_one_is_chosen(page: ExplorePage, qtbot: QtBot) -> None:
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    qtbot.keyClick(page, Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(page.map.isVisible, timeout=WAIT)
    assert not page.header.isVisible()
    qtbot.waitUntil(lambda: len(page.map._items) == len(families()), timeout=WAIT)
    assert page.map._current == "resnet"
    page.list.set_filter(NetworkFilter(year=Range(1998, 1998)))
    assert [file for file, item in page.map._items.items() if not item.dimmed] == ["lenet"]
    page.list.clear_filters()
    assert not any(item.dimmed for item in page.map._items.values())
    qtbot.keyClick(page.map.view, Qt.Key.Key_Escape)
    assert page.header.isVisible()
    assert not page.list.timeline.isChecked()
    page.list.timeline.click()
    single = next(e for e in families().values() if sum(other.file == e.file for other in catalogue()) == 1)
    page.map.open_family(single.file)
    qtbot.waitUntil(lambda: shown(page, single.name), timeout=WAIT)
    assert page.header.isVisible()
    assert page.list.tree.currentIndex().data(NAME_ROLE) == single.name


def gates(ratio: int) -> int:
    """Parameters of two dense layers in each of two blocks of C channels: C·C/r + C/r and C/r·C + C."""
    return sum(2 * (2 * c * c // ratio + c // ratio + c) for c in (64, 128, 256, 512))


def test_surgery_is_chosen_from_a_menu_and_its_cost_is_shown(
    page: ExplorePage, settings: QSettings, qtbot: QtBot
) -> None:
    page.header.editors["num_classes"].field.setValue(10)  # type: ignore[attr-defined]
    qtbot.waitUntil(
        lambda: page.portrait is not None and dict(page.portrait.chosen) == {"num_classes": 10}, timeout=WAIT
    )
    assert page.portrait is not None
    before = page.portrait.anatomy.params
    modify(page, qtbot, "Squeeze-and-excitation", "resnet18+se")
    assert page.portrait.chosen == (("num_classes", 10),), "options of the network itself stay"
    assert page.portrait.anatomy.params == before + gates(16)
    assert change_text(before + gates(16), before) in page.header.figures[0].text()
    assert page.header.title.text() == "ResNet-18 + SE"
    assert not page.header.verdict.isVisible(), "nothing has been printed of it"
    assert page.header.editors["se.ratio"].value() == 16
    assert page.list.tree.currentIndex().data(NAME_ROLE) == "resnet18+se"
    page.header.editors["se.ratio"].field.setValue(8)  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: ("se.ratio", 8) in (page.portrait.chosen if page.portrait else ()), timeout=WAIT)
    qtbot.waitUntil(lambda: not page._parts, timeout=WAIT)
    assert change_text(before + gates(8), before) in page.header.figures[0].text()
    modify(page, qtbot, "Without skips", "resnet18+se+plain")
    assert ("se.ratio", 8) in page.portrait.chosen
    modify(page, qtbot, "Squeeze-and-excitation", "resnet18+plain")
    assert "se.ratio" not in page.header.editors
    modify(page, qtbot, "Back to the original", "resnet18")
    assert page.list.tree.currentIndex().data(NAME_ROLE) == "resnet18"
    assert settings.value("explore/modified") == ["resnet18+se", "resnet18+se+plain", "resnet18+plain"]


def test_a_refusal_is_told_and_the_network_stays(page: ExplorePage, qtbot: QtBot) -> None:
    page.open("lenet5")
    qtbot.waitUntil(lambda: shown(page, "lenet5"), timeout=WAIT)
    menu = page.header.modify.menu()
    menu.aboutToShow.emit()
    next(action for action in menu.actions() if action.text() == "Without skips").trigger()
    qtbot.waitUntil(page.banner.isVisible, timeout=WAIT)
    assert "lenet5+plain" in page.banner.text
    assert page.portrait is not None
    assert page.portrait.entry.name == "lenet5"
    assert page.header.title.text() == "LeNet-5 (dense)"
    assert page.table.model.rowCount() == 12
    assert not page.list.has("lenet5+plain")
    page.header.input.boxes[1].setValue(28)
    qtbot.waitUntil(lambda: page.portrait is not None and page.portrait.input == (1, 28, 32), timeout=WAIT)


def test_modified_networks_of_earlier_days_are_listed_and_can_be_removed(qtbot: QtBot, settings: QSettings) -> None:
    settings.setValue("explore/modified", ["resnet18+se", "vgg16+nosuchstep", "resnet34+plain"])
    page = ExplorePage(settings)
    qtbot.addWidget(page)
    page.show()
    page.own.add_modified()
    assert page.list.names() == ["resnet18+se", "resnet34+plain"]
    place = page.list.tree.visualRect(page.list.filter.index(0, 0, page.list.filter.index(0, 0))).center()
    page.list.tree.customContextMenuRequested.emit(place)
    menu = page.list.findChild(QMenu)
    assert menu is not None
    next(action for action in menu.actions() if "Remove" in action.text()).trigger()
    menu.close()
    assert page.list.names() == ["resnet34+plain"]
    assert "resnet18+se" not in settings.value("explore/modified")
    page.own.forget_modified("resnet34+plain")
    assert page.list.names() == []
    assert page.list.filter.rowCount() == 0, "an empty section goes"
    for number in range(25):
        page.own.remember_modified(entry("resnet18+se") if number == 0 else _named(f"resnet18+se{number}"))
    assert len(page.list.names()) == 20
    assert len(settings.value("explore/modified")) == 20
    assert page.list.names()[-1] == "resnet18+se24"
    while not page.stop():
        pass


def _named(name: str) -> Entry:
    return replace(entry("resnet18+se"), name=name)


def test_changes_are_written_with_their_share() -> None:
    assert change_text(28_088_024, 25_557_032) == "+2.53 M (+9.9 %)"
    assert change_text(9, 10) == "−1 (−10.0 %)"
    assert change_text(5, 5) == "unchanged"
    assert change_text(5, 0) == "+5"
