"""The layer table: records, an item model over them, and the view with filter, sorting and copying."""

from __future__ import annotations

import math
from enum import IntEnum

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtWidgets import QAbstractItemView, QWidget

from explorer.inspection.anatomy import Anatomy, Layer
from explorer.inspection.notation import count_text, hyperparameter_text
from explorer.inspection.report import field_text, settings_text
from explorer.ui.numbers import short_bytes
from explorer.ui.widgets.filtered_table import FilteredTable, TextModel

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
RIGHT = frozenset((Col.INDEX, Col.PARAMS, Col.MACS, Col.SHARE, Col.MEMORY, Col.FIELD))
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class LayerModel(TextModel):
    """Layers as rows. It filters and sorts itself: a proxy would ask for every cell, one call each."""

    def __init__(self) -> None:
        super().__init__()
        self.layers: tuple[Layer, ...] = ()
        self._texts: list[tuple[str, ...]] = []
        self.shown: list[int] = []
        """Indices of the layers that pass the filter, in the order of the rows."""
        self._words: list[str] = []
        self._column = Col.INDEX
        self._descending = False

    def set_anatomy(self, anatomy: Anatomy | None) -> None:
        self.beginResetModel()
        self.layers = anatomy.layers if anatomy else ()
        macs = anatomy.macs if anatomy else 0
        self._texts = [_texts(layer, macs) for layer in self.layers]
        self._arrange()
        self.endResetModel()

    def search(self, text: str) -> None:
        """Keeps the layers whose name, type or settings hold every word."""
        self.beginResetModel()
        self._words = text.lower().split()
        self._arrange()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self.beginResetModel()
        self._column, self._descending = Col(column), order == Qt.SortOrder.DescendingOrder
        self._arrange()
        self.endResetModel()

    def _arrange(self) -> None:
        words = self._words
        found = range(len(self.layers))
        if words:
            names = [" ".join(texts[Col.NAME : Col.INPUT]).lower() for texts in self._texts]
            self.shown = [index for index in found if all(word in names[index] for word in words)]
        else:
            self.shown = list(found)
        if self._column != Col.INDEX or self._descending:
            self.shown.sort(key=self._sort_key, reverse=self._descending)

    def _sort_key(self, index: int) -> tuple[float, str]:
        layer, column = self.layers[index], self._column
        numbers = {
            Col.INDEX: index,
            Col.PARAMS: layer.params,
            Col.MACS: layer.macs,
            Col.SHARE: layer.macs,
            Col.MEMORY: layer.activation_bytes,
            Col.FIELD: _extent(layer),
        }
        return (numbers[column], "") if column in numbers else (0, self._texts[index][column].lower())

    def headers(self) -> tuple[str, ...]:
        """Returns the titles of the columns."""
        return HEADERS

    def texts(self, row: int) -> tuple[str, ...]:
        """Returns a row as it is shown."""
        return self._texts[self.shown[row]]

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.shown)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(Col)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._texts[self.shown[index.row()]][column]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column in RIGHT else _LEFT
        if role == Qt.ItemDataRole.UserRole:
            return self.layers[self.shown[index.row()]]
        if role == Qt.ItemDataRole.ToolTipRole:
            layer = self.layers[self.shown[index.row()]]
            return settings_text(layer) if column == Col.SETTINGS else self._texts[layer.index][column]
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADERS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return TOOLTIPS.get(Col(section))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if section in RIGHT else _LEFT
        return None


def _extent(layer: Layer) -> float:
    """Returns by how much a layer sees, for sorting: what sees everything comes last."""
    field = layer.receptive_field
    return 0 if field is None else math.inf if field.is_global else field.size[0]


def _texts(layer: Layer, macs: int) -> tuple[str, ...]:
    return (
        str(layer.index),
        layer.name,
        layer.type,
        hyperparameter_text(layer),
        layer.inputs_label,
        layer.output_label if layer.executed else "not run",
        f"{layer.params:,}" if layer.params else "",
        f"{layer.macs:,}" if layer.macs else "",
        f"{100 * layer.macs / macs:.1f}" if layer.macs else "",
        short_bytes(layer.activation_bytes) if layer.activation_bytes else "",
        field_text(layer.receptive_field),
    )


class LayerTable(FilteredTable):
    """The table, a filter over it and its totals below it."""

    selected = Signal(int)
    """Index of the layer whose row the user made current."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self.model = LayerModel()
        super().__init__(self.model, "Layers", parent)
        self.model.setParent(self)
        self.view.setSortingEnabled(True)
        self.view.sortByColumn(Col.INDEX, Qt.SortOrder.AscendingOrder)
        self.view.setAlternatingRowColors(True)
        self.view.selectionModel().currentRowChanged.connect(self._row_changed)
        self._current = -1
        """Index of the layer whose row is current."""
        self.view.horizontalHeader().sortIndicatorChanged.connect(self._restore_current)

    def set_anatomy(self, anatomy: Anatomy | None) -> None:
        """Shows the layers of another network, or none."""
        self._current = -1
        self.model.set_anatomy(anatomy)
        self._size_columns()
        self._show_totals()

    def select(self, index: int) -> None:
        """Makes a layer's row current without announcing it."""
        if not 0 <= index < len(self.model.layers):
            return
        self._current = index
        if index not in self.model.shown:
            self.search.clear()  # the filter hides what is asked for
            self._narrow()
        self._restore_current()

    def _restore_current(self) -> None:
        """Makes the row of the current layer current again, wherever filter and order have put it."""
        if self._current not in self.model.shown:
            return
        row = self.model.index(self.model.shown.index(self._current), 0)
        selection = self.view.selectionModel()
        blocked = selection.blockSignals(True)
        selection.setCurrentIndex(
            row, QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        )
        selection.blockSignals(blocked)
        self.view.viewport().update()
        self.view.scrollTo(row, QAbstractItemView.ScrollHint.EnsureVisible)

    def _size_columns(self) -> None:
        """Widths from the longest texts, measured once a network and not once a cell."""
        metrics = self.view.fontMetrics()
        rows = [self.model.texts(row) for row in range(self.model.rowCount())]
        for column in Col:
            longest = max((texts[column] for texts in rows), key=len, default="")
            width = max(metrics.horizontalAdvance(longest), metrics.horizontalAdvance(HEADERS[column]) + 14)
            self.view.setColumnWidth(column, min(width, 260) + 18)

    def _narrow(self) -> None:
        self.model.search(self.search.text())
        self._restore_current()
        self._show_totals()

    def _show_totals(self) -> None:
        layers = [self.model.layers[index] for index in self.model.shown]
        every = len(self.model.layers)
        count = f"{len(layers):,} layers" if len(layers) == every else f"{len(layers):,} of {every:,} layers"
        params, macs = sum(layer.params for layer in layers), sum(layer.macs for layer in layers)
        memory = sum(layer.activation_bytes for layer in layers)
        totals = f"{count}  ·  {params:,} parameters  ·  {macs:,} MACs  ·  {short_bytes(memory)} activations"
        self.note.setText(totals if every else "")
        self.note.setToolTip(f"{count_text(params)} parameters, {count_text(macs)} MACs" if every else "")

    def _row_changed(self, current: Index, previous: Index) -> None:
        if current.isValid():
            self._current = self.model.shown[current.row()]
            self.selected.emit(self._current)
