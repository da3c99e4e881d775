"""What one sees of runs: axes, smoothing, comparison, reading, saving; with real runs where a run is needed."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QPoint, QSettings, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QImage
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from explorer.training.events import Epoch, Event, Started, Steps
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.training.tensorboard import append_scalars
from explorer.ui.train.curve_legend import RUN_COLOURS
from explorer.ui.train.curves import Curves
from explorer.ui.train.imported_run import metric_of
from explorer.ui.train.page import TrainPage
from explorer.ui.train.readout import reading
from explorer.ui.train.run_curves import METRICS, RunCurves, read_curves
from explorer.ui.train.run_model import Col
from explorer.ui.train.series import BLOCK, Series
from explorer.ui.train.smoothing import smooth

WAIT = 60_000
Check = Qt.ItemDataRole.CheckStateRole


@pytest.fixture
def two_runs(own_runs: Path) -> list[RunFolder]:
    """Two real runs of two epochs."""
    folders = []
    for rate in (0.01, 0.05):
        recipe = Recipe(batch_size=256, epochs=2, learning_rate=rate)
        folder = RunFolder.create(recipe)
        for _ in fit(recipe, folder, "cpu"):
            pass
        folders.append(folder)
    return folders


@pytest.fixture
def page(two_runs: list[RunFolder], qtbot: QtBot, settings: QSettings) -> Iterator[TrainPage]:
    page = TrainPage(settings)
    qtbot.addWidget(page)
    page.resize(1280, 800)
    page.show()
    qtbot.waitUntil(lambda: len(page.runs.model.runs) == 2, timeout=WAIT)
    yield page
    while not page.stop():  # no event is handled meanwhile: the page has been asked to go
        pass


@pytest.fixture
def curves(qtbot: QtBot) -> Iterator[Curves]:
    curves = Curves()
    qtbot.addWidget(curves)
    curves.resize(900, 600)
    curves.show()
    yield curves
    qtbot.waitUntil(curves.stop, timeout=WAIT)


def told(epochs: int = 3, speed: float = 100.0) -> list[Event]:
    """Returns the events of a run of ten steps of ten images each to the epoch."""
    started = Started("run", "lenet5", "digits", "cpu", "CPU", "32-true", 1, 100, 10, 0, 10, epochs, 0)
    events: list[Event] = [started]
    for epoch in range(1, epochs + 1):
        last = 10 * epoch
        for end in (last - 5, last):
            losses = tuple(3.0 / step for step in range(end - 4, end + 1))
            events.append(Steps(epoch, end, losses, 0.1 / epoch, speed, 1.0, 0.5 * epoch))
        best = epoch == 2
        accuracy = 0.9 if best else 0.4
        events.append(Epoch(epoch, last, 1.0, 0.5, 1.5 / epoch, accuracy, best or epoch == 1, speed, 1.0))
    return events


def run_of(events: list[Event], name: str = "a run") -> RunCurves:
    run = RunCurves(name, name)
    for event in events:
        run.add([event])
    return run


def row_of(page: TrainPage, folder: RunFolder) -> int:
    return [run.path for run in page.runs.model.runs].index(str(folder.path))


def test_an_empty_plot_has_no_best_epoch(curves: Curves) -> None:
    assert not any(star.isVisible() for star in curves._main.stars)


def test_smoothing_is_the_debiased_moving_average() -> None:
    values = np.random.default_rng(0).normal(1.0, 1.0, 1000)
    for weight in (0.1, 0.6, 0.9, 0.999):
        last, expected = 0.0, []
        for place, value in enumerate(values, 1):
            last = weight * last + (1 - weight) * value
            expected.append(last / (1 - weight**place))
        assert smooth(values, weight) == pytest.approx(expected, rel=1e-9)
        parts, done = [], 0
        for size in (1, 2, 30, 31, 32, 400, 504):
            last = float(parts[-1][-1]) if parts else 0.0
            parts.append(smooth(values[done : done + size], weight, done, last))
            done += size
        assert np.concatenate(parts) == pytest.approx(expected, rel=1e-9)


def test_blocks_of_a_series_hold_the_range_of_their_points() -> None:
    series, values = Series(), np.random.default_rng(0).normal(size=1000)
    for begin in range(0, 1000, 37):
        series.extend(range(begin + 1, begin + 1 + len(values[begin : begin + 37])), values[begin : begin + 37])
    series.extend([500, 501], [50.0, -50.0])  # a resumed run
    values = np.concatenate((values[:499], [50.0, -50.0]))
    x, low, high = series.blocks(0, len(series))
    whole = values[: len(low) * BLOCK].reshape(-1, BLOCK)
    assert len(low) == 501 // BLOCK
    assert list(x) == [1 + BLOCK * place for place in range(len(low))]
    assert np.array_equal(low, whole.min(1))
    assert np.array_equal(high, whole.max(1))


def test_every_axis_has_every_point() -> None:
    run = run_of(told(speed=50.0))
    loss = run.series["step_loss"]
    assert list(loss.x) == pytest.approx([step / 10 for step in range(1, 31)])
    run.set_axis("steps")
    assert list(loss.x) == list(range(1, 31))
    assert list(run.series["validation_loss"].x) == [10, 20, 30]
    run.set_axis("time")
    assert list(loss.x) == pytest.approx([0.2 * step for step in range(1, 31)]), "ten images a step, 50 a second"
    run.add([Steps(4, 35, (1.0,) * 5, 0.1, 25.0, 1.0)])
    assert loss.x[-1] == pytest.approx(6.0 + 5 * 10 / 25)
    assert run.end == pytest.approx(8.0)


def test_a_run_read_at_once_is_the_one_that_was_told(two_runs: list[RunFolder]) -> None:
    from explorer.training.events import from_document

    slow = RunCurves()
    for document in two_runs[0].metrics():
        event = from_document(document)
        assert event is not None
        slow.add([event])
    quick = read_curves(str(two_runs[0].path))
    assert quick.best == slow.best
    for axis in ("epochs", "steps", "time"):
        quick.set_axis(axis)  # type: ignore[arg-type]
        slow.set_axis(axis)  # type: ignore[arg-type]
        for metric in METRICS:
            one, other = quick.series[metric.name], slow.series[metric.name]
            assert np.array_equal(one.y, other.y), metric.name
            assert one.x == pytest.approx(other.x), metric.name
    assert len(quick.series["step_loss"]) == 12


def test_the_best_epoch_has_a_star(curves: Curves) -> None:
    curves.show_run(run_of(told()))
    stars = curves._main.stars
    assert [(star.pos().x(), star.pos().y()) for star in stars] == [(2.0, 90.0), (2.0, 0.75)]
    curves.bar.axis.setCurrentIndex(curves.bar.axis.findData("steps"))
    assert [star.pos().x() for star in stars] == [20.0, 20.0]
    curves.bar.log_y.setChecked(True)
    assert stars[1].pos().y() == pytest.approx(np.log10(0.75))
    curves.clear()
    assert not any(star.isVisible() for star in curves._main.stars)


def test_values_are_read_at_a_step() -> None:
    text = reading([run_of(told())], 2.04, list(RUN_COLOURS))
    assert "step 20 · epoch 2.00" in text
    for value in ("0.15", "90.00 %", "0.05", "100", "1"):
        assert f">&nbsp;{value}</td>" in text
    assert reading([RunCurves()], 1.0, list(RUN_COLOURS)) == ""


def test_hovering_shows_the_values(curves: Curves, qtbot: QtBot) -> None:
    curves.show_run(run_of(told()))
    viewport = curves.loss.viewport()
    qtbot.wait(50)
    qtbot.mouseMove(viewport, QPoint(viewport.width() // 2, viewport.height() // 2))
    qtbot.mouseMove(viewport, QPoint(viewport.width() // 2 + 5, viewport.height() // 2))
    qtbot.waitUntil(lambda: curves.readout.label.isVisible(), timeout=5000)
    assert "validation accuracy" in curves.readout.label.text()
    curves.readout.hide()
    assert not curves.readout.label.isVisible()


def painted(curves: Curves) -> bytes:
    """Returns what the screen shows of the curves: what was painted in parts, and not what would be painted anew."""
    QCoreApplication.processEvents()
    image = curves.screen().grabWindow(curves.winId()).toImage()
    return bytes(image.convertToFormat(QImage.Format.Format_RGB32).constBits())


def test_the_line_under_the_pointer_leaves_no_trace(curves: Curves, qtbot: QtBot) -> None:
    curves.show_run(run_of(told()))
    qtbot.wait(100)
    before = painted(curves)
    middle = curves.loss.geometry().center()
    for place in range(5):
        curves.readout.show_at(0.5 * place + 0.2, middle + QPoint(20 * place, 0))
        assert painted(curves) != before
    curves.readout.hide()
    assert painted(curves) == before


def test_nothing_is_read_where_a_run_has_ended(curves: Curves) -> None:
    short, long = run_of(told(epochs=1), "short"), run_of(told(epochs=3), "long")
    text = reading([short, long], 2.5, list(RUN_COLOURS))
    assert text.count(">&nbsp;–</td>") == text.count("<tr>") - 2, "each line has a dash for the short one"
    curves.show_run(run_of(told(epochs=1)))
    curves.readout.show_at(500.0, QPoint(10, 10))
    assert "step 10 · epoch 1.00" in curves.readout.label.text(), "the line stays at the newest point"


def test_a_plot_offers_what_the_page_knows_of(curves: Curves, qtbot: QtBot) -> None:
    curves.show_run(run_of(told()))
    qtbot.keyClick(curves.loss, Qt.Key.Key_Plus)
    assert curves.ranges.zoomed == {"loss"}
    event = QContextMenuEvent(
        QContextMenuEvent.Reason.Keyboard, QPoint(10, 10), curves.loss.mapToGlobal(QPoint(10, 10))
    )
    QCoreApplication.sendEvent(curves.loss, event)
    menu = curves.loss.findChild(QMenu)
    assert isinstance(menu, QMenu)
    assert [action.text() for action in menu.actions()] == ["Show all", "Save as"]
    menu.actions()[0].trigger()
    assert curves.ranges.zoomed == set()
    menu.close()


def test_keys_read_the_curves_and_zoom(curves: Curves, qtbot: QtBot) -> None:
    curves.show_run(run_of(told()))
    plot, readout = curves.loss, curves.readout
    box = plot.getViewBox()
    plot.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(readout.label.isVisible, timeout=WAIT)
    last = readout.label.text()
    qtbot.keyClick(plot, Qt.Key.Key_Home)
    first = readout.label.text()
    assert "step 0 " in first
    assert first != last
    for _ in range(10):
        qtbot.keyClick(plot, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert readout.label.text() != first
    place, (left, right) = readout._lines["loss"].value(), box.viewRange()[0]
    qtbot.keyClick(plot, Qt.Key.Key_Plus)
    assert np.ptp(box.viewRange()[0]) == pytest.approx((right - left) / 2)
    assert readout._lines["loss"].value() == pytest.approx(place)
    for event in told(9)[-3:]:  # what the user has zoomed stays as it is
        curves.add([event])
    curves.draw()
    assert np.ptp(box.viewRange()[0]) == pytest.approx((right - left) / 2)
    qtbot.keyClick(plot, Qt.Key.Key_Escape)
    assert not readout.label.isVisible()


def test_long_curves_change_their_axis_plot_by_plot(
    curves: Curves, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.ui.train.curves.LONG", 20)
    curves.show_run(run_of(told()))
    curves.bar.axis.setCurrentIndex(1)
    assert curves._changes
    qtbot.waitUntil(lambda: not curves._changes, timeout=WAIT)
    assert list(curves.series("step_loss").x) == list(curves.series("step_loss").steps)
    assert curves.loss.getViewBox().viewRange()[0][1] >= curves.series("step_loss").steps[-1]


def test_smoothing_leaves_the_numbers_alone(curves: Curves) -> None:
    curves.show_run(run_of(told()))
    line = curves._main.lines["step_loss"]
    before = line.series.y.copy()
    curves.bar.slider.setValue(600)
    assert np.array_equal(line.series.y, before)
    assert line.average.y == pytest.approx(smooth(before, 0.6))
    for event in told(4)[-3:]:
        curves.add([event])
    curves.draw()
    assert line.average.y == pytest.approx(smooth(line.series.y, 0.6))
    assert not len(curves._main.lines["rate"].average)
    assert not len(curves._main.lines["validation_loss"].average)
    curves.bar.slider.setValue(0)
    assert not len(line.average)


def test_long_curves_are_smoothed_behind_the_window(
    curves: Curves, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explorer.ui.train.curve_smoothing.LONG", 20)
    curves.show_run(run_of(told()))
    line = curves._main.lines["step_loss"]
    curves.bar.slider.setValue(300)
    curves.bar.slider.setValue(600)
    assert not len(line.average)
    for event in told(4)[-3:]:  # while that goes on
        curves.add([event])
    curves.draw()
    qtbot.waitUntil(lambda: len(line.average) == 40, timeout=WAIT)
    assert line.average.y == pytest.approx(smooth(line.series.y, 0.6))


def test_logarithmic_axes_hold_the_whole_curve(curves: Curves) -> None:
    curves.show_run(run_of(told()))
    curves.bar.log_y.setChecked(True)
    curves.bar.log_x.setChecked(True)
    (left, right), (bottom, top) = curves.loss.getViewBox().viewRange()
    assert left <= np.log10(0.1) < np.log10(3) <= right
    assert bottom <= np.log10(0.1) < np.log10(3) <= top
    assert curves.accuracy.getViewBox().viewRange()[1][1] >= 100
    assert not curves.grab().isNull()


def test_curves_are_saved_as_pictures_and_numbers(curves: Curves, tmp_path: Path, qtbot: QtBot) -> None:
    run = run_of(told())
    curves.show_run(run)
    curves.save(tmp_path / "a.png")
    image = QImage(str(tmp_path / "a.png"))
    assert image.width() > curves.width()
    colours = {image.pixelColor(x, y).name() for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)}
    assert "#e07b00" in colours
    curves.save(tmp_path / "a.svg")
    assert QSvgRenderer(str(tmp_path / "a.svg")).isValid()
    text = (tmp_path / "a.svg").read_text()
    assert "polyline" in text
    assert "loss (nats)" in text
    curves.save(tmp_path / "a.csv")
    qtbot.waitUntil((tmp_path / "a.csv").exists, timeout=WAIT)
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    losses = [float(row["value"]) for row in rows if row["metric"] == "step_loss"]
    assert losses == list(run.series["step_loss"].y)
    assert [row["epoch"] for row in rows if row["metric"] == "validation_loss"] == ["1.0", "2.0", "3.0"]
    with qtbot.waitSignal(curves.failed):
        curves.save(tmp_path / "nowhere" / "a.svg")


def test_checked_runs_are_drawn_along_in_their_colours(
    page: TrainPage, two_runs: list[RunFolder], qtbot: QtBot, settings: QSettings
) -> None:
    first, second = (row_of(page, folder) for folder in two_runs)
    page.runs.view.selectRow(first)
    qtbot.waitUntil(lambda: page.curves.runs[0].path == str(two_runs[0].path), timeout=WAIT)
    assert page.curves.colour_of(str(two_runs[0].path)) is None, "alone, it has a colour for each metric"
    model = page.runs.model
    assert model.setData(model.index(second, Col.NAME), Qt.CheckState.Checked.value, Check)
    qtbot.waitUntil(lambda: len(page.curves.runs) == 2, timeout=WAIT)
    assert page.curves.runs[1].path == str(two_runs[1].path)
    assert len(page.curves.runs[1].series["step_loss"]) == 12
    assert page.curves.colour_of(str(two_runs[1].path)) == RUN_COLOURS[1]
    assert model.index(second, Col.NAME).data(Qt.ItemDataRole.DecorationRole) is not None
    assert RUN_COLOURS[1].name() in page.curves.legend.text()
    page.runs.view.selectRow(second)
    qtbot.waitUntil(lambda: page.curves.runs[0].path == str(two_runs[1].path), timeout=WAIT)
    assert len(page.curves.runs) == 1, "a run is not compared with itself"
    assert str(two_runs[1].path) in str(settings.value("train/compared"))
    page.runs._compare_none()
    assert settings.value("train/compared") == "[]"


def test_runs_are_filtered_by_text(page: TrainPage, two_runs: list[RunFolder], qtbot: QtBot) -> None:
    def shown() -> list[bool]:
        return [not page.runs.view.isRowHidden(row) for row in range(2)]

    # Two runs that begin within one second differ in what the name of the second one ends with.
    wanted = max(two_runs, key=lambda folder: len(folder.path.name))
    page.runs.search.setText(wanted.path.name)
    qtbot.waitUntil(lambda: sum(shown()) == 1, timeout=5000)
    assert shown()[row_of(page, wanted)]
    page.runs.search.setText("LENET finished")
    qtbot.waitUntil(lambda: all(shown()), timeout=5000)
    page.runs.search.setText("resnet")
    qtbot.waitUntil(lambda: not any(shown()), timeout=5000)


def test_a_run_is_renamed_in_its_folder(page: TrainPage, two_runs: list[RunFolder], qtbot: QtBot) -> None:
    model, row = page.runs.model, row_of(page, two_runs[0])
    assert model.setData(model.index(row, Col.NAME), "my best run", Qt.ItemDataRole.EditRole)
    assert model.index(row, Col.NAME).data() == "my best run"
    qtbot.waitUntil(lambda: two_runs[0].title == "my best run", timeout=WAIT)
    assert two_runs[0].recipe == replace(Recipe(), batch_size=256, epochs=2, learning_rate=0.01)


def test_path_is_copied_and_results_open(page: TrainPage, two_runs: list[RunFolder], qtbot: QtBot) -> None:
    page.runs.select(str(two_runs[1].path))
    page.runs._copy_path()
    assert QGuiApplication.clipboard().text() == str(two_runs[1].path)
    qtbot.mouseClick(page.runs.results, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: page.results.analysis is not None, timeout=WAIT)
    analysis = page.results.analysis
    assert analysis is not None
    assert analysis.accuracy == two_runs[1].summary().best_accuracy
    page.results.close()


def test_curves_of_tensorboard_are_drawn_along(
    page: TrainPage, two_runs: list[RunFolder], tmp_path: Path, qtbot: QtBot
) -> None:
    page.runs.view.selectRow(row_of(page, two_runs[0]))
    qtbot.waitUntil(lambda: page.curves.runs[0].path == str(two_runs[0].path), timeout=WAIT)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for event in told():
        append_scalars(folder, event)
    page.comparison.import_folder(str(folder))
    qtbot.waitUntil(lambda: len(page.curves.runs) == 2, timeout=WAIT)
    series = page.curves.runs[1].series
    assert list(series["validation_accuracy"].y) == pytest.approx([40, 90, 40])
    assert list(series["step_loss"].steps) == [5, 10, 15, 20, 25, 30]
    assert list(series["norm"].y) == [0.5, 0.5, 1.0, 1.0, 1.5, 1.5]
    assert "elsewhere (TensorBoard)" in page.curves.legend.text().replace("&nbsp;", " ")
    page.comparison.remove_imports()
    assert len(page.curves.runs) == 1
    page.comparison.import_folder(str(tmp_path / "runs"))
    qtbot.waitUntil(lambda: "no event file" in page.banner.text, timeout=WAIT)


@pytest.mark.parametrize(
    ("tag", "metric"),
    [
        ("Loss/train", "step_loss"),
        ("val_loss", "validation_loss"),
        ("epoch_accuracy", "train_accuracy"),
        ("eval/top1", "validation_accuracy"),
        ("test/acc5", "validation_top5"),
        ("lr-SGD", "rate"),
        ("LearningRate", "rate"),
        ("train/grad_norm", "norm"),
        ("weights/norm", None),
        ("glossary", None),
    ],
)
def test_tags_of_others_are_told_by_their_words(tag: str, metric: str | None) -> None:
    assert metric_of(tag) == metric
