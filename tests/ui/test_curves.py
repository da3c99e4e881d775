"""The live curves: every point is painted when it comes, and no spike is lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from explorer.training.events import Epoch, Event, Started, Steps
from explorer.ui.train.curve_legend import SPEED, VALIDATION
from explorer.ui.train.curves import Curves
from explorer.ui.train.line import envelope
from explorer.ui.train.series import Series

STARTED = Started(
    run="run",
    architecture="lenet5",
    dataset="digits",
    device="cpu",
    device_name="CPU",
    precision="32-true",
    params=1,
    train_images=100,
    validation_images=10,
    test_images=0,
    steps_per_epoch=10,
    epochs=20,
    step=0,
)


def steps(epoch: int, loss: float, speed: float = 930.0) -> list[Event]:
    """Returns the events of one epoch of ten steps."""
    last = 10 * epoch
    accuracy = epoch / 20
    return [
        Steps(epoch, last, (loss,) * 10, 0.1, speed, 1.0),
        Epoch(epoch, last, loss, accuracy, loss, accuracy, True, speed, 1.0),
    ]


def on_screen(plot: object) -> QImage:
    """Returns what the screen shows of a plot: the result of partial repaints, where `grab` would paint anew."""
    viewport = plot.viewport()  # type: ignore[attr-defined]
    corner = viewport.mapTo(viewport.window(), QPoint(0, 0))
    image = viewport.screen().grabWindow(viewport.window().winId(), corner.x(), corner.y(), *viewport.size().toTuple())
    return image.toImage()


def rightmost(image: QImage, colour: QColor) -> int:
    """Returns the last column in which a colour is found."""
    return max(
        (x for x in range(image.width()) for y in range(image.height()) if image.pixelColor(x, y) == colour), default=-1
    )


@pytest.fixture
def curves(qtbot: QtBot) -> Curves:
    curves = Curves()
    qtbot.addWidget(curves)
    curves.resize(700, 500)
    curves.show()
    qtbot.waitExposed(curves)
    curves.add([STARTED])
    return curves


def test_points_are_painted_as_they_come(qtbot: QtBot, curves: Curves) -> None:
    for plot, colour in ((curves.accuracy, VALIDATION), (curves.speed, SPEED)):
        curves.clear()
        curves.add([STARTED])
        ends = []
        for epoch in range(1, 7):
            for event in steps(epoch, 2.0 / epoch):
                curves.add([event])
            curves.draw()
            qtbot.wait(30)
            ends.append(rightmost(on_screen(plot), colour))
        assert all(after > before for before, after in pairwise(ends)), ends


def test_partial_repaints_show_what_a_whole_one_does(qtbot: QtBot, curves: Curves) -> None:
    for epoch in range(1, 12):
        for event in steps(epoch, 2.0 / epoch, 1000.0 + 17 * epoch):
            curves.add([event])
        curves.draw()
        qtbot.wait(10)
    for plot in (curves.loss, curves.accuracy, curves.speed):
        partial = on_screen(plot)
        plot.viewport().update()
        qtbot.wait(30)
        assert partial == on_screen(plot)


def test_a_cleared_plot_is_empty(qtbot: QtBot, curves: Curves) -> None:
    for event in steps(1, 2.0):
        curves.add([event])
    curves.draw()
    qtbot.wait(30)
    assert rightmost(on_screen(curves.speed), SPEED) > 0 or rightmost(on_screen(curves.accuracy), VALIDATION) > 0
    curves.clear()
    qtbot.wait(30)
    assert rightmost(on_screen(curves.speed), SPEED) == rightmost(on_screen(curves.accuracy), VALIDATION) == -1


def test_view_all_shows_every_point(qtbot: QtBot, curves: Curves) -> None:
    for epoch in range(1, 4):
        for event in steps(epoch, 5.0):
            curves.add([event])
    curves.draw()
    curves.loss.getViewBox().autoRange(padding=0)
    (left, right), (bottom, top) = curves.loss.getViewBox().viewRange()
    assert left <= 0.1
    assert right >= 3
    assert bottom <= 5 <= top


def test_series_of_a_resumed_run_replaces_repeated_steps() -> None:
    series = Series()
    series.extend([1, 2, 3, 4], [10, 20, 30, 40])
    series.fresh = len(series)
    series.extend([3, 4, 5], [31, 41, 51])
    assert list(series.x) == [1, 2, 3, 4, 5]
    assert list(series.y) == [10, 20, 31, 41, 51]
    assert series.fresh == 2
    assert series.highest == 51


def test_series_grows_without_loss() -> None:
    series = Series()
    for number in range(5000):
        series.extend([number], [-number])
    assert len(series) == 5000
    assert np.array_equal(series.y, -np.arange(5000.0))


def test_envelope_keeps_every_spike() -> None:
    across = np.linspace(0, 99.99, 100_000)
    down = np.zeros(100_000)
    down[[5, 50_123, 99_999]] = [7.0, -3.0, 11.0]
    columns, ends = envelope(across, down)
    assert len(columns) == 200
    assert sorted(set(ends)) == [-3.0, 0.0, 7.0, 11.0]
    assert columns[list(ends).index(-3.0)] == 50.5
