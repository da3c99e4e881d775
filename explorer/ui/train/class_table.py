"""How well each class is told: its images, the share that is right, and what it is mostly taken for."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QPainter, QPalette
from PySide6.QtWidgets import QHeaderView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTableView, QWidget

from explorer.ui.classify.prediction_bars import paint_bar
from explorer.ui.widgets.filtered_table import TextModel, copy_action, copy_lines, make_plain, selected_rows

if TYPE_CHECKING:
    from explorer.training.analysis import Analysis

Index = QModelIndex | QPersistentModelIndex
SORTED_BY = Qt.ItemDataRole.UserRole


class Col(IntEnum):
    """Columns of the table."""

    NAME = 0
    IMAGES = 1
    ACCURACY = 2
    TAKEN_FOR = 3


HEADERS = ("Class", "Images", "Accuracy", "Mostly taken for")


class ClassModel(TextModel):
    """Classes as rows, in index order."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows: list[tuple[str, int, float | None, str]] = []

    def show_analysis(self, analysis: Analysis | None) -> None:
        """Shows other classes."""
        self.beginResetModel()
        self._rows = []
        if analysis is not None:
            for place, (name, accuracy) in enumerate(zip(analysis.classes, analysis.class_accuracies, strict=True)):
                counts = list(analysis.confusion[place])
                total, counts[place] = sum(counts), 0
                most = max(range(len(counts)), key=counts.__getitem__)
                other = f"{analysis.classes[most]} ({counts[most]:,})" if counts[most] else ""
                self._rows.append((name, total, accuracy, other))
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(Col)

    def headers(self) -> Sequence[str]:
        return HEADERS

    def texts(self, row: int) -> Sequence[str]:
        name, images, accuracy, other = self._rows[row]
        return name, f"{images:,}", "–" if accuracy is None else f"{100 * accuracy:.1f} %", other

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        column = Col(index.column())
        if role == Qt.ItemDataRole.DisplayRole:
            return self.texts(index.row())[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return ": ".join(self.texts(index.row())[: Col.TAKEN_FOR : Col.ACCURACY])
        if role == SORTED_BY:
            value = self._rows[index.row()][column]
            return -1.0 if value is None else value
        if role == Qt.ItemDataRole.TextAlignmentRole and column == Col.IMAGES:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADERS[section]
        return None


class _Bar(QStyledItemDelegate):
    """The accuracy as a number and a bar beside it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        share = index.data(SORTED_BY)
        if not isinstance(share, float) or share < 0:
            return
        text = option.fontMetrics.horizontalAdvance("100.0 %") + 12
        area = QRectF(option.rect).adjusted(text, option.rect.height() / 2 - 3, -8, 3 - option.rect.height() / 2)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if area.width() > 12:
            paint_bar(painter, area, share, QPalette(option.palette), on_highlight=selected)


class ClassTable(QTableView):
    """Sortable by every column; the worst first at the beginning."""

    chosen = Signal(int)
    """A class, by its index."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.texts = ClassModel(self)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self.texts)
        self._sorted.setSortRole(SORTED_BY)
        self.setModel(self._sorted)
        make_plain(self)
        self.setAccessibleName("Accuracy by class")
        self.setItemDelegateForColumn(Col.ACCURACY, _Bar(self))
        self.setSortingEnabled(True)
        self.sortByColumn(Col.ACCURACY, Qt.SortOrder.AscendingOrder)
        header = self.horizontalHeader()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(Col.ACCURACY, QHeaderView.ResizeMode.Interactive)
        for column, sample in ((Col.NAME, "automobile 1"), (Col.IMAGES, "Images 1"), (Col.ACCURACY, "100.0 %" * 3)):
            self.setColumnWidth(column, self.fontMetrics().horizontalAdvance(sample) + 12)
        self.copy = copy_action(self)
        self.copy.triggered.connect(self._copy)
        self.activated.connect(self._choose)
        self.clicked.connect(self._choose)

    def _copy(self) -> None:
        rows = [self._sorted.mapToSource(self._sorted.index(row, 0)).row() for row in selected_rows(self)]
        copy_lines([HEADERS, *map(self.texts.texts, rows)])

    def _choose(self, index: QModelIndex) -> None:
        self.chosen.emit(self._sorted.mapToSource(index).row())
