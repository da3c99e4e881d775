"""The Explore page: pick a network, see its figures, its shape flow and its layer table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QMessageBox,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from explorer.architectures.cards import catalogue
from explorer.architectures.entry import Entry, Published
from explorer.architectures.options import Scalar
from explorer.architectures.registry import entry, library_entries
from explorer.architectures.surgery.steps import steps_of
from explorer.errors import InputError
from explorer.inspection.graph.outline import OPEN_LAYERS
from explorer.inspection.portrait import Portrait, Totals
from explorer.ui.background import Answer, Background, CancelledError
from explorer.ui.explore.architecture_list import CLASSICS, ArchitectureList
from explorer.ui.explore.callables import callables_in
from explorer.ui.explore.details import Details
from explorer.ui.explore.export_menu import ExportMenu
from explorer.ui.explore.header import Header
from explorer.ui.explore.layer_table import LayerTable
from explorer.ui.explore.own_networks import LIBRARIES, OwnNetworks
from explorer.ui.explore.questions import Inspected, inspect, load_and_inspect
from explorer.ui.explore.shape_flow import ShapeFlow
from explorer.ui.torch_loading import load_the_rest
from explorer.ui.widgets.banner import Banner
from explorer.ui.widgets.waiting import Waiting

if TYPE_CHECKING:
    from explorer.ui.explore.family_map import FamilyMap
    from explorer.ui.explore.memory_dialog import MemoryDialog

FIRST = "resnet50"


class ExplorePage(QWidget):
    """List on the left, the network on the right."""

    status_changed = Signal(str)
    engine_loaded = Signal(object)
    """The `Engine`, once torch is there."""

    def __init__(self, settings: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._background = Background(self)
        self._background.answered.connect(self._answered)
        self._question = 0
        self._library_questions: dict[int, str] = {}
        self._name = ""
        self._loaded = False
        """Whether torch is there: its import must not be interrupted."""
        self._asked = ""
        """Name of the network that was last asked for."""
        self.portrait: Portrait | None = None
        self._original: Totals | None = None
        self._parts: list[Callable[[], None]] = []
        """What of a new portrait is still to be shown."""

        self.list = ArchitectureList(settings, self)
        self.own = OwnNetworks(self.list, settings)
        self.header = Header(self)
        self.flow = ShapeFlow(self)
        self.details = Details(settings, self)
        self.table = LayerTable(self)
        self._memory: MemoryDialog | None = None
        self._map: FamilyMap | None = None
        self.banner = Banner()
        self.waiting = Waiting()
        self.export = ExportMenu(self.flow, settings, self)
        self.header.add_button(self.export)

        self.sides = QSplitter(Qt.Orientation.Horizontal, self)
        self.right = QStackedWidget(self.sides)
        """The network or the map. Here before what it holds: each move of a tree of widgets styles all of it anew."""
        right = QWidget()
        self.right.addWidget(right)
        self.flow_and_details = QSplitter(Qt.Orientation.Horizontal, self)
        self.flow_and_details.addWidget(self.flow)
        self.flow_and_details.addWidget(self.details)
        self.flow_and_details.setStretchFactor(0, 1)
        self.flow_and_details.setSizes([670, 280])
        self.upper_and_table = QSplitter(Qt.Orientation.Vertical, self)
        self.upper_and_table.addWidget(self.flow_and_details)
        self.upper_and_table.addWidget(self.table)
        self.upper_and_table.setSizes([420, 260])
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.header)
        column.addWidget(self.banner)
        column.addWidget(self.waiting)
        column.addWidget(self.upper_and_table, 1)
        self.sides.insertWidget(0, self.list)
        self.sides.setStretchFactor(1, 1)
        self.sides.setSizes([230, 970])
        self.sides.setCollapsible(1, False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 4)
        layout.addWidget(self.sides)

        self.list.chosen.connect(self.open)
        self.list.file_wanted.connect(self.ask_for_file)
        self.list.timeline.toggled.connect(self._show_map)
        self.list.narrowed.connect(self._narrow_map)
        self.details.network_wanted.connect(self.open_and_select)
        self.details.setting_wanted.connect(self._show_setting)
        self.list.removal_wanted.connect(self.own.forget_modified)
        self.header.changed.connect(self._inspect_changed)
        self.header.modify.wanted.connect(self._modify)
        self.header.checks_wanted.connect(self.details.show_checks)
        self.header.memory.clicked.connect(self._show_memory)
        self.table.selected.connect(self._row_selected)
        self.flow.selected.connect(self._node_selected)
        self.export.said.connect(self.status_changed)
        self.export.failed.connect(self.banner.say)
        self.flow.save_wanted.connect(self.export.ask_for_graph)
        self.waiting.cancelled.connect(self._cancel)
        self._add_actions()
        for name in ("sides", "upper_and_table", "flow_and_details"):
            state = settings.value(f"explore/{name}")
            if isinstance(state, QByteArray):
                getattr(self, name).restoreState(state)

    def _add_actions(self) -> None:
        search = QAction("Search networks", self)
        search.setShortcut(QKeySequence.StandardKey.Find)
        search.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        search.triggered.connect(self._focus_search)
        self.addAction(search)
        self.list.timeline.setShortcut(QKeySequence("Ctrl+M"))
        self.list.timeline.setToolTip("The families of the classics on a timeline (Ctrl+M)")

    @property
    def map(self) -> FamilyMap:
        """The timeline of the families, made when it is first needed."""
        if self._map is None:
            from explorer.ui.explore.family_map import FamilyMap

            self._map = FamilyMap(self)
            self._map.opened.connect(self.open_and_select)
            self._map.closed.connect(self._close_map)
            self.right.addWidget(self._map)
        return self._map

    def _show_map(self, visible: bool) -> None:
        if visible:
            self.map.set_language(self.details.language)
            self.map.show_network(self.portrait.entry if self.portrait is not None else None)
            self._narrow_map()
            self.right.setCurrentWidget(self.map)
            self.map.setFocus()
        else:
            self.right.setCurrentIndex(0)

    def _close_map(self) -> None:
        self.list.timeline.setChecked(False)
        self.list.tree.setFocus()

    def _narrow_map(self) -> None:
        if self.list.timeline.isChecked():
            self.map.keep(self.list.passing() if self.list.narrowing else None)

    @property
    def memory(self) -> MemoryDialog:
        """The dialog that tells of memory, made when it is first needed."""
        if self._memory is None:
            from explorer.ui.explore.memory_dialog import MemoryDialog

            self._memory = MemoryDialog(self._background, self)
            self._memory.layer_picked.connect(self._layer_picked)
            self._memory.set_portrait(self.portrait)
        return self._memory

    def _show_memory(self) -> None:
        self.memory.show()

    def begin(self, name: str = "") -> None:
        """Fills the list, starts loading torch and shows a first network: the named, the last or ResNet-50."""
        self.list.add(CLASSICS, catalogue())
        self.own.add_files()
        self.own.add_modified()
        name = name or str(self._settings.value("explore/network", FIRST))
        try:
            known = self._announce(name)
        except InputError:
            known = None
        if known is None:
            name = FIRST if ":" not in name else name
            known = self._announce(name)
        self._name = name
        self.list.select(name)
        self.status_changed.emit("Loading PyTorch…")
        if known is not None:
            self.details.show_entry(known)
        self._question = self._background.ask(load_and_inspect, name)
        self._background.ask(load_the_rest)
        for library in LIBRARIES:
            self._library_questions[self._background.ask(library_entries, library)] = library

    def open_and_select(self, name: str) -> None:
        """Shows another network and makes it current in the list."""
        self.list.select(name)
        self.open(name)

    def open(self, name: str) -> None:
        """Shows another network."""
        self.list.timeline.setChecked(False)
        if name == self._name and self.portrait is not None and self.portrait.entry.name == name:
            return
        self._name = name
        self.header.clear_options()
        known = self._announce(name)
        if known is not None:
            self.details.show_entry(known)
        self._ask(name, None, {})

    def stop(self) -> bool:
        """Ends the threads; returns whether they have ended in time."""
        for name in ("sides", "upper_and_table", "flow_and_details"):
            self._settings.setValue(f"explore/{name}", getattr(self, name).saveState())
        if self.portrait is not None and self.portrait.entry.source != "file":
            self._settings.setValue("explore/network", self.portrait.entry.name)
        flow, export = self.flow.stop(), self.export.stop()
        return self._background.stop(200) and flow and export

    # -- questions and answers -------------------------------------------------------------------------------------

    def _announce(self, name: str) -> Entry | None:
        """Shows at once what a card tells; the libraries' entries need torch and come with the answer."""
        if ":" in name:
            self.header.announce_name(name, name.partition(":")[2] if not name.endswith(".py") else name)
            return None
        found = entry(name)
        self.header.announce(found)
        return found

    def _ask(self, name: str, input: tuple[int, int, int] | None, given: dict[str, Scalar]) -> None:
        self._asked = name
        self.status_changed.emit(f"Inspecting {name}…")
        self._background.cancel(self._question)
        if self._loaded:
            self.waiting.begin(f"Inspecting {name}")
        self._question = self._background.ask(
            inspect, name, input, given, newest_only=not self._library_questions, interruptible=self._loaded
        )

    def _cancel(self) -> None:
        if not self._background.cancel(self._question):  # it had not even begun
            self._show_error(CancelledError())

    def _inspect_changed(self) -> None:
        if self.portrait is not None:
            self._ask(self.portrait.entry.name, self.header.input.value(), self.header.chosen())

    def _show_setting(self, row: Published) -> None:
        """Shows the network as a row of published numbers holds for it."""
        if self.portrait is not None:
            self._ask(self.portrait.entry.name, row.input, dict(row.options))

    def _answered(self, answer: Answer) -> None:
        library = self._library_questions.pop(answer.id, None)
        if library is not None:
            if isinstance(answer.result, tuple):
                self.list.add(library, answer.result)
                self.own.add_modified(library)
                self.list.select(self._name)
            return
        if answer.id != self._question:
            return  # the user has gone on to another network
        self.status_changed.emit("")
        self.waiting.end()
        result = answer.result
        if isinstance(result, Inspected):
            if result.engine is not None:
                self._loaded = True
                self.engine_loaded.emit(result.engine)
            self._show(result)
        elif answer.error is not None:
            self._show_error(answer.error)

    def _show(self, inspected: Inspected) -> None:
        self.portrait, self._original = inspected.portrait, inspected.original
        if steps_of(self.portrait.entry.name):
            self.own.remember_modified(self.portrait.entry)
        if self._name != self.portrait.entry.name:
            self._name = self.portrait.entry.name
            self.list.select(self._name)
        self._parts = [self._show_header, self._show_flow, self._show_table, self._show_card]
        self._show_next_part()

    def _show_next_part(self) -> None:
        """Fills one part a turn of the event loop: together they would hold it up for longer than one can feel."""
        if self._parts:
            self._parts.pop(0)()
            QTimer.singleShot(0, self, self._show_next_part)

    def _show_header(self) -> None:
        if self.portrait is None:
            return
        self.header.show_portrait(self.portrait, self._original)
        if self._memory is not None:
            self._memory.set_portrait(self.portrait)
        self.export.show_portrait(self.portrait)
        failure = self.portrait.failure_text
        if failure:
            self.banner.say(f"{failure}. What ran until there is shown below.")
        else:
            self.banner.hide()

    def _show_flow(self) -> None:
        if self.portrait is not None:
            anatomy = self.portrait.anatomy
            self.flow.set_anatomy(anatomy, opened=len(anatomy.layers) <= OPEN_LAYERS)

    def _show_table(self) -> None:
        if self.portrait is not None:
            self.table.set_anatomy(self.portrait.anatomy)

    def _show_card(self) -> None:
        if self.portrait is not None:
            self.details.show_entry(self.portrait.entry, self.portrait)

    def _show_error(self, error: Exception) -> None:
        """Shows why there is no network; what was chosen stays editable."""
        text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        if isinstance(error, CancelledError):
            text = f"{self._asked or self._name} is not shown: it was cancelled"
        self.banner.say(text)
        if self.portrait is None or self.portrait.entry.name != self._name:
            self.portrait = None
            self.table.set_anatomy(None)
            self.flow.set_anatomy(None)
            self.details.clear()
        if self._memory is not None:
            self._memory.set_portrait(self.portrait)
        self.export.show_portrait(self.portrait)

    # -- selection -------------------------------------------------------------------------------------------------

    def _row_selected(self, index: int) -> None:
        self.flow.select(index)
        self._show_layer(index)

    def _node_selected(self, index: int) -> None:
        self.table.select(index)
        self._show_layer(index)

    def _layer_picked(self, index: int) -> None:
        self.table.select(index)
        self._row_selected(index)

    def _show_layer(self, index: int) -> None:
        if self.portrait is not None and 0 <= index < len(self.portrait.anatomy.layers):
            self.details.show_layer(self.portrait.anatomy.layers[index], self.portrait)

    def _focus_search(self) -> None:
        self.list.search.setFocus()
        self.list.search.selectAll()

    # -- surgery ---------------------------------------------------------------------------------------------------

    def _modify(self, name: str) -> None:
        """Shows the network after other steps, with the same input and options; the former stays if that fails."""
        if self.portrait is not None:
            steps = {step.name for step in steps_of(name)}
            kept = {
                key: value
                for key, value in self.header.chosen().items()
                if "." not in key or key.partition(".")[0] in steps
            }
            self._ask(name, self.portrait.input, kept)

    # -- a user's own files ----------------------------------------------------------------------------------------

    def ask_for_file(self) -> None:
        """Asks for a Python file and shows a network of it."""
        start = str(self._settings.value("explore/folder", str(Path.home())))
        path, _ = QFileDialog.getOpenFileName(self, "Open a Python file", start, "Python files (*.py)")
        if path:
            self._settings.setValue("explore/folder", str(Path(path).parent))
            self.open_file(Path(path))

    def open_file(self, path: Path) -> None:
        """Lets the user choose what in a Python file to show; the file is not run before that."""
        try:
            names = callables_in(path)
        except InputError as error:
            QMessageBox.warning(self, "Open a Python file", str(error))
            return
        name = names[0]
        if len(names) > 1:
            name, chosen = QInputDialog.getItem(
                self, path.name, "Which class or function gives the network?", names, 0, False
            )
            if not chosen:
                return
        self.add_file(f"{path}:{name}")

    def add_file(self, name: str) -> None:
        """Adds `path.py:NAME` to the user's own networks and shows it."""
        self.own.remember_file(name)
        self.open(name)
