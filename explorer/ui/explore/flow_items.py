"""What the shape flow draws: nodes, open groups, the lines of tensors and their shapes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPainterPathStroker,
    QPalette,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from explorer.inspection.graph.drawing import (
    ARROW,
    BORDER_LIGHTNESS,
    CORNER,
    FILL_LIGHTNESS,
    HUES,
    SHEET,
    arrow_head,
    bend,
)
from explorer.inspection.graph.layered_layout import Curve
from explorer.inspection.graph.layout import BUTTON, TEXT_MARGIN, Box, Flow, Font, Label, Lettering, Wire
from explorer.inspection.graph.outline import Node
from explorer.inspection.notation import Kind

_TEXT_FROM = 0.38
"""Levels of detail, pixels on screen per pixel of the picture, from which something is drawn."""
_LABELS_FROM = 0.5
_ROUND_FROM = 0.25
_WIRES, _MARKED_WIRES, _NODES, _LABELS = 1000.0, 1001.0, 2000.0, 3000.0
"""What lies above what; open groups lie below, each at its depth."""
_PIECE = 12
"""Curves that are painted together."""
_CHARACTERS = "".join(map(chr, range(32, 127))) + "×·→…−–"


class Tones:
    """The colours of the picture, for a palette."""

    def __init__(self, palette: QPalette) -> None:
        self.canvas = palette.color(QPalette.ColorRole.Base)
        self.text = palette.color(QPalette.ColorRole.Text)
        self.accent = palette.color(QPalette.ColorRole.Highlight)
        self.dark = self.canvas.lightness() < 128
        self.faint = _mixed(self.text, self.canvas, 0.32)
        self.wire = _mixed(self.text, self.canvas, 0.42)
        self.label = _mixed(self.text, self.canvas, 0.2)

    def fill(self, kind: Kind) -> QColor:
        hue, saturation = HUES[kind]
        return QColor.fromHsl(hue, saturation, 62 if self.dark else FILL_LIGHTNESS)

    def border(self, kind: Kind) -> QColor:
        hue, saturation = HUES[kind]
        return QColor.fromHsl(hue, saturation * 3 // 4, 130 if self.dark else BORDER_LIGHTNESS)

    def ground(self, depth: int) -> QColor:
        """The ground at a depth: the canvas, and open groups told apart by their shade."""
        return _mixed(self.canvas, self.text, min(0.03 * depth, 0.15))


def _mixed(first: QColor, second: QColor, share: float) -> QColor:
    """The first colour with a share of the second."""
    red, green, blue = (
        a + (b - a) * share
        for a, b in (
            (first.redF(), second.redF()),
            (first.greenF(), second.greenF()),
            (first.blueF(), second.blueF()),
        )
    )
    return QColor.fromRgbF(red, green, blue)


class Fonts:
    """The fonts of the picture, and their measures for a layout that knows no fonts."""

    def __init__(self, font: QFont) -> None:
        self.title, self.text, self.label = QFont(font), QFont(font), QFont(font)
        self.title.setBold(True)
        for one, scale in ((self.title, 0.95), (self.text, 0.92), (self.label, 0.8)):
            if font.pointSizeF() > 0:
                one.setPointSizeF(font.pointSizeF() * scale)
            else:
                one.setPixelSize(max(1, round(font.pixelSize() * scale)))
        self.lettering = Lettering(_measured(self.title), _measured(self.text), _measured(self.label))


def _measured(font: QFont) -> Font:
    metrics = QFontMetricsF(font)
    widths = {character: metrics.horizontalAdvance(character) for character in _CHARACTERS}
    return Font(metrics.height(), metrics.horizontalAdvance("漢"), widths)


class FlowItem(QGraphicsItem):
    """Something that shows a node of the graph: what a click on it means can be read off it."""

    def __init__(self, node: Node, box: Box, tones: Tones, fonts: Fonts) -> None:
        super().__init__()
        self.node, self.box = node, box
        self.marked = False
        """Whether it is the current node."""
        self._tones, self._fonts = tones, fonts
        self.setPos(box.x, box.y)

    def mark(self, marked: bool) -> None:
        if self.marked != marked:
            self.marked = marked
            self.update()

    @property
    def rect(self) -> QRectF:
        """Of the node, in the item's coordinates."""
        return QRectF(0.0, 0.0, self.box.width, self.box.height)

    @property
    def button(self) -> QRectF:
        """The square with + or −, in the item's coordinates; empty for what is no group."""
        if self.node.group is None:
            return QRectF()
        top = 5.0 + (self._fonts.lettering.title.height - BUTTON) / 2
        return QRectF(TEXT_MARGIN - 2.0, top, BUTTON, BUTTON)

    def boundingRect(self) -> QRectF:
        return self.rect.adjusted(-3.0, -3.0, 6.0, 6.0)  # the frame of the current node, the sheet behind a group

    def shape(self) -> QPainterPath:
        path = QPainterPath()
        path.addRect(self.rect)
        return path

    def _outline(self, detail: float) -> QPen:
        if self.marked:
            return QPen(self._tones.accent, max(2.5, 2.0 / detail))
        border = self._tones.border(Kind.FAILURE if self.node.failed else self.node.kind)
        return QPen(border, 2.0 if self.node.failed else 1.0)

    def _paint_title(self, painter: QPainter) -> None:
        node, tones, lettering = self.node, self._tones, self._fonts.lettering
        left = TEXT_MARGIN
        line = QRectF(left, 5.0, self.box.width - 2 * left, lettering.title.height)
        title = lettering.title.width(node.title)
        kind = f"  {node.type}" if node.type else ""
        if node.group is None:
            line.setLeft(left + max(0.0, line.width() - title - lettering.text.width(kind)) / 2)
        else:
            self._paint_button(painter)
            line.setLeft(left + BUTTON + 5.0)
        painter.setPen(tones.text)
        painter.setFont(self._fonts.title)
        painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, node.title)
        if kind:
            painter.setPen(tones.faint)
            painter.setFont(self._fonts.text)
            painter.drawText(line.adjusted(title, 0.0, 0.0, 0.0), Qt.AlignmentFlag.AlignVCenter, kind)

    def _paint_button(self, painter: QPainter) -> None:
        square = self.button
        painter.setPen(QPen(self._tones.faint, 1.0))
        painter.setBrush(self._tones.canvas)
        painter.drawRoundedRect(square, 3.0, 3.0)
        painter.setPen(QPen(self._tones.text, 1.4))
        middle, arm = square.center(), BUTTON / 2 - 3.5
        painter.drawLine(middle - QPointF(arm, 0.0), middle + QPointF(arm, 0.0))
        if not self.node.open:
            painter.drawLine(middle - QPointF(0.0, arm), middle + QPointF(0.0, arm))


