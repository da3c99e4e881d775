"""Tables of text as the pages show them: plain, copied as tab-separated lines, and narrowed down by a filter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QAbstractTableModel, Qt, QTimer
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QLabel, QLineEdit, QTableView, QVBoxLayout, QWidget

TYPING_MS = 120
"""A filter is applied when typing has paused for this long."""


class TextModel(QAbstractTableModel):
    """A model whose rows can be had as text."""

    def headers(self) -> Sequence[str]:
        """Returns the titles of the columns."""
        raise NotImplementedError

    def texts(self, row: int) -> Sequence[str]:
        """Returns a row as it is shown."""
        raise NotImplementedError


def make_plain(view: QTableView) -> None:
    """Gives a table whole rows to select, one line each, and nothing between its cells."""
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setWordWrap(False)
    view.setShowGrid(False)
    view.setTabKeyNavigation(False)
    view.verticalHeader().hide()
    view.verticalHeader().setDefaultSectionSize(view.fontMetrics().height() + 6)
    view.horizontalHeader().setHighlightSections(False)


def copy_action(view: QTableView) -> QAction:
    """Gives a table "Copy rows", by key and in its menu, and returns it."""
    copy = QAction("Copy rows", view)
    copy.setShortcut(QKeySequence.StandardKey.Copy)
    copy.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
    view.addAction(copy)
    view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
    return copy


def selected_rows(view: QTableView) -> list[int]:
    """Returns the numbers of the selected rows, from the top."""
    return sorted(index.row() for index in view.selectionModel().selectedRows())


def copy_lines(lines: Iterable[Sequence[str]]) -> None:
    """Puts lines of cells on the clipboard, tab-separated."""
    QGuiApplication.clipboard().setText("\n".join("\t".join(line) for line in lines) + "\n")


class FilteredTable(QWidget):
    """A table, and below it a filter and a note. Who inherits says in `_narrow` what the filter does."""

    def __init__(self, model: TextModel, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._texts = model
        self.view = QTableView(self)
        self.view.setModel(model)
        make_plain(self.view)
        self.view.setAccessibleName(name)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText("Filter layers…")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Filter layers")
        self.search.setMaximumWidth(260)
        self.note = QLabel(self)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.foot = QHBoxLayout()
        self.foot.addWidget(self.search)
        self.foot.addStretch(1)
        self.foot.addWidget(self.note)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view, 1)
        layout.addLayout(self.foot)
        self._typing = QTimer(self)
        self._typing.setSingleShot(True)
        self._typing.setInterval(TYPING_MS)
        self._typing.timeout.connect(self._narrow)
        self.search.textChanged.connect(self._typing.start)
        self.copy = copy_action(self.view)
        self.copy.triggered.connect(self._copy)

    def _narrow(self) -> None:
        """Shows the rows that pass the filter."""
        raise NotImplementedError

    def _copy(self) -> None:
        copy_lines([self._texts.headers(), *map(self._texts.texts, selected_rows(self.view))])
