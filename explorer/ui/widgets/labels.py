"""Labels whose text may be longer than their room."""

from __future__ import annotations

import re

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QSizePolicy


class ElidedLabel(QLabel):
    """Shows as much of its text as fits on one line, with an ellipsis in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def say(self, text: str, full: str) -> None:
        """Shows the text, and `full` when the pointer rests on it."""
        self.setText(text)
        self.setToolTip(full)

    def minimumSizeHint(self) -> QSize:
        return QSize(60, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, self.width())
        QPainter(self).drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


class CutLabel(QLabel):
    """Text of one line that can be selected, and ends in an ellipsis where its room does."""

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.hasSelectedText() or self.sizeHint().width() <= self.width():
            super().paintEvent(event)
            return
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        QPainter(self).drawText(self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


class WrappedLabel(QLabel):
    """Shows all of a message on as many lines as it takes, however long the paths in it are."""

    def __init__(self) -> None:
        super().__init__()
        self.message = ""
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setMinimumWidth(1)

    def say(self, message: str) -> None:
        """Shows the message."""
        self.message = message
        self.setAccessibleName(message)
        # Zero-width spaces let a line break inside of a path, which would otherwise set the window's least width.
        self.setText(re.sub(r"([/\\_:.-])", "\\1\u200b", message))
