"""The layers of a run as a list: how far the last step moved each, and what was found in the last full look."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QWidget

from explorer.training.events import LayerRow
from explorer.ui.train.layer_history import LayerHistory
from explorer.ui.widgets.filtered_table import FilteredTable, TextModel, copy_lines, selected_rows

Index = QModelIndex | QPersistentModelIndex

TOO_LARGE, TOO_SMALL = 1e-2, 1e-5
_COLOURS = ((1e-1, "#c62828"), (TOO_LARGE, "#e07b00"), (1e-4, "#3a9d5d"), (TOO_SMALL, "#3d9fb5"), (0.0, "#2f6fde"))
"""Of a ratio above so much; 0 is grey."""
_STILL = QColor("#8a8f98")
EXPLANATION = (
    "‖w(t+1) − w(t)‖ / ‖w(t)‖: by how much of their length a step moves the layer's weights.\n"
    "About 1e-3 is healthy. ▲ Above 1e-2 the learning rate is likely too high for the layer,\n"
    "▼ below 1e-5 the layer hardly learns. 0: frozen, or the step was skipped."
)


class Col(IntEnum):
    """Columns of the list; those after the ratio are of the last full look."""

    NAME = 0
    RATIO = 1
    ZEROS = 2
    DEAD = 3


HEADERS = ("Layer", "Update ratio", "Zeros", "Dead", "Type", "Weights", "Gradient")
"""The last ones are of copies only."""
TIPS = (
    "Layers without parameters are listed once histograms were made",
    EXPLANATION,
    "Share of the layer's outputs that are exactly 0: about half after a ReLU",
    "Channels or neurons that are 0 everywhere, for every image of the batch",
)


def ratio_text(ratio: float | None) -> str:
    """Returns a ratio in three digits, with a mark where it is far from healthy."""
    if ratio is None:
        return "–"
    if ratio == 0:
        return "0"
    mark = "▲ " if ratio > TOO_LARGE else "▼ " if ratio < TOO_SMALL else ""
    return f"{mark}{ratio:.2e}".replace("e-0", "e-").replace("e+0", "e+")


def ratio_colour(ratio: float | None) -> QColor | None:
    """Returns the colour of a ratio's order of magnitude."""
    if ratio is None:
        return None
    return QColor(next((colour for least, colour in _COLOURS if ratio > least), _STILL))


