"""The searchable list of networks: classics by year, then torchvision's, timm's and the user's own."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QSortFilterProxyModel, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QLineEdit, QMenu, QPushButton, QTreeView, QVBoxLayout, QWidget

from explorer.architectures.entry import Entry

NAME_ROLE = Qt.ItemDataRole.UserRole
SEARCH_ROLE = Qt.ItemDataRole.UserRole + 1

Index = QModelIndex | QPersistentModelIndex


class _Filter(QSortFilterProxyModel):
    """Keeps the networks whose description holds every word of the search."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._words: list[str] = []

    def search(self, text: str) -> None:
        self._words = text.lower().split()
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        model = self.sourceModel()
        index = model.index(row, 0, parent)
        if not parent.isValid():  # a section: as long as one of its networks is found
            return any(self.filterAcceptsRow(child, index) for child in range(model.rowCount(index)))
        text = index.data(SEARCH_ROLE)
        return all(word in text for word in self._words)


class _Search(QLineEdit):
    """A search field from which the arrow keys lead into the list."""

    leave = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.leave.emit()
        elif event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)


class _Tree(QTreeView):
    """A tree whose right button opens a menu and chooses nothing."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.RightButton:
            super().mousePressEvent(event)


class ArchitectureList(QWidget):
    """Search field, tree of networks, and a button for the user's own."""

    chosen = Signal(str)
    """Registry name of the network that was selected."""
    file_wanted = Signal()
    compare_wanted = Signal(str)
    """Registry name of the network to put beside the one on show."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = _Search(self)
        self.search.setPlaceholderText("Search name, family, year, author…")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search networks")
        self.search.setToolTip("Search networks (Ctrl+F); every word must occur")
        self.model = QStandardItemModel(self)
        self.filter = _Filter(self)
        self.filter.setSourceModel(self.model)
        self.tree = _Tree(self)
        self.tree.setModel(self.filter)
        self.tree.setHeaderHidden(True)
        self.tree.setUniformRowHeights(True)
        self.tree.setIndentation(14)
        self.tree.setEditTriggers(QTreeView.EditTrigger.NoEditTriggers)
        self.tree.setAccessibleName("Networks")
        self.open_file = QPushButton("Open a Python file…", self)
        self.open_file.setToolTip("Show a network of your own: a torch.nn.Module class or a function that gives one")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.search)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self.open_file)
        # A pause in typing, not every letter: a search walks 1,500 names.
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(120)
        self._typing.timeout.connect(self._apply_search)
        self.search.textChanged.connect(self._typing.start)
        self.search.leave.connect(self._enter_tree)
        self.tree.selectionModel().currentChanged.connect(self._current_changed)
        self.open_file.clicked.connect(self.file_wanted)
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tree.customContextMenuRequested.connect(self._show_menu)
        self._sections: dict[str, QStandardItem] = {}
        self._silent = False

    def add(self, section: str, entries: tuple[Entry, ...]) -> None:
        """Adds networks to a section, which is made where it is new."""
        if not entries:
            return
        head = self._sections.get(section)
        if head is None:
            head = QStandardItem(section)
            head.setSelectable(False)
            font = head.font()
            font.setBold(True)
            head.setFont(font)
            self._sections[section] = head
        items = []
        for entry in entries:
            item = QStandardItem(f"{entry.year}  {entry.title}" if entry.year else entry.title)
            item.setData(entry.name, NAME_ROLE)
            words = (entry.name, entry.title, entry.family, str(entry.year or ""), entry.authors, entry.task, section)
            item.setData(" ".join(words).lower(), SEARCH_ROLE)
            paper = f"{entry.paper}\n{entry.authors}, {entry.year}" if entry.paper else entry.name
            item.setToolTip(paper)
            items.append(item)
        head.appendRows(items)
        if head.model() is None:
            self.model.appendRow(head)
        if section in ("Classics", "My models"):
            self.tree.expand(self.filter.mapFromSource(head.index()))

    def names(self) -> list[str]:
        """Returns the names in the list, as they are shown now."""
        found = []
        for row in range(self.filter.rowCount()):
            section = self.filter.index(row, 0)
            found += [
                self.filter.index(child, 0, section).data(NAME_ROLE) for child in range(self.filter.rowCount(section))
            ]
        return found

    def select(self, name: str) -> bool:
        """Makes a network current without announcing it; returns whether the list has it."""
        for head in self._sections.values():
            for row in range(head.rowCount()):
                if head.child(row).data(NAME_ROLE) == name:
                    index = self.filter.mapFromSource(head.child(row).index())
                    self._silent = True
                    self.tree.setCurrentIndex(index)
                    self.tree.scrollTo(index)
                    self._silent = False
                    return True
        return False

    def _apply_search(self) -> None:
        self._silent = True  # a filter that hides the current row must not choose another
        self.filter.search(self.search.text())
        self._silent = False
        if self.search.text().strip():
            self.tree.expandAll()

    def _show_menu(self, place: QPoint) -> None:
        name = self.tree.indexAt(place).data(NAME_ROLE)
        if name:
            menu = QMenu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            compare = menu.addAction("Compare with the network on show")
            compare.triggered.connect(lambda: self.compare_wanted.emit(name))
            menu.popup(self.tree.viewport().mapToGlobal(place))

    def _enter_tree(self) -> None:
        self._typing.stop()
        self._apply_search()
        first = self.filter.index(0, 0, self.filter.index(0, 0))
        if first.isValid():
            self.tree.setFocus()
            self.tree.setCurrentIndex(first)

    def _current_changed(self, current: Index, previous: Index) -> None:
        name = current.data(NAME_ROLE)
        if name and not self._silent:
            self.chosen.emit(name)
