"""The layer table: records, an item model over them, and the view with filter, sorting and copying."""

from __future__ import annotations

from enum import IntEnum

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QLabel, QLineEdit, QTableView, QVBoxLayout, QWidget

from explorer.inspection.anatomy import Anatomy, Layer
from explorer.inspection.notation import count_text, hyperparameter_text
from explorer.inspection.report import field_text, settings_text
from explorer.ui.numbers import short_bytes

Index = QModelIndex | QPersistentModelIndex


class Col(IntEnum):
    """Columns of the table."""

    INDEX = 0
    NAME = 1
    TYPE = 2
    SETTINGS = 3
    INPUT = 4
    OUTPUT = 5
    PARAMS = 6
    MACS = 7
    SHARE = 8
    MEMORY = 9
    FIELD = 10


HEADERS = ("#", "Layer", "Type", "Settings", "Input", "Output", "Parameters", "MACs", "MACs %", "Memory", "Sees")
TOOLTIPS = {
    Col.INPUT: "Shapes of the inputs, channels first, without the batch",
    Col.OUTPUT: "Shapes of the outputs, channels first, without the batch",
    Col.PARAMS: "Parameters owned by the layer; those of a shared module are counted at its first call",
    Col.MACS: "Multiply–accumulate operations for one image",
    Col.SHARE: "Share of the network's MACs",
    Col.MEMORY: "Bytes of new output for one image in 32 bits; 0 for operations in place and views",
    Col.FIELD: "Receptive field: input pixels that one cell of the output sees",
}
RIGHT = (Col.INDEX, Col.PARAMS, Col.MACS, Col.SHARE, Col.MEMORY, Col.FIELD)


