"""The parts of the list of networks: what its items hold, which of them are shown, and how one gets at them."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QLineEdit, QTreeView, QWidget

NAME_ROLE = Qt.ItemDataRole.UserRole
TEXT_ROLE = Qt.ItemDataRole.UserRole + 1
"""How a network is called where it does not stand below a heading."""

Index = QModelIndex | QPersistentModelIndex


def networks_in(model: QStandardItemModel) -> Iterator[tuple[str, str]]:
    """Returns the name and the text of every network of a list, whatever headings they stand below."""

    def below(item: QStandardItem) -> Iterator[tuple[str, str]]:
        for row in range(item.rowCount()):
            child = item.child(row)
            if child.data(NAME_ROLE):
                yield child.data(NAME_ROLE), child.data(TEXT_ROLE)
            yield from below(child)

    return below(model.invisibleRootItem())


class NameFilter(QSortFilterProxyModel):
    """Keeps the networks of given names, and the headings that they stand below."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setRecursiveFilteringEnabled(True)
        self._names: set[str] | None = None

    def keep(self, names: set[str] | None) -> None:
        """Shows the networks of these names; None for all."""
        if names != self._names:
            self._names = names
            self.invalidate()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        return self._names is None or self.sourceModel().index(row, 0, parent).data(NAME_ROLE) in self._names


class SearchField(QLineEdit):
    """A search field from which the arrow keys lead into the list."""

    leave = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.leave.emit()
        elif event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)


class NetworkTree(QTreeView):
    """A tree whose right button opens a menu and chooses nothing."""

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.RightButton:
            super().mousePressEvent(event)
