"""The classes of a dataset as a table: how many images each has, as bars, and what some of them look like."""

from __future__ import annotations

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPalette
from PySide6.QtWidgets import QHeaderView, QStyledItemDelegate, QStyleOptionViewItem, QTableView, QWidget

from explorer.data.overview import Overview
from explorer.ui.train.sample_list import to_image

Index = QModelIndex | QPersistentModelIndex
SIDE = 44
"""Pixels a side of a sample in the table."""
SHARE_ROLE = Qt.ItemDataRole.UserRole
"""Of the largest class of a part, from 0 to 1."""
IMAGES_ROLE = Qt.ItemDataRole.UserRole + 1


class ClassModel(QAbstractTableModel):
    """A row a class: its name, its images in each part, and samples."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.told: Overview | None = None
        self._images: dict[int, list[QImage]] = {}

    def set_overview(self, told: Overview | None) -> None:
        """Shows another dataset."""
        self.beginResetModel()
        self.told = told
        self._images.clear()
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if self.told is None or (parent is not None and parent.isValid()) else len(self.told.info.classes)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if self.told is None else len(self.told.parts) + 2

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        told, row, column = self.told, index.row(), index.column()
        if told is None:
            return None
        if column == 0:
            if role == Qt.ItemDataRole.ToolTipRole:
                return f"{row}: {told.info.classes[row]}"
            return told.info.classes[row] if role == Qt.ItemDataRole.DisplayRole else None
        if column <= len(told.parts):
            counts = told.parts[column - 1].counts
            if role == SHARE_ROLE:
                return counts[row] / max(max(counts), 1)
            return f"{counts[row]:,}" if role == Qt.ItemDataRole.DisplayRole else None
        if role == IMAGES_ROLE:
            if row not in self._images:
                self._images[row] = [to_image(pixels) for pixels in told.thumbnails[row]]
            return self._images[row]
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation == Qt.Orientation.Vertical or role != Qt.ItemDataRole.DisplayRole or self.told is None:
            return None
        titles = {"train": "Training", "validation": "Validation", "test": "Test"}
        return ["Class", *(titles[part.name] for part in self.told.parts), "Samples"][section]


class CountBar(QStyledItemDelegate):
    """A number on a bar that is as long as its share of the largest."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        share = index.data(SHARE_ROLE)
        if isinstance(share, float):
            rect: QRect = option.rect
            palette: QPalette = option.palette
            colour = QColor(palette.color(QPalette.ColorRole.Highlight))
            colour.setAlpha(90)
            bar = rect.adjusted(2, rect.height() // 2 - 9, -2, 9 - rect.height() // 2)
            bar.setWidth(max(1, round(share * bar.width())))
            painter.fillRect(bar, colour)
        super().paint(painter, option, index)


class SampleStrip(QStyledItemDelegate):
    """Images side by side, as many as there is room for."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        super().paint(painter, option, index)
        rect: QRect = option.rect
        images = index.data(IMAGES_ROLE)
        left, top = rect.left() + 4, rect.top() + (rect.height() - SIDE) // 2
        for image in images if isinstance(images, list) else ():
            if left + SIDE > rect.right():
                break
            size = image.size().scaled(QSize(SIDE, SIDE), Qt.AspectRatioMode.KeepAspectRatio)
            painter.drawImage(QRect(left, top, size.width(), size.height()), image)
            left += SIDE + 4


class ClassSamples(QTableView):
    """The table."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.classes = ClassModel(self)
        self.setModel(self.classes)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.setAccessibleName("Classes")
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(SIDE + 6)
        self._bars, self._strips = CountBar(self), SampleStrip(self)

    def show_overview(self, told: Overview) -> None:
        """Shows a dataset's classes."""
        self.classes.set_overview(told)
        last = len(told.parts) + 1
        for column in range(1, last):
            self.setItemDelegateForColumn(column, self._bars)
            self.setColumnWidth(column, 110)
        self.setItemDelegateForColumn(last, self._strips)
        header = self.horizontalHeader()
        longest = max(map(self.fontMetrics().horizontalAdvance, told.info.classes), default=0)
        self.setColumnWidth(0, min(max(longest + 20, 80), 220))
        header.setSectionResizeMode(last, QHeaderView.ResizeMode.Stretch)
