"""The button that saves what the Explore page shows: its table, its graph, the network itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Signal, Slot
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMenu, QPushButton, QWidget

from explorer.errors import InputError
from explorer.inspection.graph.layout import Flow
from explorer.inspection.portrait import Portrait
from explorer.inspection.report import document, to_csv, to_markdown
from explorer.inspection.saving import ending, save
from explorer.ui.background import Answer, Background
from explorer.ui.explore.network_process import NetworkProcess

if TYPE_CHECKING:
    from explorer.ui.explore.shape_flow import ShapeFlow

FOLDER = "export/folder"
"""Where the settings keep the folder of the last export."""


def _latex(portrait: Portrait) -> str:
    from explorer.inspection.latex import to_latex

    return to_latex(portrait.anatomy)


_TABLES: dict[str, Callable[[Portrait], str]] = {
    "csv": lambda portrait: to_csv(portrait.anatomy),
    "md": lambda portrait: to_markdown(portrait.anatomy),
    "json": lambda portrait: json.dumps(document(portrait), ensure_ascii=False) + "\n",
    "tex": _latex,
}
"""The layer table in each format, by a file's ending."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """One entry of the menu."""

    what: str
    """`table`, `graph` or `network`."""
    suffix: str
    label: str
    filter: str


_CHOICES: dict[str, tuple[_Choice, ...]] = {
    "Layer &table": (
        _Choice("table", "csv", "&CSV…", "CSV (*.csv)"),
        _Choice("table", "md", "&Markdown…", "Markdown (*.md)"),
        _Choice("table", "json", "&JSON…", "JSON (*.json)"),
        _Choice("table", "tex", "&LaTeX…", "LaTeX (*.tex)"),
    ),
    "&Graph": (
        _Choice("graph", "svg", "&SVG…", "SVG (*.svg)"),
        _Choice("graph", "png", "&PNG…", "PNG (*.png)"),
        _Choice("graph", "dot", "&DOT (Graphviz)…", "Graphviz (*.dot)"),
        _Choice("graph", "json", "&JSON…", "JSON (*.json)"),
    ),
    "&Network": (
        _Choice("network", "onnx", "&ONNX…", "ONNX (*.onnx)"),
        _Choice("network", "pt2", "&PyTorch program (.pt2)…", "PyTorch program (*.pt2)"),
        _Choice("network", "safetensors", "&Weights (safetensors)…", "Weights (*.safetensors)"),
    ),
}

_PICTURE = _Choice("graph", "svg", "", "SVG (*.svg);;PNG (*.png)")
_SUFFIXES = {choices[0].what: tuple(choice.suffix for choice in choices) for choices in _CHOICES.values()}


