"""The Export button of the Explore page: real files of real networks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QSettings, Qt, QTimer
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QApplication, QFileDialog
from pytestqt.qtbot import QtBot

from explorer.ui.explore.export_menu import FOLDER, file_stem
from explorer.ui.explore.page import ExplorePage

WAIT = 60_000


@pytest.fixture
def page(qtbot: QtBot, settings: QSettings) -> Iterator[ExplorePage]:
    page = ExplorePage(settings)
    qtbot.addWidget(page)
    page.resize(1200, 760)
    page.show()
    assert not page.export.isEnabled(), "there is nothing to export yet"
    page.begin("lenet5")
    qtbot.waitUntil(lambda: page.portrait is not None and not page._parts, timeout=WAIT)
    yield page
    while not page.stop():
        pass


@pytest.fixture
def said(page: ExplorePage) -> list[str]:
    lines: list[str] = []
    page.status_changed.connect(lines.append)
    return lines


def action(page: ExplorePage, part: str, text: str) -> QAction:
    menu = page.export.menu()
    for outer in menu.actions():
        inner = outer.menu()
        if part and inner is not None and outer.text().replace("&", "") == part:
            return next(one for one in inner.actions() if one.text().replace("&", "") == text)
        if not part and outer.text().replace("&", "") == text:
            return outer
    raise AssertionError(f"the menu has no {part} {text}")


def answer(page: ExplorePage, qtbot: QtBot, path: Path) -> QFileDialog:
    """Types a path into the dialog on view and accepts it."""
    qtbot.waitUntil(lambda: any(dialog.isVisible() for dialog in page.export.findChildren(QFileDialog)))
    dialog = next(dialog for dialog in page.export.findChildren(QFileDialog) if dialog.isVisible())
    dialog.selectFile(str(path))
    dialog.accept()
    return dialog


@pytest.mark.parametrize(
    ("part", "text", "suggested", "holds"),
    [
        ("Layer table", "CSV…", "lenet5.csv", "features.c1,Conv2d"),
        ("Layer table", "Markdown…", "lenet5.md", "| features.c1 | Conv2d |"),
        ("Layer table", "JSON…", "lenet5.json", '"name": "features.c1"'),
        ("Layer table", "LaTeX…", "lenet5.tex", "features.c1 & Conv2d"),
        ("Graph", "SVG…", "lenet5.svg", ">6×28×28</text>"),
        ("Graph", "DOT (Graphviz)…", "lenet5.dot", '[label="6×28×28"]'),
        ("Graph", "JSON…", "lenet5.json", '"path": "features.c1"'),
    ],
)
def test_each_entry_writes_its_file_and_says_where(
    page: ExplorePage,
    said: list[str],
    qtbot: QtBot,
    tmp_path: Path,
    part: str,
    text: str,
    suggested: str,
    holds: str,
) -> None:
    action(page, part, text).trigger()
    dialog = page.export.findChildren(QFileDialog)[0]
    assert Path(dialog.selectedFiles()[0]).name == suggested
    path = tmp_path / suggested
    answer(page, qtbot, path)
    qtbot.waitUntil(lambda: f"{path} written" in said, timeout=WAIT)
    assert holds in path.read_text(encoding="utf-8")
    assert not page.banner.isVisible()


def test_the_graph_is_saved_as_it_is_on_view(
    page: ExplorePage, said: list[str], qtbot: QtBot, tmp_path: Path, settings: QSettings
) -> None:
    qtbot.waitUntil(lambda: page.flow._question is None, timeout=WAIT)
    with qtbot.waitSignal(page.flow.drawn, timeout=WAIT):
        page.flow.collapse()
    action(page, "Graph", "SVG…").trigger()
    answer(page, qtbot, tmp_path / "folded.svg")
    qtbot.waitUntil(lambda: any("written" in line for line in said), timeout=WAIT)
    texts = [one.text for one in ElementTree.parse(tmp_path / "folded.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert "6 layers · 2.57 k params" in texts
    assert "c1" not in texts
    assert settings.value(FOLDER) == str(tmp_path)
    action(page, "Graph", "PNG…").trigger()
    dialog = page.export.findChildren(QFileDialog)[-1]
    assert dialog.directory().absolutePath() == str(tmp_path), "the last folder is offered again"
    dialog.reject()


def test_a_network_is_exported_with_its_options_and_the_weights_are_named(
    page: ExplorePage, said: list[str], qtbot: QtBot, tmp_path: Path
) -> None:
    from safetensors import safe_open

    page.header.editors["num_classes"].field.setValue(5)  # type: ignore[attr-defined]
    qtbot.waitUntil(
        lambda: page.portrait is not None and dict(page.portrait.chosen) == {"num_classes": 5} and not page._parts,
        timeout=WAIT,
    )
    action(page, "Network", "Weights (safetensors)…").trigger()
    path = tmp_path / "net.safetensors"
    answer(page, qtbot, path)
    qtbot.waitUntil(lambda: any("fresh random weights" in line for line in said), timeout=WAIT)
    assert any(str(path) in line for line in said)
    with safe_open(path, framework="pt") as file:
        assert file.get_slice("output.weight").get_shape() == [5, 84]
        assert json.loads(file.metadata()["explorer"])["options"] == {"num_classes": 5}


def test_an_export_of_a_network_can_be_given_up(
    page: ExplorePage, said: list[str], qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "net.onnx"
    action(page, "Network", "ONNX…").trigger()
    answer(page, qtbot, path)
    page.export.menu().aboutToShow.emit()
    assert page.export.cancel.isVisible()
    assert not action(page, "Network", "ONNX…").isEnabled()
    page.export.cancel.trigger()
    assert said[-1] == "The export was given up"
    page.export.menu().aboutToShow.emit()
    assert not page.export.cancel.isVisible()
    assert list(tmp_path.glob("*net*")) + list(tmp_path.glob(".*part*")) == []


def test_what_cannot_be_written_is_told_in_the_banner(page: ExplorePage, qtbot: QtBot, tmp_path: Path) -> None:
    action(page, "Graph", "SVG…").trigger()
    answer(page, qtbot, tmp_path / "net.pdf")
    qtbot.waitUntil(page.banner.isVisible, timeout=WAIT)
    assert "ends in .svg, .png, .dot or .json" in page.banner.text
    page.banner.hide()
    assert page.portrait is not None
    choice = page.export._choices[action(page, "Network", "ONNX…")]
    page.export.save(choice, page.portrait, tmp_path / "gone" / "net.onnx")
    qtbot.waitUntil(page.banner.isVisible, timeout=WAIT)
    assert "there is no folder" in page.banner.text


def test_the_table_is_copied_for_markdown_and_latex(page: ExplorePage, said: list[str], qtbot: QtBot) -> None:
    for text, holds in (("Copy table as Markdown", "| features.c1 |"), ("Copy table as LaTeX", "features.c1 &")):
        said.clear()
        action(page, "", text).trigger()
        qtbot.waitUntil(lambda: "The layer table is in the clipboard" in said, timeout=WAIT)
        assert holds in QGuiApplication.clipboard().text()


def test_the_menu_opens_from_the_keyboard(page: ExplorePage, qtbot: QtBot) -> None:
    page.export.setFocus(Qt.FocusReason.TabFocusReason)
    seen: list[bool] = []

    def close() -> None:
        seen.append(QApplication.activePopupWidget() is page.export.menu())
        page.export.menu().close()

    QTimer.singleShot(300, page, close)
    qtbot.keyClick(page.export, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: bool(seen), timeout=5000)
    assert seen == [True]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("lenet5", "lenet5"),
        ("timm:resnet50.a1_in1k", "timm_resnet50.a1_in1k"),
        ("/home/a b/my.py:Net", "Net"),
        ("..", "network"),
    ],
)
def test_suggested_names_are_file_names(name: str, stem: str) -> None:
    assert file_stem(name) == stem


def test_the_canvas_saves_its_picture_the_same_way(page: ExplorePage, qtbot: QtBot, tmp_path: Path) -> None:
    page.flow.save_wanted.emit()
    dialog = answer(page, qtbot, tmp_path / "seen.png")
    assert dialog.nameFilters() == ["SVG (*.svg)", "PNG (*.png)"]
    qtbot.waitUntil((tmp_path / "seen.png").is_file, timeout=WAIT)
    assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")
