"""Two networks in sum: their totals side by side, and the parts in which they differ."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QAbstractItemView, QGridLayout, QHeaderView, QLabel, QTableView, QWidget

from explorer.inspection.comparison.diff import Diff
from explorer.inspection.comparison.report import counts_text, signed, stage_name, stage_text, totals
from explorer.inspection.comparison.stages import Stage
from explorer.ui.numbers import short_bytes
from explorer.ui.widgets.filtered_table import copy_action, copy_lines, make_plain, selected_rows
from explorer.ui.widgets.labels import ElidedLabel
from explorer.ui.widgets.named import named

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class Totals(QWidget):
    """Parameters, MACs, memory and layers of both, and the differences."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(20)
        self._grid.setVerticalSpacing(3)
        self.cells = [[QLabel(self) for _ in range(5)] for _ in range(5)]
        for row, labels in enumerate(self.cells):
            for column, label in enumerate(labels):
                if column:
                    label.setAlignment(_RIGHT)
                if column == 0 or row == 0:
                    named(label, "muted")
                label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
                self._grid.addWidget(label, row, column)
        self._grid.setColumnStretch(5, 1)
        self.counts = ElidedLabel()
        self._grid.addWidget(self.counts, 5, 0, 1, 6)

    def show_diff(self, diff: Diff, titles: tuple[str, str]) -> None:
        """Shows another comparison."""
        rows = [("", *titles, "difference", "")]
        for total in totals(diff):
            if total.name.startswith("Bytes"):
                sign = "+" if total.delta > 0 else "−" if total.delta < 0 else ""
                delta = f"{sign}{short_bytes(abs(total.delta))}"
                rows.append(("Activations", short_bytes(total.a), short_bytes(total.b), delta, total.share))
            else:
                rows.append((total.name, f"{total.a:,}", f"{total.b:,}", signed(total.delta), total.share))
        for labels, texts in zip(self.cells, rows, strict=True):
            for label, text in zip(labels, texts, strict=True):
                label.setText(self._fitting(text))
                label.setToolTip(text if text != label.text() else "")
        text = counts_text(diff)
        self.counts.say(text, text)

    def _fitting(self, text: str) -> str:
        return self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, 260)


class StageTable(QTableView):
    """One row a part that differs: what was added, removed, changed, and what it costs."""

    wanted = Signal(object)
    """The `Stage` whose layers the user wants to see."""
    HEADERS = ("Part", "What changed", "Δ parameters", "Δ MACs", "Δ activations")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items = QStandardItemModel(self)
        self._stages: list[Stage] = []
        self.setModel(self._items)
        make_plain(self)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAlternatingRowColors(True)
        self.setAccessibleName("Parts that differ")
        self.setToolTip("Select a part to see its layers")
        self.copy = copy_action(self)
        self.copy.triggered.connect(self._copy)
        self.selectionModel().selectionChanged.connect(self._row_selected)

    def show_diff(self, diff: Diff) -> None:
        """Shows another comparison."""
        self._stages = [stage for stage in diff.stages if stage_text(stage)]
        self._items.clear()
        self._items.setHorizontalHeaderLabels(self.HEADERS)
        for stage in self._stages:
            texts = (
                stage_name(stage),
                stage_text(stage),
                signed(stage.delta_params),
                signed(stage.delta_macs),
                _signed_bytes(stage.delta_activation_bytes),
            )
            items = [QStandardItem(text) for text in texts]
            for item in items[2:]:
                item.setTextAlignment(_RIGHT)
            items[1].setToolTip(texts[1])
            self._items.appendRow(items)
        header = self.horizontalHeader()
        for column in range(len(self.HEADERS)):
            mode = QHeaderView.ResizeMode.Stretch if column == 1 else QHeaderView.ResizeMode.ResizeToContents
            header.setSectionResizeMode(column, mode)
            self._items.setHeaderData(
                column,
                Qt.Orientation.Horizontal,
                _RIGHT if column > 1 else Qt.AlignmentFlag.AlignLeft,
                Qt.ItemDataRole.TextAlignmentRole,
            )

    def _row_selected(self) -> None:
        rows = self.selectionModel().selectedRows()
        if len(rows) == 1:
            self.wanted.emit(self._stages[rows[0].row()])

    def _copy(self) -> None:
        columns = range(len(self.HEADERS))
        rows = [[self._items.item(row, column).text() for column in columns] for row in selected_rows(self)]
        copy_lines([self.HEADERS, *rows])


def _signed_bytes(number: int) -> str:
    return f"{'+' if number > 0 else '−'}{short_bytes(abs(number))}" if number else "0"
