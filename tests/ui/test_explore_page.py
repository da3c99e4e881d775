"""The Explore page with real widgets and real networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from explorer.inspection.graph.outline import layer_key
from explorer.ui.explore.layer_table import Col
from explorer.ui.explore.page import ExplorePage, callables_in

WAIT = 60_000


def shown(page: ExplorePage, name: str) -> bool:
    """Whether all parts of the page show the network."""
    portrait = page.portrait
    return (
        portrait is not None
        and portrait.entry.name == name
        and not page._parts
        and page.table.model.layers == portrait.anatomy.layers
    )


@pytest.fixture
def page(qtbot: QtBot, settings: QSettings) -> Iterator[ExplorePage]:
    page = ExplorePage(settings)
    qtbot.addWidget(page)
    page.resize(1200, 760)
    page.show()
    page.begin("lenet5")
    qtbot.waitUntil(lambda: shown(page, "lenet5"), timeout=WAIT)
    yield page
    while not page.stop():
        pass


def test_the_first_network_shows_its_card_totals_and_layers(page: ExplorePage) -> None:
    assert page.header.title.text() == "LeNet-5 (dense)"
    assert "doi.org/10.1109/5.726791" in page.header.subtitle.text()
    assert "61.7 k" in page.header.figures[0].text()
    assert "✔ published 61,706" in page.header.figures[0].text()
    assert "✔ published 416,520" in page.header.figures[1].text()
    assert page.table.model.rowCount() == 12
    assert "61,706 parameters" in page.table.note.text()


def test_clicking_another_network_in_the_list_shows_it(page: ExplorePage, qtbot: QtBot) -> None:
    section = page.list.filter.index(0, 0)
    row = next(
        page.list.filter.index(child, 0, section)
        for child in range(page.list.filter.rowCount(section))
        if page.list.filter.index(child, 0, section).data() == "2012  AlexNet"
    )
    page.list.tree.scrollTo(row)
    qtbot.mouseClick(page.list.tree.viewport(), Qt.MouseButton.LeftButton, pos=page.list.tree.visualRect(row).center())
    qtbot.waitUntil(lambda: shown(page, "alexnet"), timeout=WAIT)
    assert page.header.input.value() == (3, 227, 227)
    assert "60,965,224" in page.table.note.text()


def test_a_search_keeps_what_holds_every_word_and_down_leads_into_the_list(page: ExplorePage, qtbot: QtBot) -> None:
    page.list.search.setFocus()
    qtbot.keyClicks(page.list.search, "resnet 2015")
    qtbot.waitUntil(lambda: "lenet5" not in page.list.names(), timeout=2000)
    assert "resnet50" in page.list.names()
    assert "densenet121" not in page.list.names()
    qtbot.keyClick(page.list.search, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: shown(page, "resnet18"), timeout=WAIT)
    qtbot.keyClick(page.list.search, Qt.Key.Key_Escape)
    assert page.list.search.text() == ""


def test_the_libraries_join_the_list_once_torch_is_there(page: ExplorePage, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: "timm:resnet50" in page.list.names(), timeout=WAIT)
    assert "torchvision:resnet50" in page.list.names()
    assert len(page.list.names()) > 1000


def test_a_library_network_can_be_shown(page: ExplorePage, qtbot: QtBot) -> None:
    page.open("torchvision:squeezenet1_1")
    qtbot.waitUntil(lambda: shown(page, "torchvision:squeezenet1_1"), timeout=WAIT)
    assert "1,235,496 parameters" in page.table.note.text()


def test_a_row_selects_its_node_and_a_node_its_row(page: ExplorePage, qtbot: QtBot) -> None:
    emitted: list[int] = []
    page.flow.selected.connect(emitted.append)
    row = page.table.model.index(3, Col.NAME)
    page.table.view.scrollTo(row)
    qtbot.mouseClick(
        page.table.view.viewport(), Qt.MouseButton.LeftButton, pos=page.table.view.visualRect(row).center()
    )
    layer = page.portrait.anatomy.layers[3] if page.portrait else None
    assert layer is not None
    qtbot.waitUntil(lambda: page.flow._current == layer_key(3), timeout=10_000)
    assert layer.name in page.details.toPlainText()
    assert not emitted, "a selection from the table must not come back as one from the graph"
    page.flow.selected.emit(7)  # as a click on a node does
    assert page.table.view.currentIndex().row() == 7
    assert page.portrait is not None
    assert page.portrait.anatomy.layers[7].name in page.details.toPlainText()


def test_details_tell_the_arithmetic_and_which_pixels_a_cell_sees(page: ExplorePage) -> None:
    page.flow.selected.emit(0)  # a 5×5 convolution over 32×32
    details = page.details
    text = details.toPlainText()
    assert "32 − 5 + 1 = 28" in text
    assert "5·5·1·6 + 6 = 156" in text
    assert "rows 14 to 18, columns 14 to 18" in text, "the cell in the middle comes first"
    assert details.patch.isVisible()
    details.patch.boxes[0].setValue(27)
    assert "rows 27 to 31, columns 14 to 18" in details.toPlainText()
    page.flow.selected.emit(len(page.table.model.layers) - 1)
    assert "global: the whole input" in details.toPlainText()
    assert not details.patch.isVisible()


def test_details_tell_both_what_gates_and_what_convolutions_show(page: ExplorePage, qtbot: QtBot) -> None:
    page.open("efficientnet_b0")
    qtbot.waitUntil(lambda: shown(page, "efficientnet_b0"), timeout=WAIT)
    index = next(layer.index for layer in page.table.model.layers if layer.name == "features.3.0.block.1.0")
    page.flow.selected.emit(index)
    text = page.details.toPlainText()
    assert "global (convolutions alone: 35×35)" in text
    assert "By convolutions alone it sees rows 95 to 129, columns 95 to 129" in text
    page.open("lenet5")
    qtbot.waitUntil(lambda: shown(page, "lenet5"), timeout=WAIT)
    assert not page.details.patch.isVisible(), "the card of another network has no cell"


def test_another_input_size_and_number_of_classes_update_everything(page: ExplorePage, qtbot: QtBot) -> None:
    page.header.input.boxes[1].setValue(28)
    page.header.input.boxes[2].setValue(28)
    qtbot.waitUntil(lambda: page.portrait is not None and page.portrait.input == (1, 28, 28), timeout=WAIT)
    qtbot.waitUntil(lambda: "44,426" in page.table.note.text(), timeout=WAIT)
    assert "published 61,706" not in page.header.figures[0].text(), "that holds for 32×32 alone"
    page.header.editors["num_classes"].field.setValue(5)  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: f"{44_426 - 425:,}" in page.table.note.text(), timeout=WAIT)
    qtbot.mouseClick(page.header.reset, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "61,706" in page.table.note.text(), timeout=WAIT)
    assert page.header.editors["num_classes"].value() == 10


def test_an_impossible_input_shows_where_it_fails_and_what_ran_until_there(page: ExplorePage, qtbot: QtBot) -> None:
    page.open("alexnet")
    qtbot.waitUntil(lambda: shown(page, "alexnet"), timeout=WAIT)
    page.header.input.set_value((3, 60, 60))
    page.header.input.changed.emit()
    qtbot.waitUntil(lambda: page.banner.isVisible() and not page._parts, timeout=WAIT)
    assert "features.pool5" in page.banner.text
    assert "3×3" in page.banner.text
    executed = [layer.name for layer in page.table.model.layers if layer.executed]
    assert executed[0] == "features.conv1"
    assert "features.pool5" not in executed
    page.header.input.set_value((3, 227, 227))
    page.header.input.changed.emit()
    qtbot.waitUntil(lambda: not page.banner.isVisible(), timeout=WAIT)


def test_the_table_sorts_by_number_filters_and_copies(page: ExplorePage, qtbot: QtBot) -> None:
    table = page.table
    table.view.sortByColumn(Col.PARAMS, Qt.SortOrder.DescendingOrder)
    assert table.model.texts(0)[Col.NAME] == "c5"
    table.view.sortByColumn(Col.INDEX, Qt.SortOrder.AscendingOrder)
    qtbot.keyClicks(table.search, "conv")
    qtbot.waitUntil(lambda: table.model.rowCount() == 2, timeout=2000)
    assert "2 of 12 layers" in table.note.text()
    table.view.selectAll()
    table.copy.trigger()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].split("\t")[1] == "Layer"
    assert [line.split("\t")[1] for line in lines[1:]] == ["features.c1", "features.c3"]


def test_selecting_a_layer_that_the_filter_hides_clears_the_filter(page: ExplorePage, qtbot: QtBot) -> None:
    qtbot.keyClicks(page.table.search, "conv")
    qtbot.waitUntil(lambda: page.table.model.rowCount() == 2, timeout=2000)
    page.table.select(11)
    assert page.table.search.text() == ""
    assert page.table.model.texts(page.table.view.currentIndex().row())[Col.NAME] == "output"


def test_only_the_newest_choice_is_shown_when_one_scrolls_through_the_list(page: ExplorePage, qtbot: QtBot) -> None:
    for name in ("vgg11", "vgg16", "resnet18", "mobilenet_v2"):
        page.open(name)
    qtbot.waitUntil(lambda: shown(page, "mobilenet_v2"), timeout=WAIT)
    qtbot.wait(300)
    assert page.portrait is not None
    assert page.portrait.entry.name == "mobilenet_v2"
    assert page.header.title.text() == "MobileNetV2"


def test_a_users_own_file_is_shown_and_remembered(
    page: ExplorePage, qtbot: QtBot, tmp_path: Path, settings: QSettings
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from torch import nn\n\ndef network(width: int = 8):\n"
        "    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))\n".replace(
            "nn.LazyLinear(2)", "nn.AdaptiveAvgPool1d(2)"
        )
    )
    page.open_file(file)
    qtbot.waitUntil(lambda: shown(page, f"{file}:network"), timeout=WAIT)
    assert page.header.editors["width"].value() == 8
    assert f"{file}:network" in str(settings.value("explore/files"))


def test_a_users_file_that_fails_gives_a_message_in_the_window(page: ExplorePage, qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("def network():\n    raise RuntimeError('no such thing')\n")
    page.open_file(file)
    qtbot.waitUntil(page.banner.isVisible, timeout=WAIT)
    assert "no such thing" in page.banner.text


def test_callables_are_read_without_running_the_file(tmp_path: Path) -> None:
    file = tmp_path / "spy.py"
    file.write_text(
        "import pathlib\npathlib.Path('ran').touch()\nclass Net: pass\ndef make(): pass\ndef _own(): pass\n"
    )
    assert callables_in(file) == ["make", "Net"]
    assert not Path("ran").exists()


def test_an_endless_file_can_be_cancelled_and_the_next_network_is_shown(
    page: ExplorePage, qtbot: QtBot, tmp_path: Path
) -> None:
    file = tmp_path / "endless.py"
    file.write_text("def net():\n    while True:\n        pass\n", encoding="utf-8")
    page.add_file(f"{file}:net")
    qtbot.waitUntil(page.waiting.isVisible, timeout=WAIT)
    assert "endless.py" in page.waiting.label.text()
    qtbot.mouseClick(page.waiting.cancel, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.banner.isVisible, timeout=WAIT)
    assert "cancelled" in page.banner.text
    assert not page.waiting.isVisible()
    page.open("alexnet")
    qtbot.waitUntil(lambda: shown(page, "alexnet"), timeout=WAIT)


def test_going_on_to_another_network_ends_an_endless_one(page: ExplorePage, qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "endless.py"
    file.write_text("while True:\n    pass\n\ndef net():\n    pass\n", encoding="utf-8")
    page.add_file(f"{file}:net")
    qtbot.wait(200)
    page.open("alexnet")
    qtbot.waitUntil(lambda: shown(page, "alexnet"), timeout=WAIT)