class NodeItem(FlowItem):
    """A layer, a closed group, the input, an output or the failure."""

    def __init__(self, node: Node, box: Box, tones: Tones, fonts: Fonts) -> None:
        super().__init__(node, box, tones, fonts)
        self._ground = tones.fill(node.kind)
        self.setZValue(_NODES)
        self.setToolTip(node.tooltip)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        detail = option.levelOfDetailFromTransform(painter.worldTransform())
        if detail < _ROUND_FROM:
            painter.fillRect(self.rect, self._tones.border(self.node.kind))
            if self.marked:
                painter.setPen(self._outline(detail))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(self.rect)
            return
        painter.setPen(self._outline(detail))
        painter.setBrush(self._ground)
        if self.node.group is not None:
            painter.drawRoundedRect(self.rect.translated(SHEET, SHEET), CORNER, CORNER)
        painter.drawRoundedRect(self.rect, CORNER, CORNER)
        if detail >= _TEXT_FROM:
            self._paint_title(painter)
            self._paint_detail(painter)

    def _paint_detail(self, painter: QPainter) -> None:
        lettering = self._fonts.lettering
        indent = 0.0 if self.node.group is None else BUTTON + 5.0
        line = QRectF(TEXT_MARGIN, 5.0 + lettering.title.height, self.box.width, lettering.text.height)
        line.setRight(self.box.width - TEXT_MARGIN)
        align = Qt.AlignmentFlag.AlignHCenter if self.node.group is None else Qt.AlignmentFlag.AlignLeft
        painter.setPen(self._tones.text)
        painter.setFont(self._fonts.text)
        painter.drawText(line.adjusted(indent, 0.0, 0.0, 0.0), align, self.node.detail)


class GroupItem(FlowItem):
    """The ground of an open group."""

    def __init__(self, node: Node, box: Box, depth: int, tones: Tones, fonts: Fonts) -> None:
        super().__init__(node, box, tones, fonts)
        self._ground = tones.ground(depth)
        self.setZValue(depth)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        detail = option.levelOfDetailFromTransform(painter.worldTransform())
        painter.setPen(self._outline(detail))
        painter.setBrush(self._ground)
        if detail < _ROUND_FROM:
            painter.drawRect(self.rect)
        else:
            painter.drawRoundedRect(self.rect, CORNER, CORNER)


