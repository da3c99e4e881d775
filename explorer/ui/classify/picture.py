"""A picture, or what stands in its place."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget


class Picture(QWidget):
    """Shows an image as large as fits, in its own proportions."""

    PIXELS_SHOWN_FROM = 4
    """From this magnification on, pixels are left as squares: that is what the network was given."""

    def __init__(self) -> None:
        super().__init__()
        self._image: QImage | None = None
        self._message = ""
        self.setAccessibleName("Picture")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def show_image(self, image: QImage | None, message: str = "") -> None:
        """Shows the image, or `message` when there is none."""
        self._image, self._message = image, message
        self.setAccessibleDescription(message)
        self.update()

    @property
    def image(self) -> QImage | None:
        """What is on show."""
        return self._image

    @property
    def message(self) -> str:
        """What is said in place of an image."""
        return self._message

    def sizeHint(self) -> QSize:
        return QSize(420, 420)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 120)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._image is None:
            painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(24, 24, -24, -24), flags, self._message)
            return
        size = self._image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        fitted = QRect(0, 0, max(size.width(), 1), max(size.height(), 1))
        fitted.moveLeft((self.width() - fitted.width()) // 2)
        smooth = fitted.width() < self.PIXELS_SHOWN_FROM * self._image.width()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(fitted, self._image)
