"""The layers of two networks side by side: an item model and its view with filter, search and copying."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QBrush, QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QWidget,
)

from explorer.inspection.comparison.diff import Change, Match
from explorer.inspection.comparison.report import HEADER, LEFT, Row
from explorer.inspection.comparison.stages import Stage
from explorer.ui.theme import is_dark
from explorer.ui.widgets.filtered_table import FilteredTable, TextModel

Index = QModelIndex | QPersistentModelIndex

COLOURS = {
    Change.CHANGED: ("#fdf1cf", "#40361a"),
    Change.ADDED: ("#dff3e3", "#1c3a27"),
    Change.REMOVED: ("#fae1df", "#452322"),
}
"""Background of a row, light and dark; same rows have none."""
SAYS = {
    Change.SAME: "Same",
    Change.CHANGED: "Changed",
    Change.ADDED: "Only in the second",
    Change.REMOVED: "Only in the first",
}
NAME_A, NAME_B = 2, 6
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_CENTRE = Qt.AlignmentFlag.AlignCenter


class DiffModel(TextModel):
    """Matches as rows; filters itself, since a proxy would ask for every cell."""

    def __init__(self) -> None:
        super().__init__()
        self._matches: tuple[Match, ...] = ()
        self._rows: tuple[Row, ...] = ()
        self._titles = ("", "")
        self._brushes: dict[Change, QBrush] = {}
        self._words: list[str] = []
        self._differences_only = True
        self.shown: list[int] = []
        """Numbers of the matches that pass the filters."""
        self.paint_anew()

    def set_matches(self, matches: tuple[Match, ...], rows: tuple[Row, ...], titles: tuple[str, str]) -> None:
        self.beginResetModel()
        self._matches, self._rows, self._titles = matches, rows, titles
        self._arrange()
        self.endResetModel()

    def narrow(self, text: str, differences_only: bool) -> None:
        """Keeps the rows that hold every word of `text`, and of those, where asked, the ones that differ."""
        self.beginResetModel()
        self._words, self._differences_only = text.lower().split(), differences_only
        self._arrange()
        self.endResetModel()

    def _arrange(self) -> None:
        self.shown = [
            number
            for number, (match, row) in enumerate(zip(self._matches, self._rows, strict=True))
            if not (self._differences_only and match.change is Change.SAME) and self._found(row)
        ]

    def _found(self, row: Row) -> bool:
        if not self._words:
            return True
        text = " ".join(row).lower()
        return all(word in text for word in self._words)

    def paint_anew(self) -> None:
        """Takes the colours of the theme that is on now."""
        dark = is_dark()
        self._brushes = {change: QBrush(QColor(colours[dark])) for change, colours in COLOURS.items()}

    @property
    def total(self) -> int:
        """How many rows there are without filters."""
        return len(self._matches)

    def match_at(self, row: int) -> Match:
        """Returns the match that a row shows."""
        return self._matches[self.shown[row]]

    def texts(self, row: int) -> Row:
        """Returns a row as it is shown."""
        return self._rows[self.shown[row]]

    def headers(self) -> list[str]:
        """Returns the titles of the columns; those of the layers' names tell whose they are."""
        titles = list(HEADER)
        if any(self._titles):
            titles[NAME_A], titles[NAME_B] = self._titles
        return titles

    def first_in(self, stage: Stage) -> int:
        """Returns the first row that shows a layer of a part; -1 for none."""
        for row in range(len(self.shown)):
            match = self.match_at(row)
            for layer, path in ((match.a, stage.a), (match.b, stage.b)):
                if layer is not None and path and f"{layer.group}.".startswith(f"{path}."):
                    return row
        return -1

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.shown)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(HEADER)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._rows[self.shown[index.row()]][column]
        if role == Qt.ItemDataRole.BackgroundRole:
            return self._brushes.get(self._matches[self.shown[index.row()]].change)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _CENTRE if column == 0 else _LEFT if column in LEFT else _RIGHT
        if role == Qt.ItemDataRole.UserRole:
            return self.match_at(index.row())
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            row = self.texts(index.row())
            said = SAYS[self.match_at(index.row()).change]
            return ": ".join(filter(None, (said, row.what))) if column == 0 else row[column] or None
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.headers()[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if section in LEFT else _RIGHT
        if role == Qt.ItemDataRole.ToolTipRole and section in (NAME_A, NAME_B):
            return f"Layers of {self.headers()[section]}"
        return None


class DiffTable(FilteredTable):
    """The table, and below it what narrows it down."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self.model = DiffModel()
        super().__init__(self.model, "Layers of both networks", parent)
        self.model.setParent(self)
        self.view.horizontalHeader().setStretchLastSection(True)
        self.view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.differences_only = QCheckBox("&Differences only", self)
        self.differences_only.setChecked(True)
        self.foot.insertWidget(1, self.differences_only)
        self.differences_only.toggled.connect(self._narrow)

    def set_matches(self, matches: tuple[Match, ...], rows: tuple[Row, ...], titles: tuple[str, str]) -> None:
        """Shows another comparison."""
        self.model.set_matches(matches, rows, titles)
        self._size_columns(rows)
        self._show_note()
        self.view.scrollToTop()

    def show_stage(self, stage: Stage) -> None:
        """Scrolls to the layers of a part and makes the first of them current."""
        row = self.model.first_in(stage)
        if row >= 0:
            index = self.model.index(row, 0)
            self.view.setCurrentIndex(index)
            self.view.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtTop)

    def _size_columns(self, rows: tuple[Row, ...]) -> None:
        """Widths from the longest texts of all rows, filtered or not, measured once a comparison."""
        metrics = self.view.fontMetrics()
        for column, title in enumerate(self.model.headers()):
            longest = max((row[column] for row in rows), key=len, default="")
            width = max(metrics.horizontalAdvance(longest), metrics.horizontalAdvance(title))
            self.view.setColumnWidth(column, min(width, 140) + 12)

    def _narrow(self) -> None:
        self._typing.stop()
        self.model.narrow(self.search.text(), self.differences_only.isChecked())
        self._show_note()

    def _show_note(self) -> None:
        shown, total = self.model.rowCount(), self.model.total
        self.note.setText(f"{shown:,} of {total:,} layers" if total else "")

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "model"):
            self.model.paint_anew()
            self.view.viewport().update()