class TitleItem(FlowItem):
    """The title of an open group: above the lines that enter there, on a strip of the group's ground."""

    def __init__(self, node: Node, box: Box, depth: int, tones: Tones, fonts: Fonts) -> None:
        super().__init__(node, box, tones, fonts)
        self._ground = tones.ground(depth)
        self.setZValue(_NODES)
        self.setToolTip(node.tooltip)

    @property
    def rect(self) -> QRectF:
        lettering = self._fonts.lettering
        width = lettering.title.width(self.node.title) + lettering.text.width(f"  {self.node.type}")
        return QRectF(2.0, 3.0, min(self.box.width - 4.0, width + BUTTON + 16.0), lettering.title.height + 4.0)

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if option.levelOfDetailFromTransform(painter.worldTransform()) >= _TEXT_FROM:
            painter.fillRect(self.rect, self._ground)
            self._paint_title(painter)


class WireItem(QGraphicsItem):
    """A tensor's line with all its branches."""

    def __init__(self, wire: Wire, tooltip: str, flow: Flow, tones: Tones) -> None:
        super().__init__()
        self.wire = wire
        self.marked = False
        self._tones = tones
        # Of a line that is much longer than the view only the pieces in view are painted.
        pieces = [_path(wire.curves[start : start + _PIECE], flow) for start in range(0, len(wire.curves), _PIECE)]
        self._pieces = [(path.controlPointRect().adjusted(-2.0, -2.0, 2.0, 2.0), path) for path in pieces]
        self._heads = [QPolygonF([QPointF(*corner) for corner in arrow_head(tip, flow)]) for tip in wire.arrows]
        self._bounds = QRectF()
        for bounds, _ in self._pieces:
            self._bounds |= bounds.adjusted(-ARROW, -ARROW, ARROW, ARROW)
        self._shape: QPainterPath | None = None  # made when the mouse first rests near
        self.setToolTip(tooltip)
        self.setZValue(_WIRES)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    def mark(self, marked: bool) -> None:
        if self.marked != marked:
            self.marked = marked
            self.setZValue(_MARKED_WIRES if marked else _WIRES)
            self.update()

    def boundingRect(self) -> QRectF:
        return self._bounds

    def shape(self) -> QPainterPath:
        if self._shape is None:
            stroker = QPainterPathStroker()
            stroker.setWidth(6.0)
            self._shape = QPainterPath()
            for _, path in self._pieces:
                self._shape.addPath(stroker.createStroke(path))
        return self._shape

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        detail = option.levelOfDetailFromTransform(painter.worldTransform())
        colour = self._tones.accent if self.marked else self._tones.wire
        width = 2.0 if self.marked else 1.3
        pen = QPen(colour, max(width, width / 2 / detail))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        exposed = option.exposedRect
        for bounds, path in self._pieces:
            if bounds.intersects(exposed):
                painter.drawPath(path)
        if detail >= _ROUND_FROM:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colour)
            for head in self._heads:
                painter.drawPolygon(head)


def _path(curves: Sequence[Curve], flow: Flow) -> QPainterPath:
    path = QPainterPath()
    for x1, y1, x2, y2 in curves:
        path.moveTo(x1, y1)
        control = bend((x1, y1, x2, y2), flow)
        if control is None:
            path.lineTo(x2, y2)
        else:
            path.cubicTo(*control, x2, y2)
    return path


class LabelsItem(QGraphicsItem):
    """The shapes of all tensors on their lines: one item, since most pictures are too small to read most of them."""

    def __init__(self, labels: Sequence[Label], grounds: Sequence[QColor], tones: Tones, fonts: Fonts) -> None:
        super().__init__()
        self._tones, self._font = tones, fonts.label
        self._labels: list[tuple[QRectF, QColor, str]] = []
        self._bounds = QRectF()
        for label, ground in zip(labels, grounds, strict=True):
            rect = QRectF(label.x - label.width / 2, label.y - label.height / 2, label.width, label.height)
            plate = QColor(ground)
            plate.setAlphaF(0.85)
            self._labels.append((rect, plate, label.text))
            self._bounds |= rect
        self.setZValue(_LABELS)
        self.setAcceptedMouseButtons(Qt.MouseButton.NoButton)
        self.setFlag(QGraphicsItem.GraphicsItemFlag.ItemUsesExtendedStyleOption)

    def boundingRect(self) -> QRectF:
        return self._bounds

    def shape(self) -> QPainterPath:
        return QPainterPath()  # the mouse does not meet it

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if option.levelOfDetailFromTransform(painter.worldTransform()) < _LABELS_FROM:
            return
        painter.setPen(self._tones.label)
        painter.setFont(self._font)
        exposed = option.exposedRect
        for rect, plate, text in self._labels:
            if rect.intersects(exposed):
                painter.fillRect(rect, plate)
                painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, text)
