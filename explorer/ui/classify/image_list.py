"""The images on the Classify page: their records, the Qt model of them, and how a row is painted."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QImage, QPainter, QPalette
from PySide6.QtWidgets import QApplication, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from explorer.ui.classify.prediction_bars import paint_bar, percent
from explorer.ui.classify.reading import Source

if TYPE_CHECKING:
    from explorer.inference.classifier import Prediction

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Item:
    """One image and what is known of it so far."""

    key: int
    """Never used twice, so that a late answer cannot reach another image."""
    source: Source
    name: str
    thumbnail: QImage | None = None
    predictions: tuple[Prediction, ...] = ()
    error: str | None = None
    waiting: bool = True
    """The network has been asked, or will be as soon as it is loaded."""

    @property
    def place(self) -> str:
        """The full path of a file, or the name of what was pasted."""
        return str(self.source) if isinstance(self.source, Path) else self.name

    @property
    def classified(self) -> bool:
        """Whether nothing is left to do."""
        return bool(self.predictions) or self.error is not None

    @property
    def headline(self) -> str:
        """The best guess, or why there is none."""
        if self.predictions:
            return self.predictions[0].label
        if self.error is not None:
            return "Cannot be classified" if self.thumbnail is not None else "Cannot be read"
        return "Waiting…" if self.waiting else "Not classified"


class ImageListModel(QAbstractListModel):
    """The images in the order in which they came; `UserRole` gives the `Item`."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._items: list[Item] = []
        self._rows: dict[int, int] = {}
        self._keys = itertools.count(1)

    @property
    def items(self) -> Sequence[Item]:
        """All images, by row."""
        return self._items

    def add(self, sources: Iterable[tuple[str, Source]]) -> int:
        """Appends images that wait, given by name and source; returns the first one's row."""
        new = [Item(next(self._keys), source, name) for name, source in sources]
        first = len(self._items)
        self.beginInsertRows(QModelIndex(), first, first + len(new) - 1)
        self._items += new
        self._rows.update({item.key: row for row, item in enumerate(new, first)})
        self.endInsertRows()
        return first

    def change(self, key: int, **changes: Any) -> None:
        """Replaces fields of one image; nothing happens when it has been removed."""
        row = self._rows.get(key)
        if row is not None:
            self._items[row] = replace(self._items[row], **changes)
            self.dataChanged.emit(self.index(row), self.index(row))

    def change_all(self, **changes: Any) -> None:
        """Replaces fields of every image."""
        if self._items:
            self._items = [replace(item, **changes) for item in self._items]
            self.dataChanged.emit(self.index(0), self.index(len(self._items) - 1))

    def remove(self, rows: Iterable[int]) -> None:
        """Removes the images of these rows."""
        # Neighbours go together, from the end, so that views are told once for each stretch of rows.
        places = enumerate(sorted(rows))
        stretches = [
            [row for _, row in group] for _, group in itertools.groupby(places, lambda pair: pair[1] - pair[0])
        ]
        for stretch in reversed(stretches):
            self.beginRemoveRows(QModelIndex(), stretch[0], stretch[-1])
            del self._items[stretch[0] : stretch[-1] + 1]
            self.endRemoveRows()
        self._rows = {item.key: row for row, item in enumerate(self._items)}

    def clear(self) -> None:
        """Removes all images."""
        self.beginResetModel()
        self._items, self._rows = [], {}
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        return 0 if parent.isValid() else len(self._items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        item = self._items[index.row()]
        if role == Qt.ItemDataRole.UserRole:
            return item
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            chance = f", {percent(item.predictions[0].probability)}" if item.predictions else ""
            return f"{item.name}: {item.headline}{chance}"
        if role == Qt.ItemDataRole.ToolTipRole:
            guesses = (f"{percent(guess.probability)}  {guess.label}" for guess in item.predictions)
            return "\n".join((item.place, *guesses, *([item.error] if item.error else [])))
        return None


class ImageDelegate(QStyledItemDelegate):
    """Paints a row: thumbnail, best guess with its probability as number and bar, file name."""

    MARGIN = 8
    SIDE = 72

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(240, self.SIDE + 2 * self.MARGIN)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        item: Item = index.data(Qt.ItemDataRole.UserRole)
        style = option.widget.style() if option.widget is not None else QApplication.style()
        style.drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, option.widget)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        area = option.rect.adjusted(self.MARGIN, self.MARGIN, -self.MARGIN, -self.MARGIN)
        square = QRect(area.left(), area.top(), self.SIDE, self.SIDE)
        if item.thumbnail is not None:
            size = item.thumbnail.size().scaled(square.size(), Qt.AspectRatioMode.KeepAspectRatio)
            fitted = QRect(0, 0, max(size.width(), 1), max(size.height(), 1))
            fitted.moveCenter(square.center())
            painter.drawImage(fitted, item.thumbnail)
        elif item.error is not None:
            icon = style.standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
            icon.paint(painter, square.adjusted(20, 20, -20, -20))
        else:
            painter.fillRect(square, option.palette.color(QPalette.ColorRole.AlternateBase))
        area.setLeft(square.right() + 1 + self.MARGIN)
        self._paint_text(painter, option, area, item, selected)
        painter.restore()
        if option.state & QStyle.StateFlag.State_HasFocus:
            style.drawPrimitive(QStyle.PrimitiveElement.PE_FrameFocusRect, option, painter, option.widget)

    def _paint_text(
        self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, item: Item, selected: bool
    ) -> None:
        palette, metrics = option.palette, option.fontMetrics
        role = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
        strong = palette.color(role)
        muted = strong if selected else palette.color(QPalette.ColorRole.PlaceholderText)
        line = metrics.height()
        head = QRect(area.left(), area.top(), area.width(), line + 2)
        foot = QRect(area.left(), area.bottom() - line - 1, area.width(), line + 2)

        bold = QFont(option.font)
        bold.setBold(bool(item.predictions) or item.error is not None)
        painter.setPen(strong if item.classified else muted)
        if item.predictions:
            chance = percent(item.predictions[0].probability)
            painter.setFont(option.font)
            painter.drawText(head, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, chance)
            head.setRight(head.right() - metrics.horizontalAdvance(chance) - self.MARGIN)
        painter.setFont(bold)
        text = QFontMetrics(bold).elidedText(item.headline, Qt.TextElideMode.ElideRight, head.width())
        painter.drawText(head, Qt.AlignmentFlag.AlignVCenter, text)

        painter.setFont(option.font)
        painter.setPen(muted)
        name = metrics.elidedText(item.name, Qt.TextElideMode.ElideMiddle, foot.width())
        painter.drawText(foot, Qt.AlignmentFlag.AlignVCenter, name)
        middle = QRect(area.left(), head.bottom() + 1, area.width(), foot.top() - head.bottom() - 1)
        if item.predictions:
            bar = QRectF(middle.left(), middle.center().y() - 2, middle.width(), 5)
            paint_bar(painter, bar, item.predictions[0].probability, palette, on_highlight=selected)
        elif item.error is not None:
            reason = metrics.elidedText(item.error, Qt.TextElideMode.ElideRight, middle.width())
            painter.drawText(middle, Qt.AlignmentFlag.AlignVCenter, reason)
