"""What lies over the shape flow: the note while it is worked on, and the legend of colours."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from explorer.inspection.notation import Kind
from explorer.ui.explore.flow_items import Tones


class _Overlay(QFrame):
    """A small panel in the view's top left corner."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAutoFillBackground(True)
        self.move(8, 8)
        self.hide()


class FlowNote(_Overlay):
    """Says that the layout takes its time, and offers to give it up; or what went wrong."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._text = QLabel(self)
        self.button = QPushButton(self)
        """Gives the work up, or closes the note."""
        row = QHBoxLayout(self)
        row.addWidget(self._text)
        row.addWidget(self.button)

    @property
    def text(self) -> str:
        """What it says."""
        return self._text.text()

    @Slot()
    def show_busy(self) -> None:
        """Shows the note with its button."""
        self._show("Laying out the graph…", "Cancel")

    def show_problem(self, text: str) -> None:
        """Shows a line of text until the user has read it."""
        self._show(text, "Close")

    def _show(self, text: str, button: str) -> None:
        self._text.setText(text)
        self.button.setText(button)
        self.adjustSize()
        self.raise_()
        self.show()


class FlowLegend(_Overlay):
    """Names the colours that are on view."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(8, 6, 8, 6)
        self._grid.setVerticalSpacing(3)

    def show_kinds(self, kinds: Iterable[Kind], tones: Tones) -> None:
        """Lists these kinds, in the order of `Kind`."""
        present = set(kinds)
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for row, kind in enumerate(kind for kind in Kind if kind in present):
            patch = QLabel(self)
            patch.setFixedSize(14, 14)
            border, fill = tones.border(kind).name(), tones.fill(kind).name()
            patch.setStyleSheet(f"background: {fill}; border: 1px solid {border}; border-radius: 3px")
            self._grid.addWidget(patch, row, 0)
            self._grid.addWidget(QLabel(kind.value, self), row, 1)
        self._grid.activate()
        self.adjustSize()
