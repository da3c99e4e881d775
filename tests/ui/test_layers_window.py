"""The layers of a run, while it trains and afterwards."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from explorer.training.events import Histogram, LayerRatios, LayerRow, LayerStatistics, Steps
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.ui.train.curves import Curves
from explorer.ui.train.histogram_view import HistogramView
from explorer.ui.train.layer_history import MOST, LayerHistory
from explorer.ui.train.layer_table import Col, ratio_text
from explorer.ui.train.layers_window import LayersWindow
from explorer.ui.train.page import TrainPage

WAIT = 60_000


def ratios(step: int, **layers: float | None) -> LayerRatios:
    return LayerRatios(step, tuple(layers.items()))


def spread(*counts: int, non_finite: int = 0) -> Histogram:
    return Histogram(-1.0, 1.0, counts, 0.25, 0.5, 3, non_finite)


CONV = LayerRow(
    "conv", "Conv2d", 2.0, 0.5, 1e-3, spread(1, 2), spread(2, 1), spread(90, 0, 7, 0, non_finite=3), units=4, dead=1
)
RELU = LayerRow("relu", "ReLU", activations=spread(5, 5), units=4)
LOOKED = LayerStatistics(20, (CONV, RELU, LayerRow("fc", "Linear", 1.0, None, None, spread(1, 1))))


@pytest.fixture
def curves(qtbot: QtBot) -> Iterator[Curves]:
    curves = Curves()
    qtbot.addWidget(curves)
    yield curves
    assert curves.stop(5000)


@pytest.fixture
def window(qtbot: QtBot, curves: Curves) -> LayersWindow:
    window = LayersWindow(curves, lambda: None, curves)
    qtbot.addWidget(window)
    window.open()
    return window


def column(window: LayersWindow, number: Col) -> list[str]:
    model = window.table.layers
    return [model.index(row, number).data() for row in range(model.rowCount())]


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_history_replaces_what_is_trained_again() -> None:
    history = LayerHistory()
    for step in (10, 20, 30, 15):
        history.add(ratios(step, a=step / 1000, b=None))
    steps, values = history.course("a")
    assert list(steps) == [10, 15]
    assert values.tolist() == pytest.approx([0.01, 0.015])
    assert history.latest() == {"a": pytest.approx(0.015), "b": None}


def test_a_run_of_days_takes_no_more_room() -> None:
    history = LayerHistory()
    for step in range(1, 5 * MOST):
        history.add(ratios(step, a=float(step)))
    steps, values = history.course("a")
    assert MOST / 2 <= len(history) <= MOST
    assert list(steps) == values.tolist()
    assert list(steps) == sorted(set(steps))
    assert (steps[0], steps[-1]) == (1, 5 * MOST - 1)


def test_ratios_far_from_healthy_are_marked() -> None:
    texts = [ratio_text(ratio) for ratio in (None, 0.0, 9e-6, 1e-5, 1.234e-3, 1e-2, 0.0101, 2.5)]
    assert texts == ["–", "0", "▼ 9.00e-6", "1.00e-5", "1.23e-3", "1.00e-2", "▲ 1.01e-2", "▲ 2.50e+0"]


# -- the window --------------------------------------------------------------------------------------------------------


def test_it_follows_the_run_on_show(window: LayersWindow, curves: Curves, qtbot: QtBot) -> None:
    assert "No run is on show" in window.note.message
    assert not window.copy.isEnabled()
    curves.add([ratios(10, conv=0.02, fc=1e-6)])
    qtbot.waitUntil(lambda: column(window, Col.NAME) == ["conv", "fc"], timeout=5000)
    qtbot.waitUntil(lambda: window.note.message.startswith("Step 10"), timeout=5000)
    assert "▲ 1 above 1e-2, ▼ 1 below 1e-5" in window.note.message.replace("\u200b", "")
    assert column(window, Col.RATIO) == ["▲ 2.00e-2", "▼ 1.00e-6"]
    assert window.table.current is not None
    assert window.table.current.name == "conv", "the keyboard is at the first layer"
    curves.clear()
    qtbot.waitUntil(lambda: column(window, Col.NAME) == [], timeout=5000)


def test_a_full_look_adds_layers_and_fills_the_histograms(window: LayersWindow, curves: Curves, qtbot: QtBot) -> None:
    curves.add([ratios(20, conv=1e-3, fc=2e-3)])
    window.draw()
    assert window.table.view.isColumnHidden(Col.DEAD)
    qtbot.keyClick(window.table.view, Qt.Key.Key_Down)
    curves.add([LOOKED])
    window.draw()
    assert column(window, Col.NAME) == ["conv", "relu", "fc"]
    assert column(window, Col.DEAD) == ["1 / 4", "0 / 4", ""]
    assert column(window, Col.RATIO) == ["1.00e-3", "", "2.00e-3"]
    assert window.table.current is not None
    assert window.table.current.name == "fc", "what was selected stays so"
    assert "made" not in window.captions["weights"].text()
    assert "frozen, or no part" in window.captions["gradients"].text()
    for _ in range(2):
        qtbot.keyClick(window.table.view, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: window.heading.text() == "conv (Conv2d), step 20", timeout=5000)
    caption = window.captions["activations"].text()
    assert caption == "Activations: 100, ⚠ 3 NaN or infinite\nmean 0.25, std 0.5\n3.0 % zeros, 1 of 4 units dead"
    assert window.captions["gradients"].text().endswith("length 0.5")
    qtbot.keyClick(window.table.view, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: window.captions["weights"].text() == "Weights\nthe layer has none", timeout=5000)


def test_the_course_of_the_selected_layers_is_drawn(window: LayersWindow, curves: Curves) -> None:
    for step in range(1, 6):
        curves.add([ratios(step, conv=10.0**-step, still=0.0, fc=None)])
    window.draw()
    window.table.view.selectAll()
    window.draw()
    drawn = [line.getData() for line in window.course._lines]
    assert drawn[0][0].tolist() == [1, 2, 3, 4, 5]
    assert drawn[0][1].tolist() == pytest.approx([-1, -2, -3, -4, -5], abs=1e-6)
    assert np.isnan(drawn[1][1]).all()
    assert np.isnan(drawn[2][1]).all()
    low, high = window.course.plot.viewRange()[1]
    assert low < math.log10(1e-5)
    assert high > -1
    for name in ("conv", "still", "fc"):
        assert name in window.course.legend.text()


def test_hundreds_of_layers_are_filtered_and_copied(window: LayersWindow, curves: Curves, qtbot: QtBot) -> None:
    names = [f"stages.{place // 10}.blocks.{place % 10}.conv" for place in range(400)]
    curves.add([LayerRatios(1, tuple((name, 1e-3) for name in names))])
    window.draw()
    window.table.search.setText("stages.39 conv")
    qtbot.waitUntil(lambda: window.table.note.text() == "10 of 400 layers", timeout=5000)
    shown = [row for row in range(400) if not window.table.view.isRowHidden(row)]
    assert shown == [*range(390, 400)]
    window.table.view.selectAll()
    qtbot.waitUntil(lambda: "and 1 more" in window.course.legend.text(), timeout=5000)
    qtbot.mouseClick(window.copy, Qt.MouseButton.LeftButton)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert len(lines) == 401
    assert lines[0].split("\t")[:2] == ["Layer", "Update ratio"]
    assert lines[1].split("\t")[:2] == [names[0], "1.00e-3"]


def test_histograms_are_read_bin_by_bin(qtbot: QtBot) -> None:
    view = HistogramView("Weights", QColor("blue"))
    qtbot.addWidget(view)
    view.resize(300, 200)
    view.show()
    assert view.bin_at(QPoint(150, 100)) is None
    view.show_histogram(spread(90, 0, 7, 0, non_finite=3))
    area = view._area
    places = [view.bin_at(QPoint(round(area.left() + share * area.width()), 100)) for share in (0.1, 0.4, 0.6, 0.9)]
    assert places == [0, 1, 2, 3]
    assert view.describe(2) == "0 to 0.5: 7 (7.00 %)"
    heights = [view._height(count) for count in (0, 1, 7, 90)]
    view.set_logarithmic(True)
    logarithmic = [view._height(count) for count in (0, 1, 7, 90)]
    assert heights == [0, 1 / 90, 7 / 90, 1]
    assert logarithmic[0] == 0
    assert logarithmic[1] > 0.1, "a single one can be seen"
    assert logarithmic[3] == 1
    view.grab()


def test_the_window_is_there_before_its_plot_is_made(window: LayersWindow, qtbot: QtBot) -> None:
    assert window._course is None, "parts of it are made one turn after the other"
    assert window.note.message, "and it says at once how things stand"
    qtbot.waitUntil(lambda: window._course is not None and window._course.isVisible(), timeout=5000)


def test_return_in_the_filter_presses_no_button(window: LayersWindow, curves: Curves, qtbot: QtBot) -> None:
    curves.add([ratios(1, conv=1e-3)])
    window.draw()
    QGuiApplication.clipboard().setText("before")
    qtbot.keyClick(window.table.search, Qt.Key.Key_Return)
    assert QGuiApplication.clipboard().text() == "before"


# -- real runs ---------------------------------------------------------------------------------------------------------


def layers_of(page: TrainPage) -> LayersWindow:
    page.curves.bar.layers.click()
    assert page.layers is not None
    return page.layers


def test_histograms_of_the_next_step_of_a_run_that_is_paused_and_goes_on(page: TrainPage, qtbot: QtBot) -> None:
    window = layers_of(page)
    assert not window.ask.isEnabled()
    page.form.set_recipe(Recipe(epochs=500))
    page.begin()
    qtbot.waitUntil(lambda: len(window.history) > 0, timeout=WAIT)
    qtbot.waitUntil(window.ask.isEnabled, timeout=5000)
    qtbot.waitUntil(lambda: "not made yet" in window.captions["weights"].text(), timeout=5000)
    page.pause.click()
    qtbot.waitUntil(lambda: not page.trainer or not page.trainer.events, timeout=5000)
    qtbot.mouseClick(window.ask, Qt.MouseButton.LeftButton)
    assert "press Resume" in window.note.message
    assert not window.ask.isEnabled()
    qtbot.wait(300)
    assert window.history.statistics is None
    page.pause.click()
    qtbot.waitUntil(lambda: window.history.statistics is not None, timeout=WAIT)
    qtbot.waitUntil(window.ask.isEnabled, timeout=5000)
    statistics = window.history.statistics
    assert statistics is not None
    assert [row.name for row in statistics.layers if row.weights is not None] == [
        "features.c1",
        "features.c3",
        "c5",
        "f6",
        "output",
    ]
    assert page.display.started is not None
    for row in statistics.layers:
        assert row.activations is not None
        assert row.activations.total % 32 == 0, "of a batch of 32 images, or the last one of 30"
    page.session.halt()
    qtbot.waitUntil(lambda: page.trainer is None, timeout=WAIT)
    qtbot.waitUntil(lambda: not window.ask.isEnabled(), timeout=5000)
    assert "Step" in window.note.message, "what has been told stays on show"


def test_a_run_of_before_shows_its_ratios(page: TrainPage, qtbot: QtBot) -> None:
    folder = RunFolder.create(Recipe(epochs=3))
    for step in (1, 2, 5):
        folder.append(Steps(1, step, (1.0,), 0.05, 1.0, 1.0))
        folder.append(ratios(step, conv=1e-3 * step, fc=0.0))
    page.open_run(folder.path)
    window = layers_of(page)
    qtbot.waitUntil(lambda: column(window, Col.RATIO) == ["5.00e-3", "0"], timeout=5000)
    qtbot.waitUntil(lambda: "Step 5: 1 not moved" in window.note.message, timeout=5000)
    assert list(window.history.course("conv")[0]) == [1, 2, 5]
    qtbot.waitUntil(lambda: "made only while a run trains" in window.captions["activations"].text(), timeout=5000)


def test_the_page_opens_the_window_by_key(page: TrainPage, qtbot: QtBot) -> None:
    qtbot.keyClick(page, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: page.layers is not None and page.layers.isVisible(), timeout=5000)
    assert isinstance(page.layers, QWidget)
