"""One look for the whole window: Fusion style, the palette of the system, icons in the palette's colour."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QWidget

from explorer.resources import resource

SCHEMES = {"system": Qt.ColorScheme.Unknown, "light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
ACCENT = QColor("#2f6fde")


def apply_theme(application: QApplication, scheme: str = "system") -> None:
    """Sets style, colour scheme and style sheet; `scheme` is a key of `SCHEMES`."""
    application.setStyle("Fusion")
    application.styleHints().setColorScheme(SCHEMES.get(scheme, Qt.ColorScheme.Unknown))
    palette = application.palette()
    palette.setColor(QPalette.ColorRole.Highlight, ACCENT)
    palette.setColor(QPalette.ColorRole.HighlightedText, QColor("white"))
    palette.setColor(QPalette.ColorRole.Link, QColor("#7aa7ff") if is_dark() else ACCENT)
    application.setPalette(palette)
    application.setStyleSheet(resource("theme.qss").read_text(encoding="utf-8"))


def is_dark() -> bool:
    """Returns whether text is lighter than what is behind it."""
    palette = QGuiApplication.palette()
    return (
        palette.color(QPalette.ColorRole.WindowText).lightness() > palette.color(QPalette.ColorRole.Window).lightness()
    )


def icon(name: str, widget: QWidget) -> QIcon:
    """Returns an icon of `resources/icons/` in the text colour of `widget`, and in that of a selection when checked."""
    source = resource("icons", f"{name}.svg").read_text(encoding="utf-8")
    result = QIcon()
    for state, role in (
        (QIcon.State.Off, QPalette.ColorRole.WindowText),
        (QIcon.State.On, QPalette.ColorRole.HighlightedText),
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
