"""The searchable list of networks: classics by year, then torchvision's, timm's and the user's own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QPoint,
    QSettings,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from explorer.architectures.entry import Entry
from explorer.ui.explore.arrangement import Arrangement, Branch, arrange, line_text
from explorer.ui.explore.network_filter import NetworkFilter
from explorer.ui.explore.network_tree import NAME_ROLE, TEXT_ROLE, Index, NameFilter, NetworkTree, SearchField
from explorer.ui.theme import icon
from explorer.ui.widgets.named import named

if TYPE_CHECKING:
    from explorer.ui.explore.filter_panel import FilterPanel, FilterSummary

CLASSICS, MINE, MODIFIED = "Classics", "My models", "Modified"
OPEN = (CLASSICS, MINE, MODIFIED)
"""Sections that show their networks unasked; the libraries' have hundreds."""


class ArchitectureList(QWidget):
    """Search field, filters, tree of networks, and a button for the user's own."""

    chosen = Signal(str)
    """Registry name of the network that was selected."""
    file_wanted = Signal()
    compare_wanted = Signal(str)
    """Registry name of the network to put beside the one on show."""
    removal_wanted = Signal(str)
    """Registry name of a modified network that the user needs no more."""
    narrowed = Signal()
    """Other networks pass the search and the filters than before."""

    def __init__(self, settings: QSettings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self.search = SearchField(self)
        self.search.setPlaceholderText("Search name, family, year, author…")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search networks")
        self.search.setToolTip("Search networks (Ctrl+F); every word must occur")
        self.filter_button = named(QToolButton(self), "toggle")
        self.filter_button.setCheckable(True)
        self.filter_button.setIcon(icon("filter", self))
        self.filter_button.setAccessibleName("Filters")
        self.filter_button.setToolTip("Filter by year, parameters, MACs, task and idea")
        self.arrangement = QComboBox(self)
        for kind, title in (
            (Arrangement.FLAT, "As a list"),
            (Arrangement.YEAR, "By year"),
            (Arrangement.ANCESTRY, "By ancestry"),
        ):
            self.arrangement.addItem(title, kind)
        self.arrangement.setAccessibleName("Arrangement of the classics")
        self.arrangement.setToolTip("How the classics are arranged")
        self.arrangement.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.arrangement.setCurrentIndex(
            max(self.arrangement.findData(str(settings.value("explore/arrangement", Arrangement.FLAT))), 0)
        )
        self.timeline = named(QPushButton("Timeline", self), "toggle")
        self.timeline.setCheckable(True)
        self.model = QStandardItemModel(self)
        self.filter = NameFilter(self)
        self.filter.setSourceModel(self.model)
        self.tree = NetworkTree(self)
        self.tree.setModel(self.filter)
        self.tree.setHeaderHidden(True)
        self.tree.setUniformRowHeights(True)
        self._indent()
        self.tree.setEditTriggers(QTreeView.EditTrigger.NoEditTriggers)
        self.tree.setAccessibleName("Networks")
        self.open_file = QPushButton("Open a Python file…", self)
        self.open_file.setToolTip("Show a network of your own: a torch.nn.Module class or a function that gives one")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        for pair in ((self.search, self.filter_button), (self.arrangement, self.timeline)):
            line = QHBoxLayout()
            line.setSpacing(4)
            line.addWidget(pair[0], 1)
            line.addWidget(pair[1])
            self._layout.addLayout(line)
        self._layout.addWidget(self.tree, 1)
        self._layout.addWidget(self.open_file)
        # A pause in typing, not every letter: a search walks 1,500 names.
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(120)
        self._typing.timeout.connect(self.narrow)
        self.search.textChanged.connect(self._typing.start)
        self.search.leave.connect(self._enter_tree)
        self.filter_button.toggled.connect(self._show_panel)
        self.arrangement.currentIndexChanged.connect(self._arrange)
        self.tree.selectionModel().currentChanged.connect(self._current_changed)
        self.open_file.clicked.connect(self.file_wanted)
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.customContextMenuRequested.connect(self._show_menu)
        self.wanted = NetworkFilter()
        """What the networks that are shown must be, besides what is typed."""
        self._panel: FilterPanel | None = None
        self._summary: FilterSummary | None = None
        self._empty: QWidget | None = None
        self._heads: dict[str, QStandardItem] = {}
        self._sections: dict[str, list[Entry]] = {}
        self._texts: dict[str, str] = {}
        """What a search looks through, by name."""
        self._items: dict[str, QStandardItem] = {}
        self._current = ""
        """Name of the network that is selected, though a filter may hide it."""
        self._silent = False

    # -- what is in it ---------------------------------------------------------------------------------------------

    def add(self, section: str, entries: Sequence[Entry]) -> None:
        """Adds networks to a section, which is made where it is new."""
        if not entries:
            return
        self._sections.setdefault(section, []).extend(entries)
        for entry in entries:
            words = (entry.name, entry.title, entry.family, str(entry.year or ""), entry.authors, entry.task, section)
            self._texts[entry.name] = " ".join(words).lower()
        if self.narrowing:  # before they are there: what does not pass must not flash up
            self.filter.keep(self.passing())
        head = self._heads.get(section)
        if head is None:
            head = self._heads[section] = QStandardItem(section)
            head.setSelectable(False)
            font = head.font()
            font.setBold(True)
            head.setFont(font)
        head.appendRows([self._item(branch) for branch in self._branches(section, entries)])
        if head.model() is None:
            self.model.appendRow(head)
        if section in OPEN:
            self.tree.expandRecursively(self.filter.mapFromSource(head.index()))
        if self._panel is not None:
            self._panel.offer(self.entries())
        if self.narrowing:
            self.narrow()

    def remove(self, name: str) -> None:
        """Takes a network out of its section, and the section where it was the last."""
        item = self._items.pop(name, None)
        if item is None:
            return
        head = item.parent()
        section = head.text()
        self._texts.pop(name)
        self._sections[section] = [entry for entry in self._sections[section] if entry.name != name]
        self._silent = True
        head.removeRow(item.row())
        if not head.rowCount():
            self._heads.pop(section)
            self.model.removeRow(head.row())
        self._silent = False
        self._show_current()

    def has(self, name: str) -> bool:
        """Returns whether a network is in the list, shown or not."""
        return name in self._items

    def entries(self) -> list[Entry]:
        """Returns every network of the list."""
        return [entry for entries in self._sections.values() for entry in entries]

    def names(self) -> list[str]:
        """Returns the names in the list, as they are shown now."""

        def below(parent: QModelIndex) -> Iterator[str]:
            for row in range(self.filter.rowCount(parent)):
                index = self.filter.index(row, 0, parent)
                if index.data(NAME_ROLE):
                    yield index.data(NAME_ROLE)
                yield from below(index)

        return list(below(QModelIndex()))

    def select(self, name: str) -> bool:
        """Makes a network current without announcing it; returns whether the list has it."""
        self._current = name
        self._show_current()
        return name in self._items

    def _show_current(self) -> None:
        item = self._items.get(self._current)
        index = self.filter.mapFromSource(item.index()) if item is not None else QModelIndex()
        self._silent = True
        self.tree.setCurrentIndex(index)
        if index.isValid():
            self.tree.scrollTo(index)
        self._silent = False

    def _branches(self, section: str, entries: Sequence[Entry]) -> Sequence[Branch]:
        if section == MODIFIED:  # titles that name every step are long
            return [Branch(entry.name, entry) for entry in entries]
        kind = self.arrangement.currentData() if section == CLASSICS else Arrangement.FLAT
        return arrange(entries, Arrangement(kind))

    def _item(self, branch: Branch) -> QStandardItem:
        item = QStandardItem(branch.text)
        entry = branch.entry
        if entry is None:
            item.setSelectable(False)
        else:
            item.setData(entry.name, NAME_ROLE)
            item.setData(line_text(entry), TEXT_ROLE)
            item.setToolTip(f"{entry.paper}\n{entry.authors}, {entry.year}" if entry.paper else entry.name)
            self._items[entry.name] = item
        if branch.below:
            item.appendRows([self._item(child) for child in branch.below])
        return item

    def _indent(self) -> None:
        """A line of descent is many families long."""
        self.tree.setIndentation(9 if self.arrangement.currentData() == Arrangement.ANCESTRY else 14)

    def _arrange(self) -> None:
        """Arranges the classics anew; the rest of the list is flat."""
        self._settings.setValue("explore/arrangement", str(self.arrangement.currentData()))
        self._indent()
        head = self._heads.get(CLASSICS)
        if head is None:
            return
        self._silent = True
        head.removeRows(0, head.rowCount())
        head.appendRows([self._item(branch) for branch in self._branches(CLASSICS, self._sections[CLASSICS])])
        self.tree.expandRecursively(self.filter.mapFromSource(head.index()))
        self._silent = False
        self._show_current()

    # -- search and filters ----------------------------------------------------------------------------------------

    @property
    def panel(self) -> FilterPanel:
        """The editors of the filters, made at their first use."""
        if self._panel is None:
            from explorer.ui.explore.filter_panel import FilterPanel

            self._panel = FilterPanel(self)
            self._panel.offer(self.entries())
            self._panel.changed.connect(self._panel_changed)
            self._panel.closed.connect(self.filter_button.toggle)
            self._layout.insertWidget(1, self._panel)
            stops = [self.filter_button, *self._panel.stops(), self.arrangement]
            for one, other in itertools.pairwise(stops):
                self.setTabOrder(one, other)
        return self._panel

    @property
    def summary(self) -> FilterSummary:
        """What is said of the search and the filters in force, made at its first use."""
        if self._summary is None:
            from explorer.ui.explore.filter_panel import FilterSummary

            self._summary = FilterSummary(self)
            self._summary.changed.connect(self.set_filter)
            self._summary.cleared.connect(self.clear_filters)
            self._layout.insertWidget(self._layout.indexOf(self.tree), self._summary)
        return self._summary

    def set_filter(self, wanted: NetworkFilter) -> None:
        """Shows the networks that pass."""
        self.wanted = wanted
        if self._panel is not None:
            self._panel.set_value(wanted)
        self.narrow()

    def clear_filters(self) -> None:
        """Shows all networks."""
        self.search.clear()
        self.set_filter(NetworkFilter())

    def passing(self) -> set[str]:
        """Returns the names of the networks that the search and the filters let through."""
        return {entry.name for entry in self._found() if self.wanted.accepts(entry)}

    def narrow(self) -> None:
        """Applies the search and the filters."""
        self._typing.stop()
        narrowing = self.narrowing
        passing = self.passing() if narrowing else None
        self._silent = True  # a filter that hides the current row must not choose another
        self.filter.keep(passing)
        if passing is not None:
            self.tree.expandAll()
        else:
            for section, head in self._heads.items():
                self.tree.setExpanded(self.filter.mapFromSource(head.index()), section in OPEN)
        self._silent = False
        self._show_current()
        if passing is not None or self._summary is not None:
            shown = passing if passing is not None else self._texts
            unknown = sum(map(self.wanted.lacks_facts, self._found()))
            self.summary.say(self.wanted, len(shown), len(self._texts), unknown)
            self.summary.setVisible(narrowing)
            self._show_empty(not shown)
        self.narrowed.emit()

    @property
    def narrowing(self) -> bool:
        """Whether there is a search or a filter."""
        return bool(self.wanted) or bool(self.search.text().strip())

    def _found(self) -> list[Entry]:
        """Returns the networks whose description holds every word of the search."""
        words = self.search.text().lower().split()
        return [entry for entry in self.entries() if all(word in self._texts[entry.name] for word in words)]

    def _show_empty(self, empty: bool) -> None:
        """Says in place of an empty tree that nothing was found, and offers the way out."""
        if empty and self._empty is None:
            self._empty = QWidget(self)
            column = QVBoxLayout(self._empty)
            text = QLabel("No network is like that.", self._empty)
            text.setWordWrap(True)
            text.setAlignment(Qt.AlignmentFlag.AlignCenter)
            all_again = QPushButton("Show all networks", self._empty)
            all_again.clicked.connect(self.clear_filters)
            column.addStretch(1)
            column.addWidget(text)
            column.addWidget(all_again, 0, Qt.AlignmentFlag.AlignCenter)
            column.addStretch(2)
            self._layout.insertWidget(self._layout.indexOf(self.tree), self._empty, 1)
        if self._empty is not None:
            self._empty.setVisible(empty)
        self.tree.setHidden(empty)

    def _show_panel(self, visible: bool) -> None:
        self.panel.setVisible(visible)
        (self.panel.ranges["year"].fields[0] if visible else self.filter_button).setFocus()

    def _panel_changed(self) -> None:
        self.set_filter(self.panel.value())

    # -- mouse and keyboard ----------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "filter_button"):
            self.filter_button.setIcon(icon("filter", self))

    def _show_menu(self, place: QPoint) -> None:
        name = self.tree.indexAt(place).data(NAME_ROLE)
        if name:
            menu = QMenu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            compare = menu.addAction("Compare with the network on show")
            compare.triggered.connect(lambda: self.compare_wanted.emit(name))
            if any(entry.name == name for entry in self._sections.get(MODIFIED, ())):
                remove = menu.addAction("Remove from the list")
                remove.triggered.connect(lambda: self.removal_wanted.emit(name))
            menu.popup(self.tree.viewport().mapToGlobal(place))

    def _enter_tree(self) -> None:
        self.narrow()
        first = next(iter(self.names()), None)
        if first is not None:
            self.tree.setFocus()
            self.tree.setCurrentIndex(self.filter.mapFromSource(self._items[first].index()))

    def _current_changed(self, current: Index, previous: Index) -> None:
        name = current.data(NAME_ROLE)
        if name and not self._silent:
            self._current = name
            self.chosen.emit(name)
