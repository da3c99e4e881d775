"""The results of a real run: matrix, classes, and the images behind each number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from explorer.training.analysis import Analysis, Sample
from explorer.training.fit import fit
from explorer.training.recipe import Recipe
from explorer.training.run_folder import RunFolder
from explorer.ui.train.class_table import Col
from explorer.ui.train.confusion_view import ConfusionView
from explorer.ui.train.results import Results

WAIT = 60_000


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    recipe = Recipe(batch_size=64, epochs=1)
    folder = RunFolder.create(recipe, tmp_path_factory.mktemp("results") / "run")
    for _ in fit(recipe, folder, "cpu"):
        pass
    return folder


@pytest.fixture
def results(qtbot: QtBot) -> Iterator[Results]:
    parent = QWidget()
    qtbot.addWidget(parent)
    results = Results(parent)
    yield results
    qtbot.waitUntil(results.stop, timeout=WAIT)


@pytest.fixture
def shown(results: Results, run: RunFolder, qtbot: QtBot) -> Results:
    results.show_run(str(run.path), "lenet5 on digits")
    qtbot.waitUntil(lambda: results.analysis is not None, timeout=WAIT)
    return results


def listed(results: Results) -> list[Sample]:
    return list(results.samples.samples.samples)


def wait_for_pictures(results: Results, qtbot: QtBot) -> None:
    model = results.samples.samples
    last = model.index(model.rowCount() - 1)
    qtbot.waitUntil(lambda: last.data(Qt.ItemDataRole.DecorationRole) is not None, timeout=WAIT)


def test_a_run_opens_with_its_hardest_images(shown: Results, qtbot: QtBot) -> None:
    analysis = shown.analysis
    assert analysis is not None
    assert f"{100 * analysis.accuracy:.2f} % of 359 images" in shown.summary.text()
    assert listed(shown) == list(analysis.hardest(200))
    wait_for_pictures(shown, qtbot)
    assert not shown._waiting.isVisible()


def test_a_click_on_a_cell_lists_its_images(shown: Results, qtbot: QtBot) -> None:
    analysis = shown.analysis
    assert analysis is not None
    label, prediction = np.unravel_index(np.argmax(analysis.confusion - 1000 * np.eye(10)), (10, 10))
    cell = shown.matrix.cell_rect(int(label), int(prediction)).center()
    qtbot.mouseClick(shown.matrix.viewport(), Qt.MouseButton.LeftButton, pos=cell)
    assert len(listed(shown)) == analysis.confusion[label][prediction] > 0
    assert {(sample.label, sample.prediction) for sample in listed(shown)} == {(label, prediction)}
    wait_for_pictures(shown, qtbot)
    text = shown.samples.samples.index(0).data()
    assert text.startswith(f"{label} → {prediction}\n")


def test_the_matrix_is_walked_by_keyboard(shown: Results, qtbot: QtBot) -> None:
    matrix = shown.matrix
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_End):
        qtbot.keyClick(matrix, key)
    assert matrix.current == (2, 9)
    qtbot.keyClick(matrix, Qt.Key.Key_Up)
    with qtbot.waitSignal(matrix.chosen) as answer:
        qtbot.keyClick(matrix, Qt.Key.Key_Return)
    assert answer.args == [1, 9]
    assert "taken for 9" in matrix.accessibleDescription()


def test_classes_sort_by_accuracy_and_lead_to_their_mistakes(shown: Results) -> None:
    analysis, model = shown.analysis, shown.classes.model()
    assert analysis is not None
    shares = [float(model.index(row, Col.ACCURACY).data().rstrip(" %")) for row in range(10)]
    assert shares == sorted(shares)
    assert shares[0] == round(100 * min(share for share in analysis.class_accuracies if share is not None), 1)
    shown.classes.clicked.emit(model.index(0, 0))
    worst = int(model.index(0, Col.NAME).data())
    assert len(listed(shown)) == sum(analysis.confusion[worst]) - analysis.confusion[worst][worst]


def test_everything_is_copied_as_csv(shown: Results) -> None:
    analysis = shown.analysis
    assert analysis is not None
    shown.copy_matrix()
    rows = list(csv.reader(io.StringIO(QGuiApplication.clipboard().text())))
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == [list(row) for row in analysis.confusion]
    assert rows[0] == ["class", *analysis.classes]
    shown.copy_samples()
    rows = list(csv.reader(io.StringIO(QGuiApplication.clipboard().text())))
    assert len(rows) == 360
    assert float(rows[1][4]) == analysis.samples[0].loss
    shown.copy_classes()
    assert len(QGuiApplication.clipboard().text().splitlines()) == 11


def test_what_cannot_be_shown_is_told(results: Results, run: RunFolder, tmp_path: Path, qtbot: QtBot) -> None:
    fresh = RunFolder.create(Recipe(), tmp_path / "fresh")
    results.show_run(str(fresh.path), "a run")
    qtbot.waitUntil(lambda: "no best weights yet" in results.note.message, timeout=WAIT)
    assert not results.body.isVisible()
    results.show_run(str(run.path), "a run")
    qtbot.waitUntil(lambda: results.analysis is not None, timeout=WAIT)
    assert not results.note.isVisible()
    results.part.setCurrentIndex(1)
    qtbot.waitUntil(lambda: "no test set of its own" in results.note.message, timeout=WAIT)
    assert not results.copy.isEnabled()
    gone = RunFolder.create(replace(Recipe(dataset="mnist"), data_dir=str(tmp_path / "nowhere")), tmp_path / "gone")
    results.show_run(str(gone.path), "a run")
    qtbot.waitUntil(lambda: "nowhere" in results.note.message, timeout=WAIT)


def test_cancelling_ends_the_analysis(results: Results, run: RunFolder, qtbot: QtBot) -> None:
    results.show_run(str(run.path), "a run")
    qtbot.mouseClick(results.cancel, Qt.MouseButton.LeftButton)
    assert "Cancelled" in results.note.message
    results.part.setCurrentIndex(1)
    results.part.setCurrentIndex(0)
    qtbot.waitUntil(lambda: results.analysis is not None, timeout=WAIT)


def test_a_thousand_classes_are_painted_scrolled_and_zoomed(qtbot: QtBot) -> None:
    names = tuple(f"class number {number}" for number in range(1000))
    counts = tuple(
        tuple(40 if row == column else int((row + column) % 97 == 0) for column in range(1000)) for row in range(1000)
    )
    view = ConfusionView()
    qtbot.addWidget(view)
    view.resize(700, 700)
    view.show()
    view.show_analysis(Analysis("run", "test", names, (), counts))
    small = view.side
    assert view.horizontalScrollBar().maximum() > 0
    view.make_current(990, 995)
    assert view.viewport().rect().contains(view.cell_rect(990, 995))
    for _ in range(20):
        view.zoom_in()
    assert view.side > 10 * small
    assert view.viewport().rect().intersects(view.cell_rect(990, 995))
    assert view.cell_at(view.cell_rect(990, 995).center()) == (990, 995)
    assert view.cell_at(QPoint(1, 1)) is None
    view.fit()
    assert view.side == small
    assert not view.grab().isNull()
