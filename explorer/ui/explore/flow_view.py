"""The view on the shape flow: says which node was clicked."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QMouseEvent

from explorer.ui.explore.flow_items import FlowItem
from explorer.ui.widgets.picture_view import PictureView


class FlowView(PictureView):
    """Shows a scene of flow items."""

    clicked = Signal(str, bool)
    """Key of the node, empty beside all; whether its + or − was hit."""
    double_clicked = Signal(str)

    def item_at(self, at: QPoint) -> FlowItem | None:
        """The topmost item that shows a node."""
        return next((item for item in self.items(at) if isinstance(item, FlowItem)), None)

    def click_at(self, at: QPoint) -> None:
        item = self.item_at(at)
        on_button = item is not None and item.button.contains(item.mapFromScene(self.mapToScene(at)))
        self.clicked.emit(item.node.key if item is not None else "", on_button)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        item = self.item_at(event.position().toPoint())
        if item is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if item.button.contains(item.mapFromScene(self.mapToScene(event.position().toPoint()))):
            self.mousePressEvent(event)  # two quick clicks on a button are two clicks
        else:
            self.double_clicked.emit(item.node.key)