class LayerModel(QAbstractTableModel):
    """Layers as rows; `UserRole` is what a column sorts by."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.layers: tuple[Layer, ...] = ()
        self._texts: list[tuple[str, ...]] = []
        self._macs = 0

    def set_anatomy(self, anatomy: Anatomy | None) -> None:
        self.beginResetModel()
        self.layers = anatomy.layers if anatomy else ()
        self._macs = anatomy.macs if anatomy else 0
        self._texts = [self._text(layer) for layer in self.layers]
        self.endResetModel()

    def _text(self, layer: Layer) -> tuple[str, ...]:
        return (
            str(layer.index),
            layer.name,
            layer.type,
            hyperparameter_text(layer),
            layer.inputs_label,
            layer.output_label if layer.executed else "not run",
            f"{layer.params:,}" if layer.params else "",
            f"{layer.macs:,}" if layer.macs else "",
            f"{100 * layer.macs / self._macs:.1f}" if layer.macs else "",
            short_bytes(layer.activation_bytes) if layer.activation_bytes else "",
            field_text(layer.receptive_field),
        )

    def text(self, row: int) -> tuple[str, ...]:
        """Returns a row as it is shown."""
        return self._texts[row]

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.layers)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(Col)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        column, layer = Col(index.column()), self.layers[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._texts[index.row()][column]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column in RIGHT else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.UserRole:
            return self._sort_key(layer, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return settings_text(layer) if column == Col.SETTINGS else self._texts[index.row()][column]
        return None

    def _sort_key(self, layer: Layer, column: Col) -> object:
        if column in (Col.MACS, Col.SHARE):
            return float(layer.macs)  # a signed 32-bit int of Qt would overflow
        keys = {
            Col.INDEX: layer.index,
            Col.PARAMS: float(layer.params),
            Col.MEMORY: float(layer.activation_bytes),
            Col.FIELD: layer.receptive_field.size[0] if layer.receptive_field else 0,
        }
        return keys.get(column, self._texts[layer.index][column].lower())

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADERS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return TOOLTIPS.get(Col(section))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section in RIGHT else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None


class _Filter(QSortFilterProxyModel):
    """Keeps layers whose name, type or settings hold every word."""

    def __init__(self, model: LayerModel) -> None:
        super().__init__(model)
        self._words: list[str] = []
        self._layers = model
        self.setSourceModel(model)
        self.setSortRole(Qt.ItemDataRole.UserRole)

    def search(self, text: str) -> None:
        self._words = text.lower().split()
        self.invalidate()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        text = " ".join(self._layers.text(row)[1:4]).lower() if self._words else ""
        return all(word in text for word in self._words)


class LayerTable(QWidget):
    """The table, a filter over it and its totals below it."""

    selected = Signal(int)
    """Index of the layer whose row the user made current."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = LayerModel(self)
        self.filter = _Filter(self.model)
        self.view = QTableView(self)
        self.view.setModel(self.filter)
        self.view.setSortingEnabled(True)
        self.view.sortByColumn(Col.INDEX, Qt.SortOrder.AscendingOrder)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setAlternatingRowColors(True)
        self.view.setWordWrap(False)
        self.view.setShowGrid(False)
        self.view.verticalHeader().hide()
        self.view.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.view.horizontalHeader().setHighlightSections(False)
        self.view.setTabKeyNavigation(False)
        self.view.setAccessibleName("Layers")
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("Filter layers…")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Filter layers")
        self.search.setMaximumWidth(260)
        self.totals = QLabel(self)
        self.totals.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        foot = QHBoxLayout()
        foot.addWidget(self.search)
        foot.addStretch(1)
        foot.addWidget(self.totals)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view, 1)
        layout.addLayout(foot)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(120)
        self._typing.timeout.connect(self._apply_filter)
        self.search.textChanged.connect(self._typing.start)
        self.view.selectionModel().currentRowChanged.connect(self._row_changed)
        self._silent = False
        self.copy = QAction("Copy rows", self)
        self.copy.setShortcut(QKeySequence.StandardKey.Copy)
        self.copy.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.copy.triggered.connect(self._copy)
        self.view.addAction(self.copy)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)

    def set_anatomy(self, anatomy: Anatomy | None) -> None:
        """Shows the layers of another network, or none."""
        self._silent = True
        self.model.set_anatomy(anatomy)
        self._size_columns()
        self._show_totals()
        self._silent = False

    def select(self, index: int) -> None:
        """Makes a layer's row current without announcing it."""
        if not 0 <= index < self.model.rowCount():
            return
        row = self.filter.mapFromSource(self.model.index(index, 0))
        if not row.isValid() and self.search.text():
            self.search.clear()  # the filter hides what is asked for
            self._apply_filter()
            row = self.filter.mapFromSource(self.model.index(index, 0))
        self._silent = True
        self.view.selectionModel().setCurrentIndex(
            row, QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        )
        self.view.scrollTo(row, QAbstractItemView.ScrollHint.EnsureVisible)
        self._silent = False

    def _size_columns(self) -> None:
        """Widths from the longest texts, measured once a network and not once a cell."""
        metrics = self.view.fontMetrics()
        for column in Col:
            longest = max((self.model.text(row)[column] for row in range(self.model.rowCount())), key=len, default="")
            width = max(metrics.horizontalAdvance(longest), metrics.horizontalAdvance(HEADERS[column]) + 14)
            self.view.setColumnWidth(column, min(width, 260) + 18)

    def _apply_filter(self) -> None:
        self._silent = True
        self.filter.search(self.search.text())
        self._silent = False
        self._show_totals()

    def _show_totals(self) -> None:
        rows = [self.filter.mapToSource(self.filter.index(row, 0)).row() for row in range(self.filter.rowCount())]
        layers = [self.model.layers[row] for row in rows]
        count = f"{len(layers):,} layers" if not self.search.text() else f"{len(layers):,} of {self.model.rowCount():,}"
        params, macs = sum(layer.params for layer in layers), sum(layer.macs for layer in layers)
        memory = sum(layer.activation_bytes for layer in layers)
        self.totals.setText(
            f"{count}  ·  {params:,} parameters  ·  {macs:,} MACs  ·  {short_bytes(memory)} activations" if rows else ""
        )
        self.totals.setToolTip(f"{count_text(params)} parameters, {count_text(macs)} MACs" if rows else "")

    def _row_changed(self, current: Index, previous: Index) -> None:
        if current.isValid() and not self._silent:
            self.selected.emit(self.filter.mapToSource(current).row())

    def _copy(self) -> None:
        rows = sorted(index.row() for index in self.view.selectionModel().selectedRows())
        texts = [self.model.text(self.filter.mapToSource(self.filter.index(row, 0)).row()) for row in rows]
        QGuiApplication.clipboard().setText("\n".join("\t".join(line) for line in (HEADERS, *texts)) + "\n")
