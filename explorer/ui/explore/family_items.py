"""What the family map draws: families, lines of descent, and the years."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPainterPath, QPalette, QPen
from PySide6.QtWidgets import QGraphicsItem, QGraphicsPathItem, QStyleOptionGraphicsItem, QWidget

from explorer.ui.explore.family_layout import HEIGHT, WIDTH, Descent

KINDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "plain stacks": (
        212,
        ("convolution", "relu", "dropout", "local-response", "small-kernels", "pointwise", "global-pooling"),
    ),
    "parallel branches": (38, ("multi-branch", "grouped", "auxiliary-heads", "batch-normalisation", "factorised")),
    "shortcuts": (
        128,
        ("gated-skip", "residual", "bottleneck", "pre-activation", "width", "fractal", "dense-connections"),
    ),
    "little computation": (
        180,
        ("depthwise", "inverted-residual", "compound-scaling", "architecture-search"),
    ),
    "attention, free sampling": (
        312,
        ("channel-attention", "spatial-attention", "self-attention", "deformable", "dilated"),
    ),
    "beyond photographs": (8, ("three-d", "noise-residual", "cross-modal")),
}
"""What a family is coloured by: hue, and the main ideas that belong together."""
OTHER = "other"


def kind_of_idea(idea: str) -> str:
    """Returns the kind that an idea belongs to, by its key."""
    return next((kind for kind, (_, keys) in KINDS.items() if idea in keys), OTHER)


class Shades:
    """The colours of the map, for a palette."""

    def __init__(self, palette: QPalette) -> None:
        self.canvas = palette.color(QPalette.ColorRole.Base)
        self.text = palette.color(QPalette.ColorRole.Text)
        self.muted = palette.color(QPalette.ColorRole.PlaceholderText)
        self.accent = palette.color(QPalette.ColorRole.Highlight)
        self.band = palette.color(QPalette.ColorRole.AlternateBase)
        self.dark = self.canvas.lightness() < 128

    def fill(self, kind: str) -> QColor:
        return QColor.fromHsl(*self._hue(kind), 58 if self.dark else 226)

    def border(self, kind: str) -> QColor:
        hue, saturation = self._hue(kind)
        return QColor.fromHsl(hue, saturation * 3 // 4, 140 if self.dark else 120)

    def _hue(self, kind: str) -> tuple[int, int]:
        return (KINDS[kind][0], 120) if kind in KINDS else (0, 0)


class FamilyItem(QGraphicsItem):
    """A family: its name and how many networks it has."""

    def __init__(self, file: str, title: str, count: int, kind: str, shades: Shades, font: QFont) -> None:
        super().__init__()
        self.file = file
        self._title, self._kind, self._shades = _breakable(title), kind, shades
        self._count = f"{count} networks" if count != 1 else "1 network"
        self._font = QFont(font)
        room = _title_box(QRectF(0, 0, WIDTH, HEIGHT))
        for size in (13, 12, 11, 10):  # a long name is written smaller
            self._font.setPixelSize(size)
            taken = QFontMetricsF(self._font).boundingRect(room, _WRAPPED, self._title)
            if taken.height() <= room.height() and taken.width() <= room.width():
                break
        self._small = QFont(font)
        self._small.setPixelSize(10)
        self.dimmed = False
        """Whether no network of it passes the filters."""
        self.lit = True
        """Whether it belongs to the line that the pointer is on."""
        self.current = False
        """Whether the keyboard is on it."""
        self.setZValue(2)

    def boundingRect(self) -> QRectF:
        return QRectF(-WIDTH / 2, -HEIGHT / 2, WIDTH, HEIGHT).adjusted(-3, -3, 3, 3)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        box = QRectF(-WIDTH / 2, -HEIGHT / 2, WIDTH, HEIGHT)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._shades.canvas)  # lines pass behind, also where it is dimmed
        painter.drawRoundedRect(box, 6, 6)
        painter.setOpacity(0.25 if self.dimmed else 1.0 if self.lit else 0.4)
        painter.setPen(QPen(self._shades.border(self._kind), 1.2))
        painter.setBrush(self._shades.fill(self._kind))
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(self._shades.text)
        painter.setFont(self._font)
        painter.drawText(_title_box(box), _WRAPPED, self._title)
        painter.setFont(self._small)
        painter.drawText(box.adjusted(3, HEIGHT - 16, -3, -2), Qt.AlignmentFlag.AlignCenter, self._count)
        if self.current:
            painter.setOpacity(1.0)
            painter.setPen(QPen(self._shades.accent, 2.4))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(-1.5, -1.5, 1.5, 1.5), 7, 7)


class DescentItem(QGraphicsPathItem):
    """A line from an ancestor to a family."""

    def __init__(self, descent: Descent, shades: Shades) -> None:
        super().__init__(_path(descent))
        self.descent = descent
        self._shades = shades
        self.set_state(marked=False, faded=False)

    def set_state(self, marked: bool, faded: bool) -> None:
        """Shows it as a part of the line that the pointer is on, or as one that is not."""
        main = self.descent.main
        colour = self._shades.accent if marked else self._shades.muted
        pen = QPen(colour, (2.2 if main else 1.4) if marked else 1.4 if main else 0.9)
        if not main:
            pen.setStyle(Qt.PenStyle.DashLine)
        self.setPen(pen)
        self.setOpacity(1.0 if marked else 0.12 if faded else 0.8 if main else 0.5)
        self.setZValue(1.5 if marked else 1.0 if main else 0.5)


class YearItem(QGraphicsItem):
    """The head of a year and the band below it; before it, the mark of years that are left out."""

    def __init__(self, year: int, skipped: int, size: QRectF, shaded: bool, shades: Shades, font: QFont) -> None:
        super().__init__()
        self._year, self._skipped, self._size, self._shaded, self._shades = year, skipped, size, shaded, shades
        self._font = QFont(font)
        self._font.setPixelSize(14)
        self._font.setBold(True)
        self._small = QFont(font)
        self._small.setPixelSize(10)

    def boundingRect(self) -> QRectF:
        return self._size.adjusted(-60, 0, 0, 0)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if self._shaded:
            painter.fillRect(self._size, self._shades.band)
        head = QRectF(self._size.x(), self._size.y(), self._size.width(), 26)
        painter.setPen(self._shades.text)
        painter.setFont(self._font)
        painter.drawText(head, Qt.AlignmentFlag.AlignCenter, str(self._year))
        if self._skipped:
            painter.setPen(self._shades.muted)
            painter.setFont(self._small)
            left = QRectF(head.left() - 44, head.top(), 48, head.height())
            text = f"{self._skipped} years" if self._skipped > 1 else "1 year"
            painter.drawText(left, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom, text)
            for shift in (-3.0, 3.0):
                x, y = left.center().x() + shift, head.top() + 8
                painter.drawLine(QPointF(x - 3, y + 5), QPointF(x + 3, y - 5))


_WRAPPED = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap


def _title_box(box: QRectF) -> QRectF:
    return box.adjusted(3, 2, -3, -14)


def _breakable(title: str) -> str:
    """Lets a line break after a hyphen."""
    return title.replace("-", "-\u200b").replace("_", "_\u200b")


def _path(descent: Descent) -> QPainterPath:
    points = descent.points
    path = QPainterPath(QPointF(*points[0]))
    if points[0][0] == points[-1][0]:  # the same year: an arc on the left of both
        (x, y1), (_, y2) = points[0], points[-1]
        path.cubicTo(QPointF(x - 20, y1), QPointF(x - 20, y2), QPointF(x, y2))
        return path
    x, y = points[0]
    for passed_x, passed_y in points[1:-1]:
        start = passed_x - WIDTH / 2 + 6
        _curve(path, x, y, start, passed_y)
        x, y = passed_x + WIDTH / 2 - 6, passed_y
        path.lineTo(QPointF(x, y))
    _curve(path, x, y, *points[-1])
    return path


def _curve(path: QPainterPath, x1: float, y1: float, x2: float, y2: float) -> None:
    reach = 0.5 * (x2 - x1)
    path.cubicTo(QPointF(x1 + reach, y1), QPointF(x2 - reach, y2), QPointF(x2, y2))
