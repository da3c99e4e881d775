"""Which input pixels one cell of a layer sees: a cell to choose, the patch in words, and a drawing of it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QSpinBox, QWidget

from explorer.inspection.anatomy import ReceptiveField
from explorer.inspection.field_arithmetic import Patch, clipped, input_patch

_NAMES = {1: ("cell",), 2: ("row", "column"), 3: ("frame", "row", "column")}


class InputPatch(QWidget):
    """Lets the user choose a cell; hidden where no window describes what the cells see."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._field: ReceptiveField | None = None
        self._sides: tuple[int, ...] = ()
        self.drawing = PatchDrawing(self)
        self.text = QLabel(self)
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setMinimumWidth(1)
        self.boxes = [QSpinBox(self) for _ in range(3)]
        chooser = QHBoxLayout()
        chooser.setSpacing(4)
        chooser.addWidget(QLabel("Cell", self))
        for box in self.boxes:
            box.setMinimumWidth(48)
            box.valueChanged.connect(self._say)
            chooser.addWidget(box)
        chooser.addStretch(1)
        layout = QGridLayout(self)
        layout.setContentsMargins(4, 0, 4, 0)
        layout.addWidget(self.drawing, 0, 0, 2, 1, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(chooser, 0, 1)
        layout.addWidget(self.text, 1, 1, Qt.AlignmentFlag.AlignTop)
        layout.setColumnStretch(1, 1)
        self.hide()

    def show_field(self, field: ReceptiveField | None, sides: tuple[int, ...]) -> None:
        """Shows what the centre cell sees of an input of these sides."""
        known = field is not None and len(field.size) == len(sides) and len(sides) in _NAMES
        self._field, self._sides = (field, sides) if known else (None, ())
        self.setVisible(known)
        if self._field is None:
            self.text.clear()
            return
        names = _NAMES[len(sides)]
        for box in self.boxes:
            box.hide()
        for box, count, name in zip(self.boxes, self._field.cells, names, strict=False):
            box.blockSignals(True)
            box.setRange(0, count - 1)
            box.setValue(count // 2)
            box.setAccessibleName(f"Cell {name}")
            box.setToolTip(f"{name.capitalize()} of the cell, from 0 to {count - 1:,}")
            box.blockSignals(False)
            box.show()
        self._say()

    def _say(self) -> None:
        if self._field is None:
            return
        patch = input_patch(self._field, [box.value() for box in self.boxes[: len(self._sides)]])
        seen = clipped(patch, self._sides)
        names = _NAMES[len(self._sides)]
        plural = ("pixels",) if len(names) == 1 else tuple(f"{name}s" for name in names)
        lines = [f"{name} {_span(*ends)}" for name, ends in zip(plural, patch, strict=True)]
        text = f"sees {', '.join(lines)}"
        if seen is None:
            text += "; all of it padding"
        elif seen != patch:
            text += f"; in the image {', '.join(_span(*ends) for ends in seen)}"
        if self._field.is_global:
            text = f"By convolutions alone it {text}. Gates and statistics show it the whole input."
        self.text.setText(text[0].upper() + text[1:])
        self.drawing.show_patch(patch, self._sides)


def _span(first: int, last: int) -> str:
    return f"{first} to {last}".replace("-", "−")


class PatchDrawing(QWidget):
    """The input as an outline and the patch in it, padding hatched outside."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._patch: Patch = ()
        self._sides: tuple[int, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Patch of the input")

    def sizeHint(self) -> QSize:
        return QSize(76, 76)

    def show_patch(self, patch: Patch, sides: tuple[int, ...]) -> None:
        """Draws the last two dimensions; a signal is drawn as a bar."""
        self._patch = patch[-2:] if len(patch) > 1 else ((0, sides[0] // 8), *patch)
        self._sides = sides[-2:] if len(sides) > 1 else (sides[0] // 8 + 1, *sides)
        self.setToolTip(f"The input, {'×'.join(map(str, sides))}, and what the cell sees of it")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._patch:
            return
        (top, bottom), (left, right) = self._patch
        height, width = self._sides
        image = QRectF(0, 0, width, height)
        patch = QRectF(left, top, right - left + 1, bottom - top + 1)
        # Far beyond the image nothing is worth room: at most as much as the image itself on each side.
        around = image.united(patch) & image.adjusted(-width, -height, width, height)
        scale = min((self.width() - 2) / around.width(), (self.height() - 2) / around.height())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRect(self.rect())
        painter.translate(self.rect().center())
        painter.scale(scale, scale)
        painter.translate(-around.center())
        palette = self.palette()
        accent = palette.color(QPalette.ColorRole.Highlight)
        pen = painter.pen()
        pen.setCosmetic(True)
        pen.setColor(palette.color(QPalette.ColorRole.Mid))
        painter.setPen(pen)
        painter.setBrush(palette.color(QPalette.ColorRole.Base))
        painter.drawRect(image)
        faint = QColor(accent)
        faint.setAlphaF(0.2)
        pen.setColor(accent)
        painter.setPen(pen)
        painter.setBrush(faint)
        painter.drawRect(patch)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(accent)
        painter.drawRect(patch & image)
        painter.end()
