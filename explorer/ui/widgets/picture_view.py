"""A view on a picture of graphics items: zooms, pans, fits, and says what was clicked or typed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QKeyEvent, QKeySequence, QMouseEvent, QPainter, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QFrame, QGraphicsItem, QGraphicsScene, QGraphicsView, QWidget

LEAST_SCALE, MOST_SCALE = 0.001, 4.0
READABLE = 0.6
"""Scale below which text is too small to read."""
_STEP = 1.2
_LARGEST_IMAGE = 6000
"""Pixels, the longer side of a copied picture."""


class PictureView(QGraphicsView):
    """Shows a scene. Dragging pans from anywhere; a click is a press and a release in one place."""

    typed = Signal(int)
    """A key of the keyboard (`Qt.Key`) that is not the view's own."""
    copied = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.AnchorViewCenter)
        self.setOptimizationFlag(QGraphicsView.OptimizationFlag.DontSavePainterState)
        self.setScene(QGraphicsScene(self))
        self.most_fitted = 1.25
        """How much a small picture may be blown up to fill the view."""
        self._content = QRectF()
        self._fitted: Callable[[], None] | None = None
        """What resizing does again, until the user looks elsewhere."""
        self._pressed: QPoint | None = None
        self._dragged_to: QPoint | None = None

    # -- what is in view -------------------------------------------------------------------------------------------

    @property
    def scale_factor(self) -> float:
        """Pixels on screen per pixel of the picture."""
        return self.transform().m11()

    def show_scene(self, scene: QGraphicsScene, content: QRectF) -> None:
        """Replaces the scene at once; scale and place stay."""
        centre = self.mapToScene(self.viewport().rect().center())
        old = self.scene()
        self._content = content
        # Room all around: any point of the picture can come to any place of the view.
        room = max(content.width(), content.height(), 4000.0)
        scene.setSceneRect(content.adjusted(-room, -room, room, room))
        scene.setParent(self)
        self.setScene(scene)
        self.centerOn(centre)
        old.deleteLater()

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Scales by `factor` while the point `at` of the viewport, by default its centre, stays where it is."""
        at = at if at is not None else QPointF(self.viewport().rect().center())
        factor = max(LEAST_SCALE, min(MOST_SCALE, self.scale_factor * factor)) / self.scale_factor
        place = self._to_scene(at)
        self.scale(factor, factor)
        self.keep(place, at)

    def zoom_in(self) -> None:
        self.zoom(_STEP)

    def zoom_out(self) -> None:
        self.zoom(1 / _STEP)

    def show_actual_size(self) -> None:
        """One pixel of the picture on one of the screen, around the centre of what is in view."""
        self.zoom(1 / self.scale_factor)

    def fit(self) -> None:
        """Shows everything; small pictures are not blown up. Resizing keeps it so until the user zooms or pans."""
        self._set_scale(self._fitting_scale())
        self.centerOn(self._content.center())
        self._fitted = self.fit

    def fit_readable(self) -> None:
        """Shows everything if it can still be read then; otherwise the beginning of the flow, large enough."""
        if self._fitting_scale() >= READABLE:
            self.fit()
            return
        content, size = self._content, self.viewport().size()
        tall = content.width() / size.width() <= content.height() / size.height()
        room = size.width() / (content.width() + 24.0) if tall else size.height() / (content.height() + 24.0)
        self._set_scale(max(READABLE, min(0.8, room)))
        if tall:
            self.keep(QPointF(content.center().x(), content.top() - 8.0), QPointF(size.width() / 2, 0.0))
        else:
            self.keep(QPointF(content.left() - 8.0, content.center().y()), QPointF(0.0, size.height() / 2))
        self._fitted = self.fit_readable

    def _set_scale(self, scale: float) -> None:
        self.resetTransform()
        self.scale(scale, scale)

    def _fitting_scale(self) -> float:
        width, height = self._content.width() + 24.0, self._content.height() + 24.0
        size = self.viewport().size()
        return max(LEAST_SCALE, min(self.most_fitted, size.width() / width, size.height() / height))

    def keep(self, place: QPointF, at: QPointF) -> None:
        """Scrolls so that the point `place` of the picture lies at the point `at` of the viewport."""
        self._fitted = None
        off = (place - self._to_scene(at)) * self.scale_factor
        self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() + round(off.x()))
        self.verticalScrollBar().setValue(self.verticalScrollBar().value() + round(off.y()))

    def _to_scene(self, at: QPointF) -> QPointF:
        return self.viewportTransform().inverted()[0].map(at)

    def look_at(self, item: QGraphicsItem) -> None:
        """Brings the item to the middle, large enough to be read."""
        if self.scale_factor < READABLE:
            self._set_scale(READABLE)
        self._fitted = None
        self.centerOn(item)

    def bring_into_view(self, item: QGraphicsItem) -> None:
        """Scrolls as little as it takes to see the item and a little around it."""
        self._fitted = None
        self.ensureVisible(item, 24, 24)

    def image(self) -> QImage:
        """The whole picture at its actual size, smaller where that would be larger than a screen can show."""
        size = self._content.size()
        scale = min(1.0, _LARGEST_IMAGE / max(size.width(), size.height(), 1.0))
        image = QImage((size * scale).toSize(), QImage.Format.Format_RGB32)
        image.fill(self.backgroundBrush().color())
        painter = QPainter(image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.scene().render(painter, QRectF(image.rect()), self._content)
        painter.end()
        return image

    # -- mouse and keyboard ----------------------------------------------------------------------------------------

    def click_at(self, at: QPoint) -> None:
        """Answers a click at this point of the viewport."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._fitted is not None:
            self._fitted()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta().y() or event.angleDelta().x()
        self.zoom(_STEP ** (turned / 120), event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._pressed, self._dragged_to = event.position().toPoint(), None
            event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        if self._pressed is None:
            return
        if self._dragged_to is None:
            if (at - self._pressed).manhattanLength() < QApplication.startDragDistance():
                return
            self._dragged_to = self._pressed
            self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
        self._fitted = None
        moved, self._dragged_to = at - self._dragged_to, at
        self.horizontalScrollBar().setValue(self.horizontalScrollBar().value() - moved.x())
        self.verticalScrollBar().setValue(self.verticalScrollBar().value() - moved.y())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, dragged = self._pressed, self._dragged_to is not None
        self._pressed = self._dragged_to = None
        self.viewport().unsetCursor()
        if pressed is None or dragged or event.button() != Qt.MouseButton.LeftButton:
            return
        self.click_at(pressed)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copied.emit()
        elif event.matches(QKeySequence.StandardKey.ZoomIn):
            self.zoom_in()
        elif event.matches(QKeySequence.StandardKey.ZoomOut):
            self.zoom_out()
        elif event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier):
            event.ignore()
        elif event.key() == Qt.Key.Key_F:
            self.fit()
        elif event.key() in _TYPED:
            self.typed.emit(event.key())
        else:
            event.ignore()


_TYPED = frozenset(
    (
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_Left,
        Qt.Key.Key_Right,
        Qt.Key.Key_Plus,
        Qt.Key.Key_Equal,
        Qt.Key.Key_Minus,
        Qt.Key.Key_Return,
        Qt.Key.Key_Enter,
    )
)
