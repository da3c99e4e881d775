"""A box to choose a network in: type any part of its name, or pick it from the list."""

from __future__ import annotations

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox, QCompleter, QListView, QWidget

from explorer.ui.explore.network_tree import networks_in

Index = QModelIndex | QPersistentModelIndex


class NetworkNames(QAbstractListModel):
    """The networks of a list with sections as one flat list, which follows it as the libraries come in."""

    def __init__(self, source: QStandardItemModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._source = source
        self._rows: list[tuple[str, str]] = []
        """Registry name and text."""
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.timeout.connect(self._read)
        source.rowsInserted.connect(self._source_grew)
        self._read()

    def _source_grew(self) -> None:
        self._later.start()  # one pass for all rows that come in one turn

    def _read(self) -> None:
        self.beginResetModel()
        self._rows = [
            (name, name if ":" in name else f"{name}  ·  {text.strip()}") for name, text in networks_in(self._source)
        ]
        self.endResetModel()

    def text_of(self, name: str) -> str:
        """Returns how a network is shown; its name where the list does not have it."""
        return next((text for known, text in self._rows if known == name), name)

    def name_of(self, text: str) -> str:
        """Returns the name of the network that is shown so; any other text is taken for a name."""
        return next((name for name, shown in self._rows if shown == text), text.strip())

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return self._rows[index.row()][1]
        return self._rows[index.row()][0] if role == Qt.ItemDataRole.UserRole else None


class NetworkBox(QComboBox):
    """Chooses one of `NetworkNames`, or any name that is typed."""

    chosen = Signal()

    def __init__(self, names: NetworkNames, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names = names
        self._name = ""
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(18)
        self.setMaxVisibleItems(20)
        self.setStyleSheet("QComboBox { combobox-popup: 0; }")  # a list below the box, not one as high as the screen
        view = QListView(self)
        view.setUniformItemSizes(True)
        self.setView(view)
        self.setModel(names)
        self.setCurrentIndex(-1)
        self.setAccessibleName(title)
        self.setToolTip(f"{title}: type any part of a name, or path/to/file.py:NAME")
        completer = QCompleter(names, self)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        completer.setMaxVisibleItems(14)
        self.setCompleter(completer)
        line = self.lineEdit()
        assert line is not None
        line.setPlaceholderText(title)
        line.editingFinished.connect(self._read)
        self.activated.connect(self._read)
        completer.activated.connect(self._complete)
        names.modelReset.connect(self._show)

    @property
    def name(self) -> str:
        """Registry name of the network that is chosen; empty for none."""
        return self._name

    def choose(self, name: str) -> None:
        """Shows a network without announcing it."""
        self._name = name
        self._show()

    def _show(self) -> None:
        self.setEditText(self._names.text_of(self._name))

    def _complete(self, text: str) -> None:
        self.setEditText(text)
        self._read()

    def _read(self) -> None:
        name = self._names.name_of(self.currentText())
        if name and name != self._name:
            self._name = name
            self._show()
            self.chosen.emit()
        elif not name:
            self._show()
