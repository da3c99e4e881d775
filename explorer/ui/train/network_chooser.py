"""A button that shows the network of a recipe and opens a list of those that can be trained, family by family."""

from __future__ import annotations

import re
from itertools import groupby

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QKeySequence, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QFrame, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from explorer.architectures.cards import catalogue
from explorer.architectures.entry import Entry
from explorer.architectures.surgery.steps import base_of
from explorer.ui.explore.network_tree import NAME_ROLE, NameFilter, NetworkTree, SearchField
from explorer.ui.widgets.named import named

Index = QModelIndex | QPersistentModelIndex


def trainable() -> list[Entry]:
    """Returns the explorer's own networks that classify, family by family, oldest first."""
    entries = [entry for entry in catalogue() if entry.task == "classification" and not entry.other_inputs]
    first = {entry.family: place for place, entry in reversed([*enumerate(entries)])}
    return sorted(entries, key=lambda entry: first[entry.family])


class NetworkList(QFrame):
    """The list below the button: a search field, and families that open where something in them was found."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.search = SearchField(self)
        self.search.setPlaceholderText("Search, or timm:NAME, torchvision:NAME")
        self.search.setClearButtonEnabled(True)
        self.tree = NetworkTree(self)
        self.tree.setHeaderHidden(True)
        self.tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.tree.setUniformRowHeights(True)
        self.note = named(QLabel("Networks that classify; look others up under Explore.", self), "muted")
        self.note.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        for widget in (self.search, self.tree, self.note):
            column.addWidget(widget)
        self._model = QStandardItemModel(self)
        self._texts: dict[str, str] = {}
        self._items: dict[str, QStandardItem] = {}
        for _, members in groupby(trainable(), key=lambda entry: entry.family):
            self._add_family([*members])
        self._filter = NameFilter(self)
        self._filter.setSourceModel(self._model)
        self.tree.setModel(self._filter)
        self.search.textChanged.connect(self._narrow)
        self.search.leave.connect(self._leave_search)
        self.tree.activated.connect(self._activated)
        self.tree.clicked.connect(self._activated)

    def _add_family(self, members: list[Entry]) -> None:
        items = []
        for entry in members:
            item = QStandardItem(f"{entry.title}  ·  {entry.year}" if entry.year else entry.title)
            item.setData(entry.name, NAME_ROLE)
            item.setToolTip(f"{entry.name}\n{entry.paper}" if entry.paper else entry.name)
            self._texts[entry.name] = f"{entry.name} {entry.title} {entry.family} {entry.authors}".lower()
            self._items[entry.name] = item
            items.append(item)
        if len(items) == 1:
            self._model.appendRow(items[0])
            return
        head = QStandardItem(f"{members[0].family}  ({len(items)})")
        head.setSelectable(False)
        head.appendRows(items)
        self._model.appendRow(head)

    def open_at(self, place: QPoint, name: str, width: int) -> None:
        """Shows the list with a network selected in it."""
        self.search.clear()
        self.tree.collapseAll()
        item = self._items.get(name)
        if item is not None:
            self.tree.setCurrentIndex(self._filter.mapFromSource(item.index()))
        self.resize(max(width, 320), 420)
        self.move(place)
        self.show()
        self.search.setFocus()

    def _narrow(self) -> None:
        self._filter.keep({*self._found()})
        if self.search.text().strip():
            self.tree.expandAll()

    def _found(self) -> list[str]:
        """Returns the networks that every word is found in, a number not in the middle of another one."""
        patterns = [(r"(?<!\d)" if word[0].isdigit() else "") + re.escape(word) for word in self._words()]
        return [name for name, text in self._texts.items() if all(re.search(pattern, text) for pattern in patterns)]

    def _words(self) -> list[str]:
        return self.search.text().lower().split()

    def _leave_search(self) -> None:
        typed = self.search.text().strip()
        if ":" in typed:  # of a library or a file
            self._choose(typed)
            return
        names = self._found()
        if len(names) == 1:
            self._choose(names[0])
            return
        self.tree.setFocus()
        if names and self.tree.currentIndex().data(NAME_ROLE) not in names:
            self.tree.setCurrentIndex(self._filter.mapFromSource(self._items[names[0]].index()))

    def _activated(self, index: Index) -> None:
        name = index.data(NAME_ROLE)
        if name:
            self._choose(str(name))
        else:
            self.tree.setExpanded(index, not self.tree.isExpanded(index))

    def _choose(self, name: str) -> None:
        self.hide()
        self.chosen.emit(name)


class NetworkChooser(QPushButton):
    """Shows one network and lets the user choose another."""

    chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = ""
        """Registry name of the network."""
        self.setObjectName("chooser")
        self.setAccessibleName("Network")
        self.setShortcut(QKeySequence("Ctrl+N"))
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._list: NetworkList | None = None
        self.clicked.connect(self.open)

    @property
    def list(self) -> NetworkList:
        """The list, made at its first use."""
        if self._list is None:
            self._list = NetworkList(self)
            self._list.chosen.connect(self._choose)
        return self._list

    def show_network(self, name: str) -> None:
        """Shows a network without announcing it."""
        self.name = name
        titles = {entry.name: entry.title for entry in catalogue()}
        base = base_of(name)
        changed = name[len(base) :]
        self.setText(f"{titles.get(base, base.rpartition('/')[2])}{changed}  ▾".replace("&", "&&"))
        self.setToolTip(f"{name}\nChoose a network (Ctrl+N)")

    def open(self) -> None:
        """Opens the list below the button."""
        self.list.open_at(self.mapToGlobal(QPoint(0, self.height())), self.name, self.width())

    def _choose(self, name: str) -> None:
        if name != self.name:
            self.show_network(name)
            self.chosen.emit()
