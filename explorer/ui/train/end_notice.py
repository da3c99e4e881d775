"""Tells whoever looks elsewhere that training has come to an end."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from explorer.ui.theme import app_icon

SHOWN_MS = 10_000


class EndNotice:
    """Calls for attention, unless the window has it: in the task bar, and with a message where there is a tray."""

    def __init__(self, page: QWidget) -> None:
        self._page = page
        self._tray: QSystemTrayIcon | None = None

    def tell(self, title: str, text: str) -> bool:
        """Says what has ended and how; returns whether it was necessary."""
        window = self._page.window()
        if window.isActiveWindow():
            return False
        QApplication.alert(window)
        if QSystemTrayIcon.isSystemTrayAvailable():
            if self._tray is None:
                self._tray = QSystemTrayIcon(app_icon(), self._page)
                self._tray.messageClicked.connect(window.activateWindow)
                self._tray.messageClicked.connect(window.raise_)
            self._tray.show()
            self._tray.showMessage(title, text, app_icon(), SHOWN_MS)
        return True

    def hide(self) -> None:
        """Takes the icon out of the tray."""
        if self._tray is not None:
            self._tray.hide()
