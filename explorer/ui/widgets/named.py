"""Names by which the style sheet knows widgets."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtWidgets import QWidget

Widget = TypeVar("Widget", bound=QWidget)


def named(widget: Widget, name: str) -> Widget:
    """Returns the widget with its object name set: `title`, `muted`, `figure`, `primary`, `rail`."""
    widget.setObjectName(name)
    return widget