class ExportMenu(QPushButton):
    """A button with a menu of everything that can be saved or copied."""

    said = Signal(str)
    """What is being done, or has been done."""
    failed = Signal(str)
    """What went wrong."""

    def __init__(self, flow: ShapeFlow, settings: QSettings, parent: QWidget | None = None) -> None:
        super().__init__("&Export…", parent)
        self.setToolTip("Save the layer table, the graph or the network to a file (Alt+E)")
        self._flow, self._settings = flow, settings
        self._portrait: Portrait | None = None
        self._background = Background(self)
        self._background.answered.connect(self._answered)
        self._network = NetworkProcess(self)
        self._network.finished.connect(self._network_done)
        self._choices: dict[QAction, _Choice] = {}
        self._pending: tuple[_Choice, Portrait] | None = None
        """What the dialog on view asks a file for."""
        menu = QMenu(self)
        for title, choices in _CHOICES.items():
            part = menu.addMenu(title)
            for choice in choices:
                self._choices[part.addAction(choice.label)] = choice
        menu.addSeparator()
        self._copies = {
            menu.addAction("Copy table as &Markdown"): "md",
            menu.addAction("Copy table as &LaTeX"): "tex",
        }
        menu.addSeparator()
        self.cancel = menu.addAction("&Cancel the network's export")
        menu.aboutToShow.connect(self._refresh)
        menu.triggered.connect(self._triggered)
        self.setMenu(menu)
        self.show_portrait(None)

    def show_portrait(self, portrait: Portrait | None) -> None:
        """Takes the network that is on view, None for no network."""
        self._portrait = portrait
        self.setEnabled(portrait is not None)

    def stop(self) -> bool:
        """Gives up what is under way; returns whether the thread has ended in time."""
        self._network.stop()
        return self._background.stop(200)

    def save(self, choice: _Choice, portrait: Portrait, path: Path) -> None:
        """Writes a file, in the background."""
        try:
            suffix = ending(path, _SUFFIXES[choice.what])
        except InputError as error:
            self.failed.emit(str(error))
            return
        self.said.emit(f"Writing {path.name}…")
        if choice.what == "table":
            self._background.ask(_write_table, portrait, path, suffix)
        elif choice.what == "graph":
            self._background.ask(_write_graph, portrait, path, self._flow.opened, self._flow.direction)
        else:
            self._network.start(portrait, path)

    @Slot()
    def ask_for_graph(self) -> None:
        """Lets the user name a file for the picture of the graph."""
        if self._portrait is not None:
            self._ask_where(_PICTURE, self._portrait)

    @Slot()
    def _refresh(self) -> None:
        complete = self._portrait is not None and self._portrait.anatomy.failure is None
        for action, choice in self._choices.items():
            action.setEnabled(choice.what != "network" or (complete and not self._network.running))
        self.cancel.setVisible(self._network.running)

    @Slot(QAction)
    def _triggered(self, action: QAction) -> None:
        if action is self.cancel:
            self._network.stop()
            self.said.emit("The export was given up")
        elif self._portrait is None:
            return
        elif action in self._copies:
            self._background.ask(_table_text, self._portrait, self._copies[action])
        else:
            self._ask_where(self._choices[action], self._portrait)

    def _ask_where(self, choice: _Choice, portrait: Portrait) -> None:
        dialog = QFileDialog(self, "Export", filter=choice.filter)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(choice.suffix)
        dialog.setDirectory(str(self._settings.value(FOLDER, str(Path.home()))))
        dialog.selectFile(f"{file_stem(portrait.entry.name)}.{choice.suffix}")
        self._pending = choice, portrait
        dialog.fileSelected.connect(self._file_chosen)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(str)
    def _file_chosen(self, name: str) -> None:
        if self._pending is not None and name:
            path = Path(name)
            self._settings.setValue(FOLDER, str(path.parent))
            self.save(*self._pending, path)
        self._pending = None

    @Slot(object)
    def _answered(self, answer: Answer) -> None:
        if answer.error is not None:
            error = answer.error
            self.said.emit("")
            self.failed.emit(str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}")
        elif isinstance(answer.result, _Copied):
            QGuiApplication.clipboard().setText(answer.result.text)
            self.said.emit("The layer table is in the clipboard")
        else:
            self.said.emit(str(answer.result))

    @Slot(str, bool)
    def _network_done(self, text: str, done: bool) -> None:
        self.said.emit(text if done else "")
        if not done:
            self.failed.emit(text)


@dataclass(frozen=True, slots=True)
class _Copied:
    """Text for the clipboard."""

    text: str


def file_stem(name: str) -> str:
    """Returns a file name without ending for a network: `timm_resnet50` for `timm:resnet50`."""
    if ".py" in name:
        name = name.rpartition(":")[2]
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "network"


def _table_text(portrait: Portrait, suffix: str) -> _Copied:
    return _Copied(_TABLES[suffix](portrait))


def _write_table(portrait: Portrait, path: Path, suffix: str) -> str:
    text = _TABLES[suffix](portrait)
    save(path, lambda target: target.write_text(text, encoding="utf-8", newline="\n"))
    return f"{path} written"


def _write_graph(portrait: Portrait, path: Path, opened: frozenset[str], direction: Flow) -> str:
    from explorer.inspection.graph.export import write_graph

    note = write_graph(portrait, path, opened, direction)
    return f"{path} written{note and f', {note}'}"
