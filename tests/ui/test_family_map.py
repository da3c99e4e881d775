"""The timeline of the families: its layout, and what mouse and keyboard do on it."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from explorer.architectures.cards import catalogue, descendants, families, ideas
from explorer.architectures.entry import Entry
from explorer.ui.explore.family_items import KINDS, OTHER, kind_of_idea
from explorer.ui.explore.family_layout import HEIGHT, WIDTH, lay_out
from explorer.ui.explore.family_map import FamilyMap


def family(year: int, *ancestors: str) -> Entry:
    return replace(catalogue()[0], year=year, ancestors=ancestors)


@pytest.fixture
def timeline(qtbot: QtBot) -> FamilyMap:
    widget = FamilyMap()
    qtbot.addWidget(widget)
    widget.resize(950, 680)
    widget.show()
    qtbot.waitUntil(lambda: len(widget._items) == len(families()), timeout=5000)
    widget.setFocus()
    return widget


def place_of(timeline: FamilyMap, file: str) -> QPoint:
    return timeline.view.mapFromScene(timeline._items[file].pos())


def test_families_stand_in_the_column_of_their_year_and_none_overlaps() -> None:
    picture = lay_out(families())
    columns = {year.year: year.x for year in picture.years}
    assert set(picture.places) == set(families())
    for file, (x, _) in picture.places.items():
        assert x == columns[families()[file].year or 0]
    assert [year.year for year in picture.years] == sorted(columns)
    for (x1, y1), (x2, y2) in combinations(picture.places.values(), 2):
        assert abs(x1 - x2) >= WIDTH or abs(y1 - y2) >= HEIGHT


def test_the_layout_is_the_same_whenever_it_is_made() -> None:
    assert lay_out(families()) == lay_out(dict(families()))


def test_every_ancestor_of_the_catalogue_has_its_line() -> None:
    picture = lay_out(families())
    lines = {(line.ancestor, line.family): line.main for line in picture.descents}
    expected = {
        (ancestor, file): rank == 0
        for file, entry in families().items()
        for rank, ancestor in enumerate(name for name in entry.ancestors if name in families())
    }
    assert lines == expected
    for line in picture.descents:
        (x1, y1), (x2, y2) = picture.places[line.ancestor], picture.places[line.family]
        assert line.points[0] == (x1 + WIDTH / 2 if x1 != x2 else x1 - WIDTH / 2, y1)
        assert line.points[-1] == (x2 - WIDTH / 2, y2)


def test_a_line_that_passes_a_year_passes_no_family() -> None:
    picture = lay_out(families())
    middles = {(x, y): line for line in picture.descents for x, y in line.points[1:-1]}
    assert middles, "some line spans several years"
    for x, y in middles:
        assert all(abs(y - other) >= HEIGHT / 2 for column, other in picture.places.values() if column == x)


def test_years_without_a_family_are_left_out_and_counted() -> None:
    picture = lay_out({"a": family(1998), "b": family(2012, "a"), "c": family(2013, "b")})
    assert [(year.year, year.skipped) for year in picture.years] == [(1998, 0), (2012, 13), (2013, 0)]
    wide, narrow = (right.x - left.x for left, right in pairwise(picture.years))
    assert narrow < wide < 2 * narrow


def test_an_ancestor_that_is_not_there_and_a_family_alone_do_no_harm() -> None:
    assert lay_out({}).places == {}
    picture = lay_out({"a": family(2015, "unknown")})
    assert picture.descents == ()
    picture = lay_out({"a": family(2015), "b": family(2015, "a")})
    assert picture.descents[0].points[0][0] == picture.descents[0].points[-1][0], "an arc within the year"


def test_every_idea_has_a_colour() -> None:
    assert [key for key in ideas() if kind_of_idea(key) == OTHER] == []
    assert sorted(key for _, keys in KINDS.values() for key in keys) == sorted(ideas())


def test_the_map_fits_and_fits_again_when_resized(timeline: FamilyMap, qtbot: QtBot) -> None:
    for size in ((950, 680), (1580, 960), (700, 500)):
        timeline.resize(*size)
        qtbot.wait(20)
        view = timeline.view.viewport().rect()
        for item in timeline._items.values():
            assert view.contains(timeline.view.mapFromScene(item.sceneBoundingRect()).boundingRect())


def test_a_click_opens_the_only_network_of_a_family(timeline: FamilyMap, qtbot: QtBot) -> None:
    single = next(file for file, members in timeline._members.items() if len(members) == 1)
    with qtbot.waitSignal(timeline.opened) as opened:
        qtbot.mouseClick(timeline.view.viewport(), Qt.MouseButton.LeftButton, pos=place_of(timeline, single))
    assert opened.args == [families()[single].name]


def test_a_click_on_a_family_of_several_asks_which(timeline: FamilyMap, qtbot: QtBot) -> None:
    qtbot.mouseClick(timeline.view.viewport(), Qt.MouseButton.LeftButton, pos=place_of(timeline, "resnet"))
    menu = timeline.findChild(QMenu)
    assert menu is not None
    assert [action.data() for action in menu.actions()] == [e.name for e in catalogue() if e.file == "resnet"]
    with qtbot.waitSignal(timeline.opened) as opened:
        menu.actions()[2].trigger()
    assert opened.args == [menu.actions()[2].data()]
    menu.close()


def test_the_arrow_keys_walk_from_family_to_family_and_enter_opens(timeline: FamilyMap, qtbot: QtBot) -> None:
    timeline.show_network(next(entry for entry in catalogue() if entry.name == "alexnet"))
    seen = []
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Left):
        qtbot.keyClick(timeline.view, key)
        seen.append(timeline._current)
    years = [families()[file].year for file in seen]
    assert years == [2013, 2014, 2014, 2014, 2013]
    assert seen[1] == seen[3] or seen[1] == seen[2], "down and up lead back, or there was nothing below"
    assert [item.file for item in timeline._items.values() if item.current] == [timeline._current]
    timeline.show_network(next(entry for entry in catalogue() if entry.name == "xception"))
    with qtbot.waitSignal(timeline.opened) as opened:
        qtbot.keyClick(timeline.view, Qt.Key.Key_Return)
    assert opened.args == ["xception"]
    with qtbot.waitSignal(timeline.closed):
        qtbot.keyClick(timeline.view, Qt.Key.Key_Escape)


def test_the_pointer_on_a_family_lights_up_its_line(timeline: FamilyMap, qtbot: QtBot) -> None:
    qtbot.mouseMove(timeline.view.viewport(), place_of(timeline, "resnet"))
    qtbot.waitUntil(lambda: timeline._hovered == "resnet", timeout=2000)
    lit = {file for file, item in timeline._items.items() if item.lit}
    assert {"resnet", *families()["resnet"].ancestors, *descendants("resnet")} & set(families()) <= lit
    assert lit != set(families())
    assert all(item.lit for item in timeline._items.values() if item.file in lit)
    told = timeline._items["resnet"].toolTip()
    assert "2015" in told
    assert families()["resnet"].idea.en[:30] in told
    timeline.set_language("zh")
    assert families()["resnet"].idea.zh[:10] in timeline._items["resnet"].toolTip()
    qtbot.mouseMove(timeline.view.viewport(), QPoint(2, 2))
    qtbot.waitUntil(lambda: all(item.lit for item in timeline._items.values()), timeout=2000)


def test_filters_dim_families_and_shorten_their_menu(timeline: FamilyMap, qtbot: QtBot) -> None:
    timeline.keep({"resnet50", "vgg16"})
    assert {file for file, item in timeline._items.items() if not item.dimmed} == {"resnet", "vgg"}
    with qtbot.waitSignal(timeline.opened) as opened:
        timeline.open_family("resnet")
    assert opened.args == ["resnet50"], "one is left, so none is asked for"
    timeline.keep(None)
    assert not any(item.dimmed for item in timeline._items.values())


def test_the_view_zooms_and_fits(timeline: FamilyMap, qtbot: QtBot) -> None:
    fitted = timeline.view.scale_factor
    qtbot.keyClick(timeline.view, Qt.Key.Key_Plus)
    assert timeline.view.scale_factor > fitted
    qtbot.keyClick(timeline.view, Qt.Key.Key_F)
    assert timeline.view.scale_factor == pytest.approx(fitted)
