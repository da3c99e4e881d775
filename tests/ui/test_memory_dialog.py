"""The memory dialog with real widgets and real networks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from explorer.inspection.memory import TrainingSetup
from explorer.inspection.training_memory import training_memory
from explorer.ui.explore.page import ExplorePage

WAIT = 60_000


def settled(page: ExplorePage, name: str) -> bool:
    """Whether the page shows the network and the dialog its memory."""
    dialog, portrait = page.memory, page.portrait
    return (
        portrait is not None
        and portrait.entry.name == name
        and not page._parts
        and dialog.measured is not None
        and dialog.measured.setup == dialog.setup()
    )


@pytest.fixture
def page(qtbot: QtBot, settings: QSettings) -> Iterator[ExplorePage]:
    page = ExplorePage(settings)
    qtbot.addWidget(page)
    page.resize(1200, 760)
    page.show()
    page.begin("lenet5")
    qtbot.waitUntil(lambda: page.portrait is not None and not page._parts, timeout=WAIT)
    assert page.memory.measured is None, "nothing is worked out before it is asked for"
    qtbot.mouseClick(page.header.memory, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: settled(page, "lenet5"), timeout=WAIT)
    yield page
    page.memory.close()
    while not page.stop():
        pass


def test_the_header_shows_the_peak_and_explains_it(page: ExplorePage) -> None:
    assert "37.6 kB" in page.header.figures[2].text()
    assert "58.4 kB" in page.header.figures[2].text()
    assert "37,632 bytes" in page.header.figures[2].toolTip()
    assert "246,824 bytes of weights" in page.header.figures[2].toolTip()


def test_the_parts_follow_batch_optimiser_and_precision(page: ExplorePage, qtbot: QtBot) -> None:
    dialog = page.memory
    dialog.batch.setValue(16)
    dialog.optimiser.setCurrentText("Adam")
    dialog.precision.setCurrentText("bf16 mixed")
    qtbot.waitUntil(lambda: settled(page, "lenet5"), timeout=WAIT)
    assert page.portrait is not None
    assert dialog.measured == training_memory(page.portrait, TrainingSetup(16, "adam", "bf16"))
    assert dialog.cells["optimiser"][0].text() == "494 kB"
    dialog.copy.click()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert len(lines) == 10
    assert lines[-1] == f"Peak\t\t{dialog.measured.peak_bytes}"


def test_the_dialog_follows_the_network_and_says_why_there_is_no_number(page: ExplorePage, qtbot: QtBot) -> None:
    page.open("resnet18")
    qtbot.waitUntil(lambda: settled(page, "resnet18"), timeout=WAIT)
    assert page.memory.windowTitle() == "Memory of ResNet-18"
    assert page.memory.cells["parameters"][0].text() == "46.8 MB"
    page.open("torchvision:fcn_resnet50")
    qtbot.waitUntil(lambda: "segmentation" in page.memory.step_text.message, timeout=WAIT)
    assert page.memory.measured is None
    assert page.memory.cells["parameters"][0].text() == "–"


def test_a_click_into_the_chart_shows_the_layer(page: ExplorePage, qtbot: QtBot) -> None:
    chart = page.memory.chart
    qtbot.mouseClick(chart, Qt.MouseButton.LeftButton, pos=chart.rect().center())
    assert page.portrait is not None
    name = page.portrait.anatomy.layers[chart.layer_at(chart.rect().center().x())].name
    assert name in page.details.toPlainText()
