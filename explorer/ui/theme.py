"""One look for the whole window: Fusion style, the palette of the system, icons in the palette's colour."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QWidget

from explorer.resources import resource

SCHEMES = ("system", "light", "dark")
Role = QPalette.ColorRole

_COLOURS = {
    Role.Window: ("#f3f4f6", "#23262b"),
    Role.WindowText: ("#1b1d21", "#e6e8eb"),
    Role.Base: ("#ffffff", "#1a1c20"),
    Role.AlternateBase: ("#f5f7fa", "#202328"),
    Role.Text: ("#1b1d21", "#e6e8eb"),
    Role.Button: ("#eceef1", "#2e3238"),
    Role.ButtonText: ("#1b1d21", "#e6e8eb"),
    Role.PlaceholderText: ("#6b7280", "#9aa1aa"),
    Role.Light: ("#ffffff", "#3a3f47"),
    Role.Midlight: ("#e3e6ea", "#343941"),
    Role.Mid: ("#c3c8cf", "#474d56"),
    Role.Dark: ("#9aa1aa", "#15171a"),
    Role.Shadow: ("#6b7280", "#0e0f11"),
    Role.ToolTipBase: ("#ffffff", "#2e3238"),
    Role.ToolTipText: ("#1b1d21", "#e6e8eb"),
    Role.BrightText: ("#b3261e", "#ff6b61"),
    Role.Highlight: ("#2f6fde", "#3b78e7"),
    Role.HighlightedText: ("#ffffff", "#ffffff"),
    Role.Link: ("#1f5fc9", "#8ab4ff"),
    Role.Accent: ("#2f6fde", "#3b78e7"),
}
"""Light and dark colour of each role."""
_DISABLED = ("#9aa1aa", "#70767f")


def apply_theme(application: QApplication, scheme: str = "system") -> None:
    """Sets style, palette and style sheet; `scheme` is one of `SCHEMES`."""
    dark = scheme == "dark" or (scheme != "light" and application.styleHints().colorScheme() == Qt.ColorScheme.Dark)
    application.setStyle("Fusion")
    # Qt asks the desktop for a dark palette, and not every desktop has one; so both are our own.
    palette = QPalette()
    for role, colours in _COLOURS.items():
        palette.setColor(role, QColor(colours[dark]))
    for role in (Role.WindowText, Role.Text, Role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(_DISABLED[dark]))
    application.setStyleSheet("")  # a palette does not reach widgets that a style sheet has polished
    application.setPalette(palette)
    sheet = resource("theme.qss").read_text(encoding="utf-8")
    application.setStyleSheet(sheet.replace("{icons}", resource("icons").as_posix()))


def is_dark() -> bool:
    """Returns whether text is lighter than what is behind it."""
    palette = QGuiApplication.palette()
    return palette.color(Role.WindowText).lightness() > palette.color(Role.Window).lightness()


def icon(name: str, widget: QWidget) -> QIcon:
    """Returns an icon of `resources/icons/` in the text colour of `widget`, and in that of a selection when checked."""
    source = resource("icons", f"{name}.svg").read_text(encoding="utf-8")
    result = QIcon()
    for state, role in (
        (QIcon.State.Off, Role.WindowText),
        (QIcon.State.On, Role.HighlightedText),
    ):
        colour = widget.palette().color(role).name()
        renderer = QSvgRenderer(QByteArray(source.replace("currentColor", colour).encode()))
        pixmap = QPixmap(QSize(48, 48))
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        renderer.render(painter)
        painter.end()
        result.addPixmap(pixmap, QIcon.Mode.Normal, state)
    return result


def app_icon() -> QIcon:
    """Returns the program's own icon."""
    return QIcon(str(resource("icons", "app.svg")))