class LayerModel(TextModel):
    """Layers as rows, in the order of the network."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.rows: tuple[LayerRow, ...] = ()
        self._ratios: dict[str, float | None] = {}
        self._icons: dict[str, QIcon] = {}

    def show_history(self, history: LayerHistory) -> None:
        """Shows what is new of a run, or another run."""
        rows, before = history.rows(), self.rows
        self._ratios = history.latest()
        if [row.name for row in rows] != [row.name for row in before]:
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()
        elif rows:
            self.rows = rows
            last = Col.RATIO if rows is before else Col.DEAD
            self.dataChanged.emit(self.index(0, Col.RATIO), self.index(len(rows) - 1, last))

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(Col)

    def headers(self) -> Sequence[str]:
        return HEADERS

    def texts(self, row: int) -> Sequence[str]:
        layer = self.rows[row]
        found = layer.activations
        return (
            layer.name,
            ratio_text(self._ratios.get(layer.name)) if layer.name in self._ratios else "",
            f"{100 * found.zeros / max(found.total, 1):.1f} %" if found is not None else "",
            f"{layer.dead:,} / {layer.units:,}" if layer.units else "",
            layer.kind,
            _short(layer.weight_norm),
            _short(layer.gradient_norm),
        )

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        column = Col(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return self.texts(index.row())[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            layer = self.rows[index.row()]
            return f"{layer.name} {layer.kind}" if column == Col.NAME else TIPS[column]
        if role == Qt.ItemDataRole.DecorationRole and column == Col.RATIO:
            return self._icon(ratio_colour(self._ratios.get(self.rows[index.row()].name)))
        if role == Qt.ItemDataRole.TextAlignmentRole and column != Col.NAME:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _icon(self, colour: QColor | None) -> QIcon | None:
        """Returns a square that keeps its colour where its row is selected."""
        if colour is None:
            return None
        if colour.name() not in self._icons:
            pixmap = QPixmap(12, 12)
            pixmap.fill(colour)
            icon = QIcon(pixmap)
            icon.addPixmap(pixmap, QIcon.Mode.Selected)
            self._icons[colour.name()] = icon
        return self._icons[colour.name()]

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return HEADERS[section]
            if role == Qt.ItemDataRole.ToolTipRole:
                return TIPS[section]
        return None


class LayerTable(FilteredTable):
    """The list with its filter. The layers that are selected stay so when rows come or go."""

    selection_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        self.layers = LayerModel(parent)
        super().__init__(self.layers, "Layers", parent)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        header = self.view.horizontalHeader()
        header.setSectionResizeMode(Col.NAME, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(40)
        for column, sample in ((Col.RATIO, "● ▲ 1.23e-4 "), (Col.ZEROS, "100.0 %"), (Col.DEAD, "100 / 1,000")):
            self.view.setColumnWidth(column, self.fontMetrics().horizontalAdvance(sample) + 18)
        for column in (Col.ZEROS, Col.DEAD):
            self.view.setColumnHidden(column, True)
        self.view.setTextElideMode(Qt.TextElideMode.ElideLeft)
        self.view.selectionModel().selectionChanged.connect(self.selection_changed)
        self.view.selectionModel().currentRowChanged.connect(self.selection_changed)

    @property
    def current(self) -> LayerRow | None:
        """The layer that the keyboard is at."""
        row = self.view.currentIndex().row()
        return self.layers.rows[row] if 0 <= row < len(self.layers.rows) else None

    def selected(self) -> list[str]:
        """Returns the names of the selected layers, from the top."""
        rows = (row for row in selected_rows(self.view) if not self.view.isRowHidden(row))
        return [self.layers.rows[row].name for row in rows]

    def show_history(self, history: LayerHistory) -> None:
        """Shows what is new of a run, or another run."""
        current, chosen = self.current, self.selected()
        names = [row.name for row in self.layers.rows]
        self.layers.show_history(history)
        if names == [row.name for row in self.layers.rows]:
            return
        for column in (Col.ZEROS, Col.DEAD):
            self.view.setColumnHidden(column, history.statistics is None)
        self._narrow()
        self._select(chosen, current.name if current else "")

    def _select(self, chosen: Sequence[str], current: str) -> None:
        """Selects layers by name; the first one where none of them is there."""
        rows = {row.name: place for place, row in enumerate(self.layers.rows)}
        if not rows:
            return
        model = self.view.selectionModel()
        flags = QItemSelectionModel.SelectionFlag
        found = [rows[name] for name in chosen if name in rows] or [0]
        for row in found:
            model.select(self.layers.index(row, 0), flags.Select | flags.Rows)
        model.setCurrentIndex(self.layers.index(rows.get(current, found[0]), 0), flags.NoUpdate)

    def _narrow(self) -> None:
        """Shows the layers whose name or class has all the words of the filter."""
        words = self.search.text().lower().split()
        shown = 0
        for place, row in enumerate(self.layers.rows):
            fits = all(word in f"{row.name} {row.kind}".lower() for word in words)
            self.view.setRowHidden(place, not fits)
            shown += fits
        count = len(self.layers.rows)
        self.note.setText(f"{shown:,} of {count:,} layers" if shown < count else f"{count:,} layers" if count else "")

    def copy_all(self) -> None:
        """Copies all layers, in the order of the network."""
        copy_lines([HEADERS, *(self.layers.texts(row) for row in range(len(self.layers.rows)))])


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
