"""A message across the page that stays until it is dismissed."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QStyle

from explorer.ui.widgets.labels import WrappedLabel


class Banner(QFrame):
    """Says what went wrong, without stopping anything, and may offer a way out."""

    accepted = Signal()
    """The user takes what is offered."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.setFrameShape(QFrame.Shape.StyledPanel)
        icon = QLabel()
        icon.setPixmap(self.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning).pixmap(20))
        self._text = WrappedLabel()
        self.offer = QPushButton("Go on")
        self.offer.clicked.connect(self.hide)
        self.offer.clicked.connect(self.accepted)
        dismiss = QPushButton("Dismiss")
        dismiss.setToolTip("Hide this message")
        dismiss.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 10, 6)
        row.addWidget(icon)
        row.addWidget(self._text, 1)
        row.addWidget(self.offer)
        row.addWidget(dismiss)
        self.hide()

    @property
    def text(self) -> str:
        """What it says."""
        return self._text.message

    def say(self, text: str, offer: str = "") -> None:
        """Shows the message, and a button for what is offered."""
        self._text.say(text)
        if offer:
            self.offer.setText(offer)
        self.offer.setVisible(bool(offer))
        self.show()
