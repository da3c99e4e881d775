"""The list of networks: filters, arrangements, and what it remembers."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QModelIndex, QSettings, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from explorer.architectures.cards import catalogue, families
from explorer.architectures.entry import Entry, Figure, Published
from explorer.ui.explore.architecture_list import CLASSICS, ArchitectureList
from explorer.ui.explore.arrangement import Arrangement
from explorer.ui.explore.network_filter import NetworkFilter, Range, counts, parse_count, parse_year
from explorer.ui.explore.network_tree import NAME_ROLE, networks_in

UNKNOWN = Entry("timm:mystery", "timm", "timm", "mystery", "classification", (3, 224, 224), (0.5,), (0.5,))


@pytest.fixture
def networks(qtbot: QtBot, settings: QSettings) -> ArchitectureList:
    widget = ArchitectureList(settings)
    qtbot.addWidget(widget)
    widget.resize(240, 700)
    widget.add(CLASSICS, catalogue())
    widget.add("timm", (UNKNOWN,))
    widget.show()
    return widget


def arrange(networks: ArchitectureList, kind: Arrangement) -> None:
    networks.arrangement.setCurrentIndex(networks.arrangement.findData(kind))


def texts_above(networks: ArchitectureList, name: str) -> list[str]:
    """The headings that a network stands below, from the top."""

    def look(parent: QModelIndex, above: list[str]) -> list[str] | None:
        for row in range(networks.filter.rowCount(parent)):
            index = networks.filter.index(row, 0, parent)
            if index.data(NAME_ROLE) == name:
                return above
            found = look(index, [*above, str(index.data())])
            if found is not None:
                return found
        return None

    found = look(QModelIndex(), [])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "count"),
    [("25 M", 25_000_000), ("3.8G", 3_800_000_000), ("25,557,032", 25_557_032), ("60k", 60_000), ("7", 7)],
)
def test_counts_are_read_as_people_write_them(text: str, count: int) -> None:
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["many", "25 X", "-3", "1.2.3", "M"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="25 M"):
        parse_count(text)


def test_a_year_has_four_digits() -> None:
    assert parse_year("2015") == 2015
    with pytest.raises(ValueError, match="2015"):
        parse_year("15")


def test_a_filter_by_numbers_keeps_what_lies_within_and_hides_the_unknown() -> None:
    known = Entry(
        "a", "explorer", "explorer", "A", "denoising", (1, 8, 8), (0.0,), (1.0,), year=2015, ideas=("residual",),
        published=(Published("", Figure("25.6 M"), Figure("4.1 G")),),
    )  # fmt: skip
    for wanted, passes in (
        (NetworkFilter(), True),
        (NetworkFilter(year=Range(2015, 2015)), True),
        (NetworkFilter(year=Range(2016)), False),
        (NetworkFilter(params=Range(None, 25_600_000)), True),
        (NetworkFilter(params=Range(None, 25_000_000)), False),
        (NetworkFilter(macs=Range(4_000_000_000), task="denoising"), True),
        (NetworkFilter(task="classification"), False),
        (NetworkFilter(idea="residual"), True),
        (NetworkFilter(idea="dilated"), False),
    ):
        assert wanted.accepts(known) == passes, wanted
    assert not NetworkFilter(params=Range(1)).accepts(UNKNOWN)
    assert NetworkFilter(params=Range(1)).lacks_facts(UNKNOWN)
    assert not NetworkFilter(params=Range(1), task="denoising").lacks_facts(UNKNOWN), "it fails by its task as well"
    assert not NetworkFilter(params=Range(1)).lacks_facts(known)


def test_typing_in_the_filter_panel_narrows_the_list_and_a_chip_takes_it_back(
    networks: ArchitectureList, qtbot: QtBot
) -> None:
    qtbot.mouseClick(networks.filter_button, Qt.MouseButton.LeftButton)
    assert networks.panel.isVisible()
    year, params = networks.panel.ranges["year"].fields, networks.panel.ranges["params"].fields
    assert year[0].hasFocus()
    qtbot.keyClicks(year[0], "2015")
    qtbot.keyClicks(year[1], "2016")
    qtbot.keyClicks(params[1], "1 M")
    qtbot.waitUntil(lambda: networks.wanted == NetworkFilter(Range(2015, 2016), Range(None, 10**6)), timeout=2000)
    expected = [
        entry.name for entry in catalogue()
        if entry.year in (2015, 2016) and (counts(entry)[0] or 10**9) <= 10**6
    ]  # fmt: skip
    assert networks.names() == expected
    assert expected, "there are small networks of those years"
    assert f"{len(expected)} of {len(catalogue()) + 1} networks" in networks.summary.count.text()
    assert "1 hidden" in networks.summary.count.text()
    assert [chip.text().split("  ")[0] for chip in networks.summary.chips] == ["2015 – 2016", "≤ 1 M parameters"]
    qtbot.mouseClick(networks.summary.chips[1], Qt.MouseButton.LeftButton)
    assert networks.wanted == NetworkFilter(Range(2015, 2016))
    assert params[1].text() == ""
    assert len(networks.names()) > len(expected)
    qtbot.mouseClick(networks.summary.clear, Qt.MouseButton.LeftButton)
    assert networks.names() == [*(entry.name for entry in catalogue()), "timm:mystery"]
    assert not networks.summary.isVisible()
    qtbot.keyClick(year[0], Qt.Key.Key_Escape)
    assert not networks.panel.isVisible()


def test_tab_goes_through_the_filters_in_the_order_they_stand(networks: ArchitectureList, qtbot: QtBot) -> None:
    networks.activateWindow()
    networks.filter_button.click()
    stops = networks.panel.stops()
    assert len(stops) == 8
    for stop in [*stops, networks.arrangement, networks.timeline]:
        assert stop.hasFocus()
        QTest.keyClick(stop, Qt.Key.Key_Tab)
    assert networks.tree.hasFocus()


def test_what_cannot_be_read_filters_nothing_and_says_so(networks: ArchitectureList, qtbot: QtBot) -> None:
    networks.filter_button.click()
    field = networks.panel.ranges["macs"].fields[0]
    qtbot.keyClicks(field, "lots")
    qtbot.wait(300)
    assert len(networks.names()) == len(catalogue()) + 1
    assert "3.8 G" in field.toolTip()
    assert field.styleSheet()


def test_task_and_idea_are_offered_as_far_as_there_are_any(networks: ArchitectureList) -> None:
    networks.filter_button.click()
    panel = networks.panel
    panel.task.setCurrentIndex(panel.task.findData("denoising"))
    assert networks.names()
    assert {entry.task for entry in catalogue() if entry.name in networks.names()} == {"denoising"}
    panel.task.setCurrentIndex(0)
    panel.idea.setCurrentIndex(panel.idea.findData("residual"))
    assert "resnet50" in networks.names()
    assert "lenet5" not in networks.names()


def test_an_empty_result_says_so_and_offers_the_way_out(networks: ArchitectureList, qtbot: QtBot) -> None:
    from PySide6.QtWidgets import QPushButton

    networks.select("resnet50")
    qtbot.keyClicks(networks.search, "no such thing")
    qtbot.waitUntil(networks.tree.isHidden, timeout=2000)
    way_out = next(b for b in networks.findChildren(QPushButton) if b.text() == "Show all networks" and b.isVisible())
    qtbot.mouseClick(way_out, Qt.MouseButton.LeftButton)
    assert networks.tree.isVisible()
    assert networks.search.text() == ""
    assert networks.tree.currentIndex().data(NAME_ROLE) == "resnet50", "what was selected is selected again"


def test_a_filter_that_hides_the_network_on_show_chooses_no_other(networks: ArchitectureList) -> None:
    chosen: list[str] = []
    networks.chosen.connect(chosen.append)
    networks.select("resnet50")
    networks.set_filter(NetworkFilter(Range(1998, 1998)))
    assert networks.names() == [entry.name for entry in catalogue() if entry.year == 1998]
    assert not networks.tree.currentIndex().isValid()
    networks.clear_filters()
    assert networks.tree.currentIndex().data(NAME_ROLE) == "resnet50"
    assert not chosen


def test_what_comes_later_is_filtered_too(networks: ArchitectureList) -> None:
    networks.set_filter(NetworkFilter(task="classification"))
    before = len(networks.names())
    late = (Entry("timm:x", "timm", "timm", "x", "video", (3, 8, 8), (0.5,), (0.5,)),
            Entry("timm:y", "timm", "timm", "y", "classification", (3, 8, 8), (0.5,), (0.5,)))  # fmt: skip
    networks.add("timm", late)
    assert networks.names()[before:] == ["timm:y"]
    assert f"{before + 1} of" in networks.summary.count.text()


def test_arranged_by_year_every_network_stands_below_its_year(networks: ArchitectureList) -> None:
    networks.select("resnet50")
    arrange(networks, Arrangement.YEAR)
    for entry in catalogue():
        assert texts_above(networks, entry.name) == [CLASSICS, str(entry.year)]
    heads = [networks.model.item(0).child(row).text() for row in range(networks.model.item(0).rowCount())]
    assert heads == sorted(heads)
    assert heads[0] == "1998"
    assert networks.tree.currentIndex().data(NAME_ROLE) == "resnet50"
    assert networks.tree.currentIndex().data() == "ResNet-50", "the year is said above"


def test_arranged_by_ancestry_a_family_stands_below_the_one_it_grew_out_of(networks: ArchitectureList) -> None:
    arrange(networks, Arrangement.ANCESTRY)
    assert sorted(networks.names()) == sorted([*(entry.name for entry in catalogue()), "timm:mystery"])
    first = families()
    above = texts_above(networks, "resnet50")
    line, file = [], "resnet"
    while file in first:
        line.append(first[file])
        file = next(iter(first[file].ancestors), "")
    assert len(above) == len(line) + 1
    assert above[0] == CLASSICS
    assert [text.partition("  ")[0] for text in above[1:]] == [str(entry.year) for entry in reversed(line)]
    assert above[-1] == "2015  ResNet"


def test_the_arrangement_is_remembered_and_search_works_in_all(
    networks: ArchitectureList, settings: QSettings, qtbot: QtBot
) -> None:
    flat = dict(networks_in(networks.model))
    assert flat["resnet50"] == "2015  ResNet-50"
    networks.search.setText("densenet")
    networks.narrow()
    found = sorted(networks.names())
    assert "densenet121" in found
    for kind in (Arrangement.YEAR, Arrangement.ANCESTRY, Arrangement.FLAT, Arrangement.ANCESTRY):
        arrange(networks, kind)
        assert sorted(networks.names()) == found
        assert dict(networks_in(networks.model)) == flat, "other pages list the same networks by the same text"
    again = ArchitectureList(settings)
    qtbot.addWidget(again)
    assert again.arrangement.currentData() == Arrangement.ANCESTRY


@pytest.mark.parametrize("kind", list(Arrangement))
def test_the_keyboard_walks_all_arrangements(networks: ArchitectureList, kind: Arrangement, qtbot: QtBot) -> None:
    arrange(networks, kind)
    chosen: list[str] = []
    networks.chosen.connect(chosen.append)
    networks.search.setText("vgg")
    qtbot.keyClick(networks.search, Qt.Key.Key_Return)
    first = chosen[-1]
    for _ in range(4):
        qtbot.keyClick(networks.tree, Qt.Key.Key_Down)
    assert len(set(chosen)) >= 3
    assert set(chosen) <= set(networks.names())
    assert first == networks.names()[0]
